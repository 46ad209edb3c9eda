#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "control/api/call.h"
#include "control/api/desk.h"
#include "control/api/request_ids.h"
#include "control/certs/revisions.h"
#include "control/store/store.h"
#include "proto/trunkline/control/v1/tls_service.pb.h"
#include "router/base/time.h"
#include "router/router.h"

namespace trunkline::api {

// Answers what is asked of certificates: RotateCertificate, GetCertificates, and the status of TLS
// profiles, as which revisions of them there are.
//
// Owned by the daemon; outlives the store's changes under way and the calls. Thread: control.
class TlsService {
 public:
  struct Hooks {
    std::function<Time()> clock;
    // Who watches is told that the status of a resource, "tlsProfiles/a", is another.
    std::function<void(const std::string& name)> status_changed;
  };
  // Both outlive us.
  TlsService(store::Store& store, Router& router, Hooks hooks)
      : store_(store), router_(router), hooks_(std::move(hooks)) {}
  TlsService(const TlsService&) = delete;
  TlsService& operator=(const TlsService&) = delete;

  Handlers MakeHandlers();

  // Other certificates may be in force, or be in trouble.
  void Refresh();
  void FillStatus(const std::string& id, v1::TlsProfile& profile);

 private:
  using Revision = v1::TlsProfileStatus::Revision;
  // What is asked for, once it is known to make sense.
  struct Order {
    store::Store::Rotation rotation;
    v1::RetireOld retire = v1::RETIRE_OLD_KEEP;
    Duration after;
    bool validates = false;
  };

  void Rotate(const std::shared_ptr<Call>& call);
  absl::StatusOr<Order> Read(const v1::RotateCertificateRequest& request) const;
  void Act(const Order& order, const RequestIds::Done& done);
  absl::Status Explain(const absl::Status& status, const Order& order) const;
  absl::StatusOr<RequestIds::Answer> AnswerTo(const Order& order,
                                              const store::Store::Rotated& rotated);
  absl::StatusOr<uint64_t> Retire(const Order& order, bool changed);
  std::vector<std::string> WarningsOf(const Order& order,
                                      const store::Store::Rotated& rotated) const;
  std::vector<std::string> HostsOf(const std::string& profile) const;

  void GetCertificates(Call& call);
  absl::StatusOr<std::string> Find(const std::string& name) const;
  void Count();

  store::Store& store_;
  Router& router_;
  const Hooks hooks_;
  RequestIds request_ids_;
  certs::Revisions revisions_;
  Time counted_;                                 // when revisions_ were counted last
  std::map<std::string, std::string> troubles_;  // that were told, by profile
};

}  // namespace trunkline::api
