#include <algorithm>
#include <utility>

#include "router/core/settle.h"
#include "router/core/shard.h"
#include "router/core/shard_inline.h"

// Copies of deliveries that came to other shards: a stand-in takes the place of the producer's
// half, and answers.
namespace trunkline::core {
namespace {

// Bytes passed on from which on the other half is told although there are more to come.
constexpr uint64_t kPassStep = 64 * 1024;

}  // namespace

// --- from the other half

void Shard::On(ShardId from, core::Deliver&& mail) {
  if (mail.multicast) return FanOutStandIn(from, std::move(mail));
  OutLink* link = out_links_.Find(mail.to);
  if (link == nullptr) {
    MailTo(from).emplace_back(Bounced{.in = mail.in, .payload = std::move(mail.payload)});
    return;
  }
  if (mail.counted) link->load->AddMailed(-1);
  InDelivery& in = MakeStandIn(from, mail);
  in.open = 1;
  OutDelivery& out = Enqueue(in, *link);
  out.payload = Unpack(from, mail.payload);
  Pass(in, Position(in, out));
}

void Shard::FanOutStandIn(ShardId from, core::Deliver&& mail) {
  const Payload payload = Unpack(from, mail.payload);
  chosen_.clear();
  if (OutLink* link = out_links_.Find(mail.to)) chosen_.push_back(link);
  if (mail.also_to != nullptr) {
    for (const Handle<OutLink> to : *mail.also_to) {
      if (OutLink* link = out_links_.Find(to)) chosen_.push_back(link);
    }
  }
  if (chosen_.empty()) {
    if (mail.presettled) stats_.Drop(DropReason::kNoConsumer);
    MailTo(from).emplace_back(Answer{.in = mail.in,
                                     .outcome = ReleasedOutcome(),
                                     .strip = mail.strip,
                                     .has_outcome = true,
                                     .settled = true,
                                     .done = true});
    return;
  }
  InDelivery& in = MakeStandIn(from, mail);
  in.multicast = true;
  ExpectCopies(in, chosen_.size());
  for (OutLink* link : chosen_) Enqueue(in, *link).payload = payload;
  PassSlowest(in);
}

Payload Shard::Unpack(ShardId from, Parcel& parcel) {
  if (from >= stand_ins_.size()) stand_ins_.resize(from + size_t{1});
  return parcel.Unpack(pool_);
}

InDelivery& Shard::MakeStandIn(ShardId from, const core::Deliver& mail) {
  InDelivery& in = in_deliveries_.Emplace();
  in.crossing = Crossing::kStandIn;
  in.origin = mail.in.Pack();
  in.origin_shard = from;
  in.strip = mail.strip;
  in.eager = mail.eager;
  in.message_format = mail.message_format;
  in.received = mail.received;
  in.arrived = mail.arrived;
  in.presettled = mail.presettled;
  in.settled = mail.presettled;
  in.complete = mail.complete;
  in.forwarded = true;
  in.credit_returned = true;
  ++stand_in_count_;
  if (from >= stand_ins_.size()) stand_ins_.resize(from + size_t{1});
  std::vector<Handle<InDelivery>>& places = stand_ins_[from].by_index[mail.strip];
  if (mail.in.index >= places.size()) places.resize(mail.in.index + size_t{1});
  places[mail.in.index] = in_deliveries_.HandleOf(in);
  return in;
}

InDelivery* Shard::FindStandIn(ShardId from, Handle<InDelivery> origin, bool strip) {
  if (from >= stand_ins_.size()) return nullptr;
  const std::vector<Handle<InDelivery>>& places = stand_ins_[from].by_index[strip];
  if (origin.index >= places.size()) return nullptr;
  InDelivery* in = in_deliveries_.Find(places[origin.index]);
  // The place may be that of an earlier one, whose own place is that of something else by now.
  const bool is_it = in != nullptr && in->crossing == Crossing::kStandIn &&
                     in->origin == origin.Pack() && in->origin_shard == from && in->strip == strip;
  return is_it ? in : nullptr;
}

void Shard::On(ShardId from, More&& mail) {
  InDelivery* in = FindStandIn(from, mail.in, mail.strip);
  if (in == nullptr) {
    if (mail.aborted || mail.lose) return;
    MailTo(from).emplace_back(Bounced{.in = mail.in, .payload = std::move(mail.payload)});
    return;
  }
  if (mail.aborted) {
    ForgetStandIn(*in);  // nobody wants to hear of it any more
    return Abort(*in);
  }
  if (mail.lose) return LoseWaiting(*in);
  Payload more = Unpack(from, mail.payload);
  in->received += more.bytes();
  in->complete = mail.complete;
  Append(*in, std::move(more));
}

void Shard::On(ShardId from, ProducerSays&& mail) {
  InDelivery* in = FindStandIn(from, mail.in, mail.strip);
  if (in != nullptr) HearProducer(*in, mail.outcome, mail.settled);
}

// --- to the other half

// The answer to `in` that is written last, as long as nothing else was written there since.
Answer& Shard::AnswerFor(const InDelivery& in) {
  const auto origin = Handle<InDelivery>::Unpack(in.origin);
  std::vector<Envelope>& mail = MailTo(in.origin_shard);
  if (!mail.empty()) {
    Answer* last = std::get_if<Answer>(&mail.back());
    if (last != nullptr && last->in == origin && last->strip == in.strip) return *last;
  }
  Answer answer;
  answer.in = origin;
  answer.strip = in.strip;
  return std::get<Answer>(mail.emplace_back(std::move(answer)));
}

// As Pass, of what has no producer here.
void Shard::PassAway(InDelivery& in, uint64_t position) {
  if (in.crossing != Crossing::kStandIn) return;
  in.passed = position;
  const bool all = position == in.received;
  if (position - in.released < kPassStep && !(all && in.eager)) return;
  in.released = position;
  AnswerFor(in).passed = position;
}

void Shard::TellAway(InDelivery& in, const amqp::Outcome& outcome, bool settled) {
  if (amqp::IsTerminal(outcome.kind)) in.told = true;
  in.settled = settled;
  Answer* answer = &AnswerFor(in);
  if (answer->has_outcome) {
    Answer next;
    next.in = answer->in;
    next.strip = answer->strip;
    answer = &std::get<Answer>(MailTo(in.origin_shard).emplace_back(std::move(next)));
  }
  answer->outcome = outcome;
  answer->has_outcome = true;
  answer->settled = settled;
}

void Shard::SayWaiting(InDelivery& in) {
  if (in.waiting) return;
  in.waiting = true;
  AnswerFor(in).waiting = true;
}

// `in` may have ended on return.
void Shard::LoseWaiting(InDelivery& in) {
  in.waiting = false;
  ++in.open;
  ForEachCopy(in, [&](OutDelivery& out) {
    if (Waits(out)) Lose(out, ReleasedOutcome());
  });
  --in.open;
  EndIfDone(in);
}

void Shard::EndStandIn(InDelivery& in) {
  AnswerFor(in).done = true;
  ForgetStandIn(in);
}

void Shard::ForgetStandIn(InDelivery& in) {
  in.crossing = Crossing::kNone;
  --stand_in_count_;
}

// --- references of blocks

void Shard::MailReturns(size_t blocks_min) {
  thread_.Assert();
  // Only those that sent something have any here.
  for (ShardId to = 0; to < stand_ins_.size(); ++to) {
    const size_t blocks = pool_.returns(to);
    if (blocks == 0) continue;
    if (blocks < blocks_min && MailTo(to).empty()) continue;
    MailTo(to).emplace_back(Returns{pool_.TakeReturns(to)});
  }
}

void Shard::On(ShardId, Returns&& mail) { BlockPool::AcceptReturns(mail.blocks); }

}  // namespace trunkline::core
