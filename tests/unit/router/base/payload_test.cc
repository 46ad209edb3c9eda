#include "router/base/payload.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>

#include "router/base/random.h"

namespace trunkline {
namespace {

using testing::SizeIs;

// A slice of `text` at the end of `block`.
Slice Write(Block* block, std::string_view text) {
  const uint8_t* place = block->tail();
  std::memcpy(block->tail(), text.data(), text.size());
  block->used += static_cast<uint32_t>(text.size());
  return Slice(block, place, static_cast<uint32_t>(text.size()));
}

TEST(BlockPool, GivesEmptyBlocksOfTheCapacityAskedFor) {
  BlockPool pool;
  Block* block = pool.Take();
  EXPECT_EQ(block->capacity, BlockPool::kBlockBytes);
  EXPECT_EQ(block->room(), BlockPool::kBlockBytes);
  EXPECT_EQ(block->refs, 1u);
  Block* large = pool.Take(BlockPool::kBlockBytes + 1);
  EXPECT_EQ(large->room(), BlockPool::kBlockBytes + 1);
  large->bytes[BlockPool::kBlockBytes] = 7;
  Block* small = pool.Take(1);
  EXPECT_EQ(small->room(), 1u);
  EXPECT_EQ(pool.bytes_in_use(), 2 * BlockPool::kBlockBytes + 2);
  for (Block* each : {block, large, small}) BlockPool::Unref(each);
  EXPECT_EQ(pool.bytes_in_use(), 0u);
}

TEST(BlockPool, UsesAReturnedBlockAgain) {
  BlockPool pool;
  Block* first = pool.Take();
  { const Slice slice = Write(first, "abc"); }
  BlockPool::Unref(first);
  Block* second = pool.Take();
  EXPECT_EQ(second, first);
  EXPECT_EQ(second->used, 0u);
  BlockPool::Unref(second);
  pool.Trim();
  BlockPool::Unref(pool.Take());
}

TEST(BlockPool, KeepsNoMoreBlocksThanItsLimit) {
  BlockPool pool;
  std::vector<Block*> blocks;
  for (size_t i = 0; i < BlockPool::kFreeMax + 1; ++i) blocks.push_back(pool.Take());
  for (Block* block : blocks) BlockPool::Unref(block);
  EXPECT_EQ(pool.free_blocks(), BlockPool::kFreeMax);
  pool.Trim();
  EXPECT_EQ(pool.free_blocks(), 0u);
}

TEST(BlockPoolDeathTest, MustOutliveItsSlices) {
  EXPECT_DEATH(
      {
        BlockPool pool;
        pool.Take();
      },
      "slices outlive their pool");
}

TEST(Slice, KeepsItsBlockUntilTheLastCopyIsGone) {
  BlockPool pool;
  Block* block = pool.Take();
  Slice a = Write(block, "hello");
  BlockPool::Unref(block);
  {
    Slice b = a;
    Slice c = a.Sub(1, 3);
    EXPECT_EQ(b.view(), "hello");
    EXPECT_EQ(c.view(), "ell");
    EXPECT_EQ(block->refs, 3u);
    a = c;
    EXPECT_EQ(a.view(), "ell");
  }
  EXPECT_EQ(block->refs, 1u);
  Slice d = std::move(a);
  EXPECT_TRUE(a.empty());
  EXPECT_EQ(d.view(), "ell");
  EXPECT_EQ(block->refs, 1u);
  d = Slice();
  EXPECT_EQ(pool.bytes_in_use(), 0u);
}

TEST(Slice, MayBeAssignedToItself) {
  BlockPool pool;
  Block* block = pool.Take();
  Slice a = Write(block, "hello");
  BlockPool::Unref(block);
  Slice& same = a;
  a = same;
  EXPECT_EQ(a.view(), "hello");
  a = std::move(same);
  EXPECT_EQ(a.view(), "hello");
}

TEST(Slice, LosesItsPrefix) {
  Slice slice = Slice::Unowned("hello");
  slice.RemovePrefix(2);
  EXPECT_EQ(slice.view(), "llo");
  slice.RemovePrefix(3);
  EXPECT_TRUE(slice.empty());
  EXPECT_EQ(Slice::Unowned("abc").Sub(3, 0).size(), 0u);
}

TEST(Payload, IsTheSumOfItsSlices) {
  Payload payload(Slice::Unowned("ab"));
  payload.Append(Slice());
  payload.Append(Slice::Unowned("cde"));
  EXPECT_EQ(payload.bytes(), 5u);
  EXPECT_THAT(payload.slices(), SizeIs(2));
  EXPECT_EQ(payload.ToString(), "abcde");
  Payload twice(Slice::Unowned("-"));
  twice.Append(payload);
  EXPECT_EQ(twice.ToString(), "-abcde");
}

TEST(Payload, IsEmptyWhenMovedFrom) {
  Payload one(Slice::Unowned("a"));
  Payload three(one);
  three.Append(Slice::Unowned("b"));
  three.Append(Slice::Unowned("c"));
  for (Payload* source : {&one, &three}) {
    const std::string text = source->ToString();
    Payload target(std::move(*source));
    EXPECT_EQ(target.ToString(), text);
    EXPECT_TRUE(source->empty());
    EXPECT_THAT(source->slices(), SizeIs(0));
    *source = std::move(target);
    EXPECT_EQ(source->ToString(), text);
    EXPECT_TRUE(target.empty());
    EXPECT_THAT(target.slices(), SizeIs(0));
  }
}

TEST(Payload, LosesItsPrefixAtAnyPlace) {
  const std::string text = "abcdefgh";
  for (size_t n = 0; n <= text.size(); ++n) {
    Payload payload;
    for (size_t i = 0; i < text.size(); i += 3) {
      payload.Append(Slice::Unowned(std::string_view(text).substr(i, 3)));
    }
    payload.RemovePrefix(n);
    EXPECT_EQ(payload.bytes(), text.size() - n);
    EXPECT_EQ(payload.ToString(), text.substr(n));
    EXPECT_EQ(payload.empty(), n == text.size());
  }
}

TEST(Payload, ShowsItsPrefixInOnePiece) {
  Payload payload(Slice::Unowned("abc"));
  payload.Append(Slice::Unowned("def"));
  payload.Append(Slice::Unowned("ghi"));
  std::string scratch;
  EXPECT_EQ(payload.Prefix(3, scratch).data(), payload.slices()[0].view().data());
  EXPECT_EQ(payload.Prefix(0, scratch), "");
  EXPECT_EQ(payload.Prefix(4, scratch), "abcd");
  EXPECT_EQ(payload.Prefix(6, scratch), "abcdef");
  EXPECT_EQ(payload.Prefix(100, scratch), "abcdefghi");
  EXPECT_EQ(Payload().Prefix(10, scratch), "");
}

TEST(Payload, LetsGoOfLargeBlocksWhenCompacted) {
  BlockPool pool;
  Block* block = pool.Take();
  Payload payload(Write(block, "hello, "));
  Write(block, "not ours");
  payload.Append(Write(block, "world"));
  BlockPool::Unref(block);
  EXPECT_EQ(pool.bytes_in_use(), BlockPool::kBlockBytes);
  payload.Compact(pool);
  EXPECT_EQ(payload.ToString(), "hello, world");
  EXPECT_EQ(payload.bytes(), 12u);
  EXPECT_EQ(pool.bytes_in_use(), 12u);
  const uint8_t* place = payload.slices()[0].data();
  payload.Compact(pool);  // is compact
  EXPECT_EQ(payload.slices()[0].data(), place);
}

TEST(Payload, IsCompactedUpToTheLimitOnly) {
  BlockPool pool;
  for (uint64_t bytes : {Payload::kCompactMax, Payload::kCompactMax + 1}) {
    Block* block = pool.Take();
    Payload payload(Write(block, std::string(bytes, 'x')));
    BlockPool::Unref(block);
    payload.Compact(pool);
    EXPECT_EQ(payload.ToString(), std::string(bytes, 'x'));
    EXPECT_EQ(pool.bytes_in_use(), bytes <= Payload::kCompactMax ? bytes : BlockPool::kBlockBytes);
  }
  Payload empty;
  empty.Compact(pool);
  EXPECT_TRUE(empty.empty());
}

TEST(Payload, IsAStringUnderRandomUse) {
  Random random(9);
  BlockPool pool;
  Block* block = pool.Take();
  Payload payload;
  std::string want;
  for (int step = 0; step < 5000; ++step) {
    if (random.Below(2) == 0) {
      const std::string text = random.Name(static_cast<int>(random.Below(40)));
      if (block->room() < text.size()) {
        BlockPool::Unref(block);
        block = pool.Take();
      }
      payload.Append(Write(block, text));
      want += text;
    } else {
      const size_t n = random.Below(want.size() + 1);
      payload.RemovePrefix(n);
      want.erase(0, n);
    }
    if (random.Below(20) == 0) payload.Compact(pool);
    if (random.Below(20) == 0) payload = Payload(payload);
    ASSERT_EQ(payload.bytes(), want.size());
    ASSERT_EQ(payload.ToString(), want);
  }
  payload.Clear();
  BlockPool::Unref(block);
  EXPECT_EQ(pool.bytes_in_use(), 0u);
}

}  // namespace
}  // namespace trunkline
