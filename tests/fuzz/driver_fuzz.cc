// A whole connection against any bytes, accepted and dialled: TLS, handshake, engine, bridge,
// shard. Whatever the peer says must not touch the honest clients of the same shard; what we answer
// is AMQP; a connection that has ended is counted and holds nothing.
//
// Input: a byte of options, a byte that says how the rest is cut (0: by frames), then the peer's
// bytes: inside TLS, if that is among the options. Mutations keep most frames whole
// (frame_mutator.h).
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "router/amqp/codec.h"
#include "router/base/check.h"
#include "tests/fuzz/frame_mutator.h"
#include "tests/fuzz/served_world.h"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t size_max);

namespace trunkline::fuzz {
namespace {

using conn::test::Client;
using conn::test::Peer;
using conn::test::World;

constexpr uint8_t kRequireSasl = 1;
constexpr uint8_t kDialled = 2;
constexpr uint8_t kSmallFrames = 4;
constexpr uint8_t kGreeted = 8;   // all up to two attaches is said before
constexpr uint8_t kPatient = 16;  // the peer stays, silent, until we hang up
constexpr uint8_t kStalled = 32;  // the peer reads nothing until then
constexpr uint8_t kTls = 64;
constexpr uint8_t kOrdered = 128;  // we close when the peer has said everything

constexpr size_t kHeadBytes = 2;
constexpr size_t kBytesMax = 8192;
constexpr int kPiecesMax = 20;
constexpr Duration kIdleTimeout = Seconds(8);

// What most inputs would have to find out first: a client, or a server that lets ANONYMOUS in.
std::string Greeting(bool dialled) {
  std::string greeting;
  if (dialled) {
    amqp::SaslServer server({.mechanisms = {"ANONYMOUS"}, .external_identity = {}});
    amqp::SaslClient client({.mechanisms = {"ANONYMOUS"}, .hostname = {}, .authorization = {}});
    server.Push(client.TakeOutput());
    greeting = server.TakeOutput();
    client.Push(greeting);
    server.Push(client.TakeOutput());
    greeting += server.TakeOutput();
  }
  BlockPool pool;
  Client client(pool, {});
  client.Receiver("orders");
  client.Sender("orders");
  client.Sender(std::nullopt);
  return greeting + client.Pull(Time{});
}

// The peer's end of TLS, if it speaks that: its bytes go through, ours are thrown away.
class Wire {
 public:
  Wire(Peer& peer, bool tls, bool dialled) : peer_(peer) {
    if (!tls) return;
    stage_ = dialled ? tls::TlsStage::Server(Context(), {})
                     : tls::TlsStage::Client(Context(), {.server_name = "server.example"});
  }

  static const std::shared_ptr<const tls::Context>& Context() {
    static const auto* const context =
        new std::shared_ptr<const tls::Context>(conn::test::ServerContext());
    return *context;
  }

  void Say(std::string_view bytes) {
    if (stage_ == nullptr) {
      peer_.to_router += bytes;
    } else {
      plain_ += bytes;
    }
  }
  // True if bytes came or went.
  bool Move() {
    if (stage_ == nullptr) return false;
    std::array<uint8_t, 20000> buffer;
    bool moved = false;
    while (!peer_.to_peer.empty()) {
      const auto step = stage_->Read(Bytes(peer_.to_peer), absl::MakeSpan(buffer));
      peer_.to_peer.erase(0, step.consumed);
      if (step.consumed == 0 && step.produced == 0) break;
      moved = true;
    }
    while (true) {
      const auto step = stage_->Write(Bytes(plain_), absl::MakeSpan(buffer));
      plain_.erase(0, step.consumed);
      peer_.to_router.append(reinterpret_cast<const char*>(buffer.data()), step.produced);
      if (step.consumed == 0 && step.produced == 0) return moved;
      moved = true;
    }
  }

 private:
  static absl::Span<const uint8_t> Bytes(const std::string& text) {
    return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
  }

