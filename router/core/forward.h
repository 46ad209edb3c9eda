#pragma once

#include <cstdint>
#include <vector>

#include "router/base/random.h"
#include "router/base/slot_map.h"
#include "router/core/link.h"
#include "router/core/route_table.h"

namespace trunkline::core {

// Who gets a delivery (spec routing section 4), among the targets of one shard. They only choose:
// nothing but the cursor changes, which belongs to the route and says where the next search begins.
// A target that is gone is skipped; null when nobody is left.

// Round robin, ignoring credit and load.
OutLink* ChooseClosest(const std::vector<LocalTarget>& targets, SlotMap<OutLink>& links,
                       uint32_t& cursor);

// The least outstanding among those below their capacity, else among the others; the first found
// wins ties. The search stops at an idle consumer, and the next one begins one further.
//
// Credit does not count (spec routing section 4.2): a consumer that grants none keeps what it got,
// and so loses against all that settle theirs. Of more than kBalancedExactMax targets only two,
// taken at random, are compared; if neither is below its capacity, the next kBalancedExactMax, so
// that all are in as many choices as it takes.
OutLink* ChooseBalanced(const std::vector<LocalTarget>& targets, SlotMap<OutLink>& links,
                        uint32_t& cursor, Random& random);

// One of the targets of all shards.
struct Choice {
  ShardId shard = 0;
  const LocalTarget* target = nullptr;  // null: nobody
  OutLink* link = nullptr;              // when it is in the shard that chooses
};

// As above, among the targets of all shards of a route that is not multicast. What others have
// outstanding is known from their LinkLoad; that they are still there is not known.
Choice ChooseAnywhere(const Route& route, ShardId here, SlotMap<OutLink>& links, uint32_t& cursor,
                      Random& random);

// At most this many targets are compared for each message.
inline constexpr size_t kBalancedExactMax = 64;

}  // namespace trunkline::core
