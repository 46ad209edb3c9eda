#include "control/api/desk.h"

#include <utility>
#include <vector>

#include "control/config/error_details.h"
#include "control/config/text.h"

namespace trunkline::api {
namespace {

absl::Status Stopping() {
  return config::WithReason(absl::UnavailableError("the router is stopping"), "STOPPING");
}

}  // namespace

Desk::Desk(Handlers handlers, Audit audit, std::function<Time()> now)
    : handlers_(std::move(handlers)), audit_(std::move(audit)), now_(std::move(now)) {}

void Desk::Open(uint64_t number, const Method& method,
                std::unique_ptr<google::protobuf::Message> request, Caller caller,
                Call::Exits exits) {
  Call::Exits noted = Noted(number, method, std::move(exits));
  if (closed_) return noted.finish(Stopping());
  const auto handler = handlers_.find(method.key());
  if (handler == handlers_.end()) {
    return noted.finish(config::WithReason(
        absl::UnimplementedError(config::Concat(method.key(), " is not served by this router")),
        "METHOD_NOT_SERVED"));
  }
  if (method.mutates && audit_) {
    // A copy: a call whose caller has gone may be answered when the desk is no more.
    noted.ended = audit_;
  }
  auto call =
      std::make_shared<Call>(method, std::move(request), std::move(caller), std::move(noted));
  calls_[number] = call;
  handler->second(std::move(call));
}

Call::Exits Desk::Noted(uint64_t number, const Method& method, Call::Exits exits) {
  tally_.Began(method);
  Call::Exits noted;
  noted.write = std::move(exits.write);
  noted.finish = [this, number, &method, began = now_(),
                  finish = std::move(exits.finish)](const absl::Status& status) {
    calls_.erase(number);
    tally_.Ended(method, status.code(), now_() - began);
    finish(status);
  };
  return noted;
}

void Desk::Written(uint64_t number) {
  if (const auto call = Find(number)) call->Written();
}

void Desk::End(uint64_t number, const absl::Status& status) {
  if (const auto call = Find(number)) call->Gone(status);
}

void Desk::Close() {
  closed_ = true;
  std::vector<uint64_t> numbers;
  for (const auto& [number, call] : calls_) numbers.push_back(number);
  for (const uint64_t number : numbers) End(number, Stopping());
}

std::shared_ptr<Call> Desk::Find(uint64_t number) const {
  const auto found = calls_.find(number);
  return found == calls_.end() ? nullptr : found->second.lock();
}

}  // namespace trunkline::api
