#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

namespace trunkline::sim {

// What a run found wrong. A violation does not end the run at once: the first few are kept, since
// the second often explains the first.
class Verdict {
 public:
  static constexpr size_t kKept = 8;

  void Fail(std::string_view checker, std::string_view text) {
    ++count_;
    if (found_.size() < kKept) found_.push_back(std::string(checker) + ": " + std::string(text));
  }
  bool ok() const { return count_ == 0; }
  size_t count() const { return count_; }
  const std::vector<std::string>& found() const { return found_; }

 private:
  size_t count_ = 0;
  std::vector<std::string> found_;
};

// What happened, for people (printed if wanted) and as one number: equal seeds must give equal
// numbers.
class Journal {
 public:
  explicit Journal(bool print) : print_(print) {}

  // `text` makes the line, and is called only if somebody reads it.
  template <typename Text>
  void Note(int64_t time_ns, Text text) {
    Mix(static_cast<uint64_t>(time_ns));
    if (print_) std::printf("%12.6f %s\n", static_cast<double>(time_ns) * 1e-9, text().c_str());
  }
  void Mix(uint64_t value) { digest_ = (digest_ ^ value) * 0x100000001b3; }
  uint64_t digest() const { return digest_; }

 private:
  const bool print_;
  uint64_t digest_ = 0xcbf29ce484222325;
};

}  // namespace trunkline::sim
