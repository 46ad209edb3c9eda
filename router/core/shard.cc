#include "router/core/shard.h"

#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "router/core/shard_inline.h"

namespace trunkline::core {

Shard::Shard(ShardOptions options, BlockPool& pool)
    : options_(std::move(options)),
      node_id_(absl::StrCat("0/", options_.identity.router_id)),
      pool_(pool),
      random_(options_.seed),
      terms_{.held_max = options_.link_budget_bytes} {}

Shard::~Shard() = default;

Handle<Connection> Shard::Open(Sink& sink, ConnectionInfo info) {
  thread_.Assert();
  Connection& connection = connections_.Emplace();
  connection.sink = &sink;
  connection.info = std::move(info);
  return connections_.HandleOf(connection);
}

void Shard::Close(Handle<Connection> handle) {
  thread_.Assert();
  Connection* connection = connections_.Find(handle);
  if (connection == nullptr) return;
  connection->sink = nullptr;
  // Producers first: what they sent to consumers of the same connection then has nobody to tell.
  while (InLink* link = connection->in_links.front()) Remove(*link);
  while (OutLink* link = connection->out_links.front()) Remove(*link);
  connections_.Erase(handle);
}

void Shard::Adopt(const Tables& tables) {
  thread_.Assert();
  const RouteTable& before = tables_.routes != nullptr ? *tables_.routes : no_routes_;
  const RouteTable& after = tables.routes != nullptr ? *tables.routes : no_routes_;
  tables_ = tables;
  ++adoption_;
  RouteTable::Diff(before, after, [this](const Route* was, const Route* is) { Retarget(was, is); });
}

// Producers of an address learn what became of its route, and get the credit they are owed when
// there is somebody to send to.
void Shard::Retarget(const Route* before, const Route* after) {
  const auto found = senders_.find(after != nullptr ? after->key : before->key);
  if (found == senders_.end()) return;
  for (KeyHook* hook = found->second->front(); hook != nullptr; hook = Senders::Next(*hook)) {
    InLink& link = *hook->link;
    (hook->fallback ? link.destination.fallback : link.destination.normal) = after;
    if (!link.destination.Usable()) continue;
    link.drained = false;
    IssueCredit(link);
  }
}

const Route* Shard::FindRoute(const AddressKey& key) const {
  if (key.empty() || tables_.routes == nullptr) return nullptr;
  return tables_.routes->Find(key);
}

void Shard::Accept(ShardId, Envelope&& mail) {
  thread_.Assert();
  if (const LinkReady* ready = std::get_if<LinkReady>(&mail)) OnReady(*ready);
  if (const LinkRefused* refused = std::get_if<LinkRefused>(&mail)) OnRefused(*refused);
}

void Shard::OnReady(const LinkReady& mail) {
  OutLink* link = out_links_.Find(mail.link);
  if (link == nullptr || link->attached) return;
  link->attached = true;
  AttachAnswer answer;
  if (!link->made_address.empty()) answer.address = link->made_address;
  link->connection->sink->Attached(link->token, answer);
  MakeRunnable(*link);
}

void Shard::OnRefused(const LinkRefused& mail) {
  OutLink* link = out_links_.Find(mail.link);
  if (link == nullptr) return;
  if (link->attached) {
    link->connection->sink->Detach(link->token, mail.error);
  } else {
    link->connection->sink->Attached(link->token, {.refused = mail.error, .address = {}});
  }
  Remove(*link);
}

Outbox Shard::TakeOutbox() {
  thread_.Assert();
  return std::exchange(outbox_, {});
}

void Shard::Trim() {
  thread_.Assert();
  connections_.Trim();
  in_links_.Trim();
  out_links_.Trim();
  in_deliveries_.Trim();
  out_deliveries_.Trim();
  senders_.rehash(0);
  if (free_fan_outs_.size() == fan_outs_.size()) {
    fan_outs_ = {};
    free_fan_outs_ = {};
  }
  fresh_.shrink_to_fit();
  chosen_ = {};
  prefix_ = {};
}

void Shard::Quiesce() {
  thread_.Assert();
  terms_.quiesced = true;
}

}  // namespace trunkline::core
