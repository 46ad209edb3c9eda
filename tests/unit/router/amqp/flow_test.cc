#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "router/amqp/engine.h"
#include "router/amqp/sasl.h"
#include "tests/unit/router/amqp/engine_pair.h"

namespace trunkline::amqp::testing {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

size_t Flows(std::string_view bytes) {
  size_t n = 0;
  for (const WrittenFrame& frame : SplitFrames(bytes)) {
    n += frame.code == static_cast<uint8_t>(Descriptor::kFlow) ? 1 : 0;
  }
  return n;
}

TEST(Flow, AnnouncesCreditOnceHalfOfItIsUsed) {
  Pair pair;
  const Pair::Ends ends = pair.Attach(SenderAttach("a"));
  pair.server.engine.Grant(ends.server, 100);
  EXPECT_EQ(Flows(pair.server.Take()), 1u);
  // The client never sees that flow; its credit is given by hand.
  pair.server.engine.Grant(ends.server, 60);
  EXPECT_EQ(Flows(pair.server.Take()), 0u);
  pair.server.engine.Grant(ends.server, 39);
  EXPECT_EQ(Flows(pair.server.Take()), 0u);
  pair.server.engine.Grant(ends.server, 1);
  EXPECT_EQ(Flows(pair.server.Take()), 1u);
}

TEST(Flow, RenewsACapacityOfOneAtOnce) {
  Pair pair;
  const Pair::Ends ends = pair.Attach(SenderAttach("a"));
  pair.server.engine.Grant(ends.server, 1);
  pair.Run();
  for (int i = 0; i < 5; ++i) {
    ASSERT_EQ(pair.client.Send(ends.client, {.complete = true}, "x"), SendResult::kSent);
    EXPECT_EQ(pair.client.Send(ends.client, {.complete = true}, "y"), SendResult::kNoCredit);
    EXPECT_EQ(pair.client.unsent, "y");
    pair.Run();
    EXPECT_EQ(pair.client.engine.Credit(ends.client), 0u);
    pair.server.engine.Grant(ends.server, 1);
    pair.Run();
    EXPECT_EQ(pair.client.engine.Credit(ends.client), 1u);
  }
}

TEST(Flow, SendsFewFlowsForAStreamOfGrants) {
  Pair pair;
  const Pair::Ends ends = pair.Attach(SenderAttach("a"));
  pair.server.engine.Grant(ends.server, 100);
  pair.Run();
  size_t flows = 0;
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(pair.client.Send(ends.client, {.settled = true, .complete = true}, "x"),
              SendResult::kSent);
    pair.server.Feed(pair.client.Take());
    pair.server.engine.Grant(ends.server, 1);
    const std::string bytes = pair.server.Take();
    flows += Flows(bytes);
    pair.client.Feed(bytes);
  }
  EXPECT_LE(flows, 22u);
  EXPECT_GE(flows, 18u);
}

TEST(Flow, DrainsWhatTheSenderHasNotUsed) {
  Pair pair;
  const Pair::Ends ends = pair.Attach(SenderAttach("a"));
  pair.server.engine.Grant(ends.server, 10);
  pair.Run();
  pair.client.Send(ends.client, {.complete = true}, "x");
  pair.Run();
  pair.server.engine.Drain(ends.server);
  pair.Run();
  Seen seen = pair.client.Last(EventKind::kLinkFlow);
  EXPECT_TRUE(seen.drain);
  EXPECT_EQ(seen.credit, 9u);
  EXPECT_THAT(pair.server.All(EventKind::kLinkFlow), IsEmpty());
  pair.client.Send(ends.client, {.complete = true}, "last");
  pair.client.engine.Drained(ends.client);
  EXPECT_EQ(pair.client.engine.Credit(ends.client), 0u);
  pair.Run();
  seen = pair.server.Last(EventKind::kLinkFlow);
  EXPECT_EQ(pair.server.Last(EventKind::kTransfer).payload, "last");
  EXPECT_EQ(seen.credit, 0u);
  EXPECT_EQ(seen.role, Role::kReceiver);
  // Credit can be given again, and counts right.
  pair.server.engine.Grant(ends.server, 3);
  pair.Run();
  seen = pair.client.Last(EventKind::kLinkFlow);
  EXPECT_EQ(seen.credit, 3u);
  EXPECT_FALSE(seen.drain);
}

