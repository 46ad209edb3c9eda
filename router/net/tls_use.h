#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "router/observe.h"
#include "router/specs.h"

namespace boost::asio {
class io_context;
}

namespace trunkline::net {

// Which open connections were made with which revision of a TLS profile, and how those of older
// ones are ended: one after the other, so that not all of them come again at once.
//
// Owned by the Pilot. Thread: the pilot's; Read is for any. Who reads and who counts meet at a
// mutex, for as long as it takes to copy some numbers.
class TlsUse {
 public:
  // Has a connection closed, if it is still there.
  using Close = std::function<void(uint64_t connection)>;

  TlsUse(boost::asio::io_context& io, Close close);
  ~TlsUse();
  TlsUse(const TlsUse&) = delete;
  TlsUse& operator=(const TlsUse&) = delete;

  // `revision` is the one in force of this profile.
  void Put(const std::string& profile, uint64_t revision);
  void Remove(const std::string& profile);

  // A connection without TLS is none of our business. One of a revision that is being retired is
  // retired as well: its handshake had begun before.
  void Opened(const ConnectionUp& connection);
  void Gone(uint64_t connection);

  // See Router::RetireTls. One more for the same profile goes on where the last one is, at the new
  // pace.
  size_t Retire(const TlsRetirement& order);
  // Nothing more is retired.
  void Stop() { retirements_.clear(); }

  // Those in force are in it, and others while they have connections. In order.
  std::vector<TlsConnections> Read() const;

 private:
  using Revision = std::pair<std::string, uint64_t>;  // a profile and its revision
  struct Use {
    bool in_force = false;
    uint64_t connections = 0;
  };
  using Uses = std::map<Revision, Use>;
  struct Retirement;

  void Leave(Uses::iterator use);  // the mutex is held
  void Schedule(const std::shared_ptr<Retirement>& retirement, Duration delay);
  void Step(const std::shared_ptr<Retirement>& retirement);

  boost::asio::io_context& io_;
  const Close close_;
  absl::flat_hash_map<uint64_t, Uses::iterator> connections_;
  std::map<std::string, std::shared_ptr<Retirement>> retirements_;  // by profile
  mutable std::mutex mutex_;  // of what follows; one that the thread sanitizer knows
  Uses uses_;
};

}  // namespace trunkline::net
