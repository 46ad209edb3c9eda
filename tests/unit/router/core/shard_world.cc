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
  EXPECT_FALSE(links[link].taken);
  links[link].credit += credit;
  links[link].granted += credit;
}

void FakeSink::SetTaken(LinkToken link, bool taken) {
  EXPECT_NE(links[link].taken, taken);
  links[link].taken = taken;
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

// --- Peer

Shard& Peer::shard() const { return *world->parts[home]->shard; }

void Peer::Resume() { shard().Resume(connection); }

// --- Producer

uint32_t Producer::Transfer(Slice bytes, const SendOptions& options) {
  const uint32_t delivery = peer->next_delivery++;
  if (record().credit > 0) --record().credit;
  user = peer->shard().OnTransfer(link, {.first = true,
                                         .more = options.more,
                                         .settled = options.settled,
                                         .delivery = delivery,
                                         .message_format = options.format,
                                         .payload = std::move(bytes)});
  peer->world->Carry();
  return delivery;
}

uint32_t Producer::Send(std::string_view bytes, SendOptions options) {
  return Transfer(peer->world->Memory(bytes, peer->home), options);
}

void Producer::SendMany(int count, std::string_view bytes, SendOptions options) {
  const Slice memory = peer->world->Memory(bytes, peer->home);
  for (int i = 0; i < count; ++i) Transfer(memory, options);
}

void Producer::More(std::string_view bytes, SendOptions options) {
  World& world = *peer->world;
  peer->shard().OnTransfer(link, {.user = user,
                                  .more = options.more,
                                  .settled = options.settled,
                                  .payload = world.Memory(bytes, peer->home)});
  world.Carry();
}

void Producer::Abort(std::string_view bytes) {
  World& world = *peer->world;
  peer->shard().OnTransfer(
      link, {.user = user, .aborted = true, .payload = world.Memory(bytes, peer->home)});
  world.Carry();
}

void Producer::Settle(uint64_t in_user, amqp::OutcomeKind kind) {
  peer->shard().OnProducerDisposition(in_user, {.kind = kind, .raw = {}}, true);
  peer->world->Carry();
}

void Producer::Detach() {
  peer->shard().DetachIn(link);
  peer->world->Carry();
}

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
  peer->shard().OnFlow(link, credit, drain);
}

void Consumer::Settle(const Got& got, amqp::OutcomeKind kind, bool settled) {
  Settle(got, {.kind = kind, .raw = {}}, settled);
}

void Consumer::Settle(const Got& got, const amqp::Outcome& outcome, bool settled) {
  peer->shard().OnConsumerDisposition(got.user, outcome, settled);
  peer->world->Carry();
}

void Consumer::AcceptAll() {
  for (size_t i = 0; i < got().size(); ++i) {
    const Got one = got()[i];
    if (!one.settled) Settle(one, amqp::OutcomeKind::kAccepted);
  }
}

void Consumer::Detach() {
  peer->shard().DetachOut(link);
  peer->world->Carry();
}

// --- World

World::World(WorldOptions world_options)
    : parts([&] {
        std::vector<std::unique_ptr<Part>> all;
        for (ShardId id = 0; id < world_options.shards; ++id) {
          all.push_back(std::make_unique<Part>(id));
        }
        return all;
      }()),
      pool(parts[0]->pool),
      shard(parts[0]->shard),
      rings_(world_options.shards * world_options.shards),
      random_(world_options.seed) {
  options.identity.router_id = "A";
  options.seed = world_options.seed;
  options.link_budget_bytes = world_options.link_budget_bytes;
  options.watch_interval = world_options.watch_interval;
  settings_ =
      *AddressSettings::Build(std::move(world_options.settings), world_options.default_treatment);
  for (size_t i = parts.size(); i-- > 0;) {
    options.id = static_cast<ShardId>(i);
    parts[i]->shard = std::make_unique<Shard>(options, parts[i]->pool);
  }
  Adopt();
}

