#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/cli/endpoint.h"
#include "google/protobuf/message.h"

namespace trunkline::cli {

// A connection to the API of a router; the only place of trunkctl that knows gRPC.
//
// Errors are statuses with the details that the router sent (config/error_details.h); Unavailable:
// it cannot be reached. Thread: one.
class Channel {
 public:
  // InvalidArgument, and what reading a file gives.
  static absl::StatusOr<std::unique_ptr<Channel>> Open(const Endpoint& endpoint);
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  // Of each call; 0: none.
  void SetTimeout(int64_t milliseconds) { timeout_ms_ = milliseconds; }

  // Called with a line for each call: what it was, how it went and how long it took.
  void SetTrace(std::function<void(std::string_view line)> trace) { trace_ = std::move(trace); }

  // `method` is "ListenerService/GetListener".
  absl::Status Call(const std::string& method, const google::protobuf::Message& request,
                    google::protobuf::Message& reply);
  // Calls `each` for every answer of a stream, until it returns false or the stream ends.
  // `reply` is filled anew for each. There is no time-out once the router has been reached.
  absl::Status Stream(const std::string& method, const google::protobuf::Message& request,
                      google::protobuf::Message& reply, const std::function<bool()>& each);

 private:
  Channel();
  void Trace(const std::string& method, const absl::Status& status, int64_t milliseconds) const;
  class Impl;
  std::unique_ptr<Impl> impl_;
  Endpoint endpoint_;
  int64_t timeout_ms_ = 0;
  std::function<void(std::string_view line)> trace_;
};

}  // namespace trunkline::cli
