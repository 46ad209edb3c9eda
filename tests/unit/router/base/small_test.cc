// The small headers of base: check, counter, status, time, affine, string_map.

#include <gtest/gtest.h>

#include <string>
#include <thread>

#include "router/base/affine.h"
#include "router/base/check.h"
#include "router/base/counter.h"
#include "router/base/status.h"
#include "router/base/string_map.h"
#include "router/base/time.h"

namespace trunkline {
namespace {

TEST(CheckDeathTest, EndsTheProcessAndSaysWhy) {
  EXPECT_DEATH(TL_CHECK(1 + 1 == 3) << "by " << 1, "check failed: 1 \\+ 1 == 3 by 1");
}

TEST(Check, EvaluatesItsMessageOnlyWhenItFails) {
  int evaluated = 0;
  TL_CHECK(true) << ++evaluated;
  EXPECT_EQ(evaluated, 0);
}

TEST(Counter, AddsUp) {
  Counter counter;
  counter.Add();
  counter.Add(41);
  EXPECT_EQ(counter.Get(), 42u);
}

TEST(Counter, IsReadByAnyThread) {
  Counter counter;
  std::thread writer([&] {
    for (int i = 0; i < 10'000; ++i) counter.Add();
  });
  uint64_t last = 0;
  while (last < 10'000) {
    const uint64_t value = counter.Get();
    ASSERT_GE(value, last);
    last = value;
  }
  writer.join();
}

absl::StatusOr<std::unique_ptr<int>> Make(int n) {
  if (n < 0) return absl::InvalidArgumentError("n: is negative");
  return std::make_unique<int>(n);
}

absl::Status Sum(int a, int b, int& sum) {
  TL_ASSIGN_OR_RETURN(const std::unique_ptr<int> x, Make(a));
  std::unique_ptr<int> y;
  TL_ASSIGN_OR_RETURN(y, Make(b));
  sum = *x + *y;
  return absl::OkStatus();
}

absl::Status Twice(int a, int& sum) {
  TL_RETURN_IF_ERROR(Sum(a, a, sum));
  sum += 100;
  return absl::OkStatus();
}

TEST(Status, MacrosPassValuesOn) {
  int sum = 0;
  EXPECT_TRUE(Twice(2, sum).ok());
  EXPECT_EQ(sum, 104);
}

TEST(Status, MacrosReturnTheFirstError) {
  int sum = 0;
  EXPECT_EQ(Sum(1, -1, sum).message(), "n: is negative");
  EXPECT_EQ(Twice(-1, sum).message(), "n: is negative");
  EXPECT_EQ(sum, 0);
}

TEST(TimeTest, IsArithmetic) {
  constexpr Time start{1000};
  EXPECT_EQ(start + kMicrosecond - start, kMicrosecond);
  EXPECT_EQ((Seconds(3) / 2).milliseconds(), 1500);
  EXPECT_EQ(kMinute, Seconds(60));
  EXPECT_DOUBLE_EQ(Milliseconds(1500).seconds(), 1.5);
  EXPECT_LT(start, kNever);
}

TEST(StringMapTest, IsSearchedByViews) {
  StringMap<int> map;
  map["orders"] = 1;
  const std::string_view text = "orders/eu";
  EXPECT_EQ(map.find(text.substr(0, 6))->second, 1);
  EXPECT_FALSE(map.contains(text));
  map[text] = 2;
  EXPECT_EQ(map.at("orders/eu"), 2);
}

#ifndef NDEBUG
TEST(ThreadAffineDeathTest, KnowsItsThread) {
  ThreadAffine affine;
  affine.Assert();
  EXPECT_DEATH(std::thread([&] { affine.Assert(); }).join(), "wrong thread");
  affine.Rebind();
  std::thread([&] { affine.Assert(); }).join();
}
#endif

}  // namespace
}  // namespace trunkline
