// Every limit of an engine, at it and one beyond: what the peer is told, and what is counted.

#include "router/amqp/faults.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "router/amqp/engine.h"
#include "router/amqp/sasl.h"
#include "tests/unit/router/amqp/engine_pair.h"

namespace trunkline::amqp::testing {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

std::string Opening(std::string container = "c") {
  return std::string(kAmqpHeader) + FrameOf(0, Open{.container_id = std::move(container)});
}
std::string SenderLink(uint32_t handle) {
  return FrameOf(0, Attach{.name = "l" + std::to_string(handle),
                           .handle = handle,
                           .role = Role::kSender,
                           .target = At("q"),
                           .initial_delivery_count = 0});
}
Transfer First(uint32_t id, std::string_view tag = "t") {
  return {.handle = 0, .delivery_id = id, .delivery_tag = tag, .message_format = 0};
}

// A server with small limits whose client is written by hand: a session on channel 0, and a link on
// handle 0 on which it may send `credit` deliveries.
class FaultsTest : public ::testing::Test {
 protected:
  FaultsTest() {
    options_.max_frame_size = 2048;
    options_.channel_max = 3;
    options_.handle_max = 199;
    options_.links_max = 5;
    options_.session_window_bytes = 4 * 2048;
    options_.faults = counts_.get();
  }

  Node& Start(uint32_t credit = 10) {
    server_.emplace(options_);
    server_->Feed(Opening() + FrameOf(0, Begin{.incoming_window = 100, .outgoing_window = 100}) +
                  SenderLink(0));
    server_->engine.Grant(server_->Last(EventKind::kAttached).link, credit);
    server_->Take();
    server_->events.clear();
    return *server_;
  }

  uint64_t Of(Fault fault) const { return counts_->by_fault[static_cast<size_t>(fault)].Get(); }
  uint64_t Of(FaultScope scope) const {
    return counts_->by_scope[static_cast<size_t>(scope)].Get();
  }
  uint64_t All() const {
    uint64_t all = 0;
    for (const Counter& one : counts_->by_fault) all += one.Get();
    return all;
  }
  // Exactly this one fault was counted, and the server says `condition` by a frame of `code`.
  void Expect(Fault fault, FaultScope scope, Descriptor code, const std::string& condition) {
    EXPECT_EQ(Of(fault), 1u);
    EXPECT_EQ(Of(scope), 1u);
    EXPECT_EQ(All(), 1u);
    std::string said;
    for (const WrittenFrame& frame : SplitFrames(server_->Take())) {
      if (frame.code != static_cast<uint8_t>(code)) continue;
      if (code == Descriptor::kClose) said = ParseClose(frame.body)->error.name;
      if (code == Descriptor::kEnd) said = ParseEnd(frame.body)->error.name;
      if (code == Descriptor::kDetach) said = ParseDetach(frame.body)->error.name;
    }
    EXPECT_EQ(said, condition);
  }
  void ExpectClosed(Fault fault, const std::string& condition) {
    Expect(fault, FaultScope::kConnection, Descriptor::kClose, condition);
  }

