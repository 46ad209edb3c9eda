#include "control/cli/amqp_peer.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_replace.h"
#include "control/cli/values.h"
#include "control/config/read_file.h"
#include "control/config/schema.h"
#include "control/config/text.h"
#include "router/base/status.h"

namespace trunkline::cli {
namespace {

using config::Concat;
using config::Quote;

constexpr uint16_t kTlsPort = 5671;
constexpr int64_t kTimeoutMs = 30'000;
constexpr int64_t kOpenTimeoutMinMs = 5'000;
constexpr size_t kPasswordBytesMax = 4096;
constexpr char kSystemCertificates[] = "/etc/ssl/certs/ca-certificates.crt";
// Where a user and a password are given. Not by tickets: who has one names GSSAPI.
constexpr char kPasswordMechanisms[] =
    "SCRAM-SHA-512 SCRAM-SHA-384 SCRAM-SHA-256 SCRAM-SHA-224 SCRAM-SHA-1 PLAIN";

absl::Status BadUrl(std::string_view url) {
  return absl::InvalidArgumentError(
      Concat("--url: ", Quote(url), " is not amqp://HOST:PORT or amqps://HOST:PORT"));
}

// As libraries do not say which file it was.
absl::Status MustBeReadable(std::string_view option, const std::string& file) {
  if (::access(file.c_str(), R_OK) == 0) return absl::OkStatus();
  return absl::FailedPreconditionError(
      Concat("--", option, ": ", file, ": ", std::strerror(errno)));
}

absl::Status ReadPassword(const Arguments& arguments, AmqpPeer& peer) {
  if (!arguments.Has("password-file")) {
    peer.password = Environment("TRUNKLINE_AMQP_PASSWORD");
    return absl::OkStatus();
  }
  TL_ASSIGN_OR_RETURN(peer.password,
                      config::ReadFile(arguments.Get("password-file"), kPasswordBytesMax));
  // A line end that an editor leaves is no part of it.
  if (peer.password.ends_with('\n')) peer.password.pop_back();
  if (peer.password.ends_with('\r')) peer.password.pop_back();
  return absl::OkStatus();
}

absl::Status FindLogin(const Arguments& arguments, AmqpPeer& peer) {
  peer.user = arguments.Get("user");
  peer.mechanisms = absl::StrReplaceAll(arguments.Get("sasl-mechanisms"), {{",", " "}});
  const bool is_given = !peer.mechanisms.empty();
  if (peer.user.empty()) {
    if (arguments.Has("password-file")) {
      return absl::InvalidArgumentError("--password-file: whose is it? give --user, too");
    }
    if (!is_given) peer.mechanisms = peer.certificate_file.empty() ? "ANONYMOUS" : "EXTERNAL";
    return absl::OkStatus();
  }
  TL_RETURN_IF_ERROR(ReadPassword(arguments, peer));
  if (is_given) return absl::OkStatus();
  peer.mechanisms = kPasswordMechanisms;
  if (!peer.password.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError("--user: needs --password-file, or $TRUNKLINE_AMQP_PASSWORD");
}

absl::Status FindTls(const Arguments& arguments, AmqpPeer& peer) {
  const std::pair<const char*, std::string&> files[] = {
      {"ca-file", peer.ca_file},
      {"certificate-file", peer.certificate_file},
      {"private-key-file", peer.private_key_file}};
  for (const auto& [option, file] : files) {
    if (!arguments.Has(option)) continue;
    if (!peer.tls) {
      return absl::InvalidArgumentError(Concat("--", option, ": is for amqps:// alone (--url)"));
    }
    file = arguments.Get(option);
    TL_RETURN_IF_ERROR(MustBeReadable(option, file));
  }
  if (peer.certificate_file.empty() != peer.private_key_file.empty()) {
    return absl::InvalidArgumentError("--certificate-file and --private-key-file go together");
  }
  if (!peer.tls || !peer.ca_file.empty()) return absl::OkStatus();
  peer.ca_file = kSystemCertificates;
  return MustBeReadable("ca-file", peer.ca_file);
}

}  // namespace

absl::StatusOr<AmqpPeer> ParseAmqpUrl(std::string_view url) {
  const std::string_view whole = url;
  AmqpPeer peer;
  peer.tls = url.starts_with("amqps://");
  if (!peer.tls && !url.starts_with("amqp://")) return BadUrl(whole);
  url.remove_prefix(url.find("//") + 2);
  if (url.find('@') != url.npos) {
    // Not shown: it may have a password in it.
    return absl::InvalidArgumentError(
        "--url: takes no user and password; use --user and --password-file");
  }
  if (url.ends_with('/')) url.remove_suffix(1);
  const bool is_odd = std::any_of(url.begin(), url.end(), [](unsigned char c) {
    return c <= ' ' || c == '/' || c == '?' || c == '#';
  });
  const auto parsed = config::ParseHostPort(url);
  if (is_odd || !parsed) return BadUrl(whole);
  peer.host = parsed->host;
  peer.port = parsed->port;
  // Behind the brackets of an IPv6 address, if it is one.
  const bool has_port = url.substr(url.rfind(']') + 1).find(':') != url.npos;
  if (peer.tls && !has_port) peer.port = kTlsPort;
  return peer;
}

std::string UrlOf(const AmqpPeer& peer) {
  const bool is_ipv6 = peer.host.find(':') != std::string::npos;
  return Concat(peer.tls ? "amqps://" : "amqp://", is_ipv6 ? "[" : "", peer.host,
                is_ipv6 ? "]" : "", ":", peer.port);
}

std::string DefaultAmqpUrl(std::string_view endpoint) {
  const size_t colon = endpoint.rfind(':');
  if (endpoint.starts_with("unix:") || colon == endpoint.npos) return "amqp://127.0.0.1:5672";
  return Concat("amqps://", endpoint.substr(0, colon));
}

absl::StatusOr<AmqpPeer> FindAmqpPeer(const Session& session) {
  const Arguments& arguments = session.arguments();
  std::string url = arguments.Get("url");
  if (url.empty() && !arguments.Has("context")) url = Environment("TRUNKLINE_AMQP_URL");
  if (url.empty()) {
    TL_ASSIGN_OR_RETURN(const Endpoint endpoint, session.FindEndpoint());
    url = DefaultAmqpUrl(endpoint.address);
  }
  TL_ASSIGN_OR_RETURN(AmqpPeer peer, ParseAmqpUrl(url));
  TL_RETURN_IF_ERROR(FindTls(arguments, peer));
  TL_RETURN_IF_ERROR(FindLogin(arguments, peer));
  // --timeout is also for how long there may be silence, which may be short.
  TL_ASSIGN_OR_RETURN(peer.open_timeout_ms, MillisecondsOf(arguments, "timeout", kTimeoutMs));
  peer.open_timeout_ms = std::max(peer.open_timeout_ms, kOpenTimeoutMinMs);
  return peer;
}

}  // namespace trunkline::cli
