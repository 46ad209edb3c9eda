#include "router/router.h"

#include <future>
#include <map>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "router/base/log.h"
#include "router/base/status.h"
#include "router/core/binding.h"
#include "router/net/event_queue.h"
#include "router/net/machine.h"
#include "router/net/mailbox.h"
#include "router/net/observation.h"
#include "router/net/pilot.h"
#include "router/net/tracing.h"
#include "router/tls/context.h"

namespace trunkline {
namespace {

constexpr LogModule kLogModule = LogModule::kRouter;

core::Treatment TreatmentOf(Distribution distribution) {
  switch (distribution) {
    case Distribution::kClosest:
      return core::Treatment::kClosest;
    case Distribution::kMulticast:
      return core::Treatment::kMulticast;
    case Distribution::kUnavailable:
      return core::Treatment::kUnavailable;
    case Distribution::kBalanced:
      break;
  }
  return core::Treatment::kBalanced;
}

Distribution DistributionOf(core::Treatment treatment) {
  switch (treatment) {
    case core::Treatment::kClosest:
      return Distribution::kClosest;
    case core::Treatment::kMulticast:
      return Distribution::kMulticast;
    case core::Treatment::kUnavailable:
      return Distribution::kUnavailable;
    case core::Treatment::kBalanced:
      break;
  }
  return Distribution::kBalanced;
}

core::AddressSetting SettingOf(const AddressSpec& spec) {
  core::AddressSetting setting;
  const std::string pattern = spec.prefix.empty() ? spec.pattern : absl::StrCat(spec.prefix, "/#");
  setting.pattern = core::NormalisePattern(pattern);
  setting.treatment = TreatmentOf(spec.distribution);
  setting.ingress_phase = static_cast<char>('0' + (spec.waypoint ? 0 : spec.ingress_phase));
  setting.egress_phase = static_cast<char>('0' + (spec.waypoint ? 1 : spec.egress_phase));
  if (spec.priority) setting.priority = static_cast<uint8_t>(*spec.priority);
  setting.fallback = spec.enable_fallback;
  return setting;
}

// Nobody shall guess it by trying: names that the router makes, and the order of its tables, hang
// on it.
uint64_t Seed() {
  std::random_device device;
  return uint64_t{device()} << 32 | device();
}

}  // namespace

class Router::Impl {
 public:
  Impl(const RouterSpec& spec, const net::Machine& machine, net::Pilot::Options options, Wake wake,
       size_t events_max);

  // Runs `request` on the pilot's thread and waits until it is done.
  template <typename Request>
  absl::Status Ask(Request request) {
    if (stopped_) return absl::FailedPreconditionError("the router is stopped");
    std::promise<absl::Status> answer;
    pilot_.Post([&] {
      request(pilot_, [&answer](absl::Status status) { answer.set_value(std::move(status)); });
    });
    return answer.get_future().get();
  }

  const RouterSettings& settings() const { return spec_.settings; }
  // What addresses are by these, for all workers.
  absl::Status Apply(const std::vector<AddressSpec>& addresses, Distribution default_distribution);
  absl::Status Apply(const RouterSettings& settings);
  absl::Status Apply(const std::vector<AddressSpec>& addresses) {
    return Apply(addresses, spec_.settings.default_distribution);
  }
  std::vector<RouterEvent> TakeEvents() {
    std::vector<RouterEvent> events = events_.Take();
    for (const RouterEvent& event : events) {
      if (std::holds_alternative<Observed>(event)) --observations_;
    }
    return events;
  }
  absl::StatusOr<uint64_t> Observe(const ObserveWish& wish);
  AddressResolution Resolve(const std::string& address);
  RouterCounters Counters() const { return pilot_.Counters(); }
  RouterMetrics Metrics() const { return pilot_.Metrics(); }
  std::vector<TlsConnections> ConnectionsByTls() const { return pilot_.ConnectionsByTls(); }
  void RestartLongestTurn() { pilot_.RestartLongestTurn(); }
  absl::StatusOr<uint64_t> OpenTap(const TapSpec& spec);
  absl::StatusOr<uint64_t> OpenFrameTrace(const FrameTraceSpec& spec);
  void StopLooking(uint64_t number);
  net::Tracing& tracing() { return tracing_; }
  void Drain(Duration limit) {
    if (!stopped_) pilot_.Post([this, limit] { pilot_.Drain(limit); });
  }
  void Stop() {
    if (std::exchange(stopped_, true)) return;
    pilot_.Stop();
    LogWork();
  }

