#pragma once

#include <sys/epoll.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "router/base/time.h"
#include "router/base/timer_wheel.h"
#include "router/conn/driver.h"
#include "router/net/connection_plan.h"
#include "router/net/descriptor.h"
#include "router/net/mail.h"

namespace trunkline::net {

// One TCP stream and the Driver that makes sense of its bytes. Reads and writes when the worker
// says so; never blocks. Small: an idle connection is mostly this object and its driver.
//
// Life: Start, then Read/Parse/Flush until Finished(); then Linger, which frees the driver. When
// the peer may still be talking, as after a mistake of its, that also tells it that nothing more
// comes and waits for its end: a close with unread input would reset the stream under the last
// bytes written. A peer that has said its last word is not waited for.
//
// Owned by its Worker, in a SlotMap. Thread: the worker's.
class Socket {
 public:
  // Entries of one write.
  static constexpr int kGatherMax = 64;

  explicit Socket(NewConnection&& connection);
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  void Start(const conn::DriverOptions& options, core::Shard& shard, conn::Workspace& workspace);

  // What epoll should report, and only when it changes: the worker reads and writes until there is
  // no more, so streams need not be looked at again before each sleep.
  static constexpr uint32_t kEvents = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;

  // What epoll told.
  void Note(uint32_t events);
  // There is something to read, and the driver wants it. Of a stream that failed or ended on both
  // sides, everything is read: it says why.
  bool MayRead() const { return readable_ && (failed_ || driver_->WantsInput()); }
  // Reads until the stream is empty, `quantum` bytes have come or the driver has had enough;
  // returns how many bytes came.
  size_t Read(size_t quantum);
  struct Flushed {
    size_t bytes = 0;
    bool made_room = false;  // for links that waited, so the shard has to emit again
  };
  // Encodes what is pending and writes once, unless the stream is full.
  Flushed Flush(Time now);
  // Something is left that could be written at once.
  bool HasMoreToWrite() const { return driver_ && !blocked_ && !broken() && driver_->HasOutput(); }

  // The driver is done, or the stream is broken.
  bool Finished() const { return broken() || driver_->Finished(); }
  bool broken() const { return error_ != 0; }
  // The peer will send nothing more than what can be read.
  bool ended() const { return ended_ || failed_; }
  bool IsProbe() const { return driver_ && driver_->IsProbe(); }
  // Why the connection ended, for people. Empty: in order.
  std::string Error() const;

  // Frees the driver and shuts down the write side. False: there is nothing to wait for.
  bool Linger();
  bool lingering() const { return !driver_.has_value(); }
  // AMQP frames may come and go; before that there are handshakes, after that there is the end.
  bool IsOpen() const { return driver_ && driver_->phase() == conn::Phase::kOpen; }
  // Throws input away, if there is any; true at the end of the stream.
  bool Discard();
  // There may be more to be thrown away.
  bool readable() const { return readable_; }

  int fd() const { return fd_.get(); }
  uint64_t id() const { return id_; }
  const std::string& peer() const { return peer_; }
  // Where the peer reaches us, "127.0.0.1:5672"; empty: the system does not say.
  std::string LocalAddress() const;
  const ConnectionPlan& plan() const { return *plan_; }
  conn::LifeStats* stats() const { return stats_.get(); }
  conn::Driver& driver() { return *driver_; }
  const conn::Driver& driver() const { return *driver_; }
  uint64_t bytes_read() const { return bytes_read_; }
  uint64_t bytes_written() const { return bytes_written_; }
  // Since when the peer takes nothing of what there is to write; kNever: it does.
  Time blocked_at() const { return blocked_ ? blocked_at_ : kNever; }

  // The worker's notes about this socket.
  struct Notes {
    TimerWheel::Id timer = 0;
    Time deadline = kNever;
    Time begun;            // taken in
    Time opened = kNever;  // the peer's open came
    conn::Phase phase = conn::Phase::kHandshake;
    uint64_t tls_revision = 0;  // that its handshake used
    bool was_open = false;
    bool in_read = false;  // in the list of this turn
    bool bulk = false;     // the last read brought much
    bool in_flush = false;
    bool in_chores = false;
  };
  Notes notes;

 private:
  Descriptor fd_;
  std::shared_ptr<const ConnectionPlan> plan_;
  std::shared_ptr<conn::LifeStats> stats_;  // the driver's
  std::optional<conn::Driver> driver_;
  std::string peer_;
  uint64_t id_;
  int error_ = 0;          // errno of the stream
  bool readable_ = false;  // the last read did not empty the stream
  bool ended_ = false;     // epoll told that the peer's side ends, after what can be read
  bool failed_ = false;    // epoll told that the stream is broken or ended on both sides
  bool blocked_ = false;   // the last write was short: epoll tells when to go on
  Time blocked_at_;
  uint64_t bytes_read_ = 0;
  uint64_t bytes_written_ = 0;
};

}  // namespace trunkline::net
