#pragma once

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "router/base/time.h"
#include "router/core/address.h"
#include "router/core/envelope.h"
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
  uint32_t capacity = 0;
  bool strip_outbound = false;  // router annotations
  LinkName name;
};
struct ConsumerDown {
  OutLinkRef link;
  AddressKey key;
};
// A consumer's link is disabled, so that others get its messages if there are any; or is not any
// more.
struct ConsumerSwitched {
  OutLinkRef link;
  bool disabled = false;
};
// A producer's link has a delivery that is stuck, and had none. Said again only after all of them
// have ended.
struct LinkStuck {
  InLinkRef link;
  std::string address;  // empty: it sends anywhere
  std::string user;     // of the connection; empty: anonymous
  Time at;
  Duration age;
};
using Notice = std::variant<ConsumerUp, ConsumerDown, ConsumerSwitched, LinkStuck>;

// What the turns of a shard leave to be carried away; whoever does it empties it.
struct Outbox {
  std::vector<Notice> to_pilot;
  std::vector<std::vector<Envelope>> to_shard;  // by shard; may be shorter than their number

  bool Empty() const {
    if (!to_pilot.empty()) return false;
    for (const auto& mail : to_shard) {
      if (!mail.empty()) return false;
    }
    return true;
  }
};

}  // namespace trunkline::core
