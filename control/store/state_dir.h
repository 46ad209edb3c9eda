#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/config/document.h"
#include "router/base/secret.h"

namespace trunkline::store {

// So many bytes Read takes.
inline constexpr size_t kStateBytesMax = size_t{256} << 20;

// The folder in which resources made over the API are there after a restart, or after the end of
// the process at any moment: one file, `state.json`, which is replaced as a whole. A state that
// Save has reported as written is on the disk; while it has not, either the old or the new one is;
// after one that has failed the old one is, unless it says that nobody knows.
//
// The folder has mode 0700 and the file 0600, as there may be keys and verifiers of passwords in
// it. A lock keeps out every other process. Owns a thread that does what waits for the disk.
// Thread: control, but for `done` of Save.
class StateDir {
 public:
  // Makes the folder if there is none; its parent must be there. FailedPrecondition: another
  // process has it, it is not a folder, or others than the owner may read or write it.
  static absl::StatusOr<std::unique_ptr<StateDir>> Open(const std::string& folder);
  ~StateDir();  // waits for a write under way
  StateDir(const StateDir&) = delete;
  StateDir& operator=(const StateDir&) = delete;

  // What was saved last; nothing, if nothing was. DataLoss: the file is not what Save writes.
  // FailedPrecondition: a newer trunkd wrote it.
  absl::StatusOr<config::Document> Read() const;

  // Begins to write `state` (EncodeState) in place of what is there; `done` is called on the thread
  // of this object with how it ended. Unavailable: what was there before is there. Unknown: that,
  // or `state`, as the disk would not take the old one back either; the next Save that succeeds
  // settles it. REQUIRES: the last one is done; at most kStateBytesMax.
  void Save(Secret state, std::function<void(absl::Status)> done);

 private:
  StateDir();
  class Writer;

  std::string folder_;
  int lock_ = -1;
  std::unique_ptr<Writer> writer_;
};

}  // namespace trunkline::store
