#include "control/api/tls_sessions.h"

#include <utility>
#include <vector>

#include "control/api/connections_rows.h"
#include "control/api/edit.h"
#include "control/api/page.h"
#include "control/config/collection.h"
#include "control/config/document.h"

namespace trunkline::api {

v1::TlsSession TlsSessionOf(const v1::Connection& connection, uint64_t active_revision) {
  const v1::ConnectionTls& tls = connection.tls();
  v1::TlsSession session;
  session.set_name(connection.name());
  session.set_connection_id(connection.id());
  session.set_tls_profile(tls.tls_profile());
  session.set_revision(tls.revision());
  session.set_active(active_revision != 0 && tls.revision() == active_revision);
  session.set_protocol(tls.protocol());
  session.set_cipher(tls.cipher());
  session.set_peer_subject(tls.peer_subject());
  session.set_peer(connection.peer());
  session.set_owner(connection.owner());
  session.set_container(connection.container());
  session.set_user(connection.user());
  if (connection.has_open_time()) *session.mutable_open_time() = connection.open_time();
  return session;
}

TlsSessions::TlsSessions(Observing& observing, const WallClock& wall, Hooks hooks)
    : observing_(observing), wall_(wall), hooks_(std::move(hooks)) {}

Handlers TlsSessions::MakeHandlers() {
  Handlers handlers;
  handlers["TlsService/ListTlsSessions"] = [this](const auto& call) { List(call); };
  return handlers;
}

absl::StatusOr<std::string> TlsSessions::ProfileOf(const std::string& parent) const {
  if (parent == config::ResourceName(config::kTlsProfiles, "-")) return "";
  const config::Collection& collection =
      *config::CollectionOfName(config::ResourceName(config::kTlsProfiles, "a"));
  return FindId(collection, hooks_.document(), parent, "parent");
}

void TlsSessions::List(const std::shared_ptr<Call>& call) {
  const auto& request = call->As<v1::ListTlsSessionsRequest>();
  const auto profile = ProfileOf(request.parent());
  if (!profile.ok()) return call->Finish(profile.status());
  auto listing =
      Listing::Parse(ListRequestOf(request, "connection_id"), *v1::TlsSession::descriptor());
  if (!listing.ok()) return call->Finish(listing.status());
  const absl::Status asked = observing_.Observe(
      {.connections = true},
      [this, call, profile = *profile,
       listing = std::make_shared<const Listing>(*std::move(listing))](const Snapshot& snapshot) {
        if (call->ended()) return;
        std::vector<std::shared_ptr<const google::protobuf::Message>> all;
        for (const ConnectionState& state : snapshot.connections) {
          if (state.tls.empty() || (!profile.empty() && state.tls_profile != profile)) continue;
          all.push_back(std::make_shared<v1::TlsSession>(
              TlsSessionOf(ToProto(state, wall_), hooks_.revision(state.tls_profile))));
        }
        Page page = listing->Cut(std::move(all));
        v1::ListTlsSessionsResponse reply;
        for (const auto& row : page.rows) {
          *reply.add_tls_sessions() = static_cast<const v1::TlsSession&>(*row);
        }
        reply.set_next_page_token(std::move(page.next_page_token));
        call->Reply(reply);
      });
  if (!asked.ok()) call->Finish(asked);
}

}  // namespace trunkline::api
