#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "control/api/call.h"
#include "control/api/desk.h"
#include "control/api/request_ids.h"
#include "control/api/resource_store.h"
#include "proto/trunkline/control/v1/user_service.pb.h"
#include "router/base/time.h"

namespace trunkline::api {

// The users of built-in stores. What can be read from here is names; of passwords it sees what
// callers send.
//
// Owned by the daemon. Thread: control.
class UserService {
 public:
  struct Clocks {
    std::function<Time()> now;
    std::function<int64_t()> wall;  // milliseconds since 1970
  };
  // `store` outlives it.
  UserService(ResourceStore& store, Clocks clocks) : store_(store), clocks_(std::move(clocks)) {}
  UserService(const UserService&) = delete;
  UserService& operator=(const UserService&) = delete;

  // By Method::key. They refer to this.
  Handlers MakeHandlers();

 private:
  // "userStores/{store}/users/{user}".
  struct Named {
    std::string store;
    std::string user;
  };

  void Put(const std::shared_ptr<Call>& call);
  void List(Call& call) const;
  void Delete(const std::shared_ptr<Call>& call);
  void Run(const std::shared_ptr<Call>& call, const RequestIds::Act& act);
  // That the store of this name is there, and built in.
  absl::Status CheckStore(const std::string& store) const;
  absl::StatusOr<Named> Find(const std::string& name, const std::string& path) const;

  ResourceStore& store_;
  const Clocks clocks_;
  RequestIds request_ids_;
};

}  // namespace trunkline::api
