#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace trunkline::cli {

// How trunkctl reaches a router.
struct Endpoint {
  // "unix:///run/trunkline/control.sock", or "HOST:PORT", always with TLS.
  std::string address;
  std::string tls_certificate;  // PEM files; of the caller
  std::string tls_key;
  std::string tls_ca;           // whom the router's certificate must come from
  std::string tls_server_name;  // that it must be for; empty: the host of the address
};

// InvalidArgument: it is no such address, nor a path; or a certificate has no key.
absl::Status CheckEndpoint(const Endpoint& endpoint);

// Why nobody has answered there, as people understand it: `text` is what gRPC says.
std::string WhyUnreachable(std::string_view text, const Endpoint& endpoint);

}  // namespace trunkline::cli
