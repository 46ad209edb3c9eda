#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "router/amqp/sections.h"
#include "router/base/affine.h"
#include "router/core/binding.h"
#include "router/core/connection.h"
#include "router/core/credit.h"
#include "router/core/forward.h"
#include "router/core/outbox.h"
#include "router/core/route_table.h"
#include "router/core/stats.h"
#include "router/core/tap.h"
#include "router/core/watchdog.h"

namespace trunkline::core {

// One frame of an incoming delivery.
struct IncomingTransfer {
  uint64_t user = 0;  // what OnTransfer returned for the first frame; ignored with `first`
  bool first = false;
  bool more = false;
  bool aborted = false;
  bool settled = false;
  uint32_t delivery = 0;  // the connection's name for it, given back in Sink::SettleIn
  uint32_t message_format = 0;
  Slice payload;
};

// What the pilot publishes and a shard reads, all from one View.
struct Tables {
  uint64_t version = 0;
  const RouteTable* routes = nullptr;         // outlives the next Adopt
  const AddressSettings* settings = nullptr;  // likewise
  const TapSet* taps = nullptr;               // likewise; null: nobody looks at messages
};

struct ShardOptions {
  ShardId id = 0;
  LocalIdentity identity;
  uint64_t seed = 0;
  uint64_t link_budget_bytes = 4u << 20;    // held per incoming link; above it gives no credit
  uint32_t emit_quantum_bytes = 64 * 1024;  // per link, then round robin
  Duration watch_interval;                  // between looks for what is stuck; zero: none
};

// The routing half of one worker: owns its connections' links and deliveries, decides by the
// adopted tables, and touches the outside only through Sink and Outbox. Sequential, sans-I/O, never
// blocks, never throws.
//
// A delivery has two halves: InDelivery (the producer's, credit and outcome) and one OutDelivery
// per copy (the consumer's, payload and queue). The first names the others by handle and outlives
// them. Every InDelivery ends exactly once.
//
// Thread: its worker's; every public method asserts it, and nothing else reaches the rest.
class Shard {
 public:
  // REQUIRES: the pool's id is the shard's, where there are several.
  Shard(ShardOptions options, BlockPool& pool);
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;
  ~Shard();

  // --- connections; `sink` outlives Close
  Handle<Connection> Open(Sink& sink, ConnectionInfo info);
  // All links go as in DetachIn and DetachOut; the sink is not called again.
  void Close(Handle<Connection> connection);

  // --- links. The answer comes by Sink::Attached: for producers at once, before the call returns,
  // for consumers when they are reachable. A refused link has no handle.
  Handle<InLink> AttachIn(Handle<Connection> connection, const AttachRequest& request);
  Handle<OutLink> AttachOut(Handle<Connection> connection, const AttachRequest& request);
  // The peer, or its session, is gone: what was queued is released, what was sent is
  // modified(failed). DetachIn gives back the bytes its deliveries hold, by Sink::Release.
  void DetachIn(Handle<InLink> link);
  void DetachOut(Handle<OutLink> link);
  // We end the connection's link of this number, if it is there, with `error`; what becomes of its
  // deliveries is as above. Looks at the connection's links.
  void DetachLink(const Connection& connection, uint64_t number, const amqp::Condition& error);
  // Stops what flows over the connection's link of this number, if it is there, or lets it flow
  // again. Neither changes anything where it is so already. Look at the connection's links.
  //
  // A disabled producer has no credit; what it sent before it knew is taken. A disabled consumer
  // is sent what was begun and nothing else: others get its messages, or they wait for it if all
  // consumers of the address are disabled. If others do, what it had not been sent is released to
  // the producers, but for what is pre-settled, which waits.
  void DisableLink(const Connection& connection, uint64_t number);
  void EnableLink(const Connection& connection, uint64_t number);
  // A part of all links, for whoever looks at them: as SlotMap::Walk.
  uint32_t WalkInLinks(uint32_t from, uint32_t slots, absl::FunctionRef<void(const InLink&)> visit);
  uint32_t WalkOutLinks(uint32_t from, uint32_t slots,
                        absl::FunctionRef<void(const OutLink&)> visit);
  // Null: it is gone.
  const Connection* Find(Handle<Connection> connection) {
    thread_.Assert();
    return connections_.Find(connection);
  }

