#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "tests/bench/stream.h"
#include "tests/bench/wire.h"

// Clients of load generators: senders and receivers over their own sockets, frames encoded once and
// patched. Each belongs to one thread, with a Common.
namespace trunkline::bench {

// Of each receiver: more than the 250 that a router gives a sender, so that pre-settled messages
// are not dropped for want of it.
inline constexpr uint32_t kCredit = 1000;
inline constexpr size_t kBufferBytes = 2 * 1024 * 1024;
inline constexpr uint32_t kFrameMax = 1 << 20;
inline constexpr size_t kReadBytes = 512 * 1024;
inline constexpr size_t kBatchBytes = 256 * 1024;

struct ClientOptions {
  std::string host = "127.0.0.1";
  int port = 5672;
  int port_b = 0;
  uint32_t size = 64;
  bool settled = false;
  bool stamped = false;  // receivers look at the time stamp in the body
  uint32_t idle_ms = 0;  // idle time-out that we declare; 0: none
};

// Latencies in 100 ns steps up to 100 ms; what is above counts as 100 ms.
class Histogram {
 public:
  Histogram() : counts_(1'000'000) {}
  void Add(uint64_t ns) { ++counts_[std::min<uint64_t>(ns / 100, counts_.size() - 1)], ++total_; }
  void Clear() { std::fill(counts_.begin(), counts_.end(), 0), total_ = 0; }
  void Add(const Histogram& other) {
    for (size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
    total_ += other.total_;
  }
  double Microseconds(double quantile) const {
    const auto rank = static_cast<uint64_t>(quantile * static_cast<double>(total_));
    uint64_t seen = 0;
    for (size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i];
      if (seen > rank) return static_cast<double>(i) / 10;
    }
    return 0;
  }

 private:
  std::vector<uint32_t> counts_;
  uint64_t total_ = 0;
};

// The frames of one message, and where in them is what changes from message to message.
struct Template {
  std::string bytes;
  std::vector<size_t> frame_at;   // where each frame begins, and the end of the last
  std::vector<size_t> handle_at;  // of each frame
  size_t id_at = 0;
  size_t tag_at = 0;
  size_t body_at = 0;
};

// What the clients of one thread share: counts, the time, an input buffer, messages by frame size.
struct Common {
  uint64_t sent = 0;
  uint64_t settled = 0;
  uint64_t received = 0;
  uint64_t repeated = 0;  // of those: with a stamp not above that of the one before
  Histogram latency;
  uint64_t now = 0;
  std::vector<char> input = std::vector<char>(kBufferBytes);
  std::map<uint32_t, Template> templates;
};

// What can be read of a frame: the condition and its text.
inline std::string Printable(const char* body, uint32_t size) {
  std::string text(body, size);
  for (char& c : text) c = c >= ' ' && c <= '~' ? c : '.';
  return text;
}

// What senders, receivers and idle clients share: a stream, frames out of it, frames into it.
class Peer {
 public:
  Peer(const ClientOptions& options, int port, SSL_CTX* tls, Common& common)
      : options_(options),
        common_(common),
        heard_(NowNs()),
        stream_(Stream::Connect(options.host, port, tls)) {}
  virtual ~Peer() { stream_.Close(); }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  int fd() const { return stream_.fd(); }
  bool blocked() const { return out_at_ < out_.size(); }
  // When bytes came last.
  uint64_t heard() const { return heard_; }
  virtual bool Ready() const = 0;

  void OnReadable() {
    std::vector<char>& input = common_.input;
    std::copy(rest_.begin(), rest_.end(), input.begin());
    const long n = stream_.Read(input.data() + rest_.size(), kReadBytes);
    if (n < 0) Die("connection closed by the peer");
    if (n > 0) heard_ = common_.now;
    const size_t size = rest_.size() + static_cast<size_t>(n);
    const size_t used = TakeFrames(input.data(), size);
    rest_.assign(input.data() + used, size - used);
    AfterInput();
    Flush();
  }

