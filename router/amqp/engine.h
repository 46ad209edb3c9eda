#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "router/amqp/events.h"
#include "router/amqp/faults.h"
#include "router/amqp/output.h"
#include "router/amqp/performatives.h"
#include "router/amqp/session.h"
#include "router/amqp/session_handles.h"
#include "router/amqp/types.h"
#include "router/base/payload.h"
#include "router/base/time.h"

namespace trunkline::amqp {

// What an engine says in its open and begins (part 2, sections 2.7.1 and 2.7.2), and its limits.
struct EngineOptions {
  bool initiate = false;  // send header and open without waiting for the peer's: a client
  std::string container_id;
  std::optional<std::string> hostname;
  uint32_t max_frame_size = 16384;  // 512..2^31
  uint16_t channel_max = 32767;
  Duration idle_timeout;  // zero: none. Half of it is announced (Dispatch's rule)
  std::vector<std::string> offered_capabilities;
  std::vector<std::string> desired_capabilities;
  std::string properties;  // raw map
  // Received payload held per session: announced in frames, which are taken to be as large as the
  // largest of late, at first and at least an eighth of max_frame_size. A peer whose frames are
  // suddenly larger may so fill it up to eight times over, once.
  uint32_t session_window_bytes = 1u << 20;
  uint32_t handle_max = 32767;  // links per session and direction - 1
  // Links of the connection, both directions. A link of the peer's beyond it is refused; refused
  // ones that the peer leaves there are kLinksRefusedMax at most.
  uint32_t links_max = 32768;
  FaultCounts* faults = nullptr;  // where the peer's faults are counted; outlives the engine
};

// A peer that goes on attaching without taking notice of so many refusals is closed.
inline constexpr uint32_t kLinksRefusedMax = 64;
// What a peer may be called.
inline constexpr size_t kContainerIdBytesMax = 1024;

// No such session or link.
inline constexpr uint16_t kNoSession = UINT16_MAX;
inline constexpr LinkIndex kNoLink = UINT32_MAX;

// One delivery, or the next part of it, to be sent by Engine::Send.
struct Outgoing {
  uint64_t user = 0;  // comes back as Event::delivery_user
  uint32_t message_format = 0;
  bool settled = false;             // pre-settled
  bool complete = false;            // no bytes will follow those of `payload`
  bool aborted = false;             // ends a started delivery; `payload` is dropped
  uint64_t bytes_max = UINT64_MAX;  // quantum of this call; at least one frame is written
  Payload* payload = nullptr;       // what was written is taken from its front
  bool started = false;             // set by the first call that writes
  uint32_t delivery = 0;            // delivery-id, set with `started`
};

enum class SendResult : uint8_t {
  kSent,      // the delivery is complete (or aborted: on the wire, if it had started)
  kPartial,   // all of `payload` is written, the delivery is not complete
  kQuantum,   // bytes_max reached
  kBlocked,   // the session window is closed: kWritable follows
  kNoCredit,  // the link has none: kLinkFlow follows. Or it is detached: kDetached did or follows
};

// AMQP 1.0 connection endpoint without I/O, above SASL and TLS: frames in, events out; commands in,
// frames out. Parses in place: the payload of a transfer is a slice of the input.
//
// Input: SetInput(slice), then Next(event) until it returns false, then Consumed() says how much
// was used: whole frames. The rest has to be presented again, followed by more, in one piece
// (FrameNeeds() says how much the next frame takes). Commands may be given between calls of Next.
// Output: Flush() turns what is pending (flows, dispositions as ranges, heartbeats) into frames;
// then output() is written out by the owner.
//
// Sessions that the peer begins are answered here; links are answered by the owner, at any later
// time. A peer's mistake never throws or checks: it ends in kFailed (connection), an `end` or a
// `detach` with the condition of the specification. Thread: the worker's.
class Engine {
 public:
  Engine(EngineOptions options, BlockPool& pool);
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  ~Engine();

