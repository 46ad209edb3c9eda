#include "router/net/observation.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "router/net/peer_properties.h"

namespace trunkline::net {
namespace {

ConnectionState::Phase PhaseOf(conn::Phase phase) {
  switch (phase) {
    case conn::Phase::kHandshake:
      return ConnectionState::Phase::kHandshake;
    case conn::Phase::kOpen:
      return ConnectionState::Phase::kOpen;
    case conn::Phase::kClosing:
    case conn::Phase::kClosed:
      break;
  }
  return ConnectionState::Phase::kClosing;
}

std::shared_ptr<const PeerOpen> OpenOf(const amqp::Open& open) {
  auto seen = std::make_shared<PeerOpen>();
  seen->hostname = open.hostname.value_or("").substr(0, kPropertyBytesMax);
  seen->max_frame_size = open.max_frame_size;
  seen->channel_max = open.channel_max;
  seen->idle_timeout = Milliseconds(open.idle_time_out.value_or(0));
  seen->offered_capabilities = Bounded(open.offered_capabilities, seen->cut);
  seen->desired_capabilities = Bounded(open.desired_capabilities, seen->cut);
  seen->properties = ReadProperties(open.properties, seen->cut);
  return seen;
}

// What both kinds of links have.
template <typename Link>
void Fill(const Link& link, LinkState& state) {
  state.number = link.number;
  state.connection = link.connection->info.id;
  state.name = link.name;
  state.key = link.key;
  state.capacity = link.capacity;
  state.credit = link.credit;
  state.blocked = link.blocked;
  state.deliveries = link.counts.deliveries;
  state.presettled = link.counts.presettled;
  state.dropped = link.counts.dropped;
  const auto of = [&](amqp::OutcomeKind kind) {
    return link.counts.outcomes[static_cast<size_t>(kind)];
  };
  state.accepted = of(amqp::OutcomeKind::kAccepted);
  state.rejected = of(amqp::OutcomeKind::kRejected);
  state.released = of(amqp::OutcomeKind::kReleased);
  state.modified = of(amqp::OutcomeKind::kModified);
}

LinkState::Waiting WaitingOf(const core::OutLink& link) {
  if (link.queue.empty()) return LinkState::Waiting::kNothing;
  if (!link.attached) return LinkState::Waiting::kAttach;
  if (link.disabled) return LinkState::Waiting::kDisabled;
  if (link.run == core::RunState::kBlocked) return LinkState::Waiting::kConnection;
  return link.credit == 0 ? LinkState::Waiting::kCredit : LinkState::Waiting::kNothing;
}

// Without the class and the phase.
std::string TextOf(const core::AddressKey& key) {
  return key.substr(std::min<size_t>(key.size(), key.starts_with('M') ? 2 : 1));
}

absl::Status NoConnection(uint64_t id) {
  return absl::NotFoundError(absl::StrCat("there is no connection ", id));
}

}  // namespace

// --- the worker's side

ObservedPart& Observer::Part() {
  const uint64_t request = requests_.front().request;
  if (parts_.empty() || parts_.back().request != request) {
    parts_.emplace_back().request = request;
  }
  return parts_.back();
}

void Observer::Step(SlotMap<Socket>& sockets, core::Shard& shard) {
  if (requests_.empty()) return;
  const ObserveWish& wish = *requests_.front().wish;
  switch (stage_) {
    case Stage::kConnections:
      if (wish.connections) {
        at_ = sockets.Walk(at_, kConnections, [this](Socket& socket) { Look(socket); });
      }
      break;
    case Stage::kInLinks:
      if (wish.links) at_ = shard.WalkInLinks(at_, kLinks, [this](auto& link) { Look(link); });
      break;
    case Stage::kOutLinks:
      if (wish.links) at_ = shard.WalkOutLinks(at_, kLinks, [this](auto& link) { Look(link); });
      break;
    case Stage::kDone:
      Part().last = true;
      requests_.pop_front();
      stage_ = Stage::kConnections;
      return;
  }
  if (at_ == 0) stage_ = static_cast<Stage>(static_cast<uint8_t>(stage_) + 1);
}

void Observer::Look(Socket& socket) {
  const ObserveWish& wish = *requests_.front().wish;
  if (socket.lingering() || (wish.connection != 0 && wish.connection != socket.id())) return;
  const conn::Driver& driver = socket.driver();
  ConnectionState& state = Part().connections.emplace_back();
  state.id = socket.id();
  state.worker = worker_;
  state.phase = PhaseOf(driver.phase());
  state.owner = socket.plan().owner;
  state.inbound = socket.plan().inbound;
  state.peer = socket.peer();
  state.local = socket.LocalAddress();
  state.container_id = driver.container_id();
  state.user = driver.user();
  state.mechanism = driver.mechanism();
  state.tls_profile = socket.plan().connection.tls_profile;
  state.tls_revision = socket.notes.tls_revision;
  state.tls = driver.tls_description();
  state.peer_subject = driver.peer_subject();
  state.begun = socket.notes.begun;
  state.opened = socket.notes.opened;
  const conn::Driver::Traffic traffic = driver.traffic();
  state.last_received = traffic.last_input;
  state.last_sent = traffic.last_output;
  state.sessions = traffic.sessions;
  if (const core::Connection* connection = driver.connection()) {
    state.links_in = connection->in_link_count;
    state.links_out = connection->out_link_count;
  }
  state.bytes_in = socket.bytes_read();
  state.bytes_out = socket.bytes_written();
  state.frames_in = traffic.frames_in;
  state.frames_out = traffic.frames_out;
  state.output_bytes = traffic.output_bytes;
  state.output_blocked_at = socket.blocked_at();
  if (wish.peer_opens && driver.remote_open() != nullptr) {
    state.open = OpenOf(*driver.remote_open());
  }
}

bool Observer::Wants(const core::Connection& connection, const core::AddressKey& key) const {
  const ObserveWish& wish = *requests_.front().wish;
  if (wish.connection != 0 && wish.connection != connection.info.id) return false;
  return wish.keys.empty() || std::find(wish.keys.begin(), wish.keys.end(), key) != wish.keys.end();
}

void Observer::Look(const core::InLink& link) {
  if (!Wants(*link.connection, link.key)) return;
  LinkState& state = Part().links.emplace_back();
  Fill(link, state);
  state.worker = worker_;
  state.incoming = true;
  state.address = link.address;
  state.fallback_key = link.fallback_key;
  state.disabled = link.IsDisabled();
  if (state.disabled) state.credit = 0;
  if (state.credit == 0) state.no_credit_since = link.dry_since;
  state.held_bytes = link.held;
  state.unsettled = link.Unfinished();
  state.stuck = link.stuck;
  state.delayed_1s = link.delayed_1s;
  state.delayed_10s = link.delayed_10s;
}

void Observer::Look(const core::OutLink& link) {
  if (!Wants(*link.connection, link.key)) return;
  LinkState& state = Part().links.emplace_back();
  Fill(link, state);
  state.worker = worker_;
  state.incoming = false;
  state.address = link.made_address.empty() ? TextOf(link.key) : link.made_address;
  state.disabled = link.disabled;
  if (state.disabled) state.credit = link.kept_credit;
  if (state.credit == 0) state.no_credit_since = link.credit_since;
  state.waiting = WaitingOf(link);
  state.undelivered = link.queued;
  state.unsettled = link.unsettled;
}

// --- the pilot's side

absl::Status LiveView::CloseConnection(uint64_t connection, const std::string& why) {
  const core::ShardId* worker = hooks_.worker_of(connection);
  if (worker == nullptr) return NoConnection(connection);
  hooks_.post(*worker,
              net::CloseConnection{
                  connection,
                  {.name = std::string(amqp::condition::kConnectionForced), .description = why}});
  return absl::OkStatus();
}

absl::Status LiveView::CloseLink(uint64_t connection, uint64_t link, const std::string& why) {
  const core::ShardId* worker = hooks_.worker_of(connection);
  if (worker == nullptr) return NoConnection(connection);
  hooks_.post(*worker, net::CloseLink{connection,
                                      link,
                                      {.name = std::string(amqp::condition::kDetachForced),
                                       .description = why}});
  return absl::OkStatus();
}

absl::Status LiveView::Switch(uint64_t connection, uint64_t link, LinkSwitch to) {
  const core::ShardId* worker = hooks_.worker_of(connection);
  if (worker == nullptr) return NoConnection(connection);
  hooks_.post(*worker, SwitchLink{connection, link, to});
  return absl::OkStatus();
}

void LiveView::Observe(uint64_t request, const ObserveWish& wish) {
  std::vector<core::ShardId> workers;
  if (wish.connection == 0) {
    for (core::ShardId worker = 0; worker < hooks_.workers; ++worker) workers.push_back(worker);
  } else if (const core::ShardId* worker = hooks_.worker_of(wish.connection)) {
    workers.push_back(*worker);
  }
  auto snapshot = std::make_shared<Snapshot>();
  if (workers.empty()) return hooks_.tell({.request = request, .snapshot = std::move(snapshot)});
  pending_[request] = {.workers_left = workers.size(), .snapshot = std::move(snapshot)};
  const auto shared = std::make_shared<const ObserveWish>(wish);
  for (const core::ShardId worker : workers) hooks_.post(worker, net::Observe{request, shared});
}

void LiveView::Take(ObservedPart&& part) {
  const auto found = pending_.find(part.request);
  if (found == pending_.end()) return;
  Snapshot& snapshot = *found->second.snapshot;
  std::move(part.connections.begin(), part.connections.end(),
            std::back_inserter(snapshot.connections));
  std::move(part.links.begin(), part.links.end(), std::back_inserter(snapshot.links));
  if (!part.last || --found->second.workers_left > 0) return;
  hooks_.tell({.request = part.request, .snapshot = std::move(found->second.snapshot)});
  pending_.erase(found);
}

}  // namespace trunkline::net
