#include "router/net/login_log.h"

#include <string_view>
#include <utility>

#include "router/base/log.h"

namespace trunkline::net {
namespace {

constexpr LogModule kLogModule = LogModule::kNet;

// Why a login failed; empty: it did not.
std::string_view Reason(const conn::AuthAnswer& answer) {
  switch (answer.refusal) {
    case conn::AuthAnswer::Refusal::kQueueFull:
      return "too many logins wait";
    case conn::AuthAnswer::Refusal::kFailures:
      return "too many failed logins of this address";
    case conn::AuthAnswer::Refusal::kNone:
      break;
  }
  switch (answer.answer.verdict) {
    case sasl::Verdict::kDenied:
      return answer.answer.detail.empty() ? "wrong name, password or message"
                                          : std::string_view(answer.answer.detail);
    case sasl::Verdict::kError:
      return answer.answer.detail.empty() ? "error" : std::string_view(answer.answer.detail);
    default:
      return {};
  }
}

}  // namespace

bool LoginLog::Note(const std::string& owner, const std::string& peer,
                    const conn::AuthAnswer& answer, Time now) {
  const std::string_view reason = Reason(answer);
  if (reason.empty()) return false;
  if (now >= until_) {
    until_ = now + kInterval;
    lines_ = 0;
  }
  if (lines_ == kLinesMax) {
    ++kept_back_;
    return false;
  }
  ++lines_;
  TL_LOG(warning, "login failed", {"owner", owner}, {"peer", peer}, {"mechanism", answer.mechanism},
         {"user", answer.answer.user}, {"reason", reason},
         {"kept_back", std::exchange(kept_back_, 0)});
  return true;
}

}  // namespace trunkline::net
