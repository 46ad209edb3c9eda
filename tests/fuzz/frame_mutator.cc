#include "tests/fuzz/frame_mutator.h"

#include <algorithm>
#include <random>
#include <utility>
#include <vector>

#include "router/amqp/codec.h"
#include "router/amqp/performatives.h"

namespace trunkline::fuzz {
namespace {

constexpr size_t kFrameHeaderBytes = 8;
constexpr uint32_t kNumbers[] = {0,          1,          2,          3,          7,
                                 255,        256,        512,        65535,      65536,
                                 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff, 100};
constexpr const char* kTexts[] = {"PLAIN",       "SCRAM-SHA-256", "ANONYMOUS",  "",      "orders",
                                  "honest",      "news/a",        "near/a",     "link0", "none/a",
                                  "_local/x",    "spare/a",       "way/a",      "link1", "temp/**",
                                  "qd.waypoint", "client",        "qd.fallback"};
// Descriptors that have a meaning somewhere.
constexpr uint8_t kDescriptors[] = {0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x1d,
                                    0x23, 0x24, 0x25, 0x26, 0x27, 0x28, 0x29, 0x30, 0x33, 0x34,
                                    0x40, 0x41, 0x42, 0x43, 0x44, 0x70, 0x72, 0x73, 0x77};

// A frame, a protocol header, or what stands behind the last of them.
struct Chunk {
  bool is_frame = false;
  std::string bytes;
};

class Mutation {
 public:
  Mutation(uint32_t seed, MutateBytes mutate) : random_(seed), mutate_(mutate) {}

  void Change(std::vector<Chunk>& chunks);

 private:
  size_t Below(size_t n) { return random_() % n; }
  template <typename T, size_t kSize>
  const T& OneOf(const T (&choices)[kSize]) {
    return choices[Below(kSize)];
  }

  void ChangeFrame(Chunk& chunk);
  std::string NewFrame();
  std::string ChangeField(std::string_view composite, int depth);
  void WriteValue(std::string& out, int depth);
  void WriteComposite(std::string& out, int depth);
  std::string Bytes(std::string_view bytes);

