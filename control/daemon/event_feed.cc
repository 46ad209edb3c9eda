#include "control/daemon/event_feed.h"

#include <utility>
#include <variant>

#include "absl/strings/str_join.h"
#include "control/config/collection.h"
#include "control/config/resource.h"
#include "control/config/schema.h"
#include "control/config/text.h"

namespace trunkline::daemon {
namespace {

using api::Events;
using config::Concat;
using Happening = Events::Happening;

std::string ListenerName(const std::string& id) {
  return config::ResourceName(config::kListeners, id);
}

std::string ConnectorName(const std::string& id) {
  return config::ResourceName(config::kConnectors, id);
}

// What listeners and connectors have in common of their connections.
template <typename T>
Happening OfConnection(const T& event, std::string type) {
  const std::string owner = event.inbound ? ListenerName(event.owner) : ConnectorName(event.owner);
  return {.type = std::move(type),
          .subject = Concat("connections/", event.id),
          .message = Concat(event.inbound ? "from " : "to ", event.peer, " by ", owner),
          .fields = {
              {"owner", owner}, {"direction", event.inbound ? "in" : "out"}, {"peer", event.peer}}};
}

Happening On(const ListenerUp& event) {
  const std::string addresses = absl::StrJoin(event.addresses, " ");
  return {.type = "listener.up",
          .subject = ListenerName(event.name),
          .message = Concat("listens on ", addresses),
          .fields = {{"addresses", addresses}}};
}

Happening On(const ListenerFailed& event) {
  return {.type = "listener.failed",
          .subject = ListenerName(event.name),
          .message = event.error,
          .fields = {{"error", event.error}}};
}

Happening On(const ListenerDown& event) {
  return {
      .type = "listener.down", .subject = ListenerName(event.name), .message = "listens no more"};
}

Happening On(const ConnectionUp& event) {
  Happening happening = OfConnection(event, "connection.opened");
  happening.fields.emplace_back("container_id", event.container_id);
  happening.fields.emplace_back("user", event.user);
  happening.fields.emplace_back("tls", event.tls);
  return happening;
}

std::optional<Happening> On(const ConnectionDown& event) {
  // It was only a look at the port, told because somebody traced it: no news to others.
  if (!event.was_open && event.error.empty()) return std::nullopt;
  Happening happening =
      OfConnection(event, event.was_open ? "connection.closed" : "connection.failed");
  happening.fields.emplace_back("error", event.error);
  if (!event.error.empty()) happening.message += Concat(": ", event.error);
  return happening;
}

Happening On(const ConnectorFailed& event) {
  return {.type = "connector.failed",
          .subject = ConnectorName(event.name),
          .message = event.error,
          .fields = {{"peer", event.peer},
                     {"error", event.error},
                     {"retry_in", config::FormatDuration(event.retry_in_ms)}}};
}

Happening On(const Drained& event) {
  return {.type = "router.drained",
          .subject = "router",
          .message = event.complete ? "nothing is left" : "its time was up",
          .fields = {{"complete", event.complete ? "true" : "false"},
                     {"unsettled", Concat(event.unsettled)}}};
}

Happening On(const EventsLost& event) {
  return {.type = "events.lost",
          .subject = "router",
          .message = Concat(event.count, " events about connections were not told"),
          .fields = {{"count", Concat(event.count)}}};
}

// Of no interest to others than who asked.
std::optional<Happening> On(const Observed&) { return std::nullopt; }

// A resource was created, updated or deleted.
Happening OfResource(std::string_view verb, std::string subject, v1::Source by, std::string etag) {
  std::string source = v1::Source_Name(by);
  constexpr std::string_view kPrefix = "SOURCE_";
  if (source.starts_with(kPrefix)) source.erase(0, kPrefix.size());
  return {.type = Concat("resource.", verb),
          .subject = std::move(subject),
          .message = Concat(verb, source == "API" ? " over the API" : " by the configuration file"),
          .fields = {{"source", source}, {"etag", std::move(etag)}}};
}

}  // namespace

std::optional<Happening> ToHappening(const RouterEvent& event) {
  return std::visit(
      [](const auto& what) -> std::optional<Happening> {
        if constexpr (requires { On(what); }) {
          return On(what);
        } else {
          return std::nullopt;  // an answer to who asked
        }
      },
      event);
}

Happening ToHappening(const store::Difference& difference) {
  const auto& resource = difference.after != nullptr ? *difference.after : *difference.before;
  const char* verb = difference.before == nullptr  ? "created"
                     : difference.after == nullptr ? "deleted"
                                                   : "updated";
  return OfResource(verb, config::ResourceName(difference.collection->name(), difference.id),
                    config::SourceOf(resource),
                    difference.after == nullptr ? "" : config::EtagOf(resource));
}

Happening ToHappening(const v1::Router& router, v1::Source source) {
  return OfResource("updated", router.name(), source, router.etag());
}

}  // namespace trunkline::daemon
