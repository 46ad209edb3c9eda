#pragma once

#include <functional>
#include <memory>
#include <string>

#include "control/api/call.h"
#include "control/api/connections_rows.h"
#include "control/api/connections_watch.h"
#include "control/api/desk.h"
#include "control/api/observing.h"
#include "control/api/request_ids.h"
#include "router/base/random.h"
#include "router/base/time.h"
#include "router/observe.h"

namespace trunkline::api {

// Answers ConnectionService: asks the router for what there is, ends connections and links,
// and switches links off and on.
//
// Owned by the daemon. Thread: control.
class Connections {
 public:
  // All of them are called on control.
  struct Hooks {
    std::function<Time()> clock;
    // As Router::CloseConnection and Router::CloseLink.
    std::function<absl::Status(uint64_t connection, const std::string& description)> close;
    std::function<absl::Status(uint64_t connection, uint64_t link, const std::string& description)>
        close_link;
    // As Router::SwitchLink.
    std::function<absl::Status(uint64_t connection, uint64_t link, LinkSwitch to)> switch_link;
  };

  // All outlive us.
  Connections(Observing& observing, const WallClock& wall, Random& random, Hooks hooks);
  Connections(const Connections&) = delete;
  Connections& operator=(const Connections&) = delete;

  Handlers MakeHandlers();

  void OnEvent(const RouterEvent& event) { watch_.OnEvent(event); }
  void Tick(Time now) { watch_.Tick(now); }
  Time NextDeadline() const { return watch_.NextDeadline(); }

 private:
  using Shared = std::shared_ptr<Call>;

  void Get(const Shared& call);
  void List(const Shared& call);
  void Close(const Shared& call);
  void GetLink(const Shared& call);
  void ListLinks(const Shared& call);
  void CloseLink(const Shared& call);
  void SetLinkState(const Shared& call);

  // Calls `done` with the connection or the link as it is, unless it is not there, or the caller
  // has gone meanwhile.
  using Failed = std::function<void(const absl::Status& status)>;
  void Find(uint64_t id, bool full, const Failed& failed,
            std::function<void(const v1::Connection& found)> done);
  void FindLink(LinkId id, const Failed& failed, std::function<void(const v1::Link& found)> done);

  Observing& observing_;
  const WallClock& wall_;
  const Hooks hooks_;
  RequestIds request_ids_;
  ConnectionsWatch watch_;
};

}  // namespace trunkline::api
