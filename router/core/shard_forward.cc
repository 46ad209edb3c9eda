#include <optional>
#include <string>
#include <utility>

#include "absl/base/attributes.h"
#include "absl/strings/str_cat.h"
#include "router/core/forward.h"
#include "router/core/settle.h"
#include "router/core/shard.h"
#include "router/core/shard_inline.h"

namespace trunkline::core {
namespace {

// Routers that a message may have passed before it comes here: none, but for the producer's own
// (spec interrouter section 9.4, radius 0).
constexpr size_t kTraceMax = 1;

// Bytes of the last address that an anonymous link keeps; a longer one is looked up each time.
constexpr size_t kRememberedMax = 512;

amqp::Depth DepthOf(const InLink& link) {
  return link.anonymous || !link.connection->info.allow_user_id_proxy ? amqp::Depth::kProperties
                                                                      : amqp::Depth::kAnnotations;
}

// True if the first section is the properties or the body: nothing before them has to be seen.
bool StartsBare(const Slice& message) {
  return message.size() >= 3 && message.data()[0] == 0x00 && message.data()[1] == 0x53 &&
         message.data()[2] > 0x72;
}

// As in x-opt-qd.phase: 'F' is 22.
int PhaseOf(const AddressKey& key) { return key[0] == 'M' ? key[1] - '0' : 0; }

}  // namespace

// Decides, once, who gets a delivery; `in` may have ended on return. `only` is the message if it
// came in one piece; else it is held.
void Shard::Forward(InDelivery& in, Slice&& only) {
  if (tables_.taps != nullptr && !tapping_) [[unlikely]]
    return ForwardTapped(in, std::move(only));
  const Destination* destination = &in.link->destination;
  const amqp::Sections* sections = &no_sections_;
  if (!in.link->plain || !StartsBare(only)) {
    if (!only.empty()) in.held.Append(std::move(only));
    if (!Admit(in)) return;
    sections = &sections_;
    destination = Resolve(in);
    if (destination == nullptr) return;
  }
  for (const Route* route : {destination->normal, destination->fallback}) {
    if (!Deliver(in, only, *sections, route)) continue;
    if (route == destination->fallback) stats_.redirected_fallback.Add();
    return;
  }
  NoDestination(in);
}

// Looks into what is held, as deep as its link asks for, into sections_.
amqp::ScanResult Shard::Look(const InDelivery& in) {
  const absl::Span<const Slice> slices = in.held.slices();
  const amqp::Depth depth = DepthOf(*in.link);
  const std::string_view first = slices.empty() ? std::string_view() : slices[0].view();
  const bool whole = in.complete && slices.size() <= 1;
  const amqp::ScanResult result = amqp::Scan(first, whole, depth, sections_);
  if (result != amqp::ScanResult::kMore || slices.size() <= 1) return result;
  return amqp::Scan(in.held.Prefix(in.held.bytes(), prefix_), in.complete, depth, sections_);
}

// True if an incomplete delivery need not be held: it is annotated as a stream, or is malformed. To
// look again at each of many small frames would cost their square, so each look is at twice as
// much.
bool Shard::WantsStreaming(InDelivery& in) {
  if (in.link->connection->info.strip_inbound_annotations) return false;
  if (in.held.bytes() < in.look_at) return false;
  in.look_at = static_cast<uint32_t>(2 * in.held.bytes());
  const amqp::ScanResult result = Look(in);
  if (result == amqp::ScanResult::kMore) return false;
  in.look_at = UINT32_MAX;
  return result != amqp::ScanResult::kOk || sections_.router.stream;
}

// The checks of spec routing section 3; sections_ is then what consumers may go by. False: `in` was
// refused.
bool Shard::Admit(InDelivery& in) {
  const ConnectionInfo& info = in.link->connection->info;
  const amqp::ScanResult result = Look(in);
  const bool strip = info.strip_inbound_annotations;
  if (result == amqp::ScanResult::kBadRouterAnnotation && !strip) {
    const std::string text =
        absl::StrCat("invalid router annotation ", std::string(sections_.bad_field));
    Discard(in, RejectedOutcome(amqp::condition::kInvalidField, text));
    return false;
  }
  if (result == amqp::ScanResult::kMore || result == amqp::ScanResult::kMalformed) {
    Discard(in, RejectedOutcome(amqp::condition::kDecodeError, "invalid message format"));
    return false;
  }
  if (!info.allow_user_id_proxy && sections_.user_id.has_value() && !sections_.user_id->empty() &&
      *sections_.user_id != info.user) {
    Discard(in, RejectedOutcome(amqp::condition::kUnauthorizedAccess, "user_id proxy violation"));
    return false;
  }
  if (sections_.router.any && strip) {
    sections_.router = {};
    sections_.router.any = true;  // they are there, and have to go
  }
  if (sections_.router.trace.size() > kTraceMax) {
    Discard(in, ReleasedOutcome());
    return false;
  }
  return true;
}

// Where `in` goes; null: it was refused.
const Destination* Shard::Resolve(InDelivery& in) {
  InLink& link = *in.link;
  if (!link.anonymous) {
    if (!link.control) return &link.destination;
    Discard(in, ReleasedOutcome());
    return nullptr;
  }
  const std::string_view text =
      sections_.router.to.has_value() ? *sections_.router.to : sections_.to.value_or("");
  if (text.empty()) {
    Discard(in, RejectedOutcome(amqp::condition::kPreconditionFailed,
                                "Routing failure: no address present"));
    return nullptr;
  }
  const LastAddress& address = LookUp(link, text);
  if (address.unavailable) {
    Discard(in, RejectedOutcome(amqp::condition::kNotFound,
                                "Deliveries cannot be sent to an unavailable address"));
    return nullptr;
  }
  if (address.control) {
    Discard(in, ReleasedOutcome());
    return nullptr;
  }
  return &address.destination;
}

const LastAddress& Shard::LookUp(InLink& link, std::string_view text) {
  if (link.last == nullptr) link.last = std::make_unique<LastAddress>();
  LastAddress& last = *link.last;
  if (last.adoption == adoption_ && last.text == text) return last;
  BindText(text, Context(), binding_);
  last.adoption = adoption_;
  last.text.assign(text.size() <= kRememberedMax ? text : std::string_view());
  last.control = binding_.control;
  last.unavailable = binding_.treatment == Treatment::kUnavailable;
  last.destination = {.normal = FindRoute(binding_.key),
                      .fallback = FindRoute(binding_.fallback_key)};
  return last;
}

// Gives `in` to whom `route` names. False if that is nobody: nothing has happened then, but that
// the message is held.
ABSL_ATTRIBUTE_ALWAYS_INLINE inline bool Shard::Deliver(InDelivery& in, Slice& only,
                                                        const amqp::Sections& sections,
                                                        const Route* route) {
  if (route == nullptr) return false;
  if (route->treatment == Treatment::kMulticast) {
    if (!only.empty()) in.held.Append(std::move(only));
    return MakeCopies(in, sections, *route);
  }
  OutLink* link;
  if (route->IsOnlyIn(options_.id)) {
    link = ChooseOne(*route);
  } else {
    const Choice choice =
        ChooseAnywhere(*route, options_.id, out_links_, CursorOf(*route), random_);
    link = choice.link;
    if (link == nullptr && choice.target != nullptr) {
      if (!only.empty()) in.held.Append(std::move(only));
      SendAway(in, sections, *route, choice);
      return true;
    }
  }
  if (link == nullptr) return false;
  LeaveAssembly(in);
  in.forwarded = true;
  in.open = 1;
  MakeCopy(in, only, sections, *route, *link);
  if (!in.held.empty()) in.held.Clear();
  if (in.presettled) ReturnCredit(in);
  return true;
}

uint32_t& Shard::CursorOf(const Route& route) {
  if (route.id >= cursors_.size()) cursors_.resize(route.id + 1);
  return cursors_[route.id];
}

ABSL_ATTRIBUTE_ALWAYS_INLINE inline OutLink* Shard::ChooseOne(const Route& route) {
  const std::vector<LocalTarget>& targets = route.local[options_.id].targets;
  if (targets.size() == 1) return out_links_.Find(targets[0].link);
  uint32_t& cursor = CursorOf(route);
  switch (route.treatment) {
    case Treatment::kClosest:
      return ChooseClosest(targets, out_links_, cursor);
    case Treatment::kBalanced:
      return ChooseBalanced(targets, out_links_, cursor, random_);
    default:
      return nullptr;
  }
}

// One copy to everybody. All counts are set before any copy leaves.
bool Shard::MakeCopies(InDelivery& in, const amqp::Sections& sections, const Route& route) {
  chosen_.clear();
  groups_.clear();
  for (ShardId shard = 0; shard < route.local.size(); ++shard) {
    if (shard != options_.id) {
      Group(shard, route.local[shard].targets);
      continue;
    }
    for (const LocalTarget& target : route.local[shard].targets) {
      if (OutLink* link = out_links_.Find(target.link)) chosen_.push_back(link);
    }
  }
  if (chosen_.empty() && groups_.empty()) return false;
  LeaveAssembly(in);
  in.forwarded = true;
  in.multicast = true;
  ExpectCopies(in, chosen_.size() + groups_.size());
  if (!groups_.empty() && in.fan_out == InDelivery::kNoFanOut) TakeFanOut(in);
  Slice none;
  for (OutLink* link : chosen_) MakeCopy(in, none, sections, route, *link);
  for (RemoteGroup& group : groups_) SendAway(in, sections, route, group);
  in.held.Clear();
  rewritten_[0].reset();
  rewritten_[1].reset();
  PassSlowest(in);  // annotations may have been cut off
  if (in.presettled) ReturnCredit(in);
  return true;
}

void Shard::ExpectCopies(InDelivery& in, size_t count) {
  in.open = in.undecided = in.unsettled = in.slowest = static_cast<uint32_t>(count);
  if (count > 1) TakeFanOut(in);
}

void Shard::TakeFanOut(InDelivery& in) {
  if (free_fan_outs_.empty()) {
    free_fan_outs_.push_back(static_cast<uint32_t>(fan_outs_.size()));
    fan_outs_.emplace_back();
  }
  in.fan_out = free_fan_outs_.back();
  free_fan_outs_.pop_back();
}

// The way to a consumer of this shard.
ABSL_ATTRIBUTE_ALWAYS_INLINE inline void Shard::MakeCopy(InDelivery& in, Slice& only,
                                                         const amqp::Sections& sections,
                                                         const Route& route, OutLink& link) {
  OutDelivery& out = Enqueue(in, link);
  const bool strip = link.connection->info.strip_outbound_annotations;
  if (strip && !sections.router.any) {
    if (!only.empty()) {
      out.payload.Append(std::move(only));
    } else if (in.multicast) {
      out.payload = in.held;
    } else {
      out.payload = std::move(in.held);
    }
    return;
  }
  if (!only.empty()) in.held.Append(std::move(only));
  if (!in.multicast) {
    out.payload = Rewrite(in, sections, route, strip);
    return Pass(in, Position(in, out));  // annotations may have been cut off
  }
  out.payload = RewriteOnce(in, sections, route, strip);
}

// As Rewrite; of a multicast, whose copies share the result.
const Payload& Shard::RewriteOnce(const InDelivery& in, const amqp::Sections& sections,
                                  const Route& route, bool strip) {
  std::optional<Payload>& rewritten = rewritten_[strip];
  if (!rewritten.has_value()) rewritten = Rewrite(in, sections, route, strip);
  return *rewritten;
}

// The message with the annotations that a consumer is to see (spec interrouter section 9.1).
Payload Shard::Rewrite(const InDelivery& in, const amqp::Sections& sections, const Route& route,
                       bool strip) {
  amqp::AnnotationsOut out;
  if (!strip) {
    const amqp::RouterAnnotations& router = sections.router;
    out.phase = PhaseOf(route.key);
    out.stream = router.stream;
    if (!in.link->anonymous) {
      out.to = in.link->address;
    } else if (router.to.has_value()) {
      out.to = *router.to;
    }
    out.ingress = router.ingress.has_value() ? *router.ingress : node_id_;
    out.trace.assign(router.trace.begin(), router.trace.end());
    out.trace.push_back(node_id_);
  }
  const std::string annotations =
      amqp::EncodeAnnotations(sections.user_annotations, sections.user_annotation_count, out);
  return amqp::ReplaceAnnotations(in.held, sections, annotations, pool_);
}

// The queue is full: pre-settled deliveries that wait in it go, but the first, of which a part may
// have been sent (spec routing section 4.7).
void Shard::DropPresettled(OutLink& link) {
  OutDelivery* next = link.presettled.front();
  while (next != nullptr) {
    OutDelivery& out = *next;
    next = decltype(link.presettled)::Next(out);
    if (&out != link.queue.front()) Lose(out, ReleasedOutcome(), DropReason::kNoCredit);
  }
}

// Nobody is there: the producer of a fixed address is stopped until somebody comes (spec routing
// section 2).
void Shard::NoDestination(InDelivery& in) {
  InLink& link = *in.link;
  const bool stop = !link.anonymous && !link.destination.Usable() && !link.drained;
  if (stop) link.drained = true;
  Discard(in, ReleasedOutcome());
  if (stop) link.connection->sink->Drain(link.token);
}

}  // namespace trunkline::core
