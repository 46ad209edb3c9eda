#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "router/base/slot_map.h"
#include "router/core/shard.h"
#include "router/net/mail.h"
#include "router/net/socket.h"
#include "router/snapshot.h"

namespace trunkline::net {

// Looks at the connections and links of one worker for those who asked, a few at a time: a worker
// with many of them has to serve them meanwhile. Requests are answered one after the other.
//
// Owned by the Worker. Thread: the worker's. Bound: control asks for so many at a time
// (Router::kObservationsMax).
class Observer {
 public:
  // Places that one step looks at. A connection takes longer than a link: what is told of its TLS
  // and of its peer is made anew.
  static constexpr uint32_t kConnections = 4;
  static constexpr uint32_t kLinks = 32;

  explicit Observer(core::ShardId worker) : worker_(worker) {}
  Observer(const Observer&) = delete;
  Observer& operator=(const Observer&) = delete;

  void Add(Observe&& request) { requests_.push_back(std::move(request)); }
  bool IsBusy() const { return !requests_.empty(); }
  // Looks at the next few.
  void Step(SlotMap<Socket>& sockets, core::Shard& shard);
  // What the steps since the last call have seen.
  std::vector<ObservedPart> TakeParts() { return std::exchange(parts_, {}); }

 private:
  enum class Stage : uint8_t { kConnections, kInLinks, kOutLinks, kDone };

  ObservedPart& Part();
  bool Wants(const core::Connection& connection, const core::AddressKey& key) const;
  void Look(Socket& socket);
  void Look(const core::InLink& link);
  void Look(const core::OutLink& link);

  const core::ShardId worker_;
  std::deque<Observe> requests_;  // the first is under way
  Stage stage_ = Stage::kConnections;
  uint32_t at_ = 0;  // in the stage
  std::vector<ObservedPart> parts_;
};

// What control sees of single connections and links, and does to them: finds the worker that has
// them, and adds up what workers have seen.
//
// Owned by the Pilot. Thread: the pilot's.
class LiveView {
 public:
  struct Hooks {
    // Which worker has a connection; null: nobody. Good until the next call.
    std::function<const core::ShardId*(uint64_t connection)> worker_of;
    core::ShardId workers = 0;
    std::function<void(core::ShardId worker, Mail mail)> post;
    std::function<void(Observed answer)> tell;
  };
  explicit LiveView(Hooks hooks) : hooks_(std::move(hooks)) {}
  LiveView(const LiveView&) = delete;
  LiveView& operator=(const LiveView&) = delete;

  // See Router. The worker does what it is told before it looks at what is asked later. NotFound:
  // there is no such connection.
  absl::Status CloseConnection(uint64_t connection, const std::string& why);
  absl::Status CloseLink(uint64_t connection, uint64_t link, const std::string& why);
  absl::Status Switch(uint64_t connection, uint64_t link, LinkSwitch to);
  void Observe(uint64_t request, const ObserveWish& wish);
  void Take(ObservedPart&& part);

 private:
  struct Pending {
    size_t workers_left = 0;
    std::shared_ptr<Snapshot> snapshot;
  };

  const Hooks hooks_;
  std::map<uint64_t, Pending> pending_;  // by request
};

}  // namespace trunkline::net
