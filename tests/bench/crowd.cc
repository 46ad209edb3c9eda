// A crowd of idle clients: each connects, authenticates as ANONYMOUS, opens, begins and attaches
// one receiver with credit. Prints how long that took, what CPU of the router, and its resident
// memory before, while they stay, and after they left, as one line of key=value figures.
//
//   crowd --port N --pid PID [--connections 10000] [--at-once 500] [--links 1] [--ca FILE]
//         [--one-address] [--stay SECONDS] [--brief] [--users N] [--password "a password"]
//         [--hosts N]
//
// --brief leaves at once and does not wait for memory to settle. With --users, they log in by
// SCRAM-SHA-256, in turn as user0 to userN-1; who is refused tries again. With --hosts, they come
// in turn from as many addresses, from 127.1.0.0 on, as a router lets only so many in of one.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "tests/bench/flags.h"
#include "tests/bench/scram.h"
#include "tests/bench/stream.h"
#include "tests/bench/wire.h"

namespace trunkline::bench {
namespace {

struct Options {
  int port = 5672;
  int pid = 0;
  int connections = 10000;
  int at_once = 500;
  int links = 1;  // per connection, each to an address of its own
  int stay = 0;   // seconds before leaving
  bool one_address = false;
  bool brief = false;
  std::string ca;
  uint32_t users = 0;
  uint32_t hosts = 0;
  std::string password = "a password";
};

struct Client {
  int fd = -1;
  SSL* ssl = nullptr;
  std::string in;
  bool greeted = false;
  bool secured = false;
  int attached = 0;
};

class Crowd {
 public:
  explicit Crowd(const Options& options)
      : options_(options),
        epoll_(epoll_create1(0)),
        tls_(options.ca.empty() ? nullptr : ClientContext(options.ca)),
        clients_(static_cast<size_t>(options.connections)),
        scram_(options.password) {}

  void Run() {
    const double before = Rss();
    const uint64_t start = NowNs();
    const CpuTime router = ProcessCpu(options_.pid);
    const CpuTime own = ThreadCpu();
    size_t started = 0;
    while (attached_ < clients_.size()) {
      while (started < clients_.size() &&
             started - attached_ < static_cast<size_t>(options_.at_once)) {
        Start(clients_[started++]);
      }
      Turn();
    }
    const double seconds = static_cast<double>(NowNs() - start) / 1e9;
    const double generator_cores = static_cast<double>(ThreadCpu().used - own.used) / 1e9 / seconds;
    const double cpu_us = static_cast<double>(ProcessCpu(options_.pid).used - router.used) / 1e3 /
                          static_cast<double>(clients_.size());
    const double during = Settled();
    if (options_.stay > 0) {
      std::puts("attached");
      std::fflush(stdout);
      const uint64_t end = NowNs() + static_cast<uint64_t>(options_.stay) * 1'000'000'000;
      while (NowNs() < end) Turn();
    }
    for (Client& client : clients_) Leave(client);
    const double after = Settled();
    std::printf(
        "connections=%zu seconds=%.3f rss_before_kib=%.0f rss_during_kib=%.0f "
        "rss_after_kib=%.0f kib_per_connection=%.2f per_second=%.0f cpu_us=%.1f refused=%zu "
        "generator_cores=%.3f\n",
        clients_.size(), seconds, before, during, after,
        (during - before) / static_cast<double>(clients_.size()),
        static_cast<double>(clients_.size()) / seconds, cpu_us, refused_, generator_cores);
  }

 private:
  double Rss() const { return static_cast<double>(ProcessRssBytes(options_.pid)) / 1024; }

