#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"

namespace trunkline::cli {

// Lines of a file, pipe or terminal as they come, without waiting for them.
class LineReader {
 public:
  // Does not own the descriptor.
  explicit LineReader(int descriptor) : descriptor_(descriptor) {}

  // The next line that has come, without its end; the last one may have none. Nothing: not yet, or
  // ended().
  std::optional<std::string> Next();
  // There will be no more.
  bool ended() const { return ended_ && begin_ == text_.size(); }
  // Why it ended, where that was no end of the file: OutOfRange for a line above kLineBytesMax.
  const absl::Status& status() const { return status_; }

  static constexpr size_t kLineBytesMax = 16 << 20;

 private:
  void Fill();
  std::string Take(size_t end, size_t next);

  const int descriptor_;
  std::string text_;
  size_t begin_ = 0;    // what is before it has been told
  size_t scanned_ = 0;  // up to here there is no end of a line
  bool ended_ = false;
  absl::Status status_;
};

}  // namespace trunkline::cli
