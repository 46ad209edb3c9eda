#include "router/net/mailbox.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <random>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"

namespace trunkline::net {
namespace {

uint64_t IdOf(const Mail& mail) { return std::get<CloseConnection>(mail).id; }

const auto kNoShardMail = [](core::ShardId, core::Envelope&&) { FAIL(); };
const auto kNoPilotMail = [](Mail&&) { FAIL(); };

std::vector<uint64_t> DrainIds(Mailbox& mailbox, size_t max, bool* room_wanted = nullptr) {
  std::vector<uint64_t> ids;
  const auto drained = mailbox.Drain(
      max, max, [&](Mail&& mail) { ids.push_back(IdOf(mail)); }, kNoShardMail);
  EXPECT_EQ(drained.left, mailbox.HasMail());
  if (room_wanted != nullptr) *room_wanted = drained.room_wanted;
  return ids;
}

// Mail of one worker to another that is known again by its number.
core::Envelope Numbered(uint32_t n) {
  core::More more;
  more.in = {.index = n, .generation = 1};
  return more;
}
uint32_t NumberOf(const core::Envelope& mail) { return std::get<core::More>(mail).in.index; }

std::vector<core::Envelope> Batch(uint32_t first, uint32_t last) {
  std::vector<core::Envelope> batch;
  for (uint32_t n = first; n <= last; ++n) batch.push_back(Numbered(n));
  return batch;
}

Mailbox::Posted PostBatch(Mailbox& mailbox, core::ShardId from, uint32_t first, uint32_t last) {
  std::vector<core::Envelope> batch = Batch(first, last);
  const auto posted = mailbox.Post(from, batch);
  EXPECT_TRUE(batch.empty());
  return posted;
}

// What is taken of each sender, in order.
using Taken = std::vector<std::pair<core::ShardId, uint32_t>>;
Taken Take(Mailbox& mailbox, size_t max, Mailbox::Drained* drained = nullptr) {
  Taken taken;
  const auto result = mailbox.Drain(
      max, max, kNoPilotMail,
      [&](core::ShardId from, core::Envelope&& mail) { taken.emplace_back(from, NumberOf(mail)); });
  EXPECT_EQ(result.count, taken.size());
  EXPECT_EQ(result.left, mailbox.HasMail());
  if (drained != nullptr) *drained = result;
  return taken;
}

TEST(Mailbox, KeepsTheOrderAndTheQuantum) {
  Poller poller;
  Mailbox mailbox(poller, 3);
  EXPECT_FALSE(mailbox.HasMail());
  for (uint64_t i = 1; i <= 3; ++i) mailbox.Post(CloseConnection{.id = i});
  EXPECT_TRUE(mailbox.HasMail());
  EXPECT_EQ(DrainIds(mailbox, 2), (std::vector<uint64_t>{1, 2}));
  EXPECT_EQ(DrainIds(mailbox, 2), (std::vector<uint64_t>{3}));
  EXPECT_FALSE(mailbox.HasMail());
}

TEST(Mailbox, AsksForRoomOnlyWhenMailIsParked) {
  Poller poller;
  Mailbox mailbox(poller, 3);
  bool room_wanted = true;
  for (uint64_t i = 1; i <= Mailbox::kRing; ++i) mailbox.Post(CloseConnection{.id = i});
  DrainIds(mailbox, 1, &room_wanted);
  EXPECT_FALSE(room_wanted);
  mailbox.Post(CloseConnection{.id = Mailbox::kRing + 1});
  mailbox.Post(CloseConnection{.id = Mailbox::kRing + 2});  // one beyond
  DrainIds(mailbox, 1, &room_wanted);
  EXPECT_TRUE(room_wanted);
  DrainIds(mailbox, Mailbox::kRing, &room_wanted);
  EXPECT_FALSE(room_wanted);
  EXPECT_FALSE(mailbox.HasMail());
  mailbox.Forward();
  EXPECT_EQ(DrainIds(mailbox, 10), (std::vector<uint64_t>{Mailbox::kRing + 2}));
}

TEST(Mailbox, ClosesTheStreamsOfMailThatNobodyTook) {
  const int fd = open("/dev/null", O_RDONLY);
  ASSERT_GE(fd, 0);
  {
    Poller poller;
    Mailbox mailbox(poller, 3);
    mailbox.Post(NewConnection{.fd = Descriptor(fd)});
    EXPECT_NE(fcntl(fd, F_GETFD), -1);
  }
  EXPECT_EQ(fcntl(fd, F_GETFD), -1);
}

TEST(Mailbox, GivesBackAViewThatWasNotRead) {
  Poller poller;
  Mailbox mailbox(poller, 3);
  View first;
  first.version = 1;
  View second;
  second.version = 2;
  EXPECT_EQ(mailbox.TakeView(), nullptr);
  EXPECT_EQ(mailbox.Publish(&first), nullptr);
  EXPECT_TRUE(mailbox.HasMail());
  EXPECT_EQ(mailbox.Publish(&second), &first);
  EXPECT_EQ(mailbox.TakeView(), &second);
  EXPECT_EQ(mailbox.TakeView(), nullptr);
  EXPECT_FALSE(mailbox.HasMail());
}

// --- mail of other workers

TEST(Mailbox, KeepsTheOrderOfEachWorkerAndTakesAQuantumOfEach) {
  Poller poller;
  Mailbox mailbox(poller, 3);
  PostBatch(mailbox, 0, 1, 3);
  PostBatch(mailbox, 2, 11, 12);
  PostBatch(mailbox, 0, 4, 4);
  Mailbox::Drained drained;
  // Nobody's mail is always first.
  EXPECT_EQ(Take(mailbox, 2, &drained), (Taken{{2, 11}, {2, 12}, {0, 1}, {0, 2}}));
  EXPECT_TRUE(drained.left);
  PostBatch(mailbox, 2, 13, 13);
  EXPECT_EQ(Take(mailbox, 2, &drained), (Taken{{2, 13}, {0, 3}, {0, 4}}));
  EXPECT_FALSE(drained.left);
  EXPECT_EQ(Take(mailbox, 2), Taken{});
}

TEST(Mailbox, ParksWhatTheRingOfAWorkerDoesNotHold) {
  Poller poller;
  Mailbox mailbox(poller, 2);
  Mailbox::Drained drained;
  EXPECT_EQ(PostBatch(mailbox, 1, 1, Mailbox::kRing).sent, Mailbox::kRing);
  EXPECT_EQ(mailbox.parked(1), 0u);
  Take(mailbox, 1, &drained);
  EXPECT_EQ(drained.tell_room, 0u);
  EXPECT_EQ(PostBatch(mailbox, 1, 257, 260).sent, 1u);  // three beyond
  EXPECT_EQ(mailbox.parked(1), 3u);
  PostBatch(mailbox, 1, 261, 261);  // not ahead of them
  EXPECT_EQ(Take(mailbox, 2, &drained), (Taken{{1, 2}, {1, 3}}));
  EXPECT_EQ(drained.tell_room, 1u << 1);
  EXPECT_EQ(mailbox.Forward(1).sent, 2u);
  EXPECT_EQ(mailbox.parked(1), 2u);
  EXPECT_EQ(Take(mailbox, Mailbox::kRing, &drained).size(), Mailbox::kRing);
  EXPECT_EQ(drained.tell_room, 1u << 1);
  EXPECT_EQ(mailbox.Forward(1).sent, 2u);
  EXPECT_EQ(Take(mailbox, 9, &drained), (Taken{{1, 260}, {1, 261}}));
  EXPECT_EQ(drained.tell_room, 0u);
  EXPECT_EQ(mailbox.Forward(1).sent, 0u);
  EXPECT_FALSE(mailbox.HasMail());
}

TEST(Mailbox, ToldOfRoomIsAReasonToWakeUp) {
  Poller poller;
  Mailbox mailbox(poller, 2);
  mailbox.TellRoom(1);
  EXPECT_TRUE(mailbox.HasMail());
  Mailbox::Drained drained;
  Take(mailbox, 1, &drained);
  EXPECT_EQ(drained.room_at, 1u << 1);
  Take(mailbox, 1, &drained);
  EXPECT_EQ(drained.room_at, 0u);
}

TEST(Mailbox, ANudgeIsNothingButATurn) {
  Poller poller;
  Mailbox mailbox(poller, 16);
  mailbox.Nudge();
  EXPECT_TRUE(mailbox.HasMail());
  Mailbox::Drained drained;
  EXPECT_EQ(Take(mailbox, 1, &drained), Taken{});
  EXPECT_EQ(drained.room_at | drained.tell_room, 0u);
}

TEST(Mailbox, WakesASleeperOnceForABatch) {
  Poller poller;
  Mailbox mailbox(poller, 2);
  std::array<epoll_event, 1> events;
  EXPECT_FALSE(PostBatch(mailbox, 1, 1, 1).woke);
  poller.Wait(absl::MakeSpan(events), Seconds(30), [&] {
    EXPECT_TRUE(PostBatch(mailbox, 1, 2, 4).woke);
    EXPECT_FALSE(PostBatch(mailbox, 0, 1, 1).woke);
    return false;
  });
}

TEST(Mailbox, GivesUpAllThatNobodyTook) {
  Poller poller;
  Mailbox mailbox(poller, 2);
  PostBatch(mailbox, 0, 1, Mailbox::kRing + 2);
  PostBatch(mailbox, 1, 1, 1);
  size_t count = 0;
  mailbox.Clear([&](core::Envelope&&) { ++count; });
  EXPECT_EQ(count, Mailbox::kRing + 3);
  EXPECT_EQ(mailbox.parked(0), 0u);
}

// Two workers that send to each other in bursts far beyond the rings, and sleep whenever they can.
TEST(Mailbox, PassesEverythingBothWaysThroughFullRings) {
  constexpr uint32_t kMails = 300'000;
  struct Side {
    Poller poller;
    Mailbox mailbox{poller, 2};
  };
  Side sides[2];
  const auto run = [&](core::ShardId me) {
    Side& mine = sides[me];
    Side& other = sides[1 - me];
    const auto peer = static_cast<core::ShardId>(1 - me);
    std::mt19937 random(me);
    std::array<epoll_event, 1> events;
    uint32_t posted = 0;
    uint32_t taken = 0;
    bool left = false;
    while (posted < kMails || taken < kMails || other.mailbox.parked(me) > 0) {
      const bool work = left || (posted < kMails && other.mailbox.parked(me) < 1000);
      mine.poller.Wait(absl::MakeSpan(events), work ? Duration{} : Seconds(30),
                       [&] { return mine.mailbox.HasMail(); });
      const auto drained = mine.mailbox.Drain(100, 100, kNoPilotMail,
                                              [&](core::ShardId from, core::Envelope&& mail) {
                                                ASSERT_EQ(from, peer);
                                                ASSERT_EQ(NumberOf(mail), ++taken);
                                              });
      left = drained.left;
      if (drained.tell_room != 0) other.mailbox.TellRoom(me);
      if (drained.room_at != 0) other.mailbox.Forward(me);
      const uint32_t burst = std::min(static_cast<uint32_t>(random() % 600), kMails - posted);
      if (!work || burst == 0) continue;
      PostBatch(other.mailbox, me, posted + 1, posted + burst);
      posted += burst;
    }
  };
  std::thread peer([&] { run(1); });
  run(0);
  peer.join();
}

// Rounds of the next test. TRUNKLINE_ROUNDS says how many; ten million take about a minute.
uint32_t Rounds() {
  uint32_t rounds = 0;
  const char* wanted = std::getenv("TRUNKLINE_ROUNDS");
  if (wanted != nullptr && absl::SimpleAtoi(wanted, &rounds)) return rounds;
#if defined(NDEBUG) && !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
  return 500'000;
#else
  return 50'000;
#endif
}

// Sleeper and poster meet at every point of the protocol: each round is one mail into an inbox
// whose owner is about to sleep, goes to sleep, or sleeps. A missed wake-up would end the test by
// its time limit.
TEST(Mailbox, NobodySleepsThroughMail) {
  const uint32_t rounds = Rounds();
  Poller poller;
  Mailbox mailbox(poller, 2);
  std::atomic<uint32_t> taken{0};
  std::thread poster([&] {
    std::minstd_rand random(1);
    std::vector<core::Envelope> mail;
    for (uint32_t n = 1; n <= rounds; ++n) {
      mail.push_back(Numbered(n));
      mailbox.Post(1, mail);
      for (int spins = 0; taken.load(std::memory_order_acquire) < n; ++spins) {
        if (spins > 10'000) std::this_thread::yield();  // for a machine of one processor
      }
      for (volatile uint32_t pause = random() % 512; pause > 0;) pause = pause - 1;
    }
  });
  std::array<epoll_event, 1> events;
  for (uint32_t expected = 0; expected < rounds;) {
    poller.Wait(absl::MakeSpan(events), Seconds(60), [&] { return mailbox.HasMail(); });
    mailbox.Drain(1024, 1024, kNoPilotMail, [&](core::ShardId, core::Envelope&& mail) {
      ASSERT_EQ(NumberOf(mail), ++expected);
    });
    taken.store(expected, std::memory_order_release);
  }
  poster.join();
}

// --- the pilot and a worker

// A pilot that posts faster than the ring holds and a worker that sleeps whenever it can: all mail
// arrives, once and in order, and nobody sleeps through it.
TEST(Mailbox, PassesEverythingBetweenThreads) {
  constexpr uint64_t kMails = 200'000;
  Poller worker_poller;
  Poller pilot_poller;
  Mailbox mailbox(worker_poller, 1);
  std::atomic<uint64_t> requests{0};
  std::atomic<bool> done{false};
  std::thread pilot([&] {
    uint64_t posted = 0;
    uint64_t served = 0;
    std::array<epoll_event, 1> events;
    while (!done.load()) {
      for (int burst = 0; burst < 1000 && posted < kMails; ++burst) {
        mailbox.Post(CloseConnection{.id = ++posted});
      }
      if (posted < kMails && requests.load() == served) continue;
      pilot_poller.Wait(absl::MakeSpan(events), Seconds(30),
                        [&] { return requests.load() != served || done.load(); });
      served = requests.load();
      mailbox.Forward();
    }
  });
  std::array<epoll_event, 1> events;
  for (uint64_t expected = 0; expected < kMails;) {
    worker_poller.Wait(absl::MakeSpan(events), Seconds(30), [&] { return mailbox.HasMail(); });
    const auto drained = mailbox.Drain(
        100, 100, [&](Mail&& mail) { ASSERT_EQ(IdOf(mail), ++expected); }, kNoShardMail);
    if (drained.room_wanted) {
      requests.fetch_add(1);
      pilot_poller.Wake();
    }
  }
  done.store(true);
  pilot_poller.Wake();
  pilot.join();
}

}  // namespace
}  // namespace trunkline::net
