#include "control/daemon/trace_api.h"

#include <time.h>

#include <utility>
#include <variant>

#include "absl/strings/str_replace.h"
#include "absl/time/time.h"
#include "control/config/collection.h"
#include "control/config/resource.h"
#include "control/config/schema.h"
#include "control/config/text.h"
#include "control/daemon/event_feed.h"

namespace trunkline::daemon {
namespace {

using config::Concat;

int64_t MillisecondsSince1970() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

}  // namespace

TraceApi::TraceApi(Random& random, std::function<Time()> clock, api::LogFeed& logs)
    : events_(absl::StrReplaceAll(config::MakeUuid(random), {{"-", ""}}),
              {.clock = clock, .wall_clock = MillisecondsSince1970}),
      log_levels_({.clock = clock, .wall_clock = MillisecondsSince1970}),
      log_watches_(logs),
      clock_(std::move(clock)) {}

api::Handlers TraceApi::MakeHandlers(Router& router, const store::Store& store) {
  streams_ = std::make_unique<api::TraceStreams>(api::TraceStreams::Hooks{
      .open_tap = [&router](const TapSpec& spec) { return router.OpenTap(spec); },
      .open_frames = [&router](const FrameTraceSpec& spec) { return router.OpenFrameTrace(spec); },
      .take_samples = [&router](uint64_t number) { return router.TakeSamples(number); },
      .take_frames = [&router](uint64_t number) { return router.TakeFrames(number); },
      .stop = [&router](uint64_t number) { router.StopLooking(number); },
      .is_there = [&router](uint64_t connection) { return router.IsThere(connection); },
      .clock = clock_,
      .wall_clock = MillisecondsSince1970,
      .document = [&store]() -> const config::Document& { return store.effective(); }});
  api::Handlers handlers = events_.MakeHandlers();
  handlers.merge(log_levels_.MakeHandlers());
  handlers.merge(log_watches_.MakeHandlers());
  handlers.merge(streams_->MakeHandlers());
  return handlers;
}

void TraceApi::OnWoken() {
  log_watches_.OnWoken();
  if (streams_ != nullptr) streams_->OnWoken();
}

void TraceApi::OnTime(Time now) {
  events_.OnTime(now);
  log_levels_.OnTime(now);
}

void TraceApi::OnEvent(const RouterEvent& event) {
  if (auto happening = ToHappening(event)) Tell(*std::move(happening));
  const auto* gone = std::get_if<ConnectionDown>(&event);
  if (gone != nullptr && streams_ != nullptr) streams_->OnConnectionGone(gone->id);
  if (std::holds_alternative<EventsLost>(event) && streams_ != nullptr) streams_->OnEventsLost();
}

void TraceApi::Tell(api::Events::Happening happening) {
  if (happening.type == "connection.failed") {
    const Time now = clock_();
    if (failures_ == 0 || now - failures_since_ >= kSecond) {
      failures_since_ = now;
      failures_ = 0;
    }
    if (++failures_ > kFailuresPerSecond) {
      ++failures_not_told_;
      return;
    }
    const uint64_t not_told = std::exchange(failures_not_told_, 0);
    if (not_told > 0) happening.fields.emplace_back("not_told", Concat(not_told));
  }
  events_.Add(std::move(happening));
}

void TraceApi::OnChanged(const std::vector<store::Difference>& differences) {
  for (const store::Difference& difference : differences) events_.Add(ToHappening(difference));
}

void TraceApi::OnRouterChanged(const v1::Router& router, v1::Source source) {
  events_.Add(ToHappening(router, source));
}

void TraceApi::OnReloaded(const std::string& file, size_t changed) {
  events_.Add(
      {.type = "config.reloaded",
       .subject = "router",
       .message = Concat(changed, changed == 1 ? " resource has" : " resources have", " changed"),
       .fields = {{"file", file}, {"changed", Concat(changed)}}});
}

void TraceApi::OnReloadFailed(const std::string& file, const absl::Status& status) {
  const std::string error(config::View(status.message()));
  events_.Add({.type = "config.refused",
               .subject = "router",
               .message = "nothing was changed",
               .fields = {{"file", file}, {"error", error}}});
}

void TraceApi::OnDraining(Duration limit) {
  const std::string text = config::FormatDuration(limit.milliseconds());
  events_.Add({.type = "router.draining",
               .subject = "router",
               .message = Concat("nothing new is taken, what is under way has ", text),
               .fields = {{"limit", text}}});
}

void TraceApi::OnCertificate(const std::string& profile, const tls::CertificateInfo& leaf) {
  const std::string before = std::exchange(certificates_[profile], leaf.sha256);
  if (before.empty() || before == leaf.sha256) return;
  const std::string not_after = absl::FormatTime(
      "%Y-%m-%dT%H:%M:%SZ", absl::FromUnixSeconds(leaf.not_after), absl::UTCTimeZone());
  events_.Add(
      {.type = "certificate.rotated",
       .subject = config::ResourceName(config::kTlsProfiles, profile),
       .message = Concat(leaf.subject, ", good until ", not_after),
       .fields = {{"subject", leaf.subject}, {"not_after", not_after}, {"sha256", leaf.sha256}}});
}

void TraceApi::OnCertificateRefused(const std::string& profile, const absl::Status& why) {
  const std::string error(config::View(why.message()));
  events_.Add({.type = "certificate.refused",
               .subject = config::ResourceName(config::kTlsProfiles, profile),
               .message = Concat(error, "; the one in force stays"),
               .fields = {{"reason", tls::FaultOf(why)}, {"error", error}}});
}

}  // namespace trunkline::daemon
