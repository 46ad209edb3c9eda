#pragma once

#include <grpcpp/alarm.h>
#include <grpcpp/generic/async_generic_service.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "absl/status/status.h"
#include "control/api/call.h"
#include "control/api/desk.h"
#include "control/api/gate.h"
#include "control/api/inbox.h"
#include "control/api/reflection.h"

namespace trunkline::api {

// What all calls of a server share. Outlives them.
struct Front {
  Gate gate;
  Desk desk;  // thread: control
  std::shared_ptr<Inbox> inbox;
  const Reflection* reflection = nullptr;  // null: not served
  // For calls with one answer, until streams have their request, and for reflection.
  int64_t call_limit_ms = 0;
  std::atomic<uint64_t> last_number = 0;
};

// One call as gRPC sees it. What comes over the network is looked at on gRPC's threads; once it has
// been handed to control (Front::inbox), control alone writes and finishes, so that the two never
// race. Before that it is the request or the end of its time, whichever comes first, that decides.
// Owns itself until gRPC is done with it.
class Conversation final : public grpc::ServerGenericBidiReactor,
                           public std::enable_shared_from_this<Conversation> {
 public:
  // Begins a call that `caller` may make, or fails, and takes a place at the gate.
  static grpc::ServerGenericBidiReactor* Begin(Front& front, const std::string& path,
                                               const absl::StatusOr<Caller>& caller);

  Conversation(Front& front, const Method& method, Caller caller);

  // --- gRPC's threads
  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  using Reactor = grpc::ServerGenericBidiReactor;

  void Start();
  void OnLate();  // on a thread of gRPC
  // What came in: a request, or why it is none.
  absl::StatusOr<std::unique_ptr<google::protobuf::Message>> TakeRequest();
  bool Post(std::unique_ptr<google::protobuf::Message> request);
  void EndLater(const absl::Status& status);
  // --- control
  void Write(const google::protobuf::Message& reply);
  void Finish(const absl::Status& status);

  Front& front_;
  const Method& method_;
  const Caller caller_;
  const uint64_t number_;
  std::shared_ptr<Conversation> self_;  // until OnDone
  grpc::ByteBuffer in_;
  grpc::ByteBuffer out_;
  bool has_reply_ = false;           // the answer of a unary call is in out_
  std::atomic<bool> taken_ = false;  // by who decides, see above
  std::atomic<bool> cancelled_ = false;
  std::atomic<bool> late_ = false;      // its request came in time, its answer does not
  std::unique_ptr<grpc::Alarm> alarm_;  // when its time is over
};

// Questions about services and messages, one after the other. Answered where they come in: what is
// told never changes. Ends when its time is over. Owns itself until gRPC is done with it.
class ReflectionStream final : public grpc::ServerGenericBidiReactor,
                               public std::enable_shared_from_this<ReflectionStream> {
 public:
  static bool Serves(const std::string& path);
  explicit ReflectionStream(Front& front) : front_(front) {}
  void Start();  // once

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone() override;

 private:
  void OnLate();

  Front& front_;
  std::shared_ptr<ReflectionStream> self_;  // until OnDone
  grpc::ByteBuffer in_;
  grpc::ByteBuffer out_;
  std::unique_ptr<grpc::Alarm> alarm_;  // when its time is over
  std::mutex mutex_;                    // of what follows, so that nothing begins behind the end
  bool waits_ = true;                   // for a question
  bool late_ = false;
};

}  // namespace trunkline::api
