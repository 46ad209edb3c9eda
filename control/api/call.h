#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "control/api/method_table.h"
#include "google/protobuf/message.h"

namespace trunkline::api {

// Who calls.
struct Caller {
  std::string
      identity;  // "local" of the socket; "spiffe://…", "URI", "DNS" or "CN" of a certificate
  v1::AccessRole role = v1::ACCESS_ROLE_UNSPECIFIED;
  std::string peer;  // "unix:", "ipv4:127.0.0.1:50312"
};

// One call under way, as its handler sees it; knows nothing of gRPC. The server (server.h) makes it
// from what came over the network, after it has been authenticated and authorized; a test makes it
// from functions of its own.
//
// Shared by the server and whoever is going to answer. Thread: control, for everything.
class Call {
 public:
  // How answers leave. Each is called on the control thread and does not wait.
  struct Exits {
    std::function<void(const google::protobuf::Message& reply)> write;
    std::function<void(const absl::Status& status)> finish;
    // Told once how the handler ended the call, also where the caller had gone by then; where it
    // dropped such a call, how that was. `reply` is null but after Reply. May be empty.
    std::function<void(const Call& call, const google::protobuf::Message* reply,
                       const absl::Status& status)>
        ended;
  };

  Call(const Method& method, std::unique_ptr<google::protobuf::Message> request, Caller caller,
       Exits exits);
  ~Call();  // a call that nobody answered fails with INTERNAL
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  const Method& method() const { return method_; }
  const Caller& caller() const { return caller_; }
  const google::protobuf::Message& request() const { return *request_; }
  template <typename Request>
  const Request& As() const {
    return static_cast<const Request&>(*request_);
  }

  // --- the answer; what comes after the end, or after the caller has gone, is dropped
  // The only answer of a unary call, and its end.
  void Reply(const google::protobuf::Message& reply);
  // The end: of a unary call that fails, of a stream.
  void Finish(const absl::Status& status);
  // One more answer of a stream. REQUIRES: writable().
  void Write(const google::protobuf::Message& reply);
  // False while the last Write is on its way: gRPC takes one after the other.
  bool writable() const { return writable_ && !ended_; }
  bool ended() const { return ended_; }  // finished, or the caller has gone
  bool gone() const { return !gone_.ok(); }

  // Called when writable() has become true again, and when the caller has hung up or its deadline
  // is over; not after Finish.
  void OnWritable(std::function<void()> hook) { on_writable_ = std::move(hook); }
  void OnGone(std::function<void()> hook) { on_gone_ = std::move(hook); }

  // --- the server's side
  void Written();
  // The caller has hung up, its time is over or the server ends: finishes with `status`, then tells
  // OnGone.
  void Gone(const absl::Status& status);

 private:
  void End(const absl::Status& status);
  void TellEnded(const google::protobuf::Message* reply, const absl::Status& status);

  const Method& method_;
  const std::unique_ptr<google::protobuf::Message> request_;
  const Caller caller_;
  Exits exits_;
  std::function<void()> on_writable_;
  std::function<void()> on_gone_;
  bool writable_ = true;
  bool ended_ = false;
  absl::Status gone_;  // OK: the caller is there
};

// Answers calls of one method; may keep the call and answer later.
using Handler = std::function<void(std::shared_ptr<Call> call)>;

}  // namespace trunkline::api
