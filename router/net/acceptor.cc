#include "router/net/acceptor.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <chrono>
#include <list>
#include <utility>

namespace trunkline::net {
namespace {

namespace asio = boost::asio;

// Accepted in one go before the other listeners have theirs.
constexpr int kBatch = 64;
// Pause after the system had no memory for another socket.
constexpr std::chrono::milliseconds kPause{100};

Descriptor Reserve() { return Descriptor(open("/dev/null", O_RDONLY | O_CLOEXEC)); }

}  // namespace

class Acceptor::Impl : public std::enable_shared_from_this<Acceptor::Impl> {
 public:
  Impl(asio::io_context& io, std::vector<Bound> bound, Hooks hooks)
      : hooks_(std::move(hooks)), reserve_(Reserve()) {
    for (Bound& each : bound) {
      doors_.push_back({Stream(io, each.fd.Release()), asio::steady_timer(io)});
    }
  }

  void Start() {
    for (Door& door : doors_) Await(door);
  }

 private:
  using Stream = asio::posix::stream_descriptor;
  struct Door {
    Stream stream;
    asio::steady_timer pause;
  };
  enum class Next { kMore, kEmpty, kPause };

  void Await(Door& door) {
    door.stream.async_wait(Stream::wait_read,
                           [weak = weak_from_this(), &door](boost::system::error_code e) {
                             const std::shared_ptr<Impl> self = weak.lock();
                             if (self != nullptr && !e) self->Take(door);
                           });
  }

  void Take(Door& door) {
    Next next = Next::kMore;
    for (int i = 0; i < kBatch && next == Next::kMore; ++i) next = TakeOne(door);
    if (next != Next::kPause) return Await(door);
    door.pause.expires_after(kPause);
    door.pause.async_wait([weak = weak_from_this(), &door](boost::system::error_code e) {
      const std::shared_ptr<Impl> self = weak.lock();
      if (self != nullptr && !e) self->Await(door);
    });
  }

  Next TakeOne(Door& door) {
    sockaddr_storage peer{};
    socklen_t size = sizeof peer;
    Descriptor fd(accept4(door.stream.native_handle(), reinterpret_cast<sockaddr*>(&peer), &size,
                          SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (fd) {
      if (!reserve_) reserve_ = Reserve();
      hooks_.accepted(std::move(fd), peer);
      return Next::kMore;
    }
    switch (errno) {
      case EAGAIN:
        return Next::kEmpty;
      case EMFILE:
      case ENFILE:
        return TurnAway(door);
      case ENOBUFS:
      case ENOMEM:
        return Next::kPause;
      default:  // the peer went away while it waited
        return Next::kMore;
    }
  }

  // The system says that there is no descriptor before it looks whether anybody waits.
  Next TurnAway(Door& door) {
    reserve_.Reset();
    Descriptor peer(accept(door.stream.native_handle(), nullptr, nullptr));
    const bool empty = !peer && errno == EAGAIN;
    const bool taken = static_cast<bool>(peer);
    peer.Reset();
    reserve_ = Reserve();
    if (!taken) return empty ? Next::kEmpty : Next::kPause;
    hooks_.refused();
    return Next::kMore;
  }

  const Hooks hooks_;
  std::list<Door> doors_;
  Descriptor reserve_;
};

Acceptor::Acceptor(asio::io_context& io, std::vector<Bound> bound, Hooks hooks)
    : impl_(std::make_shared<Impl>(io, std::move(bound), std::move(hooks))) {
  impl_->Start();
}

Acceptor::~Acceptor() = default;

}  // namespace trunkline::net
