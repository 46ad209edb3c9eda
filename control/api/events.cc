#include "control/api/events.h"

#include <algorithm>
#include <optional>

#include "control/api/heartbeat.h"
#include "control/api/resume_token.h"
#include "control/config/characters.h"
#include "control/config/error_details.h"
#include "control/config/text.h"
#include "router/base/status.h"

namespace trunkline::api {
namespace {

// Of each text of an event: so the ring is bounded.
constexpr size_t kTextBytesMax = 512;

std::string Kept(std::string_view text) {
  return config::Shorten(config::ToUtf8(text.substr(0, kTextBytesMax)), kTextBytesMax);
}

}  // namespace

struct Events::Watcher {
  std::shared_ptr<Call> call;
  Filter filter;
  std::string filter_text;
  Duration heartbeat;
  uint64_t position = 0;  // the next event to look at
  bool past_told = false;
  Time deadline = kNever;  // for a bookmark

  void Rest(Time now) { deadline = heartbeat == Duration{} ? kNever : now + heartbeat; }
};

Events::Events(std::string epoch, Hooks hooks, Options options)
    : epoch_(std::move(epoch)), hooks_(std::move(hooks)), options_(options) {}

Handlers Events::MakeHandlers() {
  Handlers handlers;
  handlers["RouterService/WatchEvents"] = [this](const auto& call) { Watch(call); };
  return handlers;
}

void Events::Add(Happening happening) {
  auto event = std::make_shared<v1::Event>();
  const int64_t now = hooks_.wall_clock();
  event->mutable_time()->set_seconds(now / 1000);
  event->mutable_time()->set_nanos(static_cast<int32_t>(now % 1000) * 1'000'000);
  event->set_type(std::move(happening.type));
  event->set_subject(Kept(happening.subject));
  event->set_message(Kept(happening.message));
  for (const auto& [name, text] : happening.fields) {
    if (!text.empty()) (*event->mutable_fields())[name] = Kept(text);
  }
  ring_.push_back(std::move(event));
  ++next_;
  if (ring_.size() > options_.events_max) ring_.pop_front();
  news_ = true;
}

void Events::Watch(const std::shared_ptr<Call>& call) {
  if (watchers_.size() >= options_.watchers_max) {
    return call->Finish(TooManyWatchers(watchers_.size()));
  }
  auto made = MakeWatcher(*call);
  if (!made.ok()) return call->Finish(made.status());
  const std::shared_ptr<Watcher> watcher = *std::move(made);
  watcher->call = call;
  watchers_.push_back(watcher);
  // The watcher holds the call, the call no more than a weak reference to the watcher.
  const std::weak_ptr<Watcher> self = watcher;
  call->OnWritable([this, self] {
    if (const auto alive = self.lock()) Pump(*alive, hooks_.clock());
  });
  call->OnGone([this, self] {
    if (const auto alive = self.lock()) watchers_.remove(alive);
  });
  const Time now = hooks_.clock();
  watcher->Rest(now);
  Pump(*watcher, now);
}

absl::StatusOr<std::shared_ptr<Events::Watcher>> Events::MakeWatcher(const Call& call) const {
  const auto& request = call.As<v1::WatchEventsRequest>();
  auto watcher = std::make_shared<Watcher>();
  watcher->filter_text = request.filter();
  TL_ASSIGN_OR_RETURN(watcher->filter, Filter::Parse(request.filter(), *v1::Event::descriptor()));
  TL_ASSIGN_OR_RETURN(watcher->heartbeat, HeartbeatOf(request));
  watcher->position = next_ - std::min<uint64_t>(request.backlog(), ring_.size());
  if (request.resume_token().empty()) return watcher;
  TL_ASSIGN_OR_RETURN(watcher->position,
                      ReadResumeToken(request.resume_token(), epoch_, request.filter()));
  if (watcher->position < first() || watcher->position > next_) return ResumeTokenExpired();
  return watcher;
}

void Events::OnTime(Time now) {
  const bool news = std::exchange(news_, false);
  // Watchers go while they are told.
  for (auto next = watchers_.begin(); next != watchers_.end();) {
    const std::shared_ptr<Watcher> watcher = *next++;
    if (news || watcher->deadline <= now) Pump(*watcher, now);
  }
}

Time Events::due() const {
  if (news_) return Time();
  Time next = kNever;
  for (const auto& watcher : watchers_) next = std::min(next, watcher->deadline);
  return next;
}

void Events::Pump(Watcher& watcher, Time now) {
  if (watcher.position < first()) {
    watcher.call->Finish(WatchTooSlow());
    watchers_.remove_if([&](const auto& each) { return each.get() == &watcher; });
    return;
  }
  v1::WatchEventsResponse answer;
  while (watcher.call->writable() && Next(watcher, answer)) {
    watcher.Rest(now);
    watcher.call->Write(answer);
  }
  if (watcher.deadline > now) return;
  watcher.Rest(now);
  // Who is not writable is being told something else.
  if (!watcher.call->writable()) return;
  answer.mutable_bookmark();
  answer.set_resume_token(MakeResumeToken(epoch_, watcher.filter_text, watcher.position));
  watcher.call->Write(answer);
}

// The next thing to tell; false: there is none. Behind the past there is a bookmark.
bool Events::Next(Watcher& watcher, v1::WatchEventsResponse& answer) const {
  answer.Clear();
  while (watcher.position < next_) {
    const v1::Event& event = *ring_[watcher.position - first()];
    ++watcher.position;
    if (!watcher.filter.Matches(event)) continue;
    *answer.mutable_happened() = event;
    break;
  }
  if (!answer.has_happened()) {
    if (std::exchange(watcher.past_told, true)) return false;
    answer.mutable_bookmark();
  }
  answer.set_resume_token(MakeResumeToken(epoch_, watcher.filter_text, watcher.position));
  return true;
}

}  // namespace trunkline::api
