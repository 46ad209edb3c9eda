// A hostile crowd, all at once and by one thread: connections that say nothing, handshakes that
// trickle in byte by byte (half of them TLS), logins that fail, connects that end at once. Whoever
// is cut comes back. Prints "attacking" when everybody is there and the rates run, and at the end
// of its input one line of key=value figures.
//
//   hostile --port N --tls-port N [--half-open 1000] [--slow 1000] [--logins 500] [--churn 2000]
//           [--trickle 500] [--mechanism SCRAM-SHA-256] [--login-hosts 64]
//
// --logins and --churn are per second; --trickle is the time between two bytes in milliseconds. A
// login says a client-first of SCRAM and answers the challenge with a proof that is none; where the
// mechanism is not offered, or no more logins of that host are heard, it fails without a challenge.
// Of the churn, a quarter each closes at once, resets at once, closes behind its AMQP header, and
// resets behind its open.
//
// Sources are 127.0.0.2 (half open), .3 (slow), .5 to .12 (churn), and for logins as many as
// --login-hosts says, from 127.1.0.0 on, in turn.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <deque>
#include <string>
#include <vector>

#include "tests/bench/flags.h"
#include "tests/bench/stream.h"
#include "tests/bench/wire.h"

namespace trunkline::bench {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;

struct Options {
  int port = 5672;
  int tls_port = 0;
  uint32_t half_open = 1000;
  uint32_t slow = 1000;
  double logins = 500;
  double churn = 2000;
  double trickle = 500;
  uint32_t login_hosts = 64;
  std::string mechanism = "SCRAM-SHA-256";
};

// What a guest does when it is there.
enum class Kind : uint8_t {
  kHalfOpen,
  kSlowPlain,
  kSlowTls,
  kLogin,
  kClose,
  kReset,
  kHeader,
  kOpen
};

struct Guest {
  Kind kind = Kind::kHalfOpen;
  int fd = -1;
  uint32_t visit = 0;  // of this place: events of an earlier one are not meant
  bool connected = false;
  size_t said = 0;    // bytes that trickled out
  uint64_t next = 0;  // when the next is due
  std::string heard;  // of a login
  bool answered = false;
};

struct Tally {
  uint64_t visits = 0;   // connects of churn and logins that were begun
  uint64_t churned = 0;  // that ended
  uint64_t logins = 0;   // that were refused
  uint64_t challenges = 0;
  uint64_t cut = 0;     // half open or slow, by the router
  uint64_t failed = 0;  // connects that did not come about
};

// What a TLS client says first.
std::string ClientHello() {
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  SSL* ssl = SSL_new(context);
  BIO* out = BIO_new(BIO_s_mem());
  SSL_set_bio(ssl, BIO_new(BIO_s_mem()), out);
  SSL_connect(ssl);
  std::string hello(4096, '\0');
  const int n = BIO_read(out, hello.data(), static_cast<int>(hello.size()));
  hello.resize(n > 0 ? static_cast<size_t>(n) : 0);
  SSL_free(ssl);
  SSL_CTX_free(context);
  return hello;
}

constexpr std::string_view kClientFirst = "n,,n=nobody,r=rOprNGfwEbeRWgbNEkqO";

class Crowd {
 public:
  explicit Crowd(const Options& options)
      : options_(options),
        epoll_(epoll_create1(0)),
        hello_(ClientHello()),
        slow_plain_(std::string(kSaslHeader) + InitFrame()),
        login_(std::string(kSaslHeader) + InitFrame()),
        open_(std::string(kAmqpHeader) + OpenFrame("churn", 16384)) {
    Watch(STDIN_FILENO, UINT64_MAX);
  }

  void Run() {
    for (uint32_t i = 0; i < options_.half_open; ++i) Enter(Kind::kHalfOpen);
    for (uint32_t i = 0; i < options_.slow; ++i) {
      Enter(i % 2 == 0 || options_.tls_port == 0 ? Kind::kSlowPlain : Kind::kSlowTls);
    }
    while (standing_ < options_.half_open + options_.slow && !ended_) Turn(NowNs());
    const uint64_t begun = NowNs();
    rates_from_ = begun;
    while (NowNs() < begun + kSecond && !ended_) Turn(NowNs());
    std::puts("attacking");
    std::fflush(stdout);
    const Tally before = tally_;
    const uint64_t start = NowNs();
    const CpuTime cpu = ThreadCpu();
    while (!ended_) Turn(NowNs());
    Print(before, static_cast<double>(NowNs() - start), cpu);
    for (Guest& guest : guests_) {
      if (guest.fd >= 0) close(guest.fd);
    }
  }

