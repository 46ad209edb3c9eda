#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "router/net/acceptor.h"
#include "router/net/connection_plan.h"
#include "router/net/listen.h"
#include "router/specs.h"

namespace trunkline::net {

// One listener resource: where it listens and by which plan it serves those who come. A changed
// spec takes effect on new connections; it binds again only when the place is another, and gives up
// the old place when it has the new one.
//
// Owned by the Pilot. Thread: the pilot's.
class Listener {
 public:
  struct Hooks {
    std::function<void(Listener& listener, Descriptor fd, const sockaddr_storage& peer)> accepted;
    Acceptor::Refused refused;
    std::function<void(const std::string& name, std::vector<std::string> addresses)> up;
    // It listens no longer, though it should.
    std::function<void(const std::string& name, const std::string& error)> failed;
  };
  using Done = std::function<void(absl::Status)>;

  Listener(boost::asio::io_context& io, Hooks hooks);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  // Opens the sockets where `spec` is going to listen, unless it is where this one listens already:
  // then Apply cannot fail. Who connects meanwhile waits. They are kept until Apply or Drop. `done`
  // is called once, at once or when names are resolved; the caller keeps this object until then.
  void Hold(const ListenerSpec& spec, MakeRoom make_room, Done done);
  void Drop();
  // Whether Apply of this spec needs no other socket than there is or is held.
  bool Holds(const ListenerSpec& spec) const;
  // REQUIRES: Holds(spec).
  void Apply(const ListenerSpec& spec);

  // Gives up its place for a while; and takes it again, if it has no other by now. When that does
  // not go it has failed, until Resume or Apply gives it one: the hooks are told of both.
  void Suspend();
  void Resume();
  bool failed() const { return failed_; }

  const ListenerSpec& spec() const { return spec_; }
  // Whether where it listens leaves no room there.
  bool IsInTheWayOf(const ListenAddress& where) const;
  const std::shared_ptr<const ConnectionPlan>& plan() const { return plan_; }

 private:
  void Resolve(const ListenerSpec& spec,
               std::function<void(absl::StatusOr<std::vector<ListenAddress>>)> then);
  absl::Status Bind(const ListenerSpec& spec, const std::vector<ListenAddress>& addresses,
                    const MakeRoom& make_room);
  // Returns where that is, as text.
  std::vector<std::string> Open(std::vector<Bound> bound);

  struct Resolver;
  // Sockets that listen for a spec to come.
  struct Held {
    ListenerSpec spec;
    std::vector<Bound> bound;
  };

  boost::asio::io_context& io_;
  const Hooks hooks_;
  ListenerSpec spec_;
  std::shared_ptr<const ConnectionPlan> plan_;
  std::vector<ListenAddress> addresses_;  // with the ports they really have
  std::unique_ptr<Acceptor> acceptor_;    // null: suspended, failed, or never applied
  bool failed_ = false;
  std::optional<Held> held_;
  std::unique_ptr<Resolver> resolver_;
};

}  // namespace trunkline::net