  std::unique_ptr<FaultCounts> counts_ = std::make_unique<FaultCounts>();
  EngineOptions options_ = ServerOptions();
  std::optional<Node> server_;
};

TEST_F(FaultsTest, AFrameMayBeAsLargeAsTheLimitSays) {
  Node& server = Start();
  const std::string empty = FrameOf(0, First(0));
  server.Feed(FrameOf(0, First(0), std::string(2048 - empty.size(), 'x')));
  EXPECT_THAT(server.All(EventKind::kTransfer), SizeIs(1));
  EXPECT_EQ(All(), 0u);
  server.Feed(FrameOf(0, First(1), std::string(2049 - empty.size(), 'x')));
  ExpectClosed(Fault::kFrameSize, "amqp:connection:framing-error");
}

TEST_F(FaultsTest, SessionsMayUseChannelsUpToTheLimit) {
  Node& server = Start();
  server.Feed(FrameOf(3, Begin{}));
  EXPECT_EQ(All(), 0u);
  server.Feed(FrameOf(4, Begin{}));
  ExpectClosed(Fault::kSessions, "amqp:connection:framing-error");
}

TEST_F(FaultsTest, HandlesMayBeAsHighAsTheLimitSays) {
  Node& server = Start();
  server.Feed(SenderLink(199));
  EXPECT_EQ(All(), 0u);
  server.Feed(SenderLink(200));
  ExpectClosed(Fault::kHandles, "amqp:connection:framing-error");
}

TEST_F(FaultsTest, ALinkBeyondTheLimitIsRefusedAndTheOthersGoOn) {
  Node& server = Start();
  for (uint32_t handle = 1; handle < 5; ++handle) server.Feed(SenderLink(handle));
  EXPECT_THAT(server.All(EventKind::kAttached), SizeIs(4));
  EXPECT_EQ(All(), 0u);
  server.Take();
  server.Feed(SenderLink(5));
  EXPECT_THAT(server.All(EventKind::kAttached), SizeIs(4)) << "its owner never hears of it";
  Expect(Fault::kLinks, FaultScope::kLink, Descriptor::kDetach, "amqp:resource-limit-exceeded");
  server.Feed(FrameOf(0, First(0), "x"));
  EXPECT_THAT(server.All(EventKind::kTransfer), SizeIs(1));
}

TEST_F(FaultsTest, ALinkThatEndsMakesRoomForAnother) {
  Node& server = Start();
  for (uint32_t handle = 1; handle < 6; ++handle) server.Feed(SenderLink(handle));
  EXPECT_EQ(Of(Fault::kLinks), 1u);
  server.Feed(FrameOf(0, Detach{.handle = 5, .closed = true}));
  server.Feed(FrameOf(0, Detach{.handle = 4, .closed = true}));
  server.events.clear();
  server.Feed(SenderLink(4));
  EXPECT_THAT(server.All(EventKind::kAttached), SizeIs(1));
  EXPECT_EQ(Of(Fault::kLinks), 1u);
}

TEST_F(FaultsTest, LinksOfAllSessionsCount) {
  Node& server = Start();
  for (uint32_t handle = 1; handle < 5; ++handle) server.Feed(SenderLink(handle));
  server.Feed(FrameOf(1, Begin{}) +
              FrameOf(1, Attach{.name = "r", .role = Role::kReceiver, .source = At("q")}));
  EXPECT_EQ(Of(Fault::kLinks), 1u);
}

TEST_F(FaultsTest, APeerThatTakesNoNoticeOfRefusalsIsClosed) {
  Node& server = Start();
  uint32_t handle = 1;
  while (handle < options_.links_max + kLinksRefusedMax) server.Feed(SenderLink(handle++));
  EXPECT_EQ(Of(Fault::kLinks), kLinksRefusedMax);
  EXPECT_EQ(Of(FaultScope::kConnection), 0u);
  server.Take();
  server.Feed(SenderLink(handle));
  EXPECT_EQ(server.Last(EventKind::kFailed).error.name, "amqp:resource-limit-exceeded");
  EXPECT_EQ(Of(FaultScope::kConnection), 1u);
}

TEST_F(FaultsTest, AContainerIdMayBeAsLongAsTheLimitSays) {
  server_.emplace(options_);
  server_->Feed(Opening(std::string(kContainerIdBytesMax, 'c')));
  EXPECT_TRUE(server_->engine.IsOpen());
  EXPECT_EQ(All(), 0u);
  server_.emplace(options_);
  server_->Feed(Opening(std::string(kContainerIdBytesMax + 1, 'c')));
  ExpectClosed(Fault::kContainerId, "amqp:invalid-field");
}

TEST_F(FaultsTest, ADeliveryTagMayBeAsLongAsTheSpecificationSays) {
  const std::string tag(kDeliveryTagBytesMax + 1, 't');
  for (const bool settled : {false, true}) {
    counts_ = std::make_unique<FaultCounts>();
    options_.faults = counts_.get();
    Node& server = Start();
    Transfer usual = First(0, std::string_view(tag).substr(1));
    usual.settled = settled;
    server.Feed(FrameOf(0, usual, "x"));
    EXPECT_THAT(server.All(EventKind::kTransfer), SizeIs(1));
    EXPECT_EQ(All(), 0u);
    // Written by hand, as the encoder keeps to the limit.
    std::string body("\x00\x53\x14\xc0\x00\x05\x43\x52\x01\xa0\x21", 11);
    body += tag + std::string("\x43", 1) + (settled ? "\x41" : "\x42");
    body[4] = static_cast<char>(body.size() - 5);
    server.Feed(RawFrame(0, body + "x"));
    EXPECT_THAT(server.All(EventKind::kTransfer), SizeIs(1));
    Expect(Fault::kDeliveryTag, FaultScope::kLink, Descriptor::kDetach, "amqp:invalid-field");
  }
}

TEST_F(FaultsTest, AsManyDeliveriesMayComeAsThereIsCredit) {
  Node& server = Start(2);
  server.Feed(FrameOf(0, First(0), "x") + FrameOf(0, First(1), "x"));
  EXPECT_EQ(All(), 0u);
  server.Feed(FrameOf(0, First(2), "x"));
  Expect(Fault::kLinkCredit, FaultScope::kLink, Descriptor::kDetach,
         "amqp:link:transfer-limit-exceeded");
}

TEST_F(FaultsTest, AsManyFramesMayComeAsTheWindowHasRoomFor) {
  server_.emplace(options_);
  // Nobody passes on what comes, so the window stays as it was at first.
  server_->react = [this](const Event& event) {
    if (event.kind != EventKind::kTransfer) server_->Answer(event);
  };
  server_->Feed(Opening() + FrameOf(0, Begin{}) + SenderLink(0));
  server_->engine.Grant(server_->Last(EventKind::kAttached).link, 1000);
  uint32_t window = 0;
  for (const WrittenFrame& frame : SplitFrames(server_->Take())) {
    if (frame.code == static_cast<uint8_t>(Descriptor::kBegin)) {
      window = ParseBegin(frame.body)->incoming_window;
    }
  }
  ASSERT_GT(window, 0u);
  uint32_t id = 0;
  while (id < window) server_->Feed(FrameOf(0, First(id++), "x"));
  EXPECT_EQ(All(), 0u);
  server_->Feed(FrameOf(0, First(id), "x"));
  Expect(Fault::kSessionWindow, FaultScope::kSession, Descriptor::kEnd,
         "amqp:session:window-violation");
}

TEST_F(FaultsTest, AMapMayBeNestedAsDeepAsTheLimitSays) {
  const auto open_with_properties = [](int depth) {
    std::string value = "\x40";
    for (int i = 0; i < depth - 1; ++i) {
      value = std::string("\xc0", 1) + static_cast<char>(value.size() + 1) + '\x01' + value;
    }
    const std::string item = "\xa3\x01k" + value;
    std::string map = std::string("\xc1", 1) + static_cast<char>(item.size() + 1) + '\x02' + item;
    return std::string(kAmqpHeader) +
           FrameOf(0, Open{.container_id = "c", .properties = std::move(map)});
  };
  server_.emplace(options_);
  server_->Feed(open_with_properties(Reader::kNestingMax));
  EXPECT_TRUE(server_->engine.IsOpen());
  EXPECT_EQ(All(), 0u);
  server_.emplace(options_);
  server_->Feed(open_with_properties(Reader::kNestingMax + 1));
  ExpectClosed(Fault::kMalformed, "amqp:decode-error");
}

TEST_F(FaultsTest, SilenceIsOneFault) {
  options_.idle_timeout = Seconds(16);
  Node& server = Start();
  server.engine.Tick(server.now + Seconds(15));
  server.Poll();
  EXPECT_EQ(All(), 0u);
  server.engine.Tick(server.now + Seconds(16));
  server.Poll();
  ExpectClosed(Fault::kIdle, "amqp:resource-limit-exceeded");
}

TEST_F(FaultsTest, BrokenRulesCountByHowFarTheAnswerWent) {
  Node& server = Start();
  server.Feed(FrameOf(0, Attach{.name = "x", .handle = 7, .role = Role::kSender}));
  EXPECT_EQ(Of(FaultScope::kLink), 1u) << "no initial-delivery-count";
  server.Feed(FrameOf(1, Begin{}) + FrameOf(1, Detach{.handle = 9}));
  EXPECT_EQ(Of(FaultScope::kSession), 1u);
  server.Feed(Opening().substr(kAmqpHeader.size()));
  EXPECT_EQ(Of(FaultScope::kConnection), 1u) << "a second open";
  EXPECT_EQ(Of(Fault::kRules), 3u);
  server.engine.InputEnded();
  server.Poll();
  EXPECT_EQ(All(), 3u) << "what follows from a fault is none";
}

TEST_F(FaultsTest, HangingUpIsAFaultUnlessTheConnectionIsClosed) {
  Node& hangs_up = Start();
  hangs_up.engine.InputEnded();
  hangs_up.Poll();
  EXPECT_EQ(Of(Fault::kHangUp), 1u);
  Node& closes = Start();
  closes.Feed(FrameOf(0, Close{}));
  closes.engine.InputEnded();
  closes.Poll();
  EXPECT_EQ(All(), 1u);
}

TEST_F(FaultsTest, HeadersThatAreNoneAreOfFraming) {
  server_.emplace(options_);
  server_->Feed("GET / HTTP/1.1\r\n");
  EXPECT_EQ(Of(Fault::kFraming), 1u);
  Start().Feed(std::string("\x00\x00\x00\x07\x02\x00\x00\x00", 8));
  EXPECT_EQ(Of(Fault::kFraming), 2u);
  EXPECT_EQ(All(), 2u);
}

TEST_F(FaultsTest, EndingASessionIsNoFaultOfThePeer) {
  Node& server = Start();
  server.engine.EndSession(0, {.name = "amqp:internal-error"});
  server.engine.Close({.name = "amqp:connection:forced"});
  EXPECT_EQ(All(), 0u);
}

}  // namespace
}  // namespace trunkline::amqp::testing
