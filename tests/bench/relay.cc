// The floor that the router is measured against: a plain TCP relay. One thread, epoll, 256 KiB
// reads. The n-th connection to port A is joined to the n-th connection to port B and bytes are
// copied both ways.
//
//   relay PORT_A PORT_B
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <string>
#include <vector>

namespace {

constexpr size_t kReadBytes = 256 * 1024;

struct End {
  int fd = -1;
  End* other = nullptr;
  std::string pending;  // bytes for this end that it could not take
  size_t pending_at = 0;
};

int Listen(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  const int one = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      listen(fd, 1024) != 0) {
    std::perror("relay: listen");
    std::exit(1);
  }
  return fd;
}

class Relay {
 public:
  Relay(int port_a, int port_b) : epoll_(epoll_create1(0)), buffer_(kReadBytes) {
    listeners_[0].fd = Listen(port_a);
    listeners_[1].fd = Listen(port_b);
    for (End& end : listeners_) Watch(end, EPOLL_CTL_ADD, EPOLLIN);
  }

  void Run() {
    epoll_event events[64];
    for (;;) {
      const int n = epoll_wait(epoll_, events, 64, -1);
      for (int i = 0; i < n; ++i) {
        auto* end = static_cast<End*>(events[i].data.ptr);
        if (end == &listeners_[0] || end == &listeners_[1]) {
          Accept(end == &listeners_[0] ? 0 : 1);
        } else if (end->fd >= 0) {
          if (events[i].events & EPOLLOUT) FlushPending(*end);
          if (end->fd >= 0 && (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))) Copy(*end);
        }
      }
    }
  }

 private:
  void Watch(End& end, int operation, uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.ptr = &end;
    epoll_ctl(epoll_, operation, end.fd, &event);
  }

  void Accept(int side) {
    const int fd = accept4(listeners_[side].fd, nullptr, nullptr, SOCK_NONBLOCK);
    if (fd < 0) return;
    const int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    ends_.emplace_back();
    ends_.back().fd = fd;
    waiting_[side].push_back(&ends_.back());
    if (waiting_[0].empty() || waiting_[1].empty()) return;
    End* a = waiting_[0].front();
    End* b = waiting_[1].front();
    waiting_[0].pop_front();
    waiting_[1].pop_front();
    a->other = b;
    b->other = a;
    Watch(*a, EPOLL_CTL_ADD, EPOLLIN);
    Watch(*b, EPOLL_CTL_ADD, EPOLLIN);
  }

  void Copy(End& from) {
    const ssize_t n = recv(from.fd, buffer_.data(), buffer_.size(), 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) return Drop(from);
    End& to = *from.other;
    ssize_t sent =
        to.pending.empty() ? send(to.fd, buffer_.data(), static_cast<size_t>(n), MSG_NOSIGNAL) : 0;
    if (sent < 0 && errno == EAGAIN) sent = 0;
    if (sent < 0) return Drop(from);
    if (sent == n) return;
    to.pending.append(buffer_.data() + sent, static_cast<size_t>(n - sent));
    Watch(from, EPOLL_CTL_MOD, 0);  // no more input until it is gone
    Watch(to, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
  }

  void FlushPending(End& end) {
    const ssize_t n = send(end.fd, end.pending.data() + end.pending_at,
                           end.pending.size() - end.pending_at, MSG_NOSIGNAL);
    if (n < 0) {
      if (errno != EAGAIN) Drop(end);
      return;
    }
    end.pending_at += static_cast<size_t>(n);
    if (end.pending_at < end.pending.size()) return;
    end.pending.clear();
    end.pending_at = 0;
    Watch(end, EPOLL_CTL_MOD, EPOLLIN);
    Watch(*end.other, EPOLL_CTL_MOD, EPOLLIN);
  }

  void Drop(End& end) {
    End& other = *end.other;
    close(end.fd);
    close(other.fd);
    end.fd = other.fd = -1;
  }

  int epoll_;
  std::vector<char> buffer_;
  End listeners_[2];
  std::deque<End> ends_;
  std::deque<End*> waiting_[2];
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: relay PORT_A PORT_B\n");
    return 2;
  }
  Relay relay(std::atoi(argv[1]), std::atoi(argv[2]));
  std::puts("ready");
  std::fflush(stdout);
  relay.Run();
}
