#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "control/api/call.h"
#include "google/protobuf/message.h"
#include "router/base/time.h"

namespace trunkline::api {

// Makes calls that change something harmless to repeat: the same call with the same request_id, of
// the same caller, is done once, and everyone gets the one answer. A call that has failed has
// changed nothing: it is not remembered, and done when it comes again. Nor is an answer which says
// so: `keeps` tells.
//
// Remembers for ten minutes, as far as its bounds let it. Thread: control.
class RequestIds {
 public:
  struct Options {
    Duration lifetime = kMinute * 10;
    size_t answers_max = 4096;
    size_t bytes_max = 16u << 20;  // of all answers
    // Whether an answer is remembered. Empty: all are.
    std::function<bool(const google::protobuf::Message& answer)> keeps = nullptr;
  };
  using Answer = std::shared_ptr<const google::protobuf::Message>;
  using Done = std::function<void(absl::StatusOr<Answer> answer)>;
  using Act = std::function<void(Done done)>;

  RequestIds() : RequestIds(Options()) {}
  explicit RequestIds(Options options) : options_(std::move(options)) {}
  RequestIds(const RequestIds&) = delete;
  RequestIds& operator=(const RequestIds&) = delete;

  // Calls `done` with the answer to the call: by `act`, or with that of the same call before. An
  // empty `id` is none. InvalidArgument with a violation: it is no UUID, or of another call
  // (REQUEST_ID_REUSED). We outlive what `act` does.
  void Run(const Call& call, const std::string& id, Time now, const Act& act, Done done);

  // What the caller is told: the answer, or why there is none.
  static Done AnswerTo(std::shared_ptr<Call> call);

  size_t answers() const { return answered_.size(); }

 private:
  struct Known {
    uint64_t request = 0;  // hash of it
    Answer answer;         // null: it is under way
    std::vector<Done> waiting;
  };
  struct Answered {
    std::string key;
    Time until;
    size_t bytes = 0;
  };

  void End(const std::string& key, Time now, const absl::StatusOr<Answer>& answer);
  void Forget(Time now);

  const Options options_;
  std::map<std::string, Known> known_;  // by caller, method and id
  std::deque<Answered> answered_;       // in order of time
  size_t bytes_ = 0;
};

// 8-4-4-4-12 hex digits.
bool IsUuid(std::string_view text);

}  // namespace trunkline::api
