#include "router/net/worker.h"

#include <malloc.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "router/base/log.h"
#include "router/base/memory_budget.h"
#include "router/base/thread.h"

namespace trunkline::net {
namespace {

constexpr LogModule kLogModule = LogModule::kNet;

// The only clock of the data plane.
Time Now() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return Time{t.tv_sec * kSecond.ns + t.tv_nsec};
}

// Cookie of the upkeep timer; those of sockets are packed handles, which are never zero.
constexpr uint64_t kUpkeepCookie = 0;

core::Tables TablesOf(const View& view) {
  return {.version = view.version,
          .routes = &view.routes,
          .settings = view.settings.get(),
          .taps = view.lookers.taps.get()};
}

}  // namespace

Worker::Worker(WorkerOptions options, const View* first)
    : options_(std::move(options)),
      mailbox_(poller_, options_.workers),
      pool_(options_.id),
      timers_(Now()),
      view_(first) {
  core::ShardOptions shard;
  shard.id = options_.id;
  shard.identity = options_.identity;
  shard.seed = options_.seed;
  shard.watch_interval = core::kWatchInterval;
  shard_.emplace(std::move(shard), pool_);
}

Worker::~Worker() { Stop(); }

void Worker::Start() {
  thread_ = std::thread([this] { Run(); });
}

void Worker::AskToStop() {
  stop_.store(true);
  poller_.Wake();
}

void Worker::Stop() {
  AskToStop();
  if (thread_.joinable()) thread_.join();
}

void Worker::End(absl::Span<const std::unique_ptr<Worker>> workers) {
  for (const auto& worker : workers) {
    worker->mailbox_.Clear(core::Shard::Drop);
    for (std::vector<core::Envelope>& mail : worker->shard_->outbox().to_shard) {
      for (core::Envelope& one : mail) core::Shard::Drop(std::move(one));
      mail.clear();
    }
  }
  for (const auto& worker : workers) worker->shard_->LetGo();
  for (const auto& worker : workers) {
    for (const auto& home : workers) {
      BlockPool::AcceptReturns(worker->pool_.TakeReturns(home->id()));
    }
  }
}

void Worker::Run() {
  BeginThread(absl::StrCat("tl-worker-", options_.id).c_str(), ThreadClass::kData);
  now_ = Now();
  shard_->BeginTurn(now_);
  shard_->Adopt(TablesOf(*view_));
  std::array<epoll_event, kEventQuantum> events;
  const auto anything = [this] { return mailbox_.HasMail() || stop_.load(); };
  while (!stop_.load()) {
    const int n = poller_.Wait(absl::MakeSpan(events), Patience(), anything);
    Turn(absl::MakeSpan(events).first(static_cast<size_t>(n)), Now());
  }
  sockets_.ForEach([this](Handle<Socket> handle, Socket& socket) { Erase(handle, socket); });
}

Duration Worker::Patience() const {
  if (work_left_) return Duration{};
  const Time deadline = std::min(timers_.NextDeadline(), shard_->NextDeadline());
  if (deadline == kNever) return kMinute;
  return deadline > now_ ? deadline - now_ : Duration{};
}

void Worker::Turn(absl::Span<const epoll_event> events, Time now) {
  now_ = now;
  counters_.turn_began_ns.store(now.ns, std::memory_order_relaxed);
  work_left_ = false;
  shard_->BeginTurn(now);
  FollowBudget();
  Read(events);
  AdoptNewestView();  // after the reads: what was read was sent before what is adopted here
  Parse(now);
  TakeMail(now);
  timers_.Advance(now, [this, now](uint64_t cookie) { Expire(cookie, now); });
  now_ = Now();
  work_left_ |= shard_->Emit(now_);
  PostMail();  // before the writes: the others begin while this thread writes
  Flush(now_);
  Chores();
  LookAround();
  PostMail();
  Tell();
  ChargeBudget();
  work_left_ |= !fresh_.empty() || !more_.empty() || !flush_.empty() || !workspace_.touched.empty();
  counters_.turns.Add();
  const Duration took = Now() - now;
  counters_.longest_turn.Note(took);
  counters_.busy_ns.Add(static_cast<uint64_t>(took.ns));
  counters_.turn_duration.Note(static_cast<uint64_t>(took.ns));
  counters_.turn_began_ns.store(kNever.ns, std::memory_order_relaxed);
}

