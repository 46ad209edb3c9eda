#include "control/cli/amqp_convert.h"

#include <proton/delivery.h>
#include <proton/sasl.h>
#include <sasl/sasl.h>

#include <algorithm>
#include <proton/connection_options.hpp>
#include <proton/error.hpp>
#include <proton/error_condition.hpp>
#include <proton/message.hpp>
#include <proton/ssl.hpp>
#include <proton/tracker.hpp>
#include <proton/types.hpp>

#include "absl/strings/str_cat.h"
#include "control/config/error_details.h"
#include "control/config/text.h"

namespace trunkline::cli {
namespace {

using config::Concat;

constexpr char kUnauthorized[] = "amqp:unauthorized-access";
// Of silence, upon which a connection is lost.
constexpr int64_t kIdleTimeoutMs = 30'000;

// "no such node (amqp:not-found)".
std::string TextOf(const std::string& name, const std::string& description) {
  if (name.empty() || description.empty()) return name + description;
  return Concat(description, " (", name, ")");
}

// What the binding does not show of a delivery: why it was rejected.
class OpenTracker : public proton::tracker {
 public:
  explicit OpenTracker(const proton::tracker& tracker) : proton::tracker(tracker) {}
  std::string Error() const {
    pn_condition_t* const condition = pn_disposition_condition(pn_delivery_remote(pn_object()));
    if (condition == nullptr || !pn_condition_is_set(condition)) return "";
    const char* const name = pn_condition_get_name(condition);
    const char* const description = pn_condition_get_description(condition);
    return TextOf(name == nullptr ? "" : name, description == nullptr ? "" : description);
  }
};

std::string TextOf(const proton::message_id& id) { return id.empty() ? "" : proton::to_string(id); }

// Text as it is; other values as Proton writes them.
std::string TextOf(const proton::value& value, bool& is_binary) {
  is_binary = value.type() == proton::BINARY;
  if (value.empty()) return "";
  if (is_binary) {
    const proton::binary bytes = proton::get<proton::binary>(value);
    return std::string(bytes.begin(), bytes.end());
  }
  if (value.type() == proton::STRING) return proton::get<std::string>(value);
  return proton::to_string(value);
}

// Those that are no map of plain values, as the standard wants them, are left out.
void ReadProperties(const proton::message& message, AmqpMessage& result) {
  try {
    std::map<std::string, proton::scalar> properties;
    if (!message.properties().empty()) proton::get(message.properties().value(), properties);
    for (const auto& [name, value] : properties) {
      result.properties[name] = value.empty() ? "" : proton::to_string(value);
    }
  } catch (const proton::error&) {
    result.properties.clear();
  }
}

}  // namespace

absl::Status StatusOf(const proton::error_condition& error, const std::string& what,
                      absl::StatusCode otherwise) {
  absl::StatusCode code = otherwise;
  if (error.name() == kUnauthorized) code = absl::StatusCode::kPermissionDenied;
  if (error.name() == "amqp:not-found") code = absl::StatusCode::kNotFound;
  const std::string text = error.description().empty() ? "no reason is given" : error.description();
  const absl::Status status(code, Concat(what, ": ", text));
  return error.name().empty() ? status : config::WithReason(status, error.name());
}

absl::Status WhyEnded(const AmqpPeer& peer, const proton::error_condition& error) {
  const std::string url = UrlOf(peer);
  if (error.name() != kUnauthorized) {
    // "Connection refused - disconnected 127.0.0.1:5672": where we dial is said already.
    std::string text = error.description();
    text.resize(std::min(text.size(), text.find(" - disconnected ")));
    return absl::UnavailableError(
        Concat("no connection to ", url, ": ", text.empty() ? "it has ended" : text));
  }
  const bool lacks_tls = !peer.tls && !peer.user.empty();
  return config::WithReason(
      absl::PermissionDeniedError(Concat(url, " refuses the login: ", error.description(), ", of ",
                                         peer.mechanisms,
                                         lacks_tls ? "; PLAIN is never spoken without TLS" : "")),
      kUnauthorized);
}

AmqpOutcome OutcomeOf(const proton::tracker& tracker) {
  AmqpOutcome outcome;
  switch (tracker.state()) {
    case proton::transfer::ACCEPTED:
      outcome.kind = AmqpOutcome::Kind::kAccepted;
      return outcome;
    case proton::transfer::REJECTED:
      outcome.kind = AmqpOutcome::Kind::kRejected;
      break;
    case proton::transfer::RELEASED:
      outcome.kind = AmqpOutcome::Kind::kReleased;
      return outcome;
    case proton::transfer::MODIFIED:
      outcome.kind = AmqpOutcome::Kind::kModified;
      return outcome;
    default:
      return outcome;
  }
  outcome.error = OpenTracker(tracker).Error();
  return outcome;
}

AmqpMessage FromProton(const proton::message& message) {
  AmqpMessage result;
  result.body = TextOf(message.body(), result.is_binary);
  result.to = message.to();
  result.subject = message.subject();
  result.reply_to = message.reply_to();
  result.id = TextOf(message.id());
  result.correlation_id = TextOf(message.correlation_id());
  result.content_type = message.content_type();
  result.ttl_ms = static_cast<int64_t>(message.ttl().milliseconds());
  result.delivery_count = message.delivery_count();
  result.durable = message.durable();
  ReadProperties(message, result);
  return result;
}

proton::message ToProton(const AmqpMessage& message) {
  proton::message result;
  if (message.is_binary) {
    result.body(proton::binary(message.body));
    result.inferred(true);  // a data section
  } else {
    result.body(message.body);
  }
  if (!message.to.empty()) result.to(message.to);
  if (!message.subject.empty()) result.subject(message.subject);
  if (!message.reply_to.empty()) result.reply_to(message.reply_to);
  if (!message.id.empty()) result.id(message.id);
  if (!message.correlation_id.empty()) result.correlation_id(message.correlation_id);
  if (!message.content_type.empty()) result.content_type(message.content_type);
  if (message.ttl_ms > 0) result.ttl(proton::duration(static_cast<uint64_t>(message.ttl_ms)));
  if (message.durable) result.durable(true);
  for (const auto& [name, value] : message.properties) result.properties().put(name, value);
  return result;
}

proton::connection_options OptionsOf(const AmqpPeer& peer) {
  proton::connection_options options;
  options.container_id("trunkctl-" + proton::uuid::random().str());
  options.sasl_enabled(true).sasl_allowed_mechs(peer.mechanisms);
  options.idle_timeout(proton::duration(kIdleTimeoutMs));
  if (!peer.user.empty()) options.user(peer.user);
  if (!peer.password.empty()) options.password(peer.password);
  if (!peer.tls) return options;
  // Always against the name that is dialled: there is no other mode here.
  const auto verified = proton::ssl::VERIFY_PEER_NAME;
  if (peer.certificate_file.empty()) {
    return options.ssl_client_options(proton::ssl_client_options(peer.ca_file, verified));
  }
  const proton::ssl_certificate own(peer.certificate_file, peer.private_key_file);
  return options.ssl_client_options(proton::ssl_client_options(own, peer.ca_file, verified));
}

std::string LoginMechanisms() {
  if (!pn_sasl_extended()) return "ANONYMOUS EXTERNAL PLAIN (Proton was built without libsasl2)";
  std::string text;
  if (sasl_client_init(nullptr) != SASL_OK) return "none: libsasl2 cannot be set up";
  for (const char** each = sasl_global_listmech(); each != nullptr && *each != nullptr; ++each) {
    absl::StrAppend(&text, text.empty() ? "" : " ", *each);
  }
  sasl_done();
  return text.empty() ? "none: libsasl2 has no plugins here" : text;
}

}  // namespace trunkline::cli
