#include "tests/sim/worker.h"

#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"

namespace trunkline::sim {
namespace {

// Bytes that one connection may read in a turn.
constexpr size_t kReadQuantum = 64 * 1024;

// Whose link it is; null: it is gone.
const core::Connection* ConnectionOf(core::Shard& shard, uint64_t link) {
  const core::Connection* found = nullptr;
  const auto look = [&](const auto& one) {
    if (one.number == link) found = one.connection;
  };
  shard.WalkInLinks(0, UINT32_MAX, look);
  shard.WalkOutLinks(0, UINT32_MAX, look);
  return found;
}

// A piece of mail, for people.
std::string TextOf(const core::Envelope& mail) {
  if (const auto* deliver = std::get_if<core::Deliver>(&mail)) {
    return absl::StrCat("deliver ", deliver->in.index, ".", deliver->in.generation, ", ",
                        deliver->payload.bytes(), " bytes",
                        deliver->complete ? "" : ", more to come");
  }
  if (const auto* more = std::get_if<core::More>(&mail)) {
    return absl::StrCat("more of ", more->in.index, ".", more->in.generation, ", ",
                        more->payload.bytes(), " bytes", more->complete ? ", complete" : "",
                        more->aborted ? ", aborted" : "");
  }
  if (const auto* answer = std::get_if<core::Answer>(&mail)) {
    return absl::StrCat("answer to ", answer->in.index, ".", answer->in.generation, ", passed ",
                        answer->passed, ", outcome ", static_cast<int>(answer->outcome.kind),
                        answer->settled ? ", settled" : "", answer->done ? ", done" : "");
  }
  if (const auto* bounced = std::get_if<core::Bounced>(&mail)) {
    return absl::StrCat("bounced ", bounced->in.index, ".", bounced->in.generation);
  }
  constexpr const char* kNames[] = {"nothing", "ready",   "refused", "deliver", "more",   "says",
                                    "answer",  "bounced", "fence",   "ack",     "returns"};
  return mail.index() < std::size(kNames) ? kNames[mail.index()] : "?";
}

}  // namespace

Worker::Worker(Context& context, WorkerPlan plan, Desk& desk, Rings& rings, const View* first)
    : context_(context),
      plan_(plan),
      desk_(desk),
      rings_(rings),
      pool_(plan.id),
      workspace_(pool_),
      shard_({.id = plan.id,
              .identity = {.router_id = "R"},
              .seed = plan.seed,
              .link_budget_bytes = plan.link_budget_bytes,
              .emit_quantum_bytes = plan.emit_quantum_bytes},
             pool_),
      view_(first) {
  shard_.BeginTurn(context_.now);
  shard_.Adopt(
      {.version = view_->version, .routes = &view_->routes, .settings = view_->settings.get()});
}

void Worker::Stop() { ports_.clear(); }  // they close at the shard

void Worker::Take(Wire& wire, const conn::DriverOptions& options) {
  Port& port = ports_.emplace_back();
  port.wire = &wire;
  conn::DriverOptions mine = options;
  mine.tag = ports_.size() - 1;
  port.driver = std::make_unique<conn::Driver>(mine, shard_, workspace_);
  port.deadline = port.driver->Tick(context_.now);
  port.in_flush = true;
}

// --- the turn

void Worker::Turn(const Pilot& pilot, bool quiet) {
  const Time now = context_.now;
  context_.journal.Mix(plan_.id);
  shard_.BeginTurn(now);
  FollowBudget();
  std::vector<size_t> parse;
  for (size_t i = 0; i < ports_.size(); ++i) {
    Port& port = ports_[i];
    if (port.blocked && port.wire->to_client.room() > 0) {
      port.blocked = false;
      port.in_flush = true;
    }
    if (IsReadable(port) && (quiet || context_.Chance(70)) && Read(port, quiet)) parse.push_back(i);
  }
  Adopt(pilot);
  for (const size_t i : parse) {
    ports_[i].driver->Parse(now);
    ports_[i].in_flush = true;
  }
  TakeMail(quiet);
  for (Port& port : ports_) {
    if (!port.driver || port.deadline > now) continue;
    port.deadline = port.driver->Tick(now);
    port.in_flush = true;
  }
  work_left_ = shard_.Emit(now);
  Post();
  for (const uint64_t tag : std::exchange(workspace_.touched, {})) ports_[tag].in_flush = true;
  for (Port& port : ports_) {
    if (std::exchange(port.in_flush, false) && port.driver) Flush(port);
  }
  Post();
  ChargeBudget();
}

bool Worker::IsReadable(const Port& port) const {
  return port.driver && !port.input_ended && port.wire->to_router.readable() &&
         port.driver->WantsInput();
}

bool Worker::Read(Port& port, bool quiet) {
  Pipe& pipe = port.wire->to_router;
  bool any = false;
  for (size_t total = 0; total < kReadQuantum && port.driver->WantsInput();) {
    if (pipe.at_end()) {
      port.input_ended = true;
      port.driver->InputEnded();
      return true;
    }
    const absl::Span<uint8_t> room = port.driver->Room();
    const size_t n = std::min(room.size(), pipe.size());
    const std::string_view bytes = pipe.Read(quiet ? n : SomeBytes(context_.random, n));
    if (bytes.empty()) break;
    std::memcpy(room.data(), bytes.data(), bytes.size());
    port.driver->Received(bytes.size());
    total += bytes.size();
    any = true;
    if (!quiet && context_.Chance(50)) break;
  }
  return any;
}

void Worker::Adopt(const Pilot& pilot) {
  if (!pilot.IsLive(view_->version)) {
    context_.verdict.Fail("views", absl::StrCat("worker ", plan_.id, " reads a View that is gone"));
  }
  const View* view = std::exchange(desk_.slot, nullptr);
  if (view == nullptr) return;
  const uint64_t left = view_->version;
  shard_.Adopt(
      {.version = view->version, .routes = &view->routes, .settings = view->settings.get()});
  view_ = view;
  context_.ledger.Adopted(plan_.id, view->version);
  desk_.to_pilot.emplace_back(Desk::Left{.left = left, .adopted = view->version});
}

void Worker::TakeMail(bool quiet) {
  const auto some = [&](size_t n) { return quiet || n == 0 ? n : context_.random.Below(n + 1); };
  // The pilot's first, or last: there is no order between senders.
  const bool pilot_first = context_.Chance(50);
  const auto take_pilots = [&] {
    for (size_t n = some(desk_.to_worker.size()); n > 0; --n) {
      core::Envelope mail = std::move(desk_.to_worker.front());
      desk_.to_worker.pop_front();
      shard_.Accept(core::kFromPilot, std::move(mail));
    }
  };
  for (const auto& [link, disable] : std::exchange(switches_, {})) {
    const core::Connection* connection = ConnectionOf(shard_, link);
    if (connection == nullptr) continue;  // it went meanwhile
    disable ? shard_.DisableLink(*connection, link) : shard_.EnableLink(*connection, link);
  }
  if (pilot_first) take_pilots();
  const size_t first = context_.random.Below(rings_.shards());
  for (size_t i = 0; i < rings_.shards(); ++i) {
    const auto from = static_cast<core::ShardId>((first + i) % rings_.shards());
    Ring& ring = rings_.Between(from, plan_.id);
    if (ring.late) continue;
    for (size_t n = some(ring.mail.size()); n > 0; --n) {
      core::Envelope mail = std::move(ring.mail.front());
      ring.mail.pop_front();
      ++mails_;
      context_.journal.Note(context_.now.ns, [&] {
        return absl::StrCat("shard ", from, " to ", plan_.id, ": ", TextOf(mail));
      });
      shard_.Accept(from, std::move(mail));
    }
  }
  if (!pilot_first) take_pilots();
}

void Worker::Flush(Port& port) {
  if (port.blocked) return;
  const Time now = context_.now;
  port.driver->Flush(now);
  std::array<iovec, 32> parts;
  const int count = port.driver->Gather(parts.data(), static_cast<int>(parts.size()));
  size_t offered = 0;
  size_t written = 0;
  size_t room = port.wire->to_client.room();
  for (int i = 0; i < count; ++i) {
    const size_t n = std::min(room, parts[i].iov_len);
    port.wire->to_client.Write({static_cast<const char*>(parts[i].iov_base), n});
    offered += parts[i].iov_len;
    written += n;
    room -= n;
  }
  if (port.wire->broken) {
    port.broken = true;
  } else {
    port.blocked = written < offered;
    work_left_ |= port.driver->Wrote(written);
  }
  if (port.driver->phase() != port.phase) {
    port.phase = port.driver->phase();
    port.deadline = std::min(port.deadline, port.driver->Tick(now));
  }
  if (port.broken || port.driver->Finished()) {
    port.driver.reset();
    port.wire->to_client.End();
    return;
  }
  if (!port.blocked && port.driver->HasOutput()) port.in_flush = true;
}

// --- mail

void Worker::Post() {
  core::Outbox& outbox = shard_.outbox();
  for (core::Notice& notice : outbox.to_pilot) desk_.to_pilot.emplace_back(std::move(notice));
  outbox.to_pilot.clear();
  outbox.to_shard.resize(std::max(outbox.to_shard.size(), rings_.shards()));
  for (size_t i = 0; i < rings_.shards(); ++i) {
    const auto to = static_cast<core::ShardId>(i);
    std::vector<core::Envelope>& mail = outbox.to_shard[i];
    if (to == plan_.id) {
      if (!mail.empty()) context_.verdict.Fail("mail", "a shard writes to itself");
      continue;
    }
    rings_.Post(plan_.id, to, mail);
  }
}

// --- the budget of the process

void Worker::FollowBudget() {
  if (plan_.budget->pressed() == pressed_) return;
  pressed_ = !pressed_;
  shard_.SetPressure(pressed_);
}

void Worker::ChargeBudget() {
  const uint64_t held = pool_.bytes_in_use();
  plan_.budget->Add(static_cast<int64_t>(held - std::exchange(charged_, held)));
}

size_t Worker::parked() const {
  size_t n = 0;
  for (const auto& mail : const_cast<core::Shard&>(shard_).outbox().to_shard) n += mail.size();
  return n;
}

size_t Worker::connections() const {
  size_t n = 0;
  for (const Port& port : ports_) n += port.driver != nullptr;
  return n;
}

// --- sleep

bool Worker::HasReason() const {
  if (work_left_ || desk_.slot != nullptr || !desk_.to_worker.empty()) return true;
  if (!switches_.empty()) return true;
  if (!workspace_.touched.empty() || Deadline() <= context_.now) return true;
  if (plan_.budget->pressed() != pressed_) return true;  // whoever noticed wakes all
  for (size_t i = 0; i < rings_.shards(); ++i) {
    const auto other = static_cast<core::ShardId>(i);
    const Ring& ring = rings_.Between(other, plan_.id);
    if (!ring.late && !ring.mail.empty()) return true;
    const auto& to_shard = const_cast<core::Shard&>(shard_).outbox().to_shard;
    if (i < to_shard.size() && !to_shard[i].empty() && rings_.HasRoom(plan_.id, other)) return true;
  }
  for (const Port& port : ports_) {
    if (!port.driver) continue;
    if (port.in_flush || IsReadable(port)) return true;
    if (port.blocked && port.wire->to_client.room() > 0) return true;
  }
  return false;
}

Time Worker::Deadline() const {
  Time deadline = shard_.NextDeadline();
  for (const Port& port : ports_) {
    if (port.driver) deadline = std::min(deadline, port.deadline);
  }
  return deadline;
}

void Worker::Trim() {
  workspace_.arena.Trim();
  shard_.Trim();
  Post();
}

}  // namespace trunkline::sim
