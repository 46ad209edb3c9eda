#include "control/api/server.h"

#include <grpc/support/log.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>

#include <set>
#include <utility>
#include <vector>

#include "control/api/audit.h"
#include "control/api/conversation.h"
#include "control/api/credentials.h"
#include "control/api/cutoff.h"
#include "control/api/doorway.h"
#include "control/api/reflection.h"
#include "control/api/socket_file.h"
#include "control/config/text.h"
#include "google/protobuf/stubs/logging.h"
#include "proto/google/rpc/error_details.pb.h"
#include "proto/grpc/health/v1/health.pb.h"
#include "router/base/log.h"
#include "router/base/status.h"

namespace trunkline::api {
namespace {

constexpr LogModule kLogModule = LogModule::kControl;

using config::Concat;

constexpr int kStreamsPerConnection = 100;
constexpr int kHandshakeMilliseconds = 10'000;
constexpr int kKeepaliveMilliseconds = 30'000;
constexpr int kKeepaliveAnswerMilliseconds = 10'000;
constexpr int kPingIntervalMilliseconds = 10'000;  // faster ones are misbehaviour
// So that load balancers can spread connections anew.
constexpr int kConnectionAgeMilliseconds = 30 * 60 * 1000;
constexpr int kConnectionGraceMilliseconds = 5 * 60 * 1000;

// What a connection has, once its calls are over, until it is cut.
constexpr int kCutMilliseconds = 1000;

// gRPC's own log goes where ours goes. It says what went wrong with sockets and handshakes.
void LogOfGrpc(gpr_log_func_args* arguments) {
  constexpr size_t kShownBytesMax = 512;
  TL_LOG(debug, "grpc", {"message", config::Shorten(arguments->message, kShownBytesMax)});
}

// Who calls: over the socket everybody is the same; over TCP it is who the certificate names.
std::string IdentityIn(const grpc::AuthContext& context) {
  const auto all = [&](const char* property) {
    std::vector<std::string> values;
    for (const grpc::string_ref& value : context.FindPropertyValues(property)) {
      values.emplace_back(value.data(), value.size());
    }
    return values;
  };
  CertificateNames names;
  names.uris = all("peer_uri");
  names.dns = all("peer_dns");
  std::vector<std::string> common = all("x509_common_name");
  if (!common.empty()) names.common_name = std::move(common.front());
  return context.IsPeerAuthenticated() ? IdentityOf(names) : "";
}

// One way in, with limits of its own.
class Port final : public grpc::CallbackGenericService {
 public:
  enum class Kind { kSocket, kTcp };
  Port(Kind kind, Front& front) : kind_(kind), front_(front) {}

  // False: gRPC does not start.
  bool Start(std::unique_ptr<Doorway> doorway,
             std::shared_ptr<grpc::ServerCredentials> credentials);
  void Stop(int64_t limit_ms);
  uint16_t port() const { return doorway_ == nullptr ? 0 : doorway_->port(); }
  grpc::Server* server() const { return server_.get(); }

  grpc::ServerGenericBidiReactor* CreateReactor(
      grpc::GenericCallbackServerContext* context) override {
    return Conversation::Begin(
        front_, context->method(),
        front_.gate.CallerOf(kind_ == Kind::kSocket ? std::string(kLocalIdentity)
                                                    : IdentityIn(*context->auth_context()),
                             context->peer()));
  }

 private:
  void Configure(grpc::ServerBuilder& builder);

  const Kind kind_;
  Front& front_;
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<Doorway> doorway_;  // uses the acceptor
};

void Port::Configure(grpc::ServerBuilder& builder) {
  builder.RegisterCallbackGenericService(this);
  builder.SetMaxReceiveMessageSize(kChangeBytesMax);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kStreamsPerConnection);
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, kHandshakeMilliseconds);
  if (kind_ == Kind::kSocket) return;
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMilliseconds);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveAnswerMilliseconds);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             kPingIntervalMilliseconds);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS, kConnectionAgeMilliseconds);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, kConnectionGraceMilliseconds);
}

