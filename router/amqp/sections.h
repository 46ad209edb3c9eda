#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "router/base/payload.h"

namespace trunkline::amqp {

// How deep a message prefix is looked into (spec routing section 3): what lies deeper passes
// unseen. The value is the descriptor of the last section of interest.
enum class Depth : uint8_t { kHeader = 0x70, kAnnotations = 0x72, kProperties = 0x73 };

// Router annotations found in the message-annotations (spec interrouter section 9.1).
struct RouterAnnotations {
  // Nodes in a trace, at most: no mesh has as many routers. A longer one is a bad annotation.
  static constexpr size_t kTraceMax = 256;
  static constexpr int kPhaseMax = 'F' - '0';  // of fallback links; another number is bad

  std::optional<std::string> ingress;
  std::optional<std::string> to;
  std::vector<std::string> trace;
  int phase = 0;
  bool stream = false;
  bool any = false;  // at least one x-opt-qd. key was there
};

enum class ScanResult : uint8_t {
  kOk,
  kMore,       // the prefix ends inside a section that is needed
  kMalformed,  // amqp:decode-error "invalid message format"
  // amqp:invalid-field, unless router keys are dropped here anyway: all but `router` is as for kOk.
  kBadRouterAnnotation,
};

// What was found in the prefix of a message. Offsets count from the first byte of the message. A
// section that is absent has size 0.
struct Sections {
  uint8_t priority = 4;  // header.priority, at most 9
  uint32_t header_bytes = 0;
  uint32_t delivery_annotations_bytes = 0;
  uint32_t message_annotations_offset = 0;  // where they are, or would be
  uint32_t message_annotations_bytes = 0;
  uint32_t bare_offset = 0;  // first byte behind the annotations
  RouterAnnotations router;
  std::string_view user_annotations;        // encoded pairs that are not the router's
  uint32_t user_annotation_count = 0;       // keys and values: twice the pairs
  std::optional<std::string_view> to;       // properties.to, Depth::kProperties only
  std::optional<std::string_view> user_id;  // properties.user-id
  std::string_view bad_field;               // of kBadRouterAnnotation: the key
  // Holds user_annotations when they do not lie side by side in the prefix.
  std::shared_ptr<const std::string> joined_user_annotations;
  bool used = false;  // by a ScanSections: the next Scan has to reset them
};

// Looks into `prefix`, the first bytes of a message (`whole`: all of it). Bounds-checked, no
// allocation for a message without router annotations. A message without header and annotations
// costs a look at its first three bytes. Views point into the prefix.
//
// Sections are taken in the order of the specification. One that is unknown or beyond `depth` ends
// the scan, and what follows is nobody's business; one that comes twice or too late is malformed.
// Keys are the router's when they are symbols that start with "x-opt-qd."; unknown ones of these,
// and padding, are dropped.
inline ScanResult Scan(std::string_view prefix, bool whole, Depth depth, Sections& sections);

// Which router keys a peer is to see: written behind the user's, in this order.
struct AnnotationsOut {
  int phase = 0;  // written unless 0
  bool stream = false;
  std::optional<std::string_view> to;
  std::optional<std::string_view> ingress;
  std::vector<std::string_view> trace;  // written unless empty
  bool Empty() const { return phase == 0 && !stream && !to && !ingress && trace.empty(); }
};

// The message-annotations section with the user's pairs, byte for byte, and then `out`; empty when
// there is neither (spec interrouter section 9.2).
std::string EncodeAnnotations(std::string_view user_annotations, uint32_t user_annotation_count,
                              const AnnotationsOut& out);

// `message` with its message-annotations section replaced by `annotations`; everything else is
// shared.
// REQUIRES: message.bytes() >= sections.bare_offset; `sections` of a Scan to kAnnotations or
// deeper.
Payload ReplaceAnnotations(const Payload& message, const Sections& sections,
                           std::string_view annotations, BlockPool& pool);

// Scan where the first bytes do not settle it.
ScanResult ScanSections(std::string_view prefix, bool whole, Depth depth, Sections& sections);

inline ScanResult Scan(std::string_view prefix, bool whole, Depth depth, Sections& sections) {
  // Most messages begin with properties or a body, their descriptor as a small ulong.
  if (!sections.used && prefix.size() >= 3 && prefix[0] == 0x00 && prefix[1] == 0x53 &&
      static_cast<uint8_t>(prefix[2]) > static_cast<uint8_t>(depth)) {
    return ScanResult::kOk;
  }
  return ScanSections(prefix, whole, depth, sections);
}

}  // namespace trunkline::amqp
