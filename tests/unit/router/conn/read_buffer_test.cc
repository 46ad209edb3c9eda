#include "router/conn/read_buffer.h"

#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "router/base/random.h"

namespace trunkline::conn {
namespace {

// A worker's pool and arena, and the buffers of two of its connections.
struct Reading {
  BlockPool pool;
  ReadArena arena{pool};
  ReadBuffer a;
  ReadBuffer b;

  void Read(ReadBuffer& buffer, std::string_view bytes, uint32_t needs = 0) {
    const absl::Span<uint8_t> room = buffer.Room(arena, pool, needs);
    ASSERT_GE(room.size(), bytes.size());
    std::memcpy(room.data(), bytes.data(), bytes.size());
    buffer.Received(static_cast<uint32_t>(bytes.size()));
  }
};

TEST(ReadBuffer, OffersAWholeBlockToTheFirstReader) {
  Reading reading;
  EXPECT_EQ(reading.a.Room(reading.arena, reading.pool, 0).size(), BlockPool::kBlockBytes);
}

TEST(ReadBuffer, PutsReadsOfTwoConnectionsIntoOneBlock) {
  Reading reading;
  reading.Read(reading.a, "first");
  reading.Read(reading.b, "second");
  EXPECT_EQ(reading.a.bytes().view(), "first");
  EXPECT_EQ(reading.b.bytes().view(), "second");
  EXPECT_EQ(reading.a.bytes().block(), reading.b.bytes().block());
  EXPECT_EQ(reading.pool.bytes_in_use(), BlockPool::kBlockBytes);
}

TEST(ReadBuffer, GrowsInPlaceWhileNobodyReadBehindIt) {
  Reading reading;
  reading.Read(reading.a, "one ");
  const uint8_t* const start = reading.a.bytes().data();
  reading.Read(reading.a, "two");
  EXPECT_EQ(reading.a.bytes().view(), "one two");
  EXPECT_EQ(reading.a.bytes().data(), start);
}

TEST(ReadBuffer, MovesWhatIsLeftBehindAnotherConnectionsRead) {
  Reading reading;
  reading.Read(reading.a, "one ");
  reading.Read(reading.b, "other");
  reading.Read(reading.a, "two");
  EXPECT_EQ(reading.a.bytes().view(), "one two");
  EXPECT_EQ(reading.b.bytes().view(), "other");
}

TEST(ReadBuffer, UsesTheSameMemoryAgainOnceNobodyHoldsIt) {
  Reading reading;
  reading.Read(reading.a, "gone soon");
  const uint8_t* const start = reading.a.bytes().data();
  reading.a.Consume(9);
  EXPECT_TRUE(reading.a.empty());
  EXPECT_EQ(reading.b.Room(reading.arena, reading.pool, 0).data(), start);
}

TEST(ReadBuffer, LeavesHeldSlicesAloneWhenTheBlockIsFull) {
  Reading reading;
  reading.Read(reading.a, std::string(BlockPool::kBlockBytes - ReadBuffer::kRoomMin, 'a'));
  const Slice held = reading.a.bytes();
  reading.a.Clear();
  EXPECT_EQ(reading.b.Room(reading.arena, reading.pool, 0).size(), ReadBuffer::kRoomMin);
  reading.Read(reading.b, "x");
  reading.b.Clear();
  // One byte less than the minimum is left: a fresh block.
  EXPECT_EQ(reading.b.Room(reading.arena, reading.pool, 0).size(), BlockPool::kBlockBytes);
  EXPECT_EQ(held.view().front(), 'a');
  EXPECT_EQ(held.view().back(), 'a');
}

TEST(ReadBuffer, MakesRoomForTheWholeOfAFrame) {
  Reading reading;
  constexpr uint32_t kFrame = 40 * 1024;
  reading.Read(reading.a, std::string(30 * 1024, 'x'));
  reading.a.Consume(29 * 1024);
  const absl::Span<uint8_t> room = reading.a.Room(reading.arena, reading.pool, kFrame);
  EXPECT_GE(room.size() + reading.a.bytes().size(), kFrame);
  EXPECT_EQ(reading.a.bytes().view(), std::string(1024, 'x'));
}

TEST(ReadBuffer, GivesAFrameLargerThanABlockABlockOfItsOwn) {
  Reading reading;
  constexpr uint32_t kFrame = 1024 * 1024;
  std::string sent;
  Random random(3);
  while (sent.size() < kFrame) {
    const std::string part(1 + random.Below(16 * 1024), static_cast<char>('a' + random.Below(26)));
    reading.Read(reading.a, part, kFrame);
    sent += part;
    if (sent.size() > ReadBuffer::kCopyMax) {
      EXPECT_LE(reading.pool.bytes_in_use(), kFrame + 3 * BlockPool::kBlockBytes);
    }
  }
  EXPECT_TRUE(reading.a.bytes().view() == sent);
  reading.a.Clear();
  reading.arena.Trim();
  EXPECT_EQ(reading.pool.bytes_in_use(), 0u);
}

TEST(ReadBuffer, KeepsLittleInACopyOfItsOwnSize) {
  Reading reading;
  reading.Read(reading.a, std::string(ReadBuffer::kCopyMax, 'k'));
  reading.a.Settle(reading.pool);
  reading.arena.Trim();
  EXPECT_EQ(reading.a.bytes().view(), std::string(ReadBuffer::kCopyMax, 'k'));
  EXPECT_EQ(reading.pool.bytes_in_use(), ReadBuffer::kCopyMax);
  reading.Read(reading.a, "!");
  EXPECT_EQ(reading.a.bytes().view(), std::string(ReadBuffer::kCopyMax, 'k') + "!");
}

TEST(ReadBuffer, LeavesMoreThanALittleWhereItIs) {
  Reading reading;
  reading.Read(reading.a, std::string(ReadBuffer::kCopyMax + 1, 'k'));
  const uint8_t* const start = reading.a.bytes().data();
  reading.a.Settle(reading.pool);
  EXPECT_EQ(reading.a.bytes().data(), start);
}

TEST(ReadBuffer, HoldsNothingWhileEmpty) {
  Reading reading;
  reading.Read(reading.a, "bytes");
  reading.a.Consume(5);
  reading.a.Settle(reading.pool);
  reading.arena.Trim();
  EXPECT_EQ(reading.pool.bytes_in_use(), 0u);
}

TEST(ReadBuffer, KnowsWhetherMoreCanBeReadWithoutAMove) {
  Reading reading;
  EXPECT_TRUE(reading.a.HasRoomInPlace());
  reading.Read(reading.a, std::string(BlockPool::kBlockBytes - ReadBuffer::kRoomMin, 'a'));
  EXPECT_TRUE(reading.a.HasRoomInPlace());
  reading.Read(reading.a, "x");
  EXPECT_FALSE(reading.a.HasRoomInPlace());
  reading.a.Clear();
  reading.Read(reading.a, "one");
  reading.Read(reading.b, "other");
  EXPECT_FALSE(reading.a.HasRoomInPlace());
}

TEST(ReadBuffer, ConsumesFromTheFront) {
  Reading reading;
  reading.Read(reading.a, "abcdef");
  reading.a.Consume(2);
  EXPECT_EQ(reading.a.bytes().view(), "cdef");
  reading.Read(reading.a, "gh");
  EXPECT_EQ(reading.a.bytes().view(), "cdefgh");
}

// --- passwords

// The bytes that `buffer` holds; the block stays where it is.
class Watched {
 public:
  explicit Watched(const ReadBuffer& buffer) : bytes_(buffer.bytes()) {}
  bool IsWiped() const { return bytes_.view() == std::string(bytes_.size(), '\0'); }

