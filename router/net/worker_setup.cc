#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "router/amqp/codec.h"
#include "router/net/login_limit.h"
#include "router/net/worker.h"

// How a worker takes a connection on: what its driver is told of plan and View.
namespace trunkline::net {
namespace {

// What every open says about this router; also tells the peer our name for the connection.
std::string OpenProperties(const std::string& version, uint64_t connection_id) {
  amqp::MapWriter map;
  map.Add("product", "trunkline");
  map.Add("version", version);
  map.Add("qd.conn-id", static_cast<int32_t>(connection_id & INT32_MAX));
  return map.Take();
}

core::ConnectionInfo InfoOf(const ConnectionSpec& spec) {
  core::ConnectionInfo info;
  info.role = spec.role == Role::kRouteContainer ? core::ConnectionRole::kRouteContainer
                                                 : core::ConnectionRole::kNormal;
  info.link_capacity = spec.link_capacity;
  info.strip_inbound_annotations = spec.strip_annotations == StripAnnotations::kBoth ||
                                   spec.strip_annotations == StripAnnotations::kIn;
  info.strip_outbound_annotations = spec.strip_annotations == StripAnnotations::kBoth ||
                                    spec.strip_annotations == StripAnnotations::kOut;
  info.max_message_size = spec.max_message_size;
  return info;
}

}  // namespace

Socket* Worker::Find(uint64_t connection) {
  const auto found = handles_.find(connection);
  return found == handles_.end() ? nullptr : sockets_.Find(found->second);
}

void Worker::SetUp(NewConnection&& connection, Time now) {
  counters_.connections.Add();
  const Handle<Socket> handle = sockets_.Insert(std::move(connection));
  Socket& socket = sockets_.Get(handle);
  handles_[socket.id()] = handle;
  const conn::DriverOptions options = OptionsFor(socket, handle.Pack());
  const std::string& profile = socket.plan().connection.tls_profile;
  if (!profile.empty() && options.tls == nullptr) {
    ReportGone(socket, absl::StrCat("TLS profile \"", profile, "\" does not exist"));
    return Erase(handle, socket);
  }
  if (options.tls != nullptr) socket.notes.tls_revision = TlsOf(socket)->revision;
  if (!poller_.Add(socket.fd(), Socket::kEvents, handle.Pack())) {
    ReportGone(socket, "the system has no watch for the socket");
    return Erase(handle, socket);
  }
  socket.notes.begun = now;
  socket.Start(options, *shard_, workspace_);
  FollowFrameWishes(socket);
  if (quiesced_) socket.driver().Quiesce();
  Arm(handle, socket, socket.driver().Tick(now));
  if (closing_) return CloseSocket(handle, socket, closing_, now);
  Enlist(handle, socket);
}

// What its profile is; null: there is none of this name.
const TlsInForce* Worker::TlsOf(const Socket& socket) const {
  const auto found = view_->tls.find(socket.plan().connection.tls_profile);
  return found == view_->tls.end() ? nullptr : &found->second;
}

// A handshake uses what is in force at its first byte, however long ago the connection came.
void Worker::UseNewestTls(Socket& socket) const {
  const TlsInForce* const tls = TlsOf(socket);
  if (tls == nullptr || !socket.driver().UseTls(tls->context)) return;
  socket.notes.tls_revision = tls->revision;
}

conn::DriverOptions Worker::OptionsFor(const Socket& socket, uint64_t tag) const {
  const ConnectionPlan& plan = socket.plan();
  const ConnectionSpec& spec = plan.connection;
  conn::DriverOptions options;
  options.inbound = plan.inbound;
  options.tag = tag;
  options.router_id = options_.identity.router_id;
  options.hostname = plan.hostname;
  options.connection_id = socket.id();
  options.properties = OpenProperties(options_.version, socket.id());
  options.info = InfoOf(spec);
  options.info.id = socket.id();
  if (const TlsInForce* const tls = TlsOf(socket)) options.tls = tls->context;
  options.tls_server = plan.tls_server;
  options.tls_client = plan.tls_client;
  options.sasl_mechanisms = spec.sasl_mechanisms;
  options.require_sasl = plan.require_sasl;
  options.allow_insecure_plain = spec.allow_insecure_plain;
  if (const auto found = view_->users.find(plan.user_store); found != view_->users.end()) {
    options.users = found->second;
  }
  options.peer_address = HostOf(socket.peer());
  options.sasl_user = plan.sasl_user;
  options.sasl_password = plan.sasl_password;
  options.authenticator = options_.authenticator;
  options.stats = socket.stats();
  options.idle_timeout = spec.idle_timeout;
  options.handshake_timeout = spec.handshake_timeout;
  options.max_frame_size = spec.max_frame_size;
  options.channel_max = static_cast<uint16_t>(spec.max_sessions - 1);
  options.session_window_bytes = spec.session_window_bytes;
  options.max_links = spec.max_links;
  return options;
}

}  // namespace trunkline::net
