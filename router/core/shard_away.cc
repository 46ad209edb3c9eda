#include <memory>
#include <utility>

#include "router/core/settle.h"
#include "router/core/shard.h"
#include "router/core/shard_inline.h"

// Deliveries whose copies are in other shards, as the shard of their producer handles them.
namespace trunkline::core {

using amqp::Outcome;

std::vector<Envelope>& Shard::MailTo(ShardId shard) {
  if (shard >= outbox_.to_shard.size()) outbox_.to_shard.resize(shard + size_t{1});
  return outbox_.to_shard[shard];
}

// --- sending

// The message as a consumer is to see it. What is rewritten stays held as it came: should it come
// back, its annotations are those of the producer again.
Payload Shard::PayloadFor(InDelivery& in, const amqp::Sections& sections, const Route& route,
                          bool strip) {
  if (!strip || sections.router.any) return Rewrite(in, sections, route, strip);
  return std::exchange(in.held, {});
}

// What all unicasts and multicasts take along.
core::Deliver Shard::Envelop(const InDelivery& in, bool strip, Payload&& payload) {
  core::Deliver mail;
  mail.in = in_deliveries_.HandleOf(in);
  mail.payload = Parcel::Pack(std::move(payload));
  mail.received = in.received;
  mail.arrived = in.arrived;
  mail.message_format = in.message_format;
  mail.strip = strip;
  mail.presettled = in.presettled;
  mail.complete = in.complete;
  // Those that came while the window was not tight hold less than a part of it, so the others can
  // always go on.
  const Connection& connection = *in.link->connection;
  mail.eager = !in.complete || connection.unreleased >= PressureMark(connection) / 2;
  return mail;
}

// To one consumer in another shard. The message is held.
void Shard::SendAway(InDelivery& in, const amqp::Sections& sections, const Route& route,
                     const Choice& choice) {
  LeaveAssembly(in);
  in.forwarded = true;
  in.open = 1;
  in.crossing = Crossing::kAway;
  in.copy = {.shard = choice.shard, .delivery = {}};
  in.strip = choice.target->strip;
  in.overdue = false;
  core::Deliver mail = Envelop(in, in.strip, PayloadFor(in, sections, route, in.strip));
  mail.to = choice.target->link;
  mail.counted = route.treatment == Treatment::kBalanced && route.local_count > 1;
  if (mail.counted) choice.target->load->AddMailed(1);
  MailTo(choice.shard).emplace_back(std::move(mail));
  if (tapping_) [[unlikely]]
    tap_targets_.push_back(choice.target->name);
  NoteMailed(*in.link, choice.shard);
  if (in.presettled) ReturnCredit(in);
}

// Those of a multicast that get the same message in the same shard are sent to at once.
void Shard::Group(ShardId shard, const std::vector<LocalTarget>& targets) {
  RemoteGroup groups[2];
  for (const LocalTarget& target : targets) {
    if (tapping_) [[unlikely]]
      tap_targets_.push_back(target.name);
    RemoteGroup& group = groups[target.strip];
    if (!group.to) {
      group.to = target.link;
      continue;
    }
    if (group.also_to == nullptr) group.also_to = std::make_unique<std::vector<Handle<OutLink>>>();
    group.also_to->push_back(target.link);
  }
  for (const bool strip : {false, true}) {
    if (!groups[strip].to) continue;
    groups[strip].shard = shard;
    groups[strip].strip = strip;
    groups_.push_back(std::move(groups[strip]));
  }
}

void Shard::SendAway(InDelivery& in, const amqp::Sections& sections, const Route& route,
                     RemoteGroup& group) {
  const bool as_it_is = group.strip && !sections.router.any;
  Payload payload = as_it_is ? in.held : RewriteOnce(in, sections, route, group.strip);
  core::Deliver mail = Envelop(in, group.strip, std::move(payload));
  mail.to = group.to;
  mail.also_to = std::move(group.also_to);
  mail.multicast = true;
  MailTo(group.shard).emplace_back(std::move(mail));
  fan_outs_[in.fan_out].remote.push_back({.shard = group.shard, .strip = group.strip});
}

void Shard::SendMore(InDelivery& in, Payload&& more) {
  // What was sent so far may be on its way back.
  if (in.link->hold != nullptr) return AddLate(in, more);
  MailMore(in, std::move(more));
  if (in.waiting) NoteWaiting(in);
}

void Shard::MailMore(InDelivery& in, Payload&& more) {
  MailTo(in.copy.shard)
      .emplace_back(More{.in = in_deliveries_.HandleOf(in),
                         .payload = Parcel::Pack(std::move(more)),
                         .strip = in.strip,
                         .complete = in.complete});
}

// To the other shards that have copies of a multicast.
void Shard::SendMoreToAll(InDelivery& in, const Payload& more) {
  for (const RemoteCopies& copies : fan_outs_[in.fan_out].remote) {
    if (!copies.open) continue;
    MailTo(copies.shard)
        .emplace_back(More{.in = in_deliveries_.HandleOf(in),
                           .payload = Parcel::Pack(Payload(more)),
                           .strip = copies.strip,
                           .complete = in.complete});
  }
  if (in.waiting) NoteWaiting(in);
}

// Nothing is left of what `in` has in other shards, whatever they will say about it.
void Shard::AbortAway(InDelivery& in) {
  const auto abort = [&](ShardId shard, bool strip) {
    MailTo(shard).emplace_back(
        More{.in = in_deliveries_.HandleOf(in), .payload = {}, .strip = strip, .aborted = true});
  };
  if (in.crossing == Crossing::kAway) {
    in.crossing = Crossing::kNone;
    abort(in.copy.shard, in.strip);
  }
  if (in.fan_out == InDelivery::kNoFanOut) return;
  for (RemoteCopies& copies : fan_outs_[in.fan_out].remote) {
    if (std::exchange(copies.open, false)) abort(copies.shard, copies.strip);
  }
}

// The producer's word.
void Shard::SayAway(const InDelivery& in, const Outcome& outcome, bool settled) {
  const auto say = [&](ShardId shard, bool strip) {
    MailTo(shard).emplace_back(ProducerSays{
        .in = in_deliveries_.HandleOf(in), .outcome = outcome, .strip = strip, .settled = settled});
  };
  if (in.crossing == Crossing::kAway) say(in.copy.shard, in.strip);
  if (in.fan_out == InDelivery::kNoFanOut) return;
  for (const RemoteCopies& copies : fan_outs_[in.fan_out].remote) {
    if (copies.open) say(copies.shard, copies.strip);
  }
}

// --- answers

// Late ones, about what was aborted or has ended, find nothing.
void Shard::On(ShardId from, Answer&& mail) {
  InDelivery* in = in_deliveries_.Find(mail.in);
  if (in == nullptr) return;
  if (in->crossing == Crossing::kAway) {
    if (in->copy.shard == from && in->strip == mail.strip) HearAway(*in, mail);
    return;
  }
  if (in->fan_out == InDelivery::kNoFanOut) return;
  for (RemoteCopies& copies : fan_outs_[in->fan_out].remote) {
    if (copies.open && copies.shard == from && copies.strip == mail.strip) {
      return HearAway(*in, copies, mail);
    }
  }
}

// `in` may have ended on return.
void Shard::HearAway(InDelivery& in, const Answer& mail) {
  if (!in.held.empty()) in.held.Clear();  // it will not come back
  HearWaiting(in, mail);
  Pass(in, mail.passed);
  if (mail.has_outcome) Tell(in, mail.outcome, mail.settled);
  if (!mail.done) return;
  in.crossing = Crossing::kNone;
  in.open = 0;
  Pass(in, in.received);
  EndIfDone(in);
}

// Likewise.
void Shard::HearAway(InDelivery& in, RemoteCopies& copies, const Answer& mail) {
  HearWaiting(in, mail);
  if (mail.passed > copies.passed) {
    const bool was_slowest = copies.passed == in.passed;
    copies.passed = mail.passed;
    if (was_slowest && --in.slowest == 0) PassSlowest(in);
  }
  if (mail.has_outcome && !in.settled) {
    Aggregate(in, copies.decided, MeaningOf(mail.outcome.kind), mail.settled);
  }
  if (!mail.done) return;
  copies.open = false;
  --in.open;
  if (copies.passed == in.passed && --in.slowest == 0) PassSlowest(in);
  EndIfDone(in);
}

// A multicast that goes on in one shard may still wait in another.
void Shard::HearWaiting(InDelivery& in, const Answer& mail) {
  in.waiting = mail.waiting || (in.waiting && in.multicast);
  if (in.waiting) NoteWaiting(in);
}

// The other shard knows whether it still waits.
void Shard::LoseAway(InDelivery& in) {
  in.waiting = false;
  const auto lose = [&](ShardId shard, bool strip) {
    MailTo(shard).emplace_back(
        More{.in = in_deliveries_.HandleOf(in), .payload = {}, .strip = strip, .lose = true});
  };
  if (in.crossing == Crossing::kAway) lose(in.copy.shard, in.strip);
  if (in.fan_out == InDelivery::kNoFanOut) return;
  for (const RemoteCopies& copies : fan_outs_[in.fan_out].remote) {
    if (copies.open) lose(copies.shard, copies.strip);
  }
}

}  // namespace trunkline::core
