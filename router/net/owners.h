#pragma once

#include <array>
#include <bitset>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "router/base/counter.h"
#include "router/conn/stats.h"
#include "router/core/ids.h"
#include "router/metrics.h"
#include "router/net/places.h"
#include "router/specs.h"

namespace trunkline::net {

// Counters of the connections of each listener and connector that there is, by name. A changed one
// goes on with its counters; one that is removed takes them along, and what its connections do
// afterwards is in the router's sums alone.
//
// Owned by the Pilot. Thread: the pilot's; Read is for any. Who reads and who changes the list meet
// at a mutex, for as long as it takes to copy some pointers; counting knows no lock.
class Owners {
 public:
  explicit Owners(size_t workers) : workers_(workers) {}
  Owners(const Owners&) = delete;
  Owners& operator=(const Owners&) = delete;

  // A listener and a connector may have the same name.
  struct Name {
    bool inbound = true;  // a listener
    std::string name;
    auto operator<=>(const Name&) const = default;
  };

  // New, or with another configuration.
  void Put(const ListenerSpec& spec);
  void Put(const ConnectorSpec& spec);
  void Remove(const Name& name);

  // For the connections that `worker` serves of this owner: written by it alone. Null: there is
  // none of this name.
  std::shared_ptr<conn::LifeStats> StatsOf(const Name& name, core::ShardId worker) const;
  // Somebody was closed as soon as accepted.
  void CountRefused(const std::string& listener, Refusal why);
  // An attempt of a connector did not get as far as a TCP connection.
  void CountUnreached(const std::string& connector);

  std::vector<OwnerMetrics> Read() const;

 private:
  // What is configured, as far as it stands beside the counters.
  struct Description {
    Role role = Role::kNormal;
    std::bitset<conn::kMechanisms> mechanisms;  // that logins may be of
  };
  struct Meter {
    explicit Meter(size_t count) : workers(count) {}
    std::vector<conn::LifeStats> workers;
    std::array<Counter, kRefusals> refused;  // the pilot's
    Counter unreached;
  };
  struct Owner {
    Description description;
    std::shared_ptr<Meter> meter;
  };

  void Put(const Name& name, const Description& description);
  std::shared_ptr<Meter> MeterOf(const Name& name) const;
  static OwnerMetrics ReadOne(const Name& name, const Owner& owner);

  const size_t workers_;
  mutable std::mutex mutex_;  // of what follows; one that the thread sanitizer knows
  std::map<Name, Owner> owners_;
};

}  // namespace trunkline::net
