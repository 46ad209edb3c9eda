#include "router/net/listeners.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace trunkline::net {
namespace {

constexpr std::chrono::seconds kRetryEvery(1);

}  // namespace

Listeners::Listeners(boost::asio::io_context& io, Listener::Hooks hooks)
    : io_(io), hooks_(std::move(hooks)), retry_(io) {}

Listeners::~Listeners() = default;

void Listeners::Hold(const ListenerSpec& spec, const std::vector<std::string>& leaving, Done done) {
  Shared listener = FindOrMake(spec.name);
  held_[spec.name] = listener;
  listener->Hold(
      spec, [this, leaving](const ListenAddress& where) { return LeaveRoom(where, leaving); },
      [listener, done](absl::Status status) { done(std::move(status)); });
}

void Listeners::DropHeld() {
  for (const auto& [name, listener] : held_) listener->Drop();
  held_.clear();
  for (const auto& [name, listener] : listeners_) listener->Resume();
  RetryLater();
}

// Those that only made room for others wait until the change is made or given up.
void Listeners::RetryLater() {
  if (std::none_of(listeners_.begin(), listeners_.end(),
                   [](const auto& listener) { return listener.second->failed(); })) {
    return;
  }
  retry_.expires_after(kRetryEvery);
  retry_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    for (const auto& [name, listener] : listeners_) {
      if (listener->failed()) listener->Resume();
    }
    RetryLater();
  });
}

void Listeners::Apply(const ListenerSpec& spec, Done done) {
  const auto adopt = [this, spec, done](Shared listener) {
    held_.erase(spec.name);
    listeners_[spec.name] = listener;
    listener->Apply(spec);
    done(absl::OkStatus());
  };
  if (const auto held = held_.find(spec.name); held != held_.end() && held->second->Holds(spec)) {
    return adopt(held->second);
  }
  Hold(spec, {spec.name}, [this, adopt, spec, done](absl::Status status) {
    if (status.ok()) return adopt(held_.at(spec.name));
    // Places that are held for others stay theirs, and who made room for them waits.
    held_.erase(spec.name);
    if (const auto own = listeners_.find(spec.name); own != listeners_.end()) own->second->Resume();
    RetryLater();
    done(std::move(status));
  });
}

bool Listeners::Remove(const std::string& name) { return listeners_.erase(name) != 0; }

std::vector<std::string> Listeners::Clear() {
  std::vector<std::string> names;
  for (const auto& [name, listener] : listeners_) names.push_back(name);
  held_.clear();
  listeners_.clear();
  return names;
}

Listeners::Shared Listeners::FindOrMake(const std::string& name) {
  const auto found = listeners_.find(name);
  return found == listeners_.end() ? std::make_shared<Listener>(io_, hooks_) : found->second;
}

bool Listeners::LeaveRoom(const ListenAddress& where, const std::vector<std::string>& leaving) {
  bool made = false;
  for (const std::string& name : leaving) {
    const auto found = listeners_.find(name);
    if (found == listeners_.end() || !found->second->IsInTheWayOf(where)) continue;
    found->second->Suspend();
    made = true;
  }
  return made;
}

}  // namespace trunkline::net
