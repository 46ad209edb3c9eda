#include "control/api/routes.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "control/api/page.h"
#include "control/config/characters.h"
#include "control/config/document.h"
#include "control/config/error_details.h"
#include "control/config/text.h"

namespace trunkline::api {
namespace {

using config::Concat;
using config::ToUtf8;
using google::protobuf::Message;

constexpr std::string_view kRoutes = "routes/";
constexpr size_t kAddressBytesMax = 4096;

v1::Distribution ToProto(Distribution distribution) {
  switch (distribution) {
    case Distribution::kClosest:
      return v1::DISTRIBUTION_CLOSEST;
    case Distribution::kBalanced:
      return v1::DISTRIBUTION_BALANCED;
    case Distribution::kMulticast:
      return v1::DISTRIBUTION_MULTICAST;
    case Distribution::kUnavailable:
      break;
  }
  return v1::DISTRIBUTION_UNAVAILABLE;
}

std::string SettingName(const std::string& id) {
  return id.empty() ? "" : config::ResourceName(config::kAddresses, id);
}

absl::Status WrongField(const char* field, const std::string& why, const char* reason) {
  return config::WithReason(
      config::WithViolations(absl::InvalidArgumentError(Concat(field, ": ", why)), {{field, why}}),
      reason);
}

v1::RoutePhase& PhaseOf(v1::Route& route, const std::string& key) {
  for (v1::RoutePhase& phase : *route.mutable_phases()) {
    if (phase.key() == key) return phase;
  }
  v1::RoutePhase& phase = *route.add_phases();
  phase.set_key(key);
  return phase;
}

void AddProducer(const LinkState& link, v1::Route& route) {
  v1::RoutePhase& phase = PhaseOf(route, ToUtf8(link.key));
  phase.set_producers(phase.producers() + 1);
  route.set_producers(route.producers() + 1);
  route.set_deliveries_in(route.deliveries_in() + link.deliveries);
  route.set_accepted(route.accepted() + link.accepted);
  route.set_rejected(route.rejected() + link.rejected);
  route.set_released(route.released() + link.released);
  route.set_modified(route.modified() + link.modified);
}

void AddConsumer(const LinkState& link, v1::Route& route) {
  v1::RoutePhase& phase = PhaseOf(route, ToUtf8(link.key));
  phase.set_consumers(phase.consumers() + 1);
  route.set_consumers(route.consumers() + 1);
  route.set_deliveries_out(route.deliveries_out() + link.deliveries);
  route.set_unsettled(route.unsettled() + link.unsettled);
  route.set_undelivered(route.undelivered() + link.undelivered);
}

void Add(const v1::Route& route, v1::AddressStatus& status) {
  status.set_routes(status.routes() + 1);
  status.set_consumers(status.consumers() + route.consumers());
  status.set_producers(status.producers() + route.producers());
  status.set_deliveries_in(status.deliveries_in() + route.deliveries_in());
  status.set_deliveries_out(status.deliveries_out() + route.deliveries_out());
  status.set_unsettled(status.unsettled() + route.unsettled());
  status.set_undelivered(status.undelivered() + route.undelivered());
}

// Every key that links to the address may have: of each phase, and of fallback consumers.
std::vector<std::string> KeysOf(const std::string& key) {
  if (!key.starts_with('M') || key.size() < 2) return {key};
  std::vector<std::string> keys;
  for (const char phase : std::string_view("0123456789F")) {
    keys.push_back(Concat("M", std::string(1, phase), key.substr(2)));
  }
  return keys;
}

// Who would get a message, and who would send it. Returns how many consumers would but for being
// disabled.
uint32_t CountLinks(const Snapshot& snapshot, const AddressResolution& found,
                    v1::ResolveAddressResponse& reply) {
  std::map<uint32_t, v1::WorkerConsumers> workers;
  uint32_t disabled = 0;
  for (const LinkState& link : snapshot.links) {
    if (link.key.empty()) continue;  // a producer that sends anywhere
    if (link.incoming) {
      if (link.key == found.key) reply.set_producer_count(reply.producer_count() + 1);
    } else if (link.key == found.key) {
      v1::WorkerConsumers& worker = workers[link.worker];
      worker.set_worker(link.worker);
      worker.set_consumers(worker.consumers() + 1);
      disabled += link.disabled;
      if (link.credit > 0 && !link.disabled) worker.set_with_credit(worker.with_credit() + 1);
      reply.set_consumer_count(reply.consumer_count() + 1);
    } else if (link.key == found.fallback_key) {
      reply.set_fallback_consumer_count(reply.fallback_consumer_count() + 1);
    }
  }
  for (const auto& [worker, consumers] : workers) *reply.add_consumers() = consumers;
  return disabled;
}

// Empty: it can be delivered.
std::string WhyNot(const AddressResolution& found, const v1::ResolveAddressResponse& reply,
                   uint32_t disabled) {
  if (found.distribution == Distribution::kUnavailable) return "the address is unavailable";
  if (found.reserved) return "the address is reserved for routers: what clients send is released";
  if (found.key.empty()) return "nobody may send to it";
  if (disabled > 0 && disabled == reply.consumer_count()) {
    return "the links of all who receive from it are disabled: messages wait for them";
  }
  if (reply.consumer_count() + reply.fallback_consumer_count() > 0) return "";
  return found.key == found.consumer_key
             ? "nobody receives from it: producers get no credit"
             : "nothing takes messages into the waypoint: producers get no credit";
}

}  // namespace

std::string AddressOfKey(std::string_view key) {
  if (key.starts_with('M')) return std::string(key.substr(std::min<size_t>(2, key.size())));
  if (key.starts_with('L')) return Concat("_local/", key.substr(1));
  if (key.starts_with('T')) return Concat("_topo/0/all/", key.substr(1));
  return Concat("_key/", key);
}

Routes::Routes(Observing& observing, Resolve resolve)
    : observing_(observing), resolve_(std::move(resolve)) {}

Handlers Routes::MakeHandlers() {
  Handlers handlers;
  handlers["AddressService/ResolveAddress"] = [this](const auto& call) { Explain(call); };
  handlers["AddressService/GetRoute"] = [this](const auto& call) { Get(call); };
  handlers["AddressService/ListRoutes"] = [this](const auto& call) { List(call); };
  return handlers;
}

// --- routes

Routes::ByAddress Routes::Group(const Snapshot& snapshot) const {
  ByAddress routes;
  for (const LinkState& link : snapshot.links) {
    if (link.key.empty()) continue;  // it sends anywhere
    v1::Route& route = routes[AddressOfKey(link.key)];
    link.incoming ? AddProducer(link, route) : AddConsumer(link, route);
    if (link.blocked) route.set_blocked_links(route.blocked_links() + 1);
  }
  for (auto& [address, route] : routes) {
    const AddressResolution found = resolve_(address);
    route.set_address(ToUtf8(address));
    route.set_name(Concat(kRoutes, route.address()));
    route.set_setting(SettingName(found.setting));
    route.set_distribution(ToProto(found.distribution));
    std::sort(route.mutable_phases()->begin(), route.mutable_phases()->end(),
              [](const auto& a, const auto& b) { return a.key() < b.key(); });
  }
  return routes;
}

void Routes::Get(const Shared& call) {
  const std::string& name = call->As<v1::GetRouteRequest>().name();
  if (!name.starts_with(kRoutes) || name.size() == kRoutes.size()) {
    return call->Finish(
        WrongField("name", Concat(config::Quote(name), " is not of the form routes/{address}"),
                   "INVALID_NAME"));
  }
  if (const size_t bytes = name.size() - kRoutes.size(); bytes > kAddressBytesMax) {
    return call->Finish(WrongField(
        "name", Concat("an address of ", bytes, " bytes is longer than ", kAddressBytesMax),
        "INVALID_NAME"));
  }
  const AddressResolution found = resolve_(name.substr(kRoutes.size()));
  const std::string key = found.key.empty() ? found.consumer_key : found.key;
  const absl::Status asked = observing_.Observe(
      {.links = true, .keys = KeysOf(key)}, [this, call, name](const Snapshot& snapshot) {
        const ByAddress routes = Group(snapshot);
        if (!routes.empty()) return call->Reply(routes.begin()->second);
        call->Finish(config::WithReason(
            absl::NotFoundError(
                Concat("no link is attached to ", config::Quote(name.substr(kRoutes.size())))),
            "ROUTE_NOT_FOUND", {{"name", config::Shorten(name, 256)}}));
      });
  if (!asked.ok()) call->Finish(asked);
}

void Routes::List(const Shared& call) {
  const auto& request = call->As<v1::ListRoutesRequest>();
  auto listing = Listing::Parse(ListRequestOf(request, ""), *v1::Route::descriptor());
  if (!listing.ok()) return call->Finish(listing.status());
  const absl::Status asked = observing_.Observe(
      {.links = true}, [this, call, listing = std::make_shared<const Listing>(*std::move(listing))](
                           const Snapshot& snapshot) {
        if (call->ended()) return;
        std::vector<std::shared_ptr<const Message>> all;
        for (auto& [address, route] : Group(snapshot)) {
          all.push_back(std::make_shared<v1::Route>(route));
        }
        Page page = listing->Cut(std::move(all));
        v1::ListRoutesResponse reply;
        for (const auto& row : page.rows) {
          *reply.add_routes() = static_cast<const v1::Route&>(*row);
        }
        reply.set_next_page_token(std::move(page.next_page_token));
        call->Reply(reply);
      });
  if (!asked.ok()) call->Finish(asked);
}

void Routes::Explain(const Shared& call) {
  const std::string& address = call->As<v1::ResolveAddressRequest>().address();
  if (address.empty() || address.size() > kAddressBytesMax) {
    return call->Finish(WrongField(
        "address",
        address.empty() ? "is required"
                        : Concat(address.size(), " bytes are more than ", kAddressBytesMax),
        "INVALID_FIELD"));
  }
  const AddressResolution found = resolve_(address);
  std::vector<std::string> keys = {found.key.empty() ? found.consumer_key : found.key};
  if (!found.fallback_key.empty()) keys.push_back(found.fallback_key);
  const absl::Status asked = observing_.Observe(
      {.links = true, .keys = keys}, [call, found, keys](const Snapshot& snapshot) {
        v1::ResolveAddressResponse reply;
        if (!keys.front().empty()) {
          reply.set_route(Concat(kRoutes, ToUtf8(AddressOfKey(keys.front()))));
        }
        reply.set_key(ToUtf8(found.key));
        reply.set_consumer_key(ToUtf8(found.consumer_key));
        reply.set_fallback_key(ToUtf8(found.fallback_key));
        reply.set_setting(SettingName(found.setting));
        reply.set_distribution(ToProto(found.distribution));
        const uint32_t disabled = CountLinks(snapshot, found, reply);
        reply.set_reason(WhyNot(found, reply, disabled));
        reply.set_deliverable(reply.reason().empty());
        call->Reply(reply);
      });
  if (!asked.ok()) call->Finish(asked);
}

// --- settings

void Routes::Wrap(Handlers& handlers) {
  for (const char* key : {"AddressService/GetAddress", "AddressService/ListAddresses"}) {
    Handler& handler = handlers[key];
    handler = [this, inner = std::move(handler)](const Shared& call) {
      const absl::Status asked =
          observing_.Observe({.links = true}, [this, inner, call](const Snapshot& snapshot) {
            if (call->ended()) return;
            for (const auto& [address, route] : Group(snapshot)) {
              if (route.setting().empty()) continue;
              Add(route, statuses_[std::string(config::ResourceId(route.setting()))]);
            }
            knows_ = true;
            inner(call);
            knows_ = false;
            statuses_.clear();
          });
      if (!asked.ok()) call->Finish(asked);
    };
  }
}

void Routes::FillStatus(const std::string& id, v1::Address& address) const {
  if (!knows_) return;
  const auto found = statuses_.find(id);
  *address.mutable_status() = found == statuses_.end() ? v1::AddressStatus() : found->second;
}

}  // namespace trunkline::api