  // --- input
  void SetInput(const Slice& input, Time now);
  bool Next(Event& event);
  uint32_t Consumed() const;
  // Bytes that the frame at the front of the rest takes, as far as known; at least 8.
  uint32_t FrameNeeds() const;
  // The peer will send nothing more. Reported as kFailed unless the connection is closed, or we
  // have closed it.
  void InputEnded();

  // --- connection
  // Sends `close`; what is pending goes first. Events go on until the peer's close.
  void Close(const Condition& error = {});
  bool IsOpen() const;    // both opens done, no close either way
  bool IsClosed() const;  // close sent, and received or no longer expected: flush and hang up
  const Open& remote_open() const;
  // Local idle time-out, heartbeats. Returns when it wants to be called next, kNever if never.
  Time Tick(Time now);

  // --- sessions and links we start (answers to the peer's are made by the engine)
  // kNoSession if the peer takes no more of them.
  uint16_t BeginSession();
  // Answers a kAttached; StartLink starts a link of ours, with the name and role of `attach`. Name,
  // handle, role and initial delivery-count are filled in here. What the peer said before the
  // answer (flow, detach) is reported after it. kNoLink if the session or its handles are gone.
  void AnswerAttach(LinkIndex link, amqp::Attach attach);
  LinkIndex StartLink(uint16_t session, amqp::Attach attach);
  // Refusal: AnswerAttach with a null terminus, then Detach(closed, error). Nothing of the link is
  // reported after this but its kDetached.
  void Detach(LinkIndex link, bool closed, const Condition& error = {});
  // Its links are reported kDetached (implied), and kEnded when the peer has ended it, too.
  void EndSession(uint16_t session, const Condition& error = {});
  void SetUser(LinkIndex link, uint64_t user);
  uint16_t SessionOf(LinkIndex link) const;

  // --- deliveries we receive
  void SetDeliveryUser(LinkIndex link, uint32_t delivery, uint64_t user) {
    if (Link* found = context_.Find(link)) found->session->SetDeliveryUser(*found, delivery, user);
  }
  // Adds `credit`; sent by Flush when the peer has used up half of what it is raised to, or with
  // `drain`. Ends a drain.
  void Grant(LinkIndex link, uint32_t credit) {
    Link* found = context_.Find(link);
    if (found == nullptr || found->role != Role::kReceiver || found->detach_sent) return;
    found->Grant(credit);
    if (found->attach_sent && found->FlowWorthwhile()) found->session->QueueFlow(*found);
  }
  // Asks the peer to use up its credit or give it back. kLinkFlow tells when none is left.
  void Drain(LinkIndex link);
  // Tells the peer that it has no credit, until it is given back: a flow each. What the peer sent
  // before it knew is taken as if nothing had happened, and granted is what was granted.
  void TakeCredit(LinkIndex link) { SetTaken(link, true); }
  void GiveCreditBack(LinkIndex link) { SetTaken(link, false); }
  // Payload bytes of this link's session were passed on or dropped: its window may open again.
  void Release(LinkIndex link, uint64_t bytes) {
    if (Link* found = context_.Find(link)) found->session->Release(*found, bytes);
  }

  // --- deliveries we send
  SendResult Send(LinkIndex link, Outgoing& delivery) {
    Link* found = context_.Find(link);
    if (found == nullptr || found->role != Role::kSender || close_sent_) {
      return SendResult::kNoCredit;
    }
    return found->session->Send(*found, delivery);
  }
  uint32_t Credit(LinkIndex link) const;
  // Advances delivery-count over unused credit and tells the receiver (answer to drain).
  void Drained(LinkIndex link);
  // Answers a flow that asked for an echo.
  void Echo(LinkIndex link);

  // --- settlement, either direction: `role` is ours. Merged into ranges by Flush.
  void Dispose(LinkIndex link, uint32_t delivery, const Outcome& outcome, bool settled) {
    if (Link* found = context_.Find(link)) {
      found->session->Dispose(*found, delivery, outcome, settled);
    }
  }