// --- 1. bytes only, no parsing

void Worker::Read(absl::Span<const epoll_event> events) {
  for (const epoll_event& event : events) {
    const auto handle = Handle<Socket>::Unpack(event.data.u64);
    Socket* socket = sockets_.Find(handle);
    if (socket == nullptr) continue;
    socket->Note(event.events);
    AddRead(socket->notes.bulk ? more_ : fresh_, handle, *socket);
  }
  const size_t fresh = std::min(fresh_.size(), kSocketQuantum);
  const size_t more = std::min(more_.size(), std::max(kSocketQuantum - fresh, kMoreMin));
  if (fresh + more == 0) return;
  const size_t quantum =
      std::clamp(kReadPerTurn / (fresh + more), kReadQuantumMin, kReadQuantumMax);
  const Time until = now_ + kReadTime;
  for (size_t i = 0; i < fresh && Now() < until; ++i) ReadNext(fresh_, quantum);
  for (size_t i = 0; i < more && Now() < until; ++i) ReadNext(more_, quantum);
  PlanUpkeep();
}

void Worker::AddRead(std::deque<Handle<Socket>>& list, Handle<Socket> handle, Socket& socket) {
  if (!socket.IsOpen() || socket.ended()) return AddChore(handle, socket);
  if (!std::exchange(socket.notes.in_read, true)) list.push_back(handle);
}

void Worker::ReadNext(std::deque<Handle<Socket>>& list, size_t quantum) {
  const Handle<Socket> handle = list.front();
  list.pop_front();
  Socket* socket = sockets_.Find(handle);
  if (socket == nullptr) return;
  socket->notes.in_read = false;
  if (socket->IsOpen() && ReadSocket(*socket, quantum)) parse_.push_back(handle);
  Enlist(handle, *socket);
}

// True: there is something to parse, be it the end.
bool Worker::ReadSocket(Socket& socket, size_t quantum) {
  if (!socket.MayRead()) return false;
  const size_t bytes = socket.Read(quantum);
  socket.notes.bulk = bytes >= kReadQuantumMin;
  bytes_read_ += bytes;
  counters_.bytes_read.Add(bytes);
  return true;
}

// --- 2.

void Worker::AdoptNewestView() {
  const View* view = mailbox_.TakeView();
  if (view == nullptr) return;
  shard_->Adopt(TablesOf(*view));
  reports_.push_back(
      ViewLeft{.shard = options_.id, .left = view_->version, .adopted = view->version});
  const View* before = std::exchange(view_, view);
  FollowFrameWishes(before->lookers.frames.get());
}

// --- 3. bytes to drivers to the shard; mail

void Worker::Parse(Time now) {
  for (const Handle<Socket> handle : parse_) sockets_.Get(handle).driver().Parse(now);
  parse_.clear();
}

void Worker::TakeMail(Time now) {
  const auto take =
      Overload{[](std::monostate) {},
               [&](core::Envelope&& mail) { shard_->Accept(core::kFromPilot, std::move(mail)); },
               [&](NewConnection&& mail) { arrivals_.push_back(std::move(mail)); },
               [&](CloseConnection&& mail) { Take(mail, now); },
               [&](CloseLink&& mail) { Take(mail); },
               [&](SwitchLink&& mail) { Take(mail); },
               [&](CloseAll&& mail) { Take(mail, now); },
               [&](Observe&& mail) { observer_.Add(std::move(mail)); },
               [&](Quiesce&&) { TakeQuiesce(); },
               [&](Authenticated&& mail) { Take(std::move(mail), now); }};
  const Mailbox::Drained drained = mailbox_.Drain(
      kPilotMailQuantum, kMailQuantum, [&](Mail&& mail) { std::visit(take, std::move(mail)); },
      [&](core::ShardId from, core::Envelope&& mail) { shard_->Accept(from, std::move(mail)); });
  work_left_ |= drained.left;
  if (drained.room_wanted) reports_.push_back(MailboxHasRoom{options_.id});
  if (drained.count > 0) {
    counters_.mails_received.Add(drained.count);
    PlanUpkeep();
  }
  if ((drained.tell_room | drained.room_at) != 0) ForwardMail(drained);
}

