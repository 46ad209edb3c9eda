#include <cstring>

#include "router/amqp/codec.h"
#include "router/amqp/sections.h"
#include "router/base/check.h"

namespace trunkline::amqp {
namespace {

constexpr std::string_view kPhaseKey = "x-opt-qd.phase";
constexpr std::string_view kStreamKey = "x-opt-qd.stream";
constexpr std::string_view kToKey = "x-opt-qd.to";
constexpr std::string_view kIngressKey = "x-opt-qd.ingress";
constexpr std::string_view kTraceKey = "x-opt-qd.trace";

void AddTrace(MapWriter& map, const std::vector<std::string_view>& trace) {
  std::string nodes;
  for (std::string_view node : trace) WriteString(nodes, node);
  std::string pair;
  WriteSymbol(pair, kTraceKey);
  WriteListHeader(pair, nodes.size(), static_cast<uint32_t>(trace.size()));
  pair.append(nodes);
  map.AddRaw(pair, 2);
}

// Appends to `out` the bytes [from, to) of `message`, shared.
void Share(const Payload& message, uint64_t from, uint64_t to, Payload& out) {
  uint64_t begin = 0;  // of the slice, in the message
  for (const Slice& slice : message.slices()) {
    const uint64_t end = begin + slice.size();
    const uint64_t first = from > begin ? from : begin;
    const uint64_t last = to < end ? to : end;
    if (first < last) {
      out.Append(
          slice.Sub(static_cast<uint32_t>(first - begin), static_cast<uint32_t>(last - first)));
    }
    begin = end;
  }
}

}  // namespace

std::string EncodeAnnotations(std::string_view user_annotations, uint32_t user_annotation_count,
                              const AnnotationsOut& out) {
  if (user_annotation_count == 0 && out.Empty()) return {};
  MapWriter map;
  map.AddRaw(user_annotations, user_annotation_count);
  if (out.phase != 0) map.Add(kPhaseKey, out.phase);
  if (out.stream) map.Add(kStreamKey, 1);
  if (out.to.has_value()) map.Add(kToKey, *out.to);
  if (out.ingress.has_value()) map.Add(kIngressKey, *out.ingress);
  if (!out.trace.empty()) AddTrace(map, out.trace);
  std::string section("\x00\x53\x72", 3);
  section.append(map.Take());
  return section;
}

Payload ReplaceAnnotations(const Payload& message, const Sections& sections,
                           std::string_view annotations, BlockPool& pool) {
  TL_DCHECK(message.bytes() >= sections.bare_offset);
  Payload replaced;
  Share(message, 0, sections.message_annotations_offset, replaced);
  if (!annotations.empty()) {
    Block* block = pool.Take(static_cast<uint32_t>(annotations.size()));
    std::memcpy(block->tail(), annotations.data(), annotations.size());
    block->used = static_cast<uint32_t>(annotations.size());
    replaced.Append(Slice(block, block->bytes, block->used));
    BlockPool::Unref(block);
  }
  Share(message, sections.bare_offset, message.bytes(), replaced);
  return replaced;
}

}  // namespace trunkline::amqp
