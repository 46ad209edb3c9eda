#include <cstring>

#include "router/amqp/codec.h"
#include "router/amqp/performatives.h"
#include "router/base/check.h"

// What is read and written per message: transfer, flow, disposition and delivery states. Reading
// takes the usual encodings inline and leaves all others to Reader; writing goes to a buffer that
// is large enough for every value.
namespace trunkline::amqp {
namespace {

constexpr std::string_view kAcceptedRaw("\x00\x53\x24\x45", 4);
constexpr std::string_view kRejectedRaw("\x00\x53\x25\x45", 4);
constexpr std::string_view kReleasedRaw("\x00\x53\x26\x45", 4);
constexpr std::string_view kModifiedRaw("\x00\x53\x27\x45", 4);

OutcomeKind KindOf(uint64_t descriptor) {
  switch (descriptor) {
    case descriptor::kReceived:
      return OutcomeKind::kReceived;
    case descriptor::kAccepted:
      return OutcomeKind::kAccepted;
    case descriptor::kRejected:
      return OutcomeKind::kRejected;
    case descriptor::kReleased:
      return OutcomeKind::kReleased;
    case descriptor::kModified:
      return OutcomeKind::kModified;
    case descriptor::kDeclared:
      return OutcomeKind::kDeclared;
    case descriptor::kTransactional:
      return OutcomeKind::kTransactional;
    default:
      return OutcomeKind::kUnknown;
  }
}

bool IsList(uint8_t format) {
  return format == code::kList0 || format == code::kList8 || format == code::kList32;
}

// A delivery state: a described value, a list where the type is known.
[[gnu::noinline]] bool ReadAnyState(Reader& items, OutcomeKind& kind, std::string_view& raw) {
  Reader inside = items;
  uint64_t found = 0;
  if (!items.Raw(raw) || !inside.Described(found)) return false;
  kind = KindOf(found);
  return kind == OutcomeKind::kUnknown || IsList(inside.Peek());
}

// The next field, a delivery state. Passes copies on, so that `fields` may stay in registers.
[[gnu::always_inline]] inline bool ReadState(ListReader& fields, OutcomeKind& kind,
                                             std::string_view& raw) {
  if (!fields.Next()) return true;
  const std::string_view rest = fields.items().rest();
  if (rest.size() >= kAcceptedRaw.size() &&
      std::memcmp(rest.data(), kAcceptedRaw.data(), kAcceptedRaw.size()) == 0) {
    kind = OutcomeKind::kAccepted;
    raw = rest.substr(0, kAcceptedRaw.size());
    fields.items().Advance(kAcceptedRaw.size());
    return true;
  }
  Reader slow = fields.items();
  OutcomeKind found = OutcomeKind::kNone;
  std::string_view bytes;
  if (!ReadAnyState(slow, found, bytes)) return false;
  fields.items() = slow;
  kind = found;
  raw = bytes;
  return true;
}

bool ReadSettleMode(ListReader& fields, std::optional<ReceiverSettleMode>& mode) {
  if (!fields.Next()) return true;
  uint8_t number = 0;
  if (!fields.items().Ubyte(number) || number > 1) return false;
  mode = static_cast<ReceiverSettleMode>(number);
  return true;
}

// The fields behind `more`, which most transfers do without.
[[gnu::noinline]] bool ParseRareFields(ListReader fields, Transfer& transfer) {
  OutcomeKind kind = OutcomeKind::kNone;
  return ReadSettleMode(fields, transfer.rcv_settle_mode) &&
         ReadState(fields, kind, transfer.state) && fields.Boolean(transfer.resume) &&
         fields.Boolean(transfer.aborted) && fields.Boolean(transfer.batchable) && fields.End();
}

uint8_t* PutBytes(uint8_t* at, std::string_view bytes) {
  std::memcpy(at, bytes.data(), bytes.size());
  return at + bytes.size();
}

// Bytes of a described list with a small descriptor in front of its first field, as list8.
constexpr size_t kHeaderBytes = 6;
// What list32 takes more.
constexpr size_t kLargeListBytes = 6;

// Writes the header of the list whose `count` fields lie at out + kHeaderBytes up to `end`;
// returns the size of the whole.
size_t PutHeader(uint8_t* out, Descriptor descriptor, uint8_t* end, uint8_t count) {
  const size_t content = static_cast<size_t>(end - out) - kHeaderBytes;
  out[0] = code::kDescribed;
  out[1] = code::kUlongSmall;
  out[2] = static_cast<uint8_t>(descriptor);
  if (content + 1 <= UINT8_MAX) {
    out[3] = code::kList8;
    out[4] = static_cast<uint8_t>(content + 1);
    out[5] = count;
    return kHeaderBytes + content;
  }
  std::memmove(out + kHeaderBytes + kLargeListBytes, out + kHeaderBytes, content);
  out[3] = code::kList32;
  StoreBe32(out + 4, static_cast<uint32_t>(content + 4));
  StoreBe32(out + 8, count);
  return kHeaderBytes + kLargeListBytes + content;
}

// How many fields of `transfer` have to be written: up to the last that says something.
uint8_t FieldCount(const Transfer& transfer) {
  if (transfer.batchable) return 11;
  if (transfer.aborted) return 10;
  if (transfer.resume) return 9;
  if (!transfer.state.empty()) return 8;
  if (transfer.rcv_settle_mode.has_value()) return 7;
  if (transfer.more) return 6;
  if (transfer.settled.has_value()) return 5;
  if (transfer.message_format.has_value()) return 4;
  if (transfer.delivery_tag.has_value()) return 3;
  return transfer.delivery_id.has_value() ? 2 : 1;
}

// The fields behind `settled`, which most transfers do without.
uint8_t* PutRareFields(const Transfer& transfer, uint8_t count, uint8_t* at) {
  at = PutBoolean(at, transfer.more);
  if (count < 7) return at;
  if (transfer.rcv_settle_mode.has_value()) {
    at[0] = code::kUbyte;
    at[1] = static_cast<uint8_t>(*transfer.rcv_settle_mode);
    at += 2;
  } else {
    at = PutNull(at);
  }
  if (count < 8) return at;
  at = transfer.state.empty() ? PutNull(at) : PutBytes(at, transfer.state);
  if (count < 9) return at;
  at = PutBoolean(at, transfer.resume);
  if (count < 10) return at;
  at = PutBoolean(at, transfer.aborted);
  if (count < 11) return at;
  return PutBoolean(at, transfer.batchable);
}

}  // namespace

bool ParseTransfer(std::string_view body, Transfer& transfer, std::string_view& payload) {
  Reader reader(body);
  ListReader fields;
  uint64_t found = 0;
  if (!reader.Composite(found, fields) || found != Number(Descriptor::kTransfer)) return false;
  payload = reader.rest();
  transfer = Transfer{};
  if (!fields.RequiredUint(transfer.handle) || !fields.Uint(transfer.delivery_id) ||
      !fields.Binary(transfer.delivery_tag) || !fields.Uint(transfer.message_format) ||
      !fields.Boolean(transfer.settled) || !fields.Boolean(transfer.more)) {
    return false;
  }
  return fields.AtLast() ? fields.End() : ParseRareFields(fields, transfer);
}

bool ParseFlow(std::string_view body, Flow& flow) {
  Reader reader(body);
  ListReader fields;
  uint64_t found = 0;
  if (!reader.Composite(found, fields) || found != Number(Descriptor::kFlow)) return false;
  flow = Flow{};
  return fields.Uint(flow.next_incoming_id) && fields.RequiredUint(flow.incoming_window) &&
         fields.RequiredUint(flow.next_outgoing_id) && fields.RequiredUint(flow.outgoing_window) &&
         fields.Uint(flow.handle) && fields.Uint(flow.delivery_count) &&
         fields.Uint(flow.link_credit) && fields.Uint(flow.available) &&
         fields.Boolean(flow.drain) && fields.Boolean(flow.echo) && fields.Skip() && fields.End() &&
         reader.AtEnd();
}

bool ParseDisposition(std::string_view body, Disposition& disposition) {
  Reader reader(body);
  ListReader fields;
  uint64_t found = 0;
  if (!reader.Composite(found, fields) || found != Number(Descriptor::kDisposition)) return false;
  disposition = Disposition{};
  bool receiver = false;
  const bool good = fields.RequiredBoolean(receiver) && fields.RequiredUint(disposition.first) &&
                    fields.Uint(disposition.last) && fields.Boolean(disposition.settled) &&
                    ReadState(fields, disposition.state_kind, disposition.state) &&
                    fields.Boolean(disposition.batchable) && fields.End();
  disposition.role = receiver ? Role::kReceiver : Role::kSender;
  return good && reader.AtEnd();
}

size_t EncodeTransfer(const Transfer& transfer, uint8_t* out) {
  const uint8_t count = FieldCount(transfer);
  uint8_t* at = PutUint(out + kHeaderBytes, transfer.handle);
  if (count >= 2) at = PutUint(at, transfer.delivery_id);
  if (count >= 3) {
    if (transfer.delivery_tag.has_value()) {
      const std::string_view tag = *transfer.delivery_tag;
      TL_CHECK(tag.size() <= kDeliveryTagBytesMax) << "delivery-tag of " << tag.size() << " bytes";
      at[0] = code::kBinary8;
      at[1] = static_cast<uint8_t>(tag.size());
      at = PutBytes(at + 2, tag);
    } else {
      at = PutNull(at);
    }
  }
  if (count >= 4) at = PutUint(at, transfer.message_format);
  if (count >= 5) {
    at = transfer.settled.has_value() ? PutBoolean(at, *transfer.settled) : PutNull(at);
  }
  if (count >= 6) at = PutRareFields(transfer, count, at);
  return PutHeader(out, Descriptor::kTransfer, at, count);
}

void Encode(const Flow& flow, std::string& out) {
  uint8_t bytes[64];  // header, 8 uints of 5, 2 booleans
  uint8_t* at = PutUint(bytes + kHeaderBytes, flow.next_incoming_id);
  at = PutUint(at, flow.incoming_window);
  at = PutUint(at, flow.next_outgoing_id);
  at = PutUint(at, flow.outgoing_window);
  uint8_t count = 4;
  if (flow.handle.has_value() || flow.drain || flow.echo) {
    at = PutUint(at, flow.handle);
    at = PutUint(at, flow.delivery_count);
    at = PutUint(at, flow.link_credit);
    at = PutUint(at, flow.available);
    at = PutBoolean(at, flow.drain);
    at = PutBoolean(at, flow.echo);
    count = 10;
  }
  const size_t size = PutHeader(bytes, Descriptor::kFlow, at, count);
  out.append(reinterpret_cast<const char*>(bytes), size);
}

void Encode(const Disposition& disposition, std::string& out) {
  std::string_view state = disposition.state;
  if (state.empty()) state = RawOutcome(disposition.state_kind);
  constexpr size_t kSmallStateMax = 64;
  if (state.size() > kSmallStateMax) {
    ListWriter fields(out, Number(Descriptor::kDisposition));
    fields.RequiredBoolean(disposition.role == Role::kReceiver);
    fields.Uint(disposition.first);
    fields.Uint(disposition.last);
    fields.Boolean(disposition.settled);
    fields.Raw(state);
    fields.Boolean(disposition.batchable);
    fields.Close();
    return;
  }
  uint8_t bytes[kHeaderBytes + 16 + kSmallStateMax];  // 2 uints of 5, 3 booleans
  uint8_t* at = PutBoolean(bytes + kHeaderBytes, disposition.role == Role::kReceiver);
  at = PutUint(at, disposition.first);
  at = PutUint(at, disposition.last);
  at = PutBoolean(at, disposition.settled);
  uint8_t count = 4;
  if (!state.empty() || disposition.batchable) {
    at = state.empty() ? PutNull(at) : PutBytes(at, state);
    count = 5;
  }
  if (disposition.batchable) {
    at = PutBoolean(at, true);
    count = 6;
  }
  const size_t size = PutHeader(bytes, Descriptor::kDisposition, at, count);
  out.append(reinterpret_cast<const char*>(bytes), size);
}

OutcomeKind OutcomeKindOf(std::string_view raw) {
  if (raw.empty()) return OutcomeKind::kNone;
  Reader reader(raw);
  uint64_t found = 0;
  return reader.Described(found) ? KindOf(found) : OutcomeKind::kUnknown;
}

std::string_view RawOutcome(OutcomeKind kind) {
  switch (kind) {
    case OutcomeKind::kAccepted:
      return kAcceptedRaw;
    case OutcomeKind::kRejected:
      return kRejectedRaw;
    case OutcomeKind::kReleased:
      return kReleasedRaw;
    case OutcomeKind::kModified:
      return kModifiedRaw;
    default:
      return {};
  }
}

}  // namespace trunkline::amqp
