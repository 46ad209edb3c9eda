#pragma once

#include <cstdint>
#include <variant>

#include "router/core/ids.h"
#include "router/core/sink.h"

namespace trunkline::core {

// Mail to a shard. From the pilot: the View that makes a consumer reachable is in the worker's
// slot, so its attach may be answered.
struct LinkReady {
  Handle<OutLink> link;
};
// From the pilot: detach every link of an address (its setting changed to unavailable), or one
// link.
struct LinkRefused {
  Handle<OutLink> link;
  amqp::Condition error;
};

using Envelope = std::variant<std::monostate, LinkReady, LinkRefused>;

}  // namespace trunkline::core
