#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trunkline::amqp {

// The type system of AMQP 1.0 (part 1) as far as frame bodies and message sections need it: a
// bounds-checked reader over encoded bytes and writers that append to a string. Nothing here
// allocates while reading, except where a std::string is asked for.

// Format codes, part 1, section 1.6.
namespace code {
inline constexpr uint8_t kDescribed = 0x00;
inline constexpr uint8_t kNull = 0x40;
inline constexpr uint8_t kTrue = 0x41;
inline constexpr uint8_t kFalse = 0x42;
inline constexpr uint8_t kUint0 = 0x43;
inline constexpr uint8_t kUlong0 = 0x44;
inline constexpr uint8_t kList0 = 0x45;
inline constexpr uint8_t kUbyte = 0x50;
inline constexpr uint8_t kUintSmall = 0x52;
inline constexpr uint8_t kUlongSmall = 0x53;
inline constexpr uint8_t kIntSmall = 0x54;
inline constexpr uint8_t kLongSmall = 0x55;
inline constexpr uint8_t kBoolean = 0x56;
inline constexpr uint8_t kUshort = 0x60;
inline constexpr uint8_t kUint = 0x70;
inline constexpr uint8_t kInt = 0x71;
inline constexpr uint8_t kUlong = 0x80;
inline constexpr uint8_t kLong = 0x81;
inline constexpr uint8_t kBinary8 = 0xa0;
inline constexpr uint8_t kString8 = 0xa1;
inline constexpr uint8_t kSymbol8 = 0xa3;
inline constexpr uint8_t kBinary32 = 0xb0;
inline constexpr uint8_t kString32 = 0xb1;
inline constexpr uint8_t kSymbol32 = 0xb3;
inline constexpr uint8_t kList8 = 0xc0;
inline constexpr uint8_t kMap8 = 0xc1;
inline constexpr uint8_t kList32 = 0xd0;
inline constexpr uint8_t kMap32 = 0xd1;
inline constexpr uint8_t kArray8 = 0xe0;
inline constexpr uint8_t kArray32 = 0xf0;
inline constexpr uint8_t kEnd = 0xff;  // no format code: what Reader::Peek says at the end
}  // namespace code

// Numeric descriptors of the types that are not frame bodies (those: amqp::Descriptor).
namespace descriptor {
inline constexpr uint64_t kError = 0x1d;
inline constexpr uint64_t kReceived = 0x23;
inline constexpr uint64_t kAccepted = 0x24;
inline constexpr uint64_t kRejected = 0x25;
inline constexpr uint64_t kReleased = 0x26;
inline constexpr uint64_t kModified = 0x27;
inline constexpr uint64_t kSource = 0x28;
inline constexpr uint64_t kTarget = 0x29;
inline constexpr uint64_t kCoordinator = 0x30;
inline constexpr uint64_t kDeclared = 0x33;
inline constexpr uint64_t kTransactional = 0x34;
inline constexpr uint64_t kHeader = 0x70;
inline constexpr uint64_t kDeliveryAnnotations = 0x71;
inline constexpr uint64_t kMessageAnnotations = 0x72;
inline constexpr uint64_t kProperties = 0x73;
inline constexpr uint64_t kFooter = 0x78;
inline constexpr uint64_t kUnknown = UINT64_MAX;  // well-formed, but no number and no known name
}  // namespace descriptor

// The number that stands for a symbolic descriptor ("amqp:open:list"), or descriptor::kUnknown.
uint64_t DescriptorOf(std::string_view symbol);

inline uint16_t LoadBe16(const uint8_t* at) {
  uint16_t value;
  std::memcpy(&value, at, sizeof value);
  return __builtin_bswap16(value);
}
inline uint32_t LoadBe32(const uint8_t* at) {
  uint32_t value;
  std::memcpy(&value, at, sizeof value);
  return __builtin_bswap32(value);
}
inline uint64_t LoadBe64(const uint8_t* at) {
  uint64_t value;
  std::memcpy(&value, at, sizeof value);
  return __builtin_bswap64(value);
}
inline void StoreBe16(uint8_t* at, uint16_t value) {
  value = __builtin_bswap16(value);
  std::memcpy(at, &value, sizeof value);
}
inline void StoreBe32(uint8_t* at, uint32_t value) {
  value = __builtin_bswap32(value);
  std::memcpy(at, &value, sizeof value);
}
inline void StoreBe64(uint8_t* at, uint64_t value) {
  value = __builtin_bswap64(value);
  std::memcpy(at, &value, sizeof value);
}

class ListReader;