TEST(Flow, EndsADrainWhenTheLastCreditIsUsed) {
  Pair pair;
  const Pair::Ends ends = pair.Attach(SenderAttach("a"));
  pair.server.engine.Grant(ends.server, 2);
  pair.Run();
  pair.server.engine.Drain(ends.server);
  pair.Run();
  pair.client.Send(ends.client, {.complete = true}, "1");
  pair.client.Send(ends.client, {.complete = true}, "2");
  pair.Run();
  ASSERT_THAT(pair.server.All(EventKind::kLinkFlow), SizeIs(1));
  EXPECT_EQ(pair.server.Last(EventKind::kLinkFlow).credit, 0u);
  EXPECT_TRUE(pair.server.Last(EventKind::kLinkFlow).drain);
}

TEST(Flow, OfASenderTellsAllThatWasGrantedAlsoWhatWaitsToBeAnnounced) {
  Pair pair;
  const Pair::Ends ends = pair.Attach(SenderAttach("a"));
  pair.server.engine.Grant(ends.server, 10);
  pair.Run();
  pair.client.Send(ends.client, {.complete = true}, "1");
  pair.Run();
  pair.server.engine.Grant(ends.server, 1);
  pair.client.engine.Echo(ends.client);
  pair.Run();
  EXPECT_EQ(pair.server.Last(EventKind::kLinkFlow).credit, 10u);
}

TEST(Flow, HasNothingToDrainWithoutCredit) {
  Pair pair;
  const Pair::Ends ends = pair.Attach(SenderAttach("a"));
  pair.server.engine.Drain(ends.server);
  pair.Run();
  ASSERT_THAT(pair.server.All(EventKind::kLinkFlow), SizeIs(1));
  pair.server.engine.Grant(ends.server, 1);
  pair.Run();
  EXPECT_FALSE(pair.client.Last(EventKind::kLinkFlow).drain);
}

TEST(Flow, AGrantEndsADrainThatWasNotAnswered) {
  Pair pair;
  const Pair::Ends ends = pair.Attach(SenderAttach("a"));
  pair.server.engine.Grant(ends.server, 10);
  pair.Run();
  pair.server.engine.Drain(ends.server);
  pair.Run();
  pair.server.engine.Grant(ends.server, 1);
  pair.Run();
  EXPECT_FALSE(pair.client.Last(EventKind::kLinkFlow).drain);
  EXPECT_EQ(pair.client.Last(EventKind::kLinkFlow).credit, 11u);
}

TEST(Flow, AnswersAnEchoOfALinkAndOfASession) {
  Pair pair;
  const Pair::Ends ends = pair.Attach(ReceiverAttach("a"));
  pair.client.engine.Grant(ends.client, 5);
  pair.Run();
  // By hand: the engine asks for no echo itself.
  pair.server.Feed(FrameOf(0, Flow{.next_incoming_id = 0, .incoming_window = 9, .echo = true}));
  std::vector<WrittenFrame> frames = SplitFrames(pair.server.Take());
  ASSERT_THAT(frames, SizeIs(1));
  Flow flow;
  ASSERT_TRUE(ParseFlow(frames[0].body, flow));
  EXPECT_FALSE(flow.handle.has_value());
  EXPECT_EQ(flow.next_incoming_id, 0u);

  pair.server.Feed(FrameOf(0, Flow{.next_incoming_id = 0,
                                   .incoming_window = 9,
                                   .handle = 0,
                                   .delivery_count = 0,
                                   .link_credit = 7,
                                   .echo = true}));
  EXPECT_TRUE(pair.server.Last(EventKind::kLinkFlow).echo);
  EXPECT_EQ(pair.server.Last(EventKind::kLinkFlow).credit, 7u);
  frames = SplitFrames(pair.server.Take());
  ASSERT_THAT(frames, SizeIs(1));
  ASSERT_TRUE(ParseFlow(frames[0].body, flow));
  EXPECT_EQ(flow.handle, 0u);
  EXPECT_EQ(flow.link_credit, 7u);
  EXPECT_EQ(flow.available, 0u);
}

