#include "control/http/server.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <exception>
#include <list>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "control/http/session.h"
#include "router/base/log.h"
#include "router/base/thread.h"

namespace trunkline::http {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using Error = boost::system::error_code;

constexpr LogModule kLogModule = LogModule::kControl;
// After the system could not give a connection: what it lacks does not come back at once.
constexpr std::chrono::milliseconds kAcceptPause{200};

std::string TextOf(const tcp::endpoint& endpoint) {
  const std::string address = endpoint.address().to_string();
  return endpoint.address().is_v6() ? absl::StrCat("[", address, "]:", endpoint.port())
                                    : absl::StrCat(address, ":", endpoint.port());
}

}  // namespace

class Server::Impl {
 public:
  explicit Impl(const Options& options)
      : tls_context_(options.tls.context),
        surroundings_{.options = options,
                      .tls_context = [this] { return TlsContext(); },
                      .served = [this](const Session& session) { MoveToBack(session); },
                      .gone = [this](const Session& session) { Forget(session); }} {}
  ~Impl();

  absl::Status Listen();
  void Start() {
    thread_ = std::thread([this] { Run(); });
  }  // throws
  void Serve(Handler handler, Stats& stats);
  void Post(std::function<void()> action) { asio::post(io_, std::move(action)); }

  const std::vector<std::string>& addresses() const { return addresses_; }

  std::shared_ptr<const tls::Context> TlsContext() {
    std::lock_guard lock(tls_mutex_);
    return tls_context_;
  }
  // The one before is freed behind the lock.
  void SetTlsContext(std::shared_ptr<const tls::Context> context) {
    std::lock_guard lock(tls_mutex_);
    tls_context_.swap(context);
  }

 private:
  // A place to listen on.
  struct Door {
    explicit Door(asio::io_context& io) : acceptor(io), pause(io) {}
    tcp::acceptor acceptor;
    asio::steady_timer pause;
  };

  std::vector<tcp::endpoint> Resolve(Error& error);
  Error Open(const tcp::endpoint& endpoint);
  void Accept(Door& door);
  void OnAccepted(Door& door, const Error& error, tcp::socket socket);
  void MoveToBack(const Session& session);
  void Forget(const Session& session);
  void Run();

  std::mutex tls_mutex_;  // of tls_context_
  std::shared_ptr<const tls::Context> tls_context_;
  asio::io_context io_{1};
  const asio::executor_work_guard<asio::io_context::executor_type> open_{io_.get_executor()};
  Session::Surroundings surroundings_;
  std::list<Door> doors_;
  std::vector<std::string> addresses_;
  std::list<std::shared_ptr<Session>> sessions_;  // quiet for the longest first
  std::thread thread_;
};

Server::Impl::~Impl() {
  if (!thread_.joinable()) return;
  io_.stop();
  thread_.join();
}

absl::Status Server::Impl::Listen() {
  const Options& options = surroundings_.options;
  Error error;
  for (tcp::endpoint endpoint : Resolve(error)) {
    if (error) break;
    // Of a name with several addresses the first one chooses the port for all.
    if (endpoint.port() == 0 && !doors_.empty()) {
      endpoint.port(doors_.front().acceptor.local_endpoint(error).port());
    }
    error = Open(endpoint);
    // Every address, where there is no IPv6, is every one of IPv4.
    if (error == asio::error::address_family_not_supported && endpoint.address().is_v6() &&
        endpoint.address().is_unspecified()) {
      doors_.pop_back();
      error = Open({tcp::v4(), endpoint.port()});
    }
  }
  if (!error && !doors_.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat("cannot listen on ", options.host, " port ",
                                                    options.port, ": ",
                                                    error ? error.message() : "no address"));
}

std::vector<tcp::endpoint> Server::Impl::Resolve(Error& error) {
  const Options& options = surroundings_.options;
  const auto address = asio::ip::make_address(options.host, error);
  if (!error) return {{address, options.port}};
  std::vector<tcp::endpoint> endpoints;
  for (const auto& result :
       tcp::resolver(io_).resolve(options.host, std::to_string(options.port),
                                  tcp::resolver::passive | tcp::resolver::numeric_service, error)) {
    endpoints.push_back(result.endpoint());
  }
  return endpoints;
}

Error Server::Impl::Open(const tcp::endpoint& endpoint) {
  Error error;
  tcp::acceptor& acceptor = doors_.emplace_back(io_).acceptor;
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error && endpoint.address().is_v6()) {
    const bool is_all = endpoint.address().is_unspecified();
    acceptor.set_option(asio::ip::v6_only(!is_all), error);
  }
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (!error) addresses_.push_back(TextOf(acceptor.local_endpoint(error)));
  return error;
}

void Server::Impl::Serve(Handler handler, Stats& stats) {
  surroundings_.handler = std::move(handler);
  surroundings_.stats = &stats;
  Post([this] {
    for (Door& door : doors_) Accept(door);
  });
}

void Server::Impl::Run() {
  BeginThread("tl-http", ThreadClass::kService);
  while (!io_.stopped()) {
    try {
      io_.run();
    } catch (const std::exception& exception) {  // of Asio and Beast: for want of memory
      TL_LOG(error, "http request failed", {"error", exception.what()});
    }
  }
}

void Server::Impl::Accept(Door& door) {
  door.acceptor.async_accept([this, &door](const Error& error, tcp::socket socket) {
    OnAccepted(door, error, std::move(socket));
  });
}

void Server::Impl::OnAccepted(Door& door, const Error& error, tcp::socket socket) {
  if (error == asio::error::operation_aborted) return;
  if (error && error != asio::error::connection_aborted) {
    surroundings_.stats->not_served.Add();
    TL_LOG(warning, "http connection not served", {"error", error.message()});
    door.pause.expires_after(kAcceptPause);
    return door.pause.async_wait([this, &door](const Error& cancelled) {
      if (!cancelled) Accept(door);
    });
  }
  if (!error) {
    surroundings_.stats->connections.Add();
    if (sessions_.size() >= surroundings_.options.connections_max) {
      surroundings_.stats->displaced.Add();
      sessions_.front()->Close();
      sessions_.pop_front();
    }
    sessions_.push_back(std::make_shared<Session>(std::move(socket), surroundings_));
    sessions_.back()->Start();
  }
  Accept(door);
}

void Server::Impl::MoveToBack(const Session& session) {
  for (auto it = sessions_.begin(); it != sessions_.end(); ++it) {
    if (it->get() == &session) return sessions_.splice(sessions_.end(), sessions_, it);
  }
}

void Server::Impl::Forget(const Session& session) {
  sessions_.remove_if([&](const auto& other) { return other.get() == &session; });
}

absl::StatusOr<std::unique_ptr<Server>> Server::Listen(const Options& options) {
  try {
    auto impl = std::make_unique<Impl>(options);
    if (absl::Status status = impl->Listen(); !status.ok()) return status;
    impl->Start();
    return std::unique_ptr<Server>(new Server(std::move(impl)));
  } catch (const std::runtime_error& error) {  // of threads, and of Asio
    return absl::ResourceExhaustedError(absl::StrCat("cannot serve there: ", error.what()));
  }
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() = default;
const std::vector<std::string>& Server::addresses() const { return impl_->addresses(); }
void Server::Serve(Handler handler, Stats& stats) { impl_->Serve(std::move(handler), stats); }
void Server::SetTlsContext(std::shared_ptr<const tls::Context> context) {
  impl_->SetTlsContext(std::move(context));
}
void Server::Post(std::function<void()> action) { impl_->Post(std::move(action)); }

}  // namespace trunkline::http
