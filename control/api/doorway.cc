#include "control/api/doorway.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <thread>
#include <utility>

#include "control/api/descriptors.h"
#include "control/config/text.h"
#include "router/base/status.h"
#include "router/base/thread.h"

namespace trunkline::api {
namespace {

using config::Concat;

// While descriptors are short and the reserve is used up, nothing can be accepted.
constexpr int kPauseMilliseconds = 100;
constexpr int kBacklog = 128;

// Where there is no room, it is not looked for any for so long: it takes a look at all descriptors.
constexpr int kFullMilliseconds = 1000;
constexpr size_t kConnectionsLeast = 64;
constexpr size_t kConnectionsMost = 1000;
constexpr size_t kWaitingMost = 256;

int64_t NowMilliseconds() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

// A listening socket, or -1 with errno.
int ListenAt(int fd, const sockaddr* address, socklen_t size) {
  if (::bind(fd, address, size) == 0 && ::listen(fd, kBacklog) == 0) return fd;
  const int error = errno;
  ::close(fd);
  errno = error;
  return -1;
}

int Listen(const addrinfo& address) {
  const int fd = ::socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  const int on = 1;
  const int off = 0;
  (void)::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  // An empty host means both versions by one socket.
  if (address.ai_family == AF_INET6) {
    (void)::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
  }
  return ListenAt(fd, address.ai_addr, address.ai_addrlen);
}

uint16_t PortOf(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  if (address.ss_family == AF_UNIX) return 0;
  return ntohs(address.ss_family == AF_INET6
                   ? reinterpret_cast<const sockaddr_in6*>(&address)->sin6_port
                   : reinterpret_cast<const sockaddr_in*>(&address)->sin_port);
}

struct FreeAddresses {
  void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};

// A listening socket at the first address of `host` that can be had.
absl::StatusOr<int> ListenOn(const std::string& host, uint16_t port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* list = nullptr;
  const int failed = ::getaddrinfo(host.c_str(), Concat(port).c_str(), &hints, &list);
  if (failed != 0) return absl::FailedPreconditionError(::gai_strerror(failed));
  const std::unique_ptr<addrinfo, FreeAddresses> addresses(list);
  int error = EADDRNOTAVAIL;
  for (const addrinfo* address = list; address != nullptr; address = address->ai_next) {
    if (const int fd = Listen(*address); fd >= 0) return fd;
    error = errno;
  }
  return absl::FailedPreconditionError(::strerrordesc_np(error));
}

}  // namespace

class Doorway::Impl {
 public:
  Impl(int listener, Descriptors descriptors)
      : listener(listener), descriptors(std::move(descriptors)) {}
  ~Impl();

  const int listener;
  int epoll = -1;
  int wake = -1;  // eventfd: stop
  const Descriptors descriptors;
  Enter enter;
  std::thread thread;

  absl::Status Prepare();
  void Run();

 private:
  void Accept();
  int AcceptOne();
  void FillReserve();
  void Arrived(int fd);
  bool HasRoom();
  void CloseLate();
  int WaitMilliseconds() const;
  bool Watch(int fd, uint32_t events);

  struct Waiting {
    int fd = -1;
    int64_t deadline = 0;
  };

  std::vector<int> reserve_;
  std::vector<Waiting> waiting_;  // without a byte yet, the oldest first
  size_t entered_ = 0;            // at most so many are there of those that were handed over
  int64_t full_until_ = 0;        // for as long as none enter
  int64_t paused_until_ = 0;
};

Doorway::Impl::~Impl() {
  for (const Waiting& each : waiting_) ::close(each.fd);
  for (const int fd : reserve_) ::close(fd);
  for (const int fd : {listener, epoll, wake}) {
    if (fd >= 0) ::close(fd);
  }
}

bool Doorway::Impl::Watch(int fd, uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  return ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

absl::Status Doorway::Impl::Prepare() {
  epoll = ::epoll_create1(EPOLL_CLOEXEC);
  wake = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (epoll < 0 || wake < 0 || !Watch(listener, EPOLLIN) || !Watch(wake, EPOLLIN)) {
    return absl::ErrnoToStatus(errno, "doorway");
  }
  FillReserve();
  return absl::OkStatus();
}

void Doorway::Impl::Run() {
  BeginThread("api-doorway", ThreadClass::kService);
  std::vector<epoll_event> events(64);
  while (true) {
    const int count =
        ::epoll_wait(epoll, events.data(), static_cast<int>(events.size()), WaitMilliseconds());
    bool accepts = false;
    for (int i = 0; i < count; ++i) {
      const int fd = events[static_cast<size_t>(i)].data.fd;
      if (fd == wake) return;
      if (fd == listener) {
        accepts = true;
      } else {
        Arrived(fd);
      }
    }
    // Behind the others: it may end one of them, and give its number to a later one.
    if (accepts) Accept();
    CloseLate();
    FillReserve();
  }
}

// As many as can be had.
void Doorway::Impl::FillReserve() {
  while (reserve_.size() < kReserve) {
    const int fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    reserve_.push_back(fd);
  }
}

// A connection, if need be instead of one in reserve; or -1 with errno. Other threads may be faster
// to take what is given up, so there may be several tries.
int Doorway::Impl::AcceptOne() {
  while (true) {
    const int fd = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0 || (errno != EMFILE && errno != ENFILE) || reserve_.empty()) return fd;
    ::close(reserve_.back());
    reserve_.pop_back();
  }
}

void Doorway::Impl::Accept() {
  while (true) {
    const int fd = AcceptOne();
    if (fd < 0) {
      const bool is_short =
          errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
      if (is_short) {
        paused_until_ = NowMilliseconds() + kPauseMilliseconds;
        ::epoll_ctl(epoll, EPOLL_CTL_DEL, listener, nullptr);
      }
      if (errno != EINTR && errno != ECONNABORTED) return;
      continue;
    }
    const int on = 1;
    (void)::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));  // fails for unix sockets
    if (waiting_.size() >= WaitingMax()) Arrived(waiting_.front().fd);
    if (!Watch(fd, EPOLLIN | EPOLLRDHUP)) {
      ::close(fd);
      continue;
    }
    waiting_.push_back({fd, NowMilliseconds() + kFirstByteMilliseconds});
  }
}