World::~World() {
  for (const auto& part : parts) {
    if (part->shard == nullptr) return;  // they went in their own way
  }
  for (size_t i = 0; i < rings_.size(); ++i) {
    Shard& to = *parts[i % parts.size()]->shard;
    for (Envelope& mail : rings_[i].mail) to.Drop(std::move(mail));
  }
  for (const auto& part : parts) {
    auto& all = part->shard->outbox().to_shard;
    for (size_t to = 0; to < all.size(); ++to) {
      for (Envelope& mail : all[to]) parts[to]->shard->Drop(std::move(mail));
    }
  }
  for (const auto& part : parts) part->shard->LetGo();
  for (const auto& part : parts) {
    for (const auto& home : parts) {
      BlockPool::AcceptReturns(part->pool.TakeReturns(home->pool.id()));
    }
  }
}

Peer& World::Connect(ConnectionInfo info, ShardId home) {
  peers.push_back(std::make_unique<Peer>());
  Peer& peer = *peers.back();
  peer.world = this;
  peer.home = home;
  peer.connection = peer.shard().Open(peer.sink, std::move(info));
  return peer;
}

Producer World::Sender(Peer& peer, AttachRequest request) {
  request.token = peer.next_token++;
  Producer producer{.peer = &peer, .token = request.token};
  producer.link = peer.shard().AttachIn(peer.connection, request);
  return producer;
}

Producer World::Sender(Peer& peer, std::string_view address) {
  return Sender(peer, AttachRequest{.address = std::string(address)});
}

Consumer World::Receiver(Peer& peer, AttachRequest request, uint32_t credit) {
  request.token = peer.next_token++;
  Consumer consumer{.peer = &peer, .token = request.token};
  consumer.link = peer.shard().AttachOut(peer.connection, request);
  Publish();
  if (credit > 0) consumer.Flow(credit);
  return consumer;
}

Consumer World::Receiver(Peer& peer, std::string_view address, uint32_t credit) {
  return Receiver(peer, AttachRequest{.address = std::string(address)}, credit);
}

void World::Close(Peer& peer) {
  peer.shard().Close(peer.connection);
  Carry();
}

void World::Apply(const Notice& notice, RouteTable::Builder& builder) {
  if (const auto* one = std::get_if<ConsumerSwitched>(&notice)) return Switch(*one, builder);
  const ConsumerUp* up = std::get_if<ConsumerUp>(&notice);
  const ConsumerDown* down = std::get_if<ConsumerDown>(&notice);
  if (up == nullptr && down == nullptr) return;
  const AddressKey& key = up != nullptr ? up->key : down->key;
  const auto found = routes_.find(key);
  std::shared_ptr<Route> route =
      found == routes_.end() ? std::make_shared<Route>() : std::make_shared<Route>(*found->second);
  if (found == routes_.end()) {
    route->key = key;
    route->id = next_route_++;
    route->treatment = up != nullptr ? up->treatment : Treatment::kBalanced;
    route->local.resize(parts.size());
    for (ShardTargets& local : route->local) local.last_departure = departures_;
  }
  if (up != nullptr) {
    route->local[up->link.shard].targets.push_back({.link = up->link.link,
                                                    .load = up->load,
                                                    .capacity = up->capacity,
                                                    .strip = up->strip_outbound,
                                                    .name = up->name});
  } else {
    ShardTargets& local = route->local[down->link.shard];
    std::erase_if(local.targets, [&](const LocalTarget& t) { return t.link == down->link.link; });
    local.last_departure = ++departures_;
  }
  Put(std::move(route), builder);
}

void World::Switch(const ConsumerSwitched& notice, RouteTable::Builder& builder) {
  for (const auto& [key, old_route] : routes_) {
    for (LocalTarget target : old_route->local[notice.link.shard].targets) {
      if (target.link != notice.link.link) continue;
      auto route = std::make_shared<Route>(*old_route);
      for (ShardTargets& local : route->local) {
        local.last_departure = ++departures_;
        for (LocalTarget& each : local.targets) {
          if (each.load == target.load) each.disabled = notice.disabled;
        }
      }
      return Put(std::move(route), builder);
    }
  }
}

// What is published leaves out targets that are disabled, unless all are.
void World::Put(std::shared_ptr<const Route> route, RouteTable::Builder& builder) {
  auto offered = std::make_shared<Route>(*route);
  offered->local_count = 0;
  uint32_t all = 0;
  for (ShardTargets& local : offered->local) {
    all += static_cast<uint32_t>(local.size());
    std::erase_if(local.targets, [](const LocalTarget& target) { return target.disabled; });
    offered->local_count += static_cast<uint32_t>(local.size());
  }
  if (all == 0) {
    builder.Erase(route->key);
    routes_.erase(route->key);
    return;
  }
  routes_[route->key] = route;
  if (offered->local_count > 0) return builder.Set(std::move(offered));
  *offered = *route;
  offered->local_count = all;
  builder.Set(std::move(offered));
}

