#include "control/api/conversation.h"

#include <grpcpp/support/proto_buffer_reader.h>
#include <grpcpp/support/proto_buffer_writer.h>

#include <array>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "control/api/rpc_status.h"
#include "control/config/error_details.h"

namespace trunkline::api {
namespace {

using google::protobuf::Message;

// What clients find as "grpc-status-details-bin".
grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const google::rpc::Status rpc = ToRpcStatus(status);
  return {static_cast<grpc::StatusCode>(rpc.code()), rpc.message(), rpc.SerializeAsString()};
}

bool Parse(grpc::ByteBuffer& bytes, Message& message) {
  grpc::ProtoBufferReader reader(&bytes);
  return reader.status().ok() && message.ParseFromZeroCopyStream(&reader);
}

void Serialize(const Message& message, grpc::ByteBuffer& bytes) {
  constexpr int kBlockBytes = 64 << 10;
  bytes.Clear();
  const size_t size = message.ByteSizeLong();
  grpc::ProtoBufferWriter writer(&bytes, kBlockBytes, static_cast<int>(size));
  (void)message.SerializeToZeroCopyStream(&writer);  // fails only where memory does
}

absl::Status Malformed(const Message& message) {
  return config::WithReason(absl::InvalidArgumentError(absl::StrCat(
                                "the request is no ", message.GetDescriptor()->full_name())),
                            "MALFORMED_REQUEST");
}

absl::Status Stopping() {
  return config::WithReason(absl::UnavailableError("the router is stopping"), "STOPPING");
}

// A call that is not let in.
class Refusal final : public grpc::ServerGenericBidiReactor {
 public:
  explicit Refusal(const absl::Status& status) { Finish(ToGrpc(status)); }
  void OnDone() override { delete this; }
};

}  // namespace

grpc::ServerGenericBidiReactor* Conversation::Begin(Front& front, const std::string& path,
                                                    const absl::StatusOr<Caller>& caller) {
  if (!caller.ok()) return new Refusal(caller.status());
  if (front.reflection != nullptr && ReflectionStream::Serves(path)) {
    if (absl::Status room = front.gate.EnterStream(); !room.ok()) return new Refusal(room);
    return new ReflectionStream(front);
  }
  const absl::StatusOr<const Method*> method = front.gate.Enter(path, *caller);
  if (!method.ok()) return new Refusal(method.status());
  const auto conversation = std::make_shared<Conversation>(front, **method, *caller);
  conversation->Start();
  return conversation.get();
}

Conversation::Conversation(Front& front, const Method& method, Caller caller)
    : front_(front),
      method_(method),
      caller_(std::move(caller)),
      number_(front.last_number.fetch_add(1) + 1) {}

void Conversation::Start() {
  self_ = shared_from_this();
  StartRead(&in_);
}

void Conversation::OnReadDone(bool ok) {
  auto request = method_.NewRequest();
  if (!ok || !Parse(in_, *request)) {
    front_.gate.CountMalformed();
    const absl::Status status = Malformed(*request);
    return Reactor::Finish(ToGrpc(status));
  }
  in_.Clear();
  if (!method_.streams) {
    alarm_ = std::make_unique<grpc::Alarm>();
    const std::weak_ptr<Conversation> self = self_;
    alarm_->Set(gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                             gpr_time_from_millis(front_.call_limit_ms, GPR_TIMESPAN)),
                [self](bool is_over) {
                  const auto conversation = self.lock();
                  if (!is_over || conversation == nullptr) return;
                  conversation->EndLater(config::WithReason(
                      absl::DeadlineExceededError("the call has taken longer than the router lets "
                                                  "calls take"),
                      "CALL_LIMIT"));
                });
  }
  if (!Post(std::move(request))) Reactor::Finish(ToGrpc(Stopping()));
}

bool Conversation::Post(std::unique_ptr<Message> request) {
  // Shared, as functions are copied.
  auto parcel = std::make_shared<std::unique_ptr<Message>>(std::move(request));
  return front_.inbox->Push([self = self_, parcel] {
    Call::Exits exits;
    exits.write = [self](const Message& reply) { self->Write(reply); };
    exits.finish = [self](const absl::Status& status) { self->Finish(status); };
    Desk& desk = self->front_.desk;
    desk.Open(self->number_, self->method_, std::move(*parcel), self->caller_, std::move(exits));
    // It hung up before the call was known here.
    if (self->cancelled_) desk.End(self->number_, absl::CancelledError("the caller hung up"));
  });
}

void Conversation::OnWriteDone(bool ok) {
  if (!ok) return EndLater(absl::CancelledError("the caller hung up"));
  front_.inbox->Push([&desk = front_.desk, number = number_] { desk.Written(number); });
}

void Conversation::OnCancel() {
  cancelled_ = true;
  EndLater(absl::CancelledError("the caller hung up"));
}

// Where the inbox is closed, control has ended all calls that it knew of.
void Conversation::EndLater(const absl::Status& status) {
  front_.inbox->Push([&desk = front_.desk, number = number_, status] { desk.End(number, status); });
}

void Conversation::OnDone() {
  front_.gate.Leave(method_);
  alarm_.reset();
  self_.reset();
}

void Conversation::Write(const Message& reply) {
  Serialize(reply, out_);
  if (method_.streams) {
    StartWrite(&out_);
  } else {
    has_reply_ = true;
  }
}

void Conversation::Finish(const absl::Status& status) {
  if (status.ok() && has_reply_) {
    StartWriteAndFinish(&out_, grpc::WriteOptions(), grpc::Status::OK);
  } else {
    Reactor::Finish(ToGrpc(status));
  }
}

bool ReflectionStream::Serves(const std::string& path) {
  constexpr std::array<std::string_view, 2> kPaths = {
      "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
      "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"};
  return path == kPaths[0] || path == kPaths[1];
}

void ReflectionStream::OnReadDone(bool ok) {
  if (!ok) return Finish(grpc::Status::OK);
  grpc::reflection::v1::ServerReflectionRequest request;
  if (!Parse(in_, request)) return Finish(ToGrpc(Malformed(request)));
  Serialize(front_.reflection->Answer(request), out_);
  StartWrite(&out_);
}

void ReflectionStream::OnWriteDone(bool ok) {
  if (!ok) return Finish(grpc::Status::CANCELLED);
  StartRead(&in_);
}

void ReflectionStream::OnDone() {
  front_.gate.LeaveStream();
  delete this;
}

}  // namespace trunkline::api
