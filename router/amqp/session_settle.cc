#include <algorithm>

#include "router/amqp/session.h"

// Dispositions: the peer's, one event for each delivery, and ours, as few frames as possible.
namespace trunkline::amqp {
namespace {

// Raw states between two flushes: an entry counts them in 16 bits.
constexpr size_t kRawStatesMax = UINT16_MAX;

}  // namespace

// Deliveries next to each other about which the same is to be said.
struct Session::Run {
  uint32_t first = 0;
  uint32_t last = 0;
  OutcomeKind outcome = OutcomeKind::kNone;
  bool settle = false;
  uint16_t state = 0;
};

// --- in

void Session::OnDisposition(const Disposition& disposition) {
  const uint32_t last = disposition.last.value_or(disposition.first);
  if (SerialDistance(last, disposition.first) < 0) {
    End(condition::kInvalidField, "last: before first");
    return;
  }
  walk_ = {.first = disposition.first, .last = last, .next = disposition.first};
  // The peer's role: a receiver speaks about what we have sent.
  walk_role_ = disposition.role == Role::kReceiver ? Role::kSender : Role::kReceiver;
  walk_settled_ = disposition.settled;
  Outcome& outcome = context_.outcome;
  outcome.kind = disposition.state_kind;
  outcome.raw.clear();
  const bool plain = outcome.kind == OutcomeKind::kAccepted ||
                     outcome.kind == OutcomeKind::kReleased || outcome.kind == OutcomeKind::kNone;
  if (!plain && disposition.state != RawOutcome(outcome.kind)) {
    outcome.raw.assign(disposition.state);
  }
  context_.walking = this;
  context_.pending = true;
}

bool Session::NextOfDisposition(Event& event) {
  UnsettledMap& map = MapOf(walk_role_);
  uint32_t id = 0;
  while (!end_sent_) {
    const UnsettledEntry* entry = map.NextIn(walk_, id);
    if (entry == nullptr) return false;
    Link& link = *context_.links[entry->link];
    // What we have settled ourselves is over for the owner.
    const bool tell = !entry->settle;
    FillLink(link, EventKind::kDisposition, event);
    event.settled = walk_settled_;
    event.delivery = id;
    event.delivery_user = entry->user;
    event.outcome = &context_.outcome;
    if (walk_settled_) {
      map.Settle(id);
      --link.unsettled;
      if (map.empty()) MarkDue();
    }
    if (tell) return true;
  }
  return false;
}

// --- out

void Session::Dispose(Link& link, uint32_t delivery, const Outcome& outcome, bool settled) {
  UnsettledMap& map = MapOf(link.role);
  UnsettledEntry* entry = map.Find(delivery);
  if (entry == nullptr || entry->settle || entry->link != link.index || end_sent_) return;
  if (!map.InRing(delivery)) {
    const uint16_t state = outcome.raw.empty() ? 0 : RawState(outcome.raw);
    WriteRun(link.role, {delivery, delivery, outcome.kind, settled, state});
    if (!settled) return;
    map.Settle(delivery);
    --link.unsettled;
    return;
  }
  if (outcome.kind != OutcomeKind::kNone) {
    // May flush, and so must come before the mark.
    entry->state = outcome.raw.empty() ? 0 : RawState(outcome.raw);
    entry->outcome = outcome.kind;
  }
  entry->marked = true;
  entry->settle = settled;
  Marks& marks = link.role == Role::kReceiver ? incoming_marks_ : outgoing_marks_;
  if (!marks.any) {
    marks = {.any = true, .low = delivery, .high = delivery};
    MarkDue();
    return;
  }
  if (SerialDistance(delivery, marks.low) < 0) marks.low = delivery;
  if (SerialDistance(delivery, marks.high) > 0) marks.high = delivery;
}

// The place of `raw` in the list, from 1. Deliveries of one batch mostly share it.
uint16_t Session::RawState(const std::string& raw) {
  if (raw_states_.empty() || raw_states_.back() != raw) {
    if (raw_states_.size() == kRawStatesMax) FlushDispositions();
    raw_states_.push_back(raw);
    MarkDue();
  }
  return static_cast<uint16_t>(raw_states_.size());
}

void Session::FlushDispositions() {
  Sweep(Role::kReceiver, incoming_, incoming_marks_);
  Sweep(Role::kSender, outgoing_, outgoing_marks_);
  if (raw_states_.capacity() > 0) raw_states_ = {};
}

// From the lowest to the highest mark: ranges of the same. What is settled already neither needs
// nor hinders a range.
void Session::Sweep(Role role, UnsettledMap& map, Marks& marks) {
  if (!marks.any) return;
  marks.any = false;
  Run run;
  bool open = false;
  uint32_t id = SerialDistance(marks.low, map.first()) < 0 ? map.first() : marks.low;
  for (; SerialDistance(id, marks.high) <= 0; ++id) {
    UnsettledEntry& entry = map.At(id);
    if (!entry.live) continue;
    const bool same = open && entry.marked && entry.outcome == run.outcome &&
                      entry.settle == run.settle && entry.state == run.state;
    if (same) {
      run.last = id;
    } else {
      if (open) WriteRun(role, run);
      open = entry.marked;
      run = {id, id, entry.outcome, entry.settle, entry.state};
    }
    entry.marked = false;
    entry.outcome = OutcomeKind::kNone;
    entry.state = 0;
    if (!entry.settle) continue;
    map.Clear(id);
    --context_.links[entry.link]->unsettled;
  }
  if (open) WriteRun(role, run);
  map.Advance();
}

void Session::WriteRun(Role role, const Run& run) {
  Disposition disposition{
      .role = role, .first = run.first, .settled = run.settle, .state_kind = run.outcome};
  if (run.last != run.first) disposition.last = run.last;
  if (run.state != 0) disposition.state = raw_states_[run.state - 1];
  if (context_.frames.Write(channel_, disposition)) return;
  // The state is larger than a frame of the peer: its kind has to do.
  disposition.state = {};
  context_.frames.Write(channel_, disposition);
}

}  // namespace trunkline::amqp