  void Flush() {
    while (out_at_ < out_.size()) {
      const long n = stream_.Write(out_.data() + out_at_, out_.size() - out_at_);
      if (n < 0) Die("connection closed by the peer");
      if (n == 0) return;
      out_at_ += static_cast<size_t>(n);
    }
    out_.clear();
    out_at_ = 0;
  }

  // An empty frame: we are there.
  void Beat() {
    out_ += Frame("");
    Flush();
  }

 protected:
  virtual void OnFrame(const char* body, uint32_t size) = 0;
  virtual void AfterInput() = 0;

  // Handshake up to the attaches, blocking in spirit: run until Ready.
  void Greet() {
    out_ += kAmqpHeader;
    out_ += OpenFrame("loadgen-" + std::to_string(fd()), kFrameMax, options_.idle_ms);
    out_ += BeginFrame();
  }

  const ClientOptions& options_;
  Common& common_;
  std::string out_;
  size_t out_at_ = 0;

 private:
  // Returns the bytes of whole frames.
  size_t TakeFrames(const char* bytes, size_t size) {
    size_t at = 0;
    while (size - at >= 8) {
      const char* frame = bytes + at;
      if (frame[0] == 'A') {
        at += 8;
        continue;
      }
      const uint32_t length = GetU32(frame);
      if (size - at < length) break;
      if (length > 8) OnFrame(frame + 8, length - 8);
      at += length;
    }
    return at;
  }

  uint64_t heard_;
  Stream stream_;
  std::string rest_;  // of the input: the beginning of a frame
};

// Connected, and nothing else.
class Idle : public Peer {
 public:
  Idle(const ClientOptions& options, SSL_CTX* tls, Common& common)
      : Peer(options, options.port, tls, common) {
    Greet();
    Flush();
  }
  bool Ready() const override { return begun_; }

 private:
  void OnFrame(const char* body, uint32_t) override { begun_ |= CodeOf(body) == kBegin; }
  void AfterInput() override {}

  bool begun_ = false;
};

class Sender : public Peer {
 public:
  Sender(const ClientOptions& options, SSL_CTX* tls, Common& common,
         const std::vector<std::string>& addresses)
      : Peer(options, options.port, tls, common), links_(addresses.size()) {
    if (options.port_b != 0) {
      for (Link& link : links_) link.limit = kCredit;
      window_end_ = 1u << 30;
      UseFrames(16384);
      return;
    }
    Greet();
    for (uint32_t i = 0; i < links_.size(); ++i) {
      out_ += AttachFrame(false, i, "s" + std::to_string(i), addresses[i], options.settled);
    }
    Flush();
  }

  bool Ready() const override {
    return std::all_of(links_.begin(), links_.end(), [](const Link& l) { return l.limit > 0; });
  }

  // Sends up to `allowance` messages, round robin over the links; returns how many were completed.
  // A message goes on where the session's window stopped it.
  uint64_t Pump(uint64_t allowance) {
    uint64_t sent = 0;
    while (sent < allowance && out_.size() - out_at_ < kBatchBytes) {
      if (next_frame_ == 0 && !ChooseLink()) break;
      if (!AppendFrames()) break;
      ++sent;
    }
    common_.sent += sent;
    if (blocked()) Flush();
    return sent;
  }

  // Asks for a flow; `flows` counts what comes.
  void AskFlow() {
    out_ += EchoFrame(outgoing_id_);
    Flush();
  }
  uint64_t flows() const { return flows_; }
  bool has_attached() const { return attached_ == links_.size(); }
  uint64_t frames_sent() const { return outgoing_id_; }

  // Scheduled sending time of the next message, written into its body.
  uint64_t stamp = 0;

 private:
  struct Link {
    uint32_t count = 0;  // delivery-count
    uint32_t limit = 0;  // delivery-count up to which credit reaches
  };

  bool ChooseLink() {
    if (static_cast<int32_t>(window_end_ - outgoing_id_) <= 0) return false;
    for (size_t i = 0; i < links_.size(); ++i) {
      link_ = next_link_;
      next_link_ = next_link_ + 1 == links_.size() ? 0 : next_link_ + 1;
      if (static_cast<int32_t>(links_[link_].limit - links_[link_].count) > 0) return true;
    }
    return false;
  }