// Cursor over encoded values. Each function reads one value of the type it is named after, in any
// legal encoding, and steps over it; false means another type or too few bytes, and leaves the
// cursor where it was or at an unspecified place within the bytes. Views point into the bytes
// given.
class Reader {
 public:
  // Lists, maps and arrays within one another, and descriptors in a row, at most: what goes
  // deeper is malformed.
  static constexpr int kNestingMax = 32;
  // Of an array of symbols, at most; the others are checked, but not kept.
  static constexpr size_t kSymbolsKept = 256;

  Reader() = default;
  explicit Reader(std::string_view bytes)
      : at_(reinterpret_cast<const uint8_t*>(bytes.data())), end_(at_ + bytes.size()) {}

  bool AtEnd() const { return at_ == end_; }
  size_t left() const { return static_cast<size_t>(end_ - at_); }
  std::string_view rest() const { return {reinterpret_cast<const char*>(at_), left()}; }
  // The format code of the next value, code::kEnd when there is none.
  uint8_t Peek() const { return at_ == end_ ? code::kEnd : *at_; }

  // Steps over bytes that were looked at in rest(). REQUIRES: n <= left().
  void Advance(size_t n) { at_ += n; }

  bool Null() {
    if (Peek() != code::kNull) return false;
    ++at_;
    return true;
  }
  bool Boolean(bool& value);
  bool Ubyte(uint8_t& value);
  bool Ushort(uint16_t& value);
  bool Uint(uint32_t& value);
  bool Ulong(uint64_t& value);
  bool Int(int32_t& value);
  bool Binary(std::string_view& value) { return Variable(code::kBinary8, code::kBinary32, value); }
  bool String(std::string_view& value) { return Variable(code::kString8, code::kString32, value); }
  bool Symbol(std::string_view& value) { return Variable(code::kSymbol8, code::kSymbol32, value); }
  // A list or map: its items to be read one after the other, and how many the encoding claims.
  // The claim is at most the bytes there are; for a map it is even and counts keys and values.
  bool List(Reader& items, uint32_t& count);
  bool Map(Reader& items, uint32_t& count);
  // One symbol, an array of symbols, or null: a field of "multiple" symbols. `single` (may be
  // null) says that it was one bare symbol. Of a long array, the first kSymbolsKept are kept: a
  // symbol of no bytes takes one in a frame, and many times that in memory.
  bool Symbols(std::vector<std::string>& values, bool* single);
  // The start of a described value; the value itself is next. Symbolic descriptors of part 2, 3
  // and 5 are translated, others are descriptor::kUnknown.
  bool Described(uint64_t& descriptor);
  // A described list: the form of every frame body and of most sections.
  bool Composite(uint64_t& descriptor, ListReader& fields);
  // Any value, checked for structure all the way down: sizes, counts, nesting, known codes.
  bool Skip() {
    uint64_t nodes = 0;
    return Skip(nodes);
  }
  // Adds how many values it was: itself, descriptors, items and elements.
  bool Skip(uint64_t& nodes) { return SkipValue(kNestingMax, nodes); }
  // As Skip, and gives the bytes.
  bool Raw(std::string_view& value);

 private:
  bool Variable(uint8_t code8, uint8_t code32, std::string_view& value);
  bool Compound(uint8_t code8, uint8_t code32, Reader& items, uint32_t& count);
  bool Take(size_t n) {
    if (left() < n) return false;
    at_ += n;
    return true;
  }
  bool SkipValue(int nesting, uint64_t& nodes);
  bool SkipConstructor(uint8_t& format, int nesting, uint64_t& nodes);
  bool SkipBody(uint8_t format, int nesting, uint64_t& nodes);
  bool SkipItems(size_t width, bool map, int nesting, uint64_t& nodes);
  bool SkipArray(size_t width, int nesting, uint64_t& nodes);
  bool Sized(size_t width, Reader& content);
  bool ArrayHeader(Reader& elements, uint32_t& count, uint8_t& format);

  const uint8_t* at_ = nullptr;
  const uint8_t* end_ = nullptr;
};

// The fields of a described list, read in order. A field that is null or beyond the end of the list
// leaves its destination as it is; false means that it has another type, or is required and absent.
class ListReader {
 public:
  ListReader() = default;
  ListReader(Reader items, uint32_t count) : items_(items), count_(count) {}

  // Steps to the next field. True: its value is there, to be read from items().
  bool Next() {
    if (count_ == 0) return false;
    --count_;
    return !items_.Null();
  }
  Reader& items() { return items_; }

