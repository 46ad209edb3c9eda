#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "router/base/sample_queue.h"
#include "router/base/time.h"

namespace trunkline::conn {

// One frame of a traced connection, for people.
struct FrameLine {
  Time at;  // of the turn
  uint64_t connection = 0;
  bool outgoing = false;
  std::string text;  // "0 @attach(18) [name="a", ...]": channel, body
};
using FrameQueue = SampleQueue<FrameLine>;

// Somebody who wants to see the frames of one connection, or of those of one listener or connector.
struct FrameWish {
  uint64_t connection = 0;  // 0: any
  std::string owner;        // listener or connector; empty: any
  bool inbound = true;      // the owner is a listener
  std::shared_ptr<FrameQueue> queue;

  bool Wants(uint64_t id, std::string_view of, bool is_inbound) const {
    return (connection == 0 || connection == id) &&
           (owner.empty() || (owner == of && inbound == is_inbound));
  }
};
// All of them: published to the workers.
using FrameWishes = std::vector<FrameWish>;

// Cuts a stream of bytes into protocol headers and frames, whatever pieces it comes in; of a frame
// only the first bytes are kept. Bytes that may be secret are overwritten.
class FrameSplitter {
 public:
  // Bytes of a frame that are kept.
  static constexpr size_t kKept = 2048;

  ~FrameSplitter();

  // Calls `take(start, size)` for every frame or header of eight bytes that is whole: its first
  // bytes, and how many it has. False, for ever, once that is no AMQP: nobody can say where the
  // next one begins.
  bool Push(std::string_view bytes,
            const std::function<void(std::string_view start, size_t size)>& take);

 private:
  std::string kept_;    // of the frame that is not whole
  size_t size_ = 0;     // of it; 0: not known
  size_t missing_ = 0;  // bytes of it behind those that are kept
  bool lost_ = false;
};

// Tells the frames of one connection, above TLS, to those who want to see them. SASL frames are
// told without what proves who somebody is, payload by its size alone.
//
// Owned by a Driver while somebody looks. Thread: the worker's.
class FrameTrace {
 public:
  struct Source {
    size_t worker = 0;  // of the queues
    uint64_t connection = 0;
  };
  // `unsent`: bytes that wait to be written already, and are not told. What is read next begins
  // with a frame.
  FrameTrace(Source source, uint64_t unsent) : source_(source), unsent_(unsent) {}
  FrameTrace(const FrameTrace&) = delete;
  FrameTrace& operator=(const FrameTrace&) = delete;

  void SetQueues(std::vector<std::shared_ptr<FrameQueue>> queues) { queues_ = std::move(queues); }
  // Of the turn: the next lines are of this time.
  void SetTime(Time now) { now_ = now; }
  // Bytes that were read and understood; bytes that leave.
  void Read(std::string_view bytes);
  void Written(std::string_view bytes);

 private:
  void Tell(bool outgoing, std::string_view start, size_t size);
  void TellText(bool outgoing, const std::function<std::string()>& text);

  const Source source_;
  uint64_t unsent_;
  Time now_;
  std::vector<std::shared_ptr<FrameQueue>> queues_;
  FrameSplitter in_;
  FrameSplitter out_;
  bool in_step_[2] = {true, true};  // by whether outgoing
};

}  // namespace trunkline::conn
