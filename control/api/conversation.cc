#include "control/api/conversation.h"

#include <grpcpp/support/proto_buffer_reader.h>
#include <grpcpp/support/proto_buffer_writer.h>

#include <array>
#include <functional>
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

absl::Status TooLong(size_t bytes, size_t bytes_max) {
  return config::WithReason(
      absl::ResourceExhaustedError(
          absl::StrCat("the request has ", bytes, " bytes; the method takes at most ", bytes_max)),
      "REQUEST_TOO_LARGE");
}

absl::Status Stopping() {
  return config::WithReason(absl::UnavailableError("the router is stopping"), "STOPPING");
}

absl::Status HungUp() { return absl::CancelledError("the caller hung up"); }

absl::Status CallLimit() {
  return config::WithReason(
      absl::DeadlineExceededError("the call has taken longer than the router lets calls take"),
      "CALL_LIMIT");
}

// Calls `late` in so many milliseconds, if `reactor` is there then.
template <typename Reactor>
std::unique_ptr<grpc::Alarm> SetAlarm(int64_t milliseconds, std::weak_ptr<Reactor> reactor,
                                      std::function<void(Reactor&)> late) {
  auto alarm = std::make_unique<grpc::Alarm>();
  alarm->Set(
      gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(milliseconds, GPR_TIMESPAN)),
      [reactor = std::move(reactor), late = std::move(late)](bool is_over) {
        const auto there = reactor.lock();
        if (is_over && there != nullptr) late(*there);
      });
  return alarm;
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
    if (absl::Status room = front.gate.EnterStream(*caller); !room.ok()) return new Refusal(room);
    const auto stream = std::make_shared<ReflectionStream>(front);
    stream->Start();
    return stream.get();
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

// gRPC begins with what is asked here when it has got the reactor, so nobody is faster than us.
void Conversation::Start() {
  self_ = shared_from_this();
  StartRead(&in_);
  alarm_ = SetAlarm<Conversation>(front_.call_limit_ms, weak_from_this(),
                                  [](Conversation& late) { late.OnLate(); });
}

// A stream that has its request may go on.
void Conversation::OnLate() {
  if (!taken_.exchange(true)) return Reactor::Finish(ToGrpc(CallLimit()));
  if (method_.streams) return;
  late_ = true;
  EndLater(CallLimit());
}

void Conversation::OnReadDone(bool ok) {
  if (taken_.exchange(true)) return;
  if (!ok) in_.Clear();  // nothing came
  absl::StatusOr<std::unique_ptr<Message>> request = TakeRequest();
  if (!request.ok()) {
    front_.gate.CountMalformed();
    return Reactor::Finish(ToGrpc(request.status()));
  }
  if (!Post(*std::move(request))) Reactor::Finish(ToGrpc(Stopping()));
}

// Streams keep it for as long as they live, so nothing is kept that nobody looks at.
absl::StatusOr<std::unique_ptr<Message>> Conversation::TakeRequest() {
  const size_t bytes = in_.Length();
  if (bytes > method_.request_bytes_max) return TooLong(bytes, method_.request_bytes_max);
  auto request = method_.NewRequest();
  if (!Parse(in_, *request)) return Malformed(*request);
  in_.Clear();
  request->DiscardUnknownFields();
  return request;
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
    // What came before the call was known here.
    if (self->cancelled_) desk.End(self->number_, HungUp());
    if (self->late_) desk.End(self->number_, CallLimit());
  });
}

void Conversation::OnWriteDone(bool ok) {
  if (!ok) return EndLater(HungUp());
  front_.inbox->Push([&desk = front_.desk, number = number_] { desk.Written(number); });
}

void Conversation::OnCancel() {
  cancelled_ = true;
  EndLater(HungUp());
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

void ReflectionStream::Start() {
  self_ = shared_from_this();
  StartRead(&in_);
  alarm_ = SetAlarm<ReflectionStream>(front_.call_limit_ms, weak_from_this(),
                                      [](ReflectionStream& late) { late.OnLate(); });
}

// Who is being answered ends behind the answer.
void ReflectionStream::OnLate() {
  {
    std::lock_guard lock(mutex_);
    late_ = true;
    if (!waits_) return;
  }
  Finish(ToGrpc(CallLimit()));
}

void ReflectionStream::OnReadDone(bool ok) {
  {
    std::lock_guard lock(mutex_);
    if (late_) return;
    waits_ = false;
  }
  if (!ok) return Finish(grpc::Status::OK);
  if (const size_t bytes = in_.Length(); bytes > kQuestionBytesMax) {
    return Finish(ToGrpc(TooLong(bytes, kQuestionBytesMax)));
  }
  grpc::reflection::v1::ServerReflectionRequest request;
  if (!Parse(in_, request)) return Finish(ToGrpc(Malformed(request)));
  Serialize(front_.reflection->Answer(request), out_);
  StartWrite(&out_);
}

void ReflectionStream::OnWriteDone(bool ok) {
  if (!ok) return Finish(grpc::Status::CANCELLED);
  std::lock_guard lock(mutex_);
  if (late_) return Finish(ToGrpc(CallLimit()));
  waits_ = true;
  StartRead(&in_);
}

void ReflectionStream::OnDone() {
  front_.gate.LeaveStream();
  alarm_.reset();
  self_.reset();
}

}  // namespace trunkline::api
