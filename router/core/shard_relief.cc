#include <algorithm>

#include "router/core/settle.h"
#include "router/core/shard.h"
#include "router/core/shard_inline.h"

// Room in session windows for what others wait for. A delivery that is half here keeps others
// waiting, and its other half may wait for a window that is full of them. So their bytes go back to
// the windows early; a link that holds too much by that gets deliveries released instead.
//
// However many wait, a turn looks at each once: when it is noted in its connection's list, and when
// it is taken off that because the window is getting tight.
namespace trunkline::core {
namespace {

// Deliveries of a queue that are noted in one turn, and copies of those of a connection that are
// looked at.
constexpr size_t kReliefSlice = 256;

// Of what waits behind a delivery that is still arriving, a link may hold this many budgets before
// some of it is released to its producer.
constexpr uint64_t kReliefBudgets = 16;

}  // namespace

// So many deliveries of a connection are half here that their other halves might not fit into its
// session windows. Each holds less than kHoldMax.
void Shard::RelieveAssembly(Connection& connection) {
  while (InDelivery* in = connection.assembled.front()) ReleaseEarly(*in);
}

// The first delivery of the queue waits for more of its input: what is behind it is noted.
void Shard::RelieveQueue(OutLink& link) {
  if (std::exchange(link.missed, false) || !HasNoted(link)) {
    link.noted = link.queue.front();
    link.noted_behind = out_deliveries_.HandleOf(*link.noted);
  }
  OutDelivery* last = link.noted;
  for (size_t n = 0; n < kReliefSlice; ++n) {
    link.noted = last;
    last = decltype(link.queue)::Next(*last);
    if (last == nullptr) return;
    if (last->in != nullptr) NoteWaiting(*last->in);
  }
  link.noted = last;
  MakeRunnable(link);
}

bool Shard::HasNoted(const OutLink& link) const {
  return link.noted_behind == out_deliveries_.HandleOf(*link.queue.front());
}

// `in` is forwarded, and was seen to wait.
void Shard::NoteWaiting(InDelivery& in) {
  if (in.crossing == Crossing::kStandIn) return SayWaiting(in);
  if (in.link == nullptr || in.released == in.received) return;
  Connection& connection = *in.link->connection;
  if (!in.listed) connection.waiting.PushBack(in);
  in.listed = true;
  if (connection.tight || connection.unreleased < PressureMark(connection)) return;
  connection.tight = true;
  tight_.PushBack(connection);
}

// True if some have to wait for the next turn.
bool Shard::RelieveTight() {
  List<Connection, &Connection::of_tight> left;
  while (Connection* connection = tight_.PopFront()) {
    Relieve(*connection);
    connection->tight =
        connection->unreleased >= PressureMark(*connection) && !connection->waiting.empty();
    if (connection->tight) left.PushBack(*connection);
  }
  while (Connection* connection = left.PopFront()) tight_.PushBack(*connection);
  return !tight_.empty();
}

void Shard::Relieve(Connection& connection) {
  size_t seen = 0;
  while (seen < kReliefSlice && connection.unreleased >= PressureMark(connection)) {
    InDelivery* in = connection.waiting.front();
    if (in == nullptr) return;
    Unlist(*in);
    seen += CopiesHere(*in);
    if (in->released == in->received || !StillWaits(*in)) continue;
    if (in->link->held > kReliefBudgets * options_.link_budget_bytes) {
      LoseAway(*in);
      LoseWaiting(*in);
    } else {
      ReleaseEarly(*in);
    }
  }
}

// True if `out` waits behind a delivery of which no more is here. If there is something that can be
// sent first, it will be looked at again when that was.
bool Shard::Waits(const OutDelivery& out) {
  OutLink& link = *out.link;
  if (!out.queued || link.queue.front() == &out) return false;
  if (!link.starved) link.missed = true;
  return link.starved;
}

// True if some copy of `in` does, as far as is known.
bool Shard::StillWaits(InDelivery& in) {
  bool waits = in.waiting;
  ForEachCopy(in, [&](const OutDelivery& out) { waits |= Waits(out); });
  return waits;
}

size_t Shard::CopiesHere(const InDelivery& in) const {
  return in.fan_out == InDelivery::kNoFanOut ? 1 : fan_outs_[in.fan_out].local.size() + 1;
}

// Opens the session window for bytes that are still held. They count against the link's budget
// until they are passed on.
void Shard::ReleaseEarly(InDelivery& in) {
  const uint64_t bytes = in.received - in.released;
  LeaveAssembly(in);
  in.released = in.received;
  in.link->connection->unreleased -= bytes;
  in.link->connection->sink->Release(in.link->token, bytes);
}

}  // namespace trunkline::core