 private:
  std::string InitFrame() const {
    return Frame(Described(kInit, {Sym(options_.mechanism), Bin(kClientFirst)}), 1);
  }

  void Watch(int fd, uint64_t data) {
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    if (fd == STDIN_FILENO) event.events = EPOLLIN;
    event.data.u64 = data;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
  }

  void Turn(uint64_t now) {
    if (rates_from_ != 0) KeepRates(now);
    Trickle(now);
    epoll_event events[256];
    const int n = epoll_wait(epoll_, events, 256, 1);
    for (int i = 0; i < n; ++i) {
      if (events[i].data.u64 == UINT64_MAX) {
        char byte = 0;
        ended_ |= read(STDIN_FILENO, &byte, 1) <= 0;
        continue;
      }
      const auto place = static_cast<uint32_t>(events[i].data.u64);
      Guest& guest = guests_[place];
      if (guest.visit == events[i].data.u64 >> 32 && guest.fd >= 0)
        OnEvent(place, events[i].events);
    }
  }

  // Begins as many visits as are due.
  void KeepRates(uint64_t now) {
    const double seconds = static_cast<double>(now - rates_from_) / 1e9;
    for (; static_cast<double>(churn_begun_) < seconds * options_.churn; ++churn_begun_) {
      constexpr std::array kKinds = {Kind::kClose, Kind::kReset, Kind::kHeader, Kind::kOpen};
      Enter(kKinds[churn_begun_ % kKinds.size()]);
    }
    for (; static_cast<double>(logins_begun_) < seconds * options_.logins; ++logins_begun_) {
      Enter(Kind::kLogin);
    }
  }

