#include "tests/sim/message.h"

#include "router/base/random.h"

namespace trunkline::sim {
namespace {

constexpr uint32_t kMagic = 0x53494d21;
constexpr size_t kNameBytes = 20;
constexpr size_t kNoiseBytes = 1 << 20;
constexpr uint8_t kHeader = 0x70;
constexpr uint8_t kMessageAnnotations = 0x72;
constexpr uint8_t kProperties = 0x73;
constexpr uint8_t kData = 0x75;

// Bytes to cut bodies from.
const std::string& Noise() {
  static const std::string* const kNoise = [] {
    auto* noise = new std::string(kNoiseBytes, '\0');
    Random random(42);
    for (char& c : *noise) c = static_cast<char>(random.Next() >> 32);
    return noise;
  }();
  return *kNoise;
}

void Put32(std::string& out, uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift));
}

uint32_t Get32(std::string_view in) {
  uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value = value << 8 | static_cast<uint8_t>(in[i]);
  return value;
}

void PutSection(std::string& out, uint8_t code) {
  out.append({0x00, 0x53, static_cast<char>(code)});
}

// A list8 or map8.
void PutCompound(std::string& out, uint8_t type, uint8_t count, std::string_view content) {
  out.push_back(static_cast<char>(type));
  out.push_back(static_cast<char>(content.size() + 1));
  out.push_back(static_cast<char>(count));
  out.append(content);
}

// Bytes of the compound value at the front; none: more are needed.
std::optional<size_t> CompoundSize(std::string_view bytes) {
  if (bytes.empty()) return std::nullopt;
  const auto type = static_cast<uint8_t>(bytes[0]);
  if (type == 0x45) return 1;
  if (type == 0xc0 || type == 0xc1) {
    if (bytes.size() < 2) return std::nullopt;
    return size_t{2} + static_cast<uint8_t>(bytes[1]);
  }
  if (bytes.size() < 5) return std::nullopt;
  return size_t{5} + Get32(bytes.substr(1));
}

// Code of the section at the front; none: more bytes are needed.
std::optional<uint8_t> SectionAt(std::string_view bytes) {
  if (bytes.size() < 3) return std::nullopt;
  return static_cast<uint8_t>(bytes[2]);
}

}  // namespace

EncodedMessage Encode(const MessageShape& shape) {
  EncodedMessage message;
  std::string& out = message.bytes;
  if (shape.header) {
    PutSection(out, kHeader);
    PutCompound(out, 0xc0, 1, "\x41");  // durable
  }
  if (shape.annotations) {
    PutSection(out, kMessageAnnotations);
    PutCompound(out, 0xc1, 2, "\xa3\x07x-opt-a\xa1\x03yes");
  }
  message.bare = out.size();
  if (shape.to.has_value()) {
    PutSection(out, kProperties);
    const std::string to = std::string("\x40\x40\xa1") + static_cast<char>(shape.to->size());
    PutCompound(out, 0xc0, 3, to + *shape.to);
  }
  PutSection(out, kData);
  out.push_back(static_cast<char>(0xb0));
  Put32(out, static_cast<uint32_t>(kNameBytes) + shape.body_bytes);
  for (const uint32_t part : {kMagic, shape.id, shape.producer, shape.sequence, shape.body_bytes}) {
    Put32(out, part);
  }
  const size_t begin = Random(shape.id).Below(kNoiseBytes - shape.body_bytes);
  out.append(Noise(), begin, shape.body_bytes);
  return message;
}

std::optional<size_t> FindBare(std::string_view bytes) {
  size_t at = 0;
  while (true) {
    const std::optional<uint8_t> code = SectionAt(bytes.substr(at));
    if (!code.has_value()) return std::nullopt;
    if (*code < kHeader || *code > kMessageAnnotations) return at;
    const std::optional<size_t> size = CompoundSize(bytes.substr(at + 3));
    if (!size.has_value() || *size > bytes.size() - at - 3) return std::nullopt;
    at += 3 + *size;
  }
}

std::optional<uint32_t> FindId(std::string_view bare) {
  const std::optional<uint8_t> code = SectionAt(bare);
  if (!code.has_value()) return std::nullopt;
  if (*code == kProperties) {
    const std::optional<size_t> size = CompoundSize(bare.substr(3));
    if (!size.has_value() || bare.size() < 3 + *size) return std::nullopt;
    bare.remove_prefix(3 + *size);
  }
  if (bare.size() < 8 + kNameBytes || static_cast<uint8_t>(bare[2]) != kData) return std::nullopt;
  if (Get32(bare.substr(8)) != kMagic) return std::nullopt;
  return Get32(bare.substr(12));
}

}  // namespace trunkline::sim
