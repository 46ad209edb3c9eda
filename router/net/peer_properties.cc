#include "router/net/peer_properties.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "router/amqp/codec.h"

namespace trunkline::net {
namespace {

using amqp::Reader;

std::string Cut(std::string_view text, bool& cut) {
  cut |= text.size() > kPropertyBytesMax;
  return std::string(text.substr(0, kPropertyBytesMax));
}

bool ReadText(Reader& reader, std::string_view& text) {
  return reader.Symbol(text) || reader.String(text);
}

// Long, the one kind of whole number that nothing else reads.
bool ReadLong(Reader& reader, int64_t& value) {
  const std::string_view rest = reader.rest();
  if (reader.Peek() == amqp::code::kLongSmall && rest.size() >= 2) {
    value = static_cast<int8_t>(rest[1]);
    reader.Advance(2);
    return true;
  }
  if (reader.Peek() != amqp::code::kLong || rest.size() < 9) return false;
  value = static_cast<int64_t>(amqp::LoadBe64(reinterpret_cast<const uint8_t*>(rest.data()) + 1));
  reader.Advance(9);
  return true;
}

std::optional<int64_t> ReadNumber(Reader& reader) {
  uint8_t ubyte = 0;
  uint16_t ushort = 0;
  uint32_t uint = 0;
  uint64_t ulong = 0;
  int32_t integer = 0;
  int64_t value = 0;
  if (reader.Int(integer)) return integer;
  if (reader.Uint(uint)) return uint;
  if (reader.Ulong(ulong)) return static_cast<int64_t>(std::min<uint64_t>(ulong, INT64_MAX));
  if (ReadLong(reader, value)) return value;
  if (reader.Ubyte(ubyte)) return ubyte;
  if (reader.Ushort(ushort)) return ushort;
  return std::nullopt;
}

}  // namespace

std::vector<PeerProperty> ReadProperties(std::string_view raw, bool& cut) {
  std::vector<PeerProperty> properties;
  Reader reader(raw);
  Reader items;
  uint32_t count = 0;
  if (!reader.Map(items, count)) return properties;
  for (; count >= 2; count -= 2) {
    if (properties.size() == kPropertiesMax) {
      cut = true;
      break;
    }
    std::string_view key;
    const bool named = ReadText(items, key);
    if (!named && !items.Skip()) break;
    std::string_view text;
    bool flag = false;
    std::optional<PeerProperty> property;
    if (ReadText(items, text)) {
      property = {Cut(key, cut), Cut(text, cut)};
    } else if (const auto number = ReadNumber(items)) {
      property = {Cut(key, cut), *number};
    } else if (items.Boolean(flag)) {
      property = {Cut(key, cut), flag ? "true" : "false"};
    } else if (!items.Skip()) {
      break;
    }
    if (named && property) properties.push_back(*std::move(property));
  }
  return properties;
}

std::vector<std::string> Bounded(const std::vector<std::string>& symbols, bool& cut) {
  std::vector<std::string> kept;
  cut |= symbols.size() > kPropertiesMax;
  const size_t count = std::min(symbols.size(), kPropertiesMax);
  for (size_t i = 0; i < count; ++i) kept.push_back(Cut(symbols[i], cut));
  return kept;
}

}  // namespace trunkline::net
