#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "router/amqp/types.h"
#include "router/base/secret.h"

namespace trunkline::amqp {

// The frame bodies of AMQP 1.0 part 2, section 2.7, and part 5, section 5.3. Parse* takes the body
// of one frame; string_view members of Transfer, Flow and Disposition point into it. Errors are
// InvalidArgument (malformed: amqp:decode-error) with the field named. Fields that may be left out
// may be null as well; a missing mandatory field, a wrong type, more fields than there are, and
// bytes behind a body (but for transfer) are errors. Raw values were checked for structure, all the
// way down.

enum class Descriptor : uint8_t {
  kOpen = 0x10,
  kBegin = 0x11,
  kAttach = 0x12,
  kFlow = 0x13,
  kTransfer = 0x14,
  kDisposition = 0x15,
  kDetach = 0x16,
  kEnd = 0x17,
  kClose = 0x18,
  kSaslMechanisms = 0x40,
  kSaslInit = 0x41,
  kSaslChallenge = 0x42,
  kSaslResponse = 0x43,
  kSaslOutcome = 0x44,
};
constexpr uint64_t Number(Descriptor descriptor) { return static_cast<uint64_t>(descriptor); }

struct Open {
  std::string container_id;
  std::optional<std::string> hostname;
  uint32_t max_frame_size = UINT32_MAX;
  uint16_t channel_max = UINT16_MAX;
  std::optional<uint32_t> idle_time_out;  // milliseconds
  std::vector<std::string> offered_capabilities;
  std::vector<std::string> desired_capabilities;
  std::string properties;  // raw map
};

struct Begin {
  std::optional<uint16_t> remote_channel;
  uint32_t next_outgoing_id = 0;
  uint32_t incoming_window = 0;
  uint32_t outgoing_window = 0;
  uint32_t handle_max = UINT32_MAX;
};

struct Attach {
  std::string name;
  uint32_t handle = 0;
  Role role = Role::kSender;
  SenderSettleMode snd_settle_mode = SenderSettleMode::kMixed;
  ReceiverSettleMode rcv_settle_mode = ReceiverSettleMode::kFirst;
  Terminus source;
  Terminus target;
  std::string unsettled;  // raw map
  bool incomplete_unsettled = false;
  std::optional<uint32_t> initial_delivery_count;
  uint64_t max_message_size = 0;  // 0: no limit
  std::vector<std::string> offered_capabilities;
  std::vector<std::string> desired_capabilities;
  std::string properties;  // raw map
};

struct Flow {
  std::optional<uint32_t> next_incoming_id;
  uint32_t incoming_window = 0;
  uint32_t next_outgoing_id = 0;
  uint32_t outgoing_window = 0;
  std::optional<uint32_t> handle;
  std::optional<uint32_t> delivery_count;
  std::optional<uint32_t> link_credit;
  std::optional<uint32_t> available;
  bool drain = false;
  bool echo = false;
};

struct Transfer {
  uint32_t handle = 0;
  std::optional<uint32_t> delivery_id;
  std::optional<std::string_view> delivery_tag;
  std::optional<uint32_t> message_format;
  std::optional<bool> settled;
  bool more = false;
  std::optional<ReceiverSettleMode> rcv_settle_mode;
  std::string_view state;  // raw
  bool resume = false;
  bool aborted = false;
  bool batchable = false;
};

struct Disposition {
  Role role = Role::kSender;
  uint32_t first = 0;
  std::optional<uint32_t> last;
  bool settled = false;
  OutcomeKind state_kind = OutcomeKind::kNone;
  std::string_view state;  // raw; empty when absent. Encode: empty stands for RawOutcome(kind)
  bool batchable = false;
};

struct Detach {
  uint32_t handle = 0;
  bool closed = false;
  Condition error;
};

struct End {
  Condition error;
};

struct Close {
  Condition error;
};

// The descriptor of a frame body in any legal encoding.
absl::StatusOr<Descriptor> PeekAnyDescriptor(std::string_view body);
// As PeekAnyDescriptor; straight for the usual encoding of the nine AMQP bodies.
inline absl::StatusOr<Descriptor> PeekDescriptor(std::string_view body) {
  if (body.size() >= 3 && body[0] == 0x00 && body[1] == 0x53 && body[2] >= 0x10 &&
      body[2] <= 0x18) {
    return static_cast<Descriptor>(body[2]);
  }
  return PeekAnyDescriptor(body);
}

absl::StatusOr<Open> ParseOpen(std::string_view body);
absl::StatusOr<Begin> ParseBegin(std::string_view body);
absl::StatusOr<Attach> ParseAttach(std::string_view body);
absl::StatusOr<Detach> ParseDetach(std::string_view body);
absl::StatusOr<End> ParseEnd(std::string_view body);
absl::StatusOr<Close> ParseClose(std::string_view body);
// The per-message three build no error text and allocate nothing: false is amqp:decode-error, and
// what was parsed is then unspecified. ParseTransfer sets `payload` to what follows the
// performative.
[[nodiscard]] bool ParseFlow(std::string_view body, Flow& flow);
[[nodiscard]] bool ParseTransfer(std::string_view body, Transfer& transfer,
                                 std::string_view& payload);
[[nodiscard]] bool ParseDisposition(std::string_view body, Disposition& disposition);

// Appends the encoded body (no frame header).
void Encode(const Open& open, std::string& out);
void Encode(const Begin& begin, std::string& out);
void Encode(const Attach& attach, std::string& out);
void Encode(const Flow& flow, std::string& out);
void Encode(const Disposition& disposition, std::string& out);
void Encode(const Detach& detach, std::string& out);
void Encode(const End& end, std::string& out);
void Encode(const Close& close, std::string& out);

// Largest encoding of a Transfer that EncodeTransfer writes, without state.
inline constexpr size_t kTransferBytesMax = 80;
// Longest delivery-tag, part 2, section 2.8.7. ParseTransfer takes longer ones as well.
inline constexpr size_t kDeliveryTagBytesMax = 32;
// Writes the performative to `out` and returns its size. Hot path.
// REQUIRES: room for kTransferBytesMax and the state; the tag is at most kDeliveryTagBytesMax long.
size_t EncodeTransfer(const Transfer& transfer, uint8_t* out);

// The kind of a raw delivery state; kNone of an empty one.
OutcomeKind OutcomeKindOf(std::string_view raw);
// A raw delivery state for `kind` (accepted, released: constants; rejected and modified without
// fields); empty for every other kind.
std::string_view RawOutcome(OutcomeKind kind);

struct SaslMechanisms {
  std::vector<std::string> mechanisms;
};
struct SaslInit {
  ~SaslInit() { Wipe(initial_response); }

  std::string mechanism;
  std::optional<std::string> initial_response;  // may be a password
  std::optional<std::string> hostname;
};
enum class SaslCode : uint8_t { kOk = 0, kAuth = 1, kSys = 2, kSysPerm = 3, kSysTemp = 4 };
struct SaslOutcome {
  SaslCode code = SaslCode::kOk;
  std::optional<std::string> additional_data;
};

absl::StatusOr<SaslMechanisms> ParseSaslMechanisms(std::string_view body);
absl::StatusOr<SaslInit> ParseSaslInit(std::string_view body);
absl::StatusOr<std::string> ParseSaslChallenge(std::string_view body);
absl::StatusOr<std::string> ParseSaslResponse(std::string_view body);
absl::StatusOr<SaslOutcome> ParseSaslOutcome(std::string_view body);
void Encode(const SaslMechanisms& mechanisms, std::string& out);
void Encode(const SaslInit& init, std::string& out);
void EncodeSaslChallenge(std::string_view challenge, std::string& out);
void EncodeSaslResponse(std::string_view response, std::string& out);
void Encode(const SaslOutcome& outcome, std::string& out);

}  // namespace trunkline::amqp
