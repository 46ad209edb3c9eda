#include "control/config/file_watch.h"

#include <sys/stat.h>

#include <utility>

#include "absl/hash/hash.h"

namespace trunkline::config {

uint64_t StampOfFile(const std::string& file) {
  struct stat about {};
  if (::stat(file.c_str(), &about) != 0) return 0;
  const uint64_t stamp =
      absl::HashOf(about.st_dev, about.st_ino, about.st_size, about.st_mtim.tv_sec,
                   about.st_mtim.tv_nsec, about.st_ctim.tv_sec, about.st_ctim.tv_nsec);
  return stamp == 0 ? 1 : stamp;
}

bool FileWatch::Look(uint64_t stamp, uint64_t known, Time now) {
  due_ = now + kInterval;
  const bool settled = std::exchange(seen_, stamp) == stamp;
  if (stamp == known) return false;
  if (!settled) due_ = now + kSettling;
  return settled;
}

}  // namespace trunkline::config