bool Port::Start(std::unique_ptr<Doorway> doorway,
                 std::shared_ptr<grpc::ServerCredentials> credentials) {
  using Type = grpc::ServerBuilder::experimental_type::ExternalConnectionType;
  grpc::ServerBuilder builder;
  Configure(builder);
  acceptor_ =
      builder.experimental().AddExternalConnectionAcceptor(Type::FROM_FD, std::move(credentials));
  server_ = builder.BuildAndStart();
  if (server_ == nullptr) return false;
  doorway_ = std::move(doorway);
  doorway_->Start([this](int fd) {
    grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters connection;
    connection.fd = fd;
    acceptor_->HandleNewConnection(&connection);
  });
  return true;
}

void Port::Stop(int64_t limit_ms) {
  const gpr_timespec deadline =
      gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(limit_ms, GPR_TIMESPAN));
  if (server_ == nullptr) return;
  doorway_->Stop();
  const Cutoff cutoff(doorway_->descriptors(), doorway_->listener(),
                      static_cast<int>(limit_ms) + kCutMilliseconds);
  server_->Shutdown(deadline);
}

// Full names of the services that have a handler, and those of gRPC.
std::vector<std::string> ServedBy(const MethodTable& methods, const Handlers& handlers) {
  std::set<std::string> served = {
      grpc::health::v1::HealthCheckRequest::descriptor()->file()->service(0)->full_name()};
  for (const Method& method : methods.methods()) {
    if (handlers.contains(method.key())) {
      served.insert(method.descriptor->service()->full_name());
    }
  }
  served.insert(
      grpc::reflection::v1::ServerReflectionRequest::descriptor()->file()->service(0)->full_name());
  return {served.begin(), served.end()};
}

}  // namespace

class Server::Impl {
 public:
  Impl(Options options, Handlers handlers, const MethodTable& methods, std::function<void()> wake)
      : options_(std::move(options)),
        services_(ServedBy(methods, handlers)),
        reflection_(services_, {google::rpc::ErrorInfo::descriptor()->file()}),
        front_{.gate = Gate(methods, options_.limits, options_.policy),
               .desk = Desk(std::move(handlers), Audit, options_.now),
               .inbox = std::make_shared<Inbox>(std::move(wake)),
               .reflection = options_.reflection ? &reflection_ : nullptr,
               .call_limit_ms = options_.call_limit.milliseconds()} {}

  absl::Status OpenSocket();
  absl::Status Listen(const std::string& path);
  absl::Status OpenTcp();
  void RunPosted();
  void SetServing(bool serving);
  void SetPolicy(Policy policy) { front_.gate.SetPolicy(std::move(policy)); }
  void SetCertificate(ServerCertificate certificate) {
    if (certificate_ != nullptr) certificate_->Set(std::move(certificate));
  }
  const std::string& socket_path() const { return socket_path_; }
  uint16_t port() const { return tcp_ == nullptr ? 0 : tcp_->port(); }
  const Front& front() const { return front_; }
  void Stop(Duration limit);

 private:
  const Options options_;
  const std::vector<std::string> services_;
  const Reflection reflection_;
  Front front_;
  std::shared_ptr<Published<ServerCertificate>> certificate_;
  std::unique_ptr<SocketFile> socket_file_;
  std::string socket_path_;
  std::unique_ptr<Port> socket_;  // both are gone before what they use
  std::unique_ptr<Port> tcp_;
  bool stopped_ = false;
};

absl::Status Server::Impl::OpenSocket() {
  absl::Status problem;
  for (const std::string& path : options_.socket_paths) {
    auto file = SocketFile::Prepare(path, options_.socket_group);
    if (file.ok()) {
      socket_file_ = *std::move(file);
      return Listen(path);
    }
    problem = file.status();
    TL_LOG(debug, "no socket there", {"error", config::View(problem.message())});
  }
  if (problem.ok() || !options_.socket_optional) return problem;
  TL_LOG(info, "no control socket", {"error", config::View(problem.message())});
  return absl::OkStatus();
}

