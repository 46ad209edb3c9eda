// Raw load generator: one thread, own sockets, frames encoded once and patched. Costs far less than
// what it measures, and says so. Prints one line of key=value figures.
//
//   loadgen --port N [--port-b N] [--pid PID] [--senders 4] [--receivers 4] [--links 1] [--size 64]
//           [--settled] [--rate N] [--warmup S] [--seconds S] [--messages N] [--ca FILE]
//           [--one-address]
//
// With --port-b the peer is the relay: senders connect to --port, receivers to --port-b, and the
// two talk to each other without a handshake, in the same frames.
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "tests/bench/flags.h"
#include "tests/bench/stream.h"
#include "tests/bench/wire.h"

namespace trunkline::bench {
namespace {

// Of each receiver: more than the 250 that a router gives a sender, so that pre-settled messages
// are not dropped for want of it.
constexpr uint32_t kCredit = 1000;
constexpr size_t kBufferBytes = 512 * 1024;
constexpr size_t kBatchBytes = 256 * 1024;

struct Options {
  std::string host = "127.0.0.1";
  int port = 5672;
  int port_b = 0;
  int pid = 0;
  int senders = 4;
  int receivers = 4;
  int links = 1;
  uint32_t size = 64;
  bool settled = false;
  bool one_address = false;
  double rate = 0;  // messages per second in all; 0: as fast as credit allows
  double warmup = 1;
  double seconds = 5;
  uint64_t messages = 0;  // stop after this many instead of after `seconds`
  std::string ca;
};

// Latencies in 100 ns steps up to 100 ms; what is above counts as 100 ms.
class Histogram {
 public:
  Histogram() : counts_(1'000'000) {}
  void Add(uint64_t ns) { ++counts_[std::min<uint64_t>(ns / 100, counts_.size() - 1)], ++total_; }
  void Clear() { std::fill(counts_.begin(), counts_.end(), 0), total_ = 0; }
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

struct Totals {
  uint64_t sent = 0;
  uint64_t settled = 0;
  uint64_t received = 0;
  uint64_t refused = 0;  // settled with another outcome than accepted
  Histogram latency;
  uint64_t now = 0;
  uint64_t last_batch_id = 0;
};

// What can be read of a frame: the condition and its text.
std::string Printable(const char* body, uint32_t size) {
  std::string text(body, size);
  for (char& c : text) c = c >= ' ' && c <= '~' ? c : '.';
  return text;
}

// What senders and receivers share: a stream, its input buffer, frames out of it.
class Peer {
 public:
  Peer(const Options& options, int port, SSL_CTX* tls, Totals& totals)
      : options_(options),
        totals_(totals),
        stream_(Stream::Connect(options.host, port, tls)),
        in_(kBufferBytes) {}
  virtual ~Peer() = default;

  int fd() const { return stream_.fd(); }
  bool blocked() const { return out_at_ < out_.size(); }

