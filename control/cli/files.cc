#include "control/cli/files.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <system_error>

#include "control/cli/session.h"
#include "control/config/text.h"
#include "router/base/status.h"

namespace trunkline::cli {
namespace {

using config::Concat;

absl::Status Failed(const std::string& file) {
  return absl::FailedPreconditionError(Concat(file, ": ", ::strerror(errno)));
}

// Closes it, too.
absl::Status WriteAll(int fd, const std::string& file, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      const absl::Status status = Failed(file);
      ::close(fd);
      return status;
    }
    text.remove_prefix(static_cast<size_t>(written));
  }
  return ::close(fd) == 0 ? absl::OkStatus() : Failed(file);
}

absl::StatusOr<std::string> ReadAll(int fd, const std::string& name) {
  std::string text;
  char buffer[65536];
  while (true) {
    const ssize_t count = ::read(fd, buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    // As main opens it where it was not.
    if (count < 0 && errno == EBADF) return absl::FailedPreconditionError(name + ": is closed");
    if (count < 0) return Failed(name);
    if (count == 0) return text;
    text.append(buffer, static_cast<size_t>(count));
    if (text.size() > kTextBytesMax) {
      return absl::OutOfRangeError(Concat(name, ": more than ", kTextBytesMax, " bytes"));
    }
  }
}

// As system(3): while a program has the terminal, its keys are for that alone. Ctrl-C is a command
// of editors. The program gets the signals as they were.
class KeysElsewhere {
 public:
  KeysElsewhere() {
    struct sigaction ignore {};
    ignore.sa_handler = SIG_IGN;
    sigset_t defaults;
    ::sigemptyset(&defaults);
    for (Key& key : keys_) {
      ::sigaction(key.signal, &ignore, &key.before);
      if (key.before.sa_handler != SIG_IGN) ::sigaddset(&defaults, key.signal);
    }
    ::posix_spawnattr_init(&attributes_);
    ::posix_spawnattr_setsigdefault(&attributes_, &defaults);
    ::posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGDEF);
  }
  ~KeysElsewhere() {
    ::posix_spawnattr_destroy(&attributes_);
    for (const Key& key : keys_) ::sigaction(key.signal, &key.before, nullptr);
  }
  KeysElsewhere(const KeysElsewhere&) = delete;
  KeysElsewhere& operator=(const KeysElsewhere&) = delete;

  // Of the program.
  const posix_spawnattr_t* attributes() const { return &attributes_; }

 private:
  struct Key {
    int signal;
    struct sigaction before;
  };
  Key keys_[2] = {{SIGINT, {}}, {SIGQUIT, {}}};
  posix_spawnattr_t attributes_;
};

}  // namespace

absl::StatusOr<std::string> ReadText(const std::string& file) {
  if (file == "-") return ReadAll(STDIN_FILENO, "standard input");
  // What a shell puts for <(COMMAND) is a pipe.
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (fd < 0) return Failed(file);
  struct stat about {};
  const bool is_folder = ::fstat(fd, &about) == 0 && S_ISDIR(about.st_mode);
  auto text = is_folder ? absl::InvalidArgumentError(file + ": is a folder; name a file in it")
                        : ReadAll(fd, file);
  ::close(fd);
  return text;
}

absl::Status ReplacePrivateFile(const std::string& file, std::string_view text) {
  const std::filesystem::path folder = std::filesystem::path(file).parent_path();
  std::error_code error;
  if (!std::filesystem::exists(folder, error)) {
    std::filesystem::create_directories(folder.parent_path(), error);
    if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return Failed(folder.string());
  }
  const std::string next = file + ".next";
  ::unlink(next.c_str());
  const int fd = ::open(next.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return Failed(next);
  TL_RETURN_IF_ERROR(WriteAll(fd, next, text));
  return ::rename(next.c_str(), file.c_str()) == 0 ? absl::OkStatus() : Failed(file);
}

absl::StatusOr<std::string> MakeTemporaryFile(std::string_view text, const std::string& ending) {
  std::string folder = Environment("TMPDIR");
  if (folder.empty()) folder = "/tmp";
  std::string name = folder + "/trunkctl-XXXXXX" + ending;
  const int fd = ::mkostemps(name.data(), static_cast<int>(ending.size()), O_CLOEXEC);
  if (fd < 0) return Failed(name);
  TL_RETURN_IF_ERROR(WriteAll(fd, name, text));
  return name;
}

absl::Status OverwriteFile(const std::string& file, std::string_view text) {
  const int fd = ::open(file.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC);
  return fd < 0 ? Failed(file) : WriteAll(fd, file, text);
}

absl::Status EditFile(const std::string& file) {
  std::string editor = Environment("VISUAL");
  if (editor.empty()) editor = Environment("EDITOR");
  if (editor.empty()) editor = "vi";
  // By the shell, as the variable may have arguments in it; the name of the file is one of its own.
  // The keys are not for the shell either; to what it runs, traps are as if they were not set.
  std::string command = Concat("trap : INT QUIT; ", editor, " \"$1\"");
  std::string shell = "sh", option = "-c", name = "trunkctl", argument = file;
  char* const words[] = {shell.data(), option.data(),   command.data(),
                         name.data(),  argument.data(), nullptr};
  const KeysElsewhere keys;
  pid_t child = 0;
  if (const int error =
          ::posix_spawn(&child, "/bin/sh", nullptr, keys.attributes(), words, ::environ)) {
    return absl::FailedPreconditionError(Concat(editor, ": ", ::strerror(error)));
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return absl::OkStatus();
  return absl::FailedPreconditionError(Concat("the editor (", editor, ") failed"));
}

}  // namespace trunkline::cli
