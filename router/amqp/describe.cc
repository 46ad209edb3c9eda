#include "router/amqp/describe.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdio>
#include <ctime>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "router/amqp/codec.h"
#include "router/amqp/performatives.h"

namespace trunkline::amqp {
namespace {

constexpr std::string_view kCut = "...";
constexpr std::string_view kHidden = "(hidden)";
constexpr char kHex[] = "0123456789abcdef";
// Values within one another that are written out.
constexpr int kDepthMax = 8;

// Format codes that nothing but a text needs.
constexpr uint8_t kByteCode = 0x51;
constexpr uint8_t kShortCode = 0x61;
constexpr uint8_t kFloatCode = 0x72;
constexpr uint8_t kCharCode = 0x73;
constexpr uint8_t kDoubleCode = 0x82;
constexpr uint8_t kTimestampCode = 0x83;
constexpr uint8_t kUuidCode = 0x98;

// A described list whose fields have names.
struct Shape {
  uint64_t descriptor;
  const char* name;
  absl::Span<const char* const> fields;
};

constexpr const char* kOpen[] = {
    "container-id",         "hostname",         "max-frame-size",   "channel-max",
    "idle-time-out",        "outgoing-locales", "incoming-locales", "offered-capabilities",
    "desired-capabilities", "properties"};
constexpr const char* kBegin[] = {
    "remote-channel", "next-outgoing-id",     "incoming-window",      "outgoing-window",
    "handle-max",     "offered-capabilities", "desired-capabilities", "properties"};
constexpr const char* kAttach[] = {"name",
                                   "handle",
                                   "role",
                                   "snd-settle-mode",
                                   "rcv-settle-mode",
                                   "source",
                                   "target",
                                   "unsettled",
                                   "incomplete-unsettled",
                                   "initial-delivery-count",
                                   "max-message-size",
                                   "offered-capabilities",
                                   "desired-capabilities",
                                   "properties"};
constexpr const char* kFlow[] = {
    "next-incoming-id", "incoming-window", "next-outgoing-id", "outgoing-window", "handle",
    "delivery-count",   "link-credit",     "available",        "drain",           "echo",
    "properties"};
constexpr const char* kTransfer[] = {"handle",  "delivery-id", "delivery-tag",    "message-format",
                                     "settled", "more",        "rcv-settle-mode", "state",
                                     "resume",  "aborted",     "batchable"};
constexpr const char* kDisposition[] = {"role", "first", "last", "settled", "state", "batchable"};
constexpr const char* kDetach[] = {"handle", "closed", "error"};
constexpr const char* kError[] = {"error"};
constexpr const char* kCondition[] = {"condition", "description", "info"};
constexpr const char* kSource[] = {"address",           "durable",     "expiry-policy",
                                   "timeout",           "dynamic",     "dynamic-node-properties",
                                   "distribution-mode", "filter",      "default-outcome",
                                   "outcomes",          "capabilities"};
constexpr const char* kTarget[] = {"address",     "durable", "expiry-policy",
                                   "timeout",     "dynamic", "dynamic-node-properties",
                                   "capabilities"};
constexpr const char* kCapabilities[] = {"capabilities"};
constexpr const char* kReceived[] = {"section-number", "section-offset"};
constexpr const char* kModified[] = {"delivery-failed", "undeliverable-here",
                                     "message-annotations"};
constexpr const char* kMechanisms[] = {"sasl-server-mechanisms"};
constexpr const char* kInit[] = {"mechanism", "initial-response", "hostname"};
constexpr const char* kChallenge[] = {"challenge"};
constexpr const char* kResponse[] = {"response"};
constexpr const char* kOutcome[] = {"code", "additional-data"};
constexpr const char* kHeader[] = {"durable", "priority", "ttl", "first-acquirer",
                                   "delivery-count"};
constexpr const char* kProperties[] = {
    "message-id",       "user-id",          "to",
    "subject",          "reply-to",         "correlation-id",
    "content-type",     "content-encoding", "absolute-expiry-time",
    "creation-time",    "group-id",         "group-sequence",
    "reply-to-group-id"};

constexpr Shape kShapes[] = {
    {Number(Descriptor::kOpen), "open", kOpen},
    {Number(Descriptor::kBegin), "begin", kBegin},
    {Number(Descriptor::kAttach), "attach", kAttach},
    {Number(Descriptor::kFlow), "flow", kFlow},
    {Number(Descriptor::kTransfer), "transfer", kTransfer},
    {Number(Descriptor::kDisposition), "disposition", kDisposition},
    {Number(Descriptor::kDetach), "detach", kDetach},
    {Number(Descriptor::kEnd), "end", kError},
    {Number(Descriptor::kClose), "close", kError},
    {descriptor::kError, "error", kCondition},
    {descriptor::kReceived, "received", kReceived},
    {descriptor::kAccepted, "accepted", {}},
    {descriptor::kRejected, "rejected", kError},
    {descriptor::kReleased, "released", {}},
    {descriptor::kModified, "modified", kModified},
    {descriptor::kSource, "source", kSource},
    {descriptor::kTarget, "target", kTarget},
    {descriptor::kCoordinator, "coordinator", kCapabilities},
    {Number(Descriptor::kSaslMechanisms), "sasl-mechanisms", kMechanisms},
    {Number(Descriptor::kSaslInit), "sasl-init", kInit},
    {Number(Descriptor::kSaslChallenge), "sasl-challenge", kChallenge},
    {Number(Descriptor::kSaslResponse), "sasl-response", kResponse},
    {Number(Descriptor::kSaslOutcome), "sasl-outcome", kOutcome},
};

const Shape* FindShape(uint64_t descriptor) {
  const auto* found = std::find_if(std::begin(kShapes), std::end(kShapes), [&](const Shape& shape) {
    return shape.descriptor == descriptor;
  });
  return found == std::end(kShapes) ? nullptr : found;
}

bool IsLogin(uint64_t descriptor) {
  return descriptor >= Number(Descriptor::kSaslMechanisms) &&
         descriptor <= Number(Descriptor::kSaslOutcome);
}

// What proves who somebody is: of a login all but its mechanism, host and outcome.
bool IsShownOfLogin(std::string_view field) {
  return field == "sasl-server-mechanisms" || field == "mechanism" || field == "hostname" ||
         field == "code";
}

std::string Hex(std::string_view bytes, size_t bytes_max) {
  std::string text = "0x";
  for (const char c : bytes.substr(0, bytes_max)) {
    text += kHex[static_cast<uint8_t>(c) >> 4];
    text += kHex[static_cast<uint8_t>(c) & 15];
  }
  if (bytes.size() > bytes_max) text += kCut;
  return text;
}

std::string Timestamp(int64_t milliseconds) {
  int64_t rest = milliseconds % 1000;
  time_t seconds = milliseconds / 1000;
  if (rest < 0) {
    rest += 1000;
    --seconds;
  }
  std::tm utc{};
  // Fails beyond the years that an int has.
  if (gmtime_r(&seconds, &utc) == nullptr) return absl::StrCat(milliseconds, "ms");
  std::array<char, 64> text;
  const int n = std::snprintf(text.data(), text.size(), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
                              utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour,
                              utc.tm_min, utc.tm_sec, static_cast<int>(rest));
  return {text.data(), static_cast<size_t>(n)};
}

std::string Uuid(std::string_view bytes) {
  std::string text;
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += kHex[static_cast<uint8_t>(bytes[i]) >> 4];
    text += kHex[static_cast<uint8_t>(bytes[i]) & 15];
  }
  return text;
}

// Writes values, up to a number of bytes; then "..." once, and nothing more.
class Describer {
 public:
  Describer(size_t bytes_max, std::string& out) : end_(out.size() + bytes_max), out_(out) {}

