#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "router/amqp/engine_frames.h"
#include "router/amqp/events.h"
#include "router/amqp/faults.h"
#include "router/amqp/link.h"
#include "router/amqp/performatives.h"
#include "router/amqp/session_handles.h"
#include "router/amqp/session_unsettled.h"
#include "router/amqp/types.h"
#include "router/base/payload.h"

namespace trunkline::amqp {

class Session;
struct Outgoing;
enum class SendResult : uint8_t;

// Something to be reported by a later Next: a list is kept, since one frame or command may have
// several consequences.
enum class ReportKind : uint8_t {
  kFlow,      // of a link: what it was told before it was answered, or that a drain is over
  kDetach,    // of a link: came before it was answered, or the engine detached it
  kOver,      // of a session: implied detaches of its links, then its end
  kWritable,  // of a session
};
struct Report {
  ReportKind kind;
  uint32_t id;
};

// What the sessions of one engine share with each other and with it.
struct SessionContext {
  explicit SessionContext(BlockPool& pool) : frames(pool) {}

  FrameWriter frames;
  uint32_t frame_bytes_max = 0;  // of the frames we receive
  uint32_t window_bytes = 0;     // received payload that a session holds
  uint32_t handle_max = 0;       // of the handles of the peer
  uint32_t links_max = 0;        // of the connection
  FaultCounts* faults = nullptr;
  Slice input;  // the frames that are being read

  std::vector<std::unique_ptr<Link>> links;  // by LinkIndex; null: free
  std::vector<LinkIndex> links_free;
  uint32_t links_leaving = 0;        // null, and free at their session's next flush
  std::vector<uint16_t> due;         // sessions with something for the next flush
  std::vector<LinkIndex> due_links;  // links with a flow for the next flush

  bool pending = false;  // one of the three below has something for Next
  std::vector<Report> reports;
  Session* walking = nullptr;  // has a disposition that is not reported for all its deliveries
  bool failing = false;        // `failure` is to be reported
  Condition failure;

  // What an event refers to, until the next.
  std::unique_ptr<Attach> attach;
  std::unique_ptr<Condition> error;
  Outcome outcome;

  Link* Find(LinkIndex index) { return index < links.size() ? links[index].get() : nullptr; }
  const Link* Find(LinkIndex index) const {
    return index < links.size() ? links[index].get() : nullptr;
  }
  void Add(Report report) {
    reports.push_back(report);
    pending = true;
  }
  uint32_t LinksNow() const {
    return static_cast<uint32_t>(links.size() - links_free.size() - links_leaving);
  }
  void Count(Fault fault, FaultScope scope) {
    if (faults != nullptr) faults->Count(fault, scope);
  }
  // The peer broke the rules of the connection. The first failure counts.
  void Fail(Fault fault, std::string_view name, std::string_view description);
  void SetError(Event& event, const Condition& condition);
};

// One session endpoint: begin and end, windows, handles, delivery-ids and what is unsettled. Takes
// parsed performatives, fills events, writes frames.
//
// Owned by an Engine. Thread: the worker's. Invariant: a link of `outgoing_handles_` is in
// SessionContext::links; entries of the unsettled maps name links of this session.
class Session {
 public:
  Session(SessionContext& context, uint16_t channel);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  uint16_t channel() const { return channel_; }
  // We have sent `end`: what comes on its channel before the peer's is ignored.
  bool ended() const { return end_sent_; }

  // Beyond these a session is ended: see Looks. An honest peer speaks of a delivery twice or so.
  static constexpr uint64_t kLooksPerDelivery = 64;
  static constexpr uint64_t kLooksAhead = 1u << 20;
  static constexpr uint64_t kLooksMax = kLooksPerDelivery * UnsettledMap::kLiveMax;

  // What we promise to be able to send: no limit that a peer would have to think about.
  static constexpr uint32_t kOutgoingWindow = INT32_MAX;

  // The peer has sent its begin.
  bool begun() const { return begin_received_; }

  // --- life
  void WriteBegin();
  // The peer's begin, before or after ours.
  void OnBegin(const Begin& begin, uint16_t remote_channel);
  void End(const Condition& error);
  // For a fault of the peer.
  void End(Fault fault, std::string_view name, std::string_view description);
  void OnEnd(const amqp::End& end);
  // The next consequence of an end; false when there is none left for the moment. After kEnded the
  // session is to be dropped.
  bool NextOfOver(Event& event);

  // --- frames of the peer; true if `event` was filled
  bool OnAttach(Attach attach, Event& event);
  bool OnDetach(Detach detach, Event& event);
  bool OnFlow(const Flow& flow, Event& event);
  bool OnTransfer(const TransferFrame& frame, Event& event);
  // A transfer frame that is a whole delivery, in the usual encodings and in its turn: most are.
  // False, with nothing changed, for any other. REQUIRES: UsualTransfer::kReadable bytes at `body`.
  bool OnUsualTransfer(const uint8_t* body, uint32_t size, Event& event);
  void OnDisposition(const Disposition& disposition);
  bool NextOfDisposition(Event& event);
  bool ReportFlow(Link& link, Event& event);
  bool ReportDetach(Link& link, Event& event);

  // --- commands
  LinkIndex StartLink(Attach attach);
  void AnswerAttach(Link& link, Attach attach);
  void Detach(Link& link, bool closed, const Condition& error);
  void SetDeliveryUser(Link& link, uint32_t delivery, uint64_t user) {
    if (link.partial && link.partial_delivery == delivery) [[unlikely]]
      link.partial_user = user;
    UnsettledEntry* entry = MapOf(link.role).Find(delivery);
    if (entry != nullptr && entry->link == link.index) entry->user = user;
  }
  void Release(Link& link, uint64_t bytes) {
    bytes = std::min(link.held_bytes, bytes);
    link.held_bytes -= bytes;
    held_bytes_ -= bytes;
    if (incoming_window_ <= window_low_) MarkDue();
  }
  void Drain(Link& link);
  SendResult Send(Link& link, Outgoing& delivery);
  void Dispose(Link& link, uint32_t delivery, const Outcome& outcome, bool settled);
  // A flow of `link` goes out with the next flush.
  void QueueFlow(Link& link) {
    if (!link.queued) [[unlikely]]
      ListFlow(link);
  }

