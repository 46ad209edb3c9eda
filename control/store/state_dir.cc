#include "control/store/state_dir.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "control/config/read_file.h"
#include "control/config/text.h"
#include "control/store/state_format.h"
#include "router/base/secret.h"
#include "router/base/status.h"
#include "router/base/thread.h"

namespace trunkline::store {
namespace {

constexpr char kStateFile[] = "/state.json";
constexpr char kNewFile[] = "/state.json.new";
constexpr char kOldFile[] = "/state.json.old";
constexpr char kLockFile[] = "/lock";

absl::Status ErrnoStatus(const std::string& what) {
  return absl::UnavailableError(config::Concat(what, ": ", strerrordesc_np(errno)));
}

// Closes itself.
class File {
 public:
  explicit File(int fd) : fd_(fd) {}
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  const int fd_;
};

absl::Status WriteAll(int fd, std::string_view bytes, const std::string& name) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return ErrnoStatus(name);
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return absl::OkStatus();
}

absl::Status WriteFile(const std::string& name, std::string_view bytes) {
  const File file(
      ::open(name.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) return ErrnoStatus(name);
  TL_RETURN_IF_ERROR(WriteAll(file.get(), bytes, name));
  return ::fsync(file.get()) == 0 ? absl::OkStatus() : ErrnoStatus(name);
}

// The old file is there until the new one is, wherever this is interrupted: first the bytes, then
// the name, then the folder that has the name. Half a file is not left on a disk that is full. The
// old one has a second name meanwhile, and gets its first one back if the folder cannot be written.
absl::Status Replace(const std::string& folder, std::string_view bytes) {
  const std::string state = folder + kStateFile;
  const std::string next = folder + kNewFile;
  const std::string old = folder + kOldFile;
  // First, as there may be no descriptor left when the names have changed.
  const File parent(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!parent) return ErrnoStatus(folder);
  if (absl::Status status = WriteFile(next, bytes); !status.ok()) {
    ::unlink(next.c_str());
    return status;
  }
  ::unlink(old.c_str());
  // Where files cannot have two names there is no way back: the rename below finds nothing.
  const bool is_first = ::link(state.c_str(), old.c_str()) != 0 && errno == ENOENT;
  if (::rename(next.c_str(), state.c_str()) != 0) {
    const absl::Status status = ErrnoStatus(next);
    ::unlink(next.c_str());
    ::unlink(old.c_str());
    return status;
  }
  if (::fsync(parent.get()) == 0) {
    ::unlink(old.c_str());
    return absl::OkStatus();
  }
  const absl::Status status = ErrnoStatus(folder);
  const bool is_back =
      (is_first ? ::unlink(state.c_str()) : ::rename(old.c_str(), state.c_str())) == 0;
  if (is_back && ::fsync(parent.get()) == 0) return status;
  return absl::UnknownError(status.message());
}

// A new folder has to be on the disk itself, or what is kept in it may be gone with it.
absl::Status MakeFolder(const std::string& folder) {
  if (::mkdir(folder.c_str(), 0700) == 0) {
    const File parent(::open((folder + "/..").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (parent && ::fsync(parent.get()) == 0) return absl::OkStatus();
    const int error = errno;
    ::rmdir(folder.c_str());
    errno = error;
  } else if (errno == EEXIST) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(config::Concat(folder, ": ", strerrordesc_np(errno)));
}

absl::Status CheckFolder(const std::string& folder) {
  TL_RETURN_IF_ERROR(MakeFolder(folder));
  struct stat info {};
  if (::stat(folder.c_str(), &info) != 0) {
    return absl::FailedPreconditionError(config::Concat(folder, ": ", strerrordesc_np(errno)));
  }
  if (!S_ISDIR(info.st_mode)) {
    return absl::FailedPreconditionError(config::Concat(folder, ": is not a folder"));
  }
  if ((info.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return absl::FailedPreconditionError(config::Concat(
        folder, ": others than its owner may use it, and keys will be in it; chmod 0700"));
  }
  return absl::OkStatus();
}

}  // namespace

// The thread that waits for the disk, and the one state that it has to write.
class StateDir::Writer {
 public:
  explicit Writer(std::string folder) : folder_(std::move(folder)), thread_([this] { Run(); }) {}
  ~Writer() {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
    }
    changed_.notify_one();
    thread_.join();
  }

  void Write(Secret state, std::function<void(absl::Status)> done) {
    {
      const std::lock_guard lock(mutex_);
      job_ = Job{std::move(state), std::move(done)};
    }
    changed_.notify_one();
  }

 private:
  struct Job {
    Secret state;
    std::function<void(absl::Status)> done;
  };

  void Run() {
    BeginThread("tl-store", ThreadClass::kService);
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [this] { return job_ || ending_; });
      if (!job_) return;
      Job job = *std::exchange(job_, std::nullopt);
      lock.unlock();
      absl::Status status = Replace(folder_, job.state.view());
      job.state = {};  // done may begin the next one
      job.done(std::move(status));
      lock.lock();
    }
  }

  const std::string folder_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Job> job_;
  bool ending_ = false;
  std::thread thread_;  // last: it uses the rest
};

StateDir::StateDir() = default;

StateDir::~StateDir() {
  writer_.reset();
  if (lock_ >= 0) ::close(lock_);
}

absl::StatusOr<std::unique_ptr<StateDir>> StateDir::Open(const std::string& folder) {
  TL_RETURN_IF_ERROR(CheckFolder(folder));
  std::unique_ptr<StateDir> state(new StateDir());
  state->folder_ = folder;
  const std::string name = folder + kLockFile;
  state->lock_ = ::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (state->lock_ < 0) {
    return absl::FailedPreconditionError(config::Concat(name, ": ", strerrordesc_np(errno)));
  }
  if (::flock(state->lock_, LOCK_EX | LOCK_NB) != 0) {
    return absl::FailedPreconditionError(
        config::Concat(folder, ": another process keeps its state there"));
  }
  // Of a process that ended while it wrote; there may be keys in them.
  ::unlink((folder + kNewFile).c_str());
  ::unlink((folder + kOldFile).c_str());
  state->writer_ = std::make_unique<Writer>(folder);
  return state;
}

absl::StatusOr<config::Document> StateDir::Read() const {
  const std::string name = folder_ + kStateFile;
  absl::StatusOr<std::string> bytes = config::ReadFile(name, kStateBytesMax);
  if (absl::IsNotFound(bytes.status())) return config::Document();
  if (!bytes.ok()) return bytes.status();
  absl::StatusOr<config::Document> made = DecodeState(*bytes);
  Wipe(*bytes);
  if (made.ok()) return made;
  // A newer one is no reason to lose it.
  const bool is_lost = absl::IsDataLoss(made.status());
  return absl::Status(
      made.status().code(),
      config::Concat(name, ": ", made.status().message(),
                     is_lost ? "; move it away to start without what was made over the API" : ""));
}

void StateDir::Save(Secret state, std::function<void(absl::Status)> done) {
  writer_->Write(std::move(state), std::move(done));
}

}  // namespace trunkline::store
