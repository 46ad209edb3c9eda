#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "router/core/address.h"
#include "router/metrics.h"
#include "router/net/mail.h"
#include "router/net/view.h"
#include "router/observe.h"
#include "router/specs.h"

namespace trunkline::net {

class LiveView;

// The one thread that decides for the whole router: accepts and dials, places connections on
// workers, writes every View. Owns the workers. What it does is rare and global, so its loop is
// Asio's; no message passes through it.
//
// Its inbox is Asio's queue: what is posted runs in order on the pilot's thread. Views are
// published at the end of a batch of the inbox, so a thousand attaches make a few tables, not a
// thousand. Bound of the inbox: a worker adds at most one batch per turn, control one request at a
// time.
//
// Thread: Start, Stop and Post are for the owner's, the counters for any; the requests run on the
// pilot's, by Post.
class Pilot {
 public:
  // How a request ended; called once, on the pilot's thread.
  using Done = std::function<void(absl::Status)>;

  struct Options {
    RouterSpec spec;
    std::shared_ptr<const core::AddressSettings> settings;  // to begin with
    int workers = 1;
    uint64_t memory_budget_bytes = 0;  // 0: no limit
    uint64_t seed = 0;                 // of the workers' random numbers, some of which peers see
    uint64_t hash_seed = 0;            // of the tables, which peers shall know nothing of
    // Takes events, in order, on the pilot's thread.
    std::function<void(RouterEvent)> event;
  };

  explicit Pilot(Options options);
  ~Pilot();
  Pilot(const Pilot&) = delete;
  Pilot& operator=(const Pilot&) = delete;

  void Start();
  // Hangs up on everybody and joins all threads. Requests under way are never done.
  void Stop();
  void Post(std::function<void()> request);
  RouterCounters Counters() const;
  RouterMetrics Metrics() const;
  std::vector<TlsConnections> ConnectionsByTls() const;
  void RestartLongestTurn();

  // --- requests; see Router for what they promise
  void Apply(const ListenerSpec& spec, Done done);
  void Hold(const ListenerSpec& spec, const std::vector<std::string>& leaving, Done done);
  void DropHeld(Done done);
  void Apply(const ConnectorSpec& spec, Done done);
  void Apply(std::shared_ptr<const core::AddressSettings> settings, Done done);
  // As in Options and RouterSettings.
  void SetMemoryBudget(uint64_t bytes);
  void SetMaxConnections(uint32_t max_connections);
  void RemoveListener(const std::string& name, Done done);
  void RemoveConnector(const std::string& name, Done done);
  void SetTls(const std::string& profile, TlsInForce tls, Done done);
  // How many connections there are to be ended.
  absl::StatusOr<size_t> RetireTls(const TlsRetirement& retirement);
  void RemoveTls(const std::string& profile, Done done);
  void SetUsers(const std::string& store, std::shared_ptr<const sasl::Users> users, Done done);
  void RemoveUsers(const std::string& store, Done done);
  void Drain(Duration limit);
  void SetLookers(Lookers lookers, Done done);
  // Whether there is this connection, open or not.
  bool Knows(uint64_t connection) const;
  // For requests about single connections and links.
  LiveView& live();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace trunkline::net
