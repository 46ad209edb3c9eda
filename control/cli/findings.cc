#include "control/cli/findings.h"

#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "control/cli/message_text.h"
#include "control/cli/session.h"
#include "control/cli/table.h"
#include "control/config/text.h"

namespace trunkline::cli {
namespace {

using config::Concat;
using Result = Finding::Result;

constexpr int64_t kSoon = 30 * 86400;  // seconds
// Clocks that are further apart confuse whoever compares logs; then certificates and tickets.
constexpr int64_t kSkewWarningMs = 2'000;
constexpr int64_t kSkewFailedMs = 300'000;
// Of a hundred descriptors that there may be, so many that are open.
constexpr double kOpenWarning = 80;
constexpr double kOpenFailed = 90;

// "listeners/amqps" → "amqps".
std::string IdOf(const std::string& name) { return name.substr(name.find('/') + 1); }

}  // namespace

std::string NameOf(Result result) {
  switch (result) {
    case Result::kOk:
      return "ok";
    case Result::kWarning:
      return "warning";
    case Result::kFailed:
      return "failed";
  }
  return "";
}

std::string JsonOf(const std::vector<Finding>& findings) {
  std::string text = "[";
  for (const Finding& each : findings) {
    absl::StrAppend(&text, text.size() > 1 ? ",\n " : "\n ", "{\"check\":", JsonQuoted(each.check),
                    ",\"result\":\"", NameOf(each.result), "\",\"text\":", JsonQuoted(each.text));
    if (!each.way_out.empty()) absl::StrAppend(&text, ",\"way_out\":", JsonQuoted(each.way_out));
    text += "}";
  }
  return text + "\n]\n";
}

Finding JudgeSilence(const std::string& check, const absl::Status& status) {
  const std::string text(config::View(status.message()));
  if (!absl::IsUnimplemented(status)) return {check, Result::kFailed, text, ""};
  return {check, Result::kWarning, "not looked at: " + text, "take a newer trunkd"};
}

Finding JudgeListener(const v1::Listener& listener) {
  const v1::ListenerStatus& status = listener.status();
  const std::string id = IdOf(listener.name());
  Finding finding{"listener " + id};
  switch (status.state()) {
    case v1::ListenerStatus::STATE_LISTENING:
      finding.text = "listens on " + absl::StrJoin(status.bound_addresses(), ", ");
      break;
    case v1::ListenerStatus::STATE_DISABLED:
      finding.text = "switched off";
      break;
    case v1::ListenerStatus::STATE_DRAINING:
      finding.result = Result::kWarning;
      finding.text = "takes no connections: the router is draining";
      break;
    case v1::ListenerStatus::STATE_FAILED:
      finding.result = Result::kFailed;
      finding.text = status.last_error().message();
      finding.way_out = Concat("trunkctl set listener ", id, " port=…, or free what it needs");
      break;
    default:
      finding.result = Result::kWarning;
      finding.text = "does not listen yet";
  }
  return finding;
}

Finding JudgeConnector(const v1::Connector& connector) {
  const v1::ConnectorStatus& status = connector.status();
  const std::string id = IdOf(connector.name());
  Finding finding{"connector " + id};
  const std::string host = Concat(connector.spec().host(), ":",
                                  connector.spec().has_port() ? connector.spec().port() : 5672);
  switch (status.state()) {
    case v1::ConnectorStatus::STATE_OPEN:
      finding.text = Concat("open to ", status.remote_container(), " at ", host);
      return finding;
    case v1::ConnectorStatus::STATE_DISABLED:
      finding.text = "switched off";
      return finding;
    case v1::ConnectorStatus::STATE_CONNECTING:
      finding.result = status.attempts() > 0 ? Result::kFailed : Result::kWarning;
      finding.text = Concat("connects to ", host);
      break;
    default:
      finding.result = Result::kFailed;
      finding.text = Concat("no connection to ", host);
  }
  if (status.attempts() > 0) {
    finding.text += Concat(" after ", Count(status.attempts(), "attempt"));
  }
  if (status.has_last_error()) finding.text += ": " + status.last_error().message();
  finding.way_out = "trunkctl test connector " + id;
  return finding;
}

Finding JudgeTlsProfile(const v1::TlsProfile& profile, int64_t now) {
  const v1::TlsProfileStatus& status = profile.status();
  const std::string id = IdOf(profile.name());
  Finding finding{"TLS profile " + id};
  if (status.has_last_reload_error()) {
    finding.result = Result::kFailed;
    finding.text = "newer files are not in force: " + status.last_reload_error().message();
    finding.way_out = "correct its files; they are looked at every two seconds";
    return finding;
  }
  if (!status.has_next_expiry()) {
    finding.text = "nothing of it expires";
    return finding;
  }
  const bool is_own = status.active().has_not_after() &&
                      status.active().not_after().seconds() <= status.next_expiry().seconds();
  const std::string what = is_own ? Concat("its certificate ", status.active().subject())
                                  : "a certificate that it trusts";
  const int64_t left = status.next_expiry().seconds() - now;
  const bool is_early =
      status.active().has_not_before() && status.active().not_before().seconds() > now;
  if (left < 0) {
    finding.result = Result::kFailed;
    finding.text = Concat(what, " expired ", Age(-left), " ago");
  } else if (is_early) {
    finding.result = Result::kFailed;
    finding.text = Concat("its certificate ", status.active().subject(), " is not valid yet");
  } else {
    if (left < kSoon) finding.result = Result::kWarning;
    finding.text = Concat(what, " expires in ", Age(left));
  }
  if (finding.result != Result::kOk) {
    finding.way_out = Concat("put newer files in place, or trunkctl certs rotate ", id);
  }
  return finding;
}

Finding JudgeUserStore(const v1::UserStore& store) {
  Finding finding{"users " + IdOf(store.name())};
  if (store.status().has_last_reload_error()) {
    finding.result = Result::kFailed;
    finding.text = "newer users are not in force: " + store.status().last_reload_error().message();
    finding.way_out = "correct its files; they are looked at every two seconds";
  } else {
    const bool is_counted = store.status().users() > 0;
    finding.text = is_counted ? Count(store.status().users(), "user") : "can be read";
  }
  return finding;
}

Finding JudgeClock(int64_t router_ms, int64_t own_ms, int64_t asked_ms) {
  Finding finding{"clock"};
  const int64_t apart = std::abs(router_ms - own_ms);
  if (apart <= kSkewWarningMs + asked_ms) {
    finding.text = "the router's and this one's agree";
    return finding;
  }
  finding.result = apart > kSkewFailedMs + asked_ms ? Result::kFailed : Result::kWarning;
  finding.text =
      absl::StrFormat("the router's is %.1f s %s this one's", static_cast<double>(apart) / 1000,
                      router_ms > own_ms ? "ahead of" : "behind");
  finding.way_out = "NTP on both";
  return finding;
}

Finding JudgeDescriptors(const v1::ProcessStats& process) {
  Finding finding{"descriptors"};
  const uint64_t open = process.descriptors_open();
  const uint64_t most = process.descriptors_max();
  if (open == 0 || most == 0) {
    finding.text = "the router does not know how many are open";
    return finding;
  }
  const double share = 100 * static_cast<double>(open) / static_cast<double>(most);
  finding.text = Concat(open, " of ", most, " are open");
  if (share <= kOpenWarning) return finding;
  finding.result = share > kOpenFailed ? Result::kFailed : Result::kWarning;
  finding.text += ": connections will be refused when they run out";
  finding.way_out =
      "trunkctl get connections; or a restart with a higher limit: LimitNOFILE= of its unit, "
      "ulimit -Hn";
  return finding;
}

Finding JudgeReload(const std::vector<v1::Event>& events) {
  Finding finding{"configuration"};
  finding.text = "in force";
  if (events.empty() || events.back().type() != "config.refused") return finding;
  const auto error = events.back().fields().find("error");
  finding.result = Result::kFailed;
  finding.text = "the file has changed, and was refused";
  if (error != events.back().fields().end()) finding.text += ": " + error->second;
  finding.way_out = "correct it (trunkctl config check FILE); it is read again when it changes";
  return finding;
}

Finding JudgePersistence(const std::string& state_directory, size_t made_over_api) {
  Finding finding{"persistence"};
  if (!state_directory.empty()) {
    finding.text = "what is made over the API is kept in " + state_directory;
    return finding;
  }
  if (made_over_api == 0) {
    finding.text = "there is no state directory, and nothing was made over the API";
    return finding;
  }
  finding.result = Result::kWarning;
  finding.text = Concat(Count(made_over_api, "resource"),
                        " made over the API will be gone when the router restarts");
  finding.way_out = "control: {state_directory: …} in the configuration file, and a restart";
  return finding;
}

}  // namespace trunkline::cli
