#pragma once

#include <cstdint>
#include <string>

#include "router/base/time.h"
#include "router/conn/authenticator.h"

namespace trunkline::net {

// Tells people of logins that failed, a line each as long as these are few: whoever tries passwords
// shall be seen, but shall not fill the log.
//
// Owned by a Worker. Thread: its.
class LoginLog {
 public:
  static constexpr uint32_t kLinesMax = 5;  // of one interval
  static constexpr Duration kInterval = Seconds(10);

  // `owner` is the listener or connector. True if there was a line.
  bool Note(const std::string& owner, const std::string& peer, const conn::AuthAnswer& answer,
            Time now);

 private:
  Time until_;  // the end of the interval
  uint32_t lines_ = 0;
  uint64_t kept_back_ = 0;  // since the last line
};

}  // namespace trunkline::net
