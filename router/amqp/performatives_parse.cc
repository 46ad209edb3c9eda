#include "absl/status/status.h"
#include "router/amqp/codec.h"
#include "router/amqp/performatives.h"
#include "router/amqp/performatives_fields.h"

namespace trunkline::amqp {

absl::StatusOr<Descriptor> PeekAnyDescriptor(std::string_view body) {
  Reader reader(body);
  uint64_t found = 0;
  if (!reader.Described(found)) {
    return absl::InvalidArgumentError("frame body: not a described type");
  }
  const bool amqp = found >= Number(Descriptor::kOpen) && found <= Number(Descriptor::kClose);
  const bool sasl =
      found >= Number(Descriptor::kSaslMechanisms) && found <= Number(Descriptor::kSaslOutcome);
  if (!amqp && !sasl) return absl::InvalidArgumentError("frame body: unknown descriptor");
  return static_cast<Descriptor>(found);
}

absl::StatusOr<Open> ParseOpen(std::string_view body) {
  Open open;
  FieldReader fields("open", Descriptor::kOpen, body);
  fields.String("container-id", open.container_id, Need::kMandatory);
  fields.String("hostname", open.hostname);
  fields.Uint("max-frame-size", open.max_frame_size);
  fields.Ushort("channel-max", open.channel_max);
  fields.Uint("idle-time-out", open.idle_time_out);
  fields.Ignore("outgoing-locales");
  fields.Ignore("incoming-locales");
  fields.Symbols("offered-capabilities", open.offered_capabilities);
  fields.Symbols("desired-capabilities", open.desired_capabilities);
  fields.RawMap("properties", open.properties);
  return fields.FinishBody(std::move(open));
}

absl::StatusOr<Begin> ParseBegin(std::string_view body) {
  Begin begin;
  FieldReader fields("begin", Descriptor::kBegin, body);
  fields.Ushort("remote-channel", begin.remote_channel);
  fields.Uint("next-outgoing-id", begin.next_outgoing_id, Need::kMandatory);
  fields.Uint("incoming-window", begin.incoming_window, Need::kMandatory);
  fields.Uint("outgoing-window", begin.outgoing_window, Need::kMandatory);
  fields.Uint("handle-max", begin.handle_max);
  fields.Ignore("offered-capabilities");
  fields.Ignore("desired-capabilities");
  fields.Ignore("properties");
  return fields.FinishBody(begin);
}

absl::StatusOr<Attach> ParseAttach(std::string_view body) {
  Attach attach;
  FieldReader fields("attach", Descriptor::kAttach, body);
  fields.String("name", attach.name, Need::kMandatory);
  fields.Uint("handle", attach.handle, Need::kMandatory);
  fields.Role("role", attach.role);
  fields.Choice8("snd-settle-mode", attach.snd_settle_mode, SenderSettleMode::kMixed);
  fields.Choice8("rcv-settle-mode", attach.rcv_settle_mode, ReceiverSettleMode::kSecond);
  fields.Terminus("source", attach.source);
  fields.Terminus("target", attach.target);
  fields.RawMap("unsettled", attach.unsettled);
  fields.Boolean("incomplete-unsettled", attach.incomplete_unsettled);
  fields.Uint("initial-delivery-count", attach.initial_delivery_count);
  fields.Ulong("max-message-size", attach.max_message_size);
  fields.Symbols("offered-capabilities", attach.offered_capabilities);
  fields.Symbols("desired-capabilities", attach.desired_capabilities);
  fields.RawMap("properties", attach.properties);
  return fields.FinishBody(std::move(attach));
}

absl::StatusOr<Detach> ParseDetach(std::string_view body) {
  Detach detach;
  FieldReader fields("detach", Descriptor::kDetach, body);
  fields.Uint("handle", detach.handle, Need::kMandatory);
  fields.Boolean("closed", detach.closed);
  fields.Error("error", detach.error);
  return fields.FinishBody(std::move(detach));
}

absl::StatusOr<End> ParseEnd(std::string_view body) {
  End end;
  FieldReader fields("end", Descriptor::kEnd, body);
  fields.Error("error", end.error);
  return fields.FinishBody(std::move(end));
}

absl::StatusOr<Close> ParseClose(std::string_view body) {
  Close close;
  FieldReader fields("close", Descriptor::kClose, body);
  fields.Error("error", close.error);
  return fields.FinishBody(std::move(close));
}

}  // namespace trunkline::amqp
