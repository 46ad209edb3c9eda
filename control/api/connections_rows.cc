#include "control/api/connections_rows.h"

#include <utility>
#include <variant>

#include "absl/strings/numbers.h"
#include "control/config/characters.h"
#include "control/config/collection.h"
#include "control/config/error_details.h"
#include "control/config/resource.h"
#include "control/config/text.h"

namespace trunkline::api {
namespace {

using config::Concat;
using config::ToUtf8;

constexpr std::string_view kConnections = "connections/";
constexpr std::string_view kLinks = "/links/";

absl::Status WrongName(std::string_view name, const char* field, const char* form) {
  const std::string why = Concat(config::Quote(name), " is not of the form ", form);
  return config::WithReason(
      config::WithViolations(absl::InvalidArgumentError(Concat(field, ": ", why)), {{field, why}}),
      "INVALID_NAME");
}

// Digits alone, without zeros in front: a thing has one name.
std::optional<uint64_t> ParseNumber(std::string_view text) {
  uint64_t number = 0;
  if (text.empty() || text[0] < '1' || text[0] > '9') return std::nullopt;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
  }
  if (!absl::SimpleAtoi(config::internal::Piece(text), &number)) return std::nullopt;
  return number;
}

std::string OwnerName(const std::string& owner, bool inbound) {
  return config::ResourceName(inbound ? config::kListeners : config::kConnectors, owner);
}

// Of a connection and of an event about one, whose fields have the same names.
template <typename Facts>
void FillFacts(const Facts& facts, v1::Connection& row) {
  row.set_name(ConnectionName(facts.id));
  row.set_id(facts.id);
  row.set_direction(facts.inbound ? v1::Connection::DIRECTION_IN : v1::Connection::DIRECTION_OUT);
  row.set_owner(OwnerName(facts.owner, facts.inbound));
  row.set_peer(facts.peer);
  row.set_local(facts.local);
  row.set_container(ToUtf8(facts.container_id));
  row.set_user(ToUtf8(facts.user));
  row.set_mechanism(ToUtf8(facts.mechanism));
  if (facts.tls.empty()) return;
  v1::ConnectionTls& tls = *row.mutable_tls();
  const size_t blank = facts.tls.find(' ');
  tls.set_protocol(facts.tls.substr(0, blank));
  if (blank != std::string::npos) tls.set_cipher(facts.tls.substr(blank + 1));
  tls.set_tls_profile(config::ResourceName(config::kTlsProfiles, facts.tls_profile));
  tls.set_revision(facts.tls_revision);
  tls.set_peer_subject(ToUtf8(facts.peer_subject));
}

v1::ConnectionTraffic TrafficOf(const ConnectionState& state, const WallClock& clock) {
  v1::ConnectionTraffic traffic;
  traffic.set_sessions(state.sessions);
  traffic.set_incoming_links(state.links_in);
  traffic.set_outgoing_links(state.links_out);
  traffic.set_bytes_received(state.bytes_in);
  traffic.set_bytes_sent(state.bytes_out);
  traffic.set_frames_received(state.frames_in);
  traffic.set_frames_sent(state.frames_out);
  if (state.last_received.ns > 0) {
    *traffic.mutable_last_receive_time() = clock.At(state.last_received);
    *traffic.mutable_last_send_time() = clock.At(state.last_sent);
  }
  traffic.set_output_bytes(state.output_bytes);
  if (state.output_blocked_at != kNever) {
    *traffic.mutable_stalled_since() = clock.At(state.output_blocked_at);
  }
  return traffic;
}

v1::ConnectionPeer PeerOf(const PeerOpen& open) {
  v1::ConnectionPeer peer;
  peer.set_hostname(ToUtf8(open.hostname));
  peer.set_max_frame_size(open.max_frame_size);
  peer.set_channel_max(open.channel_max);
  const int64_t milliseconds = open.idle_timeout.milliseconds();
  if (milliseconds > 0) {
    peer.mutable_idle_timeout()->set_seconds(milliseconds / 1000);
    peer.mutable_idle_timeout()->set_nanos(static_cast<int32_t>(milliseconds % 1000) * 1'000'000);
  }
  for (const std::string& each : open.offered_capabilities) {
    peer.add_offered_capabilities(ToUtf8(each));
  }
  for (const std::string& each : open.desired_capabilities) {
    peer.add_desired_capabilities(ToUtf8(each));
  }
  for (const PeerProperty& each : open.properties) {
    const auto* number = std::get_if<int64_t>(&each.value);
    (*peer.mutable_properties())[ToUtf8(each.key)] =
        number != nullptr ? Concat(*number) : ToUtf8(std::get<std::string>(each.value));
  }
  peer.set_cut(open.cut);
  return peer;
}

v1::Connection::State StateOf(ConnectionState::Phase phase) {
  switch (phase) {
    case ConnectionState::Phase::kHandshake:
      return v1::Connection::STATE_OPENING;
    case ConnectionState::Phase::kOpen:
      return v1::Connection::STATE_OPEN;
    case ConnectionState::Phase::kClosing:
      break;
  }
  return v1::Connection::STATE_CLOSING;
}

v1::Link::Waiting WaitingOf(LinkState::Waiting waiting) {
  switch (waiting) {
    case LinkState::Waiting::kNothing:
      break;
    case LinkState::Waiting::kCredit:
      return v1::Link::WAITING_CREDIT;
    case LinkState::Waiting::kConnection:
      return v1::Link::WAITING_CONNECTION;
    case LinkState::Waiting::kAttach:
      return v1::Link::WAITING_ATTACH;
    case LinkState::Waiting::kDisabled:
      return v1::Link::WAITING_DISABLED;
  }
  return v1::Link::WAITING_NOTHING;
}

}  // namespace