  // --- deliveries. Stale handles are ignored.
  uint64_t OnTransfer(Handle<InLink> link, IncomingTransfer transfer);
  // The producer's word on its delivery (its settlement, a `received` state).
  void OnProducerDisposition(uint64_t in_user, const amqp::Outcome& outcome, bool settled);
  // The consumer's word on the copy it got.
  void OnConsumerDisposition(uint64_t out_user, const amqp::Outcome& outcome, bool settled);
  // The consumer's credit changed.
  void OnFlow(Handle<OutLink> link, uint32_t credit, bool drain);
  // The producer's side of a drain: credit it has left.
  void OnProducerFlow(Handle<InLink> link, uint32_t credit);
  // The connection can take output again.
  void Resume(Handle<Connection> connection);

  // --- the turn
  // Before anything else: the time by which all of the turn happens.
  void BeginTurn(Time now) {
    now_ = now;
    late_before_ = now - kDelayed;
    if (!holds_.empty()) [[unlikely]]
      EndHolds();
    if (now >= watchdog_.due) [[unlikely]]
      Watch();
  }
  // Goes by other tables from here on; producers whose route appears get the credit they are owed.
  // Of other settings, attached links see the treatment, as it is part of their route. Phases and
  // fallback are those of the attach, and a producer stays whose address is unavailable: what it
  // sends is released. Messages of anonymous links go by the settings in force.
  void Adopt(const Tables& tables);
  // Mail of another shard, or of the pilot (kFromPilot).
  void Accept(ShardId from, Envelope&& mail);
  // Sends from runnable links, in turns, while credit, windows and quanta last. True if something
  // is left that can go on in the next turn. `now`: not earlier than that of BeginTurn; to measure
  // by.
  bool Emit(Time now);
  // What is to be carried to the pilot and to other shards. To be emptied each turn, after Emit.
  Outbox& outbox() { return outbox_; }
  // When a turn is due although nothing happens: kNever if at no time.
  Time NextDeadline() const;
  // The process holds more memory than it may: nobody is granted credit until that is over.
  void SetPressure(bool pressed);

  // What other shards lent and is not used any more goes back to those to whom there is mail, or at
  // least so many blocks. Emit does so for a number that is worth waking somebody up.
  void MailReturns(size_t blocks_min);
  // Memory of connections, links and deliveries that are gone goes back to the allocator, and to
  // other shards what they lent: for idle times after a burst.
  void Trim();

  // --- the end: nobody is granted credit any more, links that attach later get none.
  void Quiesce();
  // Deliveries that are not finished: their input, a copy's way out, or an outcome is missing.
  // Each is counted by the shard it came to.
  uint64_t unsettled() const { return in_deliveries_.size() - stand_in_count_; }

  // Deliveries of other shards that have copies here.
  size_t stand_ins() const { return stand_in_count_; }

  // The end of all shards, on one thread when theirs have stopped, in this order: mail that did not
  // arrive (from rings, and from outbox()) is dropped; all shards let go; for each pair of pools,
  // TakeReturns of the one is given to AcceptReturns of the other. Then they may be destroyed. One
  // shard alone needs nothing of this.
  static void Drop(Envelope&& mail);
  // Of the memory of messages, the only part of a shard that others know of.
  void LetGo();

  // Thread: any.
  const ShardStats& stats() const { return stats_; }

 private:
  // Targets of a multicast in one other shard that get the same message.
  struct RemoteGroup {
    ShardId shard = 0;
    bool strip = false;
    Handle<OutLink> to;
    std::unique_ptr<std::vector<Handle<OutLink>>> also_to;
  };
  // Stand-ins for deliveries of one shard, by whether router annotations are cut, and by the index
  // of the delivery's handle over there.
  struct StandIns {
    std::vector<Handle<InDelivery>> by_index[2];
  };
  using Senders = List<KeyHook, &KeyHook::of_key>;

