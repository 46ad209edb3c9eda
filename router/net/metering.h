#pragma once

#include <memory>

#include "absl/types/span.h"
#include "router/base/memory_budget.h"
#include "router/metrics.h"
#include "router/net/admission.h"
#include "router/net/owners.h"
#include "router/net/publisher.h"
#include "router/net/worker.h"

namespace trunkline::net {

// Where the router's counters are. All of it outlives the reader.
struct Meters {
  absl::Span<const std::unique_ptr<Worker>> workers;
  const MemoryBudget& budget;
  const Admission& admission;
  const Owners& owners;
  const Publisher& publisher;
};

// Adds up what is there. Any thread: reads atomics, waits for nobody.
RouterCounters ReadCounters(const Meters& meters);
RouterMetrics ReadMetrics(const Meters& meters);

}  // namespace trunkline::net