  // Memory once it has stopped changing for a second, or after ten.
  double Settled() {
    double last = Rss();
    if (options_.brief) return last;
    uint64_t since = NowNs();
    for (const uint64_t start = since; NowNs() - start < 10'000'000'000;) {
      Turn();
      const double now = Rss();
      if (now != last) since = NowNs(), last = now;
      if (NowNs() - since > 3'000'000'000) break;
    }
    return last;
  }

  void Start(Client& client) {
    client.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (client.fd < 0) Die("socket: too many open files? raise ulimit -n");
    const int one = 1;
    setsockopt(client.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    if (options_.hosts != 0) {
      const auto index = static_cast<uint32_t>(&client - clients_.data());
      address.sin_addr.s_addr = htonl(0x7f010000 + index % options_.hosts);
      setsockopt(client.fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
      bind(client.fd, reinterpret_cast<sockaddr*>(&address), sizeof address);
    }
    address.sin_port = htons(static_cast<uint16_t>(options_.port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(client.fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 &&
        errno != EINPROGRESS) {
      Die("connect failed");
    }
    if (tls_ != nullptr) {
      client.ssl = SSL_new(tls_);
      SSL_set_fd(client.ssl, client.fd);
      SSL_set_tlsext_host_name(client.ssl, "localhost");
      SSL_set_connect_state(client.ssl);
    }
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT;
    event.data.ptr = &client;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, client.fd, &event);
  }

  void Turn() {
    epoll_event events[256];
    const int n = epoll_wait(epoll_, events, 256, 50);
    for (int i = 0; i < n; ++i)
      OnEvent(*static_cast<Client*>(events[i].data.ptr), events[i].events);
  }

  void OnEvent(Client& client, uint32_t events) {
    if (!client.greeted && (events & EPOLLOUT)) {
      if (client.ssl != nullptr && !Handshake(client)) return;
      client.greeted = true;
      Write(client, kSaslHeader);
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.ptr = &client;
      epoll_ctl(epoll_, EPOLL_CTL_MOD, client.fd, &event);
    } else if (client.ssl != nullptr && !client.greeted) {
      if (Handshake(client)) OnEvent(client, EPOLLOUT);
    }
    if (client.greeted && (events & EPOLLIN)) Read(client);
  }

  bool Handshake(Client& client) {
    if (client.secured) return true;
    const int done = SSL_do_handshake(client.ssl);
    if (done == 1) return client.secured = true;
    const int error = SSL_get_error(client.ssl, done);
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) Die("TLS handshake failed");
    epoll_event event{};
    event.events = error == SSL_ERROR_WANT_READ ? EPOLLIN : EPOLLOUT;
    event.data.ptr = &client;
    epoll_ctl(epoll_, EPOLL_CTL_MOD, client.fd, &event);
    return false;
  }

  static void Write(Client& client, std::string_view bytes) {
    const int size = static_cast<int>(bytes.size());
    const long n = client.ssl != nullptr
                       ? SSL_write(client.ssl, bytes.data(), size)
                       : send(client.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n != size) Die("short write during the handshake");
  }

  void Read(Client& client) {
    char bytes[4096];
    bool ended = false;
    for (;;) {
      const long n = client.ssl != nullptr ? SSL_read(client.ssl, bytes, sizeof bytes)
                                           : recv(client.fd, bytes, sizeof bytes, 0);
      if (n <= 0) {
        ended = n == 0 && client.ssl == nullptr;
        break;
      }
      client.in.append(bytes, static_cast<size_t>(n));
    }
    size_t at = 0;
    while (client.in.size() - at >= 8) {
      const char* frame = client.in.data() + at;
      if (frame[0] == 'A') {
        at += 8;
        continue;
      }
      const uint32_t size = GetU32(frame);
      if (client.in.size() - at < size) break;
      at += size;
      if (size > 8 && !OnFrame(client, std::string(frame + 8, size - 8))) return;
    }
    if (ended) Die("the router closed a connection");
    client.in.erase(0, at);
    client.in.shrink_to_fit();
  }

  // False: the client has begun anew.
  bool OnFrame(Client& client, const std::string& body) {
    const auto index = static_cast<size_t>(&client - clients_.data());
    switch (CodeOf(body.data())) {
      case kMechanisms:
        Write(client, Frame(Described(kInit, Init(index)), 1));
        break;
      case kChallenge: {
        const std::string last = scram_.Last(UserOf(index), body.substr(body.find("r=")));
        Write(client, Frame(Described(kResponse, {Bin(last)}), 1));
        break;
      }
      case kOutcome: {
        if (Fields(body.data()).Number() != 0) return Restart(client);
        const std::string name = std::to_string(options_.one_address ? 0 : index);
        std::string greeting = std::string(kAmqpHeader) +
                               OpenFrame("crowd-" + std::to_string(index), 65536) + BeginFrame();
        for (uint32_t i = 0; i < static_cast<uint32_t>(options_.links); ++i) {
          const std::string link = std::to_string(i);
          greeting += AttachFrame(true, i, "r" + link, "crowd/" + name + "/" + link, false) +
                      FlowFrame(0, i, 0, 10);
        }
        Write(client, greeting);
        break;
      }
      case kAttach:
        if (++client.attached == options_.links) ++attached_;
        break;
      case kDetach:
      case kEnd:
      case kClose:
        Die("a client was refused");
      default:
        break;
    }
    return true;
  }

  std::string UserOf(size_t index) const { return "user" + std::to_string(index % options_.users); }

  std::vector<std::string> Init(size_t index) const {
    if (options_.users == 0) return {Sym("ANONYMOUS")};
    return {Sym(kScram), Bin(ScramClients::First(UserOf(index)))};
  }

  bool Restart(Client& client) {
    ++refused_;
    Leave(client);
    client = Client();
    Start(client);
    return false;
  }

  static void Leave(Client& client) {
    if (client.ssl != nullptr) SSL_free(client.ssl);
    close(client.fd);
  }

  Options options_;
  int epoll_;
  SSL_CTX* tls_;
  std::vector<Client> clients_;
  size_t attached_ = 0;
  size_t refused_ = 0;
  ScramClients scram_;
};

Options Parse(int argc, char** argv) {
  Options o;
  Flags({{"port", &o.port},
         {"pid", &o.pid},
         {"connections", &o.connections},
         {"at-once", &o.at_once},
         {"links", &o.links},
         {"stay", &o.stay},
         {"ca", &o.ca},
         {"one-address", &o.one_address},
         {"brief", &o.brief},
         {"users", &o.users},
         {"hosts", &o.hosts},
         {"password", &o.password}})
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
  trunkline::bench::Crowd(trunkline::bench::Parse(argc, argv)).Run();
}
