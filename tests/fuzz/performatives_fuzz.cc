// Any bytes as the body of a frame: no parser reads beyond them, and what one of them accepts is
// accepted again after it was written.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "router/amqp/performatives.h"
#include "router/base/check.h"

namespace trunkline::amqp {
namespace {

template <typename T, typename Parse>
void RoundTrip(std::string_view body, Parse parse) {
  const absl::StatusOr<T> first = parse(body);
  if (!first.ok()) return;
  std::string written;
  Encode(*first, written);
  const absl::StatusOr<T> second = parse(written);
  TL_CHECK(second.ok()) << second.status();
  std::string again;
  Encode(*second, again);
  TL_CHECK(written == again);
}

void RoundTripFlow(std::string_view body) {
  Flow flow;
  if (!ParseFlow(body, flow)) return;
  std::string written;
  Encode(flow, written);
  TL_CHECK(ParseFlow(written, flow));
}

void RoundTripTransfer(std::string_view body) {
  Transfer transfer;
  std::string_view payload;
  if (!ParseTransfer(body, transfer, payload)) return;
  TL_CHECK(payload.empty() || payload.data() + payload.size() == body.data() + body.size());
  if (transfer.delivery_tag.value_or("").size() > kDeliveryTagBytesMax) return;
  std::string written(kTransferBytesMax + transfer.state.size(), '\0');
  written.resize(EncodeTransfer(transfer, reinterpret_cast<uint8_t*>(written.data())));
  Transfer again;
  TL_CHECK(ParseTransfer(written, again, payload));
  TL_CHECK(again.state == transfer.state && again.delivery_tag == transfer.delivery_tag);
}

void RoundTripDisposition(std::string_view body) {
  Disposition disposition;
  if (!ParseDisposition(body, disposition)) return;
  std::string written;
  Encode(disposition, written);
  Disposition again;
  TL_CHECK(ParseDisposition(written, again));
  TL_CHECK(again.state == disposition.state && again.state_kind == disposition.state_kind);
  if (disposition.state_kind == OutcomeKind::kModified) {
    TL_CHECK(OutcomeKindOf(ModifiedDeliveryFailed(disposition.state)) == OutcomeKind::kModified);
  }
}

void ParseEverything(std::string_view body) {
  (void)PeekDescriptor(body);
  RoundTrip<Open>(body, ParseOpen);
  RoundTrip<Begin>(body, ParseBegin);
  RoundTrip<Attach>(body, ParseAttach);
  RoundTrip<Detach>(body, ParseDetach);
  RoundTrip<End>(body, ParseEnd);
  RoundTrip<Close>(body, ParseClose);
  RoundTripFlow(body);
  RoundTripTransfer(body);
  RoundTripDisposition(body);
  RoundTrip<SaslMechanisms>(body, ParseSaslMechanisms);
  RoundTrip<SaslOutcome>(body, ParseSaslOutcome);
  (void)ParseSaslInit(body);
  (void)ParseSaslChallenge(body);
  (void)ParseSaslResponse(body);
}

}  // namespace
}  // namespace trunkline::amqp

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  trunkline::amqp::ParseEverything({reinterpret_cast<const char*>(bytes), size});
  return 0;
}
