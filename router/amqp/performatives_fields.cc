#include "router/amqp/performatives_fields.h"

#include <initializer_list>

namespace trunkline::amqp {
namespace {

// The string_view of this abseil is a type of its own, so its StrCat cannot be used here.
absl::Status Malformed(std::initializer_list<std::string_view> parts) {
  std::string text;
  for (std::string_view part : parts) text.append(part);
  return absl::InvalidArgumentError(text);
}

}  // namespace

FieldReader::FieldReader(std::string_view name, Descriptor descriptor, std::string_view body)
    : name_(name), behind_(body) {
  Start(Number(descriptor), behind_);
}

FieldReader::FieldReader(std::string_view name, uint64_t descriptor, Reader& reader) : name_(name) {
  Start(descriptor, reader);
}

FieldReader::FieldReader(std::string_view name, Reader& reader) : name_(name) {
  Reader items;
  uint32_t count = 0;
  if (reader.List(items, count)) {
    list_ = ListReader(items, count);
  } else {
    status_ = Malformed({name_, ": not a list"});
  }
}

void FieldReader::Start(uint64_t descriptor, Reader& reader) {
  uint64_t found = 0;
  if (!reader.Composite(found, list_)) {
    status_ = Malformed({name_, ": not a described list"});
  } else if (found != descriptor) {
    status_ = Malformed({name_, ": another type"});
  }
}

bool FieldReader::Next(std::string_view field, Need need) {
  if (!status_.ok()) return false;
  if (list_.Next()) return true;
  if (need == Need::kMandatory) Fail(field, "missing");
  return false;
}

void FieldReader::Check(bool good, std::string_view field, std::string_view expected) {
  if (!good) status_ = Malformed({name_, ".", field, ": expected ", expected});
}

void FieldReader::Fail(std::string_view field, std::string_view problem) {
  status_ = Malformed({name_, ".", field, ": ", problem});
}

void FieldReader::Nested(const absl::Status& status) {
  if (!status.ok()) {
    status_ = Malformed({name_, ".", std::string(status.message())});
  }
}

absl::Status FieldReader::TrailingBytes() const {
  return Malformed({name_, ": bytes behind the last field"});
}

absl::Status FieldReader::Finish() {
  if (status_.ok() && !list_.End()) status_ = TrailingBytes();
  return status_;
}

void FieldReader::Boolean(std::string_view field, bool& value, Need need) {
  if (Next(field, need)) Check(items().Boolean(value), field, "boolean");
}

void FieldReader::Role(std::string_view field, amqp::Role& value) {
  bool receiver = false;
  Boolean(field, receiver, Need::kMandatory);
  value = receiver ? amqp::Role::kReceiver : amqp::Role::kSender;
}

void FieldReader::Ushort(std::string_view field, uint16_t& value) {
  if (Next(field, Need::kOptional)) Check(items().Ushort(value), field, "ushort");
}

void FieldReader::Ushort(std::string_view field, std::optional<uint16_t>& value) {
  if (Next(field, Need::kOptional)) Check(items().Ushort(value.emplace()), field, "ushort");
}

void FieldReader::Uint(std::string_view field, uint32_t& value, Need need) {
  if (Next(field, need)) Check(items().Uint(value), field, "uint");
}

void FieldReader::Uint(std::string_view field, std::optional<uint32_t>& value) {
  if (Next(field, Need::kOptional)) Check(items().Uint(value.emplace()), field, "uint");
}

void FieldReader::Ulong(std::string_view field, uint64_t& value) {
  if (Next(field, Need::kOptional)) Check(items().Ulong(value), field, "ulong");
}

template <typename Text>
void FieldReader::Variable(std::string_view field, Text& value, Need need,
                           bool (Reader::*read)(std::string_view&), std::string_view expected) {
  if (!Next(field, need)) return;
  std::string_view text;
  Check((items().*read)(text), field, expected);
  value = text;
}

void FieldReader::String(std::string_view field, std::string& value, Need need) {
  Variable(field, value, need, &Reader::String, "string");
}

void FieldReader::String(std::string_view field, std::optional<std::string>& value) {
  Variable(field, value, Need::kOptional, &Reader::String, "string");
}

void FieldReader::Symbol(std::string_view field, std::string& value, Need need) {
  Variable(field, value, need, &Reader::Symbol, "symbol");
}

void FieldReader::Binary(std::string_view field, std::string& value) {
  Variable(field, value, Need::kMandatory, &Reader::Binary, "binary");
}

void FieldReader::Binary(std::string_view field, std::optional<std::string>& value) {
  Variable(field, value, Need::kOptional, &Reader::Binary, "binary");
}

void FieldReader::Symbols(std::string_view field, std::vector<std::string>& values, bool* single) {
  if (!Next(field, Need::kOptional)) return;
  Check(items().Symbols(values, single), field, "symbol or array of symbols");
}

void FieldReader::SymbolsRequired(std::string_view field, std::vector<std::string>& values) {
  if (!Next(field, Need::kMandatory)) return;
  Check(items().Symbols(values, nullptr), field, "symbol or array of symbols");
}

void FieldReader::RawMap(std::string_view field, std::string& raw) {
  if (!Next(field, Need::kOptional)) return;
  const uint8_t format = items().Peek();
  std::string_view bytes;
  const bool good = (format == code::kMap8 || format == code::kMap32) && items().Raw(bytes);
  Check(good, field, "map");
  raw = bytes;
}

void FieldReader::RawDescribed(std::string_view field, std::string& raw) {
  if (!Next(field, Need::kOptional)) return;
  std::string_view bytes;
  Check(items().Peek() == code::kDescribed && items().Raw(bytes), field, "described type");
  raw = bytes;
}

void FieldReader::RawSymbols(std::string_view field, std::string& raw) {
  if (!Next(field, Need::kOptional)) return;
  const std::string_view before = items().rest();
  std::vector<std::string> values;
  Check(items().Symbols(values, nullptr), field, "symbol or array of symbols");
  raw = before.substr(0, before.size() - items().left());
}

void FieldReader::Ignore(std::string_view field) {
  if (Next(field, Need::kOptional)) Check(items().Skip(), field, "well-formed value");
}

void FieldReader::Error(std::string_view field, Condition& error) {
  if (!Next(field, Need::kOptional)) return;
  FieldReader fields(field, descriptor::kError, items());
  fields.Symbol("condition", error.name, Need::kMandatory);
  fields.String("description", error.description);
  fields.RawMap("info", error.info);
  Nested(fields.Finish());
}

void FieldReader::Terminus(std::string_view field, amqp::Terminus& terminus) {
  if (!Next(field, Need::kOptional)) return;
  uint64_t found = 0;
  if (!items().Described(found)) return Fail(field, "expected described list");
  const bool is_source = field == "source";
  terminus.present = true;
  if (found == (is_source ? descriptor::kSource : descriptor::kTarget)) {
    SourceOrTarget(field, terminus, is_source);
  } else if (!is_source && found == descriptor::kCoordinator) {
    terminus.coordinator = true;
    FieldReader fields(field, items());
    fields.Symbols("capabilities", terminus.capabilities, &terminus.capabilities_single);
    Nested(fields.Finish());
  } else {
    Fail(field, "unknown type");
  }
}

void FieldReader::SourceOrTarget(std::string_view field, amqp::Terminus& terminus, bool source) {
  FieldReader fields(field, items());
  fields.String("address", terminus.address);
  fields.Choice32("durable", terminus.durable, TerminusDurability::kUnsettledState);
  fields.Symbol("expiry-policy", terminus.expiry_policy);
  fields.Uint("timeout", terminus.timeout);
  fields.Boolean("dynamic", terminus.dynamic);
  fields.RawMap("dynamic-node-properties", terminus.dynamic_node_properties);
  if (source) {
    fields.Symbol("distribution-mode", terminus.distribution_mode);
    fields.RawMap("filter", terminus.filter);
    fields.RawDescribed("default-outcome", terminus.default_outcome);
    fields.RawSymbols("outcomes", terminus.outcomes);
  }
  fields.Symbols("capabilities", terminus.capabilities, &terminus.capabilities_single);
  Nested(fields.Finish());
}

}  // namespace trunkline::amqp
