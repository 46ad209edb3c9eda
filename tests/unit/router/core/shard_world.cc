#include "tests/unit/router/core/shard_world.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace trunkline::core {

// --- FakeSink

void FakeSink::Attached(LinkToken link, const AttachAnswer& answer) {
  ++links[link].answers;
  links[link].answer = answer;
}

void FakeSink::Detach(LinkToken link, const amqp::Condition& error) {
  links[link].detached.push_back(error);
}

void FakeSink::Grant(LinkToken link, uint32_t credit) {
  EXPECT_GT(credit, 0u);
  links[link].credit += credit;
  links[link].granted += credit;
}

void FakeSink::SettleIn(LinkToken link, uint32_t delivery, const amqp::Outcome& outcome,
                        bool settled) {
  links[link].told.push_back({delivery, outcome.kind, settled, outcome.raw});
}

SendOutcome FakeSink::Send(LinkToken link, SendRequest& request) {
  LinkRecord& record = links[link];
  EXPECT_EQ(record.answers, 1) << "sent before the attach was answered";
  if (blocked || (window == 0 && !request.aborted)) return SendOutcome::kBlocked;
  if (!request.started) {
    if (record.consumer_credit == 0) return SendOutcome::kNoCredit;
    --record.consumer_credit;
    request.started = true;
    request.delivery = next_delivery_++;
    Got got;
    got.user = request.user;
    got.delivery = request.delivery;
    got.settled = request.settled;
    got.format = request.message_format;
    record.got.push_back(got);
  }
  Got& got = record.got.back();
  EXPECT_EQ(got.user, request.user) << "deliveries are mixed";
  EXPECT_FALSE(got.complete);
  if (request.aborted) {
    got.complete = got.aborted = true;
    return SendOutcome::kSent;
  }
  const uint64_t bytes = std::min({request.payload->bytes(), request.bytes_max, window});
  got.bytes += request.payload->ToString().substr(0, bytes);
  request.payload->RemovePrefix(bytes);
  if (window != UINT64_MAX) window -= bytes;
  if (!request.payload->empty()) {
    return window == 0 ? SendOutcome::kBlocked : SendOutcome::kQuantum;
  }
  got.complete = request.complete;
  return request.complete ? SendOutcome::kSent : SendOutcome::kPartial;
}

void FakeSink::SettleOut(LinkToken link, uint32_t delivery, const amqp::Outcome& outcome,
                         bool settled) {
  for (Got& got : links[link].got) {
    if (got.delivery != delivery) continue;
    got.from_producer.push_back({delivery, outcome.kind, settled, outcome.raw});
    return;
  }
  ADD_FAILURE() << "settles what was never sent";
}

void FakeSink::Drained(LinkToken link) {
  ++links[link].drained;
  links[link].consumer_credit = 0;
}

// --- Producer

uint32_t Producer::Send(std::string_view bytes, SendOptions options) {
  World& world = *peer->world;
  const uint32_t delivery = peer->next_delivery++;
  if (record().credit > 0) --record().credit;
  user = world.shard->OnTransfer(link, {.first = true,
                                        .more = options.more,
                                        .settled = options.settled,
                                        .delivery = delivery,
                                        .message_format = options.format,
                                        .payload = world.Memory(bytes)});
  return delivery;
}

void Producer::More(std::string_view bytes, SendOptions options) {
  World& world = *peer->world;
  world.shard->OnTransfer(link, {.user = user,
                                 .more = options.more,
                                 .settled = options.settled,
                                 .payload = world.Memory(bytes)});
}

void Producer::Abort(std::string_view bytes) {
  World& world = *peer->world;
  world.shard->OnTransfer(link, {.user = user, .aborted = true, .payload = world.Memory(bytes)});
}

void Producer::Settle(uint64_t in_user, amqp::OutcomeKind kind) {
  peer->world->shard->OnProducerDisposition(in_user, {.kind = kind, .raw = {}}, true);
}

void Producer::Detach() { peer->world->shard->DetachIn(link); }

std::vector<amqp::OutcomeKind> Producer::Outcomes() const {
  std::vector<amqp::OutcomeKind> kinds;
  for (const Told& told : record().told) {
    if (told.settled) kinds.push_back(told.kind);
  }
  return kinds;
}

// --- Consumer

std::vector<std::string> Consumer::Texts() const {
  std::vector<std::string> texts;
  for (const Got& got : record().got) texts.push_back(TextOf(got.bytes));
  return texts;
}

void Consumer::Flow(uint32_t credit, bool drain) {
  record().consumer_credit = credit;
  peer->world->shard->OnFlow(link, credit, drain);
}

void Consumer::Settle(const Got& got, amqp::OutcomeKind kind, bool settled) {
  Settle(got, {.kind = kind, .raw = {}}, settled);
}

void Consumer::Settle(const Got& got, const amqp::Outcome& outcome, bool settled) {
  peer->world->shard->OnConsumerDisposition(got.user, outcome, settled);
}

