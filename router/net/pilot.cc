#include "router/net/pilot.h"

#include <algorithm>
#include <boost/asio.hpp>
#include <thread>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "router/base/log.h"
#include "router/base/thread.h"
#include "router/net/admission.h"
#include "router/net/auth_pool.h"
#include "router/net/barriers.h"
#include "router/net/dialer.h"
#include "router/net/drain.h"
#include "router/net/listeners.h"
#include "router/net/metering.h"
#include "router/net/placement.h"
#include "router/net/report_box.h"
#include "router/net/tls_use.h"
#include "router/net/worker.h"

namespace trunkline::net {
namespace {

namespace asio = boost::asio;

constexpr LogModule kLogModule = LogModule::kNet;
// Connections that the table of them may always have room for.
constexpr size_t kTableKept = 1024;
// Log lines per second: about connections that open and close, and about those that fail.
constexpr uint32_t kLifeLines = 100;
constexpr uint32_t kFailureLines = 10;

amqp::Condition Forced(std::string why) {
  return {.name = std::string(amqp::condition::kConnectionForced), .description = std::move(why)};
}

}  // namespace

class Pilot::Impl {
 public:
  explicit Impl(Options options);
  ~Impl() { Stop(); }

  void Start();
  void Stop();
  void Post(std::function<void()> request) { asio::post(io_, std::move(request)); }
  Meters meters() const { return {workers_, budget_, admission_, owners_, publisher_}; }
  void RestartLongestTurn();

  void Apply(const ListenerSpec& spec, Done done);
  void Hold(const ListenerSpec& spec, const std::vector<std::string>& leaving, Done done);
  void DropHeld(Done done);
  void Apply(const ConnectorSpec& spec, Done done);
  void Apply(std::shared_ptr<const core::AddressSettings> settings, Done done);
  void SetMemoryBudget(uint64_t bytes);
  void SetMaxConnections(uint32_t max_connections) { admission_.SetRouterMax(max_connections); }
  void RemoveListener(const std::string& name, Done done);
  void RemoveConnector(const std::string& name, Done done);
  void SetTls(const std::string& profile, TlsInForce tls, Done done);
  absl::StatusOr<size_t> RetireTls(const TlsRetirement& retirement);
  std::vector<TlsConnections> ConnectionsByTls() const { return tls_use_.Read(); }
  void RemoveTls(const std::string& profile, Done done);
  void SetUsers(const std::string& store, std::shared_ptr<const sasl::Users> users, Done done);
  void RemoveUsers(const std::string& store, Done done);
  void SetLookers(Lookers lookers, Done done);
  bool Knows(uint64_t connection) const { return connections_.contains(connection); }
  void Drain(Duration limit);
  LiveView& live() { return live_; }

 private:
  // A live connection, as far as it has to be known here.
  struct Connection {
    core::ShardId worker = 0;
    std::string owner;
    bool inbound = true;
    PeerHost host;  // of inbound ones
  };

  absl::Status CheckProfile(const ConnectionSpec& spec) const;
  absl::Status CheckRunning() const;
  Listener::Hooks ListenerHooks();
  Dialer::Hooks DialerHooks();

  void Accepted(Listener& listener, Descriptor fd, const sockaddr_storage& peer);
  uint64_t Place(Descriptor fd, std::shared_ptr<const ConnectionPlan> plan, std::string peer);
  uint64_t SocketsOpen() const;
  void Close(uint64_t connection, const std::string& why);

  void TakeReports();
  void Take(ShardNotices&& notices);
  void Take(const ConnectionOpened& opened);
  void Take(const ConnectionGone& gone);
  void Take(const ViewLeft& left);
  void Log(const ConnectionDown& event);

  void PublishSoon();

  void StopIntake();
  void TellAll(const std::function<Mail()>& mail);

  const Options options_;
  asio::io_context io_{1};
  asio::executor_work_guard<asio::io_context::executor_type> keep_running_{io_.get_executor()};
  ReportBox reports_;
  Publisher publisher_;
  MemoryBudget budget_;
  AuthPool auth_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<uint64_t> load_;  // connections by worker

