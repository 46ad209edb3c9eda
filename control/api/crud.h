#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "control/api/call.h"
#include "control/api/desk.h"
#include "control/api/edit.h"
#include "control/api/kind.h"
#include "control/api/method_table.h"
#include "control/api/request_ids.h"
#include "control/api/resource_store.h"
#include "control/api/watches.h"
#include "control/store/layers.h"
#include "router/base/random.h"
#include "router/base/time.h"

namespace trunkline::api {

// Answers Create, Get, List, Update, Delete and Watch of every kind of resource. Written once for
// all of them, by descriptors: what a kind means is in its proto and its rules.
//
// Owned by the daemon; outlives the store's changes under way and the calls. Thread: control.
class Crud {
 public:
  struct Hooks {
    std::function<Time()> clock;
    // Fills in the status of a resource. May be empty.
    std::function<void(google::protobuf::Message& resource)> fill_status;
  };
  // All outlive us.
  Crud(ResourceStore& store, const MethodTable& methods, Random& random, Hooks hooks,
       WatchHub::Options watching = {});
  Crud(const Crud&) = delete;
  Crud& operator=(const Crud&) = delete;

  Handlers MakeHandlers();

  // --- who watches is told of it
  // All that is there: once, before anybody calls.
  void Begin();
  // After each commit of the store.
  void Changed(const std::vector<store::Difference>& differences);
  // Its status is another: of "listeners/amqp". Counters alone are no reason to call it.
  void StatusChanged(const std::string& name);
  void Tick(Time now) { watches_.Tick(now); }
  Time NextDeadline() const { return watches_.NextDeadline(); }
  size_t watchers() const { return watches_.watchers(); }

 private:
  using Message = google::protobuf::Message;

  void Create(const Kind& kind, const std::shared_ptr<Call>& call);
  void Get(const Kind& kind, Call& call);
  void List(const Kind& kind, Call& call);
  void Update(const Kind& kind, const std::shared_ptr<Call>& call);
  void Delete(const Kind& kind, const std::shared_ptr<Call>& call);

  // One change of one resource: `edit` is made when its turn comes.
  struct Task {
    const Kind* kind = nullptr;
    std::string id;
    std::function<absl::Status(config::Document& made)> edit;
  };
  void Run(const std::shared_ptr<Call>& call, Task task);
  void Mutate(const Call& call, const Task& task, const RequestIds::Done& done);
  // The answer to a change (proto: ListenerChange and its like).
  std::shared_ptr<const Message> AnswerTo(const Method& method, const Task& task,
                                          const ResourceStore::Outcome& outcome) const;
  Scope ScopeOf(const Kind& kind) const;
  // A copy with its status.
  std::shared_ptr<Message> Seen(const Message& resource) const;

  ResourceStore& store_;
  Random& random_;
  const Hooks hooks_;
  const std::vector<Kind> kinds_;
  RequestIds request_ids_;
  Watches watches_;
};

}  // namespace trunkline::api
