#include "router/conn/attach.h"

#include <string_view>
#include <utility>

namespace trunkline::conn {
namespace {

constexpr std::string_view kWaypoint = "qd.waypoint";
constexpr std::string_view kFallback = "qd.fallback";

const amqp::Terminus& Relevant(const amqp::Attach& attach, amqp::Role ours) {
  return ours == amqp::Role::kReceiver ? attach.target : attach.source;
}

amqp::Terminus& Relevant(amqp::Attach& attach, amqp::Role ours) {
  return ours == amqp::Role::kReceiver ? attach.target : attach.source;
}

// N of the first capability `qd.waypoint.N`, N 1..9; the bare name is 1.
std::optional<int> WaypointPhase(const amqp::Terminus& terminus) {
  for (std::string_view capability : terminus.capabilities) {
    if (!capability.starts_with(kWaypoint)) continue;
    capability.remove_prefix(kWaypoint.size());
    if (capability.empty()) return 1;
    if (capability.size() != 2 || capability[0] != '.') continue;
    if (capability[1] >= '1' && capability[1] <= '9') return capability[1] - '0';
  }
  return std::nullopt;
}

// What both kinds of answer have in common.
amqp::Attach Answer(const amqp::Attach& attach, amqp::Role ours) {
  amqp::Attach answer;
  answer.snd_settle_mode = attach.snd_settle_mode;
  answer.rcv_settle_mode = attach.rcv_settle_mode;
  answer.source = attach.source;
  answer.target = attach.target;
  if (ours == amqp::Role::kSender) answer.initial_delivery_count = 0;
  return answer;
}

}  // namespace

core::AttachRequest ReadAttach(const amqp::Attach& attach, amqp::Role ours, core::LinkToken token) {
  const amqp::Terminus& terminus = Relevant(attach, ours);
  core::AttachRequest request;
  request.token = token;
  request.name = attach.name;
  request.coordinator = terminus.coordinator;
  request.dynamic = terminus.dynamic;
  // Dispatch takes an empty address for none.
  if (terminus.address && !terminus.address->empty()) request.address = terminus.address;
  request.fallback = terminus.HasCapability(kFallback);
  request.waypoint_phase = WaypointPhase(terminus);
  request.presettled = attach.snd_settle_mode == amqp::SenderSettleMode::kSettled;
  return request;
}

amqp::Attach GrantAttach(const amqp::Attach& attach, amqp::Role ours, AttachGrant grant) {
  amqp::Attach answer = Answer(attach, ours);
  amqp::Terminus& terminus = Relevant(answer, ours);
  terminus.present = true;  // a null target asked for the anonymous relay; null would refuse it
  if (grant.address) terminus.address = std::move(grant.address);
  if (ours == amqp::Role::kReceiver) answer.max_message_size = grant.max_message_size;
  return answer;
}

amqp::Attach RefuseAttach(const amqp::Attach& attach, amqp::Role ours) {
  amqp::Attach answer = Answer(attach, ours);
  Relevant(answer, ours) = amqp::Terminus();
  return answer;
}

}  // namespace trunkline::conn
