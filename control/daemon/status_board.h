#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "control/config/document.h"
#include "router/observe.h"

namespace trunkline::daemon {

// What is, per resource, as the router's events tell it. Should so many happen that some are lost,
// it wants a look at the router's connections (Router::Observe), and is right again with the
// answer; `accepted_total` then misses who came and went untold. Thread: control.
class StatusBoard {
 public:
  // `now` is in milliseconds since 1970.
  void Apply(const RouterEvent& event, int64_t now);

  // Events were lost, and nobody looks yet.
  bool WantsLook() const { return lost_ && look_ == 0; }
  // The router looks at its connections; the answer will be an event of this number.
  void Looking(uint64_t request);
  // Connectors of which the last look said something else than what was known; once.
  std::vector<std::string> TakeCorrected() { return std::exchange(corrected_, {}); }

  const std::map<std::string, v1::ListenerStatus>& listeners() const { return listeners_; }
  const std::map<std::string, v1::ConnectorStatus>& connectors() const { return connectors_; }

  // For people: "2 listeners, 1 of 2 connectors open, 5 connections".
  std::string Summary() const;

  // Makes a connector known before anything happened to it; or forgotten.
  void Expect(const std::string& connector);
  // It does not wait any more.
  void Dialled(const std::string& connector);
  void Forget(const std::string& connector) { connectors_.erase(connector); }

 private:
  void On(const ListenerUp& event, int64_t now);
  void On(const ListenerFailed& event, int64_t now);
  void On(const ListenerDown& event, int64_t now);
  void On(const ConnectionUp& event, int64_t now);
  void On(const ConnectionDown& event, int64_t now);
  void On(const ConnectorFailed& event, int64_t now);
  void On(const Drained& event, int64_t now);
  void On(const Observed& event, int64_t now);
  void On(const EventsLost& event, int64_t now);

  // What is known of an open connection.
  using Open = std::map<uint64_t, ConnectionUp>;
  void CorrectListeners(const Open& open);
  void CorrectConnectors(const Open& open);

  std::map<std::string, v1::ListenerStatus> listeners_;
  std::map<std::string, v1::ConnectorStatus> connectors_;

  bool lost_ = false;        // events, since the last look began
  uint64_t look_ = 0;        // number of the one under way; 0: there is none
  Open came_;                // since it began
  std::set<uint64_t> gone_;  // likewise
  std::vector<std::string> corrected_;
};

}  // namespace trunkline::daemon