// Or its time is over.
void Doorway::Impl::Arrived(int fd) {
  ::epoll_ctl(epoll, EPOLL_CTL_DEL, fd, nullptr);
  std::erase_if(waiting_, [fd](const Waiting& each) { return each.fd == fd; });
  char first;
  if (::recv(fd, &first, 1, MSG_PEEK) == 1 && HasRoom()) {
    ++entered_;
    enter(fd);
  } else {
    ::close(fd);
  }
}

// For one that is no longer among those that wait, and not yet handed over.
bool Doorway::Impl::HasRoom() {
  const size_t most = ConnectionsMax();
  if (entered_ < most) return true;
  const int64_t now = NowMilliseconds();
  if (now < full_until_) return false;
  const size_t there = descriptors.ConnectionsBy(listener).size();
  entered_ = there - std::min(there, waiting_.size() + 1);
  if (entered_ >= most) full_until_ = now + kFullMilliseconds;
  return entered_ < most;
}

void Doorway::Impl::CloseLate() {
  const int64_t now = NowMilliseconds();
  while (!waiting_.empty() && waiting_.front().deadline <= now) Arrived(waiting_.front().fd);
  if (paused_until_ != 0 && now >= paused_until_) {
    paused_until_ = Watch(listener, EPOLLIN) ? 0 : now + kPauseMilliseconds;
  }
}

int Doorway::Impl::WaitMilliseconds() const {
  if (paused_until_ != 0) return kPauseMilliseconds;
  constexpr int kLookMilliseconds = 1000;
  return waiting_.empty() && reserve_.size() == kReserve ? -1 : kLookMilliseconds;
}

absl::StatusOr<std::unique_ptr<Doorway>> Doorway::At(int listener) {
  auto descriptors = Descriptors::Open();
  if (!descriptors.ok()) {
    ::close(listener);
    return descriptors.status();
  }
  std::unique_ptr<Doorway> doorway(new Doorway());
  doorway->impl_ = std::make_unique<Impl>(listener, *std::move(descriptors));
  TL_RETURN_IF_ERROR(doorway->impl_->Prepare());
  doorway->port_ = PortOf(listener);
  return doorway;
}

absl::StatusOr<std::unique_ptr<Doorway>> Doorway::Open(const std::string& host, uint16_t port) {
  auto listener = ListenOn(host.empty() ? "::" : host, port);
  // A machine may have no IPv6.
  if (host.empty() && !listener.ok()) listener = ListenOn("0.0.0.0", port);
  if (!listener.ok()) {
    const bool is_ipv6 = host.find(':') != std::string::npos;
    return absl::FailedPreconditionError(Concat("cannot listen on ",
                                                is_ipv6 ? Concat("[", host, "]") : host, ":", port,
                                                ": ", listener.status().message()));
  }
  return At(*listener);
}

absl::StatusOr<std::unique_ptr<Doorway>> Doorway::OpenSocket(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  int listener = -1;
  errno = ENAMETOOLONG;
  if (path.size() < sizeof(address.sun_path)) {
    path.copy(address.sun_path, path.size());
    listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  }
  if (listener >= 0) {
    listener = ListenAt(listener, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  }
  if (listener >= 0) return At(listener);
  return absl::FailedPreconditionError(Concat("cannot listen there: ", ::strerrordesc_np(errno)));
}

size_t Doorway::ConnectionsMax() {
  return std::clamp<size_t>(Descriptors::Max() / 8, kConnectionsLeast, kConnectionsMost);
}

size_t Doorway::WaitingMax() { return std::min(ConnectionsMax(), kWaitingMost); }

void Doorway::Start(Enter enter) {
  impl_->enter = std::move(enter);
  impl_->thread = std::thread([impl = impl_.get()] { impl->Run(); });
}

void Doorway::Stop() {
  if (!impl_->thread.joinable()) return;
  const uint64_t one = 1;
  (void)!::write(impl_->wake, &one, sizeof(one));
  impl_->thread.join();
}

int Doorway::listener() const { return impl_->listener; }

const Descriptors& Doorway::descriptors() const { return impl_->descriptors; }

Doorway::~Doorway() { Stop(); }

}  // namespace trunkline::api
