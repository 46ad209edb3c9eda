#include "router/amqp/output.h"

#include <cstring>
#include <string>

#include "gtest/gtest.h"
#include "router/base/random.h"

namespace trunkline::amqp {
namespace {

std::string Drain(Output& output, uint64_t step) {
  std::string bytes;
  while (output.bytes() > 0) {
    struct iovec vec[3];
    const int n = output.Gather(vec, 3);
    EXPECT_GT(n, 0);
    std::string some;
    for (int i = 0; i < n; ++i) some.append(static_cast<char*>(vec[i].iov_base), vec[i].iov_len);
    some.resize(std::min<uint64_t>(some.size(), step));
    output.Consume(some.size());
    bytes += some;
  }
  return bytes;
}

Slice MakeSlice(BlockPool& pool, const std::string& text) {
  Block* block = pool.Take(static_cast<uint32_t>(text.size()));
  std::memcpy(block->tail(), text.data(), text.size());
  block->used = static_cast<uint32_t>(text.size());
  Slice slice(block, block->bytes, block->used);
  BlockPool::Unref(block);
  return slice;
}

TEST(Output, GivesBackWhatWasWrittenInOrder) {
  BlockPool pool;
  Output output(pool);
  Random random(3);
  std::string all;
  for (int i = 0; i < 2000; ++i) {
    const std::string text(random.Below(300) * random.Below(30), static_cast<char>('a' + i % 26));
    if (i % 3 == 0 && !text.empty()) {
      output.Append(MakeSlice(pool, text));
    } else if (i % 3 == 1 && text.size() < 500) {
      std::memcpy(output.Reserve(500), text.data(), text.size());
      output.Commit(static_cast<uint32_t>(text.size()));
    } else {
      output.Append(text);
    }
    all += text;
    if (i % 50 == 49) {
      EXPECT_EQ(output.bytes(), all.size());
      EXPECT_TRUE(Drain(output, 1 + random.Below(40000)) == all);
      all.clear();
    }
  }
}

TEST(Output, GoesOnWhileItIsPartlyConsumed) {
  BlockPool pool;
  Output output(pool);
  std::string written;
  std::string read;
  for (int i = 0; i < 1000; ++i) {
    const std::string text(100 + i, static_cast<char>('a' + i % 26));
    if (i % 5 == 0) {
      output.Append(MakeSlice(pool, text + std::string(3000, '!')));
      written += text + std::string(3000, '!');
    } else {
      output.Append(text);
      written += text;
    }
    struct iovec vec;
    ASSERT_EQ(output.Gather(&vec, 1), 1);
    const size_t n = std::min<size_t>(vec.iov_len, 700);
    read.append(static_cast<char*>(vec.iov_base), n);
    output.Consume(n);
  }
  read += Drain(output, 1 << 20);
  EXPECT_TRUE(read == written);
}

TEST(Output, CopiesBelowTheLimitAndSharesFromThereOn) {
  BlockPool pool;
  Output output(pool);
  const Slice small = MakeSlice(pool, std::string(Output::kShareMin - 1, 's'));
  const Slice large = MakeSlice(pool, std::string(Output::kShareMin, 'l'));
  output.Append(small);
  output.Append(large);
  EXPECT_EQ(small.block()->refs, 1u);
  EXPECT_EQ(large.block()->refs, 2u);
  struct iovec vec[2];
  ASSERT_EQ(output.Gather(vec, 2), 2);
  EXPECT_EQ(vec[1].iov_base, large.data());
  output.Consume(output.bytes());
  EXPECT_EQ(large.block()->refs, 1u);
}

TEST(Output, HoldsNoMemoryWhileEmpty) {
  BlockPool pool;
  Output output(pool);
  output.Append("some");
  EXPECT_GT(pool.bytes_in_use(), 0u);
  output.Consume(4);
  EXPECT_EQ(pool.bytes_in_use(), 0u);
}

TEST(Output, GathersAtMostWhatIsAskedFor) {
  BlockPool pool;
  Output output(pool);
  for (int i = 0; i < 10; ++i) output.Append(MakeSlice(pool, std::string(3000, 'x')));
  struct iovec vec[4];
  EXPECT_EQ(output.Gather(vec, 4), 4);
  output.Consume(output.bytes());
  EXPECT_EQ(output.Gather(vec, 4), 0);
}

}  // namespace
}  // namespace trunkline::amqp