  void OnReadable() {
    const long n = stream_.Read(in_.data() + in_size_, in_.size() - in_size_);
    if (n < 0) Die("connection closed by the peer");
    in_size_ += static_cast<size_t>(n);
    size_t at = 0;
    while (in_size_ - at >= 8) {
      const char* frame = in_.data() + at;
      if (frame[0] == 'A') {
        at += 8;
        continue;
      }
      const uint32_t size = GetU32(frame);
      if (in_size_ - at < size) break;
      if (size > 8) OnFrame(frame + 8, size - 8);
      at += size;
    }
    std::memmove(in_.data(), in_.data() + at, in_size_ - at);
    in_size_ -= at;
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

  // Handshake up to the attaches, blocking in spirit: run until Ready.
  void Greet() {
    out_ += kAmqpHeader;
    out_ += OpenFrame("loadgen-" + std::to_string(fd()), 1u << 20);
    out_ += BeginFrame();
  }
  virtual bool Ready() const = 0;

 protected:
  virtual void OnFrame(const char* body, uint32_t size) = 0;
  virtual void AfterInput() = 0;

  const Options& options_;
  Totals& totals_;
  std::string out_;
  size_t out_at_ = 0;

 private:
  Stream stream_;
  std::vector<char> in_;
  size_t in_size_ = 0;
};

class Sender : public Peer {
 public:
  Sender(const Options& options, SSL_CTX* tls, Totals& totals,
         const std::vector<std::string>& addresses)
      : Peer(options, options.port, tls, totals), links_(addresses.size()) {
    if (options.port_b != 0) {
      for (Link& link : links_) link.limit = kCredit;
      window_end_ = 1u << 30;
      max_frame_ = 16384;
      BuildTemplate();
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

  // Sends up to `allowance` messages, round robin over the links; returns how many.
  uint64_t Pump(uint64_t allowance) {
    uint64_t sent = 0;
    while (sent < allowance && out_.size() - out_at_ < kBatchBytes) {
      Link* link = NextLink();
      if (link == nullptr) break;
      Append(*link, static_cast<uint32_t>(link - links_.data()));
      ++sent;
    }
    totals_.sent += sent;
    if (sent > 0) Flush();
    return sent;
  }

  // Scheduled sending time of the next message, written into its body.
  uint64_t stamp = 0;

 private:
  struct Link {
    uint32_t count = 0;  // delivery-count
    uint32_t limit = 0;  // delivery-count up to which credit reaches
  };

  Link* NextLink() {
    const auto frames = static_cast<uint32_t>(handle_at_.size());
    if (static_cast<int32_t>(window_end_ - (outgoing_id_ + frames)) < 0) return nullptr;
    for (size_t i = 0; i < links_.size(); ++i) {
      Link& link = links_[next_link_];
      next_link_ = next_link_ + 1 == links_.size() ? 0 : next_link_ + 1;
      if (static_cast<int32_t>(link.limit - link.count) > 0) return &link;
    }
    return nullptr;
  }

  void Append(Link& link, uint32_t handle) {
    const size_t at = out_.size();
    out_.append(template_);
    char* message = out_.data() + at;
    for (const size_t offset : handle_at_) PutU32(message + offset, handle);
    PutU32(message + id_at_, delivery_id_);
    PutU32(message + tag_at_, delivery_id_);
    std::memcpy(message + body_at_, &stamp, sizeof stamp);
    ++delivery_id_;
    ++link.count;
    outgoing_id_ += static_cast<uint32_t>(handle_at_.size());
  }

  // The frames of one message; offsets of what changes are noted.
  void BuildTemplate() {
    std::string message = options_.size <= 255
                              ? std::string("\0\x53\x75\xa0", 4) + static_cast<char>(options_.size)
                              : std::string("\0\x53\x75\xb0", 4) + Be32(options_.size);
    const size_t head = message.size();
    message += std::string(options_.size, 'x');
    size_t done = 0;
    while (done < message.size()) {
      const bool first = done == 0;
      const size_t frame_at = template_.size();
      const size_t room = max_frame_ - 8 - 48;
      const size_t part = std::min(room, message.size() - done);
      const bool more = done + part < message.size();
      const std::string tag = std::string("\xa0\x04", 2) + Be32(0);
      const std::string body = Described(
          kTransfer, {UInt(0), first ? UInt(0) : Null(), first ? tag : Null(),
                      first ? std::string("\x43") : Null(), Bool(options_.settled), Bool(more)});
      template_ += Frame(body + message.substr(done, part));
      const size_t fields = frame_at + 8 + 3 + 9;
      handle_at_.push_back(fields + 1);
      if (first) {
        id_at_ = fields + 6;
        tag_at_ = fields + 12;
        body_at_ = frame_at + 8 + body.size() + head;
      }
      done += part;
    }
  }

  void OnFrame(const char* body, uint32_t size) override {
    Fields fields(body);
    switch (CodeOf(body)) {
      case kOpen: {
        fields.Number(), fields.Number();
        max_frame_ = std::min(fields.Number(UINT32_MAX), 1u << 20);
        BuildTemplate();
        break;
      }
      case kBegin: {
        fields.Number(), fields.Number();
        window_end_ = fields.Number();
        break;
      }
      case kFlow:
        OnFlow(fields);
        break;
      case kDisposition: {
        fields.Number();
        const uint32_t first = fields.Number();
        const uint32_t last = fields.Number(first);
        totals_.settled += last - first + 1;
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
  size_t next_link_ = 0;
  std::string template_;
  std::vector<size_t> handle_at_;
  size_t id_at_ = 0;
  size_t tag_at_ = 0;
  size_t body_at_ = 0;
  uint32_t max_frame_ = 16384;
  uint32_t delivery_id_ = 0;
  uint32_t outgoing_id_ = 0;
  uint32_t window_end_ = 0;
};

class Receiver : public Peer {
 public:
  Receiver(const Options& options, SSL_CTX* tls, Totals& totals,
           const std::vector<std::string>& addresses)
      : Peer(options, options.port_b != 0 ? options.port_b : options.port, tls, totals),
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
      if (options_.rate > 0) Stamp(fields.end(), body + size);
    }
    link.partial = more;
    if (more) return;
    last_id_ = link.id;
    ++link.count;
    ++totals_.received;
    ++unanswered_;
    if (link.granted - link.count <= kCredit / 2) credit_due_ = true;
  }

  void Stamp(const char* payload, const char* end) {
    uint64_t sent = 0;
    const char* at = payload + (options_.size <= 255 ? 5 : 8);
    if (at + sizeof sent > end) return;
    std::memcpy(&sent, at, sizeof sent);
    totals_.latency.Add(totals_.now > sent ? totals_.now - sent : 0);
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
  bool credit_due_ = false;
};

// One run: connects everything, warms up, measures.
class Run {
 public:
  explicit Run(const Options& options) : options_(options), epoll_(epoll_create1(0)) {
    SSL_CTX* tls = options.ca.empty() ? nullptr : ClientContext(options.ca);
    for (int i = 0; i < options.receivers; ++i) {
      Add(receivers_, std::make_unique<Receiver>(options_, tls, totals_, Addresses(i)));
    }
    WaitReady(receivers_);
    for (int i = 0; i < options.senders; ++i) {
      Add(senders_,
          std::make_unique<Sender>(options_, tls, totals_, Addresses(i % options.receivers)));
    }
    WaitReady(senders_);
  }

  void Measure() {
    Drive(options_.warmup, 0);
    totals_.latency.Clear();
    const uint64_t received = totals_.received;
    const uint64_t cpu = Cpu();
    const uint64_t own = OwnCpuNs();
    const uint64_t start = NowNs();
    Drive(options_.seconds, options_.messages);
    const double wall = static_cast<double>(NowNs() - start);
    const auto n = static_cast<double>(totals_.received - received);
    std::printf(
        "messages=%.0f per_second=%.0f cpu_us=%.4f generator_cores=%.3f p50_us=%.1f "
        "p99_us=%.1f p999_us=%.1f rss_mib=%.1f\n",
        n, n / wall * 1e9, n > 0 ? static_cast<double>(Cpu() - cpu) / n / 1e3 : 0,
        static_cast<double>(OwnCpuNs() - own) / wall, totals_.latency.Microseconds(0.5),
        totals_.latency.Microseconds(0.99), totals_.latency.Microseconds(0.999),
        options_.pid != 0 ? static_cast<double>(ProcessRssBytes(options_.pid)) / (1 << 20) : 0);
  }

 private:
  std::vector<std::string> Addresses(int index) const {
    std::vector<std::string> addresses;
    for (int i = 0; i < options_.links; ++i) {
      addresses.push_back("bench/" + std::to_string(options_.one_address ? 0 : index) + "/" +
                          std::to_string(i));
    }
    return addresses;
  }

  template <typename T>
  void Add(std::vector<std::unique_ptr<T>>& peers, std::unique_ptr<T> peer) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = static_cast<Peer*>(peer.get());
    epoll_ctl(epoll_, EPOLL_CTL_ADD, peer->fd(), &event);
    peers.push_back(std::move(peer));
  }

  template <typename T>
  void WaitReady(const std::vector<std::unique_ptr<T>>& peers) {
    const uint64_t deadline = NowNs() + 20'000'000'000;
    while (!std::all_of(peers.begin(), peers.end(), [](const auto& p) { return p->Ready(); })) {
      if (NowNs() > deadline) Die("no credit or no attach after 20 s");
      Turn(100'000'000);
    }
  }

  void Turn(uint64_t wait_ns) {
    epoll_event events[64];
    timespec wait{static_cast<time_t>(wait_ns / 1'000'000'000),
                  static_cast<long>(wait_ns % 1'000'000'000)};
    const int n = epoll_pwait2(epoll_, events, 64, &wait, nullptr);
    totals_.now = NowNs();
    for (int i = 0; i < n; ++i) static_cast<Peer*>(events[i].data.ptr)->OnReadable();
  }

  void Drive(double seconds, uint64_t messages) {
    const uint64_t start = NowNs();
    const uint64_t end = start + static_cast<uint64_t>(seconds * 1e9);
    const uint64_t target = totals_.received + messages;
    uint64_t scheduled = 0;
    totals_.now = start;
    while (messages > 0 ? totals_.received < target : totals_.now < end) {
      if (options_.rate > 0) {
        Turn(Scheduled(start, scheduled));
      } else {
        bool blocked = false;
        for (auto& sender : senders_) {
          if (sender->blocked()) sender->Flush();
          sender->Pump(UINT64_MAX);
          blocked |= sender->blocked();
        }
        Turn(blocked ? 50'000 : 1'000'000);
      }
    }
  }

  // Sends what is due; returns how long to wait for the next.
  uint64_t Scheduled(uint64_t start, uint64_t& scheduled) {
    for (;;) {
      const uint64_t due =
          start + static_cast<uint64_t>(static_cast<double>(scheduled) * 1e9 / options_.rate);
      const uint64_t now = NowNs();
      if (due > now) return due - now;
      Sender& sender = *senders_[scheduled % senders_.size()];
      sender.stamp = due;
      if (sender.blocked()) sender.Flush();
      if (sender.Pump(1) == 0) return 20'000;  // no credit: the delay counts, the schedule stays
      ++scheduled;
    }
  }

  uint64_t Cpu() const { return options_.pid != 0 ? ProcessCpuNs(options_.pid) : 0; }
  static uint64_t OwnCpuNs() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto ns = [](timeval t) {
      return static_cast<uint64_t>(t.tv_sec) * 1'000'000'000 +
             static_cast<uint64_t>(t.tv_usec) * 1000;
    };
    return ns(usage.ru_utime) + ns(usage.ru_stime);
  }

  Options options_;
  int epoll_;
  Totals totals_;
  std::vector<std::unique_ptr<Receiver>> receivers_;
  std::vector<std::unique_ptr<Sender>> senders_;
};

Options Parse(int argc, char** argv) {
  Options o;
  Flags({{"host", &o.host},
         {"port", &o.port},
         {"port-b", &o.port_b},
         {"pid", &o.pid},
         {"senders", &o.senders},
         {"receivers", &o.receivers},
         {"links", &o.links},
         {"size", &o.size},
         {"settled", &o.settled},
         {"rate", &o.rate},
         {"warmup", &o.warmup},
         {"seconds", &o.seconds},
         {"messages", &o.messages},
         {"ca", &o.ca},
         {"one-address", &o.one_address}})
      .Parse(argc, argv);
  o.size = std::max(o.size, 8u);  // room for a time stamp
  return o;
}

}  // namespace
}  // namespace trunkline::bench

int main(int argc, char** argv) {
  trunkline::bench::Run run(trunkline::bench::Parse(argc, argv));
  run.Measure();
}
