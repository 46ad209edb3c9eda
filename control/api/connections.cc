#include "control/api/connections.h"

#include <utility>
#include <vector>

#include "control/api/page.h"
#include "control/config/characters.h"
#include "control/config/error_details.h"
#include "control/config/text.h"
#include "router/base/status.h"

namespace trunkline::api {
namespace {

using config::Concat;
using google::protobuf::Message;

constexpr size_t kDescriptionBytesMax = 1024;

absl::Status NoConnection(uint64_t id) {
  return config::WithReason(
      absl::NotFoundError(Concat("there is no connection ", id, "; it may have been closed")),
      "CONNECTION_NOT_FOUND", {{"name", ConnectionName(id)}});
}

absl::Status NoLink(LinkId id) {
  return config::WithReason(
      absl::NotFoundError(Concat("connection ", id.connection, " has no link ", id.link)),
      "LINK_NOT_FOUND", {{"name", LinkName(id.connection, id.link)}});
}

absl::StatusOr<std::string> DescriptionOf(const std::string& given, const char* fallback) {
  std::string why;
  if (given.size() > kDescriptionBytesMax) {
    why = Concat(given.size(), " bytes are more than ", kDescriptionBytesMax);
  } else if (config::CheckCharacters(given)) {
    why = "has control characters";
  }
  if (why.empty()) return given.empty() ? fallback : given;
  return config::WithReason(
      config::WithViolations(absl::InvalidArgumentError("description: " + why),
                             {{"description", why}}),
      "INVALID_FIELD");
}

absl::StatusOr<LinkSwitch> SwitchOf(v1::Link::State state) {
  if (state == v1::Link::STATE_ENABLED) return LinkSwitch::kEnabled;
  if (state == v1::Link::STATE_DISABLED) return LinkSwitch::kDisabled;
  const std::string why = "give STATE_ENABLED or STATE_DISABLED";
  return config::WithReason(
      config::WithViolations(absl::InvalidArgumentError("state: " + why), {{"state", why}}),
      "INVALID_FIELD");
}

}  // namespace

Connections::Connections(Observing& observing, const WallClock& wall, Random& random, Hooks hooks)
    : observing_(observing),
      wall_(wall),
      hooks_(std::move(hooks)),
      watch_(observing, wall, random, hooks_.clock) {}

Handlers Connections::MakeHandlers() {
  Handlers handlers;
  handlers["ConnectionService/GetConnection"] = [this](const auto& call) { Get(call); };
  handlers["ConnectionService/ListConnections"] = [this](const auto& call) { List(call); };
  handlers["ConnectionService/WatchConnections"] = [this](const auto& call) { watch_.Serve(call); };
  handlers["ConnectionService/CloseConnection"] = [this](const auto& call) { Close(call); };
  handlers["ConnectionService/GetLink"] = [this](const auto& call) { GetLink(call); };
  handlers["ConnectionService/ListLinks"] = [this](const auto& call) { ListLinks(call); };
  handlers["ConnectionService/CloseLink"] = [this](const auto& call) { CloseLink(call); };
  handlers["ConnectionService/SetLinkState"] = [this](const auto& call) { SetLinkState(call); };
  return handlers;
}

// --- connections

void Connections::Find(uint64_t id, bool full, const Failed& failed,
                       std::function<void(const v1::Connection& found)> done) {
  const absl::Status asked =
      observing_.Observe({.connections = true, .peer_opens = full, .connection = id},
                         [this, id, failed, done = std::move(done)](const Snapshot& snapshot) {
                           if (snapshot.connections.empty()) return failed(NoConnection(id));
                           done(ToProto(snapshot.connections.front(), wall_));
                         });
  if (!asked.ok()) failed(asked);
}

void Connections::Get(const Shared& call) {
  const auto& request = call->As<v1::GetConnectionRequest>();
  const auto id = ParseConnectionName(request.name(), "name");
  if (!id.ok()) return call->Finish(id.status());
  Find(
      *id, request.view() != v1::VIEW_BASIC,
      [call](const absl::Status& status) { call->Finish(status); },
      [call](const v1::Connection& found) { call->Reply(found); });
}

void Connections::List(const Shared& call) {
  const auto& request = call->As<v1::ListConnectionsRequest>();
  auto listing = Listing::Parse(ListRequestOf(request, "id"), *v1::Connection::descriptor());
  if (!listing.ok()) return call->Finish(listing.status());
  const bool full = request.view() == v1::VIEW_FULL;
  const absl::Status asked = observing_.Observe(
      {.connections = true, .peer_opens = full || listing->Reads("peer_open")},
      [this, call, full,
       listing = std::make_shared<const Listing>(*std::move(listing))](const Snapshot& snapshot) {
        if (call->ended()) return;
        std::vector<std::shared_ptr<const Message>> all;
        all.reserve(snapshot.connections.size());
        for (const ConnectionState& state : snapshot.connections) {
          all.push_back(std::make_shared<v1::Connection>(ToProto(state, wall_)));
        }
        Page page = listing->Cut(std::move(all));
        v1::ListConnectionsResponse reply;
        for (const auto& row : page.rows) {
          v1::Connection& added = *reply.add_connections();
          added = static_cast<const v1::Connection&>(*row);
          if (!full) added.clear_peer_open();
        }
        reply.set_next_page_token(std::move(page.next_page_token));
        call->Reply(reply);
      });
  if (!asked.ok()) call->Finish(asked);
}

void Connections::Close(const Shared& call) {
  const auto& request = call->As<v1::CloseConnectionRequest>();
  const auto id = ParseConnectionName(request.name(), "name");
  if (!id.ok()) return call->Finish(id.status());
  const auto description = DescriptionOf(request.description(), "closed by an operator");
  if (!description.ok()) return call->Finish(description.status());
  request_ids_.Run(
      *call, request.request_id(), hooks_.clock(),
      [this, id = *id, description = *description](const RequestIds::Done& done) {
        Find(id, true, done, [this, id, description, done](const v1::Connection& found) {
          const absl::Status closed = hooks_.close(id, description);
          if (absl::IsNotFound(closed)) return done(NoConnection(id));
          if (!closed.ok()) return done(closed);
          auto reply = std::make_shared<v1::CloseConnectionResponse>();
          *reply->mutable_connection() = found;
          done(reply);
        });
      },
      RequestIds::AnswerTo(call));
}

// --- links

void Connections::FindLink(LinkId id, const Failed& failed,
                           std::function<void(const v1::Link& found)> done) {
  const absl::Status asked =
      observing_.Observe({.connections = true, .links = true, .connection = id.connection},
                         [this, id, failed, done = std::move(done)](const Snapshot& snapshot) {
                           if (snapshot.connections.empty())
                             return failed(NoConnection(id.connection));
                           for (const LinkState& link : snapshot.links) {
                             if (link.number == id.link) return done(ToProto(link, wall_));
                           }
                           failed(NoLink(id));
                         });
  if (!asked.ok()) failed(asked);
}

void Connections::GetLink(const Shared& call) {
  const auto id = ParseLinkName(call->As<v1::GetLinkRequest>().name(), "name");
  if (!id.ok()) return call->Finish(id.status());
  FindLink(
      *id, [call](const absl::Status& status) { call->Finish(status); },
      [call](const v1::Link& found) { call->Reply(found); });
}

void Connections::ListLinks(const Shared& call) {
  const auto& request = call->As<v1::ListLinksRequest>();
  const auto connection = ParseParent(request.parent(), "parent");
  if (!connection.ok()) return call->Finish(connection.status());
  auto listing =
      Listing::Parse(ListRequestOf(request, "connection_id, id"), *v1::Link::descriptor());
  if (!listing.ok()) return call->Finish(listing.status());
  const absl::Status asked = observing_.Observe(
      {.connections = *connection != 0, .links = true, .connection = *connection},
      [this, call, connection = *connection,
       listing = std::make_shared<const Listing>(*std::move(listing))](const Snapshot& snapshot) {
        if (call->ended()) return;
        if (connection != 0 && snapshot.connections.empty()) {
          return call->Finish(NoConnection(connection));
        }
        std::vector<std::shared_ptr<const Message>> all;
        all.reserve(snapshot.links.size());
        for (const LinkState& state : snapshot.links) {
          all.push_back(std::make_shared<v1::Link>(ToProto(state, wall_)));
        }
        Page page = listing->Cut(std::move(all));
        v1::ListLinksResponse reply;
        for (const auto& row : page.rows) {
          *reply.add_links() = static_cast<const v1::Link&>(*row);
        }
        reply.set_next_page_token(std::move(page.next_page_token));
        call->Reply(reply);
      });
  if (!asked.ok()) call->Finish(asked);
}

void Connections::CloseLink(const Shared& call) {
  const auto& request = call->As<v1::CloseLinkRequest>();
  const auto id = ParseLinkName(request.name(), "name");
  if (!id.ok()) return call->Finish(id.status());
  const auto description = DescriptionOf(request.description(), "detached by an operator");
  if (!description.ok()) return call->Finish(description.status());
  request_ids_.Run(
      *call, request.request_id(), hooks_.clock(),
      [this, id = *id, description = *description](const RequestIds::Done& done) {
        FindLink(id, done, [this, id, description, done](const v1::Link& found) {
          const absl::Status closed = hooks_.close_link(id.connection, id.link, description);
          if (absl::IsNotFound(closed)) return done(NoConnection(id.connection));
          if (!closed.ok()) return done(closed);
          auto reply = std::make_shared<v1::CloseLinkResponse>();
          *reply->mutable_link() = found;
          done(reply);
        });
      },
      RequestIds::AnswerTo(call));
}

// The second look comes to the worker behind the switch, and so tells the state that is in force.
void Connections::SetLinkState(const Shared& call) {
  const auto& request = call->As<v1::SetLinkStateRequest>();
  const auto id = ParseLinkName(request.name(), "name");
  if (!id.ok()) return call->Finish(id.status());
  const auto to = SwitchOf(request.state());
  if (!to.ok()) return call->Finish(to.status());
  request_ids_.Run(
      *call, request.request_id(), hooks_.clock(),
      [this, id = *id, to = *to](const RequestIds::Done& done) {
        FindLink(id, done, [this, id, to, done](const v1::Link&) {
          const absl::Status switched = hooks_.switch_link(id.connection, id.link, to);
          if (absl::IsNotFound(switched)) return done(NoConnection(id.connection));
          if (!switched.ok()) return done(switched);
          FindLink(id, done, [done](const v1::Link& found) {
            auto reply = std::make_shared<v1::SetLinkStateResponse>();
            *reply->mutable_link() = found;
            done(reply);
          });
        });
      },
      RequestIds::AnswerTo(call));
}

}  // namespace trunkline::api
