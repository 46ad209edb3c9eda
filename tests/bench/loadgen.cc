// Raw load generator: own sockets, frames encoded once and patched. Costs far less than what it
// measures, and says so: generator_cores is the share of its busiest thread, *_waited the share of
// time that a processor was wanted and others had it. Prints one line of key=value figures.
//
//   loadgen --port N [--port-b N] [--pid PID] [--senders 4] [--receivers 4] [--links 1] [--size 64]
//           [--settled] [--rate N] [--warmup S] [--seconds S] [--messages N] [--ca FILE]
//           [--one-address] [--threads 1] [--shift N] [--until-eof] [--address bench] [--check]
//
// With --port-b the peer is the relay: senders connect to --port, receivers to --port-b, and the
// two talk to each other without a handshake, in the same frames.
//
// Connections are opened in this order: receivers, --shift idle ones, senders. A router with two
// workers that places each on the less loaded one has every pair on one worker without idle ones,
// and every pair across with one.
//
// --until-eof prints "measuring" after the warm-up and measures until the end of its input.
//
// --check, with --rate and as many senders as receivers: at the end waits until all that was sent
// has come and is settled, 5 s at most, and says what has not (lost, unsettled) and what came again
// or out of its order (repeated).
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/bench/clients.h"
#include "tests/bench/flags.h"

namespace trunkline::bench {
namespace {

struct Options {
  ClientOptions client;
  int pid = 0;
  int senders = 4;
  int receivers = 4;
  int links = 1;
  int threads = 1;
  int shift = 0;
  bool one_address = false;
  bool until_eof = false;
  bool check = false;
  double rate = 0;  // messages per second in all; 0: as fast as credit allows
  double warmup = 1;
  double seconds = 5;
  uint64_t messages = 0;  // stop after this many instead of after `seconds`
  std::string ca;
  std::string address = "bench";  // that of each link begins so
};

// One thread of the generator: its clients, and what they did while it was measured.
class Lane {
 public:
  Lane(const Options& options, SSL_CTX* tls)
      : options_(options), tls_(tls), epoll_(epoll_create1(0)) {}

  void OpenReceiver(int index) {
    Add(receivers_, std::make_unique<Receiver>(options_.client, tls_, common_, Addresses(index)));
    WaitReady(receivers_);
  }
  void OpenIdle() {
    Add(idle_, std::make_unique<Idle>(options_.client, tls_, common_));
    WaitReady(idle_);
  }
  void OpenSender(int index) {
    Add(senders_, std::make_unique<Sender>(options_.client, tls_, common_,
                                           Addresses(index % options_.receivers)));
    WaitReady(senders_);
  }

  void WarmUp() { Drive(options_.warmup, 0); }

  // `ended` stops it early.
  void Measure(const std::atomic<bool>& ended) {
    ended_ = &ended;
    common_.latency.Clear();
    const uint64_t received = common_.received;
    const uint64_t sent = common_.sent;
    const CpuTime before = ThreadCpu();
    const uint64_t start = NowNs();
    Drive(options_.seconds, options_.messages / static_cast<uint64_t>(options_.threads));
    messages_ = common_.received - received;
    sent_ = common_.sent - sent;
    const auto wall = static_cast<double>(NowNs() - start);
    const CpuTime after = ThreadCpu();
    cores_ = static_cast<double>(after.used - before.used) / wall;
    waited_ = static_cast<double>(after.waited - before.waited) / wall;
  }

  // Waits for what is under way.
  void Finish() {
    const uint64_t end = NowNs() + 5'000'000'000;
    while (NowNs() < end && (lost() > 0 || unsettled() > 0)) Turn(10'000'000);
  }

  // Since the first one.
  uint64_t lost() const { return common_.sent - common_.received; }
  uint64_t unsettled() const { return common_.sent - common_.settled; }
  uint64_t repeated() const { return common_.repeated; }

  uint64_t messages() const { return messages_; }  // received
  uint64_t sent() const { return sent_; }
  double cores() const { return cores_; }
  double waited() const { return waited_; }
  const Histogram& latency() const { return common_.latency; }