void Consumer::AcceptAll() {
  for (size_t i = 0; i < got().size(); ++i) {
    const Got one = got()[i];
    if (!one.settled) Settle(one, amqp::OutcomeKind::kAccepted);
  }
}

void Consumer::Detach() { peer->world->shard->DetachOut(link); }

// --- World

World::World(WorldOptions world_options) {
  options.identity.router_id = "A";
  options.seed = world_options.seed;
  options.link_budget_bytes = world_options.link_budget_bytes;
  shard = std::make_unique<Shard>(options, pool);
  settings_ =
      *AddressSettings::Build(std::move(world_options.settings), world_options.default_treatment);
  shard->Adopt({.version = ++version_, .routes = &tables_[now_], .settings = settings_.get()});
}

Peer& World::Connect(ConnectionInfo info) {
  peers.push_back(std::make_unique<Peer>());
  Peer& peer = *peers.back();
  peer.world = this;
  peer.connection = shard->Open(peer.sink, std::move(info));
  return peer;
}

Producer World::Sender(Peer& peer, AttachRequest request) {
  request.token = peer.next_token++;
  Producer producer{.peer = &peer, .token = request.token};
  producer.link = shard->AttachIn(peer.connection, request);
  return producer;
}

Producer World::Sender(Peer& peer, std::string_view address) {
  return Sender(peer, AttachRequest{.address = std::string(address)});
}

Consumer World::Receiver(Peer& peer, AttachRequest request, uint32_t credit) {
  request.token = peer.next_token++;
  Consumer consumer{.peer = &peer, .token = request.token};
  consumer.link = shard->AttachOut(peer.connection, request);
  Publish();
  if (credit > 0) consumer.Flow(credit);
  return consumer;
}

Consumer World::Receiver(Peer& peer, std::string_view address, uint32_t credit) {
  return Receiver(peer, AttachRequest{.address = std::string(address)}, credit);
}

void World::Close(Peer& peer) { shard->Close(peer.connection); }

void World::Apply(const Notice& notice, RouteTable::Builder& builder) {
  const ConsumerUp* up = std::get_if<ConsumerUp>(&notice);
  const ConsumerDown* down = std::get_if<ConsumerDown>(&notice);
  const AddressKey& key = up != nullptr ? up->key : down->key;
  const auto found = routes_.find(key);
  std::shared_ptr<Route> route =
      found == routes_.end() ? std::make_shared<Route>() : std::make_shared<Route>(*found->second);
  if (found == routes_.end()) {
    route->key = key;
    route->id = next_route_++;
    route->treatment = up != nullptr ? up->treatment : Treatment::kBalanced;
    route->local.resize(1);
  }
  std::vector<LocalTarget>& targets = route->local[0];
  if (up != nullptr) targets.push_back({.link = up->link.link, .load = up->load});
  if (down != nullptr) {
    std::erase_if(targets, [&](const LocalTarget& t) { return t.link == down->link.link; });
  }
  route->local_count = static_cast<uint32_t>(targets.size());
  if (targets.empty()) {
    routes_.erase(key);
    builder.Erase(key);
  } else {
    routes_[key] = route;
    builder.Set(route);
  }
}

void World::Publish() {
  const Outbox outbox = shard->TakeOutbox();
  if (outbox.Empty()) return;
  RouteTable::Builder builder(tables_[now_]);
  for (const Notice& notice : outbox.to_pilot) {
    notices.push_back(notice);
    Apply(notice, builder);
  }
  now_ ^= 1;
  tables_[now_] = builder.Finish();
  shard->Adopt({.version = ++version_, .routes = &tables_[now_], .settings = settings_.get()});
  if (!answer_consumers) return;
  for (const Notice& notice : outbox.to_pilot) {
    if (const ConsumerUp* up = std::get_if<ConsumerUp>(&notice)) {
      shard->Accept(LinkReady{.link = up->link.link});
    }
  }
}

void World::Turn() {
  Publish();
  for (int i = 0; i < 10'000; ++i) {
    if (!shard->Emit(Time{})) return;
  }
  FAIL() << "Emit never ends";
}

Slice World::Memory(std::string_view bytes) {
  if (bytes.empty()) return {};
  Block* block = pool.Take(std::max<uint32_t>(BlockPool::kBlockBytes, bytes.size()));
  std::memcpy(block->tail(), bytes.data(), bytes.size());
  block->used += static_cast<uint32_t>(bytes.size());
  Slice slice(block, block->bytes, block->used);
  BlockPool::Unref(block);
  return slice;
}

std::string Body(std::string_view text) {
  std::string message("\x00\x53\x75\xb0", 4);
  for (int shift = 24; shift >= 0; shift -= 8) {
    message.push_back(static_cast<char>(text.size() >> shift));
  }
  return message.append(text);
}

std::string TextOf(std::string_view message) {
  if (message.size() < 8 || message.substr(0, 4) != std::string_view("\x00\x53\x75\xb0", 4)) {
    return "?";
  }
  return std::string(message.substr(8));
}

}  // namespace trunkline::core
