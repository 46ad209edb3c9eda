#include "control/cli/endpoint.h"

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "control/config/text.h"

namespace trunkline::cli {
namespace {

using config::Concat;
using config::internal::Piece;

constexpr std::string_view kUnix = "unix:";
constexpr int kPortMax = 65535;

// "router.example.com:9443", "[::1]:9443".
bool IsHostAndPort(std::string_view address) {
  const size_t colon = address.rfind(':');
  if (colon == address.npos || colon == 0) return false;
  const std::string_view host = address.substr(0, colon);
  const bool in_brackets = host.front() == '[' && host.back() == ']';
  const bool is_host = host.find('/') == host.npos && (in_brackets || host.find(':') == host.npos);
  int port = 0;
  return is_host && absl::SimpleAtoi(Piece(address.substr(colon + 1)), &port) && port > 0 &&
         port <= kPortMax;
}

// What people can do about it, by what is in the library's text.
constexpr struct {
  std::string_view part;
  std::string_view meaning;
} kMeanings[] = {
    {"certificate verify failed",
     "its certificate has expired, or does not come from whom we trust (--tls-ca)"},
    {"wrong version number", "there is no TLS at this port"},
    {"empty address list",
     "what --tls-cert, --tls-key or --tls-ca names is not PEM, or certificate and key do not "
     "belong together"},
    {"C-ares status", "the host has no address"},
};

// So it looks when the other side does not like our certificate: we learn it after the handshake.
bool IsClosed(std::string_view text) {
  for (const std::string_view how : {"Socket closed", "Connection reset by peer", "Broken pipe"}) {
    if (text.ends_with(how)) return true;
  }
  return false;
}

}  // namespace

absl::Status CheckEndpoint(const Endpoint& endpoint) {
  const std::string& address = endpoint.address;
  if (!address.starts_with('/') && !address.starts_with(kUnix) && !IsHostAndPort(address)) {
    return absl::InvalidArgumentError(
        Concat("endpoint: ", config::Quote(address), " is not unix:///PATH, /PATH or HOST:PORT"));
  }
  if (endpoint.tls_certificate.empty() != endpoint.tls_key.empty()) {
    return absl::InvalidArgumentError("--tls-cert and --tls-key go together");
  }
  return absl::OkStatus();
}

std::string WhyUnreachable(std::string_view text, const Endpoint& endpoint) {
  constexpr std::string_view kLast = "last error: ";
  if (const size_t last = text.rfind(kLast); last != text.npos) {
    text.remove_prefix(last + kLast.size());
  }
  // "UNKNOWN: unix:/run/trunkline/control.sock: No such file or directory"
  const size_t code = text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ_");
  if (code != text.npos && code > 0 && text.substr(code).starts_with(": ")) {
    text.remove_prefix(code + 2);
  }
  if (endpoint.address.starts_with(kUnix)) {
    // Which socket is said already.
    const size_t end = text.starts_with(kUnix) ? text.rfind(": ") : text.npos;
    return std::string(end == text.npos ? text : text.substr(end + 2));
  }
  for (const auto& [part, meaning] : kMeanings) {
    if (absl::StrContains(Piece(text), Piece(part))) return std::string(meaning);
  }
  if (absl::StrContains(Piece(text), "is not in peer certificate")) {
    return Concat(text, " (--tls-name)");
  }
  if (!IsClosed(text)) return std::string(text);
  return Concat(text, endpoint.tls_certificate.empty()
                          ? "; it may want a certificate (--tls-cert, --tls-key)"
                          : "; it may not take our certificate (--tls-cert): has it expired?");
}

}  // namespace trunkline::cli