  // False: it is malformed, and so is all behind it.
  bool Value(Reader& reader, int depth = 0);
  // The fields of a list; those that are null are left out.
  bool Fields(ListReader& fields, const Shape& shape, int depth);
  bool IsFull() const { return full_; }
  void Put(std::string_view text);

 private:
  bool Fixed(Reader& reader, uint8_t format);
  bool Text(Reader& reader, uint8_t format);
  bool Items(Reader items, uint32_t count, bool pairs, int depth);
  bool Array(Reader& reader);
  bool Described(Reader& reader, int depth);
  void Quoted(std::string_view text);

  const size_t end_;
  std::string& out_;
  bool full_ = false;
};

void Describer::Put(std::string_view text) {
  if (full_) return;
  const size_t room = end_ - std::min(end_, out_.size());
  out_.append(text.substr(0, room));
  if (text.size() <= room) return;
  full_ = true;
  out_.append(kCut);
}

// Control characters are escaped, so that a line stays one.
void Describer::Quoted(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text.substr(0, end_)) {
    const auto byte = static_cast<uint8_t>(c);
    if (c == '"' || c == '\\') {
      quoted += {'\\', c};
    } else if (byte < 0x20 || byte == 0x7f) {
      quoted += {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
    } else {
      quoted += c;
    }
  }
  Put(quoted + "\"");
}

// What has 1, 2, 4, 8 or 16 bytes behind its code. REQUIRES: they are there.
bool Describer::Fixed(Reader& reader, uint8_t format) {
  std::string_view raw;
  if (!reader.Raw(raw)) return false;
  const std::string_view bytes = raw.substr(1);
  const auto* at = reinterpret_cast<const uint8_t*>(bytes.data());
  switch (format) {
    case code::kUbyte:
    case code::kUintSmall:
    case code::kUlongSmall:
      Put(absl::StrCat(at[0]));
      return true;
    case kByteCode:
    case code::kIntSmall:
    case code::kLongSmall:
      Put(absl::StrCat(static_cast<int>(static_cast<int8_t>(at[0]))));
      return true;
    case code::kUshort:
      Put(absl::StrCat(LoadBe16(at)));
      return true;
    case kShortCode:
      Put(absl::StrCat(static_cast<int16_t>(LoadBe16(at))));
      return true;
    case code::kUint:
    case kCharCode:
      Put(absl::StrCat(LoadBe32(at)));
      return true;
    case code::kInt:
      Put(absl::StrCat(static_cast<int32_t>(LoadBe32(at))));
      return true;
    case kFloatCode:
      Put(absl::StrCat(std::bit_cast<float>(LoadBe32(at))));
      return true;
    case code::kUlong:
      Put(absl::StrCat(LoadBe64(at)));
      return true;
    case code::kLong:
      Put(absl::StrCat(static_cast<int64_t>(LoadBe64(at))));
      return true;
    case kDoubleCode:
      Put(absl::StrCat(std::bit_cast<double>(LoadBe64(at))));
      return true;
    case kTimestampCode:
      Put(Timestamp(static_cast<int64_t>(LoadBe64(at))));
      return true;
    case kUuidCode:
      Put(Uuid(bytes));
      return true;
    default:
      Put(Hex(bytes, bytes.size()));
      return true;
  }
}

bool Describer::Text(Reader& reader, uint8_t format) {
  std::string_view text;
  if (format == code::kBinary8 || format == code::kBinary32) {
    if (!reader.Binary(text)) return false;
    Put(Hex(text, end_));
  } else if (format == code::kString8 || format == code::kString32) {
    if (!reader.String(text)) return false;
    Quoted(text);
  } else {
    if (!reader.Symbol(text)) return false;
    Put(":");
    Quoted(text);
  }
  return true;
}

bool Describer::Items(Reader items, uint32_t count, bool pairs, int depth) {
  for (uint32_t i = 0; i < count && !full_; ++i) {
    if (i > 0) Put(pairs && i % 2 == 1 ? "=" : ", ");
    if (!Value(items, depth + 1)) return false;
  }
  return true;
}

// Its elements have one constructor, written once.
bool Describer::Array(Reader& reader) {
  std::vector<std::string> symbols;
  Reader copy = reader;
  if (copy.Symbols(symbols, nullptr)) {
    reader = copy;
    Put("[");
    for (size_t i = 0; i < symbols.size() && !full_; ++i) {
      Put(i == 0 ? ":" : ", :");
      Quoted(symbols[i]);
    }
    Put("]");
    return true;
  }
  std::string_view raw;
  if (!reader.Raw(raw)) return false;
  Put(absl::StrCat("(array of ", raw.size(), " bytes)"));
  return true;
}

bool Describer::Described(Reader& reader, int depth) {
  uint64_t descriptor = 0;
  if (!reader.Described(descriptor)) return false;
  const Shape* shape = FindShape(descriptor);
  if (shape != nullptr) {
    Put(absl::StrCat("@", shape->name, "(", descriptor, ") "));
  } else {
    Put(descriptor == descriptor::kUnknown ? "@(...) " : absl::StrCat("@(", descriptor, ") "));
  }
  Reader list = reader;
  Reader items;
  uint32_t count;
  const bool is_list = shape != nullptr && list.List(items, count);
  if (!is_list) return !IsLogin(descriptor) && Value(reader, depth + 1);
  reader = list;
  ListReader fields(items, count);
  return Fields(fields, *shape, depth + 1);
}

bool Describer::Fields(ListReader& fields, const Shape& shape, int depth) {
  Put("[");
  bool first = true;
  for (size_t i = 0; !fields.AtLast() && !full_; ++i) {
    if (!fields.Next()) continue;
    if (!std::exchange(first, false)) Put(", ");
    const std::string_view name = i < shape.fields.size() ? shape.fields[i] : "?";
    Put(name);
    Put("=");
    if (IsLogin(shape.descriptor) && !IsShownOfLogin(name)) {
      Put(kHidden);
      if (!fields.items().Skip()) return false;
    } else if (!Value(fields.items(), depth + 1)) {
      return false;
    }
  }
  Put("]");
  return true;
}

bool Describer::Value(Reader& reader, int depth) {
  if (depth > kDepthMax) {
    Put(kCut);
    return reader.Skip();
  }
  const uint8_t format = reader.Peek();
  Reader items;
  uint32_t count;
  switch (format) {
    case code::kEnd:
      return false;
    case code::kNull:
      Put("null");
      return reader.Null();
    case code::kTrue:
    case code::kFalse:
    case code::kBoolean: {
      bool value;
      if (!reader.Boolean(value)) return false;
      Put(value ? "true" : "false");
      return true;
    }
    case code::kUint0:
    case code::kUlong0:
      Put("0");
      return reader.Skip();
    case code::kBinary8:
    case code::kBinary32:
    case code::kString8:
    case code::kString32:
    case code::kSymbol8:
    case code::kSymbol32:
      return Text(reader, format);
    case code::kList0:
    case code::kList8:
    case code::kList32:
      if (!reader.List(items, count)) return false;
      Put("[");
      if (!Items(items, count, false, depth)) return false;
      Put("]");
      return true;
    case code::kMap8:
    case code::kMap32:
      if (!reader.Map(items, count)) return false;
      Put("{");
      if (!Items(items, count, true, depth)) return false;
      Put("}");
      return true;
    case code::kArray8:
    case code::kArray32:
      return Array(reader);
    case code::kDescribed:
      return Described(reader, depth);
    default:
      return Fixed(reader, format);
  }
}

// --- messages

// A value alone: texts without quotes.
std::string Plain(Reader& reader, bool& cut) {
  std::string_view text;
  Reader copy = reader;
  if (copy.String(text) || copy.Symbol(text)) {
    reader = copy;
    cut |= text.size() > kDescribedValueMax;
    std::string plain(text.substr(0, kDescribedValueMax));
    if (text.size() > kDescribedValueMax) plain += kCut;
    return plain;
  }
  std::string out;
  Describer describer(kDescribedValueMax, out);
  Reader whole = reader;
  if (!describer.Value(whole)) cut = true;
  cut |= describer.IsFull();
  if (!reader.Skip()) reader = Reader();
  return out;
}

void ReadList(Reader& reader, absl::Span<const char* const> names, TextFields& fields, bool& cut) {
  Reader items;
  uint32_t count;
  if (!reader.List(items, count)) {
    cut = true;
    return;
  }
  ListReader list(items, count);
  for (size_t i = 0; !list.AtLast(); ++i) {
    if (i >= names.size()) {
      cut = true;
      return;
    }
    if (list.Next()) fields.emplace_back(names[i], Plain(list.items(), cut));
  }
}

void ReadMap(Reader& reader, TextFields& fields, bool& cut) {
  Reader items;
  uint32_t count;
  if (!reader.Map(items, count)) {
    cut = true;
    return;
  }
  for (uint32_t i = 0; i < count && !items.AtEnd(); i += 2) {
    if (fields.size() == kDescribedFieldsMax) {
      cut = true;
      return;
    }
    std::string key = Plain(items, cut);
    fields.emplace_back(std::move(key), Plain(items, cut));
  }
}

}  // namespace

