#include "control/config/translate.h"

#include <algorithm>

#include "control/config/schema.h"

namespace trunkline::config {
namespace {

Role ToSpec(v1::Role role) {
  return role == v1::ROLE_ROUTE_CONTAINER ? Role::kRouteContainer : Role::kNormal;
}

SocketFamily ToSpec(v1::SocketFamily family) {
  switch (family) {
    case v1::SOCKET_FAMILY_IPV4:
      return SocketFamily::kIpv4;
    case v1::SOCKET_FAMILY_IPV6:
      return SocketFamily::kIpv6;
    default:
      return SocketFamily::kAny;
  }
}

StripAnnotations ToSpec(v1::StripAnnotations strip) {
  switch (strip) {
    case v1::STRIP_ANNOTATIONS_IN:
      return StripAnnotations::kIn;
    case v1::STRIP_ANNOTATIONS_OUT:
      return StripAnnotations::kOut;
    case v1::STRIP_ANNOTATIONS_NONE:
      return StripAnnotations::kNone;
    default:
      return StripAnnotations::kBoth;
  }
}

TlsClientAuth ToSpec(v1::TlsClientAuth auth) {
  switch (auth) {
    case v1::TLS_CLIENT_AUTH_REQUEST:
      return TlsClientAuth::kRequest;
    case v1::TLS_CLIENT_AUTH_REQUIRE:
      return TlsClientAuth::kRequire;
    default:
      return TlsClientAuth::kNone;
  }
}

Distribution ToSpec(v1::Distribution distribution) {
  switch (distribution) {
    case v1::DISTRIBUTION_CLOSEST:
      return Distribution::kClosest;
    case v1::DISTRIBUTION_MULTICAST:
      return Distribution::kMulticast;
    case v1::DISTRIBUTION_UNAVAILABLE:
      return Distribution::kUnavailable;
    default:
      return Distribution::kBalanced;
  }
}

Duration ToSpec(const google::protobuf::Duration& duration) {
  return Milliseconds(ToMilliseconds(duration));
}

// The fields that v1::ListenerSpec and v1::ConnectorSpec have in common, under the same names.
template <typename Proto>
ConnectionSpec ToConnectionSpec(const Proto& proto) {
  ConnectionSpec spec;
  spec.role = ToSpec(proto.role());
  spec.tls_profile = std::string(ResourceId(proto.tls_profile()));
  spec.sasl_mechanisms = {proto.sasl_mechanisms().begin(), proto.sasl_mechanisms().end()};
  spec.allow_insecure_plain = proto.allow_insecure_plain();
  if (proto.has_idle_timeout()) spec.idle_timeout = ToSpec(proto.idle_timeout());
  if (proto.has_initial_handshake_timeout()) {
    spec.handshake_timeout = ToSpec(proto.initial_handshake_timeout());
  }
  if (proto.has_max_frame_size()) spec.max_frame_size = proto.max_frame_size();
  if (proto.has_max_sessions()) spec.max_sessions = static_cast<uint16_t>(proto.max_sessions());
  if (proto.has_max_links()) spec.max_links = proto.max_links();
  if (proto.has_link_capacity()) spec.link_capacity = proto.link_capacity();
  spec.max_message_size = proto.max_message_size();
  spec.strip_annotations = ToSpec(proto.strip_annotations());
  return spec;
}

// Separators at the ends say nothing, and the router appends its own.
std::string TrimSeparators(const std::string& prefix) {
  const size_t first = prefix.find_first_not_of("./");
  if (first == std::string::npos) return "";
  return prefix.substr(first, prefix.find_last_not_of("./") - first + 1);
}

}  // namespace

ListenerSpec ToSpec(const v1::Listener& listener) {
  const v1::ListenerSpec& proto = listener.spec();
  ListenerSpec spec;
  spec.name = std::string(ResourceId(listener.name()));
  spec.host = proto.host();
  if (proto.has_port()) spec.port = static_cast<uint16_t>(proto.port());
  spec.socket_family = ToSpec(proto.socket_family());
  spec.tls_client_auth = ToSpec(proto.tls_client_auth());
  spec.require_tls = !proto.tls_profile().empty();
  spec.require_sasl = proto.require_sasl();
  spec.user_store = std::string(ResourceId(proto.user_store()));
  spec.max_connections = proto.max_connections();
  spec.max_unopened_per_address = proto.max_unopened_per_address();
  spec.connection = ToConnectionSpec(proto);
  return spec;
}

ConnectorSpec ToSpec(const v1::Connector& connector, const Document& document) {
  const v1::ConnectorSpec& proto = connector.spec();
  ConnectorSpec spec;
  spec.name = std::string(ResourceId(connector.name()));
  spec.host.host = proto.host();
  if (proto.has_port()) spec.host.port = static_cast<uint16_t>(proto.port());
  for (const std::string& text : proto.failover()) {
    if (auto host = ParseHostPort(text)) spec.failover.push_back(*std::move(host));
  }
  if (proto.has_verify_hostname()) spec.verify_hostname = proto.verify_hostname();
  spec.server_name = proto.server_name();
  if (proto.has_connect_timeout()) spec.connect_timeout = ToSpec(proto.connect_timeout());
  const v1::Backoff& backoff = proto.backoff();
  if (backoff.has_failed()) spec.backoff_failed = ToSpec(backoff.failed());
  if (backoff.has_closed()) spec.backoff_closed = ToSpec(backoff.closed());
  if (backoff.has_failover()) spec.backoff_failover = ToSpec(backoff.failover());
  spec.sasl_user = proto.sasl_user();
  spec.connection = ToConnectionSpec(proto);
  if (spec.connection.sasl_mechanisms.empty() && spec.sasl_user.empty() &&
      HasCertificate(document, spec.connection.tls_profile)) {
    spec.connection.sasl_mechanisms = {"EXTERNAL", "ANONYMOUS"};
  }
  return spec;
}

bool IsEnabled(const v1::Listener& listener) {
  return !listener.spec().has_enabled() || listener.spec().enabled();
}

bool IsEnabled(const v1::Connector& connector) {
  return !connector.spec().has_enabled() || connector.spec().enabled();
}

AddressSpec ToSpec(const v1::Address& address) {
  const v1::AddressSpec& proto = address.spec();
  AddressSpec spec;
  spec.name = std::string(ResourceId(address.name()));
  spec.prefix = TrimSeparators(proto.prefix());
  spec.pattern = proto.pattern();
  spec.distribution = ToSpec(proto.distribution());
  spec.waypoint = proto.waypoint();
  spec.ingress_phase = static_cast<int>(proto.ingress_phase());
  spec.egress_phase = static_cast<int>(proto.egress_phase());
  if (proto.has_priority()) spec.priority = static_cast<int>(proto.priority());
  spec.enable_fallback = proto.enable_fallback();
  return spec;
}

tls::ContextOptions ToContextOptions(const v1::TlsProfileSpec& profile) {
  tls::ContextOptions options;
  if (profile.protocols_min() == v1::TLS_VERSION_TLS13) options.min_version = tls::Version::kTls13;
  if (profile.protocols_max() == v1::TLS_VERSION_TLS12) options.max_version = tls::Version::kTls12;
  options.ciphers = profile.ciphers();
  options.cipher_suites = profile.cipher_suites();
  options.uid_format = profile.uid_format();
  return options;
}

RouterSpec ToSpec(const v1::RouterSpec& router, const Process& process) {
  RouterSpec spec;
  spec.id = router.id().empty() ? process.host_name : router.id();
  if (router.has_workers()) spec.workers = static_cast<int>(router.workers());
  spec.version = process.version;
  spec.settings = ToSettings(router);
  return spec;
}

RouterSettings ToSettings(const v1::RouterSpec& router) {
  return {.memory_budget_bytes = router.memory_budget_bytes(),
          .default_distribution = ToSpec(router.default_distribution()),
          .max_connections = router.max_connections()};
}

MetricsPlace ToPlace(const std::optional<v1::MetricsSpec>& metrics) {
  MetricsPlace place;
  if (!metrics) return place;
  place.enabled = !metrics->has_enabled() || metrics->enabled();
  if (!metrics->host().empty()) place.host = metrics->host();
  if (metrics->has_port()) place.port = static_cast<uint16_t>(metrics->port());
  place.metrics = !metrics->has_serve_metrics() || metrics->serve_metrics();
  place.probes = !metrics->has_serve_probes() || metrics->serve_probes();
  place.qdr_names = metrics->legacy() == v1::LEGACY_METRICS_QDR;
  place.tls_profile = std::string(ResourceId(metrics->tls_profile()));
  place.client_auth = ToSpec(metrics->tls_client_auth());
  return place;
}

Duration DrainTimeout(const v1::RouterSpec& router) {
  constexpr Duration kDefault = Seconds(30);
  return router.has_drain_timeout() ? ToSpec(router.drain_timeout()) : kDefault;
}

}  // namespace trunkline::config
