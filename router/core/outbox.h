#pragma once

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "router/core/address.h"
#include "router/core/ids.h"
#include "router/core/load.h"

namespace trunkline::core {

// What a shard tells the pilot. A consumer's LinkUp is answered by LinkReady mail once it is
// reachable.
struct ConsumerUp {
  OutLinkRef link;
  AddressKey key;
  Treatment treatment = Treatment::kBalanced;  // for an address that has no route yet
  std::shared_ptr<const LinkLoad> load;
};
struct ConsumerDown {
  OutLinkRef link;
  AddressKey key;
};
using Notice = std::variant<ConsumerUp, ConsumerDown>;

// Effects of one turn: notices to the pilot. Mail to other shards joins them when there are others.
struct Outbox {
  std::vector<Notice> to_pilot;
  bool Empty() const { return to_pilot.empty(); }
};

}  // namespace trunkline::core
