#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/cli/session.h"

namespace trunkline::cli {

// Whom the commands that send and receive messages talk AMQP to, and as whom.
struct AmqpPeer {
  std::string host;  // IPv6 without brackets
  uint16_t port = 5672;
  bool tls = false;
  std::string user;  // empty: none
  std::string password;
  std::string ca_file;           // whom the peer's certificate must come from; with TLS never empty
  std::string certificate_file;  // empty: none of our own
  std::string private_key_file;
  // SASL, with blanks between them; never empty.
  std::string mechanisms;
  int64_t open_timeout_ms = 0;  // until its links are open
};

// Options of every command that needs a peer.
inline constexpr std::string_view kPeerOptions =
    "url user password-file ca-file certificate-file private-key-file sasl-mechanisms";

// amqp://HOST[:PORT] or amqps://HOST[:PORT]: host, port and tls. InvalidArgument.
absl::StatusOr<AmqpPeer> ParseAmqpUrl(std::string_view url);
// The same of the peer, "amqp://[::1]:5672".
std::string UrlOf(const AmqpPeer& peer);

// The AMQP side of the router whose API is here: of this machine's without TLS, of another's with
// it.
std::string DefaultAmqpUrl(std::string_view endpoint);

// From the command line, the environment and the context in use. InvalidArgument, and what reading
// files gives.
absl::StatusOr<AmqpPeer> FindAmqpPeer(const Session& session);

}  // namespace trunkline::cli
