#include "test_world.h"

#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>
#include <variant>

#include "gtest/gtest.h"
#include "tests/unit/router/tls/test_certs.h"

namespace trunkline::conn::test {
namespace {

constexpr int kTurnsMax = 2'000'000;

}  // namespace

std::shared_ptr<const tls::Context> ServerContext() {
  const tls::test::TestCerts certs;
  tls::Bundle bundle;
  bundle.certificate_pem = certs.server.Pem();
  bundle.private_key_pem = certs.server.key().Pem();
  bundle.ca_pem = certs.authority.Pem();
  return *tls::Context::Build(bundle, {});
}

World::World(WorldOptions options)
    : options_(std::move(options)),
      random_(options_.seed),
      shard_({.identity = {.router_id = "R"}, .seed = options_.seed}, pool_) {
  settings_ = *core::AddressSettings::Build(options_.settings, core::Treatment::kBalanced);
  tables_.push_back(std::make_unique<core::RouteTable>());
  shard_.Adopt({.version = version_, .routes = tables_.back().get(), .settings = settings_.get()});
}

World::~World() { peers_.clear(); }  // they close at the shard, which reads the tables

DriverOptions World::Accepting() {
  DriverOptions options;
  options.router_id = "R";
  options.handshake_timeout = Seconds(10);
  options.max_frame_size = 16384;
  return options;
}

Peer& World::Connect(ClientOptions client, DriverOptions options) {
  Peer& peer = Accept(std::move(options));
  peer.client = std::make_unique<Client>(client_pool_, std::move(client));
  return peer;
}

Peer& World::Accept(DriverOptions options) {
  Peer& peer = *peers_.emplace_back(std::make_unique<Peer>());
  Start(peer, peers_.size() - 1, std::move(options));
  return peer;
}

void World::AcceptAgain(Peer& peer, DriverOptions options) {
  const auto place = std::find_if(peers_.begin(), peers_.end(),
                                  [&peer](const auto& other) { return other.get() == &peer; });
  peer = Peer();
  Start(peer, static_cast<uint64_t>(place - peers_.begin()), std::move(options));
}

void World::Start(Peer& peer, uint64_t tag, DriverOptions options) {
  options.tag = tag;
  peer.driver = std::make_unique<Driver>(options, shard_, workspace_);
  peer.deadline = peer.driver->Tick(now_);
}

// --- the turn

bool World::Turn() {
  bool active = false;
  for (const auto& peer : peers_) active |= Read(*peer);
  active |= RunPilot();
  for (const auto& peer : peers_) {
    if (peer->driver && peer->deadline <= now_) peer->deadline = peer->driver->Tick(now_);
    if (peer->client) peer->client->Tick(now_);
  }
  active |= shard_.Emit(now_);
  std::vector<uint64_t> touched = std::exchange(workspace_.touched, {});
  for (const uint64_t tag : touched) {
    if (Driver* driver = peers_[tag]->driver.get()) driver->Flush(now_);
  }
  for (const auto& peer : peers_) active |= Write(*peer);
  for (const auto& peer : peers_) active |= Deliver(*peer);
  return active;
}

bool World::Read(Peer& peer) {
  if (peer.client) peer.to_router += peer.client->Pull(now_);
  if (!peer.driver) peer.to_router.clear();
  bool active = false;
  while (!peer.to_router.empty() && peer.driver->WantsInput()) {
    const absl::Span<uint8_t> room = peer.driver->Room();
    const size_t n = Some(std::min(room.size(), peer.to_router.size()), options_.read_max);
    std::memcpy(room.data(), peer.to_router.data(), n);
    peer.driver->Received(n);
    peer.to_router.erase(0, n);
    active = true;
    if (random_.Below(4) != 0) break;
  }
  if (active) {
    peer.driver->Parse(now_);
    peer.deadline = peer.driver->Tick(now_);
  }
  return active;
}

bool World::Write(Peer& peer) {
  if (!peer.driver) return false;
  bool active = false;
  while (!peer.stalled) {
    std::array<iovec, 8> parts;
    const int count = peer.driver->Gather(parts.data(), static_cast<int>(parts.size()));
    const size_t before = peer.to_peer.size();
    for (int i = 0; i < count; ++i) {
      peer.to_peer.append(static_cast<const char*>(parts[i].iov_base), parts[i].iov_len);
    }
    const size_t gathered = peer.to_peer.size() - before;
    if (gathered == 0) break;
    const size_t n = Some(gathered, options_.write_max);
    peer.to_peer.resize(before + n);
    peer.driver->Wrote(n);
    peer.bytes_to_peer += n;
    active = true;
  }
  if (peer.driver->Finished()) {
    peer.error = peer.driver->error();
    peer.driver.reset();
  }
  return active;
}

bool World::Deliver(Peer& peer) {
  if (!peer.client || peer.to_peer.empty()) return false;
  while (!peer.to_peer.empty()) {
    const size_t n = Some(peer.to_peer.size(), options_.write_max);
    peer.client->Push(std::string_view(peer.to_peer).substr(0, n), now_);
    peer.to_peer.erase(0, n);
  }
  return true;
}

void World::Run() {
  int quiet = 0;
  for (int turns = 0; turns < kTurnsMax; ++turns) {
    quiet = Turn() ? 0 : quiet + 1;
    if (quiet == 3) return;
  }
  ADD_FAILURE() << "never quiet";
}

bool World::RunUntil(const std::function<bool()>& done) {
  for (int turns = 0; turns < kTurnsMax; ++turns) {
    if (done()) return true;
    Turn();
  }
  return false;
}

void World::Pass(Duration duration, Duration step) {
  const Time end = now_ + duration;
  while (now_ < end) {
    now_ = now_ + step;
    Turn();
  }
}

void World::Vanish(Peer& peer) {
  if (!peer.driver) return;
  peer.driver->InputEnded();
  peer.driver->Parse(now_);
  peer.error = peer.driver->error();
}

// --- the pilot

bool World::RunPilot() {
  const core::Outbox outbox = std::exchange(shard_.outbox(), {});
  if (outbox.Empty()) return false;
  for (const core::Notice& notice : outbox.to_pilot) Apply(notice);
  core::RouteTable::Builder builder{core::RouteTable()};
  for (const auto& [key, route] : routes_) {
    builder.Set(std::make_shared<const core::Route>(route));
  }
  tables_.push_back(std::make_unique<core::RouteTable>(builder.Finish()));
  shard_.Adopt(
      {.version = ++version_, .routes = tables_.back().get(), .settings = settings_.get()});
  if (tables_.size() > 2) tables_.erase(tables_.begin());  // the shard has left it twice over
  for (const core::Notice& notice : outbox.to_pilot) {
    if (const auto* up = std::get_if<core::ConsumerUp>(&notice)) {
      shard_.Accept(core::kFromPilot, core::LinkReady{up->link.link});
    }
  }
  return true;
}

void World::Apply(const core::Notice& notice) {
  if (const auto* up = std::get_if<core::ConsumerUp>(&notice)) {
    core::Route& route = routes_[up->key];
    if (route.id == 0) {
      route.id = next_route_++;
      route.key = up->key;
      route.treatment = up->treatment;
      route.local.resize(1);
    }
    route.local[0].targets.push_back({.link = up->link.link, .load = up->load});
    ++route.local_count;
    return;
  }
  // No test here has two consumers of an address of which one is disabled.
  if (std::holds_alternative<core::ConsumerSwitched>(notice)) return;
  const auto& down = std::get<core::ConsumerDown>(notice);
  const auto found = routes_.find(down.key);
  if (found == routes_.end()) return;
  auto& local = found->second.local[0].targets;
  std::erase_if(local, [&](const auto& target) { return target.link == down.link.link; });
  found->second.local_count = static_cast<uint32_t>(local.size());
  if (local.empty()) routes_.erase(found);
}

}  // namespace trunkline::conn::test