  Admission admission_;
  Owners owners_;
  TlsUse tls_use_{io_, [this](uint64_t id) { Close(id, "its certificate was replaced"); }};
  LogQuota life_log_{io_, kLifeLines, [](uint64_t kept_back) {
                       TL_LOG(info, "more connections came or went", {"events", kept_back});
                     }};
  LogQuota failure_log_{io_, kFailureLines, [](uint64_t kept_back) {
                          TL_LOG(warning, "more connections failed", {"connections", kept_back});
                        }};
  Listeners listeners_{io_, ListenerHooks()};
  absl::flat_hash_map<std::string, std::unique_ptr<Dialer>> dialers_;
  absl::flat_hash_map<uint64_t, Connection> connections_;
  uint64_t last_connection_ = 0;

  Barriers barriers_{io_, publisher_};
  bool publish_soon_ = false;
  LiveView live_{{.worker_of =
                      [this](uint64_t id) {
                        const auto found = connections_.find(id);
                        return found == connections_.end() ? nullptr : &found->second.worker;
                      },
                  .workers = static_cast<core::ShardId>(options_.workers),
                  .post = [this](core::ShardId to,
                                 Mail mail) { workers_[to]->mailbox().Post(std::move(mail)); },
                  .tell = [this](Observed answer) { options_.event(std::move(answer)); }}};
  std::unique_ptr<class Drain> drain_;
  std::thread thread_;
};

// --- threads

Pilot::Impl::Impl(Options options)
    : options_(std::move(options)),
      publisher_(options_.settings, static_cast<size_t>(options_.workers), options_.hash_seed),
      budget_(options_.memory_budget_bytes),
      auth_(static_cast<size_t>(options_.workers),
            [this](core::ShardId shard, conn::AuthAnswer answer) {
              // Behind a pointer, as what is posted has to be copyable.
              auto mail = std::make_shared<Authenticated>(Authenticated{std::move(answer)});
              Post([this, shard, mail] { workers_[shard]->mailbox().Post(std::move(*mail)); });
            }),
      admission_(io_, options_.spec.settings.max_connections),
      owners_(static_cast<size_t>(options_.workers)) {
  std::vector<Mailbox*> mailboxes;
  for (int i = 0; i < options_.workers; ++i) {
    WorkerOptions worker;
    worker.id = static_cast<core::ShardId>(i);
    worker.identity.router_id = options_.spec.id;
    worker.version = options_.spec.version;
    worker.seed = options_.seed + static_cast<uint64_t>(i);
    worker.workers = static_cast<size_t>(options_.workers);
    worker.budget = &budget_;
    worker.authenticator = &auth_.Desk(worker.id);
    worker.report = [this](std::vector<Report> reports) {
      if (reports_.Put(std::move(reports))) Post([this] { TakeReports(); });
    };
    workers_.push_back(std::make_unique<Worker>(std::move(worker), publisher_.newest()));
    mailboxes.push_back(&workers_.back()->mailbox());
    publisher_.AddReader(*mailboxes.back());
  }
  for (auto& worker : workers_) worker->Meet(mailboxes);
  load_.resize(workers_.size());
}

void Pilot::Impl::Start() {
  for (auto& worker : workers_) worker->Start();
  auth_.Start();
  thread_ = std::thread([this] {
    BeginThread("tl-pilot", ThreadClass::kService);
    io_.run();
  });
}

void Pilot::Impl::Stop() {
  if (!thread_.joinable()) return;
  Post([this] {
    drain_.reset();
    StopIntake();
    keep_running_.reset();
    io_.stop();
  });
  thread_.join();
  auth_.Stop();
  for (auto& worker : workers_) worker->AskToStop();
  for (auto& worker : workers_) worker->Stop();
  Worker::End(workers_);
}

void Pilot::Impl::RestartLongestTurn() {
  for (auto& worker : workers_) worker->RestartLongestTurn();
}

// --- requests

absl::Status Pilot::Impl::CheckRunning() const {
  if (drain_ == nullptr) return absl::OkStatus();
  return absl::FailedPreconditionError("the router is shutting down");
}

absl::Status Pilot::Impl::CheckProfile(const ConnectionSpec& spec) const {
  if (spec.tls_profile.empty() || publisher_.HasTls(spec.tls_profile)) return absl::OkStatus();
  return absl::NotFoundError(
      absl::StrCat("tls_profile: \"", spec.tls_profile, "\" does not exist"));
}

void Pilot::Impl::Apply(const ListenerSpec& spec, Done done) {
  absl::Status status = CheckRunning();
  if (status.ok()) status = CheckProfile(spec.connection);
  if (status.ok() && !spec.user_store.empty() && !publisher_.HasUsers(spec.user_store)) {
    status =
        absl::NotFoundError(absl::StrCat("user_store: \"", spec.user_store, "\" does not exist"));
  }
  if (!status.ok()) return done(std::move(status));
  listeners_.Apply(spec, [this, spec, done](absl::Status status) {
    if (status.ok()) owners_.Put(spec);
    done(std::move(status));
  });
}

void Pilot::Impl::Hold(const ListenerSpec& spec, const std::vector<std::string>& leaving,
                       Done done) {
  if (absl::Status status = CheckRunning(); !status.ok()) return done(std::move(status));
  listeners_.Hold(spec, leaving, std::move(done));
}

void Pilot::Impl::DropHeld(Done done) {
  listeners_.DropHeld();
  done(absl::OkStatus());
}

void Pilot::Impl::Apply(const ConnectorSpec& spec, Done done) {
  absl::Status status = CheckRunning();
  if (status.ok()) status = CheckProfile(spec.connection);
  if (!status.ok()) return done(std::move(status));
  std::unique_ptr<Dialer>& dialer = dialers_[spec.name];
  if (dialer != nullptr) {
    if (dialer->spec() == spec) return done(absl::OkStatus());
    Close(dialer->connection(), "the connector was changed");
  }
  owners_.Put(spec);
  dialer = std::make_unique<Dialer>(io_, spec, DialerHooks());
  done(absl::OkStatus());
}

void Pilot::Impl::Apply(std::shared_ptr<const core::AddressSettings> settings, Done done) {
  publisher_.SetSettings(std::move(settings));
  barriers_.Await(publisher_.Publish(), std::move(done));
}

void Pilot::Impl::SetMemoryBudget(uint64_t bytes) {
  if (budget_.SetLimit(bytes) == MemoryBudget::Change::kNone) return;
  // Each tells its shard; one that sleeps may owe credit.
  for (const auto& worker : workers_) worker->mailbox().Nudge();
}

void Pilot::Impl::RemoveListener(const std::string& name, Done done) {
  if (!listeners_.Remove(name)) {
    return done(absl::NotFoundError(absl::StrCat("listener \"", name, "\" does not exist")));
  }
  owners_.Remove({true, name});
  TL_LOG(info, "listener closed", {"listener", name});
  options_.event(ListenerDown{name});
  done(absl::OkStatus());
}

void Pilot::Impl::RemoveConnector(const std::string& name, Done done) {
  const auto found = dialers_.find(name);
  if (found == dialers_.end()) {
    return done(absl::NotFoundError(absl::StrCat("connector \"", name, "\" does not exist")));
  }
  Close(found->second->connection(), "the connector was removed");
  owners_.Remove({false, name});
  dialers_.erase(found);
  done(absl::OkStatus());
}

void Pilot::Impl::SetTls(const std::string& profile, TlsInForce tls, Done done) {
  tls_use_.Put(profile, tls.revision);
  publisher_.SetTls(profile, std::move(tls));
  barriers_.Await(publisher_.Publish(), std::move(done));
}

absl::StatusOr<size_t> Pilot::Impl::RetireTls(const TlsRetirement& retirement) {
  if (publisher_.HasTls(retirement.profile)) return tls_use_.Retire(retirement);
  return absl::NotFoundError(
      absl::StrCat("TLS profile \"", retirement.profile, "\" does not exist"));
}

void Pilot::Impl::RemoveTls(const std::string& profile, Done done) {
  if (!publisher_.HasTls(profile)) {
    return done(absl::NotFoundError(absl::StrCat("TLS profile \"", profile, "\" does not exist")));
  }
  const auto refuse = [&](const char* kind, const std::string& user) {
    done(absl::FailedPreconditionError(
        absl::StrCat("TLS profile \"", profile, "\" is used by ", kind, " \"", user, "\"")));
  };
  const std::string user = listeners_.FindName(
      [&](const ListenerSpec& spec) { return spec.connection.tls_profile == profile; });
  if (!user.empty()) return refuse("listener", user);
  for (const auto& [name, dialer] : dialers_) {
    if (dialer->spec().connection.tls_profile == profile) return refuse("connector", name);
  }
  tls_use_.Remove(profile);
  publisher_.RemoveTls(profile);
  barriers_.Await(publisher_.Publish(), std::move(done));
}

void Pilot::Impl::SetUsers(const std::string& store, std::shared_ptr<const sasl::Users> users,
                           Done done) {
  publisher_.SetUsers(store, std::move(users));
  barriers_.Await(publisher_.Publish(), std::move(done));
}

void Pilot::Impl::RemoveUsers(const std::string& store, Done done) {
  if (!publisher_.HasUsers(store)) {
    return done(absl::NotFoundError(absl::StrCat("user store \"", store, "\" does not exist")));
  }
  const std::string user =
      listeners_.FindName([&](const ListenerSpec& spec) { return spec.user_store == store; });
  if (!user.empty()) {
    return done(absl::FailedPreconditionError(
        absl::StrCat("user store \"", store, "\" is used by listener \"", user, "\"")));
  }
  publisher_.RemoveUsers(store);
  barriers_.Await(publisher_.Publish(), std::move(done));
}

void Pilot::Impl::SetLookers(Lookers lookers, Done done) {
  publisher_.SetLookers(std::move(lookers));
  barriers_.Await(publisher_.Publish(), std::move(done));
}

void Pilot::Impl::Drain(Duration limit) {
  if (drain_ != nullptr) return;
  TL_LOG(info, "draining", {"limit_ms", limit.milliseconds()},
         {"connections", connections_.size()});
  StopIntake();
  TellAll([] { return Quiesce{}; });
  drain_ = std::make_unique<class Drain>(
      io_,
      Drain::Hooks{
          .unsettled =
              [this] {
                int64_t sum = 0;
                for (const auto& worker : workers_) sum += worker->counters().unsettled.Get();
                return static_cast<uint64_t>(sum);
              },
          .connections = [this] { return connections_.size(); },
          .close_all =
              [this] { TellAll([] { return CloseAll{Forced("router is shutting down")}; }); },
          .drained = [this](Drained drained) { options_.event(drained); }},
      limit);
}

void Pilot::Impl::StopIntake() {
  for (std::string& name : listeners_.Clear()) options_.event(ListenerDown{std::move(name)});
  dialers_.clear();
  tls_use_.Stop();
}

void Pilot::Impl::TellAll(const std::function<Mail()>& mail) {
  for (const auto& worker : workers_) worker->mailbox().Post(mail());
}

// --- connections

Listener::Hooks Pilot::Impl::ListenerHooks() {
  return {
      .accepted = [this](Listener& listener, Descriptor fd,
                         const sockaddr_storage& peer) { Accepted(listener, std::move(fd), peer); },
      .refused = [this] { admission_.TurnedAway(); },
      .up =
          [this](const std::string& name, std::vector<std::string> addresses) {
            for (const std::string& address : addresses) {
              TL_LOG(info, "listening", {"listener", name}, {"address", address});
            }
            options_.event(ListenerUp{name, std::move(addresses)});
          },
      .failed =
          [this](const std::string& name, const std::string& error) {
            options_.event(ListenerFailed{name, error});
          }};
}

Dialer::Hooks Pilot::Impl::DialerHooks() {
  return {.connected =
              [this](Descriptor fd, std::shared_ptr<const ConnectionPlan> plan, std::string peer) {
                return Place(std::move(fd), std::move(plan), std::move(peer));
              },
          .failed =
              [this](ConnectorFailed failure) {
                if (!failure.reached) owners_.CountUnreached(failure.name);
                TL_LOG(warning, "connector failed", {"connector", failure.name},
                       {"peer", failure.peer}, {"error", failure.error},
                       {"retry_in_ms", failure.retry_in_ms});
                options_.event(std::move(failure));
              }};
}

void Pilot::Impl::Accepted(Listener& listener, Descriptor fd, const sockaddr_storage& peer) {
  const Places::InUse in_use{.connections = connections_.size(), .sockets = SocketsOpen()};
  if (const auto refusal = admission_.Refuse(listener.spec(), peer, in_use)) {
    return owners_.CountRefused(listener.spec().name, *refusal);
  }
  const uint64_t id = Place(std::move(fd), listener.plan(), AddressText(peer));
  connections_[id].host = PeerHost::Of(peer);
}

uint64_t Pilot::Impl::Place(Descriptor fd, std::shared_ptr<const ConnectionPlan> plan,
                            std::string peer) {
  const size_t least = LeastLoaded(load_);
  ++load_[least];
  const uint64_t id = ++last_connection_;
  connections_[id] = {static_cast<core::ShardId>(least), plan->owner, plan->inbound, {}};
  auto stats = owners_.StatsOf({plan->inbound, plan->owner}, static_cast<core::ShardId>(least));
  workers_[least]->mailbox().Post(NewConnection{.fd = std::move(fd),
                                                .plan = std::move(plan),
                                                .id = id,
                                                .peer = std::move(peer),
                                                .stats = std::move(stats)});
  return id;
}

uint64_t Pilot::Impl::SocketsOpen() const {
  uint64_t closed = 0;
  for (const auto& worker : workers_) closed += worker->counters().sockets_closed.Get();
  return last_connection_ - closed;
}

void Pilot::Impl::Close(uint64_t connection, const std::string& why) {
  const auto found = connections_.find(connection);
  if (found == connections_.end()) return;
  workers_[found->second.worker]->mailbox().Post(CloseConnection{connection, Forced(why)});
}

// --- reports of workers

void Pilot::Impl::TakeReports() {
  const auto take =
      Overload{[this](ShardNotices& notices) { Take(std::move(notices)); },
               [this](const ConnectionOpened& opened) { Take(opened); },
               [this](const ConnectionGone& gone) { Take(gone); },
               [this](const ViewLeft& left) { Take(left); },
               [this](ObservedPart& part) { live_.Take(std::move(part)); },
               [this](const MailboxHasRoom& room) { workers_[room.shard]->mailbox().Forward(); }};
  for (ReportBox::Batch& batch : reports_.Take()) {
    for (Report& report : batch) std::visit(take, report);
  }
}

void Pilot::Impl::Take(ShardNotices&& notices) {
  publisher_.Take(std::move(notices));
  PublishSoon();
}

void Pilot::Impl::Take(const ConnectionOpened& opened) {
  const ConnectionUp& event = opened.event;
  const auto found = connections_.find(event.id);
  if (event.inbound && found != connections_.end()) {
    admission_.Open(event.owner, found->second.host);
  }
  tls_use_.Opened(event);
  if (life_log_.Take()) {
    TL_LOG(info, "connection opened", {"id", event.id}, {"owner", event.owner},
           {"peer", event.peer}, {"container", event.container_id}, {"user", event.user},
           {"tls", event.tls});
  }
  options_.event(event);
}

void Pilot::Impl::Take(const ConnectionGone& gone) {
  const ConnectionDown& event = gone.event;
  --load_[gone.shard];
  const auto found = connections_.find(event.id);
  if (found == connections_.end()) return;
  if (event.inbound) admission_.Leave(event.owner, found->second.host, event.was_open);
  connections_.erase(found);
  tls_use_.Gone(event.id);
  // After a crowd has left, its table goes too.
  if (connections_.capacity() > kTableKept && connections_.size() < connections_.capacity() / 8) {
    connections_.rehash(0);
  }
  Log(event);
  // Of one that was only a look at the port nobody has to know but who looks at its frames.
  const bool failed = event.inbound && !event.error.empty();
  if (failed || event.was_open || publisher_.IsTraced(event.id)) options_.event(event);
  if (const auto dialer = dialers_.find(event.owner);
      !event.inbound && dialer != dialers_.end() && dialer->second->connection() == event.id) {
    dialer->second->Gone(event);
  }
}

void Pilot::Impl::Log(const ConnectionDown& event) {
  if (event.was_open) {
    if (!life_log_.Take()) return;
    TL_LOG(info, "connection closed", {"id", event.id}, {"owner", event.owner},
           {"peer", event.peer}, {"error", event.error});
  } else if (event.inbound && !event.error.empty()) {
    if (!failure_log_.Take()) return;
    TL_LOG(warning, "connection failed", {"id", event.id}, {"owner", event.owner},
           {"peer", event.peer}, {"error", event.error});
  } else {
    TL_LOG(debug, "connection was only a look", {"id", event.id}, {"owner", event.owner},
           {"peer", event.peer});
  }
}

void Pilot::Impl::Take(const ViewLeft& left) {
  publisher_.Take(left);
  barriers_.Check();
}

// --- views

void Pilot::Impl::PublishSoon() {
  if (std::exchange(publish_soon_, true)) return;
  // Behind everything that is in the inbox.
  asio::post(io_, [this] {
    publish_soon_ = false;
    publisher_.Publish();
  });
}

// --- Pilot

Pilot::Pilot(Options options) : impl_(std::make_unique<Impl>(std::move(options))) {}
Pilot::~Pilot() = default;
void Pilot::Start() { impl_->Start(); }
void Pilot::Stop() { impl_->Stop(); }
void Pilot::Post(std::function<void()> request) { impl_->Post(std::move(request)); }
RouterCounters Pilot::Counters() const { return ReadCounters(impl_->meters()); }
RouterMetrics Pilot::Metrics() const { return ReadMetrics(impl_->meters()); }
void Pilot::RestartLongestTurn() { impl_->RestartLongestTurn(); }
void Pilot::Apply(const ListenerSpec& spec, Done done) { impl_->Apply(spec, std::move(done)); }
void Pilot::Hold(const ListenerSpec& spec, const std::vector<std::string>& leaving, Done done) {
  impl_->Hold(spec, leaving, std::move(done));
}
void Pilot::DropHeld(Done done) { impl_->DropHeld(std::move(done)); }
void Pilot::Apply(const ConnectorSpec& spec, Done done) { impl_->Apply(spec, std::move(done)); }
void Pilot::Apply(std::shared_ptr<const core::AddressSettings> settings, Done done) {
  impl_->Apply(std::move(settings), std::move(done));
}
void Pilot::SetMemoryBudget(uint64_t bytes) { impl_->SetMemoryBudget(bytes); }
void Pilot::SetMaxConnections(uint32_t max_connections) {
  impl_->SetMaxConnections(max_connections);
}
void Pilot::RemoveListener(const std::string& name, Done done) {
  impl_->RemoveListener(name, std::move(done));
}
void Pilot::RemoveConnector(const std::string& name, Done done) {
  impl_->RemoveConnector(name, std::move(done));
}
void Pilot::SetTls(const std::string& profile, TlsInForce tls, Done done) {
  impl_->SetTls(profile, std::move(tls), std::move(done));
}
absl::StatusOr<size_t> Pilot::RetireTls(const TlsRetirement& retirement) {
  return impl_->RetireTls(retirement);
}
std::vector<TlsConnections> Pilot::ConnectionsByTls() const { return impl_->ConnectionsByTls(); }
void Pilot::RemoveTls(const std::string& profile, Done done) {
  impl_->RemoveTls(profile, std::move(done));
}
void Pilot::SetUsers(const std::string& store, std::shared_ptr<const sasl::Users> users,
                     Done done) {
  impl_->SetUsers(store, std::move(users), std::move(done));
}
void Pilot::RemoveUsers(const std::string& store, Done done) {
  impl_->RemoveUsers(store, std::move(done));
}
void Pilot::Drain(Duration limit) { impl_->Drain(limit); }
void Pilot::SetLookers(Lookers lookers, Done done) {
  impl_->SetLookers(std::move(lookers), std::move(done));
}
bool Pilot::Knows(uint64_t connection) const { return impl_->Knows(connection); }
LiveView& Pilot::live() { return impl_->live(); }

}  // namespace trunkline::net
