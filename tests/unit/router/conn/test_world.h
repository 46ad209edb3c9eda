#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "router/base/random.h"
#include "router/conn/driver.h"
#include "router/core/route_table.h"
#include "router/core/shard.h"
#include "test_client.h"

namespace trunkline::conn::test {

// A context that serves as "server.example" and trusts the authority that says so, for either end.
std::shared_ptr<const tls::Context> ServerContext();

// A connection of the world: our driver, what is on the wire, and the peer, if it is a client.
struct Peer {
  std::unique_ptr<Driver> driver;  // null once it was finished and hung up
  std::unique_ptr<Client> client;  // null: the test is the peer, and says bytes
  std::string to_router;
  std::string to_peer;         // kept if there is no client to take it
  uint64_t bytes_to_peer = 0;  // in all
  bool stalled = false;        // the peer reads nothing
  Time deadline = kNever;
  // Of a finished driver.
  std::string error;
  bool hung_up() const { return driver == nullptr; }
};

struct WorldOptions {
  uint64_t seed = 1;
  size_t read_max = 1 << 20;   // bytes of one read; the actual number is random up to it
  size_t write_max = 1 << 20;  // bytes of one write, likewise
  std::vector<core::AddressSetting> settings = {};  // beside the default, balanced
};

// One worker without thread, sockets and clock: its shard, its drivers, and a pilot that applies
// what the shard tells and makes consumers reachable.
class World {
 public:
  explicit World(WorldOptions options = {});
  ~World();

  static DriverOptions Accepting();
  Peer& Connect(ClientOptions client = {}, DriverOptions options = Accepting());
  // A peer that is no client.
  Peer& Accept(DriverOptions options = Accepting());
  // Another one in the place of a peer that was no client and has hung up.
  void AcceptAgain(Peer& peer, DriverOptions options);

  // One turn of the worker; true if something happened.
  bool Turn();
  // Turns until nothing happens any more.
  void Run();
  // Turns until `done`; false if that never happens.
  bool RunUntil(const std::function<bool()>& done);
  // Lets time pass in steps, with a turn after each.
  void Pass(Duration duration, Duration step = Milliseconds(100));
  // The wire is cut: the router sees the end of the stream.
  void Vanish(Peer& peer);

  Time now() const { return now_; }
  core::Shard& shard() { return shard_; }
  BlockPool& pool() { return pool_; }
  Workspace& workspace() { return workspace_; }

 private:
  void Start(Peer& peer, uint64_t tag, DriverOptions options);
  bool Read(Peer& peer);
  bool Write(Peer& peer);
  bool Deliver(Peer& peer);
  bool RunPilot();
  void Apply(const core::Notice& notice);
  size_t Some(size_t n, size_t max) {
    const size_t most = n < max ? n : max;
    return options_.seed == 0 ? most : 1 + random_.Below(most);
  }

  const WorldOptions options_;
  Random random_;
  BlockPool pool_;
  BlockPool client_pool_;
  Workspace workspace_{pool_};
  core::Shard shard_;
  Time now_{Seconds(1000).ns};
  std::vector<std::unique_ptr<Peer>> peers_;
  // The pilot.
  std::shared_ptr<const core::AddressSettings> settings_;
  std::map<core::AddressKey, core::Route> routes_;
  std::vector<std::unique_ptr<core::RouteTable>> tables_;
  uint64_t version_ = 1;
  uint32_t next_route_ = 1;
};

}  // namespace trunkline::conn::test
