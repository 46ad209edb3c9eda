"""The bugs of mutants.py: each a text that is once in a file, and what to put there."""

import dataclasses


@dataclasses.dataclass
class Mutation:
    name: str
    breaks: str
    file: str
    text: str
    replacement: str
    shards: tuple = (2, 8)


AWAY = "router/core/shard_away.cc"
EMIT = "router/core/shard_emit.cc"
HOLD = "router/core/shard_hold.cc"
INLINE = "router/core/shard_inline.h"
SETTLE = "router/core/shard_settle.cc"
STAND_IN = "router/core/shard_stand_in.cc"
TRANSFER = "router/core/shard_transfer.cc"

# Finds what has the place of something that is gone.
NEXT_USER = "for (int i = 0; {found} == nullptr && i < 64; ++i) {{\n" \
            "    {handle}.generation += 2;\n" \
            "    {found} = {map}.Find({handle});\n" \
            "  }}\n"

MUTATIONS = [
    # --- fences, holds and bounces
    Mutation("lost_fence", "a fence is awaited that was not mailed",
             HOLD,
             "    MailTo(shard).emplace_back("
             "Fence{.link = in_links_.HandleOf(link), .number = ++last_fence_});\n",
             "    ++last_fence_;\n"),
    Mutation("fence_acked_at_once", "what comes after a departure does not wait",
             HOLD,
             "  departed &= link.mailed;\n  if (departed == 0) return;\n",
             "  link.mailed &= ~departed;\n  if (departed != UINT64_MAX) return;\n"),
    Mutation("anonymous_not_fenced", "links that send anywhere are not fenced",
             "router/core/shard.cc",
             "  if (!anywhere_.empty()) FenceOffAnywhere(departed);\n",
             ""),
    Mutation("departure_not_noted", "a consumer leaves a shard where others stay, and nobody knows",
             "router/mesh/directory.cc",
             "  ++links.gaps;\n  links.last_departure = ++departures_;\n",
             "  ++links.gaps;\n  ++departures_;\n"),
    Mutation("hold_ignored", "input of a held link is forwarded at once",
             TRANSFER,
             "  if (in.link->hold != nullptr) [[unlikely]]\n",
             "  if (in.link == nullptr) [[unlikely]]\n"),
    Mutation("bounced_out_of_order", "what waited in a hold is forwarded last first",
             HOLD,
             "    if (!in->forwarded) waiting.push_back(in_deliveries_.HandleOf(*in));\n",
             "    if (!in->forwarded) {\n"
             "      waiting.insert(waiting.begin(), in_deliveries_.HandleOf(*in));\n"
             "    }\n"),
    Mutation("bounce_forgotten", "a delivery that comes back is dropped without a word",
             HOLD,
             "  in->crossing = Crossing::kBounced;\n  in->open = 0;\n",
             "  if (in->open > 0) return;\n"
             "  in->crossing = Crossing::kBounced;\n  in->open = 0;\n"),
    Mutation("late_input_first", "more of what is on its way back is put before the rest of it",
             HOLD,
             "  if (in.crossing == Crossing::kBounced) return AddLate(in, more);\n",
             ""),
    # --- names of what is gone
    Mutation("stale_consumer", "mail for a consumer that is gone goes to who has its place",
             STAND_IN,
             "  OutLink* link = out_links_.Find(mail.to);\n  if (link == nullptr) {\n",
             "  OutLink* link = out_links_.Find(mail.to);\n  " +
             NEXT_USER.format(found="link", handle="mail.to", map="out_links_") +
             "  if (link == nullptr) {\n"),
    # A place in a map of deliveries is used again after all others, so the seeds hardly ever see
    # its next user while an answer is on its way: any other delivery has to do.
    Mutation("stale_answer", "an answer about a delivery that has ended counts for another",
             AWAY,
             "  InDelivery* in = in_deliveries_.Find(mail.in);\n  if (in == nullptr) return;\n",
             "  InDelivery* in = in_deliveries_.Find(mail.in);\n"
             "  if (in == nullptr) {\n"
             "    in_deliveries_.ForEach([&](auto, InDelivery& other) { in = &other; });\n"
             "  }\n"
             "  if (in == nullptr) return;\n"),
    # --- settlement
    # What is told of a settled delivery dies in the engines, which do not know it any more. That a
    # delivery gets a second outcome shows in what the router counts.
    Mutation("double_outcome", "an outcome counts at each time that a producer is told it",
             INLINE,
             "  if (!in.told && amqp::IsTerminal(outcome.kind)) {\n    in.told = true;\n"
             "    Count(",
             "  if (amqp::IsTerminal(outcome.kind)) {\n    in.told = true;\n"
             "    Count(",
             shards=(1, 2, 8)),
    Mutation("settled_by_neighbour", "the delivery next to the one that a consumer settled is told",
             INLINE,
             "SettleIn(in.link->token, in.delivery, outcome, settled);\n  if (settled)",
             "SettleIn(in.link->token, in.delivery + (in.delivery % 16 == 7), outcome,\n"
             "                                     settled);\n  if (settled)",
             shards=(1, 2, 8)),
    Mutation("multicast_counts_twice", "an answer to a multicast counts for two shards",
             AWAY,
             "    Aggregate(in, copies.decided, MeaningOf(mail.outcome.kind), mail.settled);\n",
             "    bool again = false;\n"
             "    Aggregate(in, again, MeaningOf(mail.outcome.kind), mail.settled);\n"
             "    Aggregate(in, copies.decided, MeaningOf(mail.outcome.kind), mail.settled);\n"),
    Mutation("multicast_answers_first", "a multicast is answered after the first of its copies",
             SETTLE,
             "  if (in.undecided > 0 || (in.told && in.unsettled > 0)) return;\n",
             "  if (in.told && in.unsettled > 0) return;\n",
             shards=(1, 2, 8)),
    Mutation("multicast_to_nobody", "a multicast that finds nobody in a shard is not answered",
             STAND_IN,
             "    if (mail.presettled) stats_.Drop(DropReason::kNoConsumer);\n",
             "    if (mail.presettled) stats_.Drop(DropReason::kNoConsumer);\n"
             "    if (chosen_.empty()) return;\n"),
    Mutation("done_not_sent", "the other half is not told that nothing is left",
             STAND_IN,
             "  AnswerFor(in).done = true;\n",
             ""),
    Mutation("early_settlement_not_mailed", "the consumer's shard does not hear of a settlement",
             SETTLE,
             "  SayAway(in, outcome, true);\n",
             ""),
    Mutation("abort_not_mailed", "the consumer's shard does not hear of an abort",
             TRANSFER,
             "  AbortAway(in);\n",
             ""),
    # --- bytes
    Mutation("more_lost", "the middle of a stream is dropped",
             STAND_IN,
             "  in->received += more.bytes();\n",
             "  if (!mail.complete) return;\n  in->received += more.bytes();\n"),
    Mutation("returns_lost", "blocks that come home are not taken",
             STAND_IN,
             "void Shard::On(ShardId, Returns&& mail) "
             "{ BlockPool::AcceptReturns(mail.blocks); }\n",
             "void Shard::On(ShardId, Returns&&) {}\n"),
    Mutation("returned_twice", "a block loses one reference too many",
             "router/base/payload.cc",
             "    given.block->refs -= given.refs - 1;\n",
             "    given.block->refs -= given.refs;\n"),
    Mutation("slowest_ignores_others", "a multicast passes on what other shards still need",
             TRANSFER,
             "      if (copies.open) see(copies.passed);\n",
             "      if (copies.open && in.open == 0) see(copies.passed);\n"),
    # --- bugs that were there, and that the simulation found
    Mutation("room_of_gone_link_forgotten", "a session stays shut by what a link held that is gone",
             "router/amqp/session.cc",
             "  if (incoming_window_ <= window_low_) MarkDue();"
             "  // others may have waited for that room\n",
             "",
             shards=(1, 2, 8)),
    Mutation("held_input_not_assembled", "a session stays shut by what came while its link waited",
             HOLD,
             "      Assemble(in);\n",
             ""),
    # --- limits
    Mutation("oversize_passes", "a message above the limit of its connection goes on",
             TRANSFER,
             "  if (size_max != 0 && in.received > size_max && !in.oversize) RefuseOversize(in);\n",
             "  if (size_max != 0 && in.received > UINT64_MAX - 1) RefuseOversize(in);\n",
             shards=(1, 2, 8)),
    Mutation("oversize_stays", "who sends a message above the limit keeps the connection",
             TRANSFER,
             "  sink.Detach(link.token, {});\n  Remove(link);\n  sink.Close(",
             "  sink.Detach(link.token, {});\n  Remove(link);\n  if (false) sink.Close(",
             shards=(1, 2, 8)),
    # --- credit
    Mutation("credit_twice", "the credit of a delivery is given back at each occasion",
             INLINE,
             "  in.credit_returned = true;\n  ++in.link->owed;\n",
             "  ++in.link->owed;\n",
             shards=(1, 2, 8)),
    Mutation("credit_of_presettled_kept", "the credit of pre-settled deliveries is not given back",
             INLINE,
             "  if (in.credit_returned || in.link == nullptr) return;\n",
             "  if (in.credit_returned || in.link == nullptr || in.presettled) return;\n",
             shards=(1, 2, 8)),
    Mutation("credit_of_aborted_kept", "the credit of aborted deliveries is not given back",
             INLINE,
             "  Pass(in, in.received);\n  ReturnCredit(in);\n",
             "  Pass(in, in.received);\n",
             shards=(1, 2, 8)),
    Mutation("drained_too_early", "a drain is answered before what is there has left",
             EMIT,
             "  uint64_t bytes_left = options_.emit_quantum_bytes;\n",
             "  if (link.drain) {\n"
             "    link.drain = false;\n"
             "    NoteCredit(link, 0);\n"
             "    link.connection->sink->Drained(link.token);\n"
             "  }\n"
             "  uint64_t bytes_left = options_.emit_quantum_bytes;\n",
             shards=(1, 2, 8)),
    Mutation("stinted_forgotten", "who got no credit as memory was short does not get it later",
             "router/core/shard.cc",
             "  stinted_.push_back(in_links_.HandleOf(link));\n",
             "",
             shards=(1, 2, 8)),
    # --- publication and rings
    Mutation("view_freed_early", "a View goes while one worker still reads it",
             "router/mesh/publication.cc",
             "held->second > 0 || version == newest_",
             "held->second > 1 || version == newest_",
             shards=(1, 2, 8)),
    Mutation("settings_not_followed", "consumers keep the treatment that settings had before",
             "router/mesh/directory.cc",
             "    address.treatment = treatment;\n    MarkChanged(address);\n",
             "    address.treatment = treatment;\n",
             shards=(1, 2, 8)),
    # The rings of the simulation are its own: these say what it sees of bugs in others.
    Mutation("parked_forgotten", "mail that a full ring does not take is dropped",
             "tests/sim/rings.h",
             "    mail.erase(mail.begin(), mail.begin() + static_cast<ptrdiff_t>(n));\n",
             "    mail.clear();\n"),
    Mutation("parked_out_of_order", "mail that a full ring does not take follows last first",
             "tests/sim/rings.h",
             "    mail.erase(mail.begin(), mail.begin() + static_cast<ptrdiff_t>(n));\n",
             "    mail.erase(mail.begin(), mail.begin() + static_cast<ptrdiff_t>(n));\n"
             "    for (size_t i = 0; i < mail.size() / 2; ++i) {\n"
             "      std::swap(mail[i], mail[mail.size() - 1 - i]);\n"
             "    }\n"),
]
