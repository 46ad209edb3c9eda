#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "router/core/forward.h"
#include "router/core/settle.h"
#include "router/core/shard.h"

namespace trunkline::core {
namespace {

// Routers that a message may have passed before it comes here: none, but for the producer's own
// (spec interrouter section 9.4, radius 0).
constexpr size_t kTraceMax = 1;

amqp::Depth DepthOf(const InLink& link) {
  return link.anonymous || !link.connection->info.allow_user_id_proxy ? amqp::Depth::kProperties
                                                                      : amqp::Depth::kAnnotations;
}

// As in x-opt-qd.phase: 'F' is 22.
int PhaseOf(const AddressKey& key) { return key[0] == 'M' ? key[1] - '0' : 0; }

}  // namespace

// Decides, once, who gets a delivery: `in` may have ended on return.
void Shard::Forward(InDelivery& in) {
  amqp::Sections sections;
  if (!Admit(in, sections)) return;
  const Destination* destination = Resolve(in, sections);
  if (destination == nullptr) return;
  if (Choose(destination->normal)) return MakeCopies(in, sections, *destination->normal);
  if (!Choose(destination->fallback)) return NoDestination(in);
  stats_.redirected_fallback.Add();
  MakeCopies(in, sections, *destination->fallback);
}

amqp::ScanResult Shard::Look(const InDelivery& in, amqp::Sections& sections) {
  const absl::Span<const Slice> slices = in.held.slices();
  const amqp::Depth depth = DepthOf(*in.link);
  const std::string_view first = slices.empty() ? std::string_view() : slices[0].view();
  const bool whole = in.complete && slices.size() <= 1;
  const amqp::ScanResult result = amqp::Scan(first, whole, depth, sections);
  if (result != amqp::ScanResult::kMore || slices.size() <= 1) return result;
  return amqp::Scan(in.held.Prefix(in.held.bytes(), prefix_), in.complete, depth, sections);
}

// True if an incomplete delivery need not be held: it is annotated as a stream, or is malformed. To
// look again at each of many small frames would cost their square, so each look is at twice as
// much.
bool Shard::WantsStreaming(InDelivery& in) {
  if (in.link->connection->info.strip_inbound_annotations) return false;
  if (in.held.bytes() < in.look_at) return false;
  in.look_at = 2 * in.held.bytes();
  amqp::Sections sections;
  const amqp::ScanResult result = Look(in, sections);
  if (result == amqp::ScanResult::kMore) return false;
  in.look_at = UINT64_MAX;
  return result != amqp::ScanResult::kOk || sections.router.stream;
}

// The checks of spec routing section 3. False: `in` was refused.
bool Shard::Admit(InDelivery& in, amqp::Sections& sections) {
  const ConnectionInfo& info = in.link->connection->info;
  const amqp::ScanResult result = Look(in, sections);
  const bool strip = info.strip_inbound_annotations;
  if (result == amqp::ScanResult::kBadRouterAnnotation && !strip) {
    const std::string text =
        absl::StrCat("invalid router annotation ", std::string(sections.bad_field));
    Discard(in, RejectedOutcome(amqp::condition::kInvalidField, text));
    return false;
  }
  if (result == amqp::ScanResult::kMore || result == amqp::ScanResult::kMalformed) {
    Discard(in, RejectedOutcome(amqp::condition::kDecodeError, "invalid message format"));
    return false;
  }
  if (!info.allow_user_id_proxy && sections.user_id.has_value() && !sections.user_id->empty() &&
      *sections.user_id != info.user) {
    Discard(in, RejectedOutcome(amqp::condition::kUnauthorizedAccess, "user_id proxy violation"));
    return false;
  }
  if (sections.router.any && strip) {
    sections.router = {};
    sections.router.any = true;  // they are there, and have to go
  }
  if (sections.router.trace.size() > kTraceMax) {
    Discard(in, ReleasedOutcome());
    return false;
  }
  return true;
}

// Where `in` goes; null: it was refused.
const Destination* Shard::Resolve(InDelivery& in, const amqp::Sections& sections) {
  InLink& link = *in.link;
  if (!link.anonymous) {
    if (!link.control) return &link.destination;
    Discard(in, ReleasedOutcome());
    return nullptr;
  }
  const std::string_view text =
      sections.router.to.has_value() ? *sections.router.to : sections.to.value_or("");
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
  last.text.assign(text);
  last.control = binding_.control;
  last.unavailable = binding_.treatment == Treatment::kUnavailable;
  last.destination = {.normal = FindRoute(binding_.key),
                      .fallback = FindRoute(binding_.fallback_key)};
  return last;
}

// Sets chosen_; false if that is nobody.
bool Shard::Choose(const Route* route) {
  chosen_.clear();
  if (route == nullptr || route->local.size() <= options_.id) return false;
  const std::vector<LocalTarget>& targets = route->local[options_.id];
  if (route->id >= cursors_.size()) cursors_.resize(route->id + 1);
  OutLink* link = nullptr;
  switch (route->treatment) {
    case Treatment::kClosest:
      link = ChooseClosest(targets, out_links_, cursors_[route->id]);
      break;
    case Treatment::kBalanced:
      link = ChooseBalanced(targets, out_links_, cursors_[route->id], random_);
      break;
    case Treatment::kMulticast:
      for (const LocalTarget& target : targets) {
        if (out_links_.Find(target.link) == nullptr) continue;
        chosen_.push_back({.shard = options_.id, .link = target.link});
      }
      break;
    case Treatment::kUnavailable:
      break;
  }
  if (link != nullptr) chosen_.push_back({.shard = options_.id, .link = link->self});
  return !chosen_.empty();
}

// One copy to each of chosen_. All counts are set before any copy leaves.
void Shard::MakeCopies(InDelivery& in, const amqp::Sections& sections, const Route& route) {
  const uint32_t count = static_cast<uint32_t>(chosen_.size());
  LeaveAssembly(in);
  in.forwarded = true;
  in.multicast = route.treatment == Treatment::kMulticast;
  in.open = in.undecided = in.unsettled = in.slowest = count;
  if (count > 1) {
    if (free_fan_outs_.empty()) {
      free_fan_outs_.push_back(static_cast<uint32_t>(fan_outs_.size()));
      fan_outs_.emplace_back();
    }
    in.fan_out = free_fan_outs_.back();
    free_fan_outs_.pop_back();
  }
  bool rewritten = false;
  std::optional<Payload> variants[2];  // by whether router annotations are stripped
  for (uint32_t i = 0; i < count; ++i) {
    const OutLink& link = out_links_.Get(chosen_[i].link);
    const bool strip = link.connection->info.strip_outbound_annotations;
    if (strip && !sections.router.any) {
      Enqueue(in, chosen_[i], i + 1 < count ? Payload(in.held) : std::move(in.held));
      continue;
    }
    rewritten = true;
    std::optional<Payload>& variant = variants[strip];
    if (!variant.has_value()) variant = Rewrite(in, sections, route, strip);
    Enqueue(in, chosen_[i], *variant);
  }
  in.held.Clear();
  if (rewritten) PassSlowest(in);  // annotations that were cut off
  if (in.presettled) ReturnCredit(in);
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

// The one way to a consumer's link. REQUIRES: it is on this shard, and there.
void Shard::Enqueue(InDelivery& in, OutLinkRef to, Payload payload) {
  OutLink& link = out_links_.Get(to.link);
  if (in.presettled && link.queued >= link.capacity) DropPresettled(link);
  const Handle<OutDelivery> self = out_deliveries_.Insert();
  OutDelivery& out = out_deliveries_.Get(self);
  out.self = self;
  out.link = &link;
  out.in = {.shard = options_.id, .delivery = in.self};
  out.payload = std::move(payload);
  out.message_format = in.message_format;
  out.complete = in.complete;
  out.presettled = in.presettled;
  const OutRef ref{.shard = options_.id, .delivery = self};
  if (in.fan_out == InDelivery::kNoFanOut) {
    in.copy = ref;
  } else {
    fan_outs_[in.fan_out].push_back(ref);
  }
  link.queue.PushBack(out);
  ++link.queued;
  link.queued_presettled += out.presettled;
  link.load->Add(1);
  stats_.undelivered.Add(1);
  if (link.fresh == nullptr) {
    link.fresh = &out;
    fresh_.push_back(link.self);
  }
  MakeRunnable(link);
}

// The queue is full: pre-settled deliveries that wait in it go, but the first, of which a part may
// have been sent (spec routing section 4.7).
void Shard::DropPresettled(OutLink& link) {
  OutDelivery* next = decltype(link.queue)::Next(*link.queue.front());
  while (next != nullptr && link.queued_presettled > 0) {
    OutDelivery& out = *next;
    next = decltype(link.queue)::Next(out);
    if (out.presettled) Lose(out, ReleasedOutcome());
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
