#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace trunkline::api {

// A unix socket that replaces what a dead process has left, but not one that is in use, and that
// nobody can open before it has its mode: the server binds it in a folder that is its own alone,
// then it is moved to where it belongs. A lock file beside it, "SOCKET.lock", says that it is ours;
// it stays when the process ends.
//
// Thread: control.
class SocketFile {
 public:
  // sun_path has 108 bytes; the private folder's name may be longer than the socket's.
  static constexpr size_t kPathBytesMax = 98;

  // Locks `path`; makes its folder if only that is missing. FailedPrecondition: another process has
  // it, something else lies there, the folder or the group (empty: the process's) cannot be used.
  static absl::StatusOr<std::unique_ptr<SocketFile>> Prepare(const std::string& path,
                                                             const std::string& group);
  ~SocketFile();  // removes the socket, if it is still ours
  SocketFile(const SocketFile&) = delete;
  SocketFile& operator=(const SocketFile&) = delete;

  // Where to bind.
  std::string bind_path() const { return private_folder_ + "/s"; }
  // REQUIRES: a server listens at bind_path(). From here on others can connect.
  absl::Status Publish();

 private:
  explicit SocketFile(std::string path) : path_(std::move(path)) {}
  absl::Status MakeFolder();
  absl::Status Lock();
  absl::Status CheckPlace() const;
  absl::Status MakePrivateFolder();

  const std::string path_;
  unsigned group_ = static_cast<unsigned>(-1);  // gid_t; -1: as it is
  int lock_fd_ = -1;
  std::string private_folder_;
  uint64_t inode_ = 0;  // of the socket that was published
};

}  // namespace trunkline::api
