#include "router/amqp/value.h"

#include <exception>
#include <optional>
#include <proton/codec/decoder.hpp>
#include <proton/codec/encoder.hpp>
#include <proton/scalar.hpp>
#include <proton/symbol.hpp>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "router/amqp/codec.h"

namespace trunkline::amqp {
namespace {

absl::Status FromProton(const std::exception& error) {
  return absl::InvalidArgumentError(absl::StrCat("value: ", error.what()));
}

absl::Status CheckSize(std::string_view raw) {
  if (raw.size() > kValueBytesMax) {
    return absl::InvalidArgumentError(absl::StrCat("value: ", raw.size(), " bytes are too many"));
  }
  Reader reader(raw);
  uint64_t nodes = 0;
  if (!reader.Skip(nodes) || !reader.AtEnd()) {
    return absl::InvalidArgumentError("value: malformed");
  }
  if (nodes > kValueNodesMax) {
    return absl::InvalidArgumentError(absl::StrCat("value: ", nodes, " nodes are too many"));
  }
  return absl::OkStatus();
}

// Empties the encoder. Its own function for strings leaves bytes behind the value.
std::string TakeBytes(proton::codec::encoder& encoder) {
  std::string out(256, '\0');
  size_t size = out.size();
  if (!encoder.encode(out.data(), size)) {
    out.resize(size);
    encoder.encode(out.data(), size);
  }
  out.resize(size);
  return out;
}

std::optional<std::string> KeyOf(const proton::value& key) {
  switch (key.type()) {
    case proton::SYMBOL:
      return std::string(proton::get<proton::symbol>(key));
    case proton::STRING:
      return proton::get<std::string>(key);
    default:
      return std::nullopt;
  }
}

std::optional<PlainValue> PlainOf(const proton::value& value) {
  switch (value.type()) {
    case proton::BOOLEAN:
      return proton::get<bool>(value);
    case proton::BYTE:
    case proton::SHORT:
    case proton::INT:
      return proton::coerce<int32_t>(value);
    case proton::UBYTE:
    case proton::USHORT:
    case proton::UINT:
      return proton::coerce<uint32_t>(value);
    case proton::LONG:
      return proton::get<int64_t>(value);
    case proton::ULONG:
      return proton::get<uint64_t>(value);
    case proton::FLOAT:
    case proton::DOUBLE:
      return proton::coerce<double>(value);
    case proton::STRING:
      return proton::get<std::string>(value);
    case proton::SYMBOL:
      return std::string(proton::get<proton::symbol>(value));
    default:
      return std::nullopt;
  }
}

PlainMap ReadEntries(const proton::value& value) {
  PlainMap map;
  proton::codec::decoder decoder(value);
  proton::codec::start start;
  decoder >> start;
  while (decoder.more()) {
    proton::value key;
    proton::value entry;
    decoder >> key >> entry;
    std::optional<std::string> name = KeyOf(key);
    std::optional<PlainValue> plain = PlainOf(entry);
    if (name.has_value() && plain.has_value()) {
      map.push_back({*std::move(name), *std::move(plain)});
    }
  }
  return map;
}

}  // namespace

absl::StatusOr<proton::value> DecodeValue(std::string_view raw) {
  absl::Status size = CheckSize(raw);
  if (!size.ok()) return size;
  try {
    proton::value value;
    proton::codec::decoder(value).decode(raw.data(), raw.size());
    return value;
  } catch (const std::exception& error) {
    return FromProton(error);
  }
}

absl::StatusOr<std::string> EncodeValue(const proton::value& value) {
  try {
    proton::value copy;
    proton::codec::encoder encoder(copy);
    encoder << value;
    std::string bytes = TakeBytes(encoder);
    // Proton miscounts around some values that it reads: those described by a list, for one.
    Reader reader(bytes);
    if (!reader.Skip() || !reader.AtEnd()) {
      return absl::InvalidArgumentError("value: cannot be written");
    }
    return bytes;
  } catch (const std::exception& error) {
    return FromProton(error);
  }
}

absl::StatusOr<PlainMap> DecodeMap(std::string_view raw) {
  if (raw.empty()) return PlainMap();
  absl::StatusOr<proton::value> value = DecodeValue(raw);
  if (!value.ok()) return value.status();
  try {
    if (value->type() != proton::MAP) return absl::InvalidArgumentError("value: not a map");
    return ReadEntries(*value);
  } catch (const std::exception& error) {
    return FromProton(error);
  }
}

absl::StatusOr<std::string> EncodeMap(const PlainMap& map) {
  try {
    proton::value value;
    proton::codec::encoder encoder(value);
    encoder << proton::codec::start::map();
    for (const PlainEntry& entry : map) {
      encoder << proton::symbol(entry.key);
      std::visit([&encoder](const auto& plain) { encoder << plain; }, entry.value);
    }
    encoder << proton::codec::finish();
    return TakeBytes(encoder);
  } catch (const std::exception& error) {
    return FromProton(error);
  }
}

}  // namespace trunkline::amqp