  bool RequiredUint(uint32_t& value) { return Next() && items_.Uint(value); }
  bool RequiredBoolean(bool& value) { return Next() && items_.Boolean(value); }
  bool Uint(std::optional<uint32_t>& value) { return !Next() || items_.Uint(value.emplace()); }
  bool Boolean(bool& value) { return !Next() || items_.Boolean(value); }
  bool Boolean(std::optional<bool>& value) { return !Next() || items_.Boolean(value.emplace()); }
  bool Binary(std::optional<std::string_view>& value) {
    return !Next() || items_.Binary(value.emplace());
  }
  bool Skip() {
    if (!Next()) return true;
    Reader slow = items_;  // a copy: see Reader::Composite
    if (!slow.Skip()) return false;
    items_ = slow;
    return true;
  }
  // No field follows.
  bool AtLast() const { return count_ == 0; }
  // All fields were read and nothing is left: neither a field nor stray bytes.
  bool End() const { return count_ == 0 && items_.AtEnd(); }

 private:
  Reader items_;
  uint32_t count_ = 0;
};

// Each writes one value to `at`, in its shortest encoding, and returns the place behind it.
inline uint8_t* PutNull(uint8_t* at) {
  *at = code::kNull;
  return at + 1;
}
inline uint8_t* PutBoolean(uint8_t* at, bool value) {
  *at = value ? code::kTrue : code::kFalse;
  return at + 1;
}
inline uint8_t* PutUint(uint8_t* at, uint32_t value) {
  if (value == 0) {
    *at = code::kUint0;
    return at + 1;
  }
  if (value <= UINT8_MAX) {
    at[0] = code::kUintSmall;
    at[1] = static_cast<uint8_t>(value);
    return at + 2;
  }
  at[0] = code::kUint;
  StoreBe32(at + 1, value);
  return at + 5;
}
inline uint8_t* PutUint(uint8_t* at, const std::optional<uint32_t>& value) {
  return value.has_value() ? PutUint(at, *value) : PutNull(at);
}

// Each appends one value in its shortest encoding.
void WriteNull(std::string& out);
void WriteBoolean(std::string& out, bool value);
void WriteUbyte(std::string& out, uint8_t value);
void WriteUshort(std::string& out, uint16_t value);
void WriteUint(std::string& out, uint32_t value);
void WriteUlong(std::string& out, uint64_t value);
void WriteInt(std::string& out, int32_t value);
void WriteBinary(std::string& out, std::string_view value);
void WriteString(std::string& out, std::string_view value);
void WriteSymbol(std::string& out, std::string_view value);
// An array of symbols, also when there is one or none.
void WriteSymbols(std::string& out, const std::vector<std::string>& values);
// The header of a list or map whose `content` bytes (count items) follow.
void WriteListHeader(std::string& out, size_t content, uint32_t count);
void WriteMapHeader(std::string& out, size_t content, uint32_t count);

// Appends a described list field by field; trailing nulls are left out. Close() completes it.
class ListWriter {
 public:
  ListWriter(std::string& out, uint64_t descriptor);
  ListWriter(const ListWriter&) = delete;
  ListWriter& operator=(const ListWriter&) = delete;

  void Null() {
    WriteNull(out_);
    ++count_;
  }
  void Boolean(bool value);  // null when false: the default of every such field
  void RequiredBoolean(bool value);
  void Ubyte(uint8_t value);
  void Ushort(uint16_t value);
  void Uint(uint32_t value);
  void Uint(const std::optional<uint32_t>& value);
  void Ulong(uint64_t value);
  void String(const std::string& value);
  void String(const std::optional<std::string>& value);
  void Binary(const std::optional<std::string>& value);
  void Symbol(std::string_view value);                   // null when empty
  void Symbols(const std::vector<std::string>& values);  // null when empty
  void Raw(std::string_view encoded);                    // null when empty
  void Close();

 private:
  void Keep();

  std::string& out_;
  size_t start_;     // of the list, behind its descriptor
  size_t kept_end_;  // behind the last field that is not null
  uint32_t count_ = 0;
  uint32_t kept_ = 0;  // fields up to the last that is not null
};

// Builds a raw map with symbols as keys: the properties that the router announces about itself.
class MapWriter {
 public:
  void Add(std::string_view key, std::string_view text);
  void Add(std::string_view key, int32_t number);
  // Pairs that are encoded already: keys and values, `count` of both.
  void AddRaw(std::string_view pairs, uint32_t count);
  // The map; the writer is empty afterwards.
  std::string Take();

 private:
  std::string items_;
  uint32_t count_ = 0;
};

