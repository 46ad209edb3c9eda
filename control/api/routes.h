#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "control/api/call.h"
#include "control/api/desk.h"
#include "control/api/observing.h"
#include "proto/trunkline/control/v1/address.pb.h"
#include "proto/trunkline/control/v1/address_service.pb.h"
#include "router/snapshot.h"

namespace trunkline::api {

// Answers what AddressService is asked of addresses that are in use, beside their settings, and
// fills in the status of settings.
//
// Owned by the daemon. Thread: control.
class Routes {
 public:
  // Router::Resolve.
  using Resolve = std::function<AddressResolution(const std::string& address)>;

  // All outlive us.
  Routes(Observing& observing, Resolve resolve);
  Routes(const Routes&) = delete;
  Routes& operator=(const Routes&) = delete;

  Handlers MakeHandlers();
  // Has those of GetAddress and ListAddresses look at the router first, so that FillStatus knows.
  void Wrap(Handlers& handlers);
  // While such a call is answered; else does nothing.
  void FillStatus(const std::string& id, v1::Address& address) const;

 private:
  using Shared = std::shared_ptr<Call>;
  using ByAddress = std::map<std::string, v1::Route>;

  void Explain(const Shared& call);
  void Get(const Shared& call);
  void List(const Shared& call);
  // The routes that links belong to, by the texts of their addresses.
  ByAddress Group(const Snapshot& snapshot) const;

  Observing& observing_;
  const Resolve resolve_;
  // By ids of settings, while a call is answered.
  std::map<std::string, v1::AddressStatus> statuses_;
  bool knows_ = false;  // statuses_ is of now
};

// The text of an address as clients give it, from its key: "M0orders" is "orders".
std::string AddressOfKey(std::string_view key);

}  // namespace trunkline::api
