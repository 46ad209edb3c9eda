#include "control/store/store.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "control/config/error_details.h"
#include "control/config/file_watch.h"
#include "control/config/text.h"
#include "control/config/validate.h"
#include "control/store/state_format.h"
#include "google/protobuf/util/message_differencer.h"
#include "router/base/log.h"
#include "router/base/status.h"

namespace trunkline::store {
namespace {

constexpr LogModule kLogModule = LogModule::kControl;

constexpr char kPortInUse[] = "PORT_IN_USE";
constexpr char kCannotListen[] = "CANNOT_LISTEN";

using config::Concat;
using config::Problem;
using config::View;

// The resource at "listeners[amqp]"; null: there is none.
const google::protobuf::Message* FindByPath(const config::Document& document,
                                            const std::string& path) {
  const std::string name = config::NameOfPath(path);
  const config::Collection* const collection = config::CollectionOfName(name);
  return collection == nullptr ? nullptr : collection->Find(document, config::ResourceId(name));
}

bool IsSame(const google::protobuf::Message* a, const google::protobuf::Message* b) {
  return a != nullptr && b != nullptr && config::EtagOf(*a) == config::EtagOf(*b);
}

// What the router refused, as a caller of the API is told it.
absl::Status ToStatus(const std::vector<reconcile::Failure>& failures) {
  std::vector<config::Precondition> preconditions;
  std::string text;
  std::string reason;
  for (const reconcile::Failure& failure : failures) {
    const std::string_view message = View(failure.status.message());
    const bool in_use = message.ends_with(strerrordesc_np(EADDRINUSE));
    reason = in_use && (reason.empty() || reason == kPortInUse) ? kPortInUse : kCannotListen;
    preconditions.push_back({in_use ? kPortInUse : kCannotListen, config::NameOfPath(failure.path),
                             std::string(message)});
    absl::StrAppend(&text, text.empty() ? "" : "; ", config::NameOfPath(failure.path), ": ",
                    failure.status.message());
  }
  return config::WithPreconditions(config::WithReason(absl::FailedPreconditionError(text), reason),
                                   preconditions);
}

// The disk may be full, read-only or gone. Unknown: what is on it, too (StateDir::Save).
absl::Status NotKept(const absl::Status& status) {
  constexpr int64_t kRetryMilliseconds = 5000;
  const bool is_uncertain = absl::IsUnknown(status);
  const std::string_view what =
      is_uncertain
          ? "the change is not in force, but it may be on the disk, and a restart may bring "
            "it back until another change has been kept: "
          : "the change cannot be kept, and nothing was changed: ";
  return config::WithRetry(
      config::WithReason(
          absl::UnavailableError(
              Concat(what, status.message(),
                     "; make the state directory writable, with room for it, and try again")),
          is_uncertain ? "STATE_UNCERTAIN" : "STATE_NOT_WRITTEN"),
      kRetryMilliseconds);
}

absl::Status Stopping() {
  return config::WithReason(absl::UnavailableError("the router is stopping"), "STOPPING");
}

bool IsSame(const v1::RouterSpec& a, const v1::RouterSpec& b) {
  return google::protobuf::util::MessageDifferencer::Equals(a, b);
}

absl::Status CheckSize(const Secret& state, size_t bytes_max) {
  const size_t size = state.view().size();
  if (size <= bytes_max) return absl::OkStatus();
  return config::WithReason(
      absl::ResourceExhaustedError(Concat("what was made over the API would take ", size,
                                          " bytes in the state directory, more than ", bytes_max)),
      "STATE_TOO_LARGE");
}

size_t CountOf(const config::Document& document) {
  size_t count = 0;
  for (const config::Collection& collection : config::Collections()) {
    count += collection.Size(document);
  }
  return count;
}

}  // namespace

Store::Store(Options options, Hooks hooks)
    : options_(std::move(options)), hooks_(std::move(hooks)) {}

Store::~Store() = default;

absl::StatusOr<std::unique_ptr<Store>> Store::Open(Options options, Hooks hooks) {
  std::unique_ptr<Store> store(new Store(std::move(options), std::move(hooks)));
  const int64_t now = store->hooks_.now();
  store->file_stamp_ = config::StampOfFile(store->options_.file);  // before: as it is read
  TL_ASSIGN_OR_RETURN(Loaded loaded, LoadFile(store->options_.file, now / 1000));
  store->file_ = loaded.configuration.document;
  StampLayer({}, {.source = v1::SOURCE_CONFIG_FILE, .now = now}, store->file_);
  store->positions_ = std::move(loaded.positions);
  store->warnings_ = std::move(loaded.warnings);
  const std::string folder = store->options_.state_directory.empty()
                                 ? store->file_.control.state_directory()
                                 : store->options_.state_directory;
  if (!folder.empty()) {
    TL_ASSIGN_OR_RETURN(store->state_, StateDir::Open(folder));
    TL_ASSIGN_OR_RETURN(store->made_, store->state_->Read());
  }
  std::vector<Problem> problems;
  config::Document both = Merge(store->file_, store->made_, problems);
  for (Problem& problem : config::Validate(both)) problems.push_back(std::move(problem));
  Findings findings;
  if (problems.empty()) {
    store->in_force_ = Load(std::move(both), {.same = &loaded.configuration}, now / 1000, findings);
    problems = std::move(findings.problems);
    // What the file says has to be there. What was made over the API may come to be there later.
    store->missing_ = TakeMissing(problems, [&](const std::string& path) {
      return FindByPath(store->made_, path) != nullptr;
    });
  }
  Locate(store->positions_, problems);
  if (problems.empty()) return store;
  return absl::InvalidArgumentError(FormatProblems(store->options_.file, problems));
}

std::vector<reconcile::Failure> Store::Start(Router& router, Changed changed) {
  changed_ = std::move(changed);
  reconciler_ = std::make_unique<reconcile::Reconciler>(router);
  std::vector<reconcile::Failure> of_file;
  PutInForce();
  for (const auto& [path, status] : failures_) {
    // "listeners[amqp]" of the file has a place there.
    if (options_.file.empty() || positions_.contains(path)) of_file.push_back({path, status});
  }
  std::map<std::string, absl::Status> told;  // by who hears of them
  for (const reconcile::Failure& failure : of_file) told[failure.path] = failure.status;
  LogFailures(told);
  return of_file;
}

void Store::Retry(std::function<void(const std::vector<std::string>& paths)> done) {
  Add({.run = [this, done = std::move(done)] { done(RetryNow()); },
       .refuse = [](const absl::Status&) {}});
}

std::vector<std::string> Store::RetryNow() {
  const std::map<std::string, absl::Status> before = failures_;
  if (!missing_.empty()) {
    Findings findings;
    Configuration loaded = Load(in_force_.document, {.same = &in_force_, .in_force = &in_force_},
                                hooks_.now() / 1000, findings);
    in_force_ = std::move(loaded);
    missing_ = TakeMissing(findings.problems,
                           [this](const std::string& path) { return missing_.contains(path); });
  }
  PutInForce();
  LogFailures(before);
  std::vector<std::string> changed;
  for (const auto& [path, status] : before) {
    const auto now = failures_.find(path);
    if (now == failures_.end()) TL_LOG(info, "in force after all", {"resource", path});
    if (now == failures_.end() || now->second != status) changed.push_back(path);
  }
  for (const auto& [path, status] : failures_) {
    if (!before.contains(path)) changed.push_back(path);
  }
  return changed;
}

void Store::PutInForce() {
  failures_ = missing_;
  reconcile::Resources want = reconcile::ResourcesOf(in_force_.document, in_force_.passwords);
  const auto lacks = [this](std::string_view section) {
    return [this, section](const auto& one) {
      return missing_.contains(Concat(section, "[", one.first, "]"));
    };
  };
  std::erase_if(want.listeners, lacks("listeners"));
  std::erase_if(want.connectors, lacks("connectors"));
  for (reconcile::Failure& failure :
       reconciler_->Reconcile({in_force_.profiles, in_force_.stores}, std::move(want))) {
    failures_[failure.path] = std::move(failure.status);
  }
}

// But for those that were told.
void Store::LogFailures(const std::map<std::string, absl::Status>& told) const {
  for (const auto& [path, status] : failures_) {
    const auto found = told.find(path);
    if (found != told.end() && found->second == status) continue;
    TL_LOG(error, "not in force", {"resource", path}, {"error", View(status.message())});
  }
}

void Store::Mutate(Change change, How how, Done done) {
  Enqueue({.run = [this, change = std::move(change), how, done] { Run(change, how, done); },
           .refuse = done});
}

// ResourceExhausted: too many wait.
void Store::Enqueue(Waiting change) {
  if (pending_.size() < options_.pending_max) return Add(std::move(change));
  change.refuse(config::WithRetry(
      config::WithReason(absl::ResourceExhaustedError("too many changes wait for the disk"),
                         "TOO_MANY_CHANGES"),
      1000));
}

void Store::Add(Waiting change) {
  if (stopped_) return change.refuse(Stopping());
  pending_.push_back(std::move(change));
  Next();
}

void Store::Next() {
  while (!write_ && !pending_.empty()) {
    const Waiting next = std::move(pending_.front());
    pending_.pop_front();
    next.run();
  }
}

void Store::Stop() {
  stopped_ = true;
  const std::deque<Waiting> refused = std::exchange(pending_, {});
  EndWrite();
  for (const Waiting& change : refused) change.refuse(Stopping());
}

void Store::Run(const Change& change, How how, Done done) {
  config::Document made = made_;
  if (absl::Status status = change(made); !status.ok()) return done(std::move(status));
  StampLayer(made_, {.now = hooks_.now(), .random = &hooks_.random}, made);
  ForgetInline(made_, made);
  ForgetUsers(file_, made);
  std::vector<Difference> differences = Differences(made_, made);
  if (differences.empty() && made.built_in_users == made_.built_in_users &&
      IsSame(made.router, made_.router)) {
    return done(Outcome{.persisted = state_ != nullptr});
  }
  absl::StatusOr<Plan> plan = MakePlan(file_, positions_, std::move(made));
  if (!plan.ok()) return done(plan.status());
  if (absl::Status status = CheckDates(*plan); !how.allow_expired && !status.ok()) {
    return done(std::move(status));
  }
  plan->differences = std::move(differences);
  const reconcile::Resources want = ToPrepare(plan->configuration);
  const std::vector<reconcile::Failure> failures =
      how.mode == Mode::kValidate ? reconciler_->Check(want) : reconciler_->Prepare(want);
  if (!failures.empty()) return done(ToStatus(failures));
  if (how.mode == Mode::kValidate)
    return done(Outcome{.differences = std::move(plan->differences)});
  Persist(std::make_shared<Plan>(*std::move(plan)), std::move(done));
}

void Store::Persist(std::shared_ptr<Plan> plan, Done done) {
  const auto end = [this, plan, done](const absl::Status& status) {
    if (!status.ok()) {
      reconciler_->Undo();
      return done(NotKept(status));
    }
    Outcome outcome{.differences = plan->differences, .persisted = state_ != nullptr};
    Commit(std::move(*plan));
    done(std::move(outcome));
  };
  if (state_ == nullptr) return end(absl::OkStatus());
  const auto written = std::make_shared<std::promise<absl::Status>>();
  write_ = Write{.status = written->get_future(), .end = end};
  state_->Save(std::exchange(plan->state, {}), [this, written](absl::Status status) {
    written->set_value(std::move(status));
    hooks_.post([this] { EndWrite(); });
  });
}

// Waits for it, unless what tells that it is over has come. Stop may have been faster.
void Store::EndWrite() {
  if (!write_) return;
  Write write = *std::exchange(write_, std::nullopt);
  const absl::Status status = write.status.get();
  ++(status.ok() ? writes_.ok : writes_.failed);
  write.end(status);
  Next();
}

absl::StatusOr<Store::Plan> Store::MakePlan(config::Document file, config::Positions positions,
                                            config::Document made) const {
  if (CountOf(made) > options_.resources_max) {
    return config::WithReason(
        absl::ResourceExhaustedError(Concat("more than ", options_.resources_max, " resources")),
        "TOO_MANY_RESOURCES");
  }
  Plan plan{.file = std::move(file), .positions = std::move(positions), .made = std::move(made)};
  std::vector<Problem> problems;
  config::Document both = Merge(plan.file, plan.made, problems);
  for (Problem& problem : config::Validate(both)) problems.push_back(std::move(problem));
  if (!problems.empty()) return config::StatusOf(problems);
  Findings findings;
  plan.configuration = Load(std::move(both), {.same = &in_force_, .in_force = &in_force_},
                            hooks_.now() / 1000, findings);
  // Who changes one resource need not mend another.
  plan.missing = TakeMissing(findings.problems, [&](const std::string& path) {
    return missing_.contains(path) && IsSame(FindByPath(made_, path), FindByPath(plan.made, path));
  });
  if (!findings.problems.empty()) return config::StatusOf(findings.problems);
  if (state_ != nullptr) {
    TL_ASSIGN_OR_RETURN(plan.state, EncodeState(plan.made));
    TL_RETURN_IF_ERROR(CheckSize(plan.state, options_.state_bytes_max));
  }
  return plan;
}

// A profile that is new, or another than before, has no certificate outside of its dates but the
// one that it had.
absl::Status Store::CheckDates(const Plan& plan) const {
  std::vector<Problem> problems;
  for (const auto& [id, resource] : plan.made.tls_profiles) {
    const auto loaded = plan.configuration.profiles.find(id);
    if (loaded == plan.configuration.profiles.end() || MayCount(id, loaded->second)) continue;
    const auto before = made_.tls_profiles.find(id);
    const bool is_same = before != made_.tls_profiles.end() && IsSame(&before->second, &resource);
    if (is_same) continue;
    problems.push_back(ProblemOfProfile(id, loaded->second.dates));
    problems.back().text += "; allow_expired takes it all the same";
  }
  return problems.empty() ? absl::OkStatus() : config::StatusOf(problems);
}

// Listeners that have no place and stay as they are keep nobody from changing something else.
reconcile::Resources Store::ToPrepare(const Configuration& next) const {
  reconcile::Resources want = reconcile::ResourcesOf(next.document, next.passwords);
  std::erase_if(want.listeners, [&](const auto& listener) {
    const std::string path = Concat("listeners[", listener.first, "]");
    return failures_.contains(path) &&
           IsSame(FindByPath(in_force_.document, path), FindByPath(next.document, path));
  });
  return want;
}

void Store::Commit(Plan plan) {
  const v1::RouterSpec router = in_force_.document.router;
  const bool is_over_api = !IsSame(made_.router, plan.made.router);
  file_ = std::move(plan.file);
  positions_ = std::move(plan.positions);
  made_ = std::move(plan.made);
  in_force_ = std::move(plan.configuration);
  missing_ = std::move(plan.missing);
  const std::map<std::string, absl::Status> before = failures_;
  PutInForce();
  LogFailures(before);
  if (!IsSame(router, in_force_.document.router)) {
    router_changed_(is_over_api ? v1::SOURCE_API : v1::SOURCE_CONFIG_FILE);
  }
  changed_(plan.differences);
}

void Store::Reload(Allow allow, std::function<void(absl::StatusOr<Reloaded>)> done) {
  Add({.run = [this, allow = std::move(allow), done] { done(ReloadNow(allow)); }, .refuse = done});
}

absl::StatusOr<Store::Reloaded> Store::ReloadNow(const Allow& allow) {
  const int64_t now = hooks_.now();
  file_stamp_ = config::StampOfFile(options_.file);
  TL_ASSIGN_OR_RETURN(Loaded loaded, LoadFile(options_.file, now / 1000, &in_force_));
  Plan plan{.file = loaded.configuration.document, .positions = loaded.positions, .made = made_};
  StampLayer(file_, {.source = v1::SOURCE_CONFIG_FILE, .now = now}, plan.file);
  std::vector<Problem> problems;
  config::Document both = Merge(plan.file, plan.made, problems);
  for (Problem& problem : config::Validate(both)) problems.push_back(std::move(problem));
  Findings findings;
  if (problems.empty()) {
    // What was read just now, and of the rest what is on the disk.
    plan.configuration =
        Load(std::move(both), {.same = &loaded.configuration, .in_force = &in_force_}, now / 1000,
             findings);
    problems = std::move(findings.problems);
    plan.missing =
        TakeMissing(problems, [this](const std::string& path) { return missing_.contains(path); });
  }
  Locate(plan.positions, problems);
  if (!problems.empty()) {
    return absl::InvalidArgumentError(FormatProblems(options_.file, problems));
  }
  TL_RETURN_IF_ERROR(allow(plan.configuration, loaded.warnings));
  const std::vector<reconcile::Failure> failures =
      reconciler_->Prepare(ToPrepare(plan.configuration));
  if (!failures.empty()) return ToStatus(failures);
  plan.differences = Differences(file_, plan.file);
  Reloaded reloaded{.differences = plan.differences, .warnings = std::move(loaded.warnings)};
  Commit(std::move(plan));
  return reloaded;
}

std::string Store::PlaceOf(const config::Collection& collection, const std::string& id) const {
  return PlaceOf(Concat(collection.section(), "[", id, "]"));
}

std::string Store::PlaceOf(const std::string& path) const {
  const auto found = positions_.find(path);
  if (found == positions_.end()) return options_.file;
  return Concat(options_.file, ":", found->second.line);
}

void Store::FollowUsers() { InTurn(users_look_); }

void Store::InTurn(Look& look) {
  if (std::exchange(look.waits, true)) return;
  Add({.run =
           [this, &look] {
             look.waits = false;
             (this->*look.look)();
           },
       .refuse = [](const absl::Status&) {}});
}

void Store::LookAtUsers() {
  for (const auto& [id, resource] : in_force_.document.user_stores) {
    // What lacks its files is Retry's.
    if (resource.spec().built_in() || missing_.contains(Concat("user_stores[", id, "]"))) continue;
    if (users::StampOf(resource.spec()) == reconciler_->UsersStamp(id)) {
      users_troubles_.erase(id);
      continue;
    }
    absl::StatusOr<users::Store> store = users::LoadStore(resource.spec(), &in_force_.stores[id]);
    absl::Status status = store.ok() ? reconciler_->SetUsers(id, *store) : store.status();
    if (status.ok()) {
      users_troubles_.erase(id);
      TL_LOG(info, "users in force", {"user_store", id}, {"users", store->users->size()});
      in_force_.stores[id] = *std::move(store);
    } else if (std::exchange(users_troubles_[id], std::string(status.message())) !=
               View(status.message())) {
      TL_LOG(error, "users not read again: those read last stay in force", {"user_store", id},
             {"error", View(status.message())});
    }
  }
}

}  // namespace trunkline::store
