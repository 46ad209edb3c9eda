#include "router/net/tls_use.h"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>

#include "router/base/log.h"

namespace trunkline::net {
namespace {

constexpr LogModule kLogModule = LogModule::kNet;

}  // namespace

// What is left to do of an order.
struct TlsUse::Retirement {
  explicit Retirement(boost::asio::io_context& io) : timer(io) {}

  uint64_t before = 0;
  Duration interval;
  std::deque<uint64_t> left;  // connections, the oldest first; may have gone
  uint64_t turn = 0;          // of those that are scheduled the last counts
  bool waits = false;         // one is
  boost::asio::steady_timer timer;
};

TlsUse::TlsUse(boost::asio::io_context& io, Close close) : io_(io), close_(std::move(close)) {}

TlsUse::~TlsUse() = default;

void TlsUse::Put(const std::string& profile, uint64_t revision) {
  const std::lock_guard lock(mutex_);
  uses_[{profile, revision}].in_force = true;
  const auto first = uses_.lower_bound({profile, 0});
  for (auto use = first; use != uses_.end() && use->first.first == profile;) {
    const auto next = std::next(use);
    if (use->first.second != revision) {
      use->second.in_force = false;
      Leave(use);
    }
    use = next;
  }
}

void TlsUse::Remove(const std::string& profile) {
  retirements_.erase(profile);
  const std::lock_guard lock(mutex_);
  const auto first = uses_.lower_bound({profile, 0});
  for (auto use = first; use != uses_.end() && use->first.first == profile;) {
    const auto next = std::next(use);
    use->second.in_force = false;
    Leave(use);
    use = next;
  }
}

// Nobody has to know of one that is neither in force nor used.
void TlsUse::Leave(Uses::iterator use) {
  if (!use->second.in_force && use->second.connections == 0) uses_.erase(use);
}

void TlsUse::Opened(const ConnectionUp& connection) {
  if (connection.tls_revision == 0) return;
  {
    const std::lock_guard lock(mutex_);
    const auto use = uses_.try_emplace({connection.tls_profile, connection.tls_revision}).first;
    ++use->second.connections;
    connections_[connection.id] = use;
  }
  const auto found = retirements_.find(connection.tls_profile);
  if (found == retirements_.end() || connection.tls_revision >= found->second->before) return;
  found->second->left.push_back(connection.id);
  if (!found->second->waits) Schedule(found->second, Duration{});
}

void TlsUse::Gone(uint64_t connection) {
  const auto found = connections_.find(connection);
  if (found == connections_.end()) return;
  {
    const std::lock_guard lock(mutex_);
    --found->second->second.connections;
    Leave(found->second);
  }
  connections_.erase(found);
}

size_t TlsUse::Retire(const TlsRetirement& order) {
  std::shared_ptr<Retirement>& retirement = retirements_[order.profile];
  if (retirement == nullptr) retirement = std::make_shared<Retirement>(io_);
  retirement->before = std::max(retirement->before, order.before);
  retirement->interval = order.interval;
  retirement->left.clear();
  for (const auto& [connection, use] : connections_) {
    const auto& [profile, revision] = use->first;
    if (profile == order.profile && revision < retirement->before) {
      retirement->left.push_back(connection);
    }
  }
  std::sort(retirement->left.begin(), retirement->left.end());
  const size_t count = retirement->left.size();
  TL_LOG(info, "retiring connections of an older certificate", {"tls_profile", order.profile},
         {"connections", count}, {"after_ms", order.after.milliseconds()});
  Schedule(retirement, order.after);
  return count;
}

void TlsUse::Schedule(const std::shared_ptr<Retirement>& retirement, Duration delay) {
  const uint64_t turn = ++retirement->turn;
  retirement->waits = true;
  retirement->timer.expires_after(std::chrono::nanoseconds(delay.ns));
  retirement->timer.async_wait([this, turn, kept = std::weak_ptr(retirement)](const auto& error) {
    const auto retirement = kept.lock();
    if (!error && retirement != nullptr && retirement->turn == turn) Step(retirement);
  });
}

// Those that have gone by themselves cost no time.
void TlsUse::Step(const std::shared_ptr<Retirement>& retirement) {
  retirement->waits = false;
  while (!retirement->left.empty()) {
    const uint64_t connection = retirement->left.front();
    retirement->left.pop_front();
    if (!connections_.contains(connection)) continue;
    close_(connection);
    if (retirement->interval > Duration{}) return Schedule(retirement, retirement->interval);
  }
}

std::vector<TlsConnections> TlsUse::Read() const {
  std::vector<TlsConnections> all;
  const std::lock_guard lock(mutex_);
  for (const auto& [revision, use] : uses_) {
    all.push_back({revision.first, revision.second, use.connections});
  }
  return all;
}

}  // namespace trunkline::net
