#pragma once

#include <compare>
#include <cstdint>
#include <limits>

namespace trunkline {

// A span of time in nanoseconds. Plain arithmetic value; never negative by contract of its makers.
struct Duration {
  int64_t ns = 0;

  constexpr auto operator<=>(const Duration&) const = default;
  constexpr Duration operator+(Duration d) const { return {ns + d.ns}; }
  constexpr Duration operator-(Duration d) const { return {ns - d.ns}; }
  constexpr Duration operator*(int64_t n) const { return {ns * n}; }
  constexpr Duration operator/(int64_t n) const { return {ns / n}; }
  constexpr int64_t milliseconds() const { return ns / 1'000'000; }
  constexpr double seconds() const { return static_cast<double>(ns) * 1e-9; }
};

constexpr Duration kMicrosecond{1'000};
constexpr Duration kMillisecond{1'000'000};
constexpr Duration kSecond{1'000'000'000};
constexpr Duration kMinute = kSecond * 60;
constexpr Duration Milliseconds(int64_t n) { return kMillisecond * n; }
constexpr Duration Seconds(int64_t n) { return kSecond * n; }

// A point on the monotonic clock of the worker, or of the simulation. There is no now() here: time
// is always a parameter, read once per turn by whoever owns the thread.
struct Time {
  int64_t ns = 0;

  constexpr auto operator<=>(const Time&) const = default;
  constexpr Time operator+(Duration d) const { return {ns + d.ns}; }
  constexpr Time operator-(Duration d) const { return {ns - d.ns}; }
  constexpr Duration operator-(Time t) const { return {ns - t.ns}; }
};

// Later than every deadline: "nothing to wait for".
constexpr Time kNever{std::numeric_limits<int64_t>::max()};

}  // namespace trunkline
