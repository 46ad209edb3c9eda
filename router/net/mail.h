#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "router/amqp/types.h"
#include "router/conn/authenticator.h"
#include "router/conn/stats.h"
#include "router/core/envelope.h"
#include "router/core/ids.h"
#include "router/core/outbox.h"
#include "router/net/connection_plan.h"
#include "router/net/descriptor.h"
#include "router/observe.h"
#include "router/snapshot.h"

namespace trunkline::net {

// Visits a variant with a function per kind.
template <typename... F>
struct Overload : F... {
  using F::operator()...;
};
template <typename... F>
Overload(F...) -> Overload<F...>;

// --- pilot to worker

// A connected, non-blocking TCP stream to be served.
struct NewConnection {
  Descriptor fd;
  std::shared_ptr<const ConnectionPlan> plan;
  uint64_t id = 0;
  std::string peer;  // "127.0.0.1:40312"
  // Of its listener or connector, for this worker; null: nobody asks.
  std::shared_ptr<conn::LifeStats> stats;
};
// AMQP close of one connection; of one that is not open yet, its end.
struct CloseConnection {
  uint64_t id = 0;
  amqp::Condition error;
};
// The same for every connection there is and every one that is still in the mail.
struct CloseAll {
  amqp::Condition error;
};
// An AMQP detach of the connection's link of this number, if it is there.
struct CloseLink {
  uint64_t connection = 0;
  uint64_t link = 0;
  amqp::Condition error;
};
// What flows over the connection's link of this number, if it is there, stops or goes on.
struct SwitchLink {
  uint64_t connection = 0;
  uint64_t link = 0;
  LinkSwitch to = LinkSwitch::kEnabled;
};
// No more credit to producers.
struct Quiesce {};
// See Observer.
struct Observe {
  uint64_t request = 0;
  std::shared_ptr<const ObserveWish> wish;
};
// From the auth pool, by way of the pilot.
struct Authenticated {
  conn::AuthAnswer answer;
};
using Mail = std::variant<std::monostate, core::Envelope, NewConnection, CloseConnection, CloseLink,
                          SwitchLink, CloseAll, Quiesce, Observe, Authenticated>;

// --- worker to pilot

struct ShardNotices {
  core::ShardId shard = 0;
  std::vector<core::Notice> notices;
};
struct ConnectionOpened {
  ConnectionUp event;
};
struct ConnectionGone {
  core::ShardId shard = 0;
  ConnectionDown event;
};
// The worker reads View `adopted` from here on and `left` never again.
struct ViewLeft {
  core::ShardId shard = 0;
  uint64_t left = 0;
  uint64_t adopted = 0;
};
// The mailbox of this worker was full and is not any more: see Mailbox::Forward.
struct MailboxHasRoom {
  core::ShardId shard = 0;
};
// Some of what a request wanted to see; `last`: there is no more of this worker.
struct ObservedPart {
  uint64_t request = 0;
  bool last = false;
  std::vector<ConnectionState> connections;
  std::vector<LinkState> links;
};
using Report = std::variant<ShardNotices, ConnectionOpened, ConnectionGone, ViewLeft,
                            MailboxHasRoom, ObservedPart>;

}  // namespace trunkline::net
