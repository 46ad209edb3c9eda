#include "router/amqp/codec.h"

namespace trunkline::amqp {
namespace {

struct SymbolicDescriptor {
  std::string_view name;
  uint64_t number;
};

// Parts 2 to 5: every described type whose number the router compares with.
constexpr SymbolicDescriptor kSymbolicDescriptors[] = {
    {"amqp:open:list", 0x10},
    {"amqp:begin:list", 0x11},
    {"amqp:attach:list", 0x12},
    {"amqp:flow:list", 0x13},
    {"amqp:transfer:list", 0x14},
    {"amqp:disposition:list", 0x15},
    {"amqp:detach:list", 0x16},
    {"amqp:end:list", 0x17},
    {"amqp:close:list", 0x18},
    {"amqp:error:list", descriptor::kError},
    {"amqp:received:list", descriptor::kReceived},
    {"amqp:accepted:list", descriptor::kAccepted},
    {"amqp:rejected:list", descriptor::kRejected},
    {"amqp:released:list", descriptor::kReleased},
    {"amqp:modified:list", descriptor::kModified},
    {"amqp:source:list", descriptor::kSource},
    {"amqp:target:list", descriptor::kTarget},
    {"amqp:coordinator:list", descriptor::kCoordinator},
    {"amqp:declared:list", descriptor::kDeclared},
    {"amqp:transactional-state:list", descriptor::kTransactional},
    {"amqp:sasl-mechanisms:list", 0x40},
    {"amqp:sasl-init:list", 0x41},
    {"amqp:sasl-challenge:list", 0x42},
    {"amqp:sasl-response:list", 0x43},
    {"amqp:sasl-outcome:list", 0x44},
    {"amqp:header:list", descriptor::kHeader},
    {"amqp:delivery-annotations:map", descriptor::kDeliveryAnnotations},
    {"amqp:message-annotations:map", descriptor::kMessageAnnotations},
    {"amqp:properties:list", descriptor::kProperties},
    {"amqp:application-properties:map", 0x74},
    {"amqp:data:binary", 0x75},
    {"amqp:amqp-sequence:list", 0x76},
    {"amqp:amqp-value:*", 0x77},
    {"amqp:footer:map", descriptor::kFooter},
};

// Bytes behind the format code of a type of fixed width; -1 for every other code.
int FixedWidth(uint8_t format) {
  if (format >= 0x40 && format <= 0x45) return 0;   // null, booleans, zeros, empty list
  if (format >= 0x50 && format <= 0x56) return 1;   // ubyte .. boolean
  if (format == 0x60 || format == 0x61) return 2;   // ushort, short
  if (format >= 0x70 && format <= 0x74) return 4;   // uint, int, float, char, decimal32
  if (format >= 0x80 && format <= 0x84) return 8;   // ulong, long, double, timestamp, decimal64
  if (format == 0x94 || format == 0x98) return 16;  // decimal128, uuid
  return -1;
}

bool IsFormat(uint8_t format) {
  switch (format) {
    case code::kBinary8:
    case code::kBinary32:
    case code::kString8:
    case code::kString32:
    case code::kSymbol8:
    case code::kSymbol32:
    case code::kList8:
    case code::kList32:
    case code::kMap8:
    case code::kMap32:
    case code::kArray8:
    case code::kArray32:
      return true;
    default:
      return FixedWidth(format) >= 0;
  }
}

void AppendBe32(std::string& out, uint32_t value) {
  uint8_t bytes[4];
  StoreBe32(bytes, value);
  out.append(reinterpret_cast<const char*>(bytes), sizeof bytes);
}

void Append(std::string& out, uint8_t byte) { out.push_back(static_cast<char>(byte)); }

void WriteVariable(std::string& out, uint8_t code8, uint8_t code32, std::string_view value) {
  if (value.size() <= UINT8_MAX) {
    Append(out, code8);
    Append(out, static_cast<uint8_t>(value.size()));
  } else {
    Append(out, code32);
    AppendBe32(out, static_cast<uint32_t>(value.size()));
  }
  out.append(value);
}

void WriteCompoundHeader(std::string& out, uint8_t code8, uint8_t code32, size_t content,
                         uint32_t count) {
  if (content + 1 <= UINT8_MAX && count <= UINT8_MAX) {
    Append(out, code8);
    Append(out, static_cast<uint8_t>(content + 1));
    Append(out, static_cast<uint8_t>(count));
  } else {
    Append(out, code32);
    AppendBe32(out, static_cast<uint32_t>(content + 4));
    AppendBe32(out, count);
  }
}

}  // namespace

uint64_t DescriptorOf(std::string_view symbol) {
  for (const SymbolicDescriptor& entry : kSymbolicDescriptors) {
    if (entry.name == symbol) return entry.number;
  }
  return descriptor::kUnknown;
}

bool Reader::Described(uint64_t& descriptor) {
  if (Peek() != code::kDescribed) return false;
  ++at_;
  if (Ulong(descriptor)) return true;
  std::string_view name;
  if (Symbol(name)) {
    descriptor = DescriptorOf(name);
    return true;
  }
  descriptor = descriptor::kUnknown;
  return Skip();
}

bool Reader::Raw(std::string_view& value) {
  const uint8_t* start = at_;
  if (!Skip()) return false;
  value = {reinterpret_cast<const char*>(start), static_cast<size_t>(at_ - start)};
  return true;
}

bool Reader::SkipValue(int nesting, uint64_t& nodes) {
  uint8_t format;
  return SkipConstructor(format, nesting, nodes) && SkipBody(format, nesting, nodes);
}

// Steps over a constructor: a format code, with the descriptors in front of it.
bool Reader::SkipConstructor(uint8_t& format, int nesting, uint64_t& nodes) {
  while (Peek() == code::kDescribed) {
    if (nesting-- == 0) return false;
    ++at_;
    ++nodes;
    if (!SkipValue(nesting, nodes)) return false;
  }
  if (AtEnd()) return false;
  format = *at_++;
  return true;
}

// Steps over what follows a constructor of this format.
bool Reader::SkipBody(uint8_t format, int nesting, uint64_t& nodes) {
  ++nodes;
  const int width = FixedWidth(format);
  if (width >= 0) return Take(static_cast<size_t>(width));
  Reader content;
  switch (format) {
    case code::kBinary8:
    case code::kString8:
    case code::kSymbol8:
      return Sized(1, content);
    case code::kBinary32:
    case code::kString32:
    case code::kSymbol32:
      return Sized(4, content);
    case code::kList8:
    case code::kMap8:
      return SkipItems(1, format == code::kMap8, nesting - 1, nodes);
    case code::kList32:
    case code::kMap32:
      return SkipItems(4, format == code::kMap32, nesting - 1, nodes);
    case code::kArray8:
      return SkipArray(1, nesting - 1, nodes);
    case code::kArray32:
      return SkipArray(4, nesting - 1, nodes);
    default:
      return false;
  }
}

// Takes a size of `width` bytes and as many bytes as it says.
bool Reader::Sized(size_t width, Reader& content) {
  if (left() < width) return false;
  const size_t size = width == 1 ? *at_ : LoadBe32(at_);
  at_ += width;
  content = Reader(rest().substr(0, size));
  return Take(size);
}

bool Reader::SkipItems(size_t width, bool map, int nesting, uint64_t& nodes) {
  Reader content;
  if (nesting < 0 || !Sized(width, content) || content.left() < width) return false;
  const uint32_t count = width == 1 ? *content.at_ : LoadBe32(content.at_);
  content.at_ += width;
  if (count > content.left() || (map && count % 2 != 0)) return false;
  for (uint32_t i = 0; i < count; ++i) {
    if (!content.SkipValue(nesting, nodes)) return false;
  }
  return content.AtEnd();
}

bool Reader::SkipArray(size_t width, int nesting, uint64_t& nodes) {
  Reader content;
  if (nesting < 0 || !Sized(width, content) || content.left() < width) return false;
  const uint32_t count = width == 1 ? *content.at_ : LoadBe32(content.at_);
  content.at_ += width;
  uint8_t format;
  if (!content.SkipConstructor(format, nesting, nodes)) return false;
  // Elements of no width take no bytes however many there are; of all others each takes at least
  // one, so the loop ends with the content.
  if (!IsFormat(format)) return false;
  if (FixedWidth(format) == 0) {
    nodes += count;
    return content.AtEnd();
  }
  for (uint32_t i = 0; i < count; ++i) {
    if (!content.SkipBody(format, nesting, nodes)) return false;
  }
  return content.AtEnd();
}

bool Reader::ArrayHeader(Reader& elements, uint32_t& count, uint8_t& format) {
  const size_t width = Peek() == code::kArray8 ? 1 : 4;
  if (Peek() != code::kArray8 && Peek() != code::kArray32) return false;
  ++at_;
  if (!Sized(width, elements) || elements.left() < width + 1) return false;
  count = width == 1 ? *elements.at_ : LoadBe32(elements.at_);
  format = elements.at_[width];
  elements.at_ += width + 1;
  return true;
}

bool Reader::Symbols(std::vector<std::string>& values, bool* single) {
  values.clear();
  if (single != nullptr) *single = false;
  if (Null()) return true;
  std::string_view value;
  if (Symbol(value)) {
    values.emplace_back(value);
    if (single != nullptr) *single = true;
    return true;
  }
  Reader elements;
  uint32_t count;
  uint8_t format;
  if (!ArrayHeader(elements, count, format)) return false;
  if (count == 0) return IsFormat(format) && elements.AtEnd();
  if (format != code::kSymbol8 && format != code::kSymbol32) return false;
  for (uint32_t i = 0; i < count; ++i) {
    Reader symbol;
    if (!elements.Sized(format == code::kSymbol8 ? 1 : 4, symbol)) return false;
    if (values.size() < kSymbolsKept) values.emplace_back(symbol.rest());
  }
  return elements.AtEnd();
}

void WriteNull(std::string& out) { Append(out, code::kNull); }

void WriteBoolean(std::string& out, bool value) { Append(out, value ? code::kTrue : code::kFalse); }

void WriteUbyte(std::string& out, uint8_t value) {
  Append(out, code::kUbyte);
  Append(out, value);
}

void WriteUshort(std::string& out, uint16_t value) {
  uint8_t bytes[3] = {code::kUshort};
  StoreBe16(bytes + 1, value);
  out.append(reinterpret_cast<const char*>(bytes), sizeof bytes);
}

void WriteUint(std::string& out, uint32_t value) {
  if (value == 0) {
    Append(out, code::kUint0);
  } else if (value <= UINT8_MAX) {
    Append(out, code::kUintSmall);
    Append(out, static_cast<uint8_t>(value));
  } else {
    Append(out, code::kUint);
    AppendBe32(out, value);
  }
}

void WriteUlong(std::string& out, uint64_t value) {
  if (value == 0) {
    Append(out, code::kUlong0);
  } else if (value <= UINT8_MAX) {
    Append(out, code::kUlongSmall);
    Append(out, static_cast<uint8_t>(value));
  } else {
    uint8_t bytes[9] = {code::kUlong};
    StoreBe64(bytes + 1, value);
    out.append(reinterpret_cast<const char*>(bytes), sizeof bytes);
  }
}

void WriteInt(std::string& out, int32_t value) {
  if (value >= INT8_MIN && value <= INT8_MAX) {
    Append(out, code::kIntSmall);
    Append(out, static_cast<uint8_t>(value));
  } else {
    Append(out, code::kInt);
    AppendBe32(out, static_cast<uint32_t>(value));
  }
}

void WriteBinary(std::string& out, std::string_view value) {
  WriteVariable(out, code::kBinary8, code::kBinary32, value);
}

void WriteString(std::string& out, std::string_view value) {
  WriteVariable(out, code::kString8, code::kString32, value);
}

void WriteSymbol(std::string& out, std::string_view value) {
  WriteVariable(out, code::kSymbol8, code::kSymbol32, value);
}

void WriteSymbols(std::string& out, const std::vector<std::string>& values) {
  size_t bytes = 0;
  bool small = values.size() <= UINT8_MAX;
  for (const std::string& value : values) {
    bytes += value.size();
    small = small && value.size() <= UINT8_MAX;
  }
  small = small && bytes + values.size() + 2 <= UINT8_MAX;
  const auto count = static_cast<uint32_t>(values.size());
  if (small) {
    Append(out, code::kArray8);
    Append(out, static_cast<uint8_t>(bytes + count + 2));
    Append(out, static_cast<uint8_t>(count));
    Append(out, code::kSymbol8);
  } else {
    Append(out, code::kArray32);
    AppendBe32(out, static_cast<uint32_t>(bytes + 4 * size_t{count} + 5));
    AppendBe32(out, count);
    Append(out, code::kSymbol32);
  }
  for (const std::string& value : values) {
    if (small) {
      Append(out, static_cast<uint8_t>(value.size()));
    } else {
      AppendBe32(out, static_cast<uint32_t>(value.size()));
    }
    out.append(value);
  }
}

void WriteListHeader(std::string& out, size_t content, uint32_t count) {
  if (count == 0) {
    Append(out, code::kList0);
  } else {
    WriteCompoundHeader(out, code::kList8, code::kList32, content, count);
  }
}

void WriteMapHeader(std::string& out, size_t content, uint32_t count) {
  WriteCompoundHeader(out, code::kMap8, code::kMap32, content, count);
}

ListWriter::ListWriter(std::string& out, uint64_t descriptor) : out_(out) {
  Append(out_, code::kDescribed);
  WriteUlong(out_, descriptor);
  start_ = kept_end_ = out_.size();
}

void ListWriter::Keep() {
  kept_ = ++count_;
  kept_end_ = out_.size();
}

void ListWriter::Boolean(bool value) {
  if (!value) return Null();
  RequiredBoolean(value);
}

void ListWriter::RequiredBoolean(bool value) {
  WriteBoolean(out_, value);
  Keep();
}

void ListWriter::Ubyte(uint8_t value) {
  WriteUbyte(out_, value);
  Keep();
}

void ListWriter::Ushort(uint16_t value) {
  WriteUshort(out_, value);
  Keep();
}

void ListWriter::Uint(uint32_t value) {
  WriteUint(out_, value);
  Keep();
}

void ListWriter::Uint(const std::optional<uint32_t>& value) {
  if (!value.has_value()) return Null();
  Uint(*value);
}

void ListWriter::Ulong(uint64_t value) {
  WriteUlong(out_, value);
  Keep();
}

void ListWriter::String(const std::string& value) {
  WriteString(out_, value);
  Keep();
}

void ListWriter::String(const std::optional<std::string>& value) {
  if (!value.has_value()) return Null();
  String(*value);
}

void ListWriter::Binary(const std::optional<std::string>& value) {
  if (!value.has_value()) return Null();
  WriteBinary(out_, *value);
  Keep();
}

void ListWriter::Symbol(std::string_view value) {
  if (value.empty()) return Null();
  WriteSymbol(out_, value);
  Keep();
}

void ListWriter::Symbols(const std::vector<std::string>& values) {
  if (values.empty()) return Null();
  WriteSymbols(out_, values);
  Keep();
}

void ListWriter::Raw(std::string_view encoded) {
  if (encoded.empty()) return Null();
  out_.append(encoded);
  Keep();
}

void ListWriter::Close() {
  out_.resize(kept_end_);
  std::string header;
  WriteListHeader(header, kept_end_ - start_, kept_);
  out_.insert(start_, header);
}

void MapWriter::Add(std::string_view key, std::string_view text) {
  WriteSymbol(items_, key);
  WriteString(items_, text);
  count_ += 2;
}

void MapWriter::Add(std::string_view key, int32_t number) {
  WriteSymbol(items_, key);
  WriteInt(items_, number);
  count_ += 2;
}

void MapWriter::AddRaw(std::string_view pairs, uint32_t count) {
  items_.append(pairs);
  count_ += count;
}

std::string MapWriter::Take() {
  std::string map;
  WriteMapHeader(map, items_.size(), count_);
  map.append(items_);
  items_.clear();
  count_ = 0;
  return map;
}

}  // namespace trunkline::amqp
