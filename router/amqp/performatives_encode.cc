#include "router/amqp/codec.h"
#include "router/amqp/performatives.h"

namespace trunkline::amqp {
namespace {

std::string EncodeError(const Condition& error) {
  std::string out;
  if (!error) return out;
  ListWriter fields(out, descriptor::kError);
  fields.Symbol(error.name);
  if (error.description.empty()) {
    fields.Null();
  } else {
    fields.String(error.description);
  }
  fields.Raw(error.info);
  fields.Close();
  return out;
}

void WriteCapabilities(ListWriter& fields, const Terminus& terminus) {
  if (terminus.capabilities_single && terminus.capabilities.size() == 1) {
    std::string symbol;
    WriteSymbol(symbol, terminus.capabilities[0]);
    fields.Raw(symbol);
  } else {
    fields.Symbols(terminus.capabilities);
  }
}

enum class Side : uint8_t { kSource, kTarget };

std::string EncodeTerminus(const Terminus& terminus, Side side) {
  std::string out;
  if (!terminus.present) return out;
  if (terminus.coordinator && side == Side::kTarget) {
    ListWriter fields(out, descriptor::kCoordinator);
    WriteCapabilities(fields, terminus);
    fields.Close();
    return out;
  }
  ListWriter fields(out, side == Side::kSource ? descriptor::kSource : descriptor::kTarget);
  fields.String(terminus.address);
  if (terminus.durable == TerminusDurability::kNone) {
    fields.Null();
  } else {
    fields.Uint(static_cast<uint32_t>(terminus.durable));
  }
  fields.Symbol(terminus.expiry_policy);
  if (terminus.timeout == 0) {
    fields.Null();
  } else {
    fields.Uint(terminus.timeout);
  }
  fields.Boolean(terminus.dynamic);
  fields.Raw(terminus.dynamic_node_properties);
  if (side == Side::kSource) {
    fields.Symbol(terminus.distribution_mode);
    fields.Raw(terminus.filter);
    fields.Raw(terminus.default_outcome);
    fields.Raw(terminus.outcomes);
  }
  WriteCapabilities(fields, terminus);
  fields.Close();
  return out;
}

}  // namespace

void Encode(const Open& open, std::string& out) {
  ListWriter fields(out, Number(Descriptor::kOpen));
  fields.String(open.container_id);
  fields.String(open.hostname);
  if (open.max_frame_size == UINT32_MAX) {
    fields.Null();
  } else {
    fields.Uint(open.max_frame_size);
  }
  if (open.channel_max == UINT16_MAX) {
    fields.Null();
  } else {
    fields.Ushort(open.channel_max);
  }
  fields.Uint(open.idle_time_out);
  fields.Null();  // outgoing-locales
  fields.Null();  // incoming-locales
  fields.Symbols(open.offered_capabilities);
  fields.Symbols(open.desired_capabilities);
  fields.Raw(open.properties);
  fields.Close();
}

void Encode(const Begin& begin, std::string& out) {
  ListWriter fields(out, Number(Descriptor::kBegin));
  if (begin.remote_channel.has_value()) {
    fields.Ushort(*begin.remote_channel);
  } else {
    fields.Null();
  }
  fields.Uint(begin.next_outgoing_id);
  fields.Uint(begin.incoming_window);
  fields.Uint(begin.outgoing_window);
  if (begin.handle_max != UINT32_MAX) fields.Uint(begin.handle_max);
  fields.Close();
}

void Encode(const Attach& attach, std::string& out) {
  ListWriter fields(out, Number(Descriptor::kAttach));
  fields.String(attach.name);
  fields.Uint(attach.handle);
  fields.RequiredBoolean(attach.role == Role::kReceiver);
  fields.Ubyte(static_cast<uint8_t>(attach.snd_settle_mode));
  fields.Ubyte(static_cast<uint8_t>(attach.rcv_settle_mode));
  fields.Raw(EncodeTerminus(attach.source, Side::kSource));
  fields.Raw(EncodeTerminus(attach.target, Side::kTarget));
  fields.Raw(attach.unsettled);
  fields.Boolean(attach.incomplete_unsettled);
  fields.Uint(attach.initial_delivery_count);
  if (attach.max_message_size == 0) {
    fields.Null();
  } else {
    fields.Ulong(attach.max_message_size);
  }
  fields.Symbols(attach.offered_capabilities);
  fields.Symbols(attach.desired_capabilities);
  fields.Raw(attach.properties);
  fields.Close();
}

void Encode(const Detach& detach, std::string& out) {
  ListWriter fields(out, Number(Descriptor::kDetach));
  fields.Uint(detach.handle);
  fields.Boolean(detach.closed);
  fields.Raw(EncodeError(detach.error));
  fields.Close();
}

void Encode(const End& end, std::string& out) {
  ListWriter fields(out, Number(Descriptor::kEnd));
  fields.Raw(EncodeError(end.error));
  fields.Close();
}

void Encode(const Close& close, std::string& out) {
  ListWriter fields(out, Number(Descriptor::kClose));
  fields.Raw(EncodeError(close.error));
  fields.Close();
}

std::string EncodeRejected(const Condition& error) {
  std::string out;
  ListWriter fields(out, descriptor::kRejected);
  fields.Raw(EncodeError(error));
  fields.Close();
  return out;
}

std::string ModifiedDeliveryFailed(std::string_view raw) {
  bool undeliverable_here = false;
  std::string_view annotations;
  Reader reader(raw);
  uint64_t found = 0;
  ListReader given;
  if (reader.Composite(found, given) && found == descriptor::kModified) {
    bool delivery_failed = false;
    const bool flags = given.Boolean(delivery_failed) && given.Boolean(undeliverable_here);
    if (flags && given.Next() && !given.items().Raw(annotations)) annotations = {};
  }
  std::string out;
  ListWriter fields(out, descriptor::kModified);
  fields.Boolean(true);
  fields.Boolean(undeliverable_here);
  fields.Raw(annotations);
  fields.Close();
  return out;
}

}  // namespace trunkline::amqp
