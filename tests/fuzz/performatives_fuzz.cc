// Any bytes as the body of a frame, of AMQP or SASL: no parser reads beyond them, each accepts only
// what its descriptor announces, and what one of them accepts is the same after it was written and
// read again.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "router/amqp/performatives.h"
#include "router/base/check.h"

namespace trunkline::amqp {
namespace {

void CheckDescriptor(std::string_view body, Descriptor expected) {
  const absl::StatusOr<Descriptor> peeked = PeekDescriptor(body);
  TL_CHECK(peeked.ok() && *peeked == expected);
}

// `encode` appends a value to a string, `parse` reads one.
template <typename Parse, typename Encode>
void RoundTrip(std::string_view body, Descriptor descriptor, Parse parse, Encode encode) {
  const auto first = parse(body);
  if (!first.ok()) {
    TL_CHECK(!first.status().message().empty());
    return;
  }
  CheckDescriptor(body, descriptor);
  std::string written;
  encode(*first, written);
  const auto second = parse(written);
  TL_CHECK(second.ok()) << second.status();
  std::string again;
  encode(*second, again);
  TL_CHECK(written == again);
}

template <typename T, typename Parse>
void RoundTrip(std::string_view body, Descriptor descriptor, Parse parse) {
  RoundTrip(body, descriptor, parse, [](const T& value, std::string& out) { Encode(value, out); });
}

void RoundTripFlow(std::string_view body) {
  Flow flow;
  if (!ParseFlow(body, flow)) return;
  CheckDescriptor(body, Descriptor::kFlow);
  std::string written;
  Encode(flow, written);
  Flow again;
  TL_CHECK(ParseFlow(written, again));
  std::string twice;
  Encode(again, twice);
  TL_CHECK(twice == written);
  TL_CHECK(again.next_incoming_id == flow.next_incoming_id &&
           again.incoming_window == flow.incoming_window &&
           again.next_outgoing_id == flow.next_outgoing_id &&
           again.outgoing_window == flow.outgoing_window && again.handle == flow.handle &&
           again.delivery_count == flow.delivery_count && again.link_credit == flow.link_credit &&
           again.available == flow.available && again.drain == flow.drain &&
           again.echo == flow.echo);
}

void RoundTripTransfer(std::string_view body) {
  Transfer transfer;
  std::string_view payload;
  if (!ParseTransfer(body, transfer, payload)) return;
  CheckDescriptor(body, Descriptor::kTransfer);
  TL_CHECK(payload.empty() || payload.data() + payload.size() == body.data() + body.size());
  if (transfer.delivery_tag.value_or("").size() > kDeliveryTagBytesMax) return;
  std::string written(kTransferBytesMax + transfer.state.size(), '\0');
  written.resize(EncodeTransfer(transfer, reinterpret_cast<uint8_t*>(written.data())));
  Transfer again;
  TL_CHECK(ParseTransfer(written, again, payload));
  TL_CHECK(payload.empty());
  TL_CHECK(again.handle == transfer.handle && again.delivery_id == transfer.delivery_id &&
           again.delivery_tag == transfer.delivery_tag &&
           again.message_format == transfer.message_format && again.settled == transfer.settled &&
           again.more == transfer.more && again.rcv_settle_mode == transfer.rcv_settle_mode &&
           again.state == transfer.state && again.resume == transfer.resume &&
           again.aborted == transfer.aborted && again.batchable == transfer.batchable);
}

void RoundTripDisposition(std::string_view body) {
  Disposition disposition;
  if (!ParseDisposition(body, disposition)) return;
  CheckDescriptor(body, Descriptor::kDisposition);
  std::string written;
  Encode(disposition, written);
  Disposition again;
  TL_CHECK(ParseDisposition(written, again));
  TL_CHECK(again.role == disposition.role && again.first == disposition.first &&
           again.last == disposition.last && again.settled == disposition.settled &&
           again.state == disposition.state && again.state_kind == disposition.state_kind &&
           again.batchable == disposition.batchable);
  TL_CHECK(OutcomeKindOf(disposition.state) == disposition.state_kind);
  if (disposition.state_kind == OutcomeKind::kModified) {
    TL_CHECK(OutcomeKindOf(ModifiedDeliveryFailed(disposition.state)) == OutcomeKind::kModified);
  }
}

void ParseAmqp(std::string_view body) {
  RoundTrip<Open>(body, Descriptor::kOpen, ParseOpen);
  RoundTrip<Begin>(body, Descriptor::kBegin, ParseBegin);
  RoundTrip<Attach>(body, Descriptor::kAttach, ParseAttach);
  RoundTripFlow(body);
  RoundTripTransfer(body);
  RoundTripDisposition(body);
  RoundTrip<Detach>(body, Descriptor::kDetach, ParseDetach);
  RoundTrip<End>(body, Descriptor::kEnd, ParseEnd);
  RoundTrip<Close>(body, Descriptor::kClose, ParseClose);
}

void ParseSasl(std::string_view body) {
  RoundTrip<SaslMechanisms>(body, Descriptor::kSaslMechanisms, ParseSaslMechanisms);
  RoundTrip<SaslInit>(body, Descriptor::kSaslInit, ParseSaslInit);
  RoundTrip(body, Descriptor::kSaslChallenge, ParseSaslChallenge,
            [](const std::string& text, std::string& out) { EncodeSaslChallenge(text, out); });
  RoundTrip(body, Descriptor::kSaslResponse, ParseSaslResponse,
            [](const std::string& text, std::string& out) { EncodeSaslResponse(text, out); });
  RoundTrip<SaslOutcome>(body, Descriptor::kSaslOutcome, ParseSaslOutcome);
}

}  // namespace
}  // namespace trunkline::amqp

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const std::string_view body(reinterpret_cast<const char*>(bytes), size);
  (void)trunkline::amqp::PeekDescriptor(body);
  trunkline::amqp::ParseAmqp(body);
  trunkline::amqp::ParseSasl(body);
  return 0;
}
