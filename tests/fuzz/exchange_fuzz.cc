// Several rude peers on one shard, who speak AMQP and mostly well: the input is a program of what
// they say and when. They attach to the same addresses, exchange messages of all sizes, settle,
// grant and drain, stop reading, lie about numbers, are cut off in the middle of a frame, while
// time passes and memory gets short. Honest clients are served meanwhile; in the end nothing is
// held.
//
// Input: operations, a byte each, and the bytes that each takes as its arguments.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "router/amqp/codec.h"
#include "router/amqp/performatives.h"
#include "router/amqp/sasl.h"
#include "router/base/check.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/served_world.h"

namespace trunkline::fuzz {
namespace {

using conn::test::Peer;
using conn::test::World;

constexpr int kPeers = ServedWorld::kRude;
constexpr int kOperationsMax = 100;
// Messages of a run that are more than a few frames, and those of the largest size.
constexpr int kLargeMax = 6;
constexpr int kLargestMax = 2;
constexpr uint32_t kFrameBytes = 512;
constexpr uint32_t kLargeFrameBytes = 16000;

constexpr const char* kAddresses[] = {"orders", "orders",  "news/a", "near/a",
                                      "none/a", "spare/a", "way/a",  "honest"};
constexpr const char* kCapabilities[] = {"qd.fallback", "qd.waypoint", "qd.waypoint.2"};
constexpr uint32_t kNumbers[] = {0, 1, 2, 5, 100, 0x7fffffff, 0xfffffffe, 0xffffffff};
// What is held of a message, and what a peer leaves unread, has its borders below twice the
// largest.
constexpr uint32_t kSizes[] = {0, 20, 400, 3000, 20'000, 140'000, 20, 20};
constexpr uint32_t kSmallSizes[] = {0, 20, 400, 3000, 6000, 20'000, 20, 20};
constexpr uint32_t kPayloadMax = 140'000;
constexpr Duration kTimes[] = {Milliseconds(100), Seconds(1), Seconds(3), Seconds(11)};

// A peer, and what it has to remember to be understood.
struct Speaker {
  Peer* peer = nullptr;
  std::string pending;    // said, but not on the wire
  size_t last_frame = 0;  // where it begins in `pending`
  bool vanished = false;  // cut off, or it never read on
  bool small = false;
  uint32_t next_delivery = 0;
  uint32_t next_transfer = 0;
  uint32_t transfers_seen = 0;
  uint32_t delivery_seen = 0;  // the last one
  size_t heard = 0;            // of what the router wrote
  bool Here() const { return peer != nullptr && !peer->hung_up(); }
};

class Program {
 public:
  Program(Input input, ServedWorld& served)
      : input_(input), served_(served), world_(served.world()) {}

  void Run();

 private:
  void Step();
  void Come(Speaker& speaker);
  void Attach(Speaker& speaker);
  void Flow(Speaker& speaker);
  void Send(Speaker& speaker);
  void SayTransfer(Speaker& speaker, amqp::Transfer& transfer, uint32_t payload);
  void Dispose(Speaker& speaker);
  void Patch(Speaker& speaker);
  void Leave(Speaker& speaker);
  void Deliver(Speaker& speaker, size_t n);
  void DeliverAll();
  void Listen(Speaker& speaker);
  void Order(Speaker& speaker);
  template <typename T>
  void Say(Speaker& speaker, const T& performative) {
    StartFrame(speaker);
    amqp::Encode(performative, speaker.pending);
    EndFrame(speaker);
  }
  void StartFrame(Speaker& speaker);
  void EndFrame(Speaker& speaker);

  Input input_;
  ServedWorld& served_;
  World& world_;
  Speaker speakers_[kPeers];
  bool pressed_ = false;
  int large_ = 0;
  int largest_ = 0;
};

void Program::Run() {
  for (int i = 0; i < kOperationsMax && !input_.empty(); ++i) Step();
  DeliverAll();
  world_.Run();
  if (pressed_) world_.shard().SetPressure(false);
  if (!served_.HalfWay()) served_.Exchange();
  for (Speaker& speaker : speakers_) {
    if (speaker.peer == nullptr) continue;
    const bool by_itself = speaker.peer->hung_up() && !speaker.vanished && !speaker.peer->stalled;
    CheckOutput(speaker.peer->to_peer, by_itself);
  }
  served_.Rest();
}

void Program::Step() {
  const uint8_t byte = input_.Byte();
  Speaker& speaker = speakers_[byte % kPeers];
  if (speaker.peer == nullptr) return Come(speaker);
  switch (byte / kPeers % 20) {
    case 0:
    case 1:
      return Come(speaker);
    case 2:
    case 3:
      return Attach(speaker);
    case 4:
    case 5:
      return Flow(speaker);
    case 6:
    case 7:
    case 8:
      return Send(speaker);
    case 9:
    case 10:
      return Dispose(speaker);
    case 11: {
      const uint8_t handle = input_.Byte();
      return Say(speaker, amqp::Detach{.handle = handle % 4u, .closed = handle < 128});
    }
    case 12:
      if (input_.Byte() % 2 == 0) return Say(speaker, amqp::End{});
      return Say(speaker, amqp::Begin{.incoming_window = 8, .outgoing_window = 8});
    case 13:
      return Leave(speaker);
    case 14:
      return DeliverAll();
    case 15:
      Deliver(speaker, input_.Byte());
      world_.Turn();
      return;
    case 16:
      return world_.Pass(kTimes[input_.Byte() % 4], Milliseconds(500));
    case 17:
      return Patch(speaker);
    case 18:
      return Order(speaker);
    default:
      served_.SendHonest();
      return;
  }
}

// Another peer in the place of one that has gone; else what is pending goes out.
void Program::Come(Speaker& speaker) {
  if (speaker.Here()) return DeliverAll();
  const uint8_t bits = input_.Byte();
  conn::DriverOptions options = World::Accepting();
  options.idle_timeout = Seconds(8);
  options.info.link_capacity = (bits & 1) != 0 ? 2 : 250;
  options.info.strip_inbound_annotations = (bits & 2) == 0;
  options.info.strip_outbound_annotations = (bits & 2) == 0;
  if ((bits & 4) != 0) options.info.max_message_size = 2000;
  const bool small = (bits & 8) != 0;
  if (small) {
    options.max_frame_size = kFrameBytes;
    options.session_window_bytes = 2048;
  }
  const int place = static_cast<int>(&speaker - speakers_);
  speaker = Speaker();
  speaker.peer = &served_.Come(place, std::move(options));
  speaker.small = small;
  amqp::Open open{.container_id = "rude"};
  if ((bits & 16) != 0) open.max_frame_size = kFrameBytes;
  if ((bits & 32) != 0) open.idle_time_out = 1000;
  const uint32_t window = (bits & 64) != 0 ? 2 : 2048;
  speaker.pending = amqp::kAmqpHeader;
  Say(speaker, open);
  Say(speaker, amqp::Begin{.incoming_window = window, .outgoing_window = 2048});
}

void Program::Attach(Speaker& speaker) {
  const uint8_t bits = input_.Byte();
  const uint8_t more = input_.Byte();
  amqp::Attach attach;
  attach.handle = bits % 4;
  attach.role = (bits & 4) != 0 ? amqp::Role::kReceiver : amqp::Role::kSender;
  attach.name = "link" + std::to_string(bits % 8);
  attach.source.present = true;
  attach.target.present = true;
  const bool receiver = attach.role == amqp::Role::kReceiver;
  amqp::Terminus& terminus = receiver ? attach.source : attach.target;
  terminus.address = kAddresses[(bits >> 3) % 8];
  if (!receiver) attach.initial_delivery_count = 0;
  attach.snd_settle_mode = static_cast<amqp::SenderSettleMode>(more % 3);
  attach.rcv_settle_mode = static_cast<amqp::ReceiverSettleMode>(more / 4 % 2);
  const int kind = more / 8 % 8;
  if (kind < 3) terminus.capabilities = {kCapabilities[kind]};
  if (kind == 3 || kind == 4) terminus.address.reset();
  if (kind == 4) terminus.dynamic = true;
  if (kind == 5) terminus.coordinator = true;
  Say(speaker, attach);
}

void Program::Flow(Speaker& speaker) {
  const uint8_t bits = input_.Byte();
  const uint8_t more = input_.Byte();
  Listen(speaker);
  amqp::Flow flow;
  flow.next_incoming_id = speaker.transfers_seen;
  flow.next_outgoing_id = speaker.next_transfer;
  flow.incoming_window = (more & 64) != 0 ? 1 : 2048;
  flow.outgoing_window = 2048;
  if ((more & 32) == 0) {
    flow.handle = bits % 4;
    flow.delivery_count = (more & 16) != 0 ? kNumbers[more % 8] : speaker.transfers_seen;
    flow.link_credit = kNumbers[(bits >> 2) % 8];
  }
  flow.drain = (bits & 32) != 0;
  flow.echo = (bits & 64) != 0;
  Say(speaker, flow);
}

void Program::Send(Speaker& speaker) {
  const uint8_t bits = input_.Byte();
  const uint8_t more = input_.Byte();
  amqp::Transfer transfer;
  transfer.handle = bits % 4;
  const bool goes_on = (bits & 4) != 0;
  const std::string tag = std::to_string(speaker.next_delivery);
  if (!goes_on) {
    transfer.delivery_id = speaker.next_delivery++;
    transfer.delivery_tag = tag;
    transfer.message_format = 0;
  }
  if ((bits & 8) != 0) transfer.settled = true;
  transfer.more = (bits & 16) != 0;
  transfer.aborted = (bits & 96) == 96;
  uint32_t size = (speaker.small ? kSmallSizes : kSizes)[more % 8];
  if (size == kPayloadMax && ++largest_ > kLargestMax) size = kSizes[4];
  if (size > 10 * kFrameBytes && ++large_ > kLargeMax) size = kFrameBytes / 2;
  SayTransfer(speaker, transfer, size);
}

// In as many frames as the router takes: sections of data, the last one cut off or too long.
void Program::SayTransfer(Speaker& speaker, amqp::Transfer& transfer, uint32_t payload) {
  static const std::string sections =
      std::string("\0\x53\x75\xb0\0\0\x01\0", 8) + std::string(kPayloadMax, 'm');
  constexpr uint32_t kSpare = 100;
  const uint32_t most = (speaker.small ? kFrameBytes : kLargeFrameBytes) - kSpare;
  const bool more = transfer.more;
  const std::string_view message = std::string_view(sections).substr(0, payload);
  std::array<uint8_t, amqp::kTransferBytesMax> body;
  const size_t frames = 1 + message.size() / most;
  speaker.pending.reserve(speaker.pending.size() + message.size() + frames * kSpare);
  size_t at = 0;
  do {
    const std::string_view part = message.substr(at, most);
    at += part.size();
    transfer.more = more || at < message.size();
    const size_t size = amqp::EncodeTransfer(transfer, body.data());
    StartFrame(speaker);
    speaker.pending.append(reinterpret_cast<const char*>(body.data()), size).append(part);
    EndFrame(speaker);
    ++speaker.next_transfer;
  } while (at < message.size());
}

void Program::Dispose(Speaker& speaker) {
  const uint8_t bits = input_.Byte();
  const uint8_t more = input_.Byte();
  Listen(speaker);
  constexpr amqp::OutcomeKind kKinds[] = {
      amqp::OutcomeKind::kAccepted, amqp::OutcomeKind::kReleased, amqp::OutcomeKind::kModified,
      amqp::OutcomeKind::kRejected, amqp::OutcomeKind::kAccepted, amqp::OutcomeKind::kNone};
  amqp::Disposition disposition;
  disposition.role = (bits & 1) != 0 ? amqp::Role::kSender : amqp::Role::kReceiver;
  const uint32_t newest =
      disposition.role == amqp::Role::kSender ? speaker.next_delivery - 1 : speaker.delivery_seen;
  disposition.first = newest - more % 8;
  if ((more & 8) != 0) disposition.last = disposition.first + kNumbers[more / 16 % 8];
  disposition.settled = (bits & 2) == 0;
  disposition.state_kind = kKinds[bits / 4 % 6];
  Say(speaker, disposition);
}

// A byte of the last frame becomes another one.
void Program::Patch(Speaker& speaker) {
  const uint8_t at = input_.Byte();
  const uint8_t value = input_.Byte();
  if (speaker.pending.size() == speaker.last_frame) return;
  const size_t size = speaker.pending.size() - speaker.last_frame;
  speaker.pending[speaker.last_frame + at % size] = static_cast<char>(value);
}

void Program::Leave(Speaker& speaker) {
  if (input_.Byte() % 2 == 0) return Say(speaker, amqp::Close{});
  if (!speaker.Here()) return;
  speaker.vanished = true;
  world_.Vanish(*speaker.peer);
  world_.Run();
}

// What the router's owner may order, and what a peer does that has nothing to do with frames.
void Program::Order(Speaker& speaker) {
  switch (input_.Byte() % 4) {
    case 0:
      pressed_ = !pressed_;
      return world_.shard().SetPressure(pressed_);
    case 1:
      if (!speaker.Here()) return;
      if (speaker.peer->driver->phase() == conn::Phase::kHandshake) served_.GiveUp();
      return speaker.peer->driver->Close(
          {std::string(amqp::condition::kConnectionForced), "enough", {}});
    case 2:
      if (speaker.Here()) speaker.peer->driver->Quiesce();
      return;
    default:
      if (!speaker.Here()) return;
      speaker.vanished = true;
      speaker.peer->stalled = !speaker.peer->stalled;
      return;
  }
}

void Program::StartFrame(Speaker& speaker) {
  speaker.last_frame = speaker.pending.size();
  speaker.pending.append(8, '\0');
}

// Of AMQP, and channel 0.
void Program::EndFrame(Speaker& speaker) {
  uint8_t* const header = reinterpret_cast<uint8_t*>(speaker.pending.data() + speaker.last_frame);
  amqp::StoreBe32(header, static_cast<uint32_t>(speaker.pending.size() - speaker.last_frame));
  header[4] = 2;
}

void Program::Deliver(Speaker& speaker, size_t n) {
  n = std::min(n, speaker.pending.size());
  if (speaker.Here() && n == speaker.pending.size() && speaker.peer->to_router.empty()) {
    speaker.pending.swap(speaker.peer->to_router);
  } else if (speaker.Here()) {
    speaker.peer->to_router.append(speaker.pending, 0, n);
  }
  speaker.pending.erase(0, n);
  speaker.last_frame = speaker.pending.size();
}

void Program::DeliverAll() {
  bool said = false;
  for (Speaker& speaker : speakers_) {
    if (speaker.peer == nullptr || speaker.pending.empty()) continue;
    said = true;
    Deliver(speaker, speaker.pending.size());
  }
  if (!said) return void(world_.Turn());
  world_.Run();
}

// Counts what the router has sent, so that flows and dispositions speak of it.
void Program::Listen(Speaker& speaker) {
  const std::string_view written = speaker.peer->to_peer;
  while (written.size() >= speaker.heard + 8) {
    const std::string_view rest = written.substr(speaker.heard);
    if (rest.starts_with(amqp::kAmqpHeader)) {
      speaker.heard += amqp::kAmqpHeader.size();
      continue;
    }
    const uint32_t size = amqp::LoadBe32(reinterpret_cast<const uint8_t*>(rest.data()));
    if (size < 8 || size > rest.size()) return;
    amqp::Transfer transfer;
    std::string_view payload;
    if (amqp::ParseTransfer(rest.substr(8, size - 8), transfer, payload)) {
      ++speaker.transfers_seen;
      speaker.delivery_seen = transfer.delivery_id.value_or(speaker.delivery_seen);
    }
    speaker.heard += size;
  }
}

}  // namespace
}  // namespace trunkline::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace trunkline::fuzz;
  if (size > 0) Program(Input(data, size), ServedWorld::ForRun()).Run();
  return 0;
}
