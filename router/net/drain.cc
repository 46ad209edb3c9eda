#include "router/net/drain.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <utility>

namespace trunkline::net {
namespace {

// How often is looked, and how often in a row nothing may be unsettled.
constexpr std::chrono::milliseconds kLook{20};
constexpr int kQuietLooks = 3;
// For the peers to answer the close.
constexpr std::chrono::seconds kCloseTime{3};

}  // namespace

class Drain::Impl : public std::enable_shared_from_this<Drain::Impl> {
 public:
  Impl(boost::asio::io_context& io, Hooks hooks)
      : hooks_(std::move(hooks)), look_(io), deadline_(io) {}

  void Start(Duration limit) {
    Limit(std::chrono::nanoseconds(limit.ns));
    Look();
  }

 private:
  void Limit(std::chrono::nanoseconds limit) {
    late_ = false;
    deadline_.expires_after(limit);
    deadline_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
      const std::shared_ptr<Impl> self = weak.lock();
      if (self == nullptr || error) return;
      self->late_ = true;
      self->look_.cancel();
      self->Look();
    });
  }

  void Look() {
    if (done_) return;
    if (closing_ ? LookAtConnections() : LookAtDeliveries()) return;
    look_.expires_after(kLook);
    look_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
      const std::shared_ptr<Impl> self = weak.lock();
      if (self != nullptr && !error) self->Look();
    });
  }

  // Both: true when this was the last look.
  bool LookAtDeliveries() {
    const uint64_t unsettled = hooks_.unsettled();
    quiet_ = unsettled == 0 ? quiet_ + 1 : 0;
    if (quiet_ < kQuietLooks && !late_) return false;
    given_up_ = unsettled;
    closing_ = true;
    hooks_.close_all();
    Limit(kCloseTime);
    return false;
  }

  bool LookAtConnections() {
    if (hooks_.connections() > 0 && !late_) return false;
    done_ = true;
    deadline_.cancel();
    hooks_.drained({.complete = given_up_ == 0, .unsettled = given_up_});
    return true;
  }

  const Hooks hooks_;
  boost::asio::steady_timer look_;
  boost::asio::steady_timer deadline_;
  bool late_ = false;
  bool closing_ = false;
  bool done_ = false;
  int quiet_ = 0;
  uint64_t given_up_ = 0;
};

Drain::Drain(boost::asio::io_context& io, Hooks hooks, Duration limit)
    : impl_(std::make_shared<Impl>(io, std::move(hooks))) {
  impl_->Start(limit);
}

Drain::~Drain() = default;

}  // namespace trunkline::net
