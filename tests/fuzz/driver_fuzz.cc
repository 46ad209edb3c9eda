// A whole connection against any bytes: handshake, engine, bridge, shard. Two honest clients on the
// same shard exchange a message before and after: whatever the rude peer says must not touch them.
//
// Input: one byte of options, one byte that says how the rest is cut, then the peer's bytes.
#include <cstdint>
#include <string>
#include <string_view>

#include "gtest/gtest.h"
#include "router/base/check.h"
#include "tests/unit/router/conn/test_world.h"

namespace trunkline::conn::test {
namespace {

constexpr uint8_t kRequireSasl = 1;
constexpr uint8_t kDialled = 2;
constexpr uint8_t kSmallFrames = 4;
constexpr uint8_t kGreeted = 8;  // header, open, begin and two attaches are said before

// What most inputs would have to find out first.
std::string Greeting() {
  BlockPool pool;
  Client client(pool, {});
  client.Receiver("orders");
  client.Sender("orders");
  client.Sender(std::nullopt);
  return client.Pull(Time{});
}

void Exchange(World& world, Peer& from, amqp::LinkIndex sender, Peer& to,
              amqp::LinkIndex receiver) {
  const size_t before = to.client->link(receiver).received.size();
  from.client->Send(sender, std::string("\0\x53\x77\xa1\x02hi", 7));
  TL_CHECK(world.RunUntil([&] { return to.client->link(receiver).received.size() > before; }))
      << "an honest client was not served";
}

void Play(const uint8_t* data, size_t size) {
  World world({.seed = 0});
  Peer& to = world.Connect();
  Peer& from = world.Connect();
  const amqp::LinkIndex receiver = to.client->Receiver("honest", 1'000'000);
  const amqp::LinkIndex sender = from.client->Sender("honest");
  Exchange(world, from, sender, to, receiver);

  DriverOptions options = World::Accepting();
  options.require_sasl = (data[0] & kRequireSasl) != 0;
  options.inbound = (data[0] & kDialled) == 0;
  if ((data[0] & kSmallFrames) != 0) options.max_frame_size = 512;
  Peer& rude = world.Accept(options);
  if ((data[0] & kGreeted) != 0) {
    rude.to_router += Greeting();
    world.Run();
  }
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  const size_t piece = data[1] == 0 ? bytes.size() : data[1];
  for (size_t at = 0; at < bytes.size() && !rude.hung_up(); at += piece) {
    rude.to_router += bytes.substr(at, piece);
    world.Run();
    from.client->Send(sender, std::string("\0\x53\x77\x40", 4));
  }
  Exchange(world, from, sender, to, receiver);
  if (!rude.hung_up()) world.Vanish(rude);
  world.Run();
  Exchange(world, from, sender, to, receiver);
}

}  // namespace
}  // namespace trunkline::conn::test

// A failure that the world itself reports ends the run, as a crash does.
extern "C" int LLVMFuzzerInitialize(int*, char***) {
  GTEST_FLAG_SET(break_on_failure, true);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 2 && size < 8192) trunkline::conn::test::Play(data, size);
  return 0;
}
