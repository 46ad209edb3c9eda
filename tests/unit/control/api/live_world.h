#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "control/api/call.h"
#include "control/api/desk.h"
#include "control/api/observing.h"
#include "router/base/check.h"
#include "router/base/random.h"
#include "router/router.h"

namespace trunkline::api {

// A router as far as services look at it: what there is, and what was asked of it. Answers when it
// is told to.
class FakeRouter {
 public:
  std::vector<ConnectionState> connections;
  std::vector<LinkState> links;
  std::vector<std::pair<uint64_t, std::string>> closed;
  std::vector<std::pair<uint64_t, std::string>> closed_links;
  std::vector<std::pair<uint64_t, LinkSwitch>> switched;  // links
  absl::Status refusal;                                   // of Observe

  absl::StatusOr<uint64_t> Observe(const ObserveWish& wish) {
    if (!refusal.ok()) return refusal;
    asked.push_back(wish);
    return asked.size();
  }

  // Answers to what was asked and not answered, as the router is now.
  std::vector<Observed> Answers() {
    std::vector<Observed> answers;
    for (; answered_ < asked.size(); ++answered_) {
      answers.push_back({answered_ + 1, std::make_shared<Snapshot>(See(asked[answered_]))});
    }
    return answers;
  }

  static ConnectionState Open(uint64_t id, const std::string& container = "client") {
    ConnectionState state;
    state.id = id;
    state.phase = ConnectionState::Phase::kOpen;
    state.owner = "amqp";
    state.peer = "10.0.0.1:4711";
    state.local = "10.0.0.2:5672";
    state.container_id = container;
    state.begun = state.opened = Time{Seconds(5).ns};
    state.last_received = state.last_sent = state.opened;
    return state;
  }

  static LinkState Attached(uint64_t connection, uint64_t number, const std::string& address,
                            bool incoming = true) {
    LinkState link;
    link.connection = connection;
    link.number = number;
    link.address = address;
    link.key = "M0" + address;
    link.incoming = incoming;
    link.name = "link";
    return link;
  }

  std::vector<ObserveWish> asked;

 private:
  // As the workers do.
  Snapshot See(const ObserveWish& wish) const {
    Snapshot seen;
    const auto is_wanted = [&](uint64_t id) {
      return wish.connection == 0 || wish.connection == id;
    };
    for (const ConnectionState& each : connections) {
      if (!wish.connections || !is_wanted(each.id)) continue;
      seen.connections.push_back(each);
      if (!wish.peer_opens) seen.connections.back().open = nullptr;
    }
    for (const LinkState& each : links) {
      const bool has_key =
          std::find(wish.keys.begin(), wish.keys.end(), each.key) != wish.keys.end();
      if (!wish.links || !is_wanted(each.connection) || !(wish.keys.empty() || has_key)) continue;
      seen.links.push_back(each);
    }
    return seen;
  }

  size_t answered_ = 0;
};

// What a caller sees of its call.
struct SeenCall {
  std::vector<std::unique_ptr<google::protobuf::Message>> replies;
  std::optional<absl::Status> end;
  std::weak_ptr<Call> call;

  absl::Status status() const { return end ? *end : absl::UnknownError("under way"); }
  template <typename Reply>
  const Reply& As(size_t i = 0) const {
    return static_cast<const Reply&>(*replies.at(i));
  }
  // What was written has left, until there is no more.
  void Read() {
    while (const auto alive = call.lock()) {
      if (alive->ended() || alive->writable()) return;
      alive->Written();
    }
  }
  void HangUp() {
    if (const auto alive = call.lock()) alive->Gone(absl::CancelledError(""));
  }
};

// A service that looks at the router, and callers of it.
class LiveWorld {
 public:
  LiveWorld() : observing([this](const ObserveWish& wish) { return router.Observe(wish); }) {}

  std::shared_ptr<SeenCall> Do(const std::string& key, const google::protobuf::Message& request) {
    const Method* method = methods.Find("/trunkline.control.v1." + key);
    TL_CHECK(method != nullptr) << key;
    auto copy = method->NewRequest();
    copy->CopyFrom(request);
    auto seen = std::make_shared<SeenCall>();
    auto call = std::make_shared<Call>(
        *method, std::move(copy), Caller{"local"},
        Call::Exits{.write =
                        [seen](const google::protobuf::Message& reply) {
                          seen->replies.emplace_back(reply.New());
                          seen->replies.back()->CopyFrom(reply);
                        },
                    .finish = [seen](const absl::Status& status) { seen->end = status; }});
    seen->call = call;
    const auto handler = handlers.find(key);
    TL_CHECK(handler != handlers.end()) << key;
    handler->second(std::move(call));
    return seen;
  }

  // The router answers what it was asked.
  void Answer() {
    for (const Observed& answer : router.Answers()) observing.OnObserved(answer);
  }

  // A call, and the router's answers to what it leads to.
  std::shared_ptr<SeenCall> Ask(const std::string& key, const google::protobuf::Message& request) {
    auto seen = Do(key, request);
    Answer();
    return seen;
  }

  const MethodTable methods;
  FakeRouter router;
  Time now{Seconds(100).ns};
  Random random{7};
  const WallClock wall{Seconds(1'700'000'000).ns};
  Observing observing;
  Handlers handlers;  // of the service; a test sets them
};

}  // namespace trunkline::api