void World::Publish() {
  std::vector<Notice> said;
  for (const auto& part : parts) {
    for (Notice& notice : std::exchange(part->shard->outbox().to_pilot, {})) {
      said.push_back(std::move(notice));
    }
  }
  if (!said.empty()) {
    RouteTable::Builder builder(*table_);
    for (const Notice& notice : said) {
      notices.push_back(notice);
      Apply(notice, builder);
    }
    table_ = std::make_shared<const RouteTable>(builder.Finish());
    ++version_;
  }
  Adopt();
  if (!answer_consumers) return;
  for (const Notice& notice : said) {
    if (const ConsumerUp* up = std::get_if<ConsumerUp>(&notice)) {
      parts[up->link.shard]->shard->Accept(kFromPilot, LinkReady{.link = up->link.link});
    }
  }
}

void World::SetTaps(std::shared_ptr<const TapSet> taps) {
  const std::shared_ptr<const TapSet> before = std::exchange(taps_, std::move(taps));
  for (const auto& part : parts) part->table = nullptr;
  ++version_;
  Adopt();
}

void World::Adopt() {
  for (const auto& part : parts) {
    if (part->late || part->table == table_) continue;
    part->shard->Adopt({.version = version_,
                        .routes = table_.get(),
                        .settings = settings_.get(),
                        .taps = taps_.get()});
    part->table = table_;
  }
  Carry();
}

void World::Turn() {
  Publish();
  for (const auto& part : parts) part->shard->BeginTurn(now);
  Carry();
  for (int i = 0; i < 10'000; ++i) {
    bool more = false;
    for (const auto& part : parts) more |= part->shard->Emit(now);
    more |= CarryOne();
    if (!more) return;
  }
  FAIL() << "Emit never ends";
}

void World::Carry() {
  while (CarryOne()) {
  }
}

// The first piece of mail of some pair. False if there is none that may arrive.
bool World::CarryOne() {
  for (size_t from = 0; from < parts.size(); ++from) {
    auto& all = parts[from]->shard->outbox().to_shard;
    for (size_t to = 0; to < all.size(); ++to) {
      EXPECT_TRUE(all[to].empty() || from != to) << "a shard writes to itself";
      for (Envelope& mail : all[to]) {
        rings_[from * parts.size() + to].mail.push_back(std::move(mail));
      }
      all[to].clear();
    }
  }
  const size_t first = random_.Below(rings_.size());
  for (size_t i = 0; i < rings_.size(); ++i) {
    const size_t at = (first + i) % rings_.size();
    Ring& ring = rings_[at];
    if (ring.late || ring.mail.empty()) continue;
    Envelope mail = std::move(ring.mail.front());
    ring.mail.pop_front();
    parts[at % parts.size()]->shard->Accept(static_cast<ShardId>(at / parts.size()),
                                            std::move(mail));
    return true;
  }
  return false;
}

uint64_t World::Unsettled() const {
  uint64_t unsettled = 0;
  for (const auto& part : parts) unsettled += part->shard->unsettled();
  return unsettled;
}

void World::CheckEnd() {
  for (const auto& peer : peers) Close(*peer);
  for (Ring& ring : rings_) ring.late = false;
  for (const auto& part : parts) part->late = false;
  Turn();
  for (const auto& part : parts) part->shard->Trim();
  Carry();
  EXPECT_EQ(Unsettled(), 0u);
  EXPECT_EQ(Sum(&ShardStats::undelivered), 0);
  EXPECT_EQ(Sum(&ShardStats::unsettled), 0);
  EXPECT_EQ(Sum(&ShardStats::links_in), 0);
  EXPECT_EQ(Sum(&ShardStats::links_out), 0);
  for (const auto& part : parts) {
    EXPECT_EQ(part->shard->stand_ins(), 0u);
    EXPECT_EQ(part->pool.bytes_in_use(), 0u);
  }
}

Slice World::Memory(std::string_view bytes, ShardId home) {
  if (bytes.empty()) return {};
  Block* block = parts[home]->pool.Take(std::max<uint32_t>(BlockPool::kBlockBytes, bytes.size()));
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
