#pragma once

#include <cstdint>
#include <string>

#include "router/base/time.h"

namespace trunkline::config {

// Differs, for all practical purposes, if what is in `file` does; nothing is read. Links are
// followed, so that a folder of Kubernetes counts as changed when its "..data" leads elsewhere.
// Never the same in another process. 0: there is nothing to look at.
uint64_t StampOfFile(const std::string& file);

// When files are looked at, and when what has changed is to be read: once per change, and not while
// somebody is still writing. Files are known by a stamp, which its owner makes and keeps.
//
// Thread: its owner's.
class FileWatch {
 public:
  static constexpr Duration kInterval = Seconds(2);
  // A change counts when the files are the same after so long.
  static constexpr Duration kSettling = Milliseconds(250);

  // Whether to read what is there: `stamp` is that of now, `known` that of what was read last,
  // usable or not.
  bool Look(uint64_t stamp, uint64_t known, Time now);
  // When to look again. Begins with the first turn.
  Time due() const { return due_; }
  // Nothing is looked at until Resume.
  void Pause() { due_ = kNever; }
  void Resume() { due_ = Time(); }

 private:
  Time due_;
  uint64_t seen_ = 0;  // that is not known
};

}  // namespace trunkline::config
