#include "router/net/dial_schedule.h"

namespace trunkline::net {

DialSchedule::DialSchedule(const ConnectorSpec& spec)
    : candidates_{spec.host}, failed_(spec.backoff_failed), closed_(spec.backoff_closed) {
  candidates_.insert(candidates_.end(), spec.failover.begin(), spec.failover.end());
  if (candidates_.size() > 1) failed_ = closed_ = spec.backoff_failover;
}

Duration DialSchedule::Failed() {
  if (++tries_ == kTriesEach) {
    tries_ = 0;
    current_ = (current_ + 1) % candidates_.size();
  }
  return failed_;
}

Duration DialSchedule::Closed() {
  tries_ = 0;
  return closed_;
}

}  // namespace trunkline::net
