#include "tests/fuzz/served_world.h"

#include <optional>
#include <utility>

#include "gtest/gtest.h"
#include "router/amqp/codec.h"
#include "router/amqp/performatives.h"
#include "router/amqp/sasl.h"
#include "router/base/check.h"

namespace trunkline::fuzz {
namespace {

using conn::test::Peer;
using conn::test::World;

constexpr int kRunsPerWorld = 256;
constexpr char kHonest[] = "honest";

// A rude consumer on the address of the honest gets copies, and takes nothing away.
conn::test::WorldOptions Options() {
  conn::test::WorldOptions options{.seed = 0};
  const auto add = [&options](std::string pattern, core::Treatment treatment) {
    options.settings.push_back({.pattern = std::move(pattern), .treatment = treatment});
  };
  add(kHonest, core::Treatment::kMulticast);
  add("news/#", core::Treatment::kMulticast);
  add("near/#", core::Treatment::kClosest);
  add("none/#", core::Treatment::kUnavailable);
  options.settings.push_back({.pattern = "spare/#", .fallback = true});
  options.settings.push_back({.pattern = "way/#", .ingress_phase = '0', .egress_phase = '1'});
  return options;
}

bool IsParsed(amqp::Descriptor descriptor, std::string_view body) {
  amqp::Flow flow;
  amqp::Transfer transfer;
  amqp::Disposition disposition;
  std::string_view payload;
  switch (descriptor) {
    case amqp::Descriptor::kOpen:
      return amqp::ParseOpen(body).ok();
    case amqp::Descriptor::kBegin:
      return amqp::ParseBegin(body).ok();
    case amqp::Descriptor::kAttach:
      return amqp::ParseAttach(body).ok();
    case amqp::Descriptor::kFlow:
      return amqp::ParseFlow(body, flow);
    case amqp::Descriptor::kTransfer:
      return amqp::ParseTransfer(body, transfer, payload);
    case amqp::Descriptor::kDisposition:
      return amqp::ParseDisposition(body, disposition);
    case amqp::Descriptor::kDetach:
      return amqp::ParseDetach(body).ok();
    case amqp::Descriptor::kEnd:
      return amqp::ParseEnd(body).ok();
    case amqp::Descriptor::kClose:
      return amqp::ParseClose(body).ok();
    default:
      return true;  // of SASL, which has a target of its own
  }
}

}  // namespace

ServedWorld& ServedWorld::ForRun() {
  static std::unique_ptr<ServedWorld> served;
  static int runs = 0;
  if (served == nullptr || ++runs == kRunsPerWorld) {
    served.reset();  // the pools of two worlds at once would be twice the memory
    served.reset(new ServedWorld);
    runs = 0;
  }
  return *served;
}

ServedWorld::ServedWorld()
    : world_(Options()),
      consumer_(world_.Connect()),
      producer_(world_.Connect()),
      receiver_(consumer_.client->Receiver(kHonest, 1'000'000'000)),
      sender_(producer_.client->Sender(kHonest)) {
  Exchange();
  world_.Run();
  at_rest_ = Now();
  came_ = Ends();
}

Peer& ServedWorld::Come(int place, conn::DriverOptions options) {
  Peer*& peer = rude_[place];
  ++came_;
  if (peer == nullptr) {
    peer = &world_.Accept(std::move(options));
  } else {
    TL_CHECK(peer->hung_up());
    world_.AcceptAgain(*peer, std::move(options));
  }
  return *peer;
}

void ServedWorld::SendHonest() {
  producer_.client->Send(sender_, std::string("\0\x53\x77\x40", 4));
}

void ServedWorld::Exchange() {
  auto& received = consumer_.client->link(receiver_).received;
  const size_t before = received.size();
  producer_.client->Send(sender_, std::string("\0\x53\x77\xa1\x02hi", 7));
  TL_CHECK(world_.RunUntil([&] { return received.size() > before; }))
      << "an honest client was not served";
}

bool ServedWorld::HalfWay() const {
  const auto& received = consumer_.client->link(receiver_).received;
  return !received.empty() && !received.back().complete && !received.back().aborted;
}

void ServedWorld::Rest() {
  for (Peer* peer : rude_) {
    if (peer == nullptr) continue;
    peer->stalled = false;
    if (!peer->hung_up()) world_.Vanish(*peer);
  }
  Exchange();
  world_.Run();
  for (Peer* peer : rude_) {
    if (peer == nullptr) continue;
    TL_CHECK(peer->hung_up());
    peer->to_router.clear();
    peer->to_peer.clear();
  }
  consumer_.client->link(receiver_).received.clear();
  producer_.client->link(sender_).outcomes.clear();
  TL_CHECK(!consumer_.hung_up() && !producer_.hung_up());
  TL_CHECK(Ends() == came_) << "a connection ended without being counted, or twice";
  const Held now = Now();
  TL_CHECK(now == at_rest_) << "held for peers that are gone, of deliveries, links in, links out, "
                            << "undelivered, unsettled, bytes: " << now.deliveries << " "
                            << now.links_in << " " << now.links_out << " " << now.undelivered << " "
                            << now.unsettled << " " << now.bytes << "; at rest " << at_rest_.bytes;
}

ServedWorld::Held ServedWorld::Now() {
  world_.workspace().arena.Trim();
  const core::ShardStats& stats = world_.shard().stats();
  return {.deliveries = world_.shard().unsettled(),
          .links_in = stats.links_in.Get(),
          .links_out = stats.links_out.Get(),
          .undelivered = stats.undelivered.Get(),
          .unsettled = stats.unsettled.Get(),
          .bytes = world_.pool().bytes_in_use()};
}

uint64_t ServedWorld::Ends() const {
  const conn::ConnStats& stats = const_cast<World&>(world_).workspace().stats;
  uint64_t ends = stats.probes.Get();
  for (const Counter& counter : stats.ended) ends += counter.Get();
  for (const Counter& counter : stats.failed) ends += counter.Get();
  return ends;
}

void CheckOutput(std::string_view written, bool complete) {
  bool spoke_amqp = false;
  std::optional<amqp::Descriptor> last;
  while (!written.empty()) {
    if (written.starts_with(amqp::kAmqpHeader) || written.starts_with(amqp::kSaslHeader)) {
      written.remove_prefix(amqp::kAmqpHeader.size());
      continue;
    }
    if (written.size() < 8) break;
    const uint32_t size = amqp::LoadBe32(reinterpret_cast<const uint8_t*>(written.data()));
    TL_CHECK(size >= 8);
    if (size > written.size()) break;  // the rest was not taken
    const std::string_view body = written.substr(8, size - 8);
    spoke_amqp |= written[5] == 0;
    written.remove_prefix(size);
    if (body.empty()) continue;  // a heartbeat
    const auto descriptor = amqp::PeekDescriptor(body);
    TL_CHECK(descriptor.ok() && IsParsed(*descriptor, body)) << "we wrote what we do not take";
    last = *descriptor;
  }
  if (!complete) return;
  TL_CHECK(written.empty());
  // Who was dialled and answers our open with another protocol is told nothing.
  TL_CHECK(!spoke_amqp || last == amqp::Descriptor::kClose || last == amqp::Descriptor::kOpen)
      << "hung up without a close";
}

}  // namespace trunkline::fuzz

// A failure that the world itself reports ends the run, as a crash does.
extern "C" int LLVMFuzzerInitialize(int*, char***) {
  GTEST_FLAG_SET(break_on_failure, true);
  return 0;
}