  // As many frames of the message as the window has room for; true: it is complete.
  bool AppendFrames() {
    const Template& message = *template_;
    const auto window = static_cast<int32_t>(window_end_ - outgoing_id_);
    if (window <= 0) return false;
    const size_t first = next_frame_;
    const size_t last = std::min(message.handle_at.size(), first + static_cast<size_t>(window));
    const size_t from = message.frame_at[first];
    const size_t at = out_.size();
    out_.append(message.bytes, from, message.frame_at[last] - from);
    char* bytes = out_.data() + at - from;
    for (size_t i = first; i < last; ++i) {
      PutU32(bytes + message.handle_at[i], static_cast<uint32_t>(link_));
    }
    if (first == 0) {
      PutU32(bytes + message.id_at, delivery_id_);
      PutU32(bytes + message.tag_at, delivery_id_);
      std::memcpy(bytes + message.body_at, &stamp, sizeof stamp);
      ++delivery_id_;
      ++links_[link_].count;
    }
    outgoing_id_ += static_cast<uint32_t>(last - first);
    next_frame_ = last == message.handle_at.size() ? 0 : last;
    return next_frame_ == 0;
  }

  void UseFrames(uint32_t frame_max) {
    template_ = &common_.templates[frame_max];
    if (template_->bytes.empty()) *template_ = BuildTemplate(frame_max);
  }

  // Offsets of what changes are noted.
  Template BuildTemplate(uint32_t frame_max) const {
    Template built;
    std::string message = options_.size <= 255
                              ? std::string("\0\x53\x75\xa0", 4) + static_cast<char>(options_.size)
                              : std::string("\0\x53\x75\xb0", 4) + Be32(options_.size);
    const size_t head = message.size();
    message += std::string(options_.size, 'x');
    size_t done = 0;
    while (done < message.size()) {
      const bool first = done == 0;
      built.frame_at.push_back(built.bytes.size());
      const size_t room = frame_max - 8 - 48;
      const size_t part = std::min(room, message.size() - done);
      const bool more = done + part < message.size();
      const std::string tag = std::string("\xa0\x04", 2) + Be32(0);
      const std::string body = Described(
          kTransfer, {UInt(0), first ? UInt(0) : Null(), first ? tag : Null(),
                      first ? std::string("\x43") : Null(), Bool(options_.settled), Bool(more)});
      built.bytes += Frame(body + message.substr(done, part));
      const size_t fields = built.frame_at.back() + 8 + 3 + 9;
      built.handle_at.push_back(fields + 1);
      if (first) {
        built.id_at = fields + 6;
        built.tag_at = fields + 12;
        built.body_at = 8 + body.size() + head;
      }
      done += part;
    }
    built.frame_at.push_back(built.bytes.size());
    return built;
  }

  void OnFrame(const char* body, uint32_t size) override {
    Fields fields(body);
    switch (CodeOf(body)) {
      case kOpen:
        fields.Number(), fields.Number();
        UseFrames(std::min(fields.Number(UINT32_MAX), kFrameMax));
        break;
      case kBegin:
        fields.Number(), fields.Number();
        window_end_ = fields.Number();
        break;
      case kAttach:
        ++attached_;
        break;
      case kFlow:
        OnFlow(fields);
        break;
      case kDisposition: {
        fields.Number();
        const uint32_t first = fields.Number();
        const uint32_t last = fields.Number(first);
        common_.settled += last - first + 1;
        break;
      }
      case kDetach:
      case kEnd:
      case kClose:
        Die("sender was refused: " + Printable(body, size));
      default:
        break;
    }
  }

  void OnFlow(Fields& fields) {
    ++flows_;
    const uint32_t next_incoming = fields.Number();
    window_end_ = next_incoming + fields.Number();
    fields.Number(), fields.Number();
    const uint32_t handle = fields.Number(UINT32_MAX);
    if (handle >= links_.size()) return;
    const uint32_t count = fields.Number();
    links_[handle].limit = count + fields.Number();
  }

