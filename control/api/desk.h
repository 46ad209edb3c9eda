#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "control/api/call.h"
#include "control/api/method_table.h"
#include "control/api/tally.h"
#include "router/base/time.h"

namespace trunkline::api {

// Handlers by Method::key, "ListenerService/GetListener".
using Handlers = std::map<std::string, Handler>;

// Where calls that were let in are answered: gives each to its handler, knows those under way and
// tells them what becomes of their callers. Knows nothing of gRPC.
//
// Thread: control.
class Desk {
 public:
  // One line for each call that mutates, when its handler has ended it, whether or not the caller
  // has waited for that; `reply` is null but after Call::Reply.
  using Audit = std::function<void(const Call& call, const google::protobuf::Message* reply,
                                   const absl::Status& status)>;

  // `now` tells how long calls take.
  Desk(
      Handlers handlers, Audit audit, std::function<Time()> now = [] { return Time(); });
  Desk(const Desk&) = delete;
  Desk& operator=(const Desk&) = delete;
  ~Desk() { Close(); }

  // A call under its number, which is never used again. Finishes it with UNIMPLEMENTED if it has no
  // handler, with UNAVAILABLE behind Close.
  void Open(uint64_t number, const Method& method,
            std::unique_ptr<google::protobuf::Message> request, Caller caller, Call::Exits exits);
  // What was written has left. As below, nothing happens if the call has ended.
  void Written(uint64_t number);
  // Ends a call, with `status` for who may still hear it: the caller hung up, its time is over.
  void End(uint64_t number, const absl::Status& status);
  // Ends all of them; later ones are refused.
  void Close();

  size_t calls_now() const { return calls_.size(); }
  // What became of those that came here.
  const Tally& tally() const { return tally_; }

 private:
  // `exits`, which take notice of the end.
  Call::Exits Noted(uint64_t number, const Method& method, Call::Exits exits);
  std::shared_ptr<Call> Find(uint64_t number) const;

  const Handlers handlers_;
  const Audit audit_;
  const std::function<Time()> now_;
  Tally tally_;
  // Who answers a call owns it; one that is dropped without an answer fails, and so leaves this.
  std::map<uint64_t, std::weak_ptr<Call>> calls_;
  bool closed_ = false;
};

}  // namespace trunkline::api
