#include "control/api/watch_hub.h"

#include <algorithm>
#include <utility>

#include "control/api/resume_token.h"
#include "google/protobuf/util/message_differencer.h"
#include "router/base/status.h"

namespace trunkline::api {
using google::protobuf::Message;

struct WatchHub::Watcher {
  Wish wish;
  Exits exits;
  bool gone = false;
  // First what is there is told, in order of names; then what has changed, in order of changes.
  bool listing = true;
  std::string listed;     // the last name of the first part
  uint64_t start = 0;     // the last change when it began: behind it comes Synced
  uint64_t position = 0;  // every change up to here is told
  bool synced = false;
  std::vector<bool> told;  // by Entry::bit: it knows of this resource
  Time deadline = kNever;  // for a bookmark

  bool Knows(const Entry& entry) const { return entry.bit < told.size() && told[entry.bit]; }
  void SetKnows(const Entry& entry, bool knows) {
    if (entry.bit >= told.size()) told.resize(entry.bit + 1);
    told[entry.bit] = knows;
  }
  void Rest(Time now) { deadline = wish.heartbeat == Duration{} ? kNever : now + wish.heartbeat; }
};

WatchHub::WatchHub(std::string epoch, Options options)
    : epoch_(std::move(epoch)), options_(options) {}
WatchHub::~WatchHub() = default;

void WatchHub::Put(const std::string& name, std::shared_ptr<const Message> resource, Time now) {
  const auto [found, added] = entries_.try_emplace(name);
  Entry& entry = found->second;
  if (added) {
    entry.bit = entries_.size() - 1;
    if (!free_bits_.empty()) {
      entry.bit = free_bits_.back();
      free_bits_.pop_back();
    }
    entry.created = entry.gone = entry.added = last_change_ + 1;
  } else if (!entry.deleted &&
             google::protobuf::util::MessageDifferencer::Equals(*entry.resource, *resource)) {
    return;
  }
  if (entry.deleted) {
    deleted_bytes_ -= BytesOf(entry);
    deleted_.erase(entry.changed);
    entry.added = last_change_ + 1;
    entry.gone = EverybodyHasHeard(entry.changed) ? entry.changed : entry.added;
  }
  entry.deleted = false;
  entry.resource = std::move(resource);
  Log(entry);
  PumpAll(now);
}

void WatchHub::Erase(const std::string& name, Time now) {
  const auto found = entries_.find(name);
  if (found == entries_.end() || found->second.deleted) return;
  Entry& entry = found->second;
  entry.deleted = true;
  Log(entry);
  deleted_[entry.changed] = name;
  deleted_bytes_ += BytesOf(entry);
  while (deleted_.size() > options_.deleted_max || deleted_bytes_ > options_.deleted_bytes_max) {
    Forget(deleted_.begin()->first);
  }
  PumpAll(now);
}

size_t WatchHub::BytesOf(const Entry& entry) { return entry.resource->SpaceUsedLong(); }

// Moves the entry to the end of the log.
void WatchHub::Log(Entry& entry) {
  log_.erase(entry.changed);
  entry.changed = ++last_change_;
  log_[entry.changed] = &entry;
}

// Drops what was deleted by `change`, and all who have not heard of it.
void WatchHub::Forget(uint64_t change) {
  const auto found = deleted_.find(change);
  const auto entry = entries_.find(found->second);
  deleted_bytes_ -= BytesOf(entry->second);
  free_bits_.push_back(entry->second.bit);
  log_.erase(change);
  entries_.erase(entry);
  deleted_.erase(found);
  forgotten_ = change;
  std::vector<std::shared_ptr<Watcher>> behind;
  for (auto next = watchers_.begin(); next != watchers_.end();) {
    if (next->second->position >= change) {
      ++next;
    } else {
      behind.push_back(std::move(next->second));
      next = watchers_.erase(next);
    }
  }
  for (const auto& watcher : behind) {
    watcher->gone = true;
    watcher->exits.finish(WatchTooSlow());
  }
}

absl::StatusOr<WatchHub::WatcherId> WatchHub::Watch(Wish wish, Exits exits, Time now) {
  if (watchers_.size() >= options_.watchers_max) return TooManyWatchers(watchers_.size());
  auto watcher = std::make_shared<Watcher>();
  watcher->wish = std::move(wish);
  watcher->exits = std::move(exits);
  watcher->start = last_change_;
  watcher->position = last_change_;
  if (!watcher->wish.resume_token.empty()) TL_RETURN_IF_ERROR(Resume(*watcher));
  watcher->Rest(now);
  watchers_[++last_watcher_] = std::move(watcher);
  return last_watcher_;
}

bool WatchHub::EverybodyHasHeard(uint64_t change) const {
  return std::all_of(watchers_.begin(), watchers_.end(),
                     [&](const auto& each) { return each.second->position >= change; });
}

// Goes on where an earlier watch has ended. What is as it was then he knows if his filter takes it;
// what has changed since is taken to be known if it was there: better told twice of a deletion than
// never.
absl::Status WatchHub::Resume(Watcher& watcher) {
  TL_ASSIGN_OR_RETURN(const uint64_t position,
                      ReadResumeToken(watcher.wish.resume_token, epoch_, watcher.wish.filter_text));
  if (position > last_change_ || position < forgotten_) return ResumeTokenExpired();
  watcher.listing = false;
  watcher.position = position;
  for (auto& [name, entry] : entries_) {
    // That deletion is not in the log any more, he will not be told of it.
    if (entry.gone > position) entry.gone = entry.added;
    const bool was_between = entry.gone <= position && position < entry.added;
    const bool was_there = entry.created <= position && !was_between;
    const bool is_taken = !entry.deleted && watcher.wish.filter.Matches(*entry.resource);
    watcher.SetKnows(entry, entry.changed > position ? was_there : is_taken);
  }
  return absl::OkStatus();
}

void WatchHub::Ready(WatcherId id, Time now) {
  const auto found = watchers_.find(id);
  if (found == watchers_.end()) return;
  Pump(std::shared_ptr<Watcher>(found->second), now);
}

void WatchHub::Leave(WatcherId id) {
  const auto found = watchers_.find(id);
  if (found == watchers_.end()) return;
  found->second->gone = true;
  watchers_.erase(found);
}

// Exits may make watchers come and go: not while the map is walked through.
void WatchHub::PumpAll(Time now) {
  std::vector<std::shared_ptr<Watcher>> all;
  all.reserve(watchers_.size());
  for (const auto& [id, watcher] : watchers_) all.push_back(watcher);
  for (const auto& watcher : all) Pump(watcher, now);
}

void WatchHub::Pump(const std::shared_ptr<Watcher>& watcher, Time now) {
  WatchEvent event;
  while (!watcher->gone && watcher->exits.writable() && Next(*watcher, event)) {
    watcher->Rest(now);
    watcher->exits.write(event);
  }
}

// The next thing to tell; false: there is none.
bool WatchHub::Next(Watcher& watcher, WatchEvent& event) {
  event = WatchEvent();
  if (watcher.listing && NextListed(watcher, event)) return true;
  return NextChanged(watcher, event);
}

bool WatchHub::NextListed(Watcher& watcher, WatchEvent& event) {
  for (auto next = entries_.upper_bound(watcher.listed); next != entries_.end(); ++next) {
    watcher.listed = next->first;
    // What has come since stands in the log, behind his tokens from before it.
    const bool was_there = !next->second.deleted && next->second.added <= watcher.start;
    if (was_there && Tell(watcher, next->second, event)) return true;
  }
  watcher.listing = false;
  return false;
}

bool WatchHub::NextChanged(Watcher& watcher, WatchEvent& event) {
  for (;;) {
    const auto next = log_.upper_bound(watcher.position);
    if (!watcher.synced && (next == log_.end() || next->first > watcher.start)) {
      watcher.synced = true;
      event.kind = WatchEvent::Kind::kSynced;
      event.resume_token = Token(watcher);
      return true;
    }
    if (next == log_.end()) return false;
    watcher.position = next->first;
    if (!Tell(watcher, *next->second, event)) continue;
    event.resume_token = Token(watcher);
    return true;
  }
}

// What this watcher has to know of the resource; false: nothing.
bool WatchHub::Tell(Watcher& watcher, const Entry& entry, WatchEvent& event) {
  const bool knows = watcher.Knows(entry);
  const bool matches = !entry.deleted && watcher.wish.filter.Matches(*entry.resource);
  if (!knows && !matches) return false;
  event.kind = !matches ? WatchEvent::Kind::kDeleted
               : knows  ? WatchEvent::Kind::kModified
                        : WatchEvent::Kind::kAdded;
  event.resource = entry.resource;
  event.change = entry.changed;
  watcher.SetKnows(entry, matches);
  return true;
}

std::string WatchHub::Token(const Watcher& watcher) const {
  return MakeResumeToken(epoch_, watcher.wish.filter_text, watcher.position);
}

void WatchHub::Tick(Time now) {
  std::vector<std::shared_ptr<Watcher>> due;
  for (const auto& [id, watcher] : watchers_) {
    if (watcher->deadline <= now) due.push_back(watcher);
  }
  for (const auto& watcher : due) {
    if (watcher->gone) continue;
    watcher->Rest(now);
    // Who is not writable is being told something else.
    if (!watcher->exits.writable() || !watcher->synced) continue;
    WatchEvent event;
    event.kind = WatchEvent::Kind::kBookmark;
    event.resume_token = Token(*watcher);
    watcher->exits.write(event);
  }
}

Time WatchHub::NextDeadline() const {
  Time next = kNever;
  for (const auto& [id, watcher] : watchers_) next = std::min(next, watcher->deadline);
  return next;
}

}  // namespace trunkline::api
