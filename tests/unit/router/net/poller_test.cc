#include "router/net/poller.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <thread>

namespace trunkline::net {
namespace {

// Longer than any test waits for what does happen.
constexpr Duration kForever = Seconds(30);

struct Pair {
  Pair() {
    int fds[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    here.Reset(fds[0]);
    there.Reset(fds[1]);
  }
  Descriptor here, there;
};

const auto kNothing = [] { return false; };

TEST(Poller, TellsWhichDescriptorIsReadableUntilItIsRead) {
  Poller poller;
  Pair pair;
  ASSERT_TRUE(poller.Add(pair.here.get(), EPOLLIN, 7));
  ASSERT_EQ(write(pair.there.get(), "x", 1), 1);
  std::array<epoll_event, 4> events;
  for (int i = 0; i < 2; ++i) {  // level-triggered
    ASSERT_EQ(poller.Wait(absl::MakeSpan(events), kForever, kNothing), 1);
    EXPECT_EQ(events[0].data.u64, 7u);
  }
  char byte;
  ASSERT_EQ(read(pair.here.get(), &byte, 1), 1);
  EXPECT_EQ(poller.Wait(absl::MakeSpan(events), Duration{}, kNothing), 0);
}

TEST(Poller, TellsOnlyWhatItIsAskedFor) {
  Poller poller;
  Pair pair;
  ASSERT_TRUE(poller.Add(pair.here.get(), EPOLLIN, 7));
  std::array<epoll_event, 4> events;
  EXPECT_EQ(poller.Wait(absl::MakeSpan(events), Duration{}, kNothing), 0);
  poller.Remove(pair.here.get());
  ASSERT_TRUE(poller.Add(pair.here.get(), EPOLLOUT, 8));
  ASSERT_EQ(poller.Wait(absl::MakeSpan(events), Duration{}, kNothing), 1);
  EXPECT_EQ(events[0].data.u64, 8u);
  poller.Remove(pair.here.get());
  EXPECT_EQ(poller.Wait(absl::MakeSpan(events), Duration{}, kNothing), 0);
}

TEST(Poller, DoesNotSleepWhenTheSecondLookFindsSomething) {
  Poller poller;
  std::array<epoll_event, 4> events;
  EXPECT_EQ(poller.Wait(absl::MakeSpan(events), kForever, [] { return true; }), 0);
}

TEST(Poller, AWakeUpEndsTheWaitAndIsNoEvent) {
  Poller poller;
  Pair pair;
  ASSERT_TRUE(poller.Add(pair.here.get(), EPOLLIN, 7));
  std::array<epoll_event, 4> events;
  // The poster comes between the flag and the wait.
  const int n = poller.Wait(absl::MakeSpan(events), kForever, [&] {
    poller.Wake();
    EXPECT_EQ(write(pair.there.get(), "x", 1), 1);
    return false;
  });
  ASSERT_EQ(n, 1);
  EXPECT_EQ(events[0].data.u64, 7u);
}

TEST(Poller, WakingSomebodyWhoIsAwakeCostsNothingLater) {
  Poller poller;
  EXPECT_FALSE(poller.Wake());
  std::array<epoll_event, 4> events;
  bool looked = false;
  EXPECT_EQ(poller.Wait(absl::MakeSpan(events), Milliseconds(1), [&] { return !(looked = true); }),
            0);
  EXPECT_TRUE(looked);
}

// A missed wake-up shows as a wait of kForever: the test would not end in time.
TEST(Poller, NeverMissesWhatWasPutDown) {
#ifdef NDEBUG
  constexpr int kRounds = 300'000;
#else
  constexpr int kRounds = 50'000;
#endif
  Poller poller;
  std::atomic<int> posted{0};
  std::atomic<int> seen{0};
  std::thread poster([&] {
    for (int i = 1; i <= kRounds; ++i) {
      posted.store(i);
      poller.Wake();
      while (seen.load(std::memory_order_acquire) < i) std::this_thread::yield();
    }
  });
  std::array<epoll_event, 4> events;
  for (int last = 0; last < kRounds;) {
    poller.Wait(absl::MakeSpan(events), kForever, [&] { return posted.load() > last; });
    last = posted.load(std::memory_order_acquire);
    seen.store(last, std::memory_order_release);
  }
  poster.join();
}

}  // namespace
}  // namespace trunkline::net
