// Consumers that stall: each attaches, gives credit and never reads again, while a sender of its
// own sends large messages as fast as it may. Prints what the router's memory did, and whether
// control and idle frames still came to the senders that it holds back, as one line of key=value
// figures.
//
//   stalled --port N --pid PID [--links 100] [--size 1048576] [--seconds 4] [--no-consumer]
//           [--leave]
//
// First the senders fill what there is until nothing moves; that prints "filled". Then, for half of
// the time, some ask for a flow now and then, and the answer's delay is measured. For the other
// half nothing is asked, and the longest silence of the router towards a sender is measured; the
// senders declare an idle time-out of a second. The router must not close any.
//
// --leave: then the consumers leave, and the senders go on until they have no credit.
// --no-consumer: senders alone. There must be no credit, and nothing that grows.
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "tests/bench/clients.h"
#include "tests/bench/flags.h"

namespace trunkline::bench {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;
constexpr uint64_t kBeatEvery = kSecond / 2;
constexpr uint64_t kLookEvery = kSecond / 50;
constexpr uint64_t kAskEvery = kSecond / 10;
constexpr int kReceiveBuffer = 64 * 1024;

struct Options {
  ClientOptions client;
  int pid = 0;
  int links = 100;
  double seconds = 4;
  bool no_consumer = false;
  bool leave = false;
};

struct Producer {
  std::unique_ptr<Sender> sender;
  uint64_t asked_at = 0;  // 0: nothing is asked
  uint64_t flows = 0;     // seen when it asked
};

class Stall {
 public:
  explicit Stall(const Options& options) : options_(options), epoll_(epoll_create1(0)) {
    for (int i = 0; i < options.links && !options.no_consumer; ++i) OpenConsumer(i);
    for (int i = 0; i < options.links; ++i) OpenProducer(i);
  }

  void Run() {
    const double before = Rss();
    peak_ = before;
    const uint64_t start = NowNs();
    const bool still = DriveUntilStill();
    const uint64_t filled = NowNs();
    std::puts("filled");
    std::fflush(stdout);
    const uint64_t frames_at_filled = Frames();
    const auto half = static_cast<uint64_t>(options_.seconds / 2 * 1e9);
    asking_ = true;
    Drive(NowNs() + half);
    asking_ = false;
    silence_from_ = NowNs();
    Drive(NowNs() + half);
    const double during = Rss();
    const uint64_t frames = Frames();
    silence_from_ = 0;
    const double credit = static_cast<double>(WithCredit());
    consumers_.clear();
    if (options_.leave && !DriveUntilStill()) {
      Die("the senders still send, long after the consumers left");
    }
    std::printf(
        "links=%d still=%d fill_seconds=%.2f messages=%.0f sent_mib=%.1f late_frames=%.0f "
        "credit_links=%.0f "
        "rss_before_mib=%.1f rss_peak_mib=%.1f rss_during_mib=%.1f rss_after_mib=%.1f "
        "answers=%zu flow_p50_ms=%.2f flow_max_ms=%.2f unanswered=%.0f silence_max_ms=%.0f "
        "after_frames=%.0f "
        "generator_cores=%.3f\n",
        options_.links, still, static_cast<double>(filled - start) / 1e9,
        static_cast<double>(common_.sent), Mib(frames),
        static_cast<double>(frames - frames_at_filled), credit, before, peak_, during, Rss(),
        answers_.size(), Median() / 1e6, Longest() / 1e6, static_cast<double>(Unanswered()),
        static_cast<double>(silence_) / 1e6, static_cast<double>(Frames() - frames), cores_);
  }

 private:
  static std::vector<std::string> Address(int index) {
    return {"stalled/" + std::to_string(index)};
  }

  void Watch(Peer& peer) const {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = &peer;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, peer.fd(), &event);
  }

  void WaitUntil(auto ready) {
    const uint64_t deadline = NowNs() + 20 * kSecond;
    while (!ready()) {
      if (NowNs() > deadline) Die("no attach or no credit after 20 s");
      Turn(kSecond / 10);
    }
  }

  // Attached, and not looked at any more.
  void OpenConsumer(int index) {
    consumers_.push_back(
        std::make_unique<Receiver>(options_.client, nullptr, common_, Address(index)));
    Receiver& consumer = *consumers_.back();
    setsockopt(consumer.fd(), SOL_SOCKET, SO_RCVBUF, &kReceiveBuffer, sizeof kReceiveBuffer);
    Watch(consumer);
    WaitUntil([&] { return consumer.Ready(); });
    epoll_ctl(epoll_, EPOLL_CTL_DEL, consumer.fd(), nullptr);
  }

  void OpenProducer(int index) {
    producers_.push_back(
        {std::make_unique<Sender>(options_.client, nullptr, common_, Address(index))});
    Sender& sender = *producers_.back().sender;
    Watch(sender);
    WaitUntil([&] { return options_.no_consumer ? sender.has_attached() : sender.Ready(); });
  }

  bool Turn(uint64_t wait_ns) {
    epoll_event events[64];
    const timespec wait{0, static_cast<long>(wait_ns)};
    const int n = epoll_pwait2(epoll_, events, 64, &wait, nullptr);
    common_.now = NowNs();
    for (int i = 0; i < n; ++i) static_cast<Peer*>(events[i].data.ptr)->OnReadable();
    return n > 0;
  }

