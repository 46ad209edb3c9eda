#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "control/config/document.h"
#include "router/observe.h"

namespace trunkline::daemon {

// What is, per resource, as the router's events tell it. Thread: control.
class StatusBoard {
 public:
  // `now` is in milliseconds since 1970.
  void Apply(const RouterEvent& event, int64_t now);

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

  std::map<std::string, v1::ListenerStatus> listeners_;
  std::map<std::string, v1::ConnectorStatus> connectors_;
};

}  // namespace trunkline::daemon
