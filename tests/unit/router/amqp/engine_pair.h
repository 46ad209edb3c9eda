#pragma once

#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "router/amqp/engine.h"
#include "router/base/payload.h"
#include "router/base/random.h"

namespace trunkline::amqp::testing {

// An Event with everything it refers to.
struct Seen {
  EventKind kind = EventKind::kNone;
  uint16_t session = 0;
  LinkIndex link = 0;
  Role role = Role::kSender;
  uint64_t link_user = 0;
  bool first = false;
  bool more = false;
  bool aborted = false;
  bool settled = false;
  uint32_t delivery = 0;
  uint64_t delivery_user = 0;
  uint32_t message_format = 0;
  std::string tag;
  std::string payload;
  Outcome outcome;
  uint32_t credit = 0;
  bool drain = false;
  bool echo = false;
  bool answer = false;
  bool closed = false;
  bool implied = false;
  Open open;
  Attach attach;
  Condition error;
};

inline Seen Copy(const Event& event) {
  Seen seen{.kind = event.kind, .session = event.session};
  const bool of_link = event.kind == EventKind::kAttached || event.kind == EventKind::kDetached ||
                       event.kind == EventKind::kTransfer || event.kind == EventKind::kLinkFlow ||
                       event.kind == EventKind::kDisposition;
  if (of_link) {
    seen.link = event.link;
    seen.role = event.role;
    seen.link_user = event.link_user;
  }
  switch (event.kind) {
    case EventKind::kOpened:
      seen.open = *event.open;
      break;
    case EventKind::kAttached:
      seen.attach = *event.attach;
      seen.answer = event.answer;
      break;
    case EventKind::kTransfer:
      seen.first = event.first;
      seen.more = event.more;
      seen.aborted = event.aborted;
      seen.settled = event.settled;
      seen.delivery = event.delivery;
      seen.delivery_user = event.delivery_user;
      seen.message_format = event.message_format;
      seen.tag = event.tag;
      seen.payload = event.payload.view();
      break;
    case EventKind::kDisposition:
      seen.settled = event.settled;
      seen.delivery = event.delivery;
      seen.delivery_user = event.delivery_user;
      seen.outcome = *event.outcome;
      break;
    case EventKind::kLinkFlow:
      seen.credit = event.credit;
      seen.drain = event.drain;
      seen.echo = event.echo;
      break;
    case EventKind::kDetached:
      seen.closed = event.closed;
      seen.implied = event.implied;
      seen.answer = event.answer;
      seen.error = *event.error;
      break;
    case EventKind::kEnded:
    case EventKind::kClosed:
    case EventKind::kFailed:
      seen.error = *event.error;
      break;
    default:
      break;
  }
  return seen;
}

// An engine that keeps what it has reported. By default it grants every attach with the termini
// asked for, answers every detach and echo, and releases payload at once.
class Node {
 public:
  explicit Node(EngineOptions options) : engine(std::move(options), pool) {
    react = [this](const Event& event) { Answer(event); };
  }
  ~Node() { Take(); }

  // Bytes from the peer; what is no whole frame is kept.
  void Feed(std::string_view bytes) {
    rest_ += bytes;
    Block* block = pool.Take(static_cast<uint32_t>(rest_.size() + 1));
    std::memcpy(block->tail(), rest_.data(), rest_.size());
    block->used = static_cast<uint32_t>(rest_.size());
    engine.SetInput(Slice(block, block->bytes, block->used), now);
    BlockPool::Unref(block);
    Poll();
    rest_.erase(0, engine.Consumed());
  }
  // What is to be reported without input.
  void Poll() {
    Event event;
    while (engine.Next(event)) {
      events.push_back(Copy(event));
      react(event);
    }
  }
  // Everything that is to be written, flushed.
  std::string Take() {
    engine.Flush(now);
    std::string bytes;
    struct iovec vec[64];
    while (engine.output().bytes() > 0) {
      const int n = engine.output().Gather(vec, 64);
      size_t size = 0;
      for (int i = 0; i < n; ++i) {
        bytes.append(static_cast<const char*>(vec[i].iov_base), vec[i].iov_len);
        size += vec[i].iov_len;
      }
      engine.output().Consume(size);
    }
    return bytes;
  }

  std::vector<Seen> All(EventKind kind) const {
    std::vector<Seen> found;
    for (const Seen& seen : events) {
      if (seen.kind == kind) found.push_back(seen);
    }
    return found;
  }
  // The last event of that kind; an empty one if there is none.
  Seen Last(EventKind kind) const {
    const std::vector<Seen> found = All(kind);
    return found.empty() ? Seen{} : found.back();
  }

  void Answer(const Event& event) {
    if (event.kind == EventKind::kAttached && !event.answer) {
      engine.AnswerAttach(event.link,
                          {.source = event.attach->source, .target = event.attach->target});
    } else if (event.kind == EventKind::kDetached && !event.implied && !event.answer) {
      engine.Detach(event.link, event.closed);
    } else if (event.kind == EventKind::kLinkFlow && event.echo) {
      engine.Echo(event.link);
    } else if (event.kind == EventKind::kTransfer) {
      engine.Release(event.link, event.payload.size());
    }
  }

