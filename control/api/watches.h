#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "control/api/call.h"
#include "control/api/kind.h"
#include "control/api/watch_hub.h"
#include "control/config/collection.h"
#include "google/protobuf/message.h"
#include "router/base/random.h"
#include "router/base/time.h"

namespace trunkline::api {

// Serves the Watch method of every kind: a hub for each, and the messages that its events leave as.
// Thread: control.
class Watches {
 public:
  Watches(const std::vector<Kind>& kinds, Random& random, WatchHub::Options options = {});
  ~Watches();
  Watches(const Watches&) = delete;
  Watches& operator=(const Watches&) = delete;

  // A resource is there, or is not what it was; or is gone.
  void Put(const config::Collection& collection,
           std::shared_ptr<const google::protobuf::Message> resource, Time now);
  void Erase(const config::Collection& collection, const std::string& id, Time now);

  // Answers a Watch call until it ends; we outlive it. `clock` tells the time.
  void Serve(const Kind& kind, std::shared_ptr<Call> call, const std::function<Time()>& clock);

  void Tick(Time now);
  Time NextDeadline() const;
  size_t watchers() const;

 private:
  struct Served;
  Served& Of(const config::Collection& collection) const;

  std::map<const config::Collection*, std::unique_ptr<Served>> served_;
};

}  // namespace trunkline::api
