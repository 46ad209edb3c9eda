#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "router/amqp/types.h"
#include "router/base/random.h"
#include "router/core/address.h"
#include "router/core/ids.h"
#include "router/core/sink.h"

namespace trunkline::core {

// An attach as the shard sees it: the relevant terminus (target of what we receive, source of what
// we send) in plain values.
struct AttachRequest {
  LinkToken token = 0;
  std::string name;
  bool coordinator = false;
  bool dynamic = false;
  std::optional<std::string> address;
  bool fallback = false;              // capability qd.fallback
  std::optional<int> waypoint_phase;  // capability qd.waypoint[.N]
  bool presettled = false;            // snd-settle-mode settled
};

// What an attach means for routing: the address key it binds to, or why it is refused (spec routing
// section 1). Values in, values out.
struct Binding {
  amqp::Condition refused;          // empty: granted
  std::optional<std::string> made;  // address made for a dynamic terminus
  std::string address;              // as attached, or as made
  AddressKey key;                   // empty: anonymous
  AddressKey fallback_key;          // producers only; empty: none
  Treatment treatment = Treatment::kBalanced;
  bool control = false;  // reserved for routers: what is sent there is released
};

// Who decides: the router and its address settings. `settings` null: all defaults.
struct BindingContext {
  const LocalIdentity& me;
  const AddressSettings* settings;
  Random& random;  // for made addresses
};

Binding BindProducer(const AttachRequest& request, const BindingContext& context);
Binding BindConsumer(const AttachRequest& request, const BindingContext& context);

// A message of an anonymous producer: as an attach to `text`, into `binding`, whose strings keep
// their capacity. Sets key, fallback_key, treatment and control.
void BindText(std::string_view text, const BindingContext& context, Binding& binding);

}  // namespace trunkline::core