  void AfterInput() override {}

  std::vector<Link> links_;
  size_t link_ = 0;  // of the message under way
  size_t next_link_ = 0;
  size_t next_frame_ = 0;  // of the message under way; 0: there is none
  size_t attached_ = 0;
  uint64_t flows_ = 0;
  Template* template_ = nullptr;
  uint32_t delivery_id_ = 0;
  uint32_t outgoing_id_ = 0;
  uint32_t window_end_ = 0;
};

class Receiver : public Peer {
 public:
  Receiver(const ClientOptions& options, SSL_CTX* tls, Common& common,
           const std::vector<std::string>& addresses)
      : Peer(options, options.port_b != 0 ? options.port_b : options.port, tls, common),
        links_(addresses.size()) {
    if (options.port_b != 0) {
      attached_ = links_.size();
      return;
    }
    Greet();
    for (uint32_t i = 0; i < links_.size(); ++i) {
      out_ += AttachFrame(true, i, "r" + std::to_string(i), addresses[i], options.settled);
      out_ += FlowFrame(0, i, 0, kCredit);
    }
    Flush();
  }

  bool Ready() const override { return attached_ == links_.size(); }

 private:
  struct Link {
    uint32_t count = 0;          // deliveries received
    uint32_t granted = kCredit;  // delivery-count up to which credit was given
    uint32_t id = 0;
    bool partial = false;
  };

  void OnFrame(const char* body, uint32_t size) override {
    switch (CodeOf(body)) {
      case kTransfer:
        OnTransfer(body, size);
        break;
      case kAttach:
        ++attached_;
        break;
      case kDetach:
      case kEnd:
      case kClose:
        Die("receiver was refused: " + Printable(body, size));
      default:
        break;
    }
  }

  void OnTransfer(const char* body, uint32_t size) {
    Fields fields(body);
    const uint32_t handle = fields.Number();
    const uint32_t id = fields.Number();  // absent from the second frame of a delivery on
    fields.Number(), fields.Number();     // tag, format
    fields.Number();                      // settled
    const bool more = fields.Number() == 1;
    Link& link = links_[handle];
    ++incoming_id_;
    if (!link.partial) {
      link.id = id;
      if (options_.stamped) Stamp(fields.end(), body + size);
    }
    link.partial = more;
    if (more) return;
    last_id_ = link.id;
    ++link.count;
    ++common_.received;
    ++unanswered_;
    if (link.granted - link.count <= kCredit / 2) credit_due_ = true;
  }

  void Stamp(const char* payload, const char* end) {
    uint64_t sent = 0;
    const char* at = payload + (options_.size <= 255 ? 5 : 8);
    if (at + sizeof sent > end) return;
    std::memcpy(&sent, at, sizeof sent);
    common_.latency.Add(common_.now > sent ? common_.now - sent : 0);
    // Of one link, from one sender, which counts on.
    if (links_.size() == 1 && sent <= last_stamp_) ++common_.repeated;
    last_stamp_ = sent;
  }

  void AfterInput() override {
    if (unanswered_ > 0 && !options_.settled) {
      out_ += AcceptedFrame(answered_to_, last_id_);
      answered_to_ = last_id_ + 1;
    }
    unanswered_ = 0;
    if (!credit_due_) return;
    credit_due_ = false;
    for (uint32_t i = 0; i < links_.size(); ++i) {
      Link& link = links_[i];
      if (link.granted - link.count > kCredit / 2) continue;
      link.granted = link.count + kCredit;
      out_ += FlowFrame(incoming_id_, i, link.count, kCredit);
    }
  }

  std::vector<Link> links_;
  size_t attached_ = 0;
  uint32_t last_id_ = 0;
  uint32_t answered_to_ = 0;
  uint32_t incoming_id_ = 0;
  uint32_t unanswered_ = 0;
  uint64_t last_stamp_ = 0;
  bool credit_due_ = false;
};

}  // namespace trunkline::bench
