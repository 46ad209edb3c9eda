#include <utility>

#include "router/core/settle.h"
#include "router/core/shard.h"
#include "router/core/shard_inline.h"

namespace trunkline::core {

Handle<InLink> Shard::AttachIn(Handle<Connection> handle, const AttachRequest& request) {
  thread_.Assert();
  Connection* connection = connections_.Find(handle);
  if (connection == nullptr) return {};
  Binding binding = BindProducer(request, Context());
  if (binding.refused) {
    connection->sink->Attached(request.token, {.refused = binding.refused, .address = {}});
    return {};
  }
  InLink& link = in_links_.Emplace();
  link.connection = connection;
  link.token = request.token;
  link.number = NextLinkNumber();
  link.name = request.name.substr(0, kLinkNameKept);
  link.anonymous = binding.key.empty();
  link.control = binding.control;
  if (link.anonymous || link.control) link.granting = Granting::kAlways;
  link.plain = !link.anonymous && !link.control && connection->info.allow_user_id_proxy;
  link.presettled = request.presettled;
  link.capacity = connection->info.link_capacity;
  link.owed = link.capacity;
  link.address = std::move(binding.address);
  link.key = std::move(binding.key);
  link.fallback_key = std::move(binding.fallback_key);
  link.destination = {.normal = FindRoute(link.key), .fallback = FindRoute(link.fallback_key)};
  link.by_fallback_key.fallback = true;
  Register(link, link.by_key, link.key);
  Register(link, link.by_fallback_key, link.fallback_key);
  connection->in_links.PushBack(link);
  ++connection->in_link_count;
  stats_.links_in.Add(1);
  connection->sink->Attached(link.token, {.refused = {}, .address = binding.made});
  IssueCredit(link);
  if (link.credit == 0) NoteDry(link);
  return in_links_.HandleOf(link);
}

Handle<OutLink> Shard::AttachOut(Handle<Connection> handle, const AttachRequest& request) {
  thread_.Assert();
  Connection* connection = connections_.Find(handle);
  if (connection == nullptr) return {};
  Binding binding = BindConsumer(request, Context());
  if (binding.refused) {
    connection->sink->Attached(request.token, {.refused = binding.refused, .address = {}});
    return {};
  }
  OutLink& link = out_links_.Emplace();
  const Handle<OutLink> self = out_links_.HandleOf(link);
  link.connection = connection;
  link.token = request.token;
  link.number = NextLinkNumber();
  link.name = request.name.substr(0, kLinkNameKept);
  link.capacity = connection->info.link_capacity;
  link.key = std::move(binding.key);
  link.made_address = std::move(binding.made).value_or(std::string());
  link.load = std::make_shared<LinkLoad>();
  link.credit_since = now_;
  connection->out_links.PushBack(link);
  ++connection->out_link_count;
  stats_.links_out.Add(1);
  outbox_.to_pilot.push_back(
      ConsumerUp{.link = {.shard = options_.id, .link = self},
                 .key = link.key,
                 .treatment = binding.treatment,
                 .load = link.load,
                 .capacity = link.capacity,
                 .strip_outbound = connection->info.strip_outbound_annotations,
                 .name = {connection->info.id, link.number}});
  return self;
}

void Shard::DetachIn(Handle<InLink> handle) {
  thread_.Assert();
  if (InLink* link = in_links_.Find(handle)) Remove(*link);
}

void Shard::DetachOut(Handle<OutLink> handle) {
  thread_.Assert();
  if (OutLink* link = out_links_.Find(handle)) Remove(*link);
}

// Between two calls a connection that has links has a sink.
void Shard::DetachLink(const Connection& connection, uint64_t number,
                       const amqp::Condition& error) {
  thread_.Assert();
  if (InLink* in = FindLink(connection.in_links, number)) {
    connection.sink->Detach(in->token, error);
    Remove(*in);
  } else if (OutLink* out = FindLink(connection.out_links, number)) {
    On(kFromPilot, LinkRefused{.link = out_links_.HandleOf(*out), .error = error});
  }
}

uint32_t Shard::WalkInLinks(uint32_t from, uint32_t slots,
                            absl::FunctionRef<void(const InLink&)> visit) {
  thread_.Assert();
  return in_links_.Walk(from, slots, visit);
}

uint32_t Shard::WalkOutLinks(uint32_t from, uint32_t slots,
                             absl::FunctionRef<void(const OutLink&)> visit) {
  thread_.Assert();
  return out_links_.Walk(from, slots, visit);
}

void Shard::Register(InLink& link, KeyHook& hook, const AddressKey& key) {
  hook.link = &link;
  if (key.empty()) return;
  std::unique_ptr<Senders>& senders = senders_[key];
  if (senders == nullptr) senders = std::make_unique<Senders>();
  senders->PushBack(hook);
}

void Shard::Unregister(KeyHook& hook, const AddressKey& key) {
  if (key.empty()) return;
  const auto found = senders_.find(key);
  found->second->Remove(hook);
  if (found->second->empty()) senders_.erase(found);
}

// What is complete goes on without its producer; the rest ends here, and so does all accounting.
void Shard::Remove(InLink& link) {
  Connection& connection = *link.connection;
  if (link.hold != nullptr) EndHold(link);
  uint64_t bytes = 0;
  while (InDelivery* in = link.deliveries.front()) {
    bytes += in->received - in->released;
    LeaveAssembly(*in);
    if (in->listed) Unlist(*in);
    link.deliveries.Remove(*in);
    in->link = nullptr;
    if (!in->complete) {
      Abort(*in);
    } else if (!in->forwarded) {
      Discard(*in, ReleasedOutcome());  // it was held
    }
  }
  connection.unreleased -= bytes;
  if (bytes > 0 && connection.sink != nullptr) connection.sink->Release(link.token, bytes);
  Unregister(link.by_key, link.key);
  Unregister(link.by_fallback_key, link.fallback_key);
  connection.in_links.Remove(link);
  --connection.in_link_count;
  Unblock(link);
  stats_.links_in.Add(-1);
  in_links_.Erase(link);
}

void Shard::Remove(OutLink& link) {
  constexpr DropReason kReason = DropReason::kLinkLost;
  while (OutDelivery* out = link.sent.front()) Lose(*out, ModifiedFailedOutcome(), kReason);
  while (OutDelivery* out = link.queue.front()) {
    Lose(*out, out->started ? ModifiedFailedOutcome() : ReleasedOutcome(), kReason);
  }
  Unblock(link);
  StopRunning(link);
  if (link.disabled) ForgetDisabled(link);
  outbox_.to_pilot.push_back(ConsumerDown{
      .link = {.shard = options_.id, .link = out_links_.HandleOf(link)}, .key = link.key});
  link.connection->out_links.Remove(link);
  --link.connection->out_link_count;
  stats_.links_out.Add(-1);
  out_links_.Erase(link);
}

}  // namespace trunkline::core
