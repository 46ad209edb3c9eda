#include "router/net/log_quota.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <utility>

namespace trunkline::net {
namespace {

constexpr std::chrono::seconds kInterval{1};

}  // namespace

struct LogQuota::State : std::enable_shared_from_this<LogQuota::State> {
  State(boost::asio::io_context& io, uint32_t lines_max, Tell to_tell)
      : timer(io), lines(lines_max), tell(std::move(to_tell)) {}

  bool Take() {
    if (!running) Run();
    if (left == 0) {
      ++kept_back;
      return false;
    }
    --left;
    return true;
  }

  void Run() {
    running = true;
    left = lines;
    timer.expires_after(kInterval);
    timer.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
      const std::shared_ptr<State> self = weak.lock();
      if (self == nullptr || error) return;
      self->running = false;
      if (self->kept_back == 0) return;
      self->tell(std::exchange(self->kept_back, 0));
      self->Run();  // what it has told counts for the next second
      --self->left;
    });
  }

  boost::asio::steady_timer timer;
  const uint32_t lines;
  const Tell tell;
  bool running = false;
  uint32_t left = 0;
  uint64_t kept_back = 0;
};

LogQuota::LogQuota(boost::asio::io_context& io, uint32_t lines, Tell tell)
    : state_(std::make_shared<State>(io, lines, std::move(tell))) {}

LogQuota::~LogQuota() = default;

bool LogQuota::Take() { return state_->Take(); }

}  // namespace trunkline::net
