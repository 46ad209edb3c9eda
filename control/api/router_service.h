#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "control/api/call.h"
#include "control/api/desk.h"
#include "proto/trunkline/control/v1/router.pb.h"
#include "proto/trunkline/control/v1/router_service.pb.h"
#include "router/base/time.h"

namespace trunkline::api {

// Answers what is asked of the router as a whole: what it is, whether a configuration is good, and
// its end. (GetRouter, UpdateRouter, GetConfig, ApplyConfig and WatchEvents are others' handlers.)
//
// Owned by the daemon. Thread: control.
class RouterService {
 public:
  // What never changes while the process runs.
  struct Facts {
    std::string version;  // of trunkd
    std::string router_id;
    int64_t start_time = 0;                        // milliseconds since 1970
    std::map<std::string, std::string> libraries;  // "openssl" → "3.0.17"
  };
  struct Load {
    uint64_t connections = 0;
    uint64_t unsettled = 0;
  };
  // All of them are called on control, and do not wait.
  struct Hooks {
    std::function<Load()> load;
    std::function<Time()> now;
    // Begin what they say, within `limit`; nullopt: the router's drain_timeout.
    std::function<void(std::optional<Duration> limit)> drain;
    std::function<void(std::optional<Duration> limit)> shutdown;
  };

  RouterService(Facts facts, Hooks hooks) : facts_(std::move(facts)), hooks_(std::move(hooks)) {}
  RouterService(const RouterService&) = delete;
  RouterService& operator=(const RouterService&) = delete;

  // By Method::key. They refer to this.
  Handlers MakeHandlers();

  // The drain has begun, whoever asked for it; then it has ended.
  void OnDraining() { draining_ = true; }
  void OnDrained(bool complete, uint64_t given_up);
  // When those who follow a drain are told of it; kNever: nobody does.
  Time due() const { return due_; }
  void OnTime(Time now);

 private:
  void GetVersion(Call& call) const;
  void ValidateConfig(Call& call) const;
  void Drain(std::shared_ptr<Call> call);
  void Shutdown(Call& call);
  // Where the drain stands now. A call that is not writable is told at the next turn of the clock.
  void TellDrain(Call& call) const;

  const Facts facts_;
  const Hooks hooks_;
  bool draining_ = false;
  // What the last answer of Drain says, once it has ended.
  std::optional<v1::DrainResponse> drained_;
  std::vector<std::shared_ptr<Call>> followers_;  // calls of Drain that are under way
  Time due_ = kNever;
};

// A limit that a caller gives. InvalidArgument: it is not in 0..1h, with a field violation.
absl::StatusOr<std::optional<Duration>> LimitOf(bool is_set,
                                                const google::protobuf::Duration& duration);

}  // namespace trunkline::api
