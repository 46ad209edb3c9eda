// A whole connection against any bytes, accepted and dialled: TLS, handshake, logins, engine,
// bridge, shard. Whatever the peer says must not touch the honest clients of the same shard; what
// we answer is AMQP; a connection that has ended is counted and holds nothing.
//
// Input: a byte of options; a byte that says how the rest is cut (0: by frames) or, from kLogin on,
// that passwords are asked for and what becomes of logins (login_desk.h); then the peer's bytes:
// inside TLS, if that is among the options. Mutations keep most frames whole (frame_mutator.h).
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
#include "tests/fuzz/login_desk.h"
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

constexpr uint8_t kLogin = 128;  // of the second byte; the rest of it is the script

constexpr size_t kHeadBytes = 2;
constexpr size_t kBytesMax = 8192;
constexpr int kPiecesMax = 20;
constexpr Duration kIdleTimeout = Seconds(8);

// What the peer says in a SASL exchange that lets the client in: by PLAIN, or as anonymous.
std::string Exchange(bool dialled, bool login) {
  const std::string mechanism = login ? "PLAIN" : "ANONYMOUS";
  amqp::SaslServer server({.mechanisms = {mechanism}, .external_identity = {}});
  amqp::SaslClient client({.mechanisms = {mechanism}, .hostname = {}, .authorization = {}});
  std::string of_server, of_client;
  amqp::SaslStep step;
  const auto talk = [&] {
    const std::string to_server = client.TakeOutput();
    const std::string to_client = server.TakeOutput();
    server.Push(to_server);
    client.Push(to_client);
    of_client += to_server;
    of_server += to_client;
  };
  talk();
  talk();
  if (client.Next(step)) {
    client.Reply(std::string(1, '\0') + LoginDesk::kUser + '\0' + LoginDesk::kPassword);
  }
  talk();
  if (server.Next(step)) server.Finish("admin@r");
  talk();
  return dialled ? of_server : of_client;
}

// What most inputs would have to find out first: a client, or a server that lets us in.
std::string Greeting(bool dialled, bool login) {
  BlockPool pool;
  Client client(pool, {});
  client.Receiver("orders");
  client.Sender("orders");
  client.Sender(std::nullopt);
  return (dialled || login ? Exchange(dialled, login) : std::string()) + client.Pull(Time{});
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

// How much is said next: `cut` bytes, or with 0 a header or a frame, so that what it leads to
// (credit for what follows) has happened. Of many pieces, the last has all that is left.
size_t PieceOf(std::string_view bytes, uint8_t cut, int pieces) {
  if (pieces == kPiecesMax) return bytes.size();
  if (cut != 0) return std::min<size_t>(bytes.size(), cut);
  if (bytes.starts_with("AMQP") || bytes.size() < 8) return std::min<size_t>(bytes.size(), 8);
  const uint32_t size = amqp::LoadBe32(reinterpret_cast<const uint8_t*>(bytes.data()));
  return std::clamp<size_t>(size, 8, bytes.size());
}

// One input, played.
class Run {
 public:
  explicit Run(uint8_t bits, uint8_t second)
      : bits_(bits),
        login_((second & kLogin) != 0),
        cut_(login_ ? 0 : second),
        desk_(second % kLogin),
        served_(ServedWorld::ForRun()),
        rude_(served_.Come(0, Options())),
        wire_(rude_, Has(kTls), Has(kDialled)) {}

  void Play(std::string_view bytes);

 private:
  bool Has(uint8_t option) const { return (bits_ & option) != 0; }
  conn::DriverOptions Options();
  void Say(std::string_view bytes);
  // Until nothing happens any more.
  void Settle(LoginDesk::When when = LoginDesk::When::kAtOnce);
  void Order();
  void BePatient();

  const uint8_t bits_;
  const bool login_;
  const uint8_t cut_;
  LoginDesk desk_;
  ServedWorld& served_;
  Peer& rude_;
  Wire wire_;
};

conn::DriverOptions Run::Options() {
  conn::DriverOptions options = World::Accepting();
  options.inbound = !Has(kDialled);
  options.hostname = "peer.example";
  options.require_sasl = Has(kRequireSasl);
  options.idle_timeout = kIdleTimeout;
  if (Has(kSmallFrames)) {
    options.max_frame_size = 512;
    options.session_window_bytes = 4096;
    options.info.max_message_size = 2048;
  }
  if (Has(kTls)) options.tls = Wire::Context();
  options.tls_client.server_name = "server.example";
  if (login_) desk_.Serve(options);
  return options;
}

void Run::Play(std::string_view bytes) {
  rude_.stalled = Has(kStalled);
  if (Has(kGreeted)) {
    static const std::string greetings[2][2] = {{Greeting(false, false), Greeting(false, true)},
                                                {Greeting(true, false), Greeting(true, true)}};
    wire_.Say(greetings[Has(kDialled)][login_]);
    Settle();
  }
  served_.SendHonest();
  Say(bytes);
  if (!served_.HalfWay()) served_.Exchange();
  if (login_) {
    Settle(LoginDesk::When::kAtTheEnd);
    // A denial comes a second later.
    if (rude_.driver && rude_.driver->phase() == conn::Phase::kHandshake) {
      served_.world().Pass(Milliseconds(1100), Milliseconds(550));
      Settle(LoginDesk::When::kAtTheEnd);
    }
  }
  if (rude_.driver && Has(kOrdered)) Order();
  if (Has(kPatient)) BePatient();
  if (!Has(kTls)) CheckOutput(rude_.to_peer, rude_.hung_up() && !Has(kStalled));
  served_.Rest();
  desk_.CheckEnd();
}

void Run::Say(std::string_view bytes) {
  int pieces = 0;
  for (size_t at = 0; at < bytes.size() && !rude_.hung_up();) {
    const size_t piece = PieceOf(bytes.substr(at), cut_, ++pieces);
    wire_.Say(bytes.substr(at, piece));
    Settle();
    at += piece;
  }
}

void Run::Settle(LoginDesk::When when) {
  do {
    served_.world().Run();
    // A certificate lets in as well.
    if (rude_.driver && login_ && !Has(kTls)) {
      desk_.CheckPeer(*rude_.driver, Has(kRequireSasl) || Has(kDialled));
    }
  } while (wire_.Move() || desk_.Work(when, served_.world(), rude_));
}

void Run::Order() {
  if (rude_.driver->phase() == conn::Phase::kHandshake) served_.GiveUp();
  rude_.driver->Close({std::string(amqp::condition::kConnectionForced), "enough", {}});
  Settle();
}

void Run::BePatient() {
  // Of silence: the handshake's time, or the idle time, and then that of the close.
  served_.world().Pass(Seconds(24), Seconds(2));
  TL_CHECK(rude_.hung_up()) << "a silent peer stays";
}

}  // namespace
}  // namespace trunkline::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace trunkline::fuzz;
  if (size <= kHeadBytes || size >= kBytesMax) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  Run(data[0], data[1]).Play(input.substr(kHeadBytes));
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
