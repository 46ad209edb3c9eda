#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "router/base/counter.h"
#include "router/base/spsc_ring.h"
#include "router/base/time.h"

namespace trunkline {

// Samples of what workers see, on their way to whoever looks: a ring for each worker, so that none
// waits for anybody. Bounded by number, by bytes and by samples per second: what is beyond is not
// sampled, and counted.
//
// Owned by those who sample and the one who reads together. Thread: as said at each method.
template <typename T>
class SampleQueue {
 public:
  struct Options {
    size_t workers = 1;
    size_t samples_max = 256;         // that wait, of each worker
    int64_t bytes_max = 4 << 20;      // of all of them
    uint32_t per_second = 0;          // of each worker; 0: no limit
    std::function<void()> wake = {};  // the reader: there is something; any worker's thread
  };

  explicit SampleQueue(Options options) : options_(std::move(options)) {
    for (size_t i = 0; i < options_.workers; ++i) {
      lanes_.push_back(std::make_unique<Lane>(options_.samples_max));
    }
  }
  SampleQueue(const SampleQueue&) = delete;
  SampleQueue& operator=(const SampleQueue&) = delete;

  // --- the worker with this number

  // Whether a sample may be made now. What it refuses it counts.
  bool Admit(size_t worker, Time now) {
    Lane& lane = *lanes_[worker];
    if (options_.per_second > 0) {
      if (now - lane.second >= kSecond || lane.admitted == 0) lane.Begin(now);
      if (lane.admitted > options_.per_second) {
        lane.limited.Add();
        return false;
      }
      ++lane.admitted;
    }
    if (bytes_.load(std::memory_order_relaxed) < options_.bytes_max) return true;
    lane.dropped.Add();
    return false;
  }
  // `bytes`: about what the sample takes.
  void Push(size_t worker, T&& sample, size_t bytes) {
    Lane& lane = *lanes_[worker];
    bytes_.fetch_add(static_cast<int64_t>(bytes), std::memory_order_relaxed);
    if (!lane.ring.TryPush({std::move(sample), bytes})) {
      bytes_.fetch_sub(static_cast<int64_t>(bytes), std::memory_order_relaxed);
      lane.dropped.Add();
      return;
    }
    if (!told_.exchange(true) && options_.wake) options_.wake();
  }

  // --- the reader

  // Hands over what is there, worker by worker: `take(T&&)`.
  template <typename F>
  void Take(F take) {
    // Before the look: who comes behind it wakes the reader again, and what came before it is seen.
    told_.exchange(false);
    Cell cell;
    for (const auto& lane : lanes_) {
      while (lane->ring.TryPop(cell)) {
        bytes_.fetch_sub(static_cast<int64_t>(cell.bytes), std::memory_order_relaxed);
        take(std::move(cell.sample));
      }
    }
  }

  // --- any thread

  // Samples that found no room so far; and those that were more than the limit per second.
  uint64_t dropped() const { return Sum(&Lane::dropped); }
  uint64_t limited() const { return Sum(&Lane::limited); }

 private:
  struct Cell {
    T sample;
    size_t bytes = 0;
  };
  struct Lane {
    explicit Lane(size_t samples) : ring(samples) {}
    void Begin(Time now) {
      second = now;
      admitted = 1;
    }

    SpscRing<Cell> ring;
    Counter dropped;
    Counter limited;
    Time second;            // when it began
    uint32_t admitted = 0;  // in that second, and one; 0: it has not begun
  };

  uint64_t Sum(Counter Lane::*counter) const {
    uint64_t sum = 0;
    for (const auto& lane : lanes_) sum += ((*lane).*counter).Get();
    return sum;
  }

  const Options options_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::atomic<int64_t> bytes_{0};
  std::atomic<bool> told_{false};
};

}  // namespace trunkline
