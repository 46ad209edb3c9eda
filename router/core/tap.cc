#include "router/core/tap.h"

#include <utility>

#include "router/base/status.h"

namespace trunkline::core {

Tap::Tap(TapOptions options, std::shared_ptr<const AddressSettings> filter)
    : options_(std::move(options)),
      filter_(std::move(filter)),
      lanes_(options_.queue.workers),
      queue_(options_.queue) {}

absl::StatusOr<std::shared_ptr<Tap>> Tap::Open(TapOptions options) {
  std::shared_ptr<const AddressSettings> filter;
  if (!options.address.empty()) {
    AddressSetting setting;
    setting.pattern = NormalisePattern(options.address);
    TL_ASSIGN_OR_RETURN(filter, AddressSettings::Build({std::move(setting)}, Treatment::kBalanced));
  }
  return std::shared_ptr<Tap>(new Tap(std::move(options), std::move(filter)));
}

bool Tap::Wants(ShardId shard, std::string_view address, const LocalIdentity& me, Time now) {
  Lane& lane = lanes_[shard];
  if (!Matches(lane, address, me)) return false;
  if (lane.matched++ % options_.one_in != 0) return false;
  return queue_.Admit(shard, now);
}

// By the text that settings go by, without scheme and authority. What they do not speak of (local
// and topological addresses) is taken as it is written.
bool Tap::Matches(Lane& lane, std::string_view address, const LocalIdentity& me) const {
  if (filter_ == nullptr) return true;
  MakeKeyInto(address, '0', me, lane.key);
  const std::string_view key = lane.key;
  const bool mobile = key.starts_with('M');
  return !filter_->Match(mobile ? key.substr(2) : address).pattern.empty();
}

void Tap::Push(ShardId shard, TapSample&& sample) {
  const size_t bytes = sizeof(sample) + sample.bytes.size() + sample.address.size() +
                       sample.to.size() * sizeof(LinkName);
  queue_.Push(shard, std::move(sample), bytes);
}

}  // namespace trunkline::core