  void Flush(Time now);
  // Frames since the engine was made.
  uint64_t frames_in() const { return frames_in_; }
  uint64_t frames_out() const { return context_.frames.count(); }
  uint32_t sessions_now() const { return sessions_now_; }
  // When bytes came last, and frames went.
  Time last_input() const { return last_input_; }
  Time last_output() const { return last_output_; }
  // The connection failed since nothing came for too long.
  bool PeerFellSilent() const { return silent_; }

  Output& output() { return context_.frames.output(); }

 private:
  // One frame of the input.
  struct Frame {
    uint16_t channel = 0;
    std::string_view body;
  };

  void SetTaken(LinkIndex link, bool taken);

  // input
  bool NextUsual(Event& event);
  // What a frame led to.
  enum class Step : uint8_t { kEvent, kNothing, kNoFrame };
  Step NextFrame(Event& event);
  bool ReadHeader();
  bool ReadFrame(Frame& frame);
  uint32_t BodyOffset(uint64_t header);
  bool NextPending(Event& event);
  bool NextReport(const Report& report, Event& event);
  bool ReportFailure(Event& event);
  bool OnFrame(const Frame& frame, Event& event);
  bool OnTransfer(const Frame& frame, Event& event);
  bool OnOtherFrame(const Frame& frame, Event& event);
  bool OnFlow(const Frame& frame, Event& event);
  bool OnDisposition(const Frame& frame);
  bool OnRareFrame(Descriptor descriptor, const Frame& frame, Event& event);
  bool OnOpen(std::string_view body, Event& event);
  bool OnClose(std::string_view body, Event& event);
  bool OnBegin(const Frame& frame);
  bool FailDecode(std::string_view what);  // false

  // time
  void OnSilence();
  void NoteTime(Time now);
  void NoteOutput(Time now);
  void SetHeartbeat(std::optional<uint32_t> remote_milliseconds);

  // sessions and links
  Session* SessionAt(uint16_t channel);
  // The one that the peer's channel stands for; null fails the connection.
  Session* SessionOnChannel(uint16_t channel) {
    const uint32_t ours = channels_.Find(channel);
    return ours != NumberMap::kNone ? sessions_[ours].get() : FailChannel(channel);
  }
  Session* FailChannel(uint16_t channel);
  // Null when the peer takes no more.
  Session* NewSession();
  void DropSession(uint16_t channel);

  // output
  void WriteHeader();
  void WriteOpen();
  void WriteClose(const Condition& error);
  void WritePending();

  SessionContext context_;
  std::unique_ptr<Open> local_open_;  // until it is written
  Open remote_open_;
  std::vector<std::unique_ptr<Session>> sessions_;  // by our channel; null: free
  NumberMap channels_;                              // the peer's, to ours
  uint32_t sessions_now_ = 0;
  uint32_t channel_hint_ = 0;  // none below it is free
  uint16_t channel_max_;       // of the peer's channels

  // What is being read: context_.input from at_ up to size_.
  uint32_t at_ = 0;
  uint32_t size_ = 0;
  uint32_t needs_ = kFrameHeaderBytes;
  size_t reports_done_ = 0;

  bool header_received_ = false;
  bool header_sent_ = false;
  bool open_received_ = false;
  bool close_sent_ = false;
  bool close_received_ = false;
  bool failed_ = false;   // kFailed is due or was reported
  bool gave_up_ = false;  // the peer's close is not waited for
  bool started_ = false;  // a time is known
  bool silent_ = false;

  Duration idle_timeout_;        // the peer's silence; zero: none
  Duration heartbeat_interval_;  // our own; zero: none
  Time last_input_;
  Time last_output_;
  uint64_t frames_at_last_output_ = 0;
  uint64_t frames_in_ = 0;
};

}  // namespace trunkline::amqp
