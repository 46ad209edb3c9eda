#pragma once

#include <proton/fwd.hpp>
#include <string>

#include "absl/status/status.h"
#include "control/cli/amqp_client.h"
#include "control/cli/amqp_peer.h"

namespace trunkline::cli {

// Between what the commands know and what Proton has; for amqp_client.cc alone.

AmqpMessage FromProton(const proton::message& message);
proton::message ToProton(const AmqpMessage& message);
AmqpOutcome OutcomeOf(const proton::tracker& tracker);
proton::connection_options OptionsOf(const AmqpPeer& peer);
// Why the peer has ended a link or a connection: what that was, its reason, and the condition.
absl::Status StatusOf(const proton::error_condition& error, const std::string& what,
                      absl::StatusCode otherwise);
// Why there is no connection: nobody there, lost, TLS, or the login, which is another kind of
// error.
absl::Status WhyEnded(const AmqpPeer& peer, const proton::error_condition& error);

}  // namespace trunkline::cli