  std::minstd_rand random_;
  const MutateBytes mutate_;
};

std::vector<Chunk> Split(std::string_view bytes) {
  std::vector<Chunk> chunks;
  while (!bytes.empty()) {
    size_t size = bytes.size();
    bool is_frame = false;
    if (bytes.starts_with("AMQP")) {
      size = std::min<size_t>(size, kFrameHeaderBytes);
    } else if (size >= kFrameHeaderBytes) {
      const uint32_t said = amqp::LoadBe32(reinterpret_cast<const uint8_t*>(bytes.data()));
      is_frame = said >= kFrameHeaderBytes && said <= size;
      if (is_frame) size = said;
    }
    chunks.push_back({is_frame, std::string(bytes.substr(0, size))});
    bytes.remove_prefix(size);
  }
  return chunks;
}

std::string Frame(std::string_view header, std::string_view body) {
  std::string frame(header.substr(0, kFrameHeaderBytes));
  amqp::StoreBe32(reinterpret_cast<uint8_t*>(frame.data()),
                  static_cast<uint32_t>(kFrameHeaderBytes + body.size()));
  frame.append(body);
  return frame;
}

void Mutation::Change(std::vector<Chunk>& chunks) {
  const size_t at = Below(chunks.size());
  switch (Below(8)) {
    case 0:
      chunks.erase(chunks.begin() + static_cast<ptrdiff_t>(at));
      return;
    case 1:
      chunks.insert(chunks.begin() + static_cast<ptrdiff_t>(Below(chunks.size() + 1)), chunks[at]);
      return;
    case 2:
      std::swap(chunks[at], chunks[Below(chunks.size())]);
      return;
    case 3:
      chunks.insert(chunks.begin() + static_cast<ptrdiff_t>(at) + 1, Chunk{true, NewFrame()});
      return;
    default:
      return ChangeFrame(chunks[at]);
  }
}

void Mutation::ChangeFrame(Chunk& chunk) {
  if (!chunk.is_frame) {
    chunk.bytes = Bytes(chunk.bytes);
    return;
  }
  const std::string_view body = std::string_view(chunk.bytes).substr(kFrameHeaderBytes);
  switch (Below(8)) {
    case 0:
      chunk.bytes[7] = static_cast<char>(OneOf(kNumbers));
      return;
    case 1:
      chunk.bytes = Bytes(chunk.bytes);  // the size as well
      return;
    case 2:
      chunk.bytes = Frame(chunk.bytes, Bytes(body));
      return;
    default:
      chunk.bytes = Frame(chunk.bytes, ChangeField(body, 0));
      return;
  }
}

std::string Mutation::NewFrame() {
  std::string header(kFrameHeaderBytes, '\0');
  header[4] = 2;
  header[5] = static_cast<char>(Below(16) == 0);
  std::string body;
  WriteComposite(body, 0);
  return Frame(header, body);
}

// A described list with one field changed, removed or added; what stands behind it stays. Bytes
// that are no described list are changed in any way.
std::string Mutation::ChangeField(std::string_view composite, int depth) {
  amqp::Reader reader(composite);
  uint64_t descriptor = 0;
  amqp::Reader items;
  uint32_t count = 0;
  if (!reader.Described(descriptor)) return Bytes(composite);
  const size_t constructor = composite.size() - reader.left();
  if (!reader.List(items, count)) return Bytes(composite);
  std::vector<std::string> fields;
  std::string_view raw;
  while (items.Raw(raw)) fields.emplace_back(raw);
  const size_t at = Below(fields.size() + 1);
  if (at == fields.size()) {
    WriteValue(fields.emplace_back(), depth);
  } else if (fields[at].starts_with('\0') && depth < 3 && Below(4) != 0) {
    fields[at] = ChangeField(fields[at], depth + 1);
  } else if (Below(8) == 0) {
    fields.erase(fields.begin() + static_cast<ptrdiff_t>(at));
  } else if (Below(8) == 0) {
    fields[at] = Bytes(fields[at]);
  } else {
    fields[at].clear();
    WriteValue(fields[at], depth);
  }
  std::string content;
  for (const std::string& field : fields) content += field;
  std::string changed(composite.substr(0, constructor));
  amqp::WriteListHeader(changed, content.size(), static_cast<uint32_t>(fields.size()));
  changed.append(content);
  changed.append(reader.rest());
  return changed;
}

void Mutation::WriteValue(std::string& out, int depth) {
  switch (Below(depth < 3 ? 13 : 10)) {
    case 0:
      return amqp::WriteNull(out);
    case 1:
      return amqp::WriteBoolean(out, Below(2) == 0);
    case 2:
      return amqp::WriteUbyte(out, static_cast<uint8_t>(OneOf(kNumbers)));
    case 3:
      return amqp::WriteUshort(out, static_cast<uint16_t>(OneOf(kNumbers)));
    case 4:
    case 5:
      return amqp::WriteUint(out, OneOf(kNumbers));
    case 6:
      return amqp::WriteUlong(out, uint64_t{OneOf(kNumbers)} << 32);
    case 7:
      return amqp::WriteString(out, OneOf(kTexts));
    case 8:
      return amqp::WriteSymbol(out, OneOf(kTexts));
    case 9:
      return amqp::WriteBinary(out, std::string(31 + Below(3), 't'));
    case 10:
      return amqp::WriteMapHeader(out, 0, 0);
    case 11:
      return amqp::WriteSymbols(out, {OneOf(kTexts), OneOf(kTexts)});
    default:
      return WriteComposite(out, depth + 1);
  }
}

void Mutation::WriteComposite(std::string& out, int depth) {
  std::string content;
  const size_t count = Below(8);
  for (size_t i = 0; i < count; ++i) WriteValue(content, depth + 1);
  out.push_back(amqp::code::kDescribed);
  amqp::WriteUlong(out, OneOf(kDescriptors));
  amqp::WriteListHeader(out, content.size(), static_cast<uint32_t>(count));
  out.append(content);
}

std::string Mutation::Bytes(std::string_view bytes) {
  std::string changed(bytes);
  changed.resize(bytes.size() + 16);
  changed.resize(mutate_(reinterpret_cast<uint8_t*>(changed.data()), bytes.size(), changed.size()));
  return changed;
}

}  // namespace

std::string MutateFrames(std::string_view frames, size_t size_max, uint32_t seed,
                         MutateBytes mutate) {
  std::vector<Chunk> chunks = Split(frames);
  if (chunks.empty()) chunks.push_back({false, "AMQP"});
  Mutation(seed, mutate).Change(chunks);
  std::string changed;
  for (const Chunk& chunk : chunks) changed += chunk.bytes;
  changed.resize(std::min(changed.size(), size_max));
  return changed;
}

}  // namespace trunkline::fuzz
