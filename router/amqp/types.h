#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trunkline::amqp {

// Values of the AMQP 1.0 types and transport chapters, as far as a router has to understand them.
// What it only passes on stays as the encoded bytes that came ("raw"; empty: absent).

enum class Role : uint8_t { kSender = 0, kReceiver = 1 };
enum class SenderSettleMode : uint8_t { kUnsettled = 0, kSettled = 1, kMixed = 2 };
enum class ReceiverSettleMode : uint8_t { kFirst = 0, kSecond = 1 };

// An AMQP error (part 2, section 2.8.14). An empty name is "no error".
struct Condition {
  std::string name;         // symbol: "amqp:not-found"
  std::string description;  // may be empty
  std::string info;         // raw map, passed on

  bool operator==(const Condition&) const = default;
  explicit operator bool() const { return !name.empty(); }
};

// Conditions of part 2, section 2.8.15 ff. that the router raises itself.
namespace condition {
inline constexpr std::string_view kInternalError = "amqp:internal-error";
inline constexpr std::string_view kNotFound = "amqp:not-found";
inline constexpr std::string_view kUnauthorizedAccess = "amqp:unauthorized-access";
inline constexpr std::string_view kDecodeError = "amqp:decode-error";
inline constexpr std::string_view kResourceLimitExceeded = "amqp:resource-limit-exceeded";
inline constexpr std::string_view kNotAllowed = "amqp:not-allowed";
inline constexpr std::string_view kInvalidField = "amqp:invalid-field";
inline constexpr std::string_view kNotImplemented = "amqp:not-implemented";
inline constexpr std::string_view kPreconditionFailed = "amqp:precondition-failed";
inline constexpr std::string_view kIllegalState = "amqp:illegal-state";
inline constexpr std::string_view kFrameSizeTooSmall = "amqp:frame-size-too-small";
inline constexpr std::string_view kConnectionForced = "amqp:connection:forced";
inline constexpr std::string_view kFramingError = "amqp:connection:framing-error";
inline constexpr std::string_view kWindowViolation = "amqp:session:window-violation";
inline constexpr std::string_view kErrantLink = "amqp:session:errant-link";
inline constexpr std::string_view kHandleInUse = "amqp:session:handle-in-use";
inline constexpr std::string_view kUnattachedHandle = "amqp:session:unattached-handle";
inline constexpr std::string_view kDetachForced = "amqp:link:detach-forced";
inline constexpr std::string_view kTransferLimitExceeded = "amqp:link:transfer-limit-exceeded";
inline constexpr std::string_view kMessageSizeExceeded = "amqp:link:message-size-exceeded";
inline constexpr std::string_view kStolen = "amqp:link:stolen";
}  // namespace condition

// Kind of a delivery state (part 3, section 3.4; part 4 for the last two).
enum class OutcomeKind : uint8_t {
  kNone,  // no state given
  kReceived,
  kAccepted,
  kRejected,
  kReleased,
  kModified,
  kDeclared,
  kTransactional,
  kUnknown,  // a described type that the router does not know: passed on
};
constexpr bool IsTerminal(OutcomeKind kind) {
  return kind == OutcomeKind::kAccepted || kind == OutcomeKind::kRejected ||
         kind == OutcomeKind::kReleased || kind == OutcomeKind::kModified ||
         kind == OutcomeKind::kDeclared;
}

// rejected{error}, raw.
std::string EncodeRejected(const Condition& error);
// As `raw` (a modified state; may be empty) but with delivery-failed true (spec routing 5.1).
std::string ModifiedDeliveryFailed(std::string_view raw);

// A delivery state on its way through: its kind, and its encoding (the whole described value) when
// that says more than the kind does. Accepted and released never allocate.
struct Outcome {
  OutcomeKind kind = OutcomeKind::kNone;
  std::string raw;

  bool operator==(const Outcome&) const = default;
};

enum class TerminusDurability : uint8_t { kNone = 0, kConfiguration = 1, kUnsettledState = 2 };

// source or target (part 3, section 3.5), or a transaction coordinator.
struct Terminus {
  bool present = false;      // false: the field was null
  bool coordinator = false;  // target only: descriptor 0x30
  std::optional<std::string> address;
  TerminusDurability durable = TerminusDurability::kNone;
  std::string expiry_policy;  // empty: the default, session-end
  uint32_t timeout = 0;       // seconds
  bool dynamic = false;
  std::string dynamic_node_properties;  // raw
  std::string distribution_mode;        // source only
  std::string filter;                   // source only; raw
  std::string default_outcome;          // source only; raw
  std::string outcomes;                 // source only; raw
  std::vector<std::string> capabilities;
  bool capabilities_single = false;  // encoded as one bare symbol, not as an array

  bool operator==(const Terminus&) const = default;
  bool HasCapability(std::string_view name) const {
    for (const std::string& capability : capabilities) {
      if (capability == name) return true;
    }
    return false;
  }
};

}  // namespace trunkline::amqp
