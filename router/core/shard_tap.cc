#include <algorithm>
#include <utility>

#include "router/core/shard.h"
#include "router/core/shard_inline.h"
#include "router/core/tap.h"

// Messages that somebody looks at on their way.
namespace trunkline::core {
namespace {

// The first bytes of a message of which `only` has come behind what is held.
std::string FirstBytes(const Payload& held, const Slice& only, size_t bytes_max) {
  std::string bytes;
  const auto add = [&](std::string_view more) {
    bytes.append(more.substr(0, bytes_max - bytes.size()));
  };
  for (const Slice& slice : held.slices()) add(slice.view());
  add(only.view());
  return bytes;
}

// The address in the message itself: of those of anonymous links.
std::string AddressIn(std::string_view first, bool whole) {
  amqp::Sections sections;
  const amqp::ScanResult result = amqp::Scan(first, whole, amqp::Depth::kProperties, sections);
  if (result == amqp::ScanResult::kMalformed) return {};
  if (sections.router.to.has_value()) return *sections.router.to;
  return std::string(sections.to.value_or(""));
}

}  // namespace

// As Forward, and tells those who look.
void Shard::ForwardTapped(InDelivery& in, Slice&& only) {
  LookForTaps(in, only);
  tap_targets_.clear();
  const Handle<InDelivery> handle = in_deliveries_.HandleOf(in);
  tapping_ = true;
  Forward(in, std::move(only));
  tapping_ = false;
  if (tapped_.empty()) return;
  // It may have ended: nobody got it then.
  if (InDelivery* alive = in_deliveries_.Find(handle); alive != nullptr && alive->forwarded) {
    ForEachCopy(*alive, [this](const OutDelivery& out) {
      tap_targets_.push_back({out.link->connection->info.id, out.link->number});
    });
  }
  for (auto& [tap, sample] : tapped_) {
    sample.copies = static_cast<uint32_t>(tap_targets_.size());
    const size_t shown = std::min(tap_targets_.size(), kTapTargetsMax);
    sample.to.assign(tap_targets_.begin(), tap_targets_.begin() + static_cast<ptrdiff_t>(shown));
    tap->Push(options_.id, std::move(sample));
  }
  tapped_.clear();
}

// The samples to be made of a message, but for where it goes.
void Shard::LookForTaps(const InDelivery& in, const Slice& only) {
  tapped_.clear();
  const InLink& link = *in.link;
  std::string address = link.address;
  if (link.anonymous) {
    const std::string first = FirstBytes(in.held, only, kTapHeadBytes);
    address = AddressIn(first, in.complete && first.size() == in.received);
  }
  for (const std::shared_ptr<Tap>& tap : tables_.taps->taps) {
    if (!tap->Wants(options_.id, address, options_.identity, now_)) continue;
    TapSample sample;
    sample.at = now_;
    sample.from = {link.connection->info.id, link.number};
    sample.address = address;
    sample.size = in.received;
    sample.message_format = in.message_format;
    sample.complete = in.complete;
    sample.settled = in.presettled;
    sample.bytes = FirstBytes(in.held, only, tap->bytes_max());
    tapped_.emplace_back(tap.get(), std::move(sample));
  }
}

}  // namespace trunkline::core
