#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "tests/unit/router/conn/test_world.h"

namespace trunkline::fuzz {

// One worker with a shard, an honest producer and an honest consumer: what rude peers must not
// touch. It serves many runs, as setting it up costs more than most of them; each run has to leave
// it as it was, which Rest checks.
class ServedWorld {
 public:
  // A world for this run: the one of the last runs, or a new one. The same for the same number of
  // runs since the start, so an input alone has a world of its own.
  static ServedWorld& ForRun();

  conn::test::World& world() { return world_; }

  // A rude peer, `place` of kRude; who was there before has to be gone.
  static constexpr int kRude = 4;
  conn::test::Peer& Come(int place, conn::DriverOptions options);

  // A connection is closed by us before it is open, which is not counted.
  void GiveUp() { --came_; }

  // A message from the honest producer is on its way.
  void SendHonest();
  // A message goes from the honest producer to the honest consumer. Beside the rude this may be
  // asked only where one of them has no message half way to the honest consumer: the next one waits
  // behind it, as links carry one after the other.
  void Exchange();
  bool HalfWay() const;
  // Everybody rude leaves; then the honest are served, and nothing of the others is held.
  void Rest();

 private:
  // What a shard and its memory hold.
  struct Held {
    uint64_t deliveries = 0;
    int64_t links_in = 0;
    int64_t links_out = 0;
    int64_t undelivered = 0;
    int64_t unsettled = 0;
    uint64_t bytes = 0;
    bool operator==(const Held&) const = default;
  };

  ServedWorld();
  Held Now();
  uint64_t Ends() const;  // of connections, as counted

  conn::test::World world_;
  conn::test::Peer& consumer_;
  conn::test::Peer& producer_;
  amqp::LinkIndex receiver_;
  amqp::LinkIndex sender_;
  conn::test::Peer* rude_[kRude] = {};
  uint64_t came_ = 0;
  Held at_rest_;
};

// What one of our connections wrote, without TLS: protocol headers and frames that can be parsed. A
// connection that spoke AMQP and hung up of itself (`complete`) said close.
void CheckOutput(std::string_view written, bool complete);

}  // namespace trunkline::fuzz
