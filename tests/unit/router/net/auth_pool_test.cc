#include "router/net/auth_pool.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "gtest/gtest.h"

namespace trunkline::net {
namespace {

using Refusal = conn::AuthAnswer::Refusal;

// A pool and the answers it has given.
class AuthPoolTest : public testing::Test {
 protected:
  AuthPoolTest()
      : pool_(2, [this](core::ShardId shard, conn::AuthAnswer answer) {
          const std::lock_guard lock(mutex_);
          answers_.emplace_back(shard, std::move(answer));
          changed_.notify_all();
        }) {
    std::vector<sasl::Credential> credentials = {{"admin", "sesame"}};
    users_ = sasl::Users::FromCredentials("", credentials);
  }

  conn::AuthStep Step(uint64_t tag, const std::string& password, const std::string& address = "a") {
    conn::AuthStep step;
    step.tag = tag;
    step.mechanism = "PLAIN";
    step.session = sasl::Session::Server({.mechanism = "PLAIN", .users = users_});
    step.bytes = std::string("\0admin\0", 7) + password;
    step.first = true;
    step.address = address;
    return step;
  }
  void Post(uint64_t tag, const std::string& password, const std::string& address = "a") {
    pool_.Desk(tag % 2).Post(Step(tag, password, address), Time{});
  }
  void WaitFor(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return answers_.size() >= count; });
  }
  size_t Refused(Refusal refusal) {
    const std::lock_guard lock(mutex_);
    size_t n = 0;
    for (const auto& [shard, answer] : answers_) n += answer.refusal == refusal;
    return n;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::pair<core::ShardId, conn::AuthAnswer>> answers_;
  std::shared_ptr<const sasl::Users> users_;
  AuthPool pool_;
};

TEST_F(AuthPoolTest, AnswersEachStepToItsWorker) {
  pool_.Start();
  for (uint64_t tag = 0; tag < 100; ++tag) Post(tag, "sesame");
  WaitFor(100);
  std::vector<int> seen(100);
  for (const auto& [shard, answer] : answers_) {
    EXPECT_EQ(shard, answer.tag % 2);
    EXPECT_EQ(std::exchange(seen[answer.tag], 1), 0);
    EXPECT_EQ(answer.answer.verdict, sasl::Verdict::kOk);
    EXPECT_EQ(answer.answer.user, "admin");
    EXPECT_NE(answer.session, nullptr);
    EXPECT_EQ(answer.mechanism, "PLAIN");
  }
}

TEST_F(AuthPoolTest, RefusesWhatDoesNotFit) {
  for (uint64_t tag = 0; tag < AuthPool::kQueueMax; ++tag) Post(tag, "sesame");
  EXPECT_EQ(answers_.size(), 0u) << "at the limit";
  Post(AuthPool::kQueueMax, "sesame");
  EXPECT_EQ(Refused(Refusal::kQueueFull), 1u) << "one beyond";
  EXPECT_EQ(pool_.counters().refused_full, 1u);
  pool_.Start();
  WaitFor(AuthPool::kQueueMax + 1);
  EXPECT_EQ(Refused(Refusal::kNone), AuthPool::kQueueMax);
}

TEST_F(AuthPoolTest, LooksAtNoMorePasswordsOfAnAddressThatFailedTooOften) {
  pool_.Start();
  for (int i = 0; i < LoginLimit::kBurst; ++i) Post(0, "wrong");
  WaitFor(LoginLimit::kBurst);
  EXPECT_EQ(Refused(Refusal::kNone), size_t{LoginLimit::kBurst});
  Post(1, "sesame");
  Post(2, "sesame", "b");
  WaitFor(LoginLimit::kBurst + 2);
  EXPECT_EQ(Refused(Refusal::kFailures), 1u);
  EXPECT_EQ(pool_.counters().refused_failures, 1u);
}

TEST_F(AuthPoolTest, CountsLoginsThatAreLeft) {
  pool_.Start();
  for (int i = 0; i < LoginLimit::kBurst; ++i) pool_.Desk(0).Abandoned("a", Time{});
  Post(1, "sesame");
  WaitFor(1);
  EXPECT_EQ(Refused(Refusal::kFailures), 1u);
}

TEST_F(AuthPoolTest, LimitsNobodyWhoConnectsToOthers) {
  pool_.Start();
  for (int i = 0; i < 30; ++i) Post(0, "wrong", "");
  WaitFor(30);
  EXPECT_EQ(Refused(Refusal::kNone), 30u);
}

// Asks somebody who does not answer before `open` is told.
class StuckSession final : public sasl::Session {
 public:
  StuckSession(std::atomic<int>& asking, absl::Notification& open) : asking_(asking), open_(open) {}

  sasl::Answer Step(const std::optional<std::string>&) override {
    ++asking_;
    open_.WaitForNotification();
    return {};
  }
  sasl::Answer Finish(const std::optional<std::string>&) override { return {}; }

 private:
  std::atomic<int>& asking_;
  absl::Notification& open_;
};

class DistantSteps : public AuthPoolTest {
 protected:
  ~DistantSteps() override {
    if (!open_.HasBeenNotified()) open_.Notify();
    pool_.Stop();
  }
  void PostStuck(uint64_t tag) {
    conn::AuthStep step;
    step.tag = tag;
    step.session = std::make_unique<StuckSession>(asking_, open_);
    step.first = true;
    step.distant = true;
    pool_.Desk(0).Post(std::move(step), Time{});
  }

  std::atomic<int> asking_ = 0;
  absl::Notification open_;
};

TEST_F(DistantSteps, LeaveAThreadToTheOthers) {
  pool_.Start();
  for (uint64_t tag = 0; tag < AuthPool::kThreads + 1; ++tag) PostStuck(tag);
  while (asking_ == 0) std::this_thread::yield();
  for (uint64_t tag = 0; tag < 100; ++tag) Post(tag, "sesame");
  WaitFor(100);
  EXPECT_EQ(asking_, 1);
  open_.Notify();
  WaitFor(100 + AuthPool::kThreads + 1);
  EXPECT_EQ(asking_, static_cast<int>(AuthPool::kThreads) + 1);
}

TEST_F(DistantSteps, HaveALimitOfTheirOwn) {
  for (uint64_t tag = 0; tag < AuthPool::kDistantMax; ++tag) PostStuck(tag);
  EXPECT_EQ(answers_.size(), 0u) << "at the limit";
  PostStuck(AuthPool::kDistantMax);
  EXPECT_EQ(Refused(Refusal::kQueueFull), 1u) << "one beyond";
  Post(0, "sesame");
  EXPECT_EQ(Refused(Refusal::kQueueFull), 1u);
}

TEST_F(AuthPoolTest, EndsWithStepsThatWait) {
  for (uint64_t tag = 0; tag < 500; ++tag) Post(tag, "sesame");
  pool_.Start();
  pool_.Stop();
}

TEST_F(AuthPoolTest, TakesStepsOfSeveralThreads) {
  pool_.Start();
  std::vector<std::thread> threads;
  for (uint64_t thread = 0; thread < 4; ++thread) {
    threads.emplace_back([this, thread] {
      for (uint64_t i = 0; i < 50; ++i) Post(thread * 50 + i, "sesame");
    });
  }
  for (std::thread& thread : threads) thread.join();
  WaitFor(200);
}

}  // namespace
}  // namespace trunkline::net