std::string DescribeValue(std::string_view encoded, size_t bytes_max) {
  std::string out;
  Describer describer(bytes_max, out);
  Reader reader(encoded);
  if (!describer.Value(reader)) out += " (malformed)";
  return out;
}

std::string DescribeFrame(std::string_view first, size_t whole) {
  constexpr size_t kLineMax = 1024;
  if (whole == 0) return "(empty)";
  std::string out;
  Describer describer(kLineMax, out);
  Reader reader(first);
  uint64_t descriptor = 0;
  Reader start = reader;
  const bool known = start.Described(descriptor) && FindShape(descriptor) != nullptr;
  if (!known || !describer.Value(reader)) {
    return absl::StrCat(out, first.size() < whole ? " (not all of it)" : " (malformed)", " (",
                        whole, " bytes)");
  }
  if (descriptor == Number(Descriptor::kTransfer)) {
    absl::StrAppend(&out, " (", whole - (first.size() - reader.left()), ")");
  }
  return out;
}

MessageText DescribeMessage(std::string_view first) {
  MessageText text;
  Reader reader(first);
  while (!reader.AtEnd()) {
    const Reader start = reader;
    uint64_t descriptor = 0;
    Reader value = reader;
    if (!value.Described(descriptor)) {
      text.cut = true;
      return text;
    }
    constexpr uint64_t kApplicationProperties = 0x74;
    if (descriptor > kApplicationProperties) {
      text.body = start.rest();
      return text;
    }
    Reader section = value;
    if (!value.Skip()) {
      text.cut = true;
      return text;
    }
    reader = value;
    switch (descriptor) {
      case descriptor::kHeader:
        ReadList(section, kHeader, text.header, text.cut);
        break;
      case descriptor::kDeliveryAnnotations:
        ReadMap(section, text.delivery_annotations, text.cut);
        break;
      case descriptor::kMessageAnnotations:
        ReadMap(section, text.message_annotations, text.cut);
        break;
      case descriptor::kProperties:
        ReadList(section, kProperties, text.properties, text.cut);
        break;
      case kApplicationProperties:
        ReadMap(section, text.application_properties, text.cut);
        break;
      default:
        text.cut = true;
        return text;
    }
  }
  return text;
}

}  // namespace trunkline::amqp
