#pragma once

#include <dirent.h>

#include <cstddef>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"

namespace trunkline::api {

// Looks at the descriptors that this process has. It holds the one that it looks with, and so can
// look when no others are to be had.
//
// Thread: one at a time.
class Descriptors {
 public:
  // An errno's status: there is no /proc, or no descriptor is left.
  static absl::StatusOr<Descriptors> Open();

  // Those that are connections which came in by the socket `listener`, whoever has them. They are
  // told by their own address, which is the listener's.
  std::vector<int> ConnectionsBy(int listener) const;

  // How many the process may have; 0: who knows.
  static size_t Max();

 private:
  struct Close {
    void operator()(DIR* folder) const { ::closedir(folder); }
  };
  explicit Descriptors(DIR* folder) : folder_(folder) {}
  std::unique_ptr<DIR, Close> folder_;
};

}  // namespace trunkline::api
