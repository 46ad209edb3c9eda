#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "router/amqp/engine.h"
#include "router/conn/workspace.h"
#include "router/core/shard.h"
#include "router/core/sink.h"

namespace trunkline::conn {

// Joins one connection's engine and its worker's shard: events become calls of the shard, calls of
// the sink become commands of the engine. Translates names, decides nothing.
//
// A LinkToken is the engine's LinkIndex; the engine's link and delivery users are the shard's
// packed handles; zero is "none": unknown to the shard, or no longer known.
//
// Owned by a Driver. Thread: the worker's. A method of the sink never calls the shard: what has to
// follow waits until the driver is next called.
class Bridge final : public core::Sink {
 public:
  // `tag` goes to Workspace::touched when the shard made this connection act.
  Bridge(core::Shard& shard, Workspace& workspace, uint64_t tag)
      : shard_(shard), workspace_(workspace), tag_(tag) {}
  ~Bridge() override { Close(); }
  Bridge(const Bridge&) = delete;
  Bridge& operator=(const Bridge&) = delete;

  // The connection is open. `engine` outlives this object's next Close.
  void Open(amqp::Engine& engine, const core::ConnectionInfo& info);
  bool is_open() const { return engine_ != nullptr; }
  // Null before Open and after Close.
  const core::Connection* connection() const {
    return is_open() ? shard_.Find(connection_) : nullptr;
  }
  // The shard's side goes, once; without effect before Open.
  void Close();

  // An event of a link, a delivery or a session. REQUIRES: is_open().
  void OnEvent(amqp::Event& event) {
    if (event.kind == amqp::EventKind::kTransfer) return OnTransfer(event);
    if (event.kind == amqp::EventKind::kDisposition) return OnDisposition(event);
    OnRareEvent(event);
  }

  // Says that the driver has something to flush.
  void Touch() {
    if (!touched_) [[unlikely]]
      Enlist();
  }
  void Flushed() { touched_ = false; }

  // Ciphertext waiting to be written, on top of the engine's output.
  void SetCiphertextBytes(uint64_t bytes) { ciphertext_bytes_ = bytes; }
  // Lets links go on that waited for the output to shrink; true if there may be any.
  bool ResumeBelow(uint64_t output_bytes);
  // No more credit to producers.
  void Quiesce() { quiesced_ = true; }
  // Settles what went to consumers that take settled deliveries only; true if there was any.
  bool SettleSent();
  // The shard asked for the end of the connection: the reason, once.
  std::unique_ptr<amqp::Condition> TakeCloseRequest() { return std::move(close_request_); }

  // --- core::Sink
  void Attached(core::LinkToken link, const core::AttachAnswer& answer) override;
  void Detach(core::LinkToken link, const amqp::Condition& error) override;
  void Grant(core::LinkToken link, uint32_t credit) override;
  void Drain(core::LinkToken link) override;
  void TakeCredit(core::LinkToken link) override;
  void GiveCreditBack(core::LinkToken link) override;
  void Release(core::LinkToken link, uint64_t bytes) override;
  void SettleIn(core::LinkToken link, uint32_t delivery, const amqp::Outcome& outcome,
                bool settled) override;
  void Close(const amqp::Condition& error) override;
  core::SendOutcome Send(core::LinkToken link, core::SendRequest& request) override;
  void SettleOut(core::LinkToken link, uint32_t delivery, const amqp::Outcome& outcome,
                 bool settled) override;
  void Drained(core::LinkToken link) override;

 private:
  // An attach of the peer that the shard has not answered yet.
  struct Pending {
    amqp::Attach attach;
    amqp::Role ours;
  };

  void Enlist();
  core::SendOutcome SendSettled(core::LinkToken link, core::SendRequest& request);
  core::SendOutcome SendAs(core::LinkToken link, core::SendRequest& request, bool settled);
  void OnRareEvent(const amqp::Event& event);
  void OnTransfer(amqp::Event& event);
  void OnSettledModeTransfer(amqp::Event& event);
  void OnDisposition(const amqp::Event& event);
  void OnLinkFlow(const amqp::Event& event);
  void OnAttached(const amqp::Event& event);
  void RefuseAddress(const amqp::Event& event);
  void OnDetached(const amqp::Event& event);
  bool IsSettledMode(amqp::LinkIndex link) const;

  core::Shard& shard_;
  Workspace& workspace_;
  const uint64_t tag_;
  amqp::Engine* engine_ = nullptr;
  Handle<core::Connection> connection_;
  uint64_t max_message_size_ = 0;
  uint64_t ciphertext_bytes_ = 0;
  bool touched_ = false;
  bool blocked_ = false;
  bool quiesced_ = false;
  absl::flat_hash_map<amqp::LinkIndex, std::unique_ptr<Pending>> pending_;
  // Links with snd-settle-mode settled, of either role; few peers ask for it.
  std::vector<amqp::LinkIndex> settled_mode_links_;
  // Deliveries that the shard holds for unsettled, sent as settled on such links.
  std::vector<uint64_t> sent_settled_;
  std::unique_ptr<amqp::Condition> close_request_;
};

}  // namespace trunkline::conn
