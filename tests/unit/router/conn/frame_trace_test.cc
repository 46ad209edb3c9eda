#include "router/conn/frame_trace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace trunkline::conn {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

std::string Frame(uint8_t type, std::string_view body, uint8_t channel = 0) {
  std::string frame(3, '\0');
  frame += static_cast<char>(8 + body.size());
  frame += '\2';
  frame += static_cast<char>(type);
  frame += '\0';
  frame += static_cast<char>(channel);
  return frame + std::string(body);
}

const std::string kAmqp("AMQP\0\1\0\0", 8);
const std::string kSasl("AMQP\3\1\0\0", 8);
// A begin without a field, which nobody takes but which has a name.
const std::string kBegin("\0\x53\x11\x45", 4);
const std::string kEnd("\0\x53\x17\x45", 4);
const std::string kInit("\0\x53\x41\xc0\x13\x02\xa3\x05PLAIN\xa0\x09\0bob\0hush", 24);

class FrameTraceTest : public testing::Test {
 protected:
  explicit FrameTraceTest(FrameQueue::Options options = {})
      : queue_(std::make_shared<FrameQueue>(options)) {
    trace_.SetQueues({queue_});
  }

  // What was told: "<- text", "-> text".
  std::vector<std::string> Told() {
    std::vector<std::string> told;
    queue_->Take([&](FrameLine&& line) {
      EXPECT_EQ(line.connection, 7u);
      told.push_back((line.outgoing ? "-> " : "<- ") + line.text);
    });
    return told;
  }

  std::shared_ptr<FrameQueue> queue_;
  FrameTrace trace_{{.worker = 0, .connection = 7}, /*unsent=*/0};
};

TEST_F(FrameTraceTest, TellsHeadersAndFramesOfBothDirections) {
  trace_.Read(kSasl + kAmqp + Frame(0, kBegin, 3));
  trace_.Written(kAmqp + Frame(0, ""));
  EXPECT_THAT(Told(), ElementsAre("<- header SASL 1.0.0", "<- header AMQP 1.0.0",
                                  "<- 3 @begin(17) []", "-> header AMQP 1.0.0", "-> 0 (empty)"));
}

TEST_F(FrameTraceTest, TakesPiecesOfAnySize) {
  const std::string all =
      kAmqp + Frame(0, kBegin) + Frame(0, std::string(200, 'x')) + Frame(0, "") + Frame(0, kEnd, 2);
  trace_.Read(all);
  const std::vector<std::string> whole = Told();
  EXPECT_EQ(whole.size(), 5u);
  for (size_t piece = 1; piece < all.size(); ++piece) {
    FrameTrace trace({.worker = 0, .connection = 7}, 0);
    trace.SetQueues({queue_});
    for (size_t at = 0; at < all.size(); at += piece) trace.Read(all.substr(at, piece));
    EXPECT_EQ(Told(), whole) << piece;
  }
}

TEST_F(FrameTraceTest, KeepsOnlyTheBeginningOfAFrame) {
  std::string frame = Frame(0, std::string("\0\x53\x14\xc0\x02\x01\x43", 7));
  frame[1] = 1;  // 64 KiB more
  frame += std::string(65536, 'x');
  trace_.Read(frame.substr(0, 100));
  trace_.Read(frame.substr(100));
  trace_.Read(Frame(0, kEnd));
  const std::vector<std::string> told = Told();
  ASSERT_EQ(told.size(), 2u);
  EXPECT_THAT(told[0], StartsWith("<- 0 @transfer(20) [handle=0] (65"));
  EXPECT_EQ(told[1], "<- 0 @end(23) []");
}

// What waited to be written when the trace began does not begin with a frame.
TEST_F(FrameTraceTest, BeginsBehindWhatWaits) {
  FrameTrace trace({.worker = 0, .connection = 7}, /*unsent=*/10);
  trace.SetQueues({queue_});
  trace.Written("rest o");
  trace.Written("f it" + Frame(0, kEnd));
  EXPECT_THAT(Told(), ElementsAre("-> 0 @end(23) []"));
}

TEST_F(FrameTraceTest, HidesThePasswordOfALogin) {
  for (const size_t piece : {size_t{1}, size_t{100}}) {
    const std::string frame = Frame(1, kInit);
    for (size_t at = 0; at < frame.size(); at += piece) trace_.Read(frame.substr(at, piece));
    EXPECT_THAT(Told(), ElementsAre("<- @sasl-init(65) [mechanism=:\"PLAIN\", "
                                    "initial-response=(hidden)]"));
  }
}

TEST_F(FrameTraceTest, SaysOnceThatItCannotGoOn) {
  trace_.Read("nonsense, and more of it");
  trace_.Read("and more");
  trace_.Written(kAmqp);
  EXPECT_THAT(Told(), ElementsAre("<- (no frames from here on)", "-> header AMQP 1.0.0"));
}

TEST_F(FrameTraceTest, AFrameWithAWrongHeaderIsMalformed) {
  std::string doff = Frame(0, kEnd);
  doff[4] = 1;
  trace_.Read(doff + Frame(9, kEnd));
  EXPECT_THAT(Told(), ElementsAre("<- (malformed frame)", "<- (malformed frame)"));
}

TEST_F(FrameTraceTest, TellsEverybodyWhoWantsToKnow) {
  auto other = std::make_shared<FrameQueue>(FrameQueue::Options{.samples_max = 1});
  trace_.SetQueues({other, queue_});
  trace_.Read(Frame(0, kBegin) + Frame(0, kEnd));
  EXPECT_EQ(Told().size(), 2u);
  EXPECT_EQ(other->dropped(), 1u) << "which is full";
  trace_.SetQueues({});
  trace_.Read(Frame(0, kBegin));
  EXPECT_THAT(Told(), IsEmpty());
}

TEST(FrameWish, IsForAConnectionOrAnOwner) {
  EXPECT_TRUE((FrameWish{.connection = 7}.Wants(7, "amqp", true)));
  EXPECT_FALSE((FrameWish{.connection = 7}.Wants(8, "amqp", true)));
  EXPECT_TRUE((FrameWish{.owner = "amqp"}.Wants(8, "amqp", true)));
  EXPECT_FALSE((FrameWish{.owner = "amqp"}.Wants(8, "amqps", true)));
  EXPECT_FALSE((FrameWish{.owner = "amqp"}.Wants(8, "amqp", false))) << "the connector";
  EXPECT_TRUE((FrameWish{.owner = "amqp", .inbound = false}.Wants(8, "amqp", false)));
}

}  // namespace
}  // namespace trunkline::conn
