#include <algorithm>
#include <bit>
#include <utility>

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
  DeliveryMark mark{};
};

// --- in

void Session::OnDisposition(const Disposition& disposition) {
  const uint32_t last = disposition.last.value_or(disposition.first);
  if (SerialDistance(last, disposition.first) < 0) {
    End(Fault::kRules, condition::kInvalidField, "last: before first");
    return;
  }
  // The peer's role: a receiver speaks about what we have sent.
  walk_role_ = disposition.role == Role::kReceiver ? Role::kSender : Role::kReceiver;
  if (!MayLook(walk_role_, disposition.first, last)) {
    End(Fault::kDispositions, condition::kResourceLimitExceeded,
        "the same deliveries are spoken of again and again");
    return;
  }
  walk_ = {.first = disposition.first, .last = last, .next = disposition.first};
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

// Takes the cost of a walk from what is left; false if that is not enough.
bool Session::MayLook(Role role, uint32_t first, uint32_t last) {
  const UnsettledMap& map = MapOf(role);
  Looks& looks = role == Role::kReceiver ? incoming_looks_ : outgoing_looks_;
  const uint64_t fresh = map.next() - std::exchange(looks.counted, map.next());
  looks.left = std::min(looks.left + fresh * kLooksPerDelivery, kLooksMax);
  const uint64_t cost = map.WalkCost(first, last);
  if (cost > looks.left) return false;
  looks.left -= cost;
  return true;
}

bool Session::NextOfDisposition(Event& event) {
  UnsettledMap& map = MapOf(walk_role_);
  uint32_t id = 0;
  while (!end_sent_) {
    UnsettledEntry* entry = map.NextIn(walk_, id);
    if (entry == nullptr) return false;
    const Link* link = context_.Find(entry->link);
    // What we have settled ourselves is over for the owner, and so is what was of a link that left.
    const bool tell = link != nullptr && link->used && !entry->mark.settle;
    if (tell) FillLink(*link, EventKind::kDisposition, event);
    event.settled = walk_settled_;
    event.delivery = id;
    event.delivery_user = entry->user;
    event.outcome = &context_.outcome;
    if (walk_settled_) {
      map.Settle(id, *entry);
      if (map.empty()) MarkDue();
    }
    if (tell) return true;
  }
  return false;
}

// --- out

void Session::Dispose(Link& link, uint32_t delivery, const Outcome& outcome, bool settled) {
  if (!outcome.raw.empty() || !MapOf(link.role).InRing(delivery)) [[unlikely]] {
    return DisposeRare(link, delivery, outcome, settled);
  }
  Mark(link, delivery, {.outcome = outcome.kind, .live = true, .marked = true, .settle = settled});
}

// With a raw state, or of a delivery that is not in the ring.
void Session::DisposeRare(Link& link, uint32_t delivery, const Outcome& outcome, bool settled) {
  UnsettledMap& map = MapOf(link.role);
  UnsettledEntry* entry = map.Find(delivery);
  if (entry == nullptr || entry->mark.settle || entry->link != link.index || end_sent_) return;
  DeliveryMark mark{.outcome = outcome.kind, .live = true, .marked = true, .settle = settled};
  // May flush, and so must come before the mark.
  if (!outcome.raw.empty()) mark.state = RawState(outcome.raw);
  if (map.InRing(delivery)) return Mark(link, delivery, mark);
  // A straggler is told about at once.
  WriteRun(link.role, {delivery, delivery, mark});
  if (settled) map.Settle(delivery, *entry);
}

// The next flush says so. REQUIRES: `delivery` is in the ring.
inline void Session::Mark(const Link& link, uint32_t delivery, DeliveryMark mark) {
  const bool incoming = link.role == Role::kReceiver;
  UnsettledEntry& entry = (incoming ? incoming_ : outgoing_).At(delivery);
  if (!entry.mark.live || entry.mark.settle || entry.link != link.index || end_sent_) return;
  if (mark.outcome == OutcomeKind::kNone) [[unlikely]] {  // what was said before remains
    mark.outcome = entry.mark.outcome;
    mark.state = entry.mark.state;
  }
  entry.mark = mark;
  Marks& marks = incoming ? incoming_marks_ : outgoing_marks_;
  if (!marks.any) [[unlikely]] {
    marks = {.any = true, .low = delivery, .high = delivery};
    MarkDue();
  } else if (SerialDistance(delivery, marks.high) > 0) {
    marks.high = delivery;
  } else if (SerialDistance(delivery, marks.low) < 0) {
    marks.low = delivery;
  }
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
  Run run;  // none while its mark is not marked
  uint32_t id = SerialDistance(marks.low, map.first()) < 0 ? map.first() : marks.low;
  for (; SerialDistance(id, marks.high) <= 0; ++id) {
    UnsettledEntry& entry = map.At(id);
    const DeliveryMark mark = entry.mark;
    if (!mark.live) continue;
    if (std::bit_cast<uint32_t>(mark) == std::bit_cast<uint32_t>(run.mark)) {
      run.last = id;
    } else {
      if (run.mark.marked) WriteRun(role, run);
      run = {id, id, mark};
    }
    entry.mark = DeliveryMark{.live = true};
    if (mark.settle) map.Clear(entry);
  }
  if (run.mark.marked) WriteRun(role, run);
  map.Advance();
}

void Session::WriteRun(Role role, const Run& run) {
  Disposition disposition{
      .role = role, .first = run.first, .settled = run.mark.settle, .state_kind = run.mark.outcome};
  if (run.last != run.first) disposition.last = run.last;
  if (run.mark.state != 0) disposition.state = raw_states_[run.mark.state - 1];
  if (context_.frames.Write(channel_, disposition)) return;
  // The state is larger than a frame of the peer: its kind has to do.
  disposition.state = {};
  context_.frames.Write(channel_, disposition);
}

}  // namespace trunkline::amqp
