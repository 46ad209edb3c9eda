#include "router/net/barriers.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"

namespace trunkline::net {
namespace {

// Time that workers have to adopt a View that control waits for.
constexpr std::chrono::seconds kAdoptionTime{2};

}  // namespace

struct Barriers::Barrier {
  uint64_t version;
  Done done;
  std::unique_ptr<boost::asio::steady_timer> timer;
  bool late = false;
};

Barriers::Barriers(boost::asio::io_context& io, const Publisher& publisher)
    : io_(io), publisher_(publisher) {}

Barriers::~Barriers() = default;

void Barriers::Await(uint64_t version, Done done) {
  auto timer = std::make_unique<boost::asio::steady_timer>(io_, kAdoptionTime);
  timer->async_wait([this, version](const boost::system::error_code& error) {
    if (error) return;
    for (Barrier& barrier : waiting_) barrier.late |= barrier.version <= version;
    Check();
  });
  waiting_.push_back({version, std::move(done), std::move(timer)});
  Check();
}

void Barriers::Check() {
  std::vector<Barrier> waiting = std::exchange(waiting_, {});
  for (Barrier& barrier : waiting) {
    if (publisher_.InForce(barrier.version)) {
      barrier.done(absl::OkStatus());
    } else if (barrier.late) {
      barrier.done(absl::DeadlineExceededError(absl::StrCat(
          "worker ", publisher_.Laggard(barrier.version), " does not take up what is published")));
    } else {
      waiting_.push_back(std::move(barrier));
    }
  }
}

}  // namespace trunkline::net
