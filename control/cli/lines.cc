#include "control/cli/lines.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "control/config/text.h"

namespace trunkline::cli {

std::optional<std::string> LineReader::Next() {
  while (true) {
    const size_t end = text_.find('\n', scanned_);
    if (end != std::string::npos) return Take(end, end + 1);
    scanned_ = text_.size();
    if (text_.size() - begin_ > kLineBytesMax) {
      status_ = absl::OutOfRangeError(
          config::Concat("a line of the standard input has more than ", kLineBytesMax, " bytes"));
      ended_ = true;
      begin_ = text_.size();
    }
    if (ended_) {
      if (begin_ == text_.size()) return std::nullopt;
      return Take(text_.size(), text_.size());
    }
    const size_t before = text_.size();
    Fill();
    if (text_.size() == before && !ended_) return std::nullopt;
  }
}

void LineReader::Fill() {
  pollfd waiting = {descriptor_, POLLIN, 0};
  if (::poll(&waiting, 1, 0) <= 0) return;
  char buffer[65536];
  const ssize_t count = ::read(descriptor_, buffer, sizeof(buffer));
  if (count > 0) {
    text_.append(buffer, static_cast<size_t>(count));
  } else if (count == 0) {
    ended_ = true;
  } else if (errno != EINTR && errno != EAGAIN) {
    // As main opens it where it was not.
    status_ = absl::FailedPreconditionError(
        config::Concat("standard input: ", errno == EBADF ? "is closed" : std::strerror(errno)));
    ended_ = true;
  }
}

std::string LineReader::Take(size_t end, size_t next) {
  std::string line = text_.substr(begin_, end - begin_);
  begin_ = scanned_ = next;
  // So that what has been told is not kept, nor moved for each line.
  if (begin_ == text_.size() || begin_ > kLineBytesMax) {
    text_.erase(0, begin_);
    begin_ = scanned_ = 0;
  }
  return line;
}

}  // namespace trunkline::cli
