#include "control/daemon/resource_api.h"

#include <time.h>

#include <utility>

#include "control/api/rpc_status.h"
#include "control/config/text.h"
#include "control/config/translate.h"

namespace trunkline::daemon {
namespace {

using config::Concat;

int64_t MillisecondsSince1970() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

// The resource whose state an event may have changed; empty: none.
std::string NameIn(const RouterEvent& event) {
  if (const auto* up = std::get_if<ListenerUp>(&event)) {
    return config::ResourceName(config::kListeners, up->name);
  }
  if (const auto* failed = std::get_if<ListenerFailed>(&event)) {
    return config::ResourceName(config::kListeners, failed->name);
  }
  if (const auto* down = std::get_if<ListenerDown>(&event)) {
    return config::ResourceName(config::kListeners, down->name);
  }
  if (const auto* failed = std::get_if<ConnectorFailed>(&event)) {
    return config::ResourceName(config::kConnectors, failed->name);
  }
  if (const auto* up = std::get_if<ConnectionUp>(&event)) {
    return up->inbound ? "" : config::ResourceName(config::kConnectors, up->owner);
  }
  if (const auto* down = std::get_if<ConnectionDown>(&event)) {
    return down->inbound ? "" : config::ResourceName(config::kConnectors, down->owner);
  }
  return "";
}

}  // namespace

ResourceApi::ResourceApi(store::Store& store, const StatusBoard& board,
                         const api::MethodTable& methods, Random& random,
                         std::function<Time()> clock, Router& router)
    : store_(store),
      board_(board),
      resources_(store),
      crud_(resources_, methods, random,
            {.clock = clock, .fill_status = [this](auto& resource) { FillStatus(resource); }}),
      config_(resources_, methods, clock),
      router_section_(resources_, clock),
      live_(router, random, clock),
      tls_(store, router,
           {.clock = clock, .status_changed = [this](const auto& name) { StatusChanged(name); }}),
      tls_sessions_(
          live_.observing(), live_.wall(),
          {.document = [&store]() -> const config::Document& { return store.effective(); },
           .revision = [&store](const auto& id) { return store.TlsRevision(id); }}),
      users_(resources_, {.now = clock, .wall = MillisecondsSince1970}) {}

api::Handlers ResourceApi::MakeHandlers() {
  api::Handlers handlers = crud_.MakeHandlers();
  handlers.merge(config_.MakeHandlers());
  handlers.merge(router_section_.MakeHandlers());
  handlers.merge(users_.MakeHandlers());
  live_.AddHandlers(handlers);
  handlers.merge(tls_.MakeHandlers());
  handlers.merge(tls_sessions_.MakeHandlers());
  return handlers;
}

void ResourceApi::OnEvent(const RouterEvent& event) {
  if (const std::string name = NameIn(event); !name.empty()) crud_.StatusChanged(name);
  live_.OnEvent(event);
}

void ResourceApi::FillStatus(google::protobuf::Message& resource) {
  const std::string id(config::ResourceId(config::NameOf(resource)));
  if (auto* listener = dynamic_cast<v1::Listener*>(&resource)) return Fill(id, *listener);
  if (auto* connector = dynamic_cast<v1::Connector*>(&resource)) return Fill(id, *connector);
  if (auto* profile = dynamic_cast<v1::TlsProfile*>(&resource))
    return tls_.FillStatus(id, *profile);
  if (auto* users = dynamic_cast<v1::UserStore*>(&resource)) return Fill(id, *users);
  if (auto* address = dynamic_cast<v1::Address*>(&resource)) return live_.FillStatus(id, *address);
}

void ResourceApi::Fill(const std::string& id, v1::Listener& listener) const {
  v1::ListenerStatus& status = *listener.mutable_status();
  status.set_state(v1::ListenerStatus::STATE_PENDING);
  if (const auto found = board_.listeners().find(id); found != board_.listeners().end()) {
    status = found->second;
  }
  if (!config::IsEnabled(listener)) return status.set_state(v1::ListenerStatus::STATE_DISABLED);
  const auto failed = store_.failures().find(Concat("listeners[", id, "]"));
  if (failed == store_.failures().end()) return;
  status.set_state(v1::ListenerStatus::STATE_FAILED);
  *status.mutable_last_error() = api::ToRpcStatus(failed->second);
}

void ResourceApi::Fill(const std::string& id, v1::Connector& connector) const {
  v1::ConnectorStatus& status = *connector.mutable_status();
  status.set_state(v1::ConnectorStatus::STATE_CONNECTING);
  if (const auto found = board_.connectors().find(id); found != board_.connectors().end()) {
    status = found->second;
  }
  if (!config::IsEnabled(connector)) return status.set_state(v1::ConnectorStatus::STATE_DISABLED);
  const auto failed = store_.failures().find(Concat("connectors[", id, "]"));
  if (failed == store_.failures().end()) return;
  status.set_state(v1::ConnectorStatus::STATE_FAILED);
  *status.mutable_last_error() = api::ToRpcStatus(failed->second);
}

void ResourceApi::Fill(const std::string& id, v1::UserStore& users) const {
  const auto failed = store_.failures().find(Concat("user_stores[", id, "]"));
  if (failed != store_.failures().end()) {
    *users.mutable_status()->mutable_last_reload_error() = api::ToRpcStatus(failed->second);
  }
  const auto found = store_.in_force().stores.find(id);
  if (found == store_.in_force().stores.end() || found->second.users == nullptr) return;
  users.mutable_status()->set_users(static_cast<uint32_t>(found->second.users->size()));
}

}  // namespace trunkline::daemon
