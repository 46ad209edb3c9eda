#pragma once

#include <string>
#include <string_view>

#include "gtest/gtest.h"
#include "router/amqp/performatives.h"
#include "tests/unit/router/amqp/encoded.h"

// Frame bodies with every field set, to be encoded, broken and compared.
namespace trunkline::amqp {

template <typename T>
std::string Encoded(const T& body) {
  std::string out;
  Encode(body, out);
  return out;
}

inline std::string Encoded(const Transfer& transfer) {
  std::string out(kTransferBytesMax + transfer.state.size(), '\0');
  out.resize(EncodeTransfer(transfer, reinterpret_cast<uint8_t*>(out.data())));
  return out;
}

inline Open FullOpen() {
  Open open;
  open.container_id = "client-1";
  open.hostname = "broker";
  open.max_frame_size = 16384;
  open.channel_max = 100;
  open.idle_time_out = 8000;
  open.offered_capabilities = {"ANONYMOUS-RELAY", "qd.streaming-links"};
  open.desired_capabilities = {"x"};
  open.properties = SmallMap();
  return open;
}

inline void ExpectEqual(const Open& a, const Open& b) {
  EXPECT_EQ(a.container_id, b.container_id);
  EXPECT_EQ(a.hostname, b.hostname);
  EXPECT_EQ(a.max_frame_size, b.max_frame_size);
  EXPECT_EQ(a.channel_max, b.channel_max);
  EXPECT_EQ(a.idle_time_out, b.idle_time_out);
  EXPECT_EQ(a.offered_capabilities, b.offered_capabilities);
  EXPECT_EQ(a.desired_capabilities, b.desired_capabilities);
  EXPECT_EQ(a.properties, b.properties);
}

inline Attach FullAttach() {
  Attach attach;
  attach.name = "link-1";
  attach.handle = 7;
  attach.role = Role::kReceiver;
  attach.snd_settle_mode = SenderSettleMode::kSettled;
  attach.rcv_settle_mode = ReceiverSettleMode::kSecond;
  attach.source.present = true;
  attach.source.address = "orders";
  attach.source.durable = TerminusDurability::kUnsettledState;
  attach.source.expiry_policy = "never";
  attach.source.timeout = 300;
  attach.source.dynamic = true;
  attach.source.dynamic_node_properties = SmallMap();
  attach.source.distribution_mode = "move";
  attach.source.filter = SmallMap();
  attach.source.default_outcome = std::string(RawOutcome(OutcomeKind::kReleased));
  attach.source.outcomes = Bytes({0xa3, 2, 'o', 'k'});
  attach.source.capabilities = {"queue", "topic"};
  attach.target.present = true;
  attach.target.address = "";
  attach.target.capabilities = {"qd.waypoint_1"};
  attach.target.capabilities_single = true;
  attach.unsettled = SmallMap();
  attach.incomplete_unsettled = true;
  attach.initial_delivery_count = 0;
  attach.max_message_size = uint64_t{1} << 40;
  attach.offered_capabilities = {"a"};
  attach.desired_capabilities = {"b", "c"};
  attach.properties = SmallMap();
  return attach;
}

inline void ExpectEqual(const Attach& a, const Attach& b) {
  EXPECT_EQ(a.name, b.name);
  EXPECT_EQ(a.handle, b.handle);
  EXPECT_EQ(a.role, b.role);
  EXPECT_EQ(a.snd_settle_mode, b.snd_settle_mode);
  EXPECT_EQ(a.rcv_settle_mode, b.rcv_settle_mode);
  EXPECT_EQ(a.source, b.source);
  EXPECT_EQ(a.target, b.target);
  EXPECT_EQ(a.unsettled, b.unsettled);
  EXPECT_EQ(a.incomplete_unsettled, b.incomplete_unsettled);
  EXPECT_EQ(a.initial_delivery_count, b.initial_delivery_count);
  EXPECT_EQ(a.max_message_size, b.max_message_size);
  EXPECT_EQ(a.offered_capabilities, b.offered_capabilities);
  EXPECT_EQ(a.desired_capabilities, b.desired_capabilities);
  EXPECT_EQ(a.properties, b.properties);
}

inline Flow FullFlow() {
  Flow flow;
  flow.next_incoming_id = 1;
  flow.incoming_window = 2;
  flow.next_outgoing_id = 0xfffffffe;
  flow.outgoing_window = 0;
  flow.handle = 300;
  flow.delivery_count = 0xffffffff;
  flow.link_credit = 250;
  flow.available = 9;
  flow.drain = true;
  flow.echo = true;
  return flow;
}

inline void ExpectEqual(const Flow& a, const Flow& b) {
  EXPECT_EQ(a.next_incoming_id, b.next_incoming_id);
  EXPECT_EQ(a.incoming_window, b.incoming_window);
  EXPECT_EQ(a.next_outgoing_id, b.next_outgoing_id);
  EXPECT_EQ(a.outgoing_window, b.outgoing_window);
  EXPECT_EQ(a.handle, b.handle);
  EXPECT_EQ(a.delivery_count, b.delivery_count);
  EXPECT_EQ(a.link_credit, b.link_credit);
  EXPECT_EQ(a.available, b.available);
  EXPECT_EQ(a.drain, b.drain);
  EXPECT_EQ(a.echo, b.echo);
}

inline Transfer FullTransfer(std::string_view tag) {
  Transfer transfer;
  transfer.handle = 0xffffffff;
  transfer.delivery_id = 0xffffffff;
  transfer.delivery_tag = tag;
  transfer.message_format = 0xffffffff;
  transfer.settled = false;
  transfer.more = true;
  transfer.rcv_settle_mode = ReceiverSettleMode::kSecond;
  transfer.state = RawOutcome(OutcomeKind::kAccepted);
  transfer.resume = true;
  transfer.aborted = true;
  transfer.batchable = true;
  return transfer;
}

inline void ExpectEqual(const Transfer& a, const Transfer& b) {
  EXPECT_EQ(a.handle, b.handle);
  EXPECT_EQ(a.delivery_id, b.delivery_id);
  EXPECT_EQ(a.delivery_tag, b.delivery_tag);
  EXPECT_EQ(a.message_format, b.message_format);
  EXPECT_EQ(a.settled, b.settled);
  EXPECT_EQ(a.more, b.more);
  EXPECT_EQ(a.rcv_settle_mode, b.rcv_settle_mode);
  EXPECT_EQ(a.state, b.state);
  EXPECT_EQ(a.resume, b.resume);
  EXPECT_EQ(a.aborted, b.aborted);
  EXPECT_EQ(a.batchable, b.batchable);
}

}  // namespace trunkline::amqp
