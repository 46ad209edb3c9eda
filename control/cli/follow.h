#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "control/cli/session.h"
#include "google/protobuf/message.h"

namespace trunkline::cli {

// A method that watches, "RouterService/WatchEvents". Both messages have a field `resume_token`.
struct Watching {
  std::string method;
  google::protobuf::Message& request;
  google::protobuf::Message& reply;
};

// As Session::Stream, but goes on behind what was told last when the router has been away: it is
// restarted, or ends connections that are old. Where the router does not know any more what was
// told last, `anew` is called, which may change the request, and it goes on without it. Ends when
// `each` returns false, and with what the router says before there was anything to go on from.
absl::Status Follow(Session& session, const Watching& watching, const std::function<bool()>& each,
                    const std::function<void()>& anew);

}  // namespace trunkline::cli
