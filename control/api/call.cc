#include "control/api/call.h"

#include <utility>

#include "router/base/check.h"

namespace trunkline::api {

Call::Call(const Method& method, std::unique_ptr<google::protobuf::Message> request, Caller caller,
           Exits exits)
    : method_(method),
      request_(std::move(request)),
      caller_(std::move(caller)),
      exits_(std::move(exits)) {}

Call::~Call() {
  if (!ended_) Finish(absl::InternalError("the call was not answered"));
  TellEnded(nullptr, gone_);
}

void Call::Reply(const google::protobuf::Message& reply) {
  TL_CHECK(!method_.streams) << "a stream is written, then finished: " << method_.path;
  TellEnded(&reply, absl::OkStatus());
  if (ended_) return;
  exits_.write(reply);
  Finish(absl::OkStatus());
}

void Call::Finish(const absl::Status& status) {
  TellEnded(nullptr, status);
  if (ended_) return;
  on_gone_ = nullptr;
  End(status);
}

void Call::Write(const google::protobuf::Message& reply) {
  if (ended_) return;
  TL_CHECK(method_.streams && writable_) << "not writable: " << method_.path;
  writable_ = false;
  exits_.write(reply);
}

void Call::Written() {
  if (ended_) return;
  writable_ = true;
  // A copy: the hook may end the call, and so be dropped while it runs.
  if (const auto hook = on_writable_) hook();
}

void Call::Gone(const absl::Status& status) {
  if (ended_) return;
  gone_ = status;
  const auto hook = std::exchange(on_gone_, nullptr);
  End(status);
  if (hook) hook();
}

void Call::End(const absl::Status& status) {
  ended_ = true;
  on_writable_ = nullptr;
  const auto finish = std::exchange(exits_.finish, nullptr);
  exits_.write = nullptr;
  finish(status);
}

void Call::TellEnded(const google::protobuf::Message* reply, const absl::Status& status) {
  if (const auto ended = std::exchange(exits_.ended, nullptr)) ended(*this, reply, status);
}

}  // namespace trunkline::api
