#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "control/config/schema.h"
#include "proto/trunkline/control/v1/connector.pb.h"
#include "proto/trunkline/control/v1/listener.pb.h"
#include "proto/trunkline/control/v1/router_service.pb.h"
#include "proto/trunkline/control/v1/stats_service.pb.h"
#include "proto/trunkline/control/v1/tls.pb.h"
#include "proto/trunkline/control/v1/user_store.pb.h"

namespace trunkline::cli {

// What `doctor` says of one thing. Texts of peers are not made printable yet.
struct Finding {
  enum class Result { kOk, kWarning, kFailed };
  std::string check;  // "listener amqps"
  Result result = Result::kOk;
  std::string text;
  std::string way_out;  // empty: there is nothing to do, or it is not known
};

std::string NameOf(Finding::Result result);
// An array, a line for each.
std::string JsonOf(const std::vector<Finding>& findings);

// How things are judged: pure. `now` is in seconds since 1970.
// A question without an answer, which is a warning where the router does not know it.
Finding JudgeSilence(const std::string& check, const absl::Status& status);
Finding JudgeListener(const v1::Listener& listener);
Finding JudgeConnector(const v1::Connector& connector);
// Its own certificate and those that it trusts; a month before the first expires is a warning.
Finding JudgeTlsProfile(const v1::TlsProfile& profile, int64_t now);
Finding JudgeUserStore(const v1::UserStore& store);
// The router's time against ours, which was asked for within `asked_ms`.
Finding JudgeClock(int64_t router_ms, int64_t own_ms, int64_t asked_ms);
// Above four fifths of those that there may be is a warning, above nine tenths a failure: soon no
// connection is taken.
Finding JudgeDescriptors(const v1::ProcessStats& process);
// The last events of the configuration file, the oldest first.
Finding JudgeReload(const std::vector<v1::Event>& events);
// `made_over_api`: how many resources would be gone after a restart without a folder for them.
Finding JudgePersistence(const std::string& state_directory, size_t made_over_api);

}  // namespace trunkline::cli
