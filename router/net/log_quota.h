#pragma once

#include <cstdint>
#include <functional>
#include <memory>

namespace boost::asio {
class io_context;
}

namespace trunkline::net {

// How many lines of one kind are logged: `lines` per second. What is kept back is told as a number
// at the end of the second, so that thousands who connect do not write thousands of lines.
//
// Owned by the Pilot. Thread: the pilot's.
class LogQuota {
 public:
  // Writes that so many records were kept back.
  using Tell = std::function<void(uint64_t kept_back)>;

  LogQuota(boost::asio::io_context& io, uint32_t lines, Tell tell);
  ~LogQuota();
  LogQuota(const LogQuota&) = delete;
  LogQuota& operator=(const LogQuota&) = delete;

  // True: write it. False: it was counted.
  bool Take();

 private:
  struct State;
  std::shared_ptr<State> state_;  // shared with nobody: its timer holds a weak pointer
};

}  // namespace trunkline::net
