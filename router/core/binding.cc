#include "router/core/binding.h"

#include <array>

#include "absl/strings/str_cat.h"

namespace trunkline::core {
namespace {

constexpr int kRandomCharacters = 15;

Binding Refused(std::string_view condition, std::string_view description) {
  Binding binding;
  binding.refused.name = condition;
  binding.refused.description = description;
  return binding;
}

Binding NodeNotFound() { return Refused(amqp::condition::kNotFound, "Node not found"); }

Binding NoRoute() { return Refused("qd:no-route-to-dest", "No route to the destination node"); }

bool IsMobile(const AddressKey& key) { return key.size() >= 2 && key[0] == 'M'; }

// Addresses over which routers talk; a client cannot inject routing traffic.
bool IsRouterControl(const AddressKey& key) {
  static constexpr std::array<std::string_view, 5> kControl = {"Lqdhello", "Lqdrouter", "Tqdrouter",
                                                               "Lqdrouter.ma", "Tqdrouter.ma"};
  for (const std::string_view control : kControl) {
    if (key == control) return true;
  }
  return false;
}

const AddressSetting& SettingOf(const AddressKey& key, const BindingContext& context) {
  static const AddressSetting kDefault;
  const AddressSetting* setting =
      context.settings != nullptr ? context.settings->ForKey(key) : nullptr;
  return setting != nullptr ? *setting : kDefault;
}

bool HasWaypoint(const AttachRequest& request) {
  return request.waypoint_phase.has_value() && *request.waypoint_phase >= 1 &&
         *request.waypoint_phase <= 9;
}

}  // namespace

void BindText(std::string_view text, const BindingContext& context, Binding& binding) {
  MakeKeyInto(text, '0', context.me, binding.key);
  binding.fallback_key.clear();
  binding.control = IsRouterControl(binding.key);
  const AddressSetting& setting = SettingOf(binding.key, context);
  binding.treatment = setting.treatment;
  if (!IsMobile(binding.key)) return;
  binding.key[1] = setting.ingress_phase;
  if (!setting.fallback) return;
  binding.fallback_key = "MF";
  binding.fallback_key.append(binding.key, 2);
}

Binding BindProducer(const AttachRequest& request, const BindingContext& context) {
  if (request.coordinator) {
    return Refused(amqp::condition::kPreconditionFailed,
                   "The router can't coordinate transactions by itself, a linkRoute to a "
                   "coordinator must be configured to use transactions.");
  }
  Binding binding;
  if (request.dynamic) {
    binding.made = absl::StrCat("amqp:/", kTemporaryPrefix, context.random.Name(kRandomCharacters));
    binding.address = *binding.made;
  } else if (request.address.has_value()) {
    binding.address = *request.address;
  }
  if (binding.address.empty()) return binding;
  BindText(binding.address, context, binding);
  if (binding.treatment == Treatment::kUnavailable) return NodeNotFound();
  if (HasWaypoint(request) && IsMobile(binding.key)) {
    binding.key[1] = static_cast<char>('0' + *request.waypoint_phase);
    binding.fallback_key.clear();
  }
  return binding;
}

Binding BindConsumer(const AttachRequest& request, const BindingContext& context) {
  Binding binding;
  if (request.dynamic) {
    binding.made = absl::StrCat("amqp:/_topo/0/", context.me.router_id, "/temp.",
                                context.random.Name(kRandomCharacters));
    binding.address = *binding.made;
  } else if (request.address.has_value()) {
    binding.address = *request.address;
  }
  if (binding.address.empty()) return NoRoute();
  binding.key = MakeKey(binding.address, '0', context.me);
  if (binding.key[0] == 'R') return NoRoute();
  if (binding.key[0] == 'T') binding.treatment = Treatment::kMulticast;
  if (!IsMobile(binding.key)) return binding;

  const AddressSetting& setting = SettingOf(binding.key, context);
  if (setting.treatment == Treatment::kUnavailable) return NodeNotFound();
  binding.treatment = setting.treatment;
  if (request.fallback) {
    binding.key[1] = 'F';
  } else if (HasWaypoint(request)) {
    binding.key[1] = static_cast<char>('0' + *request.waypoint_phase - 1);
  } else {
    binding.key[1] = setting.egress_phase;
  }
  return binding;
}

}  // namespace trunkline::core