TEST(Flow, StopsAtThePeersWindowAndGoesOnWhenItOpens) {
  EngineOptions small = ServerOptions();
  small.max_frame_size = 512;
  small.session_window_bytes = 2048;  // four frames
  Pair pair(5, ClientOptions(), small);
  pair.server.react = [&](const Event& event) {
    if (event.kind != EventKind::kTransfer) pair.server.Answer(event);
  };
  const Pair::Ends ends = pair.Attach(SenderAttach("a"));
  pair.server.engine.Grant(ends.server, 10);
  pair.Run();
  const std::string text(5000, 'x');
  EXPECT_EQ(pair.client.Send(ends.client, {.complete = true}, text), SendResult::kBlocked);
  const uint32_t id = pair.client.last_sent.delivery;
  pair.Run();
  EXPECT_THAT(pair.server.All(EventKind::kTransfer), SizeIs(4));
  EXPECT_THAT(pair.client.All(EventKind::kWritable), SizeIs(1));  // of begin
  std::string got;
  for (int turn = 0; turn < 20 && !pair.client.unsent.empty(); ++turn) {
    uint64_t bytes = 0;
    for (const Seen& seen : pair.server.All(EventKind::kTransfer)) {
      got += seen.payload;
      bytes += seen.payload.size();
    }
    pair.server.events.clear();
    pair.server.engine.Release(ends.server, bytes);
    pair.client.events.clear();
    pair.Run();
    EXPECT_THAT(pair.client.All(EventKind::kWritable), SizeIs(1));
    const std::string rest = pair.client.unsent;
    pair.client.Send(ends.client, {.complete = true, .started = true, .delivery = id}, rest);
    pair.Run();
  }
  for (const Seen& seen : pair.server.All(EventKind::kTransfer)) got += seen.payload;
  EXPECT_EQ(got, text);
  EXPECT_FALSE(pair.server.Last(EventKind::kTransfer).more);
}

// How many pre-settled messages of `text` the session takes before it is blocked.
int SendUntilBlocked(Pair& pair, const Pair::Ends& ends, const std::string& text) {
  int sent = 0;
  while (pair.client.Send(ends.client, {.settled = true, .complete = true}, text) ==
         SendResult::kSent) {
    ++sent;
  }
  return sent;
}

TEST(Flow, OpensTheFirstWindowForSmallFrames) {
  Pair pair;
  const Pair::Ends ends = pair.Attach(SenderAttach("a"));
  pair.server.engine.Grant(ends.server, 100000);
  pair.Run();
  // 1 MiB in frames of a quarter of 16 KiB, before the server has seen any; then of an eighth.
  for (const int window : {256, 512, 512, 512}) {
    EXPECT_EQ(SendUntilBlocked(pair, ends, "small"), window);
    pair.Run();
  }
  EXPECT_THAT(pair.server.All(EventKind::kTransfer), SizeIs(256 + 3 * 512));
}

TEST(Flow, NarrowsTheWindowForLargeFramesAndWidensItAgain) {
  Pair pair;
  pair.piece_max = 10000;
  const Pair::Ends ends = pair.Attach(SenderAttach("a"));
  pair.server.engine.Grant(ends.server, 100000);
  pair.Run();
  const std::string large(16384 - 64, 'x');
  EXPECT_EQ(SendUntilBlocked(pair, ends, large), 256);
  pair.Run();
  EXPECT_EQ(SendUntilBlocked(pair, ends, large), 64);
  pair.Run();
  // Made for 16,320 bytes, then for half of that, and half again.
  for (const int window : {64, 128, 257, 512, 512}) {
    EXPECT_EQ(SendUntilBlocked(pair, ends, "small"), window);
    pair.Run();
  }
}

