#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/api/authorize.h"
#include "control/api/call.h"
#include "control/api/method_table.h"
#include "control/api/published.h"

namespace trunkline::api {

// How calls are bounded. A sixteenth is for local callers alone, so that no certificate keeps out
// who comes to see what is wrong.
struct CallLimits {
  int calls_max = 1024;    // under way at a time, of all callers; streams not counted
  int streams_max = 4096;  // likewise
};

// Why a call was not let in.
enum class Refused : uint8_t {
  kIdentity,  // the caller has none
  kRole,
  kMethod,   // there is no such method
  kRoom,     // too many calls, or streams, at a time
  kRequest,  // it cannot be read, or is too long
};
inline constexpr size_t kRefusedReasons = 5;

// Decides which calls come in, on the threads they come on: who it is, whether that one may, and
// whether there is room. Any thread, but for SetPolicy: control.
class Gate {
 public:
  Gate(const MethodTable& methods, CallLimits limits, Policy policy)
      : methods_(methods), limits_(limits), policy_(std::move(policy)) {}
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  // What is refused is logged, ten lines a second at most, and counted.
  //
  // The caller with its role. Unauthenticated: it has no identity.
  absl::StatusOr<Caller> CallerOf(std::string identity, std::string peer);
  // The method, and a place that Leave gives back. Unimplemented: there is none; PermissionDenied;
  // ResourceExhausted: too many calls, or streams, at a time.
  absl::StatusOr<const Method*> Enter(std::string_view path, const Caller& caller);
  void Leave(const Method& method) { Places(method.streams).fetch_sub(1); }

  // A place for a stream that is no method of the table: reflection.
  absl::Status EnterStream(const Caller& caller) { return TakePlace(/*streams=*/true, caller); }
  void LeaveStream() { Places(/*streams=*/true).fetch_sub(1); }

  // The caller may, but what he sent is not the method's request.
  void CountMalformed() { Count(Refused::kRequest); }
  uint64_t refused(Refused why) const {
    return refused_[static_cast<size_t>(why)].load(std::memory_order_relaxed);
  }

  void SetPolicy(Policy policy) { policy_.Set(std::move(policy)); }

 private:
  absl::StatusOr<const Method*> Find(std::string_view path, const Caller& caller);
  absl::Status TakePlace(bool streams, const Caller& caller);
  absl::Status Refuse(const Caller& caller, std::string_view path, absl::Status status);
  void Count(Refused why) {
    refused_[static_cast<size_t>(why)].fetch_add(1, std::memory_order_relaxed);
  }
  std::atomic<int>& Places(bool streams) { return streams ? streams_now_ : calls_now_; }

  const MethodTable& methods_;
  const CallLimits limits_;
  Published<Policy> policy_;
  std::atomic<int> calls_now_ = 0;
  std::atomic<int> streams_now_ = 0;
  std::array<std::atomic<uint64_t>, kRefusedReasons> refused_{};
  std::atomic<int64_t> told_second_ = 0;  // the second that told_ counts the lines of
  std::atomic<int> told_ = 0;
};

}  // namespace trunkline::api