  // shard.cc: tables
  void Retarget(const Route* before, const Route* after, uint64_t departed);
  const Route* FindRoute(const AddressKey& key) const;
  BindingContext Context() { return {options_.identity, tables_.settings, random_}; }
  void On(ShardId, std::monostate&&) {}
  void On(ShardId from, LinkReady&& mail);
  void On(ShardId from, LinkRefused&& mail);
  void NoteStinted(InLink& link);
  void PayStinted();

  // shard_attach.cc: links
  uint64_t NextLinkNumber() { return ++links_made_ * kShardsMax + options_.id; }
  void Register(InLink& link, KeyHook& hook, const AddressKey& key);
  void Unregister(KeyHook& hook, const AddressKey& key);
  void Remove(InLink& link);
  void Remove(OutLink& link);

  // shard_switch.cc: links that are disabled
  void Disable(InLink& link);
  void Disable(OutLink& link);
  void Enable(InLink& link);
  void Enable(OutLink& link);
  void ForgetDisabled(OutLink& link);
  void NoteSpared();
  void ReleaseSpared();

  // shard_transfer.cc: input and its accounting
  InDelivery& Begin(InLink& link, const IncomingTransfer& transfer);
  void Take(InDelivery& in, IncomingTransfer& transfer);
  bool IsReady(InDelivery& in);
  void Assemble(InDelivery& in);
  void Append(InDelivery& in, Payload&& more);
  void Abort(InDelivery& in);
  void AbortCopies(InDelivery& in);
  void AbortCopy(OutDelivery& out);
  void RefuseOversize(InDelivery& in);
  void CloseOversize(InDelivery& in);
  void Discard(InDelivery& in, const amqp::Outcome& outcome);
  void LeaveAssembly(InDelivery& in);
  void Pass(InDelivery& in, uint64_t position);
  void PassSlowest(InDelivery& in);
  void End(InDelivery& in);
  void EndIfDone(InDelivery& in);
  void ReturnCredit(InDelivery& in);
  void IssueCredit(InLink& link);

  // shard_forward.cc: where it goes
  void Forward(InDelivery& in, Slice&& only);
  bool WantsStreaming(InDelivery& in);
  amqp::ScanResult Look(const InDelivery& in);
  bool Admit(InDelivery& in);
  const Destination* Resolve(InDelivery& in);
  const LastAddress& LookUp(InLink& link, std::string_view text);
  bool Deliver(InDelivery& in, Slice& only, const amqp::Sections& sections, const Route* route);
  uint32_t& CursorOf(const Route& route);
  OutLink* ChooseOne(const Route& route);
  bool MakeCopies(InDelivery& in, const amqp::Sections& sections, const Route& route);
  void ExpectCopies(InDelivery& in, size_t count);
  void TakeFanOut(InDelivery& in);
  void MakeCopy(InDelivery& in, Slice& only, const amqp::Sections& sections, const Route& route,
                OutLink& link);
  Payload Rewrite(const InDelivery& in, const amqp::Sections& sections, const Route& route,
                  bool strip);
  const Payload& RewriteOnce(const InDelivery& in, const amqp::Sections& sections,
                             const Route& route, bool strip);
  OutDelivery& Enqueue(InDelivery& in, OutLink& link);
  void DropPresettled(OutLink& link);
  void NoDestination(InDelivery& in);

  // shard_tap.cc: messages that somebody looks at
  void ForwardTapped(InDelivery& in, Slice&& only);
  void LookForTaps(const InDelivery& in, const Slice& only);

