#pragma once

#include <optional>

#include "control/api/events.h"
#include "control/store/layers.h"
#include "router/observe.h"

namespace trunkline::daemon {

// What the router and the store tell, as those who watch events are told it (proto: Event). Pure.

// Nothing: it is told otherwise.
std::optional<api::Events::Happening> ToHappening(const RouterEvent& event);
api::Events::Happening ToHappening(const store::Difference& difference);
// The router is another; `source` says by whom.
api::Events::Happening ToHappening(const v1::Router& router, v1::Source source);

}  // namespace trunkline::daemon