std::string ConnectionName(uint64_t id) { return Concat(kConnections, id); }

std::string LinkName(uint64_t connection, uint64_t link) {
  return Concat(kConnections, connection, kLinks, link);
}

absl::StatusOr<uint64_t> ParseConnectionName(std::string_view name, const char* field) {
  const auto number =
      name.starts_with(kConnections) ? ParseNumber(name.substr(kConnections.size())) : std::nullopt;
  if (!number) return WrongName(name, field, "connections/{n}");
  return *number;
}

absl::StatusOr<LinkId> ParseLinkName(std::string_view name, const char* field) {
  const size_t at = name.find(kLinks);
  if (at == std::string_view::npos) return WrongName(name, field, "connections/{n}/links/{m}");
  const auto connection = ParseConnectionName(name.substr(0, at), field);
  const auto link = ParseNumber(name.substr(at + kLinks.size()));
  if (!connection.ok() || !link) return WrongName(name, field, "connections/{n}/links/{m}");
  return LinkId{*connection, *link};
}

absl::StatusOr<uint64_t> ParseParent(std::string_view parent, const char* field) {
  if (parent == "connections/-") return uint64_t{0};
  return ParseConnectionName(parent, field);
}

v1::Connection ToProto(const ConnectionState& state, const WallClock& clock) {
  v1::Connection row;
  FillFacts(state, row);
  row.set_state(StateOf(state.phase));
  if (state.opened != kNever) *row.mutable_open_time() = clock.At(state.opened);
  row.set_worker(state.worker);
  *row.mutable_traffic() = TrafficOf(state, clock);
  if (state.open != nullptr) *row.mutable_peer_open() = PeerOf(*state.open);
  return row;
}

v1::Connection ToProto(const ConnectionUp& event, const WallClock& clock) {
  v1::Connection row;
  FillFacts(event, row);
  row.set_state(v1::Connection::STATE_OPEN);
  *row.mutable_open_time() = clock.At(event.opened);
  row.set_worker(event.worker);
  return row;
}

v1::Link ToProto(const LinkState& state, const WallClock& clock) {
  v1::Link row;
  row.set_name(LinkName(state.connection, state.number));
  row.set_id(state.number);
  row.set_connection_id(state.connection);
  row.set_direction(state.incoming ? v1::Link::DIRECTION_IN : v1::Link::DIRECTION_OUT);
  row.set_link_name(ToUtf8(state.name));
  row.set_address(ToUtf8(state.address));
  row.set_key(ToUtf8(state.key));
  row.set_worker(state.worker);
  row.set_credit(state.credit);
  row.set_capacity(state.capacity);
  if (state.no_credit_since != kNever) {
    *row.mutable_no_credit_since() = clock.At(state.no_credit_since);
  }
  row.set_blocked(state.blocked);
  row.set_waiting(WaitingOf(state.waiting));
  row.set_state(state.disabled ? v1::Link::STATE_DISABLED : v1::Link::STATE_ENABLED);
  row.set_undelivered(state.undelivered);
  row.set_unsettled(state.unsettled);
  row.set_held_bytes(state.held_bytes);
  row.set_stuck(state.stuck);
  row.set_deliveries(state.deliveries);
  row.set_presettled(state.presettled);
  row.set_dropped(state.dropped);
  row.set_accepted(state.accepted);
  row.set_rejected(state.rejected);
  row.set_released(state.released);
  row.set_modified(state.modified);
  row.set_delayed_1s(state.delayed_1s);
  row.set_delayed_10s(state.delayed_10s);
  return row;
}

}  // namespace trunkline::api