inline bool Reader::Boolean(bool& value) {
  switch (Peek()) {
    case code::kTrue:
    case code::kFalse:
      value = *at_++ == code::kTrue;
      return true;
    case code::kBoolean:
      if (left() < 2 || at_[1] > 1) return false;
      value = at_[1] == 1;
      at_ += 2;
      return true;
    default:
      return false;
  }
}

inline bool Reader::Ubyte(uint8_t& value) {
  if (Peek() != code::kUbyte || left() < 2) return false;
  value = at_[1];
  at_ += 2;
  return true;
}

inline bool Reader::Ushort(uint16_t& value) {
  if (Peek() != code::kUshort || left() < 3) return false;
  value = LoadBe16(at_ + 1);
  at_ += 3;
  return true;
}

inline bool Reader::Uint(uint32_t& value) {
  switch (Peek()) {
    case code::kUintSmall:
      if (left() < 2) return false;
      value = at_[1];
      at_ += 2;
      return true;
    case code::kUint:
      if (left() < 5) return false;
      value = LoadBe32(at_ + 1);
      at_ += 5;
      return true;
    case code::kUint0:
      value = 0;
      ++at_;
      return true;
    default:
      return false;
  }
}

inline bool Reader::Ulong(uint64_t& value) {
  switch (Peek()) {
    case code::kUlongSmall:
      if (left() < 2) return false;
      value = at_[1];
      at_ += 2;
      return true;
    case code::kUlong:
      if (left() < 9) return false;
      value = LoadBe64(at_ + 1);
      at_ += 9;
      return true;
    case code::kUlong0:
      value = 0;
      ++at_;
      return true;
    default:
      return false;
  }
}

inline bool Reader::Int(int32_t& value) {
  switch (Peek()) {
    case code::kIntSmall:
      if (left() < 2) return false;
      value = static_cast<int8_t>(at_[1]);
      at_ += 2;
      return true;
    case code::kInt:
      if (left() < 5) return false;
      value = static_cast<int32_t>(LoadBe32(at_ + 1));
      at_ += 5;
      return true;
    default:
      return false;
  }
}

inline bool Reader::Variable(uint8_t code8, uint8_t code32, std::string_view& value) {
  const uint8_t format = Peek();
  size_t header = 2;
  size_t size;
  if (format == code8 && left() >= 2) {
    size = at_[1];
  } else if (format == code32 && left() >= 5) {
    header = 5;
    size = LoadBe32(at_ + 1);
  } else {
    return false;
  }
  if (left() - header < size) return false;
  value = {reinterpret_cast<const char*>(at_ + header), size};
  at_ += header + size;
  return true;
}

[[gnu::always_inline]] inline bool Reader::Compound(uint8_t code8, uint8_t code32, Reader& items,
                                                    uint32_t& count) {
  const uint8_t format = Peek();
  size_t header;   // format code, size and count
  size_t content;  // bytes behind the count
  if (format == code8 && left() >= 3 && at_[1] >= 1) {
    header = 3;
    content = at_[1] - 1u;
    count = at_[2];
  } else if (format == code32 && left() >= 9 && LoadBe32(at_ + 1) >= 4) {
    header = 9;
    content = LoadBe32(at_ + 1) - 4u;
    count = LoadBe32(at_ + 5);
  } else {
    return false;
  }
  if (left() - header < content || count > content) return false;
  items.at_ = at_ + header;
  items.end_ = items.at_ + content;
  at_ = items.end_;
  return true;
}

[[gnu::always_inline]] inline bool Reader::List(Reader& items, uint32_t& count) {
  if (Peek() == code::kList0) {
    ++at_;
    items = Reader();
    count = 0;
    return true;
  }
  return Compound(code::kList8, code::kList32, items, count);
}

inline bool Reader::Map(Reader& items, uint32_t& count) {
  return Compound(code::kMap8, code::kMap32, items, count) && count % 2 == 0;
}

[[gnu::always_inline]] inline bool Reader::Composite(uint64_t& descriptor, ListReader& fields) {
  if (left() >= 3 && at_[0] == code::kDescribed && at_[1] == code::kUlongSmall) {
    descriptor = at_[2];
    at_ += 3;
  } else {
    // A copy, so that this reader can stay in registers where everything else is inlined.
    Reader slow = *this;
    if (!slow.Described(descriptor)) return false;
    *this = slow;
  }
  Reader items;
  uint32_t count;
  if (!List(items, count)) return false;
  fields = ListReader(items, count);
  return true;
}

}  // namespace trunkline::amqp
