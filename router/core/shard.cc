#include "router/core/shard.h"

#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "router/core/shard_inline.h"

namespace trunkline::core {
namespace {

// Links that are granted what they are owed in one turn when memory is free again.
constexpr size_t kPaidPerTurn = 1024;

}  // namespace

Shard::Shard(ShardOptions options, BlockPool& pool)
    : options_(std::move(options)),
      node_id_(absl::StrCat("0/", options_.identity.router_id)),
      pool_(pool),
      random_(options_.seed),
      terms_{.held_max = options_.link_budget_bytes} {
  if (options_.watch_interval == Duration{}) watchdog_.due = kNever;
}

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
  if (connection->tight) tight_.Remove(*connection);
  connections_.Erase(handle);
}

void Shard::Adopt(const Tables& tables) {
  thread_.Assert();
  const RouteTable& before = tables_.routes != nullptr ? *tables_.routes : no_routes_;
  const RouteTable& after = tables.routes != nullptr ? *tables.routes : no_routes_;
  tables_ = tables;
  ++adoption_;
  uint64_t departed = 0;
  RouteTable::Diff(before, after, [&](const Route* was, const Route* is) {
    const uint64_t shards = Departed(was, is);
    departed |= shards;
    Retarget(was, is, shards);
  });
  if (!anywhere_.empty()) FenceOffAnywhere(departed);
  if (!disabled_.empty()) NoteSpared();
}

// Producers of an address learn what became of its route, and get the credit they are owed when
// there is somebody to send to. `departed`: the shards that somebody has left, as bits.
void Shard::Retarget(const Route* before, const Route* after, uint64_t departed) {
  const auto found = senders_.find(after != nullptr ? after->key : before->key);
  if (found == senders_.end()) return;
  for (KeyHook* hook = found->second->front(); hook != nullptr; hook = Senders::Next(*hook)) {
    InLink& link = *hook->link;
    (hook->fallback ? link.destination.fallback : link.destination.normal) = after;
    FenceOff(link, departed);
    if (!link.destination.Usable()) continue;
    link.drained = false;
    IssueCredit(link);
  }
}

const Route* Shard::FindRoute(const AddressKey& key) const {
  if (key.empty() || tables_.routes == nullptr) return nullptr;
  return tables_.routes->Find(key);
}

void Shard::Accept(ShardId from, Envelope&& mail) {
  thread_.Assert();
  std::visit([this, from](auto&& one) { On(from, std::move(one)); }, std::move(mail));
}

void Shard::On(ShardId, LinkReady&& mail) {
  OutLink* link = out_links_.Find(mail.link);
  if (link == nullptr || link->attached) return;
  link->attached = true;
  AttachAnswer answer;
  if (!link->made_address.empty()) answer.address = link->made_address;
  link->connection->sink->Attached(link->token, answer);
  MakeRunnable(*link);
}

void Shard::On(ShardId, LinkRefused&& mail) {
  OutLink* link = out_links_.Find(mail.link);
  if (link == nullptr) return;
  if (link->attached) {
    link->connection->sink->Detach(link->token, mail.error);
  } else {
    link->connection->sink->Attached(link->token, {.refused = mail.error, .address = {}});
  }
  Remove(*link);
}

// --- memory and the end

void Shard::SetPressure(bool pressed) {
  thread_.Assert();
  terms_.pressed = pressed;
}

void Shard::NoteStinted(InLink& link) {
  if (!terms_.pressed || link.owed == 0 || std::exchange(link.stinted, true)) return;
  stinted_.push_back(in_links_.HandleOf(link));
}

// The pressure is over: so many links per turn get what they are owed.
void Shard::PayStinted() {
  for (size_t n = 0; n < kPaidPerTurn && !stinted_.empty(); ++n) {
    InLink* link = in_links_.Find(stinted_.back());
    stinted_.pop_back();
    if (link == nullptr) continue;
    link->stinted = false;
    IssueCredit(*link);
  }
}

void Shard::Drop(Envelope&& mail) {
  if (auto* deliver = std::get_if<core::Deliver>(&mail)) deliver->payload.TakeBack();
  if (auto* more = std::get_if<More>(&mail)) more->payload.TakeBack();
  if (auto* bounced = std::get_if<Bounced>(&mail)) bounced->payload.TakeBack();
  if (auto* returns = std::get_if<Returns>(&mail)) BlockPool::AcceptReturns(returns->blocks);
}

void Shard::LetGo() {
  in_deliveries_.ForEach([](Handle<InDelivery>, InDelivery& in) { in.held.Clear(); });
  out_deliveries_.ForEach([](Handle<OutDelivery>, OutDelivery& out) { out.payload.Clear(); });
  in_links_.ForEach([](Handle<InLink>, InLink& link) { link.hold = nullptr; });
  rewritten_[0].reset();
  rewritten_[1].reset();
}

void Shard::Trim() {
  thread_.Assert();
  MailReturns(1);
  if (stand_in_count_ == 0) {
    for (StandIns& places : stand_ins_) places = {};
  }
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
  disabled_.shrink_to_fit();
  chosen_ = {};
  groups_.clear();
  groups_.shrink_to_fit();
  stinted_.shrink_to_fit();
  anywhere_.shrink_to_fit();
  prefix_ = {};
}

void Shard::Quiesce() {
  thread_.Assert();
  terms_.quiesced = true;
}

}  // namespace trunkline::core
