#include "control/daemon/status_board.h"

#include <variant>

#include "absl/strings/str_cat.h"
#include "control/config/characters.h"

namespace trunkline::daemon {
namespace {

// google.rpc.Code UNAVAILABLE: what the network says, and may take back.
constexpr int kUnavailable = 14;

// The text may be the peer's.
google::rpc::Status Unavailable(const std::string& message) {
  google::rpc::Status status;
  status.set_code(kUnavailable);
  status.set_message(config::ToUtf8(message));
  return status;
}

std::string NameOf(uint64_t connection) { return absl::StrCat("connections/", connection); }

std::string Count(size_t count, const char* noun) {
  return absl::StrCat(count, " ", noun, count == 1 ? "" : "s");
}

}  // namespace

void StatusBoard::Apply(const RouterEvent& event, int64_t now) {
  std::visit([&](const auto& what) { On(what, now); }, event);
}

void StatusBoard::Looking(uint64_t request) {
  look_ = request;
  lost_ = false;
  came_.clear();
  gone_.clear();
}

void StatusBoard::Expect(const std::string& connector) {
  v1::ConnectorStatus& status = connectors_[connector];
  if (status.state() == v1::ConnectorStatus::STATE_UNSPECIFIED) {
    status.set_state(v1::ConnectorStatus::STATE_CONNECTING);
  }
}

void StatusBoard::Dialled(const std::string& connector) {
  const auto found = connectors_.find(connector);
  if (found == connectors_.end()) return;
  found->second.set_state(v1::ConnectorStatus::STATE_CONNECTING);
  found->second.clear_next_attempt_time();
}

std::string StatusBoard::Summary() const {
  size_t listening = 0;
  size_t open = 0;
  size_t connections = 0;
  for (const auto& [name, listener] : listeners_) {
    if (listener.state() == v1::ListenerStatus::STATE_LISTENING) ++listening;
    connections += listener.active_connections();
  }
  for (const auto& [name, connector] : connectors_) {
    if (connector.state() == v1::ConnectorStatus::STATE_OPEN) ++open;
  }
  connections += open;
  std::string text = Count(listening, "listener");
  if (!connectors_.empty()) {
    absl::StrAppend(&text, ", ", open, " of ", Count(connectors_.size(), "connector"), " open");
  }
  return absl::StrCat(text, ", ", Count(connections, "connection"));
}

void StatusBoard::On(const ListenerUp& event, int64_t) {
  v1::ListenerStatus& status = listeners_[event.name];
  status.set_state(v1::ListenerStatus::STATE_LISTENING);
  status.clear_last_error();
  status.mutable_bound_addresses()->Assign(event.addresses.begin(), event.addresses.end());
}

void StatusBoard::On(const ListenerFailed& event, int64_t) {
  v1::ListenerStatus& status = listeners_[event.name];
  status.set_state(v1::ListenerStatus::STATE_FAILED);
  status.clear_bound_addresses();
  *status.mutable_last_error() = Unavailable(event.error);
}

// Its connections may outlive it: they are counted until the last one is gone.
void StatusBoard::On(const ListenerDown& event, int64_t) {
  const auto found = listeners_.find(event.name);
  if (found == listeners_.end()) return;
  if (found->second.active_connections() == 0) {
    listeners_.erase(found);
    return;
  }
  found->second.set_state(v1::ListenerStatus::STATE_DRAINING);
  found->second.clear_bound_addresses();
}

void StatusBoard::On(const ConnectionUp& event, int64_t) {
  if (look_ != 0) came_[event.id] = event;
  if (event.inbound) {
    v1::ListenerStatus& status = listeners_[event.owner];
    status.set_accepted_total(status.accepted_total() + 1);
    status.set_active_connections(status.active_connections() + 1);
    return;
  }
  const auto found = connectors_.find(event.owner);
  if (found == connectors_.end()) return;
  v1::ConnectorStatus& status = found->second;
  status.Clear();
  status.set_state(v1::ConnectorStatus::STATE_OPEN);
  status.set_remote_container(config::ToUtf8(event.container_id));
  status.set_connection(NameOf(event.id));
}

void StatusBoard::On(const ConnectionDown& event, int64_t) {
  if (!event.was_open) return;
  if (look_ != 0) {
    came_.erase(event.id);
    gone_.insert(event.id);
  }
  if (!event.inbound) {
    const auto found = connectors_.find(event.owner);
    // One that is gone may end after the next one, of the same name, has begun.
    if (found == connectors_.end() || found->second.connection() != NameOf(event.id)) return;
    found->second.Clear();
    found->second.set_state(v1::ConnectorStatus::STATE_CONNECTING);
    if (!event.error.empty()) *found->second.mutable_last_error() = Unavailable(event.error);
    return;
  }
  const auto found = listeners_.find(event.owner);
  if (found == listeners_.end() || found->second.active_connections() == 0) return;
  found->second.set_active_connections(found->second.active_connections() - 1);
  const bool gone = found->second.state() == v1::ListenerStatus::STATE_DRAINING &&
                    found->second.active_connections() == 0;
  if (gone) listeners_.erase(found);
}

void StatusBoard::On(const ConnectorFailed& event, int64_t now) {
  const auto found = connectors_.find(event.name);
  if (found == connectors_.end()) return;
  v1::ConnectorStatus& status = found->second;
  status.set_state(v1::ConnectorStatus::STATE_BACKOFF);
  status.set_attempts(status.attempts() + 1);
  const int64_t next = now + event.retry_in_ms;
  status.mutable_next_attempt_time()->set_seconds(next / 1000);
  status.mutable_next_attempt_time()->set_nanos(static_cast<int32_t>(next % 1000) * 1'000'000);
  *status.mutable_last_error() = Unavailable(event.error);
}

void StatusBoard::On(const Drained&, int64_t) {}
void StatusBoard::On(const EventsLost&, int64_t) { lost_ = true; }

// What came and went while the workers looked was told, unless more was lost: then there will be
// another look.
void StatusBoard::On(const Observed& event, int64_t) {
  if (look_ == 0 || event.request != look_) return;
  look_ = 0;
  Open open = std::exchange(came_, {});
  for (const ConnectionState& state : event.snapshot->connections) {
    if (state.opened == kNever || gone_.contains(state.id)) continue;
    open[state.id] = {.id = state.id,
                      .owner = state.owner,
                      .inbound = state.inbound,
                      .container_id = state.container_id};
  }
  gone_.clear();
  CorrectListeners(open);
  CorrectConnectors(open);
}

void StatusBoard::CorrectListeners(const Open& open) {
  for (auto& [name, status] : listeners_) status.set_active_connections(0);
  for (const auto& [id, connection] : open) {
    if (!connection.inbound) continue;
    v1::ListenerStatus& status = listeners_[connection.owner];
    // It has gone before them, and been forgotten.
    if (status.state() == v1::ListenerStatus::STATE_UNSPECIFIED) {
      status.set_state(v1::ListenerStatus::STATE_DRAINING);
    }
    status.set_active_connections(status.active_connections() + 1);
    if (status.accepted_total() < status.active_connections()) {
      status.set_accepted_total(status.active_connections());
    }
  }
  std::erase_if(listeners_, [](const auto& listener) {
    const v1::ListenerStatus& status = listener.second;
    return status.state() == v1::ListenerStatus::STATE_DRAINING && status.active_connections() == 0;
  });
}

void StatusBoard::CorrectConnectors(const Open& open) {
  std::map<std::string, const ConnectionUp*> newest;  // by connector
  for (const auto& [id, connection] : open) {
    if (!connection.inbound) newest[connection.owner] = &connection;
  }
  for (auto& [name, status] : connectors_) {
    const auto found = newest.find(name);
    const std::string known = status.connection();
    if (found != newest.end()) {
      if (known == NameOf(found->second->id)) continue;
      On(*found->second, 0);
    } else {
      if (known.empty()) continue;
      status.Clear();
      status.set_state(v1::ConnectorStatus::STATE_CONNECTING);
    }
    corrected_.push_back(name);
  }
}

}  // namespace trunkline::daemon
