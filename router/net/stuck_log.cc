#include "router/net/stuck_log.h"

#include <utility>

#include "router/base/log.h"

namespace trunkline::net {
namespace {

constexpr LogModule kLogModule = LogModule::kCore;

}  // namespace

bool StuckLog::Take(const core::LinkStuck& link) {
  if (link.at >= until_) {
    until_ = link.at + kInterval;
    lines_ = 0;
  }
  if (lines_ == kLinesMax) {
    ++kept_back_;
    return false;
  }
  ++lines_;
  TL_LOG(warning, "a producer's delivery is stuck", {"address", link.address}, {"user", link.user},
         {"seconds", link.age.seconds()}, {"worker", link.link.shard},
         {"kept_back", std::exchange(kept_back_, 0)});
  return true;
}

}  // namespace trunkline::net
