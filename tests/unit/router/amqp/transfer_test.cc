#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "router/amqp/engine.h"
#include "tests/unit/router/amqp/engine_pair.h"

namespace trunkline::amqp::testing {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

std::string Text(size_t n, uint64_t seed) {
  Random random(seed);
  std::string text(n, '\0');
  for (char& c : text) c = static_cast<char>(random.Next());
  return text;
}

struct Linked : Pair {
  explicit Linked(uint64_t seed = 1, uint32_t frame = 16384)
      : Pair(seed, ClientOptions(), WithFrame(frame)) {
    ends = Attach(SenderAttach("a"));
    server.engine.Grant(ends.server, 1000);
    Run();
  }
  static EngineOptions WithFrame(uint32_t frame) {
    EngineOptions options = ServerOptions();
    options.max_frame_size = frame;
    return options;
  }
  std::string Received() const {
    std::string all;
    for (const Seen& seen : server.All(EventKind::kTransfer)) all += seen.payload;
    return all;
  }
  Ends ends;
};

TEST(Transfer, CutsADeliveryToThePeersFrameSize) {
  for (const size_t size : {1u, 400u, 450u, 460u, 470u, 480u, 500u, 512u, 1000u, 5000u, 30000u}) {
    Linked pair(size, 512);
    pair.piece_max = 3000;
    const std::string text = Text(size, size);
    const SendResult result = pair.client.Send(pair.ends.client, {.complete = true}, text);
    ASSERT_EQ(result, SendResult::kSent);
    const std::string bytes = pair.client.Take();
    size_t largest = 0;
    for (const WrittenFrame& frame : SplitFrames(bytes)) {
      largest = std::max(largest, frame.body.size() + kFrameHeaderBytes);
    }
    EXPECT_LE(largest, 512u);
    EXPECT_TRUE(size <= 512 || largest == 512u);
    pair.server.Feed(bytes);
    EXPECT_EQ(pair.Received(), text);
    const std::vector<Seen> frames = pair.server.All(EventKind::kTransfer);
    for (size_t i = 0; i < frames.size(); ++i) {
      EXPECT_EQ(frames[i].first, i == 0);
      EXPECT_EQ(frames[i].more, i + 1 < frames.size());
      EXPECT_EQ(frames[i].delivery, frames[0].delivery);
    }
  }
}

TEST(Transfer, SendsNoFrameAboveItsOwnLimitHoweverLargeThePeersIs) {
  Linked pair(3, 1u << 30);
  pair.piece_max = 1 << 20;
  std::string text = Text(300000, 1);
  const std::string all = text;
  Outgoing outgoing{.complete = true};
  while (pair.client.Send(pair.ends.client, outgoing, text) == SendResult::kBlocked) {
    outgoing = pair.client.last_sent;
    text = pair.client.unsent;
    pair.Run();
  }
  pair.Run();
  EXPECT_TRUE(pair.Received() == all);
  EXPECT_GT(pair.server.All(EventKind::kTransfer).size(), 4u);
}

TEST(Transfer, SharesLargePayloadAndTheInput) {
  Linked pair;
  BlockPool& pool = pair.client.pool;
  Block* block = pool.Take(8000);
  std::memset(block->tail(), 'x', 8000);
  block->used = 8000;
  Payload payload(Slice(block, block->bytes, 8000));
  BlockPool::Unref(block);
  Outgoing outgoing{.complete = true, .payload = &payload};
  ASSERT_EQ(pair.client.engine.Send(pair.ends.client, outgoing), SendResult::kSent);
  EXPECT_TRUE(payload.empty());
  EXPECT_EQ(block->refs, 1u);  // the output's
  bool shared = false;
  pair.server.react = [&](const Event& event) {
    shared = event.payload.block() != nullptr && event.payload.block()->refs > 1;
  };
  pair.Run();
  EXPECT_TRUE(shared);
  EXPECT_EQ(pool.bytes_in_use(), 0u);
}

TEST(Transfer, AppendsPartsAsTheyCome) {
  Linked pair;
  EXPECT_EQ(pair.client.Send(pair.ends.client, {.user = 9}, ""), SendResult::kPartial);
  EXPECT_FALSE(pair.client.last_sent.started);
  ASSERT_EQ(pair.client.Send(pair.ends.client, {.user = 9}, "one "), SendResult::kPartial);
  Outgoing outgoing = pair.client.last_sent;
  EXPECT_TRUE(outgoing.started);
  pair.Run();
  pair.server.engine.SetDeliveryUser(pair.ends.server, outgoing.delivery, 33);
  ASSERT_EQ(pair.client.Send(pair.ends.client, outgoing, "two "), SendResult::kPartial);
  EXPECT_EQ(pair.client.Send(pair.ends.client, outgoing, ""), SendResult::kPartial);
  outgoing.complete = true;
  ASSERT_EQ(pair.client.Send(pair.ends.client, outgoing, ""), SendResult::kSent);
  pair.Run();
  EXPECT_EQ(pair.Received(), "one two ");
  const std::vector<Seen> frames = pair.server.All(EventKind::kTransfer);
  ASSERT_THAT(frames, SizeIs(3));
  EXPECT_EQ(frames[1].delivery_user, 33u);
  EXPECT_EQ(frames[2].delivery_user, 33u);
  EXPECT_FALSE(frames[2].more);
  EXPECT_EQ(pair.client.engine.Credit(pair.ends.client), 999u);
}

TEST(Transfer, RemembersTheUserOfASettledDeliveryUnderWay) {
  Linked pair;
  pair.client.Send(pair.ends.client, {.settled = true}, "one");
  const Outgoing outgoing = pair.client.last_sent;
  pair.Run();
  EXPECT_TRUE(pair.server.Last(EventKind::kTransfer).settled);
  pair.server.engine.SetDeliveryUser(pair.ends.server, outgoing.delivery, 12);
  pair.client.Send(pair.ends.client, outgoing, "two");
  pair.Run();
  EXPECT_EQ(pair.server.Last(EventKind::kTransfer).delivery_user, 12u);
  EXPECT_TRUE(pair.server.Last(EventKind::kTransfer).settled);
}

TEST(Transfer, StopsAtTheQuantum) {
  Linked pair(1, 1024);
  const std::string text = Text(9000, 2);
  EXPECT_EQ(pair.client.Send(pair.ends.client, {.complete = true, .bytes_max = 1}, text),
            SendResult::kQuantum);
  Outgoing outgoing = pair.client.last_sent;
  EXPECT_GT(pair.client.unsent.size(), 7900u);
  int calls = 1;
  outgoing.bytes_max = 2500;
  while (!pair.client.unsent.empty()) {
    const std::string rest = pair.client.unsent;
    pair.client.Send(pair.ends.client, outgoing, rest);
    outgoing = pair.client.last_sent;
    ++calls;
  }
  EXPECT_EQ(calls, 4);
  pair.Run();
  EXPECT_EQ(pair.Received(), text);
}

TEST(Transfer, AbortsWhatItHasStarted) {
  Linked pair;
  EXPECT_EQ(pair.client.Send(pair.ends.client, {.aborted = true}, "never"), SendResult::kSent);
  pair.Run();
  EXPECT_THAT(pair.server.All(EventKind::kTransfer), IsEmpty());
  pair.client.Send(pair.ends.client, {.user = 4}, "half");
  Outgoing outgoing = pair.client.last_sent;
  outgoing.aborted = true;
  EXPECT_EQ(pair.client.Send(pair.ends.client, outgoing, "rest"), SendResult::kSent);
  pair.Run();
  const Seen seen = pair.server.Last(EventKind::kTransfer);
  EXPECT_TRUE(seen.aborted);
  EXPECT_FALSE(seen.more);
  EXPECT_EQ(seen.payload, "");
  // It is settled with that, for both.
  pair.server.engine.Dispose(pair.ends.server, seen.delivery, {.kind = OutcomeKind::kAccepted},
                             true);
  pair.Run();
  EXPECT_THAT(pair.client.All(EventKind::kDisposition), IsEmpty());
  pair.client.Send(pair.ends.client, {.complete = true}, "next");
  pair.Run();
  EXPECT_TRUE(pair.server.Last(EventKind::kTransfer).first);
  EXPECT_EQ(pair.server.Last(EventKind::kTransfer).payload, "next");
}

TEST(Transfer, InterleavesDeliveriesOfDifferentLinks) {
  Linked pair;
  const Pair::Ends other = pair.Attach(SenderAttach("b"));
  pair.server.engine.Grant(other.server, 10);
  pair.Run();
  pair.client.Send(pair.ends.client, {.user = 1}, "a1");
  Outgoing first = pair.client.last_sent;
  pair.client.Send(other.client, {.user = 2}, "b1");
  Outgoing second = pair.client.last_sent;
  first.complete = second.complete = true;
  pair.client.Send(pair.ends.client, first, "a2");
  pair.client.Send(other.client, second, "b2");
  pair.Run();
  const std::vector<Seen> frames = pair.server.All(EventKind::kTransfer);
  ASSERT_THAT(frames, SizeIs(4));
  EXPECT_EQ(frames[2].link, pair.ends.server);
  EXPECT_EQ(frames[2].delivery, first.delivery);
  EXPECT_EQ(frames[3].payload, "b2");
  EXPECT_EQ(frames[3].delivery, second.delivery);
}

TEST(Transfer, NumbersItsTagsPerLink) {
  Linked pair;
  for (int i = 0; i < 300; ++i) pair.client.Send(pair.ends.client, {.complete = true}, "x");
  pair.Run();
  while (pair.server.All(EventKind::kTransfer).size() < 300) {
    pair.client.Send(pair.ends.client, {.complete = true}, "x");
    pair.Run();
  }
  const std::vector<Seen> frames = pair.server.All(EventKind::kTransfer);
  EXPECT_EQ(frames[1].tag, std::string("\1\0\0\0\0\0\0\0", 8));
  EXPECT_EQ(frames[258].tag, std::string("\2\1\0\0\0\0\0\0", 8));
}

TEST(Transfer, KeepsTheMessageFormat) {
  Linked pair;
  pair.client.Send(pair.ends.client, {.message_format = 0x80013700, .complete = true}, "x");
  pair.Run();
  EXPECT_EQ(pair.server.Last(EventKind::kTransfer).message_format, 0x80013700u);
}

TEST(Transfer, TakesALaterWordOnSettlement) {
  Linked pair;
  pair.server.Feed(FrameOf(
      0,
      Transfer{
          .handle = 0, .delivery_id = 0, .delivery_tag = "t", .message_format = 0, .more = true},
      "a"));
  EXPECT_FALSE(pair.server.Last(EventKind::kTransfer).settled);
  pair.server.Feed(FrameOf(0, Transfer{.handle = 0, .settled = true}, "b"));
  EXPECT_TRUE(pair.server.Last(EventKind::kTransfer).settled);
  pair.server.engine.Dispose(pair.ends.server, 0, {.kind = OutcomeKind::kAccepted}, true);
  EXPECT_EQ(pair.server.Take(), "");
}

TEST(Transfer, SendsNothingOnALinkThatIsGone) {
  Linked pair;
  pair.server.engine.Detach(pair.ends.server, true);
  pair.client.react = [](const Event&) {};
  pair.Run();
  EXPECT_EQ(pair.client.Send(pair.ends.client, {.complete = true}, "x"), SendResult::kNoCredit);
  pair.client.engine.Detach(pair.ends.client, true);
  EXPECT_EQ(pair.client.Send(pair.ends.client, {.complete = true}, "x"), SendResult::kNoCredit);
  EXPECT_EQ(pair.client.Send(4711, {.complete = true}, "x"), SendResult::kNoCredit);
}

TEST(Transfer, CarriesAnyMixOfSizesAndFragments) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Linked pair(seed, 512 + static_cast<uint32_t>(seed * 100));
    pair.piece_max = seed % 2 == 0 ? 7 : 5000;
    std::string sent;
    for (int i = 0; i < 40; ++i) {
      std::string text = Text(pair.random.Below(3) == 0 ? pair.random.Below(9000) : 10, i + 1);
      sent += text;
      Outgoing outgoing{.settled = pair.random.Below(2) == 0, .complete = true};
      while (pair.client.Send(pair.ends.client, outgoing, text) == SendResult::kBlocked) {
        outgoing = pair.client.last_sent;
        text = pair.client.unsent;
        pair.Run();
      }
    }
    pair.Run();
    EXPECT_TRUE(pair.Received() == sent);
  }
}

}  // namespace
}  // namespace trunkline::amqp::testing