void Worker::ForwardMail(const Mailbox::Drained& drained) {
  for (size_t i = 0; i < peers_.size(); ++i) {
    if ((drained.tell_room >> i & 1) != 0) peers_[i]->TellRoom(options_.id);
    if ((drained.room_at >> i & 1) != 0 && peers_[i]->Forward(options_.id).woke) {
      counters_.wakes.Add();
    }
  }
}

const core::Connection* Worker::FindInShard(uint64_t connection) {
  const Socket* socket = Find(connection);
  return socket == nullptr || socket->lingering() ? nullptr : socket->driver().connection();
}

void Worker::Take(const CloseLink& close) {
  const core::Connection* connection = FindInShard(close.connection);
  if (connection != nullptr) shard_->DetachLink(*connection, close.link, close.error);
}

void Worker::Take(const SwitchLink& mail) {
  const core::Connection* connection = FindInShard(mail.connection);
  if (connection == nullptr) return;
  if (mail.to == LinkSwitch::kDisabled) {
    shard_->DisableLink(*connection, mail.link);
  } else {
    shard_->EnableLink(*connection, mail.link);
  }
}

void Worker::Take(const CloseConnection& close, Time now) {
  if (!handles_.contains(close.id)) {
    const auto arrival = std::find_if(arrivals_.begin(), arrivals_.end(),
                                      [&](const NewConnection& one) { return one.id == close.id; });
    if (arrival == arrivals_.end()) return;
    SetUp(std::move(*arrival), now);
    arrivals_.erase(arrival);
  }
  Socket* socket = Find(close.id);
  if (socket != nullptr) CloseSocket(sockets_.HandleOf(*socket), *socket, close.error, now);
}

void Worker::Take(const CloseAll& close, Time now) {
  closing_ = close.error;
  ForEachSocket([&](Handle<Socket> handle, Socket& socket) {
    CloseSocket(handle, socket, close.error, now);
  });
}

void Worker::TakeQuiesce() {
  quiesced_ = true;
  shard_->Quiesce();
  ForEachSocket([this](Handle<Socket> handle, Socket& socket) {
    if (socket.lingering()) return;
    socket.driver().Quiesce();
    Enlist(handle, socket);
  });
}

void Worker::Take(Authenticated&& mail, Time now) {
  const auto handle = Handle<Socket>::Unpack(mail.answer.tag);
  Socket* socket = sockets_.Find(handle);
  if (socket == nullptr || socket->lingering()) return;  // it went while its login was looked at
  login_log_.Note(socket->plan().owner, socket->peer(), mail.answer, now);
  socket->driver().Answer(std::move(mail.answer), now);
  Arm(handle, *socket, socket->driver().Tick(now));
  Enlist(handle, *socket);
}

void Worker::CloseSocket(Handle<Socket> handle, Socket& socket, const amqp::Condition& error,
                         Time now) {
  if (socket.lingering()) return;
  socket.driver().Close(error, closing_ ? conn::EndReason::kDrain : conn::EndReason::kAdmin);
  Arm(handle, socket, socket.driver().Tick(now));
  Enlist(handle, socket);
}

// --- 4. deadlines

void Worker::Expire(uint64_t cookie, Time now) {
  if (cookie == kUpkeepCookie) return Upkeep(now);
  const auto handle = Handle<Socket>::Unpack(cookie);
  Socket* socket = sockets_.Find(handle);
  if (socket == nullptr) return;
  socket->notes.timer = 0;
  socket->notes.deadline = kNever;
  if (!socket->lingering()) Arm(handle, *socket, socket->driver().Tick(now));
  Enlist(handle, *socket);
}

// Timers are lazy: one that expires too early asks the driver again, so activity on a connection
// moves no timer.
void Worker::Arm(Handle<Socket> handle, Socket& socket, Time deadline) {
  if (deadline >= socket.notes.deadline) return;
  timers_.Cancel(socket.notes.timer);
  socket.notes.deadline = deadline;
  socket.notes.timer = timers_.Schedule(deadline, handle.Pack());
}

void Worker::PlanUpkeep() {
  if (upkeep_ == 0) upkeep_ = timers_.Schedule(now_ + kUpkeepInterval, kUpkeepCookie);
}

