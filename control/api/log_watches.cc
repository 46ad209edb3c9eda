#include "control/api/log_watches.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "control/api/log_levels.h"
#include "control/api/resume_token.h"

namespace trunkline::api {

struct LogWatches::Watcher {
  std::shared_ptr<Call> call;
  v1::LogLevel level = v1::LOG_LEVEL_UNSPECIFIED;
  std::string module;           // empty: all
  uint64_t position = 0;        // the next record to look at
  std::optional<uint64_t> end;  // the first that is not told any more
  uint64_t lost = 0;            // not told yet

  bool Wants(const v1::LogRecord& record) const {
    return record.level() >= level && (module.empty() || record.module() == module);
  }
};

Handlers LogWatches::MakeHandlers() {
  Handlers handlers;
  handlers["TraceService/WatchLogs"] = [this](const auto& call) { Watch(call); };
  return handlers;
}

void LogWatches::Watch(const std::shared_ptr<Call>& call) {
  if (watchers_.size() >= kWatchersMax) return call->Finish(TooManyWatchers(watchers_.size()));
  const auto& request = call->As<v1::WatchLogsRequest>();
  if (!request.module().empty()) {
    const auto module = ModuleOf(request.module());
    if (!module.ok()) return call->Finish(module.status());
  }
  if (absl::Status level = CheckLevel(request.level()); !level.ok()) return call->Finish(level);
  const auto watcher = std::make_shared<Watcher>();
  watcher->call = call;
  watcher->level = request.level();
  watcher->module = request.module();
  const uint64_t next = feed_.next();
  const uint64_t past = next - feed_.oldest();
  watcher->position = next - std::min<uint64_t>(request.has_tail() ? request.tail() : past, past);
  if (!request.follow()) watcher->end = next;
  watchers_.push_back(watcher);
  // The watcher holds the call, the call no more than a weak reference to the watcher.
  const std::weak_ptr<Watcher> self = watcher;
  call->OnWritable([this, self] {
    if (const auto alive = self.lock()) Pump(*alive);
  });
  call->OnGone([this, self] {
    if (const auto alive = self.lock()) Remove(*alive);
  });
  Pump(*watcher);
}

void LogWatches::OnWoken() {
  // Watchers go while they are told.
  for (auto next = watchers_.begin(); next != watchers_.end();) {
    const std::shared_ptr<Watcher> watcher = *next++;
    Pump(*watcher);
  }
}

// Writes the next record that is wanted, if one can be written. When it has left, the next follows.
void LogWatches::Pump(Watcher& watcher) {
  constexpr size_t kBatch = 32;
  // Before the look: what comes behind it wakes control.
  feed_.WakeAtNext();
  while (watcher.call->writable()) {
    const LogFeed::Batch batch = feed_.Read(watcher.position, kBatch);
    watcher.lost += batch.first - watcher.position;
    watcher.position = batch.first;
    const bool over = watcher.end && watcher.position >= *watcher.end;
    if (over) return End(watcher);
    if (batch.records.empty()) return;
    for (const auto& record : batch.records) {
      if (!watcher.call->writable()) return;
      if (watcher.end && watcher.position >= *watcher.end) break;
      ++watcher.position;
      if (watcher.Wants(*record)) Tell(watcher, *record);
    }
  }
}

void LogWatches::Tell(Watcher& watcher, const v1::LogRecord& record) {
  v1::WatchLogsResponse answer;
  *answer.mutable_record() = record;
  answer.set_lost(std::exchange(watcher.lost, 0));
  watcher.call->Write(answer);
}

void LogWatches::End(Watcher& watcher) {
  const std::shared_ptr<Call> call = watcher.call;
  Remove(watcher);
  call->Finish(absl::OkStatus());
}

void LogWatches::Remove(const Watcher& watcher) {
  watchers_.remove_if([&](const auto& each) { return each.get() == &watcher; });
}

}  // namespace trunkline::api
