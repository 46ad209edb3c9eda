#include "router/net/mailbox.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <array>
#include <thread>
#include <vector>

namespace trunkline::net {
namespace {

uint64_t IdOf(const Mail& mail) { return std::get<CloseConnection>(mail).id; }

std::vector<uint64_t> DrainIds(Mailbox& mailbox, size_t max, bool* room_wanted = nullptr) {
  std::vector<uint64_t> ids;
  const auto drained = mailbox.Drain(max, [&](Mail&& mail) { ids.push_back(IdOf(mail)); });
  EXPECT_EQ(drained.count, ids.size());
  if (room_wanted != nullptr) *room_wanted = drained.room_wanted;
  return ids;
}

TEST(Mailbox, KeepsTheOrderAndTheQuantum) {
  Poller poller;
  Mailbox mailbox(poller);
  EXPECT_FALSE(mailbox.HasMail());
  for (uint64_t i = 1; i <= 3; ++i) mailbox.Post(CloseConnection{.id = i});
  EXPECT_TRUE(mailbox.HasMail());
  EXPECT_EQ(DrainIds(mailbox, 2), (std::vector<uint64_t>{1, 2}));
  EXPECT_EQ(DrainIds(mailbox, 2), (std::vector<uint64_t>{3}));
  EXPECT_FALSE(mailbox.HasMail());
}

TEST(Mailbox, AsksForRoomOnlyWhenMailIsParked) {
  Poller poller;
  Mailbox mailbox(poller);
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
    Mailbox mailbox(poller);
    mailbox.Post(NewConnection{.fd = Descriptor(fd)});
    EXPECT_NE(fcntl(fd, F_GETFD), -1);
  }
  EXPECT_EQ(fcntl(fd, F_GETFD), -1);
}

TEST(Mailbox, GivesBackAViewThatWasNotRead) {
  Poller poller;
  Mailbox mailbox(poller);
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

// A pilot that posts faster than the ring holds and a worker that sleeps whenever it can: all mail
// arrives, once and in order, and nobody sleeps through it.
TEST(Mailbox, PassesEverythingBetweenThreads) {
  constexpr uint64_t kMails = 200'000;
  Poller worker_poller;
  Poller pilot_poller;
  Mailbox mailbox(worker_poller);
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
    const auto drained =
        mailbox.Drain(100, [&](Mail&& mail) { ASSERT_EQ(IdOf(mail), ++expected); });
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