  // --- output
  void WriteFlow(Link& link);
  void Flush();

 private:
  // Ids in a map that have a disposition due.
  struct Marks {
    bool any = false;
    uint32_t low = 0;
    uint32_t high = 0;
  };
  // How many places of a map the peer's dispositions may still make us look at: each delivery adds
  // kLooksPerDelivery. One disposition names thousands in a few bytes, and may come again and
  // again.
  struct Looks {
    uint64_t left = kLooksAhead;
    uint32_t counted = 0;  // ids before it have added theirs
  };
  struct Run;

  // links
  Link* NewLink(Role role, std::string name);
  Link* FindStarted(std::string_view name, Role role);
  void FreeLink(Link& link);
  void CloseLinks();
  void WriteAttach(Link& link, Attach attach);
  std::string TooManyLinks() const;
  void FailLink(Link& link, Fault fault, std::string_view name, std::string_view description);
  void DropUnsettled(Link& link);
  void DropLeft();
  void FillLink(const Link& link, EventKind kind, Event& event) const {
    event.kind = kind;
    event.session = channel_;
    event.link = link.index;
    event.role = link.role;
    event.link_user = link.user;
  }
  bool FillDetached(Link& link, const Condition& error, Event& event);

  // windows
  void MarkDue() {
    if (!due_) [[unlikely]]
      ListDue();
  }
  void ListDue();
  void ListFlow(Link& link);
  uint32_t WindowWanted() const;
  // What a frame is counted as at least, however small it is.
  uint32_t FrameBytesFirst() const;
  uint32_t FrameBytesLeast() const;
  // What the next window is made for, by the largest frame since the last.
  void ExpectFramesAsSeen();
  void FillFlow(Flow& flow);

  // deliveries
  bool StartIncoming(Link& link, const TransferFrame& frame);
  bool AdoptDeliveryId(const TransferFrame& frame);
  bool MayTransfer(Link& link, const TransferFrame& frame);
  bool ContinueIncoming(Link& link, const TransferFrame& frame);
  // Room in a map for one more delivery; false if that ended the session.
  bool HasRoom(UnsettledMap& map, bool live) { return map.HasRoom(!live) || MakeRoom(map); }
  bool MakeRoom(UnsettledMap& map);
  bool StartOutgoing(Link& link, Outgoing& delivery);
  SendResult SendFrames(Link& link, Outgoing& delivery);
  SendResult SendAbort(Link& link, Outgoing& delivery);
  // One frame; true if it was the last of what there is.
  bool WriteTransfer(Link& link, Outgoing& delivery, bool first);

  // settlement
  bool MayLook(Role role, uint32_t first, uint32_t last);
  UnsettledMap& MapOf(Role role) { return role == Role::kReceiver ? incoming_ : outgoing_; }
  void DisposeRare(Link& link, uint32_t delivery, const Outcome& outcome, bool settled);
  void Mark(const Link& link, uint32_t delivery, DeliveryMark mark);
  uint16_t RawState(const std::string& raw);
  void FlushDispositions();
  void Sweep(Role role, UnsettledMap& map, Marks& marks);
  void WriteRun(Role role, const Run& run);

  SessionContext& context_;
  const uint16_t channel_;
  bool begin_received_ = false;
  bool end_sent_ = false;
  bool end_received_ = false;
  uint16_t remote_channel_ = 0;
  bool due_ = false;       // listed for the next flush
  bool flow_due_ = false;  // the peer asked for one
  bool blocked_ = false;   // Send met a closed window

  // Receiving: frames that the peer may still send, and where it is worth telling it of more.
  uint32_t next_incoming_id_ = 0;
  uint32_t incoming_window_ = 0;
  uint32_t window_low_ = 0;
  uint32_t frame_bytes_expected_;
  uint32_t frame_bytes_seen_ = 0;
  uint64_t held_bytes_ = 0;

  // Sending: frames that we may still send.
  uint32_t next_outgoing_id_ = 0;
  uint32_t outgoing_window_ = 0;

  uint32_t remote_handle_max_ = UINT32_MAX;
  uint32_t handle_hint_ = 0;                 // none below it is free
  std::vector<LinkIndex> outgoing_handles_;  // by our handle; NumberMap::kNone: free
  NumberMap incoming_handles_;               // the peer's, to LinkIndex
  uint32_t started_ = 0;                     // links of ours that wait for the peer's attach

  // Links with unsettled deliveries have left, and these have not been looked for: once a flush is
  // enough, however many leave. Until then nobody gets the place of a link.
  bool leavers_ = false;
  std::vector<LinkIndex> left_;

  bool incoming_known_ = false;  // the peer has sent its first delivery-id
  UnsettledMap incoming_;
  UnsettledMap outgoing_;
  Marks incoming_marks_;
  Marks outgoing_marks_;
  Looks incoming_looks_;
  Looks outgoing_looks_;
  std::vector<std::string> raw_states_;  // of marked entries

  // The disposition that is being reported.
  UnsettledMap::Range walk_;
  Role walk_role_ = Role::kSender;
  bool walk_settled_ = false;

  std::unique_ptr<Condition> error_;  // of the end
};

}  // namespace trunkline::amqp
