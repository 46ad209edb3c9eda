#pragma once

#include <functional>
#include <memory>
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
// spec takes effect on new connections; it binds again only when the place is another.
//
// Owned by the Pilot. Thread: the pilot's.
class Listener {
 public:
  struct Hooks {
    std::function<void(Listener& listener, Descriptor fd, const sockaddr_storage& peer)> accepted;
    Acceptor::Refused refused;
    std::function<void(const std::string& name, std::vector<std::string> addresses)> up;
  };
  using Done = std::function<void(absl::Status)>;

  Listener(boost::asio::io_context& io, Hooks hooks);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  // `done` is called once, at once or when names are resolved; the caller keeps this object until
  // then. A failure leaves everything as it was: a place is bound before the last one is given up,
  // unless the two overlap; then the last one is bound again when the other fails.
  void Apply(const ListenerSpec& spec, Done done);

  const ListenerSpec& spec() const { return spec_; }
  const std::shared_ptr<const ConnectionPlan>& plan() const { return plan_; }

 private:
  void Resolve(const ListenerSpec& spec,
               std::function<void(absl::StatusOr<std::vector<ListenAddress>>)> then);
  absl::Status Bind(const ListenerSpec& spec, std::vector<ListenAddress> addresses);
  void Open(std::vector<Bound> bound);
  void Adopt(const ListenerSpec& spec);

  struct Resolver;

  boost::asio::io_context& io_;
  const Hooks hooks_;
  ListenerSpec spec_;
  std::shared_ptr<const ConnectionPlan> plan_;
  std::vector<ListenAddress> addresses_;
  std::unique_ptr<Acceptor> acceptor_;
  std::unique_ptr<Resolver> resolver_;
};

}  // namespace trunkline::net
