#include "router/net/listener.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "router/base/log.h"
#include "router/net/place.h"

namespace trunkline::net {
namespace {

using boost::asio::ip::tcp;

constexpr LogModule kLogModule = LogModule::kNet;

std::string Place(const ListenerSpec& spec) { return PlaceText(spec.host, spec.port); }

bool IsSamePlace(const ListenerSpec& a, const ListenerSpec& b) {
  return a.host == b.host && a.port == b.port && a.socket_family == b.socket_family;
}

std::shared_ptr<const ConnectionPlan> PlanFor(const ListenerSpec& spec) {
  auto plan = std::make_shared<ConnectionPlan>();
  plan->owner = spec.name;
  plan->inbound = true;
  plan->connection = spec.connection;
  plan->require_sasl = spec.require_sasl;
  plan->user_store = spec.user_store;
  switch (spec.tls_client_auth) {
    case TlsClientAuth::kNone:
      plan->tls_server.client_auth = tls::ClientAuth::kNone;
      break;
    case TlsClientAuth::kRequest:
      plan->tls_server.client_auth = tls::ClientAuth::kRequest;
      break;
    case TlsClientAuth::kRequire:
      plan->tls_server.client_auth = tls::ClientAuth::kRequire;
      break;
  }
  return plan;
}

bool HasIpv6() {
  return static_cast<bool>(Descriptor(socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0)));
}

// All addresses of this host.
ListenAddress Anywhere(SocketFamily family, uint16_t port) {
  ListenAddress all;
  if (family == SocketFamily::kIpv4 || (family == SocketFamily::kAny && !HasIpv6())) {
    auto& v4 = reinterpret_cast<sockaddr_in&>(all.address);
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    return all;
  }
  auto& v6 = reinterpret_cast<sockaddr_in6&>(all.address);
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  all.dual_stack = family == SocketFamily::kAny;
  return all;
}

std::vector<ListenAddress> FromResolved(const tcp::resolver::results_type& results,
                                        SocketFamily family) {
  std::vector<ListenAddress> addresses;
  for (const auto& result : results) {
    const tcp::endpoint endpoint = result.endpoint();
    const bool v6 = endpoint.address().is_v6();
    if (family == (v6 ? SocketFamily::kIpv4 : SocketFamily::kIpv6)) continue;
    ListenAddress& one = addresses.emplace_back();
    std::memcpy(&one.address, endpoint.data(), endpoint.size());
  }
  return addresses;
}

}  // namespace

struct Listener::Resolver {
  explicit Resolver(boost::asio::io_context& io) : resolver(io) {}
  tcp::resolver resolver;
};

Listener::Listener(boost::asio::io_context& io, Hooks hooks) : io_(io), hooks_(std::move(hooks)) {}

Listener::~Listener() = default;

void Listener::Hold(const ListenerSpec& spec, MakeRoom make_room, Done done) {
  held_.reset();
  if (Holds(spec)) return done(absl::OkStatus());
  Resolve(spec, [this, spec, make_room, done](auto addresses) {
    done(addresses.ok() ? Bind(spec, *addresses, make_room) : addresses.status());
  });
}

void Listener::Drop() { held_.reset(); }

bool Listener::Holds(const ListenerSpec& spec) const {
  if (held_) return IsSamePlace(spec, held_->spec);
  return acceptor_ != nullptr && IsSamePlace(spec, spec_);
}

void Listener::Resolve(const ListenerSpec& spec,
                       std::function<void(absl::StatusOr<std::vector<ListenAddress>>)> then) {
  if (spec.host.empty()) {
    return then(std::vector<ListenAddress>{Anywhere(spec.socket_family, spec.port)});
  }
  const auto finish = [spec, then](const boost::system::error_code& error,
                                   const tcp::resolver::results_type& results) {
    std::vector<ListenAddress> addresses;
    if (!error) addresses = FromResolved(results, spec.socket_family);
    if (!addresses.empty()) return then(std::move(addresses));
    then(absl::FailedPreconditionError(
        absl::StrCat("cannot listen on ", Place(spec), ": ",
                     error ? error.message() : "no address of this family")));
  };
  if (const auto place = NumericPlace(spec.host, spec.port)) return finish({}, *place);
  resolver_ = std::make_unique<Resolver>(io_);
  resolver_->resolver.async_resolve(spec.host, std::to_string(spec.port),
                                    tcp::resolver::passive | tcp::resolver::numeric_service,
                                    finish);
}

absl::Status Listener::Bind(const ListenerSpec& spec, const std::vector<ListenAddress>& addresses,
                            const MakeRoom& make_room) {
  absl::StatusOr<std::vector<Bound>> bound = Listen(addresses, Place(spec), make_room);
  if (!bound.ok()) return bound.status();
  held_ = {.spec = spec, .bound = *std::move(bound)};
  return absl::OkStatus();
}

void Listener::Apply(const ListenerSpec& spec) {
  std::vector<std::string> texts;
  if (held_) {
    texts = Open(std::move(held_->bound));
    held_.reset();
    failed_ = false;
  }
  spec_ = spec;
  plan_ = PlanFor(spec);
  if (!texts.empty()) hooks_.up(spec.name, std::move(texts));
}

bool Listener::IsInTheWayOf(const ListenAddress& where) const {
  return std::any_of(addresses_.begin(), addresses_.end(),
                     [&](const ListenAddress& mine) { return Collide(mine, where); });
}

void Listener::Suspend() { acceptor_.reset(); }

void Listener::Resume() {
  if (acceptor_ != nullptr) return;
  absl::StatusOr<std::vector<Bound>> bound = Listen(addresses_, Place(spec_));
  const bool failed_before = std::exchange(failed_, !bound.ok());
  if (bound.ok()) {
    std::vector<std::string> texts = Open(*std::move(bound));
    if (failed_before) hooks_.up(spec_.name, std::move(texts));
  } else if (!failed_before) {
    TL_LOG(error, "no longer listening", {"listener", spec_.name},
           {"error", std::string(bound.status().message())});
    hooks_.failed(spec_.name, std::string(bound.status().message()));
  }
}

std::vector<std::string> Listener::Open(std::vector<Bound> bound) {
  std::vector<std::string> texts;
  addresses_.clear();
  for (const Bound& each : bound) {
    texts.push_back(each.address);
    addresses_.push_back(each.where);
  }
  acceptor_ = std::make_unique<Acceptor>(
      io_, std::move(bound),
      Acceptor::Hooks{.accepted =
                          [this](Descriptor fd, const sockaddr_storage& peer) {
                            hooks_.accepted(*this, std::move(fd), peer);
                          },
                      .refused = hooks_.refused});
  return texts;
}

}  // namespace trunkline::net