 private:
  net::Lookers Lookers() const { return {tracing_.taps(), tracing_.frames()}; }
  void LogWork() const;
  net::Pilot::Options WithEvents(net::Pilot::Options options);

  RouterSpec spec_;
  const net::Machine machine_;
  const Wake wake_;
  net::EventQueue events_;
  bool stopped_ = false;
  size_t observations_ = 0;  // under way
  uint64_t last_observation_ = 0;
  std::vector<AddressSpec> addresses_;
  std::shared_ptr<const core::AddressSettings> settings_;  // of addresses_, and the default
  std::map<std::string, std::string> setting_names_;       // by pattern
  bool taken_up_ = true;                                   // settings_, by all workers
  Random random_{0};                                       // of what nobody uses
  net::Tracing tracing_;
  net::Pilot pilot_;
};

Router::Impl::Impl(const RouterSpec& spec, const net::Machine& machine, net::Pilot::Options options,
                   Wake wake, size_t events_max)
    : spec_(spec),
      machine_(machine),
      wake_(std::move(wake)),
      events_(events_max),
      settings_(options.settings),
      tracing_(static_cast<size_t>(options.workers), wake_),
      pilot_(WithEvents(std::move(options))) {
  pilot_.Start();
}

net::Pilot::Options Router::Impl::WithEvents(net::Pilot::Options options) {
  options.event = [this](RouterEvent event) {
    if (events_.Push(std::move(event)) && wake_) wake_();
  };
  return options;
}

absl::StatusOr<uint64_t> Router::Impl::Observe(const ObserveWish& wish) {
  if (stopped_) return absl::FailedPreconditionError("the router is stopped");
  if (observations_ == kObservationsMax) {
    return absl::ResourceExhaustedError(
        absl::StrCat("others look at the router already, ", kObservationsMax, " of them"));
  }
  ++observations_;
  const uint64_t request = ++last_observation_;
  pilot_.Post([this, request, wish] { pilot_.live().Observe(request, wish); });
  return request;
}

absl::Status Router::Impl::Apply(const std::vector<AddressSpec>& addresses,
                                 Distribution default_distribution) {
  std::vector<core::AddressSetting> settings;
  std::map<std::string, std::string> names;
  for (const AddressSpec& address : addresses) {
    settings.push_back(SettingOf(address));
    names[settings.back().pattern] = address.name;
  }
  TL_ASSIGN_OR_RETURN(auto built, core::AddressSettings::Build(std::move(settings),
                                                               TreatmentOf(default_distribution)));
  if (stopped_) return absl::FailedPreconditionError("the router is stopped");
  addresses_ = addresses;
  spec_.settings.default_distribution = default_distribution;
  settings_ = built;
  setting_names_ = std::move(names);
  const absl::Status status =
      Ask([&](net::Pilot& pilot, auto done) { pilot.Apply(std::move(built), done); });
  taken_up_ = status.ok();
  return status;
}

// What could be refused goes first.
absl::Status Router::Impl::Apply(const RouterSettings& settings) {
  absl::Status status;
  if (settings.default_distribution != spec_.settings.default_distribution || !taken_up_) {
    status = Apply(addresses_, settings.default_distribution);
    if (!status.ok() && !absl::IsDeadlineExceeded(status)) return status;
  }
  TL_RETURN_IF_ERROR(Ask([&](net::Pilot& pilot, auto done) {
    pilot.SetMemoryBudget(net::MemoryBudgetFor(settings.memory_budget_bytes, machine_));
    pilot.SetMaxConnections(settings.max_connections);
    done(absl::OkStatus());
  }));
  spec_.settings = settings;
  return status;
}

AddressResolution Router::Impl::Resolve(const std::string& address) {
  const core::LocalIdentity me{.router_id = spec_.id};
  const core::BindingContext context{me, settings_.get(), random_};
  const core::AttachRequest attach{.address = address};
  const core::Binding producer = core::BindProducer(attach, context);
  AddressResolution found;
  found.distribution = DistributionOf(producer.treatment);
  found.reserved = producer.control;
  found.key = producer.key;
  found.fallback_key = producer.fallback_key;
  found.consumer_key = core::BindConsumer(attach, context).key;
  const core::AddressSetting* setting =
      settings_ == nullptr ? nullptr : settings_->ForKey(core::MakeKey(address, '0', me));
  if (setting == nullptr) return found;
  found.distribution = DistributionOf(setting->treatment);
  if (const auto name = setting_names_.find(setting->pattern); name != setting_names_.end()) {
    found.setting = name->second;
  }
  return found;
}

absl::StatusOr<uint64_t> Router::Impl::OpenTap(const TapSpec& spec) {
  TL_ASSIGN_OR_RETURN(const uint64_t number, tracing_.Open(spec));
  const absl::Status status =
      Ask([&](net::Pilot& pilot, auto done) { pilot.SetLookers(Lookers(), done); });
  if (status.ok()) return number;
  StopLooking(number);
  return status;
}

absl::StatusOr<uint64_t> Router::Impl::OpenFrameTrace(const FrameTraceSpec& spec) {
  const uint64_t number = tracing_.Open(spec);
  const absl::Status status = Ask([&](net::Pilot& pilot, auto done) {
    if (spec.connection != 0 && !pilot.Knows(spec.connection)) {
      return done(absl::NotFoundError(absl::StrCat("there is no connection ", spec.connection)));
    }
    pilot.SetLookers(Lookers(), done);
  });
  if (status.ok()) return number;
  StopLooking(number);
  return status;
}

void Router::Impl::StopLooking(uint64_t number) {
  tracing_.Close(number);
  if (stopped_) return;
  pilot_.Post([this, lookers = Lookers()] { pilot_.SetLookers(lookers, [](absl::Status) {}); });
}

void Router::Impl::LogWork() const {
  const RouterCounters sum = Counters();
  TL_LOG(info, "router stopped", {"connections", sum.connections_total},
         {"deliveries_in", sum.deliveries_in}, {"deliveries_out", sum.deliveries_out},
         {"accepted", sum.accepted}, {"bytes_read", sum.bytes_read},
         {"bytes_written", sum.bytes_written}, {"mails", sum.mails_sent},
         {"mails_parked", sum.mails_parked}, {"wakes", sum.wakes}, {"turns", sum.turns},
         {"longest_turn_us", sum.longest_turn.ns / kMicrosecond.ns});
}

Router::Router() = default;
Router::~Router() { Stop(); }

absl::StatusOr<std::unique_ptr<Router>> Router::Start(const RouterSpec& spec, Wake wake,
                                                      size_t events_max) {
  if (spec.id.empty()) return absl::InvalidArgumentError("id: must not be empty");
  if (spec.workers < 0 || spec.workers > int{net::Mailbox::kWorkersMax}) {
    return absl::InvalidArgumentError(
        absl::StrCat("workers: ", spec.workers, " is not in 0..", net::Mailbox::kWorkersMax));
  }
  TL_ASSIGN_OR_RETURN(auto settings, core::AddressSettings::Build(
                                         {}, TreatmentOf(spec.settings.default_distribution)));
  const net::Machine machine = net::ReadMachine();
  const net::WorkerCount count = net::WorkersFor(spec.workers, machine);
  net::Pilot::Options options;
  options.spec = spec;
  options.settings = std::move(settings);
  options.workers = count.workers;
  options.memory_budget_bytes = net::MemoryBudgetFor(spec.settings.memory_budget_bytes, machine);
  options.seed = Seed();
  options.hash_seed = Seed();
  TL_LOG(info, "router started", {"id", spec.id}, {"version", spec.version},
         {"workers", count.workers}, {"because", count.reason},
         {"memory_budget_bytes", options.memory_budget_bytes});
  std::unique_ptr<Router> router(new Router());
  router->impl_ =
      std::make_unique<Impl>(spec, machine, std::move(options), std::move(wake), events_max);
  return router;
}

absl::Status Router::Apply(const ListenerSpec& spec) {
  return impl_->Ask([&](net::Pilot& pilot, auto done) { pilot.Apply(spec, done); });
}

absl::Status Router::Hold(const ListenerSpec& spec, const std::vector<std::string>& leaving) {
  return impl_->Ask([&](net::Pilot& pilot, auto done) { pilot.Hold(spec, leaving, done); });
}

void Router::DropHeld() {
  // Refused by a router that is stopped, which holds nothing.
  impl_->Ask([](net::Pilot& pilot, auto done) { pilot.DropHeld(done); }).IgnoreError();
}

absl::Status Router::Apply(const ConnectorSpec& spec) {
  return impl_->Ask([&](net::Pilot& pilot, auto done) { pilot.Apply(spec, done); });
}

absl::Status Router::Apply(const std::vector<AddressSpec>& addresses) {
  return impl_->Apply(addresses);
}

absl::Status Router::Apply(const RouterSettings& settings) { return impl_->Apply(settings); }
const RouterSettings& Router::settings() const { return impl_->settings(); }

absl::Status Router::RemoveListener(const std::string& name) {
  return impl_->Ask([&](net::Pilot& pilot, auto done) { pilot.RemoveListener(name, done); });
}

absl::Status Router::RemoveConnector(const std::string& name) {
  return impl_->Ask([&](net::Pilot& pilot, auto done) { pilot.RemoveConnector(name, done); });
}

absl::Status Router::SetTls(const std::string& profile, std::shared_ptr<const tls::Context> context,
                            uint64_t revision) {
  if (context == nullptr) return absl::InvalidArgumentError("tls: must not be null");
  return impl_->Ask([&](net::Pilot& pilot, auto done) {
    pilot.SetTls(profile, {.context = context, .revision = revision}, done);
  });
}

absl::StatusOr<size_t> Router::RetireTls(const TlsRetirement& retirement) {
  absl::StatusOr<size_t> count;
  TL_RETURN_IF_ERROR(impl_->Ask([&](net::Pilot& pilot, auto done) {
    count = pilot.RetireTls(retirement);
    done(count.status());
  }));
  return count;
}

absl::Status Router::RemoveTls(const std::string& profile) {
  return impl_->Ask([&](net::Pilot& pilot, auto done) { pilot.RemoveTls(profile, done); });
}

absl::Status Router::SetUsers(const std::string& store, std::shared_ptr<const sasl::Users> users) {
  if (users == nullptr) return absl::InvalidArgumentError("users: must not be null");
  return impl_->Ask([&](net::Pilot& pilot, auto done) { pilot.SetUsers(store, users, done); });
}

absl::Status Router::RemoveUsers(const std::string& store) {
  return impl_->Ask([&](net::Pilot& pilot, auto done) { pilot.RemoveUsers(store, done); });
}

absl::StatusOr<uint64_t> Router::Observe(const ObserveWish& wish) { return impl_->Observe(wish); }

absl::Status Router::CloseConnection(uint64_t connection, const std::string& description) {
  return impl_->Ask([&](net::Pilot& pilot, auto done) {
    done(pilot.live().CloseConnection(connection, description));
  });
}

absl::Status Router::CloseLink(uint64_t connection, uint64_t link, const std::string& description) {
  return impl_->Ask([&](net::Pilot& pilot, auto done) {
    done(pilot.live().CloseLink(connection, link, description));
  });
}

absl::Status Router::SwitchLink(uint64_t connection, uint64_t link, LinkSwitch to) {
  return impl_->Ask(
      [&](net::Pilot& pilot, auto done) { done(pilot.live().Switch(connection, link, to)); });
}

AddressResolution Router::Resolve(const std::string& address) const {
  return impl_->Resolve(address);
}

absl::StatusOr<uint64_t> Router::OpenTap(const TapSpec& spec) { return impl_->OpenTap(spec); }
absl::StatusOr<uint64_t> Router::OpenFrameTrace(const FrameTraceSpec& spec) {
  return impl_->OpenFrameTrace(spec);
}
bool Router::IsThere(uint64_t connection) {
  bool there = false;
  const absl::Status asked = impl_->Ask([&](net::Pilot& pilot, auto done) {
    there = pilot.Knows(connection);
    done(absl::OkStatus());
  });
  return asked.ok() && there;
}
Samples<MessageSample> Router::TakeSamples(uint64_t tap) {
  return impl_->tracing().TakeSamples(tap);
}
Samples<TracedFrame> Router::TakeFrames(uint64_t trace) {
  return impl_->tracing().TakeFrames(trace);
}
void Router::StopLooking(uint64_t number) { impl_->StopLooking(number); }

std::vector<RouterEvent> Router::TakeEvents() { return impl_->TakeEvents(); }
RouterCounters Router::Counters() const { return impl_->Counters(); }
RouterMetrics Router::Metrics() const { return impl_->Metrics(); }
std::vector<TlsConnections> Router::ConnectionsByTls() const { return impl_->ConnectionsByTls(); }
void Router::RestartLongestTurn() { impl_->RestartLongestTurn(); }
void Router::Drain(Duration limit) { impl_->Drain(limit); }

void Router::Stop() {
  if (impl_ != nullptr) impl_->Stop();
}

}  // namespace trunkline