void Worker::Upkeep(Time now) {
  upkeep_ = 0;
  shard_->MailReturns(1);
  PostMail();
  const bool quiet = std::exchange(bytes_read_, 0) < kQuietBytes;
  if (quiet) {
    workspace_.arena.Trim();
    pool_.Trim();
  }
  if (counters_.sockets_closed.Get() - closed_at_trim_ >= kTrimSockets) trims_due_ = kTrims;
  if (quiet && trims_due_ > 0 && now - trimmed_at_ >= kTrimInterval) TrimAll(now);
  if (!quiet || trims_due_ > 0) PlanUpkeep();
}

// What the crowd used goes back to the system.
void Worker::TrimAll(Time now) {
  --trims_due_;
  trimmed_at_ = now;
  closed_at_trim_ = counters_.sockets_closed.Get();
  sockets_.Trim();
  if (handles_.size() < handles_.capacity() / 8) handles_.rehash(0);
  shard_->Trim();
  malloc_trim(0);
}

// --- 5. mail to the other workers

void Worker::PostMail() {
  if (peers_.size() < 2) return;
  std::vector<std::vector<core::Envelope>>& outbox = shard_->outbox().to_shard;
  if (outbox.size() < peers_.size()) outbox.resize(peers_.size());
  for (size_t to = 0; to < peers_.size(); ++to) {
    std::vector<core::Envelope>& mail = outbox[to];
    if (mail.empty()) continue;
    const size_t count = mail.size();
    const Mailbox::Posted posted = peers_[to]->Post(options_.id, mail);
    counters_.mails_sent.Add(count);
    if (posted.sent < count) counters_.mails_parked.Add(count - posted.sent);
    if (posted.woke) counters_.wakes.Add();
  }
}

// --- 6. one write per socket

void Worker::Enlist(Handle<Socket> handle, Socket& socket) {
  if (!socket.IsOpen()) return AddChore(handle, socket);
  if (!std::exchange(socket.notes.in_flush, true)) flush_.push_back(handle);
}

void Worker::Flush(Time now) {
  touched_.swap(workspace_.touched);
  for (const uint64_t tag : touched_) {
    const auto handle = Handle<Socket>::Unpack(tag);
    if (Socket* socket = sockets_.Find(handle); socket != nullptr) Enlist(handle, *socket);
  }
  touched_.clear();
  flushing_.swap(flush_);
  for (const Handle<Socket> handle : flushing_) {
    Socket* socket = sockets_.Find(handle);
    if (socket == nullptr) continue;
    socket->notes.in_flush = false;
    if (!socket->IsOpen()) {
      AddChore(handle, *socket);
    } else {
      FlushSocket(handle, *socket, now);
    }
  }
  flushing_.clear();
}

void Worker::FlushSocket(Handle<Socket> handle, Socket& socket, Time now) {
  const Socket::Flushed flushed = socket.Flush(now);
  counters_.bytes_written.Add(flushed.bytes);
  work_left_ |= flushed.made_room;
  NotePhase(handle, socket, now);
  if (socket.Finished()) return Finish(handle, socket, now);
  if (socket.HasMoreToWrite()) Enlist(handle, socket);
  if (socket.MayRead()) AddRead(more_, handle, socket);
}

void Worker::NotePhase(Handle<Socket> handle, Socket& socket, Time now) {
  const conn::Driver& driver = socket.driver();
  if (driver.phase() == socket.notes.phase) return;
  socket.notes.phase = driver.phase();
  // A quick peer opens and closes in one turn.
  if (!socket.notes.was_open && driver.WasOpen()) {
    socket.notes.was_open = true;
    socket.notes.opened = now;
    reports_.push_back(
        ConnectionOpened{ConnectionUp{.id = socket.id(),
                                      .owner = socket.plan().owner,
                                      .inbound = socket.plan().inbound,
                                      .peer = socket.peer(),
                                      .container_id = driver.container_id(),
                                      .user = driver.user(),
                                      .tls = driver.tls_description(),
                                      .tls_profile = socket.plan().connection.tls_profile,
                                      .tls_revision = socket.notes.tls_revision,
                                      .peer_subject = driver.peer_subject(),
                                      .mechanism = driver.mechanism(),
                                      .local = socket.LocalAddress(),
                                      .worker = options_.id,
                                      .opened = now}});
  }
  Arm(handle, socket, socket.driver().Tick(now));
}