  // Slow guests say their next byte, in the order in which they are due.
  void Trickle(uint64_t now) {
    while (!slow_.empty() && slow_.front().due <= now) {
      const Due due = slow_.front();
      slow_.pop_front();
      Guest& guest = guests_[due.place];
      if (guest.visit != due.visit || guest.fd < 0) continue;
      const std::string& words = guest.kind == Kind::kSlowTls ? hello_ : slow_plain_;
      // The last byte is never said.
      if (guest.said + 1 < words.size()) {
        send(guest.fd, words.data() + guest.said++, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
      }
      AskForTrickle(due.place, now);
    }
  }

  void AskForTrickle(uint32_t place, uint64_t now) {
    slow_.push_back({.place = place,
                     .visit = guests_[place].visit,
                     .due = now + static_cast<uint64_t>(options_.trickle * 1e6)});
  }

  static bool IsStanding(Kind kind) { return kind <= Kind::kSlowTls; }

  // Of 127.0.0.0.
  uint32_t SourceOf(Kind kind) const {
    if (kind == Kind::kHalfOpen) return 2;
    if (kind == Kind::kLogin) return 0x10000 + logins_begun_ % options_.login_hosts;
    if (IsStanding(kind)) return 3;
    return 5 + static_cast<uint32_t>(tally_.visits % 8);
  }

  void Enter(Kind kind) {
    uint32_t place = static_cast<uint32_t>(guests_.size());
    if (free_.empty()) {
      guests_.emplace_back();
    } else {
      place = free_.front();
      free_.pop_front();
    }
    Guest& guest = guests_[place];
    guest = Guest{.kind = kind, .visit = guest.visit + 1, .heard = {}};
    if (!IsStanding(kind)) ++tally_.visits;
    guest.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (guest.fd < 0) Die("no socket: raise the limit of descriptors");
    const int on = 1;
    setsockopt(guest.fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    sockaddr_in source = Loopback(SourceOf(kind), 0);
    bind(guest.fd, reinterpret_cast<sockaddr*>(&source), sizeof source);
    sockaddr_in target = Loopback(1, kind == Kind::kSlowTls ? options_.tls_port : options_.port);
    Watch(guest.fd, uint64_t{guest.visit} << 32 | place);
    if (connect(guest.fd, reinterpret_cast<sockaddr*>(&target), sizeof target) != 0 &&
        errno != EINPROGRESS) {
      Leave(place, true);
    }
  }

  static sockaddr_in Loopback(uint32_t host, int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(0x7f000000 | host);
    return address;
  }

  void OnEvent(uint32_t place, uint32_t events) {
    Guest& guest = guests_[place];
    if (!guest.connected && (events & EPOLLOUT) != 0 && (events & (EPOLLERR | EPOLLHUP)) == 0) {
      guest.connected = true;
      if (IsStanding(guest.kind)) ++standing_;
      if (OnConnected(place)) return;
    }
    if (guest.kind == Kind::kLogin && !Converse(guest)) return Leave(place, false);
    if ((events & (EPOLLERR | EPOLLHUP | EPOLLRDHUP)) != 0) Leave(place, !guest.connected);
  }

  // True: that was all.
  bool OnConnected(uint32_t place) {
    Guest& guest = guests_[place];
    switch (guest.kind) {
      case Kind::kHalfOpen:
        return false;
      case Kind::kSlowPlain:
      case Kind::kSlowTls:
        AskForTrickle(place, NowNs());
        return false;
      case Kind::kLogin:
        Say(guest, login_);
        return false;
      case Kind::kHeader:
        Say(guest, kAmqpHeader);
        break;
      case Kind::kOpen:
        Say(guest, open_);
        ResetAtClose(guest);
        break;
      case Kind::kReset:
        ResetAtClose(guest);
        break;
      case Kind::kClose:
        break;
    }
    Leave(place, false);
    return true;
  }

  static void Say(const Guest& guest, std::string_view words) {
    send(guest.fd, words.data(), words.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  }
  static void ResetAtClose(const Guest& guest) {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    setsockopt(guest.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  }

  // Reads; answers the challenge. False: the login is over.
  bool Converse(Guest& guest) {
    char bytes[4096];
    for (;;) {
      const ssize_t n = recv(guest.fd, bytes, sizeof bytes, MSG_DONTWAIT);
      if (n == 0) return false;
      if (n < 0) break;
      guest.heard.append(bytes, static_cast<size_t>(n));
    }
    const size_t nonce = guest.heard.find("r=rOprNGfwEbeRWgbNEkqO");
    if (nonce != std::string::npos && !guest.answered) {
      guest.answered = true;
      ++tally_.challenges;
      const std::string text = guest.heard.substr(nonce, guest.heard.find(',', nonce) - nonce);
      const std::string proof = "c=biws," + text + ",p=" + std::string(43, 'A') + "=";
      Say(guest, Frame(Described(kResponse, {Bin(proof)}), 1));
      guest.heard.clear();
    }
    return true;
  }

  void Leave(uint32_t place, bool failed) {
    Guest& guest = guests_[place];
    const Kind kind = guest.kind;
    if (failed) {
      ++tally_.failed;
    } else if (kind == Kind::kLogin) {
      ++tally_.logins;
    } else if (IsStanding(kind)) {
      ++tally_.cut;
    } else {
      ++tally_.churned;
    }
    if (IsStanding(kind) && guest.connected) --standing_;
    close(guest.fd);
    guest.fd = -1;
    free_.push_back(place);
    if (IsStanding(kind) && !ended_) Enter(kind);
  }

  void Print(const Tally& before, double wall, const CpuTime& cpu) const {
    const CpuTime now = ThreadCpu();
    const auto rate = [&](uint64_t Tally::*count) {
      return static_cast<double>(tally_.*count - before.*count) / wall * 1e9;
    };
    std::printf(
        "seconds=%.3f churn_per_second=%.0f logins_per_second=%.0f challenges_per_second=%.0f "
        "cut_per_second=%.1f failed_per_second=%.1f standing=%u generator_cores=%.3f "
        "generator_waited=%.3f\n",
        wall / 1e9, rate(&Tally::churned), rate(&Tally::logins), rate(&Tally::challenges),
        rate(&Tally::cut), rate(&Tally::failed), standing_,
        static_cast<double>(now.used - cpu.used) / wall,
        static_cast<double>(now.waited - cpu.waited) / wall);
  }

  struct Due {
    uint32_t place;
    uint32_t visit;
    uint64_t due;
  };

  const Options& options_;
  const int epoll_;
  const std::string hello_;
  const std::string slow_plain_;
  const std::string login_;
  const std::string open_;
  std::vector<Guest> guests_;
  std::deque<uint32_t> free_;
  std::deque<Due> slow_;   // in order, as all wait equally long
  uint32_t standing_ = 0;  // half open and slow guests that are connected
  uint64_t rates_from_ = 0;
  uint64_t churn_begun_ = 0;
  uint32_t logins_begun_ = 0;
  Tally tally_;
  bool ended_ = false;
};

}  // namespace
}  // namespace trunkline::bench

int main(int argc, char** argv) {
  trunkline::bench::Options o;
  trunkline::bench::Flags({{"port", &o.port},
                           {"tls-port", &o.tls_port},
                           {"half-open", &o.half_open},
                           {"slow", &o.slow},
                           {"logins", &o.logins},
                           {"churn", &o.churn},
                           {"trickle", &o.trickle},
                           {"login-hosts", &o.login_hosts},
                           {"mechanism", &o.mechanism}})
      .Parse(argc, argv);
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  trunkline::bench::Crowd(o).Run();
}
