#include "tests/sim/pilot.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace trunkline::sim {
namespace {

// `near` and `work`: the treatments of these addresses.
std::shared_ptr<const core::AddressSettings> Settings(core::Treatment near, core::Treatment work) {
  return *core::AddressSettings::Build(
      {{.pattern = "near.#", .treatment = near},
       {.pattern = "work.#", .treatment = work},
       {.pattern = "fan.#", .treatment = core::Treatment::kMulticast},
       {.pattern = "safe.#", .fallback = true}},
      core::Treatment::kBalanced);
}

}  // namespace

Pilot::Pilot(Context& context, std::vector<Desk>& desks, uint64_t hash_seed)
    : context_(context),
      desks_(desks),
      settings_(Settings(core::Treatment::kClosest, core::Treatment::kBalanced)),
      directory_(settings_),
      builder_(hash_seed),
      publication_(desks.size()) {
  MakeView();
  for (size_t i = 0; i < desks.size(); ++i) {
    publication_.Left(static_cast<core::ShardId>(i), 0, publication_.newest());
  }
}

void Pilot::ChangeSettings() {
  const auto any = [this] {
    return context_.Chance(50) ? core::Treatment::kClosest : core::Treatment::kBalanced;
  };
  const core::Treatment near = any();
  settings_ = Settings(near, any());
  settings_changed_ = true;
  if (!directory_.SetSettings(settings_).empty()) {
    context_.verdict.Fail("pilot", "links are refused though no address became unavailable");
  }
}

bool Pilot::HasWork() const {
  if (settings_changed_) return true;
  for (const Desk& desk : desks_) {
    if (!desk.to_pilot.empty()) return true;
  }
  return false;
}

void Pilot::Step(bool all) {
  for (size_t i = 0; i < desks_.size(); ++i) {
    auto& said = desks_[i].to_pilot;
    const size_t left_over = all || said.empty() ? 0 : context_.random.Below(said.size() + 1);
    while (said.size() > left_over) {
      const auto shard = static_cast<core::ShardId>(i);
      if (const auto* left = std::get_if<Desk::Left>(&said.front())) {
        publication_.Left(shard, left->left, left->adopted);
      } else {
        Take(shard, std::get<core::Notice>(said.front()));
      }
      said.pop_front();
    }
  }
  FreeViews();
  Publish();
}

void Pilot::Take(core::ShardId shard, const core::Notice& notice) {
  if (const auto* down = std::get_if<core::ConsumerDown>(&notice)) {
    context_.ledger.AddDeparture(down->key, shard, publication_.newest() + 1);
    return directory_.Down(*down);
  }
  if (const auto* one = std::get_if<core::ConsumerSwitched>(&notice)) {
    return directory_.Switch(*one);
  }
  const auto& up = std::get<core::ConsumerUp>(notice);
  if (up.link.shard != shard) context_.verdict.Fail("pilot", "a notice of another shard's link");
  if (directory_.Up(up)) {
    ready_.push_back(up.link);
  } else {
    desks_[shard].to_worker.emplace_back(
        core::LinkRefused{up.link.link, {.name = "amqp:not-found", .description = {}, .info = {}}});
  }
}

void Pilot::Publish() {
  const bool tables_changed = builder_.Update(directory_);
  if (std::exchange(settings_changed_, false) || tables_changed) {
    MakeView();
    for (size_t i = 0; i < desks_.size(); ++i) {
      const View* unread = std::exchange(desks_[i].slot, views_.rbegin()->second.get());
      if (unread != nullptr) publication_.Unread(static_cast<core::ShardId>(i), unread->version);
    }
    FreeViews();
  }
  for (const core::OutLinkRef link : ready_) {
    desks_[link.shard].to_worker.emplace_back(core::LinkReady{link.link});
  }
  ready_.clear();
}

void Pilot::MakeView() {
  const uint64_t version = publication_.Publish();
  views_[version] = std::make_unique<const View>(
      View{.version = version, .routes = builder_.table(), .settings = settings_});
  context_.journal.Note(context_.now.ns, [&] { return absl::StrCat("View ", version); });
}

void Pilot::FreeViews() {
  for (const uint64_t version : publication_.TakeFree()) views_.erase(version);
}

}  // namespace trunkline::sim
