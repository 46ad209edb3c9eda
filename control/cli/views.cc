#include "control/cli/views.h"

#include <iterator>
#include <map>
#include <string_view>

namespace trunkline::cli {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

// Ages stand last.
constexpr Column kListener[] = {{"NAME", "name"},
                                {"STATE", "status.state"},
                                {"ADDRESS", "status.bound_addresses"},
                                {"TLS", "spec.tls_profile"},
                                {"CONNECTIONS", "status.active_connections"},
                                {"ACCEPTED", "status.accepted_total", true},
                                {"ROLE", "spec.role", true},
                                {"USERS", "spec.user_store", true},
                                {"ERROR", "status.last_error.message", true},
                                {"SOURCE", "source"},
                                {"AGE", "create_time"}};
constexpr Column kConnector[] = {{"NAME", "name"},
                                 {"STATE", "status.state"},
                                 {"HOST", "spec.host"},
                                 {"PORT", "spec.port"},
                                 {"TLS", "spec.tls_profile"},
                                 {"REMOTE", "status.remote_container"},
                                 {"ATTEMPTS", "status.attempts", true},
                                 {"ROLE", "spec.role", true},
                                 {"USER", "spec.sasl_user", true},
                                 {"ERROR", "status.last_error.message", true},
                                 {"SOURCE", "source"},
                                 {"AGE", "create_time"}};
constexpr Column kTlsProfile[] = {{"NAME", "name"},
                                  {"SUBJECT", "status.active.subject"},
                                  {"REVISION", "status.active.ordinal"},
                                  {"EXPIRES", "status.active.not_after", true},
                                  {"FINGERPRINT", "status.active.fingerprint", true},
                                  {"ERROR", "status.last_reload_error.message", true},
                                  {"SOURCE", "source"},
                                  {"AGE", "create_time"}};
constexpr Column kUserStore[] = {
    {"NAME", "name"},        {"USERS", "status.users"},
    {"REALM", "spec.realm"}, {"ERROR", "status.last_reload_error.message", true},
    {"SOURCE", "source"},    {"AGE", "create_time"}};
constexpr Column kAddress[] = {{"NAME", "name"},
                               {"PREFIX", "spec.prefix"},
                               {"PATTERN", "spec.pattern"},
                               {"DISTRIBUTION", "spec.distribution"},
                               {"WAYPOINT", "spec.waypoint", true},
                               {"FALLBACK", "spec.enable_fallback", true},
                               {"SOURCE", "source"},
                               {"AGE", "create_time"}};
constexpr Column kConnection[] = {{"NUMBER", "id"},
                                  {"STATE", "state"},
                                  {"OWNER", "owner"},
                                  {"PEER", "peer"},
                                  {"CONTAINER", "container"},
                                  {"USER", "user"},
                                  {"TLS", "tls.protocol"},
                                  {"CIPHER", "tls.cipher", true},
                                  {"IN", "traffic.incoming_links"},
                                  {"OUT", "traffic.outgoing_links"},
                                  {"RECEIVED", "traffic.bytes_received", true},
                                  {"SENT", "traffic.bytes_sent", true},
                                  {"STALLED", "traffic.stalled_since", true},
                                  {"AGE", "open_time"}};
constexpr Column kLink[] = {{"NAME", "name"},
                            {"DIRECTION", "direction"},
                            {"ADDRESS", "address"},
                            {"CREDIT", "credit"},
                            {"UNDELIVERED", "undelivered"},
                            {"UNSETTLED", "unsettled"},
                            {"DELIVERIES", "deliveries"},
                            {"ACCEPTED", "accepted", true},
                            {"REJECTED", "rejected", true},
                            {"RELEASED", "released", true},
                            {"MODIFIED", "modified", true},
                            {"LINK", "link_name", true},
                            {"STATE", "state"},
                            {"BLOCKED", "blocked"}};
constexpr Column kTlsSession[] = {{"CONNECTION", "name"},
                                  {"PROFILE", "tls_profile"},
                                  {"REVISION", "revision"},
                                  {"ACTIVE", "active"},
                                  {"OWNER", "owner"},
                                  {"PEER", "peer"},
                                  {"CONTAINER", "container"},
                                  {"USER", "user"},
                                  {"PROTOCOL", "protocol"},
                                  {"CIPHER", "cipher", true},
                                  {"SUBJECT", "peer_subject", true},
                                  {"AGE", "open_time"}};
constexpr Column kRoute[] = {{"ADDRESS", "address"},         {"DISTRIBUTION", "distribution"},
                             {"SETTING", "setting"},         {"PRODUCERS", "producers"},
                             {"CONSUMERS", "consumers"},     {"IN", "deliveries_in"},
                             {"OUT", "deliveries_out"},      {"UNSETTLED", "unsettled"},
                             {"UNDELIVERED", "undelivered"}, {"ACCEPTED", "accepted", true},
                             {"REJECTED", "rejected", true}, {"RELEASED", "released", true},
                             {"MODIFIED", "modified", true}};

using Views = std::map<std::string_view, std::vector<Column>>;

template <size_t kCount>
std::vector<Column> All(const Column (&columns)[kCount]) {
  return {std::begin(columns), std::end(columns)};
}

const Views& KnownViews() {
  static const auto* const views = new Views{{"Listener", All(kListener)},
                                             {"Connector", All(kConnector)},
                                             {"TlsProfile", All(kTlsProfile)},
                                             {"UserStore", All(kUserStore)},
                                             {"Address", All(kAddress)},
                                             {"Connection", All(kConnection)},
                                             {"Link", All(kLink)},
                                             {"TlsSession", All(kTlsSession)},
                                             {"Route", All(kRoute)}};
  return *views;
}

}  // namespace

const std::vector<Column>& ColumnsOf(const Descriptor& type) {
  const auto found = KnownViews().find(type.name());
  if (found != KnownViews().end()) return found->second;
  static auto* const made = new std::map<const Descriptor*, std::vector<Column>>;
  const auto [place, is_new] = made->try_emplace(&type);
  for (int i = 0; is_new && i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) continue;
    place->second.push_back({field.name(), field.name()});
  }
  return place->second;
}

}  // namespace trunkline::cli
