#include "router/net/auth_pool.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "router/base/thread.h"

namespace trunkline::net {

// What a worker sees of the pool.
class AuthPool::WorkerDesk final : public conn::Authenticator {
 public:
  WorkerDesk(AuthPool& pool, core::ShardId shard) : pool_(pool), shard_(shard) {}

  void Post(conn::AuthStep step, Time now) override {
    pool_.Post({.shard = shard_, .now = now, .step = std::move(step)});
  }
  void Abandoned(const std::string& address, Time now) override { pool_.Failed(address, now); }

 private:
  AuthPool& pool_;
  const core::ShardId shard_;
};

AuthPool::AuthPool(size_t workers, Reply reply) : reply_(std::move(reply)) {
  for (size_t i = 0; i < workers; ++i) {
    desks_.push_back(std::make_unique<WorkerDesk>(*this, static_cast<core::ShardId>(i)));
  }
}

AuthPool::~AuthPool() { Stop(); }

void AuthPool::Start() {
  for (size_t i = 0; i < kThreads; ++i) {
    threads_.emplace_back([this, i] {
      BeginThread(absl::StrCat("tl-auth-", i).c_str(), ThreadClass::kService);
      Run();
    });
  }
}

void AuthPool::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

AuthPool::Counters AuthPool::counters() const {
  const std::lock_guard lock(mutex_);
  return counters_;
}

void AuthPool::Post(Task task) {
  {
    const std::lock_guard lock(mutex_);
    const bool distant = task.step.distant;
    std::deque<Task>& queue = distant ? distant_ : queue_;
    if (queue.size() < (distant ? kDistantMax : kQueueMax)) {
      queue.push_back(std::move(task));
      changed_.notify_one();
      return;
    }
    ++counters_.refused_full;
  }
  Answer(std::move(task), conn::AuthAnswer::Refusal::kQueueFull, {});
}

void AuthPool::Failed(const std::string& address, Time now) {
  if (address.empty()) return;
  const std::lock_guard lock(mutex_);
  limit_.Failed(address, now);
}

void AuthPool::Run() {
  Task task;
  bool refused = false;
  while (Next(task, refused)) {
    const bool distant = task.step.distant;
    if (refused) {
      Answer(std::move(task), conn::AuthAnswer::Refusal::kFailures, {});
    } else {
      Work(std::move(task));
    }
    if (distant) Asked();
  }
}

// Waits for a step. Whether its address may try is looked up as late as can be: others of that
// address may have failed while it waited.
bool AuthPool::Next(Task& task, bool& refused) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return stop_ || !queue_.empty() || IsDistantDue(); });
  if (stop_) return false;
  std::deque<Task>& queue = IsDistantDue() ? distant_ : queue_;
  task = std::move(queue.front());
  queue.pop_front();
  asking_ |= task.step.distant;
  const conn::AuthStep& step = task.step;
  refused = step.first && !step.address.empty() && !limit_.Allows(step.address, task.now);
  if (refused) {
    ++counters_.refused_failures;
  } else {
    ++counters_.steps;
  }
  return true;
}

// The next of them may be asked: by this thread, which looks for work before it waits.
void AuthPool::Asked() {
  const std::lock_guard lock(mutex_);
  asking_ = false;
}

void AuthPool::Work(Task task) {
  conn::AuthStep& step = task.step;
  sasl::Answer answer =
      step.last ? step.session->Finish(step.bytes) : step.session->Step(step.bytes);
  if (step.bytes) Wipe(*step.bytes);
  if (answer.verdict == sasl::Verdict::kDenied) Failed(step.address, task.now);
  Answer(std::move(task), conn::AuthAnswer::Refusal::kNone, std::move(answer));
}

void AuthPool::Answer(Task task, conn::AuthAnswer::Refusal refusal, sasl::Answer answer) {
  conn::AuthAnswer reply;
  reply.tag = task.step.tag;
  reply.session = std::move(task.step.session);
  reply.mechanism = std::move(task.step.mechanism);
  reply.refusal = refusal;
  reply.answer = std::move(answer);
  reply_(task.shard, std::move(reply));
}

}  // namespace trunkline::net