 private:
  const Slice bytes_;
};

TEST(ReadBuffer, OverwritesASecretThatIsUsedUp) {
  Reading reading;
  reading.a.SetSecret(true);
  reading.Read(reading.a, "sesame, more");
  const Watched all(reading.a);
  reading.a.Consume(6);
  EXPECT_EQ(reading.a.bytes().view(), ", more");
  EXPECT_FALSE(all.IsWiped());
  reading.a.Consume(6);
  EXPECT_TRUE(all.IsWiped());
}

TEST(ReadBuffer, OverwritesASecretThatIsLetGo) {
  Reading reading;
  reading.a.SetSecret(true);
  reading.Read(reading.a, "sesame");
  const Watched cleared(reading.a);
  reading.a.Clear();
  EXPECT_TRUE(cleared.IsWiped());
  std::optional<Watched> ended;
  {
    ReadBuffer buffer;
    buffer.SetSecret(true);
    reading.Read(buffer, "sesame");
    ended.emplace(buffer);
  }
  EXPECT_TRUE(ended->IsWiped());
}

TEST(ReadBuffer, OverwritesASecretThatIsMoved) {
  Reading reading;
  reading.a.SetSecret(true);
  reading.Read(reading.a, "sesa");
  const Watched moved(reading.a);
  reading.Read(reading.b, "other");
  reading.Read(reading.a, "me");
  EXPECT_TRUE(moved.IsWiped());
  EXPECT_EQ(reading.a.bytes().view(), "sesame");
  const Watched settled(reading.a);
  reading.a.Settle(reading.pool);
  EXPECT_TRUE(settled.IsWiped());
  EXPECT_EQ(reading.a.bytes().view(), "sesame");
  EXPECT_EQ(reading.b.bytes().view(), "other");
}

TEST(ReadBuffer, LeavesWhatIsNoSecretAsItIs) {
  Reading reading;
  reading.a.SetSecret(true);
  reading.a.SetSecret(false);
  reading.Read(reading.a, "message");
  const Watched all(reading.a);
  reading.a.Consume(7);
  EXPECT_FALSE(all.IsWiped());
}

}  // namespace
}  // namespace trunkline::conn
