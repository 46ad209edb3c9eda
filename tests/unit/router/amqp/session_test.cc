#include "router/amqp/session.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "router/amqp/engine.h"
#include "router/amqp/sasl.h"
#include "tests/unit/router/amqp/engine_pair.h"

namespace trunkline::amqp::testing {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

// A server engine whose client is written by hand: one session on channel 0, and a link on handle 0
// on which the server receives, with 10 credits.
struct Served : Node {
  explicit Served(EngineOptions options = ServerOptions()) : Node(std::move(options)) {
    Feed(std::string(kAmqpHeader) + FrameOf(0, Open{.container_id = "c"}) +
         FrameOf(0, Begin{.incoming_window = 100, .outgoing_window = 100}) +
         FrameOf(0, Attach{.name = "a",
                           .role = Role::kSender,
                           .target = At("q"),
                           .initial_delivery_count = 0}));
    link = Last(EventKind::kAttached).link;
    engine.Grant(link, 10);
    Take();
    events.clear();
  }
  // The error of the `end` that is written next; its name is empty if there is none.
  Condition EndError() {
    for (const WrittenFrame& frame : SplitFrames(Take())) {
      if (frame.code == static_cast<uint8_t>(Descriptor::kEnd)) {
        return ParseEnd(frame.body)->error;
      }
    }
    return {};
  }
  Condition DetachError() {
    for (const WrittenFrame& frame : SplitFrames(Take())) {
      if (frame.code == static_cast<uint8_t>(Descriptor::kDetach)) {
        return ParseDetach(frame.body)->error;
      }
    }
    return {};
  }
  LinkIndex link = kNoLink;
};

Transfer First(uint32_t id) {
  return {.handle = 0, .delivery_id = id, .delivery_tag = "t", .message_format = 0};
}

TEST(Session, BeginsAndEndsFromEitherSide) {
  Pair pair;
  pair.Attach(SenderAttach("a"));
  EXPECT_EQ(pair.session, 0);
  const uint16_t back = pair.server.engine.BeginSession();
  EXPECT_EQ(back, 1);
  pair.Run();
  const LinkIndex link = pair.server.engine.StartLink(back, SenderAttach("b"));
  pair.Run();
  EXPECT_NE(link, kNoLink);
  EXPECT_EQ(pair.client.Last(EventKind::kAttached).session, 1);
  pair.server.engine.EndSession(back, {.name = "amqp:resource-limit-exceeded"});
  pair.Run();
  EXPECT_EQ(pair.client.Last(EventKind::kEnded).error.name, "amqp:resource-limit-exceeded");
  EXPECT_TRUE(pair.client.Last(EventKind::kDetached).implied);
  EXPECT_THAT(pair.server.All(EventKind::kEnded), SizeIs(1));
  EXPECT_THAT(pair.server.All(EventKind::kDetached), SizeIs(1));
  EXPECT_EQ(pair.client.Last(EventKind::kEnded).session, 1);
  // The channel can be used again.
  EXPECT_EQ(pair.client.engine.BeginSession(), 1);
  pair.Run();
  EXPECT_TRUE(pair.client.engine.IsOpen());
  EXPECT_TRUE(pair.server.engine.IsOpen());
}

TEST(Session, EndsFromBothSidesAtOnce) {
  Pair pair;
  pair.Attach(SenderAttach("a"));
  pair.client.engine.EndSession(pair.session);
  pair.server.engine.EndSession(0);
  pair.Run();
  EXPECT_THAT(pair.client.All(EventKind::kEnded), SizeIs(1));
  EXPECT_THAT(pair.server.All(EventKind::kEnded), SizeIs(1));
  EXPECT_THAT(pair.client.All(EventKind::kDetached), SizeIs(1));
  EXPECT_TRUE(pair.server.Last(EventKind::kDetached).implied);
  EXPECT_TRUE(pair.client.engine.IsOpen());
}

TEST(Session, IgnoresWhatComesAfterItsEnd) {
  Pair pair;
  const Pair::Ends ends = pair.Attach(SenderAttach("a"));
  pair.server.engine.Grant(ends.server, 10);
  pair.Run();
  pair.server.engine.EndSession(0);
  pair.client.Send(ends.client, {.complete = true}, "late");
  pair.client.engine.StartLink(pair.session, SenderAttach("b"));
  pair.client.engine.Detach(ends.client, true);
  pair.Run();
  EXPECT_THAT(pair.server.All(EventKind::kTransfer), IsEmpty());
  EXPECT_THAT(pair.server.All(EventKind::kEnded), SizeIs(1));
  EXPECT_TRUE(pair.server.engine.IsOpen());
  EXPECT_THAT(pair.client.All(EventKind::kDetached), SizeIs(2));
}

TEST(Session, HoldsManySessionsAndLinks) {
  Pair pair;
  pair.piece_max = 5000;
  std::vector<uint16_t> sessions;
  for (int i = 0; i < 50; ++i) sessions.push_back(pair.client.engine.BeginSession());
  std::vector<LinkIndex> links;
  for (int i = 0; i < 600; ++i) {
    links.push_back(
        pair.client.engine.StartLink(sessions[i % 50], SenderAttach(std::to_string(i))));
  }
  pair.Run();
  ASSERT_THAT(pair.server.All(EventKind::kAttached), SizeIs(600));
  for (const Seen& seen : pair.server.All(EventKind::kAttached)) {
    pair.server.engine.Grant(seen.link, 1);
  }
  pair.Run();
  for (const LinkIndex link : links) {
    ASSERT_EQ(pair.client.Send(link, {.settled = true, .complete = true}, "x"), SendResult::kSent);
  }
  pair.Run();
  EXPECT_THAT(pair.server.All(EventKind::kTransfer), SizeIs(600));
}

TEST(Session, RefusesAHandleThatIsInUse) {
  Served server;
  server.Feed(FrameOf(0, Attach{.name = "b", .role = Role::kReceiver, .source = At("q")}));
  EXPECT_EQ(server.EndError().name, "amqp:session:handle-in-use");
  EXPECT_TRUE(server.Last(EventKind::kDetached).implied);
  EXPECT_THAT(server.All(EventKind::kEnded), IsEmpty());
  server.Feed(FrameOf(0, End{}));
  EXPECT_EQ(server.Last(EventKind::kEnded).error.name, "amqp:session:handle-in-use");
  EXPECT_TRUE(server.engine.IsOpen());
}

TEST(Session, TakesHandlesUpToItsLimitAndFailsTheConnectionBeyond) {
  EngineOptions options = ServerOptions();
  options.handle_max = 10;
  for (const uint32_t handle : {10u, 11u}) {
    Served server(options);
    server.Feed(FrameOf(
        0, Attach{.name = "b", .handle = handle, .role = Role::kReceiver, .source = At("q")}));
    EXPECT_THAT(server.All(EventKind::kFailed), SizeIs(handle == 10 ? 0 : 1));
    if (handle == 11) {
      EXPECT_EQ(server.Last(EventKind::kFailed).error.name, "amqp:connection:framing-error");
    }
  }
}

TEST(Session, KeepsToThePeersHandleLimit) {
  Node client(ClientOptions());
  const uint16_t session = client.engine.BeginSession();
  client.Feed(std::string(kAmqpHeader) + FrameOf(0, Open{.container_id = "s"}) +
              FrameOf(0, Begin{.remote_channel = session, .handle_max = 1}));
  EXPECT_NE(client.engine.StartLink(session, SenderAttach("a")), kNoLink);
  EXPECT_NE(client.engine.StartLink(session, SenderAttach("b")), kNoLink);
  EXPECT_EQ(client.engine.StartLink(session, SenderAttach("c")), kNoLink);
}

TEST(Session, EndsForFramesOnUnattachedHandles) {
  for (const std::string& frame :
       {FrameOf(0, Transfer{.handle = 7, .delivery_id = 0, .delivery_tag = "t"}),
        FrameOf(0, Flow{.incoming_window = 1, .handle = 7}), FrameOf(0, Detach{.handle = 7})}) {
    Served server;
    server.Feed(frame);
    EXPECT_EQ(server.EndError().name, "amqp:session:unattached-handle");
  }
}

TEST(Session, EndsForAFrameBehindThePeersOwnDetach) {
  Served server;
  server.Feed(FrameOf(0, Detach{.handle = 0, .closed = true}) + FrameOf(0, First(0), "x"));
  EXPECT_EQ(server.EndError().name, "amqp:session:unattached-handle");
}

TEST(Session, EndsForTransfersBeyondItsWindow) {
  EngineOptions options = ServerOptions();
  options.max_frame_size = 512;
  options.session_window_bytes = 3 * options.max_frame_size;
  Served server(options);
  server.react = [](const Event&) {};
  for (uint32_t id = 0; id < 3; ++id) server.Feed(FrameOf(0, First(id), "x"));
  EXPECT_THAT(server.All(EventKind::kTransfer), SizeIs(3));
  server.Feed(FrameOf(0, First(3), "x"));
  EXPECT_EQ(server.EndError().name, "amqp:session:window-violation");
}

TEST(Session, DetachesForTransfersBeyondTheCredit) {
  Served server;
  for (uint32_t id = 0; id < 10; ++id) server.Feed(FrameOf(0, First(id), "x"));
  EXPECT_THAT(server.All(EventKind::kTransfer), SizeIs(10));
  EXPECT_THAT(server.All(EventKind::kDetached), IsEmpty());
  server.Take();
  server.Feed(FrameOf(0, First(10), "x") + FrameOf(0, First(11), "x"));
  const Seen seen = server.Last(EventKind::kDetached);
  EXPECT_TRUE(seen.implied);
  EXPECT_EQ(seen.error.name, "amqp:link:transfer-limit-exceeded");
  EXPECT_EQ(server.DetachError().name, "amqp:link:transfer-limit-exceeded");
  server.Feed(FrameOf(0, Detach{.handle = 0, .closed = true}));
  EXPECT_THAT(server.All(EventKind::kDetached), SizeIs(1));
  EXPECT_EQ(server.engine.SessionOf(server.link), kNoSession);
  EXPECT_TRUE(server.engine.IsOpen());
}

TEST(Session, DetachesForTransfersBeforeItsAnswer) {
  Node server(ServerOptions());
  server.react = [](const Event&) {};
  server.Feed(std::string(kAmqpHeader) + FrameOf(0, Open{.container_id = "c"}) +
              FrameOf(0, Begin{.incoming_window = 100, .outgoing_window = 100}) +
              FrameOf(0, Attach{.name = "a",
                                .role = Role::kSender,
                                .target = At("q"),
                                .initial_delivery_count = 0}) +
              FrameOf(0, First(0), "x"));
  EXPECT_EQ(server.Last(EventKind::kDetached).error.name, "amqp:link:transfer-limit-exceeded");
  const std::vector<WrittenFrame> frames = SplitFrames(server.Take());
  ASSERT_THAT(frames, SizeIs(4));
  const absl::StatusOr<Attach> attach = ParseAttach(frames[2].body);
  ASSERT_TRUE(attach.ok());
  EXPECT_EQ(attach->name, "a");
  EXPECT_FALSE(attach->target.present);
}

TEST(Session, DetachesForAResumedDelivery) {
  Served server;
  Transfer transfer = First(0);
  transfer.resume = true;
  server.Feed(FrameOf(0, transfer, "x"));
  EXPECT_EQ(server.DetachError().name, "amqp:not-implemented");
}

TEST(Session, DetachesForATransferFromAReceiver) {
  Served server;
  server.Feed(FrameOf(0, Attach{.name = "r", .handle = 1, .role = Role::kReceiver}));
  Transfer transfer = First(0);
  transfer.handle = 1;
  server.Feed(FrameOf(0, transfer, "x"));
  EXPECT_EQ(server.DetachError().name, "amqp:not-allowed");
}

TEST(Session, EndsForDeliveriesOutOfOrderOrIncomplete) {
  Transfer no_id = First(0);
  no_id.delivery_id.reset();
  Transfer no_tag = First(0);
  no_tag.delivery_tag.reset();
  Transfer part = First(0);
  part.more = true;
  const std::vector<std::string> cases = {
      FrameOf(0, no_id, "x"), FrameOf(0, no_tag, "x"),
      FrameOf(0, First(0), "x") + FrameOf(0, First(2), "x"),
      FrameOf(0, First(5), "x") + FrameOf(0, First(5), "x"),
      // Two deliveries at once on one link.
      FrameOf(0, part, "x") + FrameOf(0, First(1), "x"),
      FrameOf(0, Disposition{.role = Role::kSender, .first = 5, .last = 4})};
  for (const std::string& bytes : cases) {
    Served server;
    server.Feed(bytes);
    EXPECT_EQ(server.EndError().name, "amqp:invalid-field");
  }
}

TEST(Session, TakesTheFirstDeliveryIdOfThePeersChoice) {
  Served server;
  server.Feed(FrameOf(0, First(UINT32_MAX), "a") + FrameOf(0, First(0), "b"));
  EXPECT_THAT(server.All(EventKind::kTransfer), SizeIs(2));
  server.engine.Dispose(server.link, UINT32_MAX, {.kind = OutcomeKind::kAccepted}, true);
  server.engine.Dispose(server.link, 0, {.kind = OutcomeKind::kAccepted}, true);
  const std::vector<WrittenFrame> frames = SplitFrames(server.Take());
  ASSERT_THAT(frames, SizeIs(1));
  Disposition disposition;
  ASSERT_TRUE(ParseDisposition(frames[0].body, disposition));
  EXPECT_EQ(disposition.first, UINT32_MAX);
  EXPECT_EQ(disposition.last, 0u);
}

TEST(Session, NamesTheDeliveryIdInContinuationsOrNot) {
  for (const bool named : {false, true}) {
    Served server;
    Transfer part = First(0);
    part.more = true;
    Transfer rest{.handle = 0};
    if (named) rest.delivery_id = 0;
    server.Feed(FrameOf(0, part, "a") + FrameOf(0, rest, "b"));
    EXPECT_EQ(server.Last(EventKind::kTransfer).payload, "b");
    EXPECT_FALSE(server.Last(EventKind::kTransfer).more);
  }
}

TEST(Session, GivesNoLinkWhereThereIsNoSession) {
  Node client(ClientOptions());
  EXPECT_EQ(client.engine.StartLink(0, SenderAttach("a")), kNoLink);
  const uint16_t session = client.engine.BeginSession();
  client.engine.EndSession(session);
  EXPECT_EQ(client.engine.StartLink(session, SenderAttach("a")), kNoLink);
  client.engine.Close();
  EXPECT_EQ(client.engine.BeginSession(), kNoSession);
}

TEST(Session, EndsWhenAnAttachDoesNotFitThePeersFrames) {
  Node client(ClientOptions());
  const uint16_t session = client.engine.BeginSession();
  client.Feed(std::string(kAmqpHeader) +
              FrameOf(0, Open{.container_id = "s", .max_frame_size = 512}) +
              FrameOf(0, Begin{.remote_channel = session}));
  client.engine.StartLink(session, SenderAttach(std::string(600, 'n')));
  client.Poll();
  EXPECT_EQ(client.Last(EventKind::kDetached).error.name, "amqp:frame-size-too-small");
}

TEST(Session, SaysNothingBehindTheEndThatAnUnfitAnswerCauses) {
  // Of a name that fits into our frames and not into the peer's, in both ways to a refusal.
  for (const bool counted : {false, true}) {
    Node server(ServerOptions());
    server.react = [&](const Event& event) {
      if (event.kind == EventKind::kAttached) server.engine.Detach(event.link, true);
    };
    Attach attach = SenderAttach(std::string(600, 'n'));
    if (counted) attach.initial_delivery_count = 0;
    server.Feed(std::string(kAmqpHeader) +
                FrameOf(0, Open{.container_id = "c", .max_frame_size = 512}) +
                FrameOf(0, Begin{.incoming_window = 10}) + FrameOf(0, attach));
    const std::vector<WrittenFrame> frames = SplitFrames(server.Take());
    ASSERT_FALSE(frames.empty());
    ASSERT_EQ(frames.back().code, static_cast<uint8_t>(Descriptor::kEnd)) << counted;
    EXPECT_EQ(ParseEnd(frames.back().body)->error.name, "amqp:frame-size-too-small");
  }
}

TEST(Session, CutsAnErrorDownToThePeersFrames) {
  Node client(ClientOptions());
  const uint16_t session = client.engine.BeginSession();
  client.Feed(std::string(kAmqpHeader) +
              FrameOf(0, Open{.container_id = "s", .max_frame_size = 512}) +
              FrameOf(0, Begin{.remote_channel = session}));
  client.Take();
  client.engine.EndSession(session, {.name = "x:y", .description = std::string(1000, 'd')});
  std::vector<WrittenFrame> frames = SplitFrames(client.Take());
  ASSERT_THAT(frames, SizeIs(1));
  EXPECT_LE(frames[0].body.size(), 504u);
  EXPECT_EQ(ParseEnd(frames[0].body)->error.name, "x:y");
  client.engine.Close({.name = std::string(600, 'n')});
  frames = SplitFrames(client.Take());
  ASSERT_THAT(frames, SizeIs(1));
  EXPECT_EQ(ParseClose(frames[0].body)->error.name, "amqp:internal-error");
}

TEST(Session, EndsAPeerThatLeavesTooMuchUnsettled) {
  Served server;
  server.engine.Grant(server.link, 2 * UnsettledMap::kLiveMax);
  server.Take();
  std::string bytes;
  uint32_t id = 0;
  while (server.All(EventKind::kDetached).empty() && id < 2 * UnsettledMap::kLiveMax) {
    bytes.clear();
    for (int i = 0; i < 32; ++i) bytes += FrameOf(0, First(id++));
    server.Feed(bytes);
    server.Take();
    if (server.events.back().kind == EventKind::kTransfer) server.events.clear();
  }
  EXPECT_EQ(server.Last(EventKind::kDetached).error.name, "amqp:resource-limit-exceeded");
  EXPECT_GT(id, UnsettledMap::kLiveMax);
  EXPECT_LE(id, UnsettledMap::kLiveMax + 64);
}

}  // namespace
}  // namespace trunkline::amqp::testing