TEST(Flow, KeepsTheWindowShutWhileTheBytesAreHeld) {
  EngineOptions small = ServerOptions();
  small.session_window_bytes = 64 * 1024;
  Pair pair(5, ClientOptions(), small);
  pair.piece_max = 10000;
  pair.server.react = [&](const Event& event) {
    if (event.kind != EventKind::kTransfer) pair.server.Answer(event);
  };
  const Pair::Ends ends = pair.Attach(SenderAttach("a"));
  pair.server.engine.Grant(ends.server, 1000);
  pair.Run();
  const std::string text(16000, 'x');
  // The first window is made for frames of a quarter of the largest; the others for these.
  uint64_t held_max = uint64_t{4} * small.session_window_bytes;
  for (int window = 0; window < 3; ++window) {
    uint64_t bytes = 0;
    for (int i = 0; i < 20; ++i) {
      bytes += text.size() * SendUntilBlocked(pair, ends, text);
      pair.Run();
    }
    EXPECT_GT(bytes, 0u);
    EXPECT_LE(bytes, held_max) << window;
    held_max = small.session_window_bytes;
    pair.server.engine.Release(ends.server, bytes);
    pair.Run();
  }
}

TEST(Flow, OpensAWindowOfOneLargeFrameForSmallerOnes) {
  EngineOptions large = ServerOptions();
  large.max_frame_size = large.session_window_bytes;
  Node server(large);
  server.react = [&](const Event& event) {
    if (event.kind != EventKind::kTransfer) server.Answer(event);
  };
  Attach attach = SenderAttach("a");
  attach.initial_delivery_count = 0;
  server.Feed(std::string(kAmqpHeader) + FrameOf(0, Open{.container_id = "c"}) +
              FrameOf(0, Begin{.incoming_window = 10}) + FrameOf(0, attach));
  const LinkIndex link = server.Last(EventKind::kAttached).link;
  server.engine.Grant(link, 1000);
  // What the peer may still send, by the last flow of its session.
  uint32_t window = ParseBegin(SplitFrames(server.Take())[1].body)->incoming_window;
  uint32_t sent = 0;
  const auto send = [&](size_t bytes) {
    server.Feed(FrameOf(0,
                        Transfer{.handle = 0,
                                 .delivery_id = sent++,
                                 .delivery_tag = "t",
                                 .message_format = 0,
                                 .settled = true},
                        std::string(bytes, 'x')));
    --window;
  };
  const auto listen = [&] {
    for (const WrittenFrame& frame : SplitFrames(server.Take())) {
      Flow flow;
      if (frame.code != static_cast<uint8_t>(Descriptor::kFlow)) continue;
      ASSERT_TRUE(ParseFlow(frame.body, flow));
      window = flow.incoming_window;
    }
  };
  ASSERT_EQ(window, 8u);
  while (window > 0) send(large.max_frame_size - 100);
  server.engine.Release(link, uint64_t{8} * large.max_frame_size);
  listen();
  ASSERT_EQ(window, 2u);
  // Each is a small part of the window, and held.
  for (int i = 0; i < 4; ++i) {
    ASSERT_GE(window, 1u) << i;
    send(60'000);
    listen();
  }
  // A large one comes and goes while they are held.
  uint64_t large_bytes = 0;
  for (; window > 0; large_bytes += large.max_frame_size - 100) send(large.max_frame_size - 100);
  server.engine.Release(link, large_bytes);
  listen();
  EXPECT_GE(window, 1u);
}

TEST(Flow, ForgetsBytesHeldForALinkThatIsGone) {
  EngineOptions small = ServerOptions();
  small.session_window_bytes = 16 * 1024;
  Pair pair(5, ClientOptions(), small);
  pair.piece_max = 10000;
  pair.server.react = [&](const Event& event) {
    if (event.kind != EventKind::kTransfer) pair.server.Answer(event);
  };
  for (int i = 0; i < 10; ++i) {
    const Pair::Ends ends = pair.Attach(SenderAttach("a"));
    pair.server.engine.Grant(ends.server, 1);
    pair.Run();
    ASSERT_EQ(pair.client.Send(ends.client, {.complete = true}, std::string(16000, 'x')),
              SendResult::kSent)
        << i;
    pair.Run();
    pair.client.engine.Detach(ends.client, true);
    pair.Run();
  }
}

TEST(Flow, OpensTheWindowWhenTheLinkThatFilledItIsGone) {
  EngineOptions small = ServerOptions();
  small.session_window_bytes = 16 * 1024;
  Pair pair(5, ClientOptions(), small);
  pair.piece_max = 10000;
  pair.server.react = [&](const Event& event) {
    if (event.kind != EventKind::kTransfer) pair.server.Answer(event);
  };
  const Pair::Ends full = pair.Attach(SenderAttach("full"));
  const Pair::Ends other = pair.Attach(SenderAttach("other"));
  pair.server.engine.Grant(full.server, 1000);
  pair.server.engine.Grant(other.server, 1000);
  pair.Run();
  const std::string text(16000, 'x');
  while (SendUntilBlocked(pair, full, text) > 0) pair.Run();
  ASSERT_EQ(SendUntilBlocked(pair, other, text), 0);
  pair.client.engine.Detach(full.client, true);
  pair.Run();
  EXPECT_GT(SendUntilBlocked(pair, other, text), 0);
}

// --- credit that is taken back

TEST(Flow, TakesCreditBackAtOnceAndGivesItBack) {
  Pair pair;
  const Pair::Ends ends = pair.Attach(SenderAttach("a"));
  pair.server.engine.Grant(ends.server, 10);
  pair.Run();
  ASSERT_EQ(pair.client.engine.Credit(ends.client), 10u);
  pair.server.engine.TakeCredit(ends.server);
  pair.Run();
  EXPECT_EQ(pair.client.engine.Credit(ends.client), 0u);
  EXPECT_EQ(pair.client.Send(ends.client, {.complete = true}, "x"), SendResult::kNoCredit);
  pair.server.engine.GiveCreditBack(ends.server);
  pair.Run();
  EXPECT_EQ(pair.client.engine.Credit(ends.client), 10u);
}

TEST(Flow, TakesWhatWasSentBeforeTheSenderKnewThatItsCreditWasTaken) {
  Pair pair;
  const Pair::Ends ends = pair.Attach(SenderAttach("a"));
  pair.server.engine.Grant(ends.server, 4);
  pair.Run();
  const auto send = [&] { return pair.client.Send(ends.client, {.complete = true}, "x"); };
  pair.server.engine.TakeCredit(ends.server);
  for (int i = 0; i < 4; ++i) ASSERT_EQ(send(), SendResult::kSent);
  // The two cross.
  const std::string taken = pair.server.Take();
  pair.server.Feed(pair.client.Take());
  pair.client.Feed(taken);
  pair.Run();
  EXPECT_THAT(pair.server.All(EventKind::kTransfer), SizeIs(4));
  EXPECT_THAT(pair.server.All(EventKind::kDetached), IsEmpty());
  EXPECT_EQ(send(), SendResult::kNoCredit);
  pair.server.engine.GiveCreditBack(ends.server);
  pair.server.engine.Grant(ends.server, 4);
  pair.Run();
  EXPECT_EQ(pair.client.engine.Credit(ends.client), 4u);
}

TEST(Flow, KeepsBackWhatIsGrantedWhileCreditIsTaken) {
  Pair pair;
  const Pair::Ends ends = pair.Attach(SenderAttach("a"));
  pair.server.engine.TakeCredit(ends.server);
  pair.server.engine.Grant(ends.server, 10);
  pair.Run();
  EXPECT_EQ(pair.client.engine.Credit(ends.client), 0u);
  pair.server.engine.GiveCreditBack(ends.server);
  pair.Run();
  EXPECT_EQ(pair.client.engine.Credit(ends.client), 10u);
}

TEST(Flow, DrainsCreditThatWasTakenWhenItIsGivenBack) {
  Pair pair;
  const Pair::Ends ends = pair.Attach(SenderAttach("a"));
  pair.server.engine.Grant(ends.server, 10);
  pair.Run();
  pair.server.engine.TakeCredit(ends.server);
  pair.server.engine.Drain(ends.server);
  pair.Run();
  EXPECT_EQ(pair.client.engine.Credit(ends.client), 0u);
  pair.client.engine.Drained(ends.client);  // of nothing
  pair.server.engine.GiveCreditBack(ends.server);
  pair.Run();
  EXPECT_TRUE(pair.client.Last(EventKind::kLinkFlow).drain);
  EXPECT_EQ(pair.client.engine.Credit(ends.client), 10u);
  pair.client.engine.Drained(ends.client);
  pair.Run();
  EXPECT_EQ(pair.server.Last(EventKind::kLinkFlow).credit, 0u);
}

}  // namespace
}  // namespace trunkline::amqp::testing
