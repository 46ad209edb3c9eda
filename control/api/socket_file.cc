#include "control/api/socket_file.h"

#include <fcntl.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <utility>
#include <vector>

#include "control/config/text.h"
#include "router/base/status.h"

namespace trunkline::api {
namespace {

using config::Concat;

constexpr mode_t kSocketMode = 0660;
constexpr mode_t kFolderMode = 0750;  // of one that is made here

// "PATH: No such file or directory".
absl::Status Failed(const std::string& path, int error) {
  return absl::FailedPreconditionError(Concat(path, ": ", ::strerrordesc_np(error)));
}

absl::StatusOr<gid_t> FindGroup(const std::string& name) {
  std::vector<char> buffer(1 << 16);
  group entry;
  group* found = nullptr;
  const int error = ::getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
  if (error == 0 && found != nullptr) return entry.gr_gid;
  return absl::FailedPreconditionError(
      Concat("there is no group ", config::Quote(name),
             error == 0 ? "" : Concat(": ", ::strerrordesc_np(error))));
}

// Whether somebody accepts connections there.
bool IsServed(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return false;
  const int failed = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  const bool served = failed == 0 || errno == EAGAIN;  // its backlog is full
  ::close(fd);
  return served;
}

}  // namespace

absl::StatusOr<std::unique_ptr<SocketFile>> SocketFile::Prepare(const std::string& path,
                                                                const std::string& group) {
  std::unique_ptr<SocketFile> file(new SocketFile(path));
  if (path.size() > kPathBytesMax) {
    return absl::FailedPreconditionError(
        Concat(path, ": ", path.size(), " bytes are more than ", kPathBytesMax));
  }
  if (!group.empty()) {
    TL_ASSIGN_OR_RETURN(file->group_, FindGroup(group));
  }
  TL_RETURN_IF_ERROR(file->MakeFolder());
  TL_RETURN_IF_ERROR(file->Lock());
  TL_RETURN_IF_ERROR(file->CheckPlace());
  TL_RETURN_IF_ERROR(file->MakePrivateFolder());
  return file;
}

SocketFile::~SocketFile() {
  if (!private_folder_.empty()) {
    ::unlink(bind_path().c_str());
    ::rmdir(private_folder_.c_str());
  }
  struct stat found;
  if (inode_ != 0 && ::lstat(path_.c_str(), &found) == 0 && found.st_ino == inode_) {
    ::unlink(path_.c_str());
  }
  if (lock_fd_ >= 0) ::close(lock_fd_);
}

absl::Status SocketFile::MakeFolder() {
  const std::string folder = std::filesystem::path(path_).parent_path().string();
  if (folder.empty() || ::mkdir(folder.c_str(), S_IRWXU) != 0) {
    return folder.empty() || errno == EEXIST ? absl::OkStatus() : Failed(folder, errno);
  }
  // Whatever the process's mask is; the group gets in only now.
  if (::chown(folder.c_str(), static_cast<uid_t>(-1), group_) != 0 ||
      ::chmod(folder.c_str(), kFolderMode) != 0) {
    return Failed(folder, errno);
  }
  return absl::OkStatus();
}

absl::Status SocketFile::Lock() {
  const std::string lock = path_ + ".lock";
  lock_fd_ = ::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);
  if (lock_fd_ < 0) return Failed(lock, errno);
  if (::flock(lock_fd_, LOCK_EX | LOCK_NB) == 0) return absl::OkStatus();
  if (errno != EWOULDBLOCK) return Failed(lock, errno);
  return absl::FailedPreconditionError(Concat(path_, ": another trunkd serves it"));
}

absl::Status SocketFile::CheckPlace() const {
  struct stat found;
  if (::lstat(path_.c_str(), &found) != 0) {
    return errno == ENOENT ? absl::OkStatus() : Failed(path_, errno);
  }
  if (!S_ISSOCK(found.st_mode)) {
    return absl::FailedPreconditionError(Concat(path_, ": is there, and is no socket"));
  }
  if (IsServed(path_)) {
    return absl::FailedPreconditionError(Concat(path_, ": another process serves it"));
  }
  return absl::OkStatus();
}

absl::Status SocketFile::MakePrivateFolder() {
  const std::filesystem::path beside = std::filesystem::path(path_).parent_path();
  std::string name = (beside / ".XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) return Failed(beside.string(), errno);
  private_folder_ = std::move(name);
  return absl::OkStatus();
}

absl::Status SocketFile::Publish() {
  const std::string bound = bind_path();
  struct stat made;
  if (::chown(bound.c_str(), static_cast<uid_t>(-1), group_) != 0 ||
      ::chmod(bound.c_str(), kSocketMode) != 0 || ::lstat(bound.c_str(), &made) != 0 ||
      ::rename(bound.c_str(), path_.c_str()) != 0) {
    return Failed(path_, errno);
  }
  inode_ = made.st_ino;
  ::rmdir(private_folder_.c_str());
  private_folder_.clear();
  return absl::OkStatus();
}

}  // namespace trunkline::api
