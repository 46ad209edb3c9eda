#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "control/config/document.h"
#include "router/specs.h"
#include "router/tls/context.h"

namespace trunkline::config {

// Resources as the router takes them, but for what is in files; fields that are absent get the
// router's defaults. The one
// place that knows both sides. REQUIRES of all: the document is valid (validate.h).
ListenerSpec ToSpec(const v1::Listener& listener);
ConnectorSpec ToSpec(const v1::Connector& connector, const Document& document);
AddressSpec ToSpec(const v1::Address& address);
// Whether the router has the listener or connector at all.
bool IsEnabled(const v1::Listener& listener);
bool IsEnabled(const v1::Connector& connector);
tls::ContextOptions ToContextOptions(const v1::TlsProfileSpec& profile);

// What only the process knows about the router.
struct Process {
  std::string host_name;  // the router's id if the document has none
  std::string version;
};
RouterSpec ToSpec(const v1::RouterSpec& router, const Process& process);
RouterSettings ToSettings(const v1::RouterSpec& router);

// Where metrics are served over HTTP.
struct MetricsPlace {
  bool enabled = false;
  std::string host = "127.0.0.1";
  uint16_t port = 9090;
  bool metrics = true;      // /metrics is served
  bool probes = true;       // /livez and its like are
  bool qdr_names = false;   // /metrics has the names of Dispatch, too
  std::string tls_profile;  // id; empty: no TLS
  TlsClientAuth client_auth = TlsClientAuth::kNone;
  bool operator==(const MetricsPlace&) const = default;
};
MetricsPlace ToPlace(const std::optional<v1::MetricsSpec>& metrics);

// How long a stop waits for unsettled deliveries.
Duration DrainTimeout(const v1::RouterSpec& router);

}  // namespace trunkline::config
