#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "router/router.h"
#include "tests/unit/router/net/socket_client.h"

namespace trunkline::net::test {

// A router of a test, seen through its facade; keeps all events.
class TestRouter {
 public:
  // `spec` without a name and a version.
  explicit TestRouter(RouterSpec spec = {}) {
    spec.id = "router";
    spec.version = "1.2.3";
    auto router = Router::Start(spec, [] {});
    EXPECT_TRUE(router.ok()) << router.status();
    router_ = *std::move(router);
  }
  Router* operator->() { return router_.get(); }

  // Applies a listener on a free port; returns where it listens.
  std::string Listen(ListenerSpec spec = {}) {
    if (spec.name.empty()) spec.name = "in";
    if (spec.host.empty()) spec.host = "127.0.0.1";
    spec.port = 0;
    const absl::Status status = router_->Apply(spec);
    EXPECT_TRUE(status.ok()) << status;
    const auto up = Last<ListenerUp>();
    return up ? up->addresses.front() : "";
  }

  const std::vector<RouterEvent>& Events() {
    for (RouterEvent& event : router_->TakeEvents()) events_.push_back(std::move(event));
    return events_;
  }
  template <typename Event>
  std::vector<Event> All() {
    std::vector<Event> found;
    for (const RouterEvent& event : Events()) {
      if (const auto* one = std::get_if<Event>(&event)) found.push_back(*one);
    }
    return found;
  }
  template <typename Event>
  std::optional<Event> Last() {
    const std::vector<Event> all = All<Event>();
    if (all.empty()) return std::nullopt;
    return all.back();
  }

 private:
  std::unique_ptr<Router> router_;
  std::vector<RouterEvent> events_;
};

}  // namespace trunkline::net::test