 private:
  std::vector<std::string> Addresses(int index) const {
    std::vector<std::string> addresses;
    for (int i = 0; i < options_.links; ++i) {
      addresses.push_back(options_.address + "/" +
                          std::to_string(options_.one_address ? 0 : index) + "/" +
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
    while (!peers.back()->Ready()) {
      if (NowNs() > deadline) Die("no credit or no attach after 20 s");
      Turn(100'000'000);
    }
  }

  void Turn(uint64_t wait_ns) {
    epoll_event events[64];
    timespec wait{static_cast<time_t>(wait_ns / 1'000'000'000),
                  static_cast<long>(wait_ns % 1'000'000'000)};
    const int n = epoll_pwait2(epoll_, events, 64, &wait, nullptr);
    common_.now = NowNs();
    for (int i = 0; i < n; ++i) static_cast<Peer*>(events[i].data.ptr)->OnReadable();
  }

  void Drive(double seconds, uint64_t messages) {
    const uint64_t start = NowNs();
    const uint64_t end = start + static_cast<uint64_t>(seconds * 1e9);
    const uint64_t target = common_.received + messages;
    uint64_t scheduled = 0;
    common_.now = start;
    while (messages > 0 ? common_.received < target : common_.now < end) {
      if (ended_ != nullptr && ended_->load(std::memory_order_relaxed)) return;
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
    const double rate = options_.rate / options_.threads;
    for (;;) {
      const uint64_t due =
          start + static_cast<uint64_t>(static_cast<double>(scheduled) * 1e9 / rate);
      const uint64_t now = NowNs();
      if (due > now) return std::min<uint64_t>(due - now, 100'000'000);
      Sender& sender = *senders_[scheduled % senders_.size()];
      sender.stamp = due;
      if (sender.blocked()) sender.Flush();
      if (sender.Pump(1) == 0) return 20'000;  // no credit: the delay counts, the schedule stays
      ++scheduled;
    }
  }

  const Options& options_;
  SSL_CTX* tls_;
  int epoll_;
  Common common_;
  std::vector<std::unique_ptr<Receiver>> receivers_;
  std::vector<std::unique_ptr<Idle>> idle_;
  std::vector<std::unique_ptr<Sender>> senders_;
  const std::atomic<bool>* ended_ = nullptr;
  uint64_t messages_ = 0;
  uint64_t sent_ = 0;
  double cores_ = 0;
  double waited_ = 0;  // share of the time that it had no processor but wanted one
};

// One run: connects everything, warms up, measures.
class Run {
 public:
  explicit Run(const Options& options) : options_(options) {
    SSL_CTX* tls = options.ca.empty() ? nullptr : ClientContext(options.ca);
    for (int i = 0; i < options.threads; ++i) {
      lanes_.push_back(std::make_unique<Lane>(options_, tls));
    }
    for (int i = 0; i < options.receivers; ++i) LaneOf(i, options.receivers).OpenReceiver(i);
    if (options.client.port_b == 0) {
      for (int i = 0; i < options.shift; ++i) lanes_[0]->OpenIdle();
    }
    for (int i = 0; i < options.senders; ++i) LaneOf(i, options.senders).OpenSender(i);
  }

  void Measure() {
    const auto on_measuring = [this]() noexcept { Mark(); };
    std::barrier sync(options_.threads, on_measuring);
    std::vector<std::thread> threads;
    for (int i = 0; i < options_.threads; ++i) {
      threads.emplace_back([this, i, &sync] {
        if (options_.threads > 1) PinToOwn(i);
        lanes_[static_cast<size_t>(i)]->WarmUp();
        sync.arrive_and_wait();
        lanes_[static_cast<size_t>(i)]->Measure(ended_);
        sync.arrive_and_wait();
        if (options_.check) lanes_[static_cast<size_t>(i)]->Finish();
      });
    }
    if (options_.until_eof) {
      char byte = 0;
      while (read(STDIN_FILENO, &byte, 1) > 0) {
      }
      ended_ = true;
    }
    for (std::thread& thread : threads) thread.join();
    Print();
  }

 private:
  // Called when the measured time begins, and when it ends.
  void Mark() {
    if (start_ == 0) {
      if (options_.until_eof) std::puts("measuring"), std::fflush(stdout);
      router_cpu_ = Cpu();
      start_ = NowNs();
    } else {
      const CpuTime now = Cpu();
      router_cpu_ = {now.used - router_cpu_.used, now.waited - router_cpu_.waited};
      wall_ = static_cast<double>(NowNs() - start_);
    }
  }

  void Print() const {
    double messages = 0;
    double sent = 0;
    double cores = 0;
    double waited = 0;
    Histogram latency;
    for (const auto& lane : lanes_) {
      messages += static_cast<double>(lane->messages());
      sent += static_cast<double>(lane->sent());
      cores = std::max(cores, lane->cores());
      waited = std::max(waited, lane->waited());
      latency.Add(lane->latency());
    }
    const auto cpu = static_cast<double>(router_cpu_.used);
    std::printf(
        "messages=%.0f sent=%.0f seconds=%.3f per_second=%.0f cpu_us=%.4f router_cores=%.3f "
        "router_waited=%.3f generator_cores=%.3f generator_waited=%.3f p50_us=%.1f p99_us=%.1f "
        "p999_us=%.1f rss_mib=%.1f",
        messages, sent, wall_ / 1e9, messages / wall_ * 1e9,
        messages > 0 ? cpu / messages / 1e3 : 0, cpu / wall_,
        static_cast<double>(router_cpu_.waited) / wall_, cores, waited, latency.Microseconds(0.5),
        latency.Microseconds(0.99), latency.Microseconds(0.999),
        options_.pid != 0 ? static_cast<double>(ProcessRssBytes(options_.pid)) / (1 << 20) : 0);
    if (options_.check) PrintCheck();
    std::printf("\n");
  }

  void PrintCheck() const {
    uint64_t lost = 0;
    uint64_t unsettled = 0;
    uint64_t repeated = 0;
    for (const auto& lane : lanes_) {
      lost += lane->lost();
      unsettled += lane->unsettled();
      repeated += lane->repeated();
    }
    std::printf(" lost=%lld unsettled=%lld repeated=%llu", static_cast<long long>(lost),
                static_cast<long long>(unsettled), static_cast<unsigned long long>(repeated));
  }

  // Neighbours share a thread.
  Lane& LaneOf(int index, int count) {
    return *lanes_[static_cast<size_t>(index * options_.threads / count)];
  }

  // To the n-th of the processors that we may use.
  static void PinToOwn(int n) {
    cpu_set_t allowed;
    sched_getaffinity(0, sizeof allowed, &allowed);
    n %= CPU_COUNT(&allowed);
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (!CPU_ISSET(cpu, &allowed) || n-- > 0) continue;
      cpu_set_t own;
      CPU_ZERO(&own);
      CPU_SET(cpu, &own);
      pthread_setaffinity_np(pthread_self(), sizeof own, &own);
      return;
    }
  }

  CpuTime Cpu() const { return options_.pid != 0 ? ProcessCpu(options_.pid) : CpuTime{}; }

  Options options_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::atomic<bool> ended_ = false;
  uint64_t start_ = 0;
  CpuTime router_cpu_;
  double wall_ = 0;
};

Options Parse(int argc, char** argv) {
  Options o;
  Flags({{"host", &o.client.host},
         {"port", &o.client.port},
         {"port-b", &o.client.port_b},
         {"pid", &o.pid},
         {"senders", &o.senders},
         {"receivers", &o.receivers},
         {"links", &o.links},
         {"size", &o.client.size},
         {"settled", &o.client.settled},
         {"rate", &o.rate},
         {"warmup", &o.warmup},
         {"seconds", &o.seconds},
         {"messages", &o.messages},
         {"ca", &o.ca},
         {"one-address", &o.one_address},
         {"threads", &o.threads},
         {"shift", &o.shift},
         {"until-eof", &o.until_eof},
         {"address", &o.address},
         {"check", &o.check}})
      .Parse(argc, argv);
  o.client.size = std::max(o.client.size, 8u);  // room for a time stamp
  o.client.stamped = o.rate > 0;
  if (o.until_eof) o.seconds = 3600;
  if (o.check && (o.rate <= 0 || o.links != 1 || o.senders != o.receivers)) {
    Die("--check: needs --rate, one link each, and as many senders as receivers");
  }
  if (o.threads < 1 || o.threads > std::min(o.senders, o.receivers)) {
    Die("--threads: at least one, and a pair for each");
  }
  return o;
}

}  // namespace
}  // namespace trunkline::bench

int main(int argc, char** argv) {
  trunkline::bench::Run run(trunkline::bench::Parse(argc, argv));
  run.Measure();
}
