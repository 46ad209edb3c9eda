#include "control/config/read_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "control/config/text.h"
#include "router/base/secret.h"

namespace trunkline::config {
namespace {

absl::Status FromErrno(const std::string& file, int error) {
  return absl::Status(absl::ErrnoToStatusCode(error), Concat(file, ": ", std::strerror(error)));
}

// Out of the object, so that nothing stays behind where it is moved from.
std::string Room(size_t size) {
  std::string room;
  room.reserve(std::max(size, kOutOfObject));
  room.resize(size);
  return room;
}

// More room for bytes. Those that had to move are overwritten where they were.
void Grow(std::string& bytes, size_t size) {
  std::string larger = Room(size);
  std::copy(bytes.begin(), bytes.end(), larger.begin());
  bytes.swap(larger);
  Wipe(larger);
}

// Reads up to the end, or up to one byte above the bound. What is not returned is overwritten: the
// file may be a key. It has `size_now` bytes, but may grow or shrink meanwhile.
absl::StatusOr<std::string> ReadAll(int fd, const std::string& file, size_t size_now,
                                    size_t bytes_max) {
  std::string bytes = Room(std::min(size_now, bytes_max) + 1);
  size_t size = 0;
  while (size <= bytes_max) {
    if (size == bytes.size()) Grow(bytes, std::min(2 * size, bytes_max + 1));
    const ssize_t n = ::read(fd, bytes.data() + size, bytes.size() - size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      const int error = errno;
      Wipe(bytes);
      return FromErrno(file, error);
    }
    if (n == 0) break;
    size += static_cast<size_t>(n);
  }
  if (size > bytes_max) {
    Wipe(bytes);
    return absl::InvalidArgumentError(Concat(file, ": larger than ", bytes_max, " bytes"));
  }
  bytes.resize(size);
  return bytes;
}

}  // namespace

absl::StatusOr<std::string> ReadFile(const std::string& file, size_t bytes_max) {
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) return FromErrno(file, errno);
  struct stat about {};
  absl::StatusOr<std::string> bytes = std::string();
  if (::fstat(fd, &about) != 0) {
    bytes = FromErrno(file, errno);
  } else if (!S_ISREG(about.st_mode)) {
    bytes = absl::InvalidArgumentError(Concat(file, ": not a file"));
  } else {
    bytes = ReadAll(fd, file, static_cast<size_t>(about.st_size), bytes_max);
  }
  ::close(fd);
  return bytes;
}

}  // namespace trunkline::config