  // shard_away.cc: copies in other shards
  std::vector<Envelope>& MailTo(ShardId shard);
  Payload PayloadFor(InDelivery& in, const amqp::Sections& sections, const Route& route,
                     bool strip);
  core::Deliver Envelop(const InDelivery& in, bool strip, Payload&& payload);
  void SendAway(InDelivery& in, const amqp::Sections& sections, const Route& route,
                const Choice& choice);
  void Group(ShardId shard, const std::vector<LocalTarget>& targets);
  void SendAway(InDelivery& in, const amqp::Sections& sections, const Route& route,
                RemoteGroup& group);
  void SendMore(InDelivery& in, Payload&& more);
  void MailMore(InDelivery& in, Payload&& more);
  void SendMoreToAll(InDelivery& in, const Payload& more);
  void AbortAway(InDelivery& in);
  void SayAway(const InDelivery& in, const amqp::Outcome& outcome, bool settled);
  void LoseAway(InDelivery& in);
  void On(ShardId from, Answer&& mail);
  void HearWaiting(InDelivery& in, const Answer& mail);
  void HearAway(InDelivery& in, const Answer& mail);
  void HearAway(InDelivery& in, RemoteCopies& copies, const Answer& mail);

  // shard_stand_in.cc: copies of deliveries that came to other shards
  void On(ShardId from, core::Deliver&& mail);
  void FanOutStandIn(ShardId from, core::Deliver&& mail);
  Payload Unpack(ShardId from, Parcel& parcel);
  InDelivery& MakeStandIn(ShardId from, const core::Deliver& mail);
  InDelivery* FindStandIn(ShardId from, Handle<InDelivery> origin, bool strip);
  void On(ShardId from, More&& mail);
  void On(ShardId from, ProducerSays&& mail);
  Answer& AnswerFor(const InDelivery& in);
  void PassAway(InDelivery& in, uint64_t position);
  void TellAway(InDelivery& in, const amqp::Outcome& outcome, bool settled);
  void SayWaiting(InDelivery& in);
  void LoseWaiting(InDelivery& in);
  void EndStandIn(InDelivery& in);
  void ForgetStandIn(InDelivery& in);
  void On(ShardId from, Returns&& mail);

  // shard_hold.cc: order while consumers of other shards leave
  static uint64_t Departed(const Route* before, const Route* after);
  void FenceOff(InLink& link, uint64_t departed);
  void FenceOffAnywhere(uint64_t departed);
  void NoteMailed(InLink& link, ShardId shard);
  void On(ShardId from, Fence&& mail);
  void On(ShardId from, FenceAck&& mail);
  void On(ShardId from, Bounced&& mail);
  Hold& HoldOf(InLink& link);
  void Await(InDelivery& in, Payload&& more);
  void AddLate(const InDelivery& in, const Payload& more);
  void GoOn(InLink& link);
  void SendLate(InLink& link);
  void EndHold(InLink& link);
  void EndHolds();
  void GiveUp(InLink& link);

  // shard_settle.cc: outcomes
  template <typename Visit>
  void ForEachCopy(InDelivery& in, Visit visit);
  void Report(InDelivery& in, OutDelivery& out, const amqp::Outcome& outcome, bool settled);
  void Aggregate(InDelivery& in, bool& decided, amqp::OutcomeKind kind, bool settled);
  void Tell(InDelivery& in, const amqp::Outcome& outcome, bool settled);
  void HearProducer(InDelivery& in, const amqp::Outcome& outcome, bool settled);
  void SettleByProducer(InDelivery& in, const amqp::Outcome& outcome);
  void SettleCopy(InDelivery& in, OutDelivery& out, const amqp::Outcome& outcome);
  void Lose(OutDelivery& out, const amqp::Outcome& outcome, DropReason reason = DropReason::kOther);
  void EndCopy(OutDelivery& out, InDelivery* in);
  void Dequeue(OutDelivery& out);

  // shard_emit.cc: output
  void MakeRunnable(OutLink& link);
  // Outgoing links in the order in which their turn comes.
  struct RunQueue {
    List<OutLink, &OutLink::of_run> links;
    uint32_t count = 0;
  };
  RunQueue& QueueOf(const OutLink& link) { return link.bulk ? bulk_ : runnable_; }
  void StopRunning(OutLink& link);
  void EmitFrom(RunQueue& queue, uint32_t turns, uint64_t& left);
  uint64_t EmitLink(OutLink& link);
  SendOutcome Send(OutDelivery& out, uint64_t& bytes_left);
  void Sent(OutDelivery& out, InDelivery* in);
  void CompactFresh();

