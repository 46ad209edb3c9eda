#include "router/mesh/directory.h"

#include <algorithm>
#include <tuple>

#include "router/base/check.h"

namespace trunkline::mesh {
Directory::Directory(std::shared_ptr<const core::AddressSettings> settings)
    : settings_(std::move(settings)) {
  TL_CHECK(settings_ != nullptr) << "a directory without settings";
}

bool Directory::Up(const core::ConsumerUp& notice) {
  Remove(notice.link);
  if (TreatmentOf(notice.key, notice.treatment) == core::Treatment::kUnavailable) return false;
  Address& address = AddressOf(notice);
  const core::ShardId shard = notice.link.shard;
  while (address.local.size() <= shard) {
    address.local.emplace_back().last_departure = address.born;
  }
  std::vector<core::LocalTarget>& targets = address.local[shard].targets;
  places_[IdOf(notice.link)] = {&address, targets.size()};
  targets.push_back({.link = notice.link.link,
                     .load = notice.load,
                     .capacity = notice.capacity,
                     .strip = notice.strip_outbound,
                     .name = notice.name});
  ++address.consumers;
  if (HasFirstEnabled(address)) DepartAll(address);
  MarkChanged(address);
  return true;
}

void Directory::Down(const core::ConsumerDown& notice) { Remove(notice.link); }

void Directory::Switch(const core::ConsumerSwitched& notice) {
  const auto place = places_.find(IdOf(notice.link));
  if (place == places_.end()) return;
  Address& address = *place->second.address;
  ShardLinks& links = address.local[notice.link.shard];
  core::LocalTarget& target = links.targets[place->second.index];
  if (target.disabled == notice.disabled) return;
  target.disabled = notice.disabled;
  if (notice.disabled) {
    ++address.disabled;
    links.last_departure = ++departures_;
  } else {
    --address.disabled;
    if (HasFirstEnabled(address)) DepartAll(address);
  }
  MarkChanged(address);
}

std::vector<core::OutLinkRef> Directory::SetSettings(
    std::shared_ptr<const core::AddressSettings> settings) {
  TL_CHECK(settings != nullptr) << "a directory without settings";
  settings_ = std::move(settings);
  std::vector<core::OutLinkRef> refused;
  for (auto& [key, address] : addresses_) {
    const core::Treatment treatment = TreatmentOf(key, address.treatment);
    if (treatment == address.treatment) continue;
    address.treatment = treatment;
    MarkChanged(address);
    if (treatment != core::Treatment::kUnavailable) continue;
    for (core::ShardId shard = 0; shard < address.local.size(); ++shard) {
      for (const core::LocalTarget& target : address.local[shard].targets) {
        if (target.link) refused.push_back({shard, target.link});
      }
    }
  }
  // The map's order differs from run to run.
  std::sort(changed_.begin(), changed_.end(),
            [](const Address* a, const Address* b) { return a->key < b->key; });
  std::sort(refused.begin(), refused.end(), [](core::OutLinkRef a, core::OutLinkRef b) {
    return std::tie(a.shard, a.link.index) < std::tie(b.shard, b.link.index);
  });
  return refused;
}

void Directory::VisitChanged(absl::FunctionRef<void(const Address&)> visit) {
  for (Address* address : std::exchange(changed_, {})) {
    address->dirty = false;
    visit(*address);
    if (address->consumers == 0) addresses_.erase(addresses_.find(address->key));
  }
}

core::Treatment Directory::TreatmentOf(std::string_view key, core::Treatment said) const {
  const core::AddressSetting* setting = settings_->ForKey(key);
  return setting != nullptr ? setting->treatment : said;
}

Directory::Address& Directory::AddressOf(const core::ConsumerUp& notice) {
  const auto [found, added] = addresses_.try_emplace(notice.key);
  Address& address = found->second;
  if (added) {
    address.key = found->first;
    address.treatment = TreatmentOf(notice.key, notice.treatment);
    address.born = departures_;
  }
  return address;
}

void Directory::Remove(core::OutLinkRef link) {
  const auto place = places_.find(IdOf(link));
  if (place == places_.end()) return;
  Address& address = *place->second.address;
  ShardLinks& links = address.local[link.shard];
  if (links.targets[place->second.index].disabled) --address.disabled;
  links.targets[place->second.index] = {};
  ++links.gaps;
  links.last_departure = ++departures_;
  --address.consumers;
  places_.erase(place);
  if (links.gaps * 2 > links.targets.size()) CloseGaps(address, link.shard);
  MarkChanged(address);
}

// One is enabled, and the others, which are not, were offered until then.
bool Directory::HasFirstEnabled(const Address& address) {
  return address.disabled > 0 && address.disabled + 1 == address.consumers;
}

void Directory::DepartAll(Address& address) {
  for (ShardLinks& links : address.local) links.last_departure = ++departures_;
}

// Costs as much as the removals that made the gaps.
void Directory::CloseGaps(Address& address, core::ShardId shard) {
  ShardLinks& links = address.local[shard];
  std::vector<core::LocalTarget> left;
  left.reserve(links.targets.size() - links.gaps);
  for (core::LocalTarget& target : links.targets) {
    if (!target.link) continue;
    places_[IdOf({shard, target.link})].index = left.size();
    left.push_back(std::move(target));
  }
  links.targets = std::move(left);
  links.gaps = 0;
}

void Directory::MarkChanged(Address& address) {
  if (address.dirty) return;
  address.dirty = true;
  changed_.push_back(&address);
}

}  // namespace trunkline::mesh
