#include "router/net/tracing.h"

#include <algorithm>
#include <utility>

#include "router/amqp/describe.h"
#include "router/base/status.h"

namespace trunkline::net {
namespace {

// Frames that wait to be read, of each worker; they come in bursts.
constexpr size_t kFramesMax = 1024;

LinkId IdOf(core::LinkName name) { return {name.connection, name.link}; }

// Decoded here, as workers have better things to do.
MessageSample Describe(core::TapSample&& seen, uint32_t body_bytes) {
  MessageSample sample;
  sample.at = seen.at;
  sample.from = IdOf(seen.from);
  sample.address = std::move(seen.address);
  for (const core::LinkName name : seen.to) sample.to.push_back(IdOf(name));
  sample.copies = seen.copies;
  sample.size = seen.size;
  sample.message_format = seen.message_format;
  sample.complete = seen.complete;
  sample.settled = seen.settled;
  amqp::MessageText text = amqp::DescribeMessage(seen.bytes);
  sample.header = std::move(text.header);
  sample.delivery_annotations = std::move(text.delivery_annotations);
  sample.message_annotations = std::move(text.message_annotations);
  sample.properties = std::move(text.properties);
  sample.application_properties = std::move(text.application_properties);
  sample.body = std::string(text.body.substr(0, body_bytes));
  sample.cut = text.cut;
  return sample;
}

template <typename T>
void SortByTime(std::vector<T>& samples) {
  std::stable_sort(samples.begin(), samples.end(),
                   [](const T& a, const T& b) { return a.at < b.at; });
}

}  // namespace

absl::StatusOr<Tracing::Id> Tracing::Open(const TapSpec& spec) {
  core::TapOptions options;
  options.address = spec.address;
  options.one_in = std::max(spec.one_in, 1u);
  options.body_bytes = spec.body_bytes;
  options.queue = {.workers = workers_, .per_second = spec.per_second, .wake = wake_};
  TL_ASSIGN_OR_RETURN(auto tap, core::Tap::Open(std::move(options)));
  taps_[++last_] = std::move(tap);
  return last_;
}

Tracing::Id Tracing::Open(const FrameTraceSpec& spec) {
  conn::FrameQueue::Options options{
      .workers = workers_, .samples_max = kFramesMax, .per_second = spec.per_second, .wake = wake_};
  frames_[++last_] = {.connection = spec.connection,
                      .owner = spec.owner,
                      .inbound = spec.inbound,
                      .queue = std::make_shared<conn::FrameQueue>(std::move(options))};
  CollectWishes();
  return last_;
}

void Tracing::Close(Id id) {
  taps_.erase(id);
  if (frames_.erase(id) > 0) CollectWishes();
}

std::shared_ptr<const core::TapSet> Tracing::taps() const {
  if (taps_.empty()) return nullptr;
  auto set = std::make_shared<core::TapSet>();
  for (const auto& [id, tap] : taps_) set->taps.push_back(tap);
  return set;
}

void Tracing::CollectWishes() {
  auto wishes = std::make_shared<conn::FrameWishes>();
  for (const auto& [id, wish] : frames_) wishes->push_back(wish);
  wishes_ = frames_.empty() ? nullptr : std::move(wishes);
}

Samples<MessageSample> Tracing::TakeSamples(Id id) {
  const auto found = taps_.find(id);
  if (found == taps_.end()) return {};
  core::Tap& tap = *found->second;
  Samples<MessageSample> taken;
  tap.queue().Take([&](core::TapSample&& seen) {
    taken.samples.push_back(Describe(std::move(seen), tap.body_bytes()));
  });
  SortByTime(taken.samples);
  taken.dropped = tap.queue().dropped();
  taken.limited = tap.queue().limited();
  return taken;
}

Samples<TracedFrame> Tracing::TakeFrames(Id id) {
  const auto found = frames_.find(id);
  if (found == frames_.end()) return {};
  conn::FrameQueue& queue = *found->second.queue;
  Samples<TracedFrame> taken;
  queue.Take([&](conn::FrameLine&& line) {
    taken.samples.push_back({line.at, line.connection, line.outgoing, std::move(line.text)});
  });
  SortByTime(taken.samples);
  taken.dropped = queue.dropped();
  taken.limited = queue.limited();
  return taken;
}

}  // namespace trunkline::net