  // shard_relief.cc: room in session windows for what others wait for
  void RelieveAssembly(Connection& connection);
  void RelieveQueue(OutLink& link);
  bool HasNoted(const OutLink& link) const;
  void NoteWaiting(InDelivery& in);
  void Unlist(InDelivery& in);
  bool RelieveTight();
  void Relieve(Connection& connection);
  bool Waits(const OutDelivery& out);
  bool StillWaits(InDelivery& in);
  size_t CopiesHere(const InDelivery& in) const;
  void ReleaseEarly(InDelivery& in);

  // watchdog.cc: what takes too long, and how long things take
  bool HasToWatch() const;
  void Watch();
  void WatchDelivery(InDelivery& in);
  void WatchProducer(InLink& link);
  void WatchConsumer(OutLink& link);
  void Unblock(InLink& link);
  void Unblock(OutLink& link);
  void NoteDry(InLink& link);
  void NoteDelay(const InDelivery& in);
  void NoteStarted(const OutDelivery& out, const OutLink& link);
  void NoteWaited(const InDelivery& in, const OutLink& link);
  void NoteLeft();
  void NoteSettled(const OutDelivery& out, amqp::OutcomeKind kind);
  void NoteCredit(OutLink& link, uint32_t credit);

  const ShardOptions options_;
  const std::string node_id_;  // in ingress and trace annotations
  BlockPool& pool_;
  ThreadAffine thread_;
  Random random_;
  ShardStats stats_;
  CreditTerms terms_;

  const RouteTable no_routes_;
  Tables tables_;
  uint64_t adoption_ = 0;  // counts Adopt
  Time now_;               // of the turn
  Time leaving_;           // of its Emit
  Time late_before_;       // what came before is delayed
  Watchdog watchdog_;
  uint64_t leaving_at_once_ = 0;  // copies whose first frames came and left in this turn

  uint64_t links_made_ = 0;
  SlotMap<Connection> connections_;
  SlotMap<InLink> in_links_;
  SlotMap<OutLink> out_links_;
  SlotMap<InDelivery> in_deliveries_;
  SlotMap<OutDelivery> out_deliveries_;

  absl::flat_hash_map<AddressKey, std::unique_ptr<Senders>> senders_;  // by where they send to
  std::vector<uint32_t> cursors_;                                      // by Route::id
  RunQueue runnable_;
  RunQueue bulk_;                                  // such as are OutLink::bulk
  List<Connection, &Connection::of_tight> tight_;  // with windows to be opened
  std::vector<Handle<OutLink>> fresh_;             // links that got deliveries in this turn
  std::vector<Handle<OutLink>> disabled_;          // consumers
  std::vector<FanOut> fan_outs_;                   // by InDelivery::fan_out; kept for reuse
  std::vector<uint32_t> free_fan_outs_;
  Outbox outbox_;

  std::vector<StandIns> stand_ins_;  // by shard
  size_t stand_in_count_ = 0;
  std::vector<Handle<InLink>> stinted_;   // not granted what they are owed, since the process held
                                          // too much
  std::vector<Handle<InLink>> anywhere_;  // anonymous links with unicasts in the mail
  std::deque<std::pair<Time, Handle<InLink>>> holds_;  // by deadline; may be over
  uint64_t last_fence_ = 0;

  const amqp::Sections no_sections_;  // of a message that begins with its properties or body

  // Scratch of one call, kept for its capacity.
  std::vector<OutLink*> chosen_;
  std::vector<RemoteGroup> groups_;
  amqp::Sections sections_;              // of the last Look
  std::optional<Payload> rewritten_[2];  // of a multicast, by whether router annotations are cut
  std::string prefix_;
  Binding binding_;
  bool tapping_ = false;  // within ForwardTapped, of which the two are
  std::vector<std::pair<Tap*, TapSample>> tapped_;
  std::vector<LinkName> tap_targets_;
};

}  // namespace trunkline::core
