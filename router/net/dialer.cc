#include "router/net/dialer.h"

#include <sys/socket.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <concepts>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "router/net/dial_schedule.h"
#include "router/net/listen.h"
#include "router/net/place.h"

namespace trunkline::net {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using Error = boost::system::error_code;

std::shared_ptr<const ConnectionPlan> PlanFor(const ConnectorSpec& spec, const HostPort& host) {
  auto plan = std::make_shared<ConnectionPlan>();
  plan->owner = spec.name;
  plan->inbound = false;
  plan->connection = spec.connection;
  plan->hostname = host.host;
  plan->tls_client.server_name = spec.server_name.empty() ? host.host : spec.server_name;
  plan->tls_client.verify_hostname = spec.verify_hostname;
  plan->sasl_user = spec.sasl_user;
  plan->sasl_password = spec.sasl_password;
  return plan;
}

std::string PeerOf(const tcp::endpoint& endpoint) {
  sockaddr_storage address{};
  std::memcpy(&address, endpoint.data(), endpoint.size());
  return AddressText(address);
}

}  // namespace

class Dialer::Impl : public std::enable_shared_from_this<Dialer::Impl> {
 public:
  Impl(asio::io_context& io, ConnectorSpec spec, Hooks hooks)
      : spec_(std::move(spec)),
        hooks_(std::move(hooks)),
        schedule_(spec_),
        resolver_(io),
        socket_(io),
        timer_(io) {}

  // Each attempt has a number, so that what an earlier one reports late is not taken for news.
  void Dial();
  // Ends what is under way: nothing is heard of it any more.
  void Stop();

  const ConnectorSpec& spec() const { return spec_; }
  uint64_t connection() const { return connection_; }

  void Gone(const ConnectionDown& down) {
    connection_ = 0;
    if (down.was_open) return Retry(schedule_.Closed());
    Fail(down.error.empty() ? "closed by the peer before open" : down.error, Reach::kPeer);
  }

 private:
  // A handler that does nothing once the attempt is over. It keeps this object: what goes on in the
  // socket looks at it once more before it gives up.
  template <typename Handler>
  auto Guarded(uint64_t attempt, Handler handler) {
    return [ self = shared_from_this(), attempt, handler ]<typename... Result>(
        const Result&... result) requires std::invocable<const Handler&, const Result&...> {
      if (self->attempt_ == attempt) handler(result...);
    };
  }

  // How far an attempt got that failed.
  enum class Reach { kNothing, kPeer };

  template <typename Action>
  void After(Duration delay, Action action) {
    timer_.expires_after(std::chrono::nanoseconds(delay.ns));
    timer_.async_wait(Guarded(attempt_, [action](const Error& error) {
      if (!error) action();
    }));
  }

  void Connect(uint64_t attempt, const tcp::resolver::results_type& endpoints) {
    asio::async_connect(socket_, endpoints,
                        Guarded(attempt, [this](const Error& error, const tcp::endpoint& endpoint) {
                          if (error) return Fail(error.message());
                          Use(endpoint);
                        }));
  }

  void Use(const tcp::endpoint& endpoint) {
    ++attempt_;  // a time-out that is due already, too, comes too late
    timer_.cancel();
    Error error;
    socket_.non_blocking(true, error);
    if (!error) {
      Descriptor fd(socket_.release(error));
      if (!error) {
        connection_ = hooks_.connected(std::move(fd), PlanFor(spec_, schedule_.Candidate()),
                                       PeerOf(endpoint));
        return;
      }
      fd.Release();  // still the socket's
    }
    Fail(error.message());
  }

  void Fail(const std::string& error, Reach reach = Reach::kNothing) {
    Error ignored;
    socket_.close(ignored);
    const HostPort& candidate = schedule_.Candidate();
    const std::string peer = PlaceText(candidate.host, candidate.port);
    const Duration delay = schedule_.Failed();
    hooks_.failed({.name = spec_.name,
                   .peer = peer,
                   .error = error,
                   .retry_in_ms = delay.milliseconds(),
                   .reached = reach == Reach::kPeer});
    Retry(delay);
  }

  void Retry(Duration delay) {
    ++attempt_;
    After(delay, [this] { Dial(); });
  }

  const ConnectorSpec spec_;
  const Hooks hooks_;
  DialSchedule schedule_;
  tcp::resolver resolver_;
  tcp::socket socket_;
  asio::steady_timer timer_;
  uint64_t attempt_ = 0;
  uint64_t connection_ = 0;
};

void Dialer::Impl::Dial() {
  const uint64_t attempt = ++attempt_;
  const HostPort& host = schedule_.Candidate();
  if (spec_.connect_timeout > Duration{}) {
    After(spec_.connect_timeout, [this] {
      resolver_.cancel();
      Fail("connect timed out");
    });
  }
  if (const auto place = NumericPlace(host.host, host.port)) return Connect(attempt, *place);
  resolver_.async_resolve(
      host.host, std::to_string(host.port), tcp::resolver::numeric_service,
      Guarded(attempt, [this, attempt](const Error& error, const tcp::resolver::results_type& r) {
        if (error) return Fail(absl::StrCat("cannot resolve: ", error.message()));
        Connect(attempt, r);
      }));
}

void Dialer::Impl::Stop() {
  ++attempt_;
  timer_.cancel();
  resolver_.cancel();
  Error ignored;
  socket_.close(ignored);
}

Dialer::Dialer(asio::io_context& io, ConnectorSpec spec, Hooks hooks)
    : impl_(std::make_shared<Impl>(io, std::move(spec), std::move(hooks))) {
  impl_->Dial();
}

Dialer::~Dialer() { impl_->Stop(); }

const ConnectorSpec& Dialer::spec() const { return impl_->spec(); }
uint64_t Dialer::connection() const { return impl_->connection(); }
void Dialer::Gone(const ConnectionDown& down) { impl_->Gone(down); }

}  // namespace trunkline::net