  // Full speed until then.
  void Drive(uint64_t end) {
    const uint64_t start = NowNs();
    const uint64_t cpu = OwnCpuNs();
    while (common_.now < end) {
      bool moved = false;
      for (Producer& producer : producers_) moved |= Push(*producer.sender);
      Turn(moved ? 0 : kSecond / 1000);
      if (common_.now >= beat_at_) Beat();
      if (common_.now >= look_at_) Look();
    }
    cores_ = std::max(cores_, static_cast<double>(OwnCpuNs() - cpu) /
                                  static_cast<double>(std::max<uint64_t>(NowNs() - start, 1)));
  }

  static bool Push(Sender& sender) {
    if (sender.blocked()) sender.Flush();
    if (sender.blocked()) return false;
    const uint64_t before = sender.frames_sent();
    sender.Pump(1);
    return sender.frames_sent() != before;
  }

  void Beat() {
    beat_at_ = common_.now + kBeatEvery;
    for (auto& consumer : consumers_) consumer->Beat();
    for (Producer& producer : producers_) {
      if (!producer.sender->blocked()) producer.sender->Beat();
    }
  }

  // Memory, answers, silence.
  void Look() {
    look_at_ = common_.now + kLookEvery;
    peak_ = std::max(peak_, Rss());
    for (Producer& producer : producers_) {
      if (silence_from_ != 0) {
        const uint64_t heard = std::max(producer.sender->heard(), silence_from_);
        silence_ = std::max(silence_, common_.now - std::min(common_.now, heard));
      }
      if (producer.asked_at != 0 && producer.sender->flows() != producer.flows) {
        answers_.push_back(producer.sender->heard() - producer.asked_at);
        producer.asked_at = 0;
      }
    }
    if (asking_ && common_.now >= ask_at_) Ask();
  }

  // The next few that are held back and owe no answer.
  void Ask() {
    ask_at_ = common_.now + kAskEvery;
    for (size_t i = 0; i < std::min<size_t>(producers_.size(), 16); ++i) {
      Producer& producer = producers_[next_++ % producers_.size()];
      if (producer.asked_at != 0 || producer.sender->blocked()) continue;
      producer.flows = producer.sender->flows();
      producer.asked_at = NowNs();
      producer.sender->AskFlow();
    }
  }

  // Until nothing has moved for half a second; false: it went on for a minute.
  bool DriveUntilStill() {
    for (const uint64_t deadline = NowNs() + 60 * kSecond; NowNs() < deadline;) {
      const uint64_t frames = Frames();
      Drive(NowNs() + kSecond / 2);
      if (frames == Frames()) return true;
    }
    return false;
  }

  uint64_t Frames() const {
    uint64_t frames = 0;
    for (const Producer& producer : producers_) frames += producer.sender->frames_sent();
    return frames;
  }
  uint64_t WithCredit() const {
    return static_cast<uint64_t>(std::count_if(producers_.begin(), producers_.end(),
                                               [](const auto& p) { return p.sender->Ready(); }));
  }
  uint64_t Unanswered() const {
    return static_cast<uint64_t>(std::count_if(producers_.begin(), producers_.end(),
                                               [](const auto& p) { return p.asked_at != 0; }));
  }
  double Median() {
    if (answers_.empty()) return 0;
    std::sort(answers_.begin(), answers_.end());
    return static_cast<double>(answers_[answers_.size() / 2]);
  }
  double Longest() const {
    return answers_.empty()
               ? 0
               : static_cast<double>(*std::max_element(answers_.begin(), answers_.end()));
  }

  // Of frames of the size that the router takes.
  double Mib(uint64_t frames) const {
    if (common_.templates.empty()) return 0;
    return static_cast<double>(frames) * common_.templates.begin()->first / (1 << 20);
  }
  double Rss() const { return static_cast<double>(ProcessRssBytes(options_.pid)) / (1 << 20); }

  static uint64_t OwnCpuNs() {
    timespec used{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return static_cast<uint64_t>(used.tv_sec) * kSecond + static_cast<uint64_t>(used.tv_nsec);
  }

  const Options& options_;
  int epoll_;
  Common common_;
  std::vector<std::unique_ptr<Receiver>> consumers_;
  std::vector<Producer> producers_;
  std::vector<uint64_t> answers_;  // delays
  bool asking_ = false;
  size_t next_ = 0;
  uint64_t beat_at_ = 0;
  uint64_t look_at_ = 0;
  uint64_t ask_at_ = 0;
  uint64_t silence_from_ = 0;  // 0: not measured
  uint64_t silence_ = 0;
  double peak_ = 0;
  double cores_ = 0;
};

Options Parse(int argc, char** argv) {
  Options o;
  o.client.size = 1 << 20;
  o.client.idle_ms = 1000;
  Flags({{"port", &o.client.port},
         {"pid", &o.pid},
         {"links", &o.links},
         {"size", &o.client.size},
         {"seconds", &o.seconds},
         {"no-consumer", &o.no_consumer},
         {"leave", &o.leave}})
      .Parse(argc, argv);
  if (o.pid == 0) Die("--pid is needed");
  return o;
}

}  // namespace
}  // namespace trunkline::bench

int main(int argc, char** argv) {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  const trunkline::bench::Options options = trunkline::bench::Parse(argc, argv);
  trunkline::bench::Stall(options).Run();
}