absl::Status Server::Impl::Listen(const std::string& path) {
  auto doorway = Doorway::OpenSocket(socket_file_->bind_path());
  if (!doorway.ok()) {
    return absl::FailedPreconditionError(Concat(path, ": ", doorway.status().message()));
  }
  socket_ = std::make_unique<Port>(Port::Kind::kSocket, front_);
  if (!socket_->Start(*std::move(doorway), grpc::experimental::LocalServerCredentials(UDS))) {
    return absl::InternalError("gRPC does not start for the socket");
  }
  socket_path_ = path;
  return socket_file_->Publish();
}

absl::Status Server::Impl::OpenTcp() {
  if (options_.tcp == nullptr) return absl::OkStatus();
  Tcp& tcp = *options_.tcp;
  auto doorway = Doorway::Open(tcp.host, tcp.port);
  if (!doorway.ok()) return doorway.status();
  certificate_ = std::make_shared<Published<ServerCertificate>>(std::move(tcp.certificate));
  tcp_ = std::make_unique<Port>(Port::Kind::kTcp, front_);
  if (tcp_->Start(*std::move(doorway), std::make_shared<TlsCredentials>(certificate_))) {
    return absl::OkStatus();
  }
  return absl::InternalError("gRPC does not start for TCP");
}

void Server::Impl::RunPosted() {
  for (const Inbox::Function& function : front_.inbox->Take()) function();
}

void Server::Impl::SetServing(bool serving) {
  for (const auto& port : {socket_.get(), tcp_.get()}) {
    if (port == nullptr || port->server() == nullptr) continue;
    grpc::HealthCheckServiceInterface* health = port->server()->GetHealthCheckService();
    health->SetServingStatus(serving);
    for (const std::string& service : services_) health->SetServingStatus(service, serving);
  }
}

void Server::Impl::Stop(Duration limit) {
  if (std::exchange(stopped_, true)) return;
  SetServing(false);
  front_.desk.Close();
  front_.inbox->Close();
  RunPosted();
  // From here on gRPC's threads refuse calls themselves.
  for (const auto& port : {socket_.get(), tcp_.get()}) {
    if (port != nullptr) port->Stop(limit.milliseconds());
  }
}

absl::StatusOr<std::unique_ptr<Server>> Server::Start(Options options, Handlers handlers,
                                                      const MethodTable& methods,
                                                      std::function<void()> wake) {
  gpr_set_log_function(LogOfGrpc);
  // Protobuf would write a line about each request that is no UTF-8; the caller is told.
  google::protobuf::SetLogHandler(nullptr);
  grpc::EnableDefaultHealthCheckService(true);
  std::unique_ptr<Server> server(new Server());
  server->impl_ =
      std::make_unique<Impl>(std::move(options), std::move(handlers), methods, std::move(wake));
  TL_RETURN_IF_ERROR(server->impl_->OpenSocket());
  TL_RETURN_IF_ERROR(server->impl_->OpenTcp());
  server->impl_->SetServing(true);
  return server;
}

Server::Server() = default;

Server::~Server() { Stop(Duration()); }

void Server::RunPosted() { impl_->RunPosted(); }

void Server::SetServing(bool serving) { impl_->SetServing(serving); }

void Server::SetPolicy(Policy policy) { impl_->SetPolicy(std::move(policy)); }

void Server::SetCertificate(ServerCertificate certificate) {
  impl_->SetCertificate(std::move(certificate));
}

const std::string& Server::socket_path() const { return impl_->socket_path(); }

std::string Server::GrpcVersion() { return grpc::Version(); }

uint16_t Server::port() const { return impl_->port(); }

uint64_t Server::refused(Refused why) const { return impl_->front().gate.refused(why); }
const Tally& Server::tally() const { return impl_->front().desk.tally(); }

void Server::Stop(Duration limit) { impl_->Stop(limit); }

}  // namespace trunkline::api