void Worker::Finish(Handle<Socket> handle, Socket& socket, Time now) {
  ReportGone(socket, socket.Error());
  if (!socket.Linger()) return Erase(handle, socket);
  AddChore(handle, socket);
  timers_.Cancel(std::exchange(socket.notes.timer, 0));
  socket.notes.deadline = kNever;
  Arm(handle, socket, now + kLingerTime);
}

void Worker::ReportGone(const Socket& socket, std::string error) {
  counters_.connections_gone.Add();
  reports_.push_back(ConnectionGone{.shard = options_.id,
                                    .event = {.id = socket.id(),
                                              .owner = socket.plan().owner,
                                              .inbound = socket.plan().inbound,
                                              .was_open = socket.notes.was_open,
                                              .peer = socket.peer(),
                                              .error = std::move(error)}});
}

void Worker::Erase(Handle<Socket> handle, Socket& socket) {
  timers_.Cancel(socket.notes.timer);
  poller_.Remove(socket.fd());
  handles_.erase(socket.id());
  sockets_.Erase(handle);
  counters_.sockets_closed.Add();
}

// --- 7. what connections need that are not open, or not any more

void Worker::AddChore(Handle<Socket> handle, Socket& socket) {
  if (!std::exchange(socket.notes.in_chores, true)) chores_.push_back(handle);
}

void Worker::Chores() {
  if (arrivals_.empty() && chores_.empty()) return;
  work_left_ = true;
  Time now = Now();
  const Time until = now + kChoreTime;
  while (now < until && !(arrivals_.empty() && chores_.empty())) {
    if (!arrivals_.empty()) {
      SetUp(std::move(arrivals_.front()), now);
      arrivals_.pop_front();
    }
    if (!chores_.empty()) {
      const Handle<Socket> handle = chores_.front();
      chores_.pop_front();
      Serve(handle, now);
    }
    now = Now();
  }
}

// All that a turn does for an open connection, at once.
void Worker::Serve(Handle<Socket> handle, Time now) {
  Socket* socket = sockets_.Find(handle);
  if (socket == nullptr) return;
  socket->notes.in_chores = false;
  if (socket->lingering()) {
    const bool waited_enough = socket->notes.deadline == kNever;
    if (waited_enough || socket->Discard()) return Erase(handle, *socket);
    if (socket->readable()) AddChore(handle, *socket);
    return;
  }
  UseNewestTls(*socket);
  if (ReadSocket(*socket, kReadQuantumMin)) socket->driver().Parse(now);
  FlushSocket(handle, *socket, now);
}

void Worker::LookAround() {
  if (!observer_.IsBusy()) return;
  const Time until = Now() + kLookTime;
  do {
    observer_.Step(sockets_, *shard_);
  } while (observer_.IsBusy() && Now() < until);
  for (ObservedPart& part : observer_.TakeParts()) reports_.push_back(std::move(part));
  work_left_ |= observer_.IsBusy();
}

// --- 8. reports to the pilot

void Worker::Tell() {
  const auto unsettled = static_cast<int64_t>(shard_->unsettled());
  counters_.unsettled.Add(unsettled - counters_.unsettled.Get());
  std::vector<core::Notice>& notices = shard_->outbox().to_pilot;
  if (!notices.empty()) reports_.push_back(ShardNotices{options_.id, std::exchange(notices, {})});
  if (!reports_.empty()) options_.report(std::exchange(reports_, {}));
}

// --- 9. the budget of the process

void Worker::ChargeBudget() {
  const uint64_t held = pool_.bytes_in_use();
  if (held == charged_) return;
  MemoryBudget& budget = *options_.budget;
  const auto change =
      budget.Add(static_cast<int64_t>(held) - static_cast<int64_t>(std::exchange(charged_, held)));
  if (change == MemoryBudget::Change::kNone) return;
  if (change == MemoryBudget::Change::kBegun) {
    TL_LOG(warning, "memory budget used up, producers get no credit", {"held", budget.used()},
           {"memory_budget_bytes", budget.limit()});
  } else {
    TL_LOG(info, "memory budget has room again", {"held", budget.used()});
  }
  // Each tells its shard; one that sleeps may owe credit.
  for (Mailbox* peer : peers_) peer->Nudge();
}

void Worker::FollowBudget() {
  if (options_.budget->pressed() == pressed_) return;
  pressed_ = !pressed_;
  shard_->SetPressure(pressed_);
}

}  // namespace trunkline::net