  Peer& peer_;
  std::unique_ptr<tls::TlsStage> stage_;
  std::string plain_;
};

conn::DriverOptions OptionsBy(uint8_t bits) {
  conn::DriverOptions options = World::Accepting();
  options.inbound = (bits & kDialled) == 0;
  options.hostname = "peer.example";
  options.require_sasl = (bits & kRequireSasl) != 0;
  options.idle_timeout = kIdleTimeout;
  if ((bits & kSmallFrames) != 0) {
    options.max_frame_size = 512;
    options.session_window_bytes = 4096;
    options.info.max_message_size = 2048;
  }
  if ((bits & kTls) != 0) options.tls = Wire::Context();
  options.tls_client.server_name = "server.example";
  return options;
}

// How much is said next: so many bytes, or with 0 a header or a frame, so that what it leads to
// (credit for what follows) has happened. Of many pieces, the last has all that is left.
size_t PieceOf(std::string_view bytes, uint8_t cut, int pieces) {
  if (pieces == kPiecesMax) return bytes.size();
  if (cut != 0) return std::min<size_t>(bytes.size(), cut);
  if (bytes.starts_with("AMQP") || bytes.size() < 8) return std::min<size_t>(bytes.size(), 8);
  const uint32_t size = amqp::LoadBe32(reinterpret_cast<const uint8_t*>(bytes.data()));
  return std::clamp<size_t>(size, 8, bytes.size());
}

void Play(const uint8_t* data, size_t size) {
  const uint8_t bits = data[0];
  const bool dialled = (bits & kDialled) != 0;
  ServedWorld& served = ServedWorld::ForRun();
  World& world = served.world();
  Peer& rude = served.Come(0, OptionsBy(bits));
  rude.stalled = (bits & kStalled) != 0;
  Wire wire(rude, (bits & kTls) != 0, dialled);
  const auto run = [&] {
    do {
      world.Run();
    } while (wire.Move());
  };
  if ((bits & kGreeted) != 0) {
    static const std::string greetings[] = {Greeting(false), Greeting(true)};
    wire.Say(greetings[dialled]);
    run();
  }
  const std::string_view bytes(reinterpret_cast<const char*>(data) + kHeadBytes, size - kHeadBytes);
  served.SendHonest();
  int pieces = 0;
  for (size_t at = 0; at < bytes.size() && !rude.hung_up();) {
    const size_t piece = PieceOf(bytes.substr(at), data[1], ++pieces);
    wire.Say(bytes.substr(at, piece));
    run();
    at += piece;
  }
  if (!served.HalfWay()) served.Exchange();
  if (rude.driver && (bits & kOrdered) != 0) {
    if (rude.driver->phase() == conn::Phase::kHandshake) served.GiveUp();
    rude.driver->Close({std::string(amqp::condition::kConnectionForced), "enough", {}});
    run();
  }
  if ((bits & kPatient) != 0) {
    // Of silence: the handshake's time, or the idle time, and then that of the close.
    world.Pass(Seconds(24), Seconds(2));
    TL_CHECK(rude.hung_up()) << "a silent peer stays";
  }
  if ((bits & kTls) == 0) CheckOutput(rude.to_peer, rude.hung_up() && (bits & kStalled) == 0);
  served.Rest();
}

}  // namespace
}  // namespace trunkline::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace trunkline::fuzz;
  if (size > kHeadBytes && size < kBytesMax) Play(data, size);
  return 0;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t size_max,
                                          unsigned seed) {
  using namespace trunkline::fuzz;
  constexpr unsigned kAnyBytes = 4;     // one of so many mutations knows nothing of frames
  constexpr unsigned kHandshakes = 32;  // TLS costs more than all else: few runs have it
  if (size <= kHeadBytes || size_max <= kHeadBytes || seed % kAnyBytes == 0) {
    size = LLVMFuzzerMutate(data, size, size_max);
  } else {
    const std::string changed =
        MutateFrames({reinterpret_cast<const char*>(data) + kHeadBytes, size - kHeadBytes},
                     size_max - kHeadBytes, seed, LLVMFuzzerMutate);
    std::copy(changed.begin(), changed.end(), data + kHeadBytes);
    size = kHeadBytes + changed.size();
    if (seed % 8 == 1) data[seed / 8 % 2] = static_cast<uint8_t>(seed >> 16);
  }
  if (size > 0 && seed % kHandshakes != 0) data[0] &= static_cast<uint8_t>(~kTls);
  return size;
}
