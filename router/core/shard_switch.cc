#include <algorithm>

#include "router/core/settle.h"
#include "router/core/shard.h"
#include "router/core/shard_inline.h"

// Links that are disabled. What messages go through knows nothing of them: a producer is not
// granted what it is owed, a consumer has no credit, and the pilot takes it off the route.
namespace trunkline::core {
namespace {

bool IsAmong(Handle<OutLink> link, const ShardTargets& here) {
  return std::any_of(here.targets.begin(), here.targets.end(),
                     [&](const LocalTarget& target) { return target.link == link; });
}

}  // namespace

void Shard::DisableLink(const Connection& connection, uint64_t number) {
  thread_.Assert();
  if (InLink* in = FindLink(connection.in_links, number)) Disable(*in);
  if (OutLink* out = FindLink(connection.out_links, number)) Disable(*out);
}

void Shard::EnableLink(const Connection& connection, uint64_t number) {
  thread_.Assert();
  if (InLink* in = FindLink(connection.in_links, number)) Enable(*in);
  if (OutLink* out = FindLink(connection.out_links, number)) Enable(*out);
}

// --- producers

void Shard::Disable(InLink& link) {
  if (link.IsDisabled()) return;
  link.granting = Granting::kNever;
  link.dry_since = now_;
  Unblock(link);
  link.connection->sink->TakeCredit(link.token);
}

void Shard::Enable(InLink& link) {
  if (!link.IsDisabled()) return;
  link.granting = link.anonymous || link.control ? Granting::kAlways : Granting::kIfUsable;
  link.connection->sink->GiveCreditBack(link.token);
  IssueCredit(link);
  if (link.credit == 0) NoteDry(link);
}

// --- consumers

void Shard::Disable(OutLink& link) {
  if (link.disabled) return;
  link.disabled = true;
  link.kept_credit = link.credit;
  NoteCredit(link, 0);
  Unblock(link);
  const Handle<OutLink> self = out_links_.HandleOf(link);
  disabled_.push_back(self);
  outbox_.to_pilot.push_back(
      ConsumerSwitched{.link = {.shard = options_.id, .link = self}, .disabled = true});
}

void Shard::Enable(OutLink& link) {
  if (!link.disabled) return;
  ForgetDisabled(link);
  NoteCredit(link, link.kept_credit);
  outbox_.to_pilot.push_back(ConsumerSwitched{
      .link = {.shard = options_.id, .link = out_links_.HandleOf(link)}, .disabled = false});
  MakeRunnable(link);
}

void Shard::ForgetDisabled(OutLink& link) {
  link.disabled = false;
  link.spared = false;
  std::erase(disabled_, out_links_.HandleOf(link));
}

// Other tables are adopted.
void Shard::NoteSpared() {
  for (const Handle<OutLink> handle : disabled_) {
    OutLink& link = out_links_.Get(handle);
    const Route* route = FindRoute(link.key);
    link.spared =
        route != nullptr && route->HasTargets() &&
        (route->local.size() <= options_.id || !IsAmong(handle, route->local[options_.id]));
  }
}

// What others would have got, and who sent it did not know yet. Pre-settled deliveries stay:
// nobody would send them again.
void Shard::ReleaseSpared() {
  for (const Handle<OutLink> handle : disabled_) {
    OutLink& link = out_links_.Get(handle);
    OutDelivery* next = link.spared ? link.queue.front() : nullptr;
    while (next != nullptr) {
      OutDelivery& out = *next;
      next = decltype(link.queue)::Next(out);
      if (!out.started && !out.presettled) Lose(out, ReleasedOutcome());
    }
  }
}

}  // namespace trunkline::core
