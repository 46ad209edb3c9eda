#include "control/api/connections_watch.h"

#include <algorithm>
#include <variant>

#include "absl/strings/str_replace.h"
#include "control/api/connections_rows.h"
#include "control/api/heartbeat.h"
#include "control/config/resource.h"
#include "router/base/status.h"

namespace trunkline::api {
namespace {

absl::StatusOr<WatchHub::Wish> WishOf(const v1::WatchConnectionsRequest& request) {
  WatchHub::Wish wish;
  wish.filter_text = request.filter();
  wish.resume_token = request.resume_token();
  TL_ASSIGN_OR_RETURN(wish.heartbeat, HeartbeatOf(request));
  TL_ASSIGN_OR_RETURN(wish.filter, Filter::Parse(wish.filter_text, *v1::Connection::descriptor()));
  return wish;
}

v1::WatchConnectionsResponse AnswerTo(const WatchEvent& event) {
  v1::WatchConnectionsResponse answer;
  answer.set_resume_token(event.resume_token);
  const auto row = [&]() -> const v1::Connection& {
    return static_cast<const v1::Connection&>(*event.resource);
  };
  switch (event.kind) {
    case WatchEvent::Kind::kAdded:
      *answer.mutable_added() = row();
      break;
    case WatchEvent::Kind::kModified:
      *answer.mutable_modified() = row();
      break;
    case WatchEvent::Kind::kDeleted:
      *answer.mutable_deleted() = row();
      break;
    case WatchEvent::Kind::kBookmark:
      answer.mutable_bookmark();
      break;
    case WatchEvent::Kind::kSynced:
      answer.mutable_synced();
      break;
  }
  return answer;
}

}  // namespace

ConnectionsWatch::ConnectionsWatch(Observing& observing, const WallClock& wall, Random& random,
                                   std::function<Time()> clock)
    : observing_(observing), wall_(wall), random_(random), clock_(std::move(clock)) {}
ConnectionsWatch::~ConnectionsWatch() = default;

void ConnectionsWatch::Serve(const std::shared_ptr<Call>& call) {
  if (hub_ == nullptr) Begin();
  if (filled_) return Join(call);
  // Who comes with a mistake is told so at once, not after a look at the router.
  const auto wish = WishOf(call->As<v1::WatchConnectionsRequest>());
  if (!wish.ok()) return call->Finish(wish.status());
  if (!looking_) {
    if (const absl::Status asked = Look(); !asked.ok()) return call->Finish(asked);
  }
  coming_.push_back(call);
}

// From here on events are followed.
void ConnectionsWatch::Begin() {
  hub_ = std::make_unique<WatchHub>(absl::StrReplaceAll(config::MakeUuid(random_), {{"-", ""}}));
  filled_ = false;
  there_.clear();
}

absl::Status ConnectionsWatch::Look() {
  came_.clear();
  gone_.clear();
  const absl::Status asked = observing_.Observe(
      {.connections = true}, [this](const Snapshot& snapshot) { Fill(snapshot); });
  looking_ = asked.ok();
  return asked;
}

// Nobody is in the hub who is not there: events may have been lost.
void ConnectionsWatch::Fill(const Snapshot& snapshot) {
  looking_ = false;
  std::set<uint64_t> left = there_;
  for (const ConnectionState& state : snapshot.connections) {
    left.erase(state.id);
    // One that has left since was told before.
    if (state.phase == ConnectionState::Phase::kHandshake || gone_.contains(state.id)) continue;
    auto row = std::make_shared<v1::Connection>(ToProto(state, wall_));
    row->set_state(v1::Connection::STATE_OPEN);
    row->clear_traffic();
    Put(std::move(row));
  }
  for (const uint64_t id : left) {
    if (!came_.contains(id)) Erase(id);
  }
  if (!std::exchange(filled_, true)) idle_since_ = clock_();
  for (const auto& call : std::exchange(coming_, {})) Join(call);
}

void ConnectionsWatch::Put(std::shared_ptr<const v1::Connection> row) {
  there_.insert(row->id());
  const std::string name = row->name();
  hub_->Put(name, std::move(row), clock_());
}

void ConnectionsWatch::Erase(uint64_t id) {
  there_.erase(id);
  hub_->Erase(ConnectionName(id), clock_());
}

void ConnectionsWatch::Join(const std::shared_ptr<Call>& call) {
  if (call->ended()) return;
  auto wish = WishOf(call->As<v1::WatchConnectionsRequest>());
  if (!wish.ok()) return call->Finish(wish.status());
  WatchHub::Exits exits;
  exits.writable = [call] { return call->writable(); };
  exits.write = [call](const WatchEvent& event) { call->Write(AnswerTo(event)); };
  exits.finish = [call](const absl::Status& status) { call->Finish(status); };
  const auto id = hub_->Watch(*std::move(wish), std::move(exits), clock_());
  if (!id.ok()) return call->Finish(id.status());
  // The hub stays as long as somebody watches.
  call->OnWritable([this, id = *id] { hub_->Ready(id, clock_()); });
  call->OnGone([this, id = *id] { hub_->Leave(id); });
  hub_->Ready(*id, clock_());
}

void ConnectionsWatch::OnEvent(const RouterEvent& event) {
  if (hub_ == nullptr) return;
  if (const auto* up = std::get_if<ConnectionUp>(&event)) {
    if (looking_) came_.insert(up->id);
    Put(std::make_shared<v1::Connection>(ToProto(*up, wall_)));
  } else if (const auto* down = std::get_if<ConnectionDown>(&event)) {
    if (looking_) gone_.insert(down->id);
    Erase(down->id);
  } else if (std::holds_alternative<EventsLost>(event)) {
    look_again_ = true;
  }
}

void ConnectionsWatch::Tick(Time now) {
  if (hub_ == nullptr) return;
  hub_->Tick(now);
  if (look_again_ && !looking_) look_again_ = !Look().ok();
  if (looking_ || hub_->watchers() > 0) {
    idle_since_ = kNever;
    return;
  }
  if (idle_since_ == kNever) idle_since_ = now;
  if (now - idle_since_ < kKept) return;
  hub_ = nullptr;
  filled_ = false;
  there_ = {};
  idle_since_ = kNever;
}

Time ConnectionsWatch::NextDeadline() const {
  if (hub_ == nullptr) return kNever;
  const Time over = idle_since_ == kNever ? kNever : idle_since_ + kKept;
  return std::min(hub_->NextDeadline(), over);
}

}  // namespace trunkline::api
