// Any bytes as the prefix of a message: Scan stays within them, and annotations written from what
// it found are found again.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "router/amqp/sections.h"
#include "router/base/check.h"
#include "router/base/payload.h"

namespace trunkline::amqp {
namespace {

AnnotationsOut SameAgain(const RouterAnnotations& router) {
  AnnotationsOut out;
  out.phase = router.phase;
  out.stream = router.stream;
  if (router.to.has_value()) out.to = *router.to;
  if (router.ingress.has_value()) out.ingress = *router.ingress;
  out.trace.assign(router.trace.begin(), router.trace.end());
  return out;
}

void Rewrite(std::string_view message, const Sections& found) {
  const std::string section = EncodeAnnotations(found.user_annotations, found.user_annotation_count,
                                                SameAgain(found.router));
  BlockPool pool;
  const std::string rewritten =
      ReplaceAnnotations(Payload(Slice::Unowned(message)), found, section, pool).ToString();
  TL_CHECK(rewritten.size() == message.size() - found.message_annotations_bytes + section.size());
  Sections again;
  TL_CHECK(Scan(rewritten, true, Depth::kAnnotations, again) == ScanResult::kOk);
  TL_CHECK(again.user_annotations == found.user_annotations);
  TL_CHECK(again.router.to == found.router.to && again.router.trace == found.router.trace);
  TL_CHECK(again.router.phase == found.router.phase);
  TL_CHECK(again.priority == found.priority);
}

void ScanEverything(std::string_view message) {
  Sections sections;
  for (const Depth depth : {Depth::kHeader, Depth::kAnnotations, Depth::kProperties}) {
    for (const bool whole : {false, true}) {
      const ScanResult result = Scan(message, whole, depth, sections);
      TL_CHECK(!whole || result != ScanResult::kMore);
      if (result != ScanResult::kOk) continue;
      TL_CHECK(sections.bare_offset <= message.size());
      if (whole && depth == Depth::kAnnotations) Rewrite(message, sections);
    }
  }
}

}  // namespace
}  // namespace trunkline::amqp

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  trunkline::amqp::ScanEverything({reinterpret_cast<const char*>(bytes), size});
  return 0;
}