  SendResult Send(LinkIndex link, Outgoing outgoing, std::string_view text) {
    Block* block = pool.Take(static_cast<uint32_t>(text.size() + 1));
    text.copy(reinterpret_cast<char*>(block->tail()), text.size());
    block->used = static_cast<uint32_t>(text.size());
    Payload payload{Slice(block, block->bytes, block->used)};
    BlockPool::Unref(block);
    outgoing.payload = &payload;
    const SendResult result = engine.Send(link, outgoing);
    last_sent = outgoing;
    unsent = payload.ToString();
    return result;
  }

  BlockPool pool;
  Time now{1};
  Engine engine;
  std::vector<Seen> events;
  std::function<void(const Event&)> react;
  Outgoing last_sent;
  std::string unsent;

 private:
  std::string rest_;
};

inline EngineOptions ClientOptions() {
  return {.initiate = true, .container_id = "client", .hostname = "host"};
}
inline EngineOptions ServerOptions() { return {.container_id = "server"}; }

inline Terminus At(std::string address) { return {.present = true, .address = std::move(address)}; }
inline Attach SenderAttach(std::string name) {
  return {.name = std::move(name), .role = Role::kSender, .source = At("here"), .target = At("q")};
}
inline Attach ReceiverAttach(std::string name) {
  return {.name = std::move(name), .role = Role::kReceiver, .source = At("q"), .target = At("me")};
}

// Two engines, joined by a wire that cuts the bytes anywhere.
class Pair {
 public:
  explicit Pair(uint64_t seed = 1, EngineOptions client_options = ClientOptions(),
                EngineOptions server_options = ServerOptions())
      : client(std::move(client_options)), server(std::move(server_options)), random(seed) {}

  // Until nobody has anything to say.
  void Run() {
    for (int quiet = 0; quiet < 2;) {
      const bool moved = Move(client, server) | Move(server, client);
      quiet = moved ? 0 : quiet + 1;
    }
  }
  bool Move(Node& from, Node& to) {
    from.Poll();
    const std::string bytes = from.Take();
    for (size_t at = 0; at < bytes.size();) {
      const size_t n = std::min<size_t>(bytes.size() - at, 1 + random.Below(piece_max));
      to.Feed(std::string_view(bytes).substr(at, n));
      at += n;
    }
    return !bytes.empty();
  }

  // A link of the client with the server's index of it.
  struct Ends {
    LinkIndex client = kNoLink;
    LinkIndex server = kNoLink;
  };
  Ends Attach(amqp::Attach attach) {
    if (session == kNoSession) session = client.engine.BeginSession();
    Ends ends{.client = client.engine.StartLink(session, std::move(attach))};
    Run();
    ends.server = server.Last(EventKind::kAttached).link;
    return ends;
  }

  Node client;
  Node server;
  Random random;
  size_t piece_max = 40;
  uint16_t session = kNoSession;
};

// One frame as it was written.
struct WrittenFrame {
  uint16_t channel = 0;
  uint8_t code = 0;  // descriptor
  std::string body;
};

// The frames in `bytes`, without protocol headers.
inline std::vector<WrittenFrame> SplitFrames(std::string_view bytes) {
  std::vector<WrittenFrame> frames;
  while (bytes.size() >= 8) {
    if (bytes.starts_with("AMQP")) {
      bytes.remove_prefix(8);
      continue;
    }
    const auto* p = reinterpret_cast<const uint8_t*>(bytes.data());
    const size_t size = size_t{p[0]} << 24 | size_t{p[1]} << 16 | size_t{p[2]} << 8 | p[3];
    if (size < 8 || size > bytes.size()) break;
    WrittenFrame frame{.channel = static_cast<uint16_t>(p[6] << 8 | p[7]),
                       .body = std::string(bytes.substr(8, size - 8))};
    if (frame.body.size() >= 3) frame.code = static_cast<uint8_t>(frame.body[2]);
    frames.push_back(std::move(frame));
    bytes.remove_prefix(size);
  }
  return frames;
}

inline std::string RawFrame(uint16_t channel, std::string_view body) {
  uint8_t header[kFrameHeaderBytes];
  PutFrameHeader(header, static_cast<uint32_t>(kFrameHeaderBytes + body.size()), channel);
  std::string frame(reinterpret_cast<const char*>(header), sizeof(header));
  frame += body;
  return frame;
}
template <typename Performative>
std::string FrameOf(uint16_t channel, const Performative& performative) {
  std::string body;
  Encode(performative, body);
  return RawFrame(channel, body);
}
inline std::string FrameOf(uint16_t channel, const Transfer& transfer,
                           std::string_view payload = {}) {
  uint8_t room[512];
  const size_t size = EncodeTransfer(transfer, room);
  std::string body(reinterpret_cast<const char*>(room), size);
  body += payload;
  return RawFrame(channel, body);
}

}  // namespace trunkline::amqp::testing
