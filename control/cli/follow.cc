#include "control/cli/follow.h"

#include <unistd.h>

#include "control/config/error_details.h"
#include "control/config/resource.h"
#include "proto/trunkline/control/v1/router_service.pb.h"

namespace trunkline::cli {
namespace {

constexpr char kToken[] = "resume_token";
// Between attempts to reach a router again that was being watched.
constexpr unsigned kRetrySeconds = 1;

void ReachAgain(Session& session) {
  v1::GetVersionResponse ignored;
  do {
    ::sleep(kRetrySeconds);
  } while (absl::IsUnavailable(
      session.Call("RouterService/GetVersion", v1::GetVersionRequest(), ignored)));
}

}  // namespace

absl::Status Follow(Session& session, const Watching& watching, const std::function<bool()>& each,
                    const std::function<void()>& anew) {
  std::string token;
  bool has_begun = false;
  bool wants_more = true;
  while (true) {
    config::SetText(watching.request, kToken, token);
    const absl::Status status =
        session.Stream(watching.method, watching.request, watching.reply, [&] {
          const std::string& next = config::TextOf(watching.reply, kToken);
          if (!next.empty()) token = next;
          has_begun |= !next.empty();
          wants_more = each();
          return wants_more;
        });
    if (!has_begun || !wants_more) return status;
    const std::string reason = config::ReasonOf(status);
    const bool is_lost = reason == "RESUME_TOKEN_EXPIRED" || reason == "WATCH_TOO_SLOW";
    if (!is_lost && !absl::IsUnavailable(status) && !status.ok()) return status;
    if (is_lost) {
      session.Note("trunkctl: what has happened meanwhile is not known; told anew\n");
      token.clear();
      anew();
    } else {
      session.Note("trunkctl: the router is away; trying again\n");
    }
    ReachAgain(session);
  }
}

}  // namespace trunkline::cli
