#include "router/net/admission.h"

#include <sys/resource.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>

#include "router/base/log.h"

namespace trunkline::net {
namespace {

constexpr LogModule kLogModule = LogModule::kNet;
constexpr std::chrono::seconds kQuietTime{1};
// Descriptors of the process itself: logs, pollers, listeners, resolver, control.
constexpr uint64_t kOwnDescriptors = 32;

uint64_t RaiseDescriptorLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
  const rlim_t before = limit.rlim_cur;
  limit.rlim_cur = limit.rlim_max;
  // Where the kernel does not grant it, things stay as they are.
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) return before;
  return limit.rlim_cur;
}

}  // namespace

// What was refused since the last record; while its timer runs nothing is logged.
struct Admission::Quiet : std::enable_shared_from_this<Admission::Quiet> {
  explicit Quiet(boost::asio::io_context& io) : timer(io) {}

  void Note(const std::string& peer, const std::string& why) {
    ++count;
    if (running) return;
    TL_LOG(warning, "accept refused", {"peer", peer}, {"error", why}, {"connections", count});
    count = 0;
    running = true;
    timer.expires_after(kQuietTime);
    timer.async_wait([weak = weak_from_this(), why](const boost::system::error_code& error) {
      const std::shared_ptr<Quiet> self = weak.lock();
      if (self == nullptr || error) return;
      self->running = false;
      if (self->count == 0) return;
      --self->count;
      self->Note("", why);
    });
  }

  boost::asio::steady_timer timer;
  uint64_t count = 0;
  bool running = false;
};

Admission::Admission(boost::asio::io_context& io)
    : sockets_max_(SocketsFor(RaiseDescriptorLimit())), quiet_(std::make_shared<Quiet>(io)) {}

Admission::~Admission() = default;

void Admission::Refuse(const std::string& peer, const std::string& why) {
  refused_.Add();
  quiet_->Note(peer, why);
}

uint64_t SocketsFor(uint64_t descriptors) {
  const uint64_t most = descriptors - descriptors / 20;
  return most > kOwnDescriptors ? most - kOwnDescriptors : 1;
}

}  // namespace trunkline::net
