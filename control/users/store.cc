#include "control/users/store.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/hash/hash.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "control/config/file_watch.h"
#include "control/config/read_file.h"
#include "router/base/status.h"
#include "router/sasl/library.h"

namespace trunkline::users {
namespace {

// The names in a directory that may be users, in order; one more than kUsersMax at most.
absl::StatusOr<std::vector<std::string>> NamesIn(const std::string& directory) {
  DIR* const dir = ::opendir(directory.c_str());
  if (dir == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("directory: ", directory, ": ", std::strerror(errno)));
  }
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(dir)) {
    // Also "..data" and what it leads to, which Kubernetes keeps beside the users.
    if (entry->d_name[0] == '.') continue;
    names.emplace_back(entry->d_name);
    if (names.size() > kUsersMax) break;
  }
  ::closedir(dir);
  std::sort(names.begin(), names.end());
  return names;
}

uint64_t StampOfDirectory(const std::string& directory) {
  const absl::StatusOr<std::vector<std::string>> names = NamesIn(directory);
  if (!names.ok()) return 0;
  uint64_t stamp = absl::HashOf(names->size());
  for (const std::string& name : *names) {
    stamp = absl::HashOf(stamp, name, config::StampOfFile(absl::StrCat(directory, "/", name)));
  }
  return stamp == 0 ? 1 : stamp;
}

absl::Status CheckName(const std::string& name) {
  const bool control = std::any_of(name.begin(), name.end(), [](unsigned char c) {
    return absl::ascii_iscntrl(c) || absl::ascii_isspace(c);
  });
  if (!control) return absl::OkStatus();
  return absl::InvalidArgumentError("directory: the name of a file holds blanks");
}

void WarnIfOpen(const std::string& field, const std::string& file,
                std::vector<std::string>& warnings) {
  struct stat about {};
  if (::stat(file.c_str(), &about) != 0 || (about.st_mode & S_IROTH) == 0) return;
  warnings.push_back(absl::StrCat(field, ": ", file, " is readable by every user"));
}

// The text of a password file, without its line end.
absl::StatusOr<std::string> ReadText(const std::string& field, const std::string& file) {
  absl::StatusOr<std::string> text = config::ReadFile(file, kPasswordBytesMax + 2);
  if (!text.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(field, ": ", text.status().message()));
  }
  if (text->ends_with('\n')) text->pop_back();
  if (text->ends_with('\r')) text->pop_back();
  const char* wrong = nullptr;
  if (text->empty()) wrong = "holds no password";
  if (text->size() > kPasswordBytesMax) wrong = "a password is at most 1024 bytes long";
  if (text->find('\0') != std::string::npos) wrong = "a password must not hold a zero byte";
  if (wrong == nullptr) return text;
  Wipe(*text);
  return absl::InvalidArgumentError(absl::StrCat(field, ": ", file, ": ", wrong));
}

absl::Status ReadUsers(const std::string& directory, std::vector<sasl::Credential>& users,
                       std::vector<std::string>& warnings) {
  TL_ASSIGN_OR_RETURN(const std::vector<std::string> names, NamesIn(directory));
  if (names.size() > kUsersMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("directory: ", directory, ": more than ", kUsersMax, " users"));
  }
  if (names.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("directory: ", directory, ": has no users"));
  }
  for (const std::string& name : names) {
    TL_RETURN_IF_ERROR(CheckName(name));
    const std::string file = absl::StrCat(directory, "/", name);
    TL_ASSIGN_OR_RETURN(std::string password, ReadText("directory", file));
    users.push_back({name, std::move(password)});
    if (warnings.empty()) WarnIfOpen("directory", file, warnings);
  }
  return absl::OkStatus();
}

absl::Status CheckSasldb(const std::string& file) {
  if (absl::Status status = sasl::CheckSasldb(); !status.ok()) {
    return absl::Status(status.code(), absl::StrCat("sasldb_file: ", status.message()));
  }
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  const int error = errno;
  if (fd >= 0) ::close(fd);
  if (fd >= 0) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("sasldb_file: ", file, ": ", std::strerror(error)));
}

}  // namespace

absl::StatusOr<Store> LoadStore(const v1::UserStoreSpec& spec, const Store* before) {
  Store store;
  store.stamp = StampOf(spec);  // before: what changes while it is read is read again
  if (before != nullptr && before->stamp == store.stamp && store.stamp != 0) return *before;
  if (!spec.sasldb_file().empty()) {
    TL_RETURN_IF_ERROR(CheckSasldb(spec.sasldb_file()));
    WarnIfOpen("sasldb_file", spec.sasldb_file(), store.warnings);
    store.users = sasl::Users::FromSasldb(spec.realm(), spec.sasldb_file());
    return store;
  }
  std::vector<sasl::Credential> users;
  const absl::Status status = ReadUsers(spec.directory(), users, store.warnings);
  if (status.ok()) {
    store.users = sasl::Users::FromCredentials(spec.realm(), users,
                                               before == nullptr ? nullptr : before->users.get());
  }
  for (sasl::Credential& user : users) Wipe(user.password);
  if (!status.ok()) return status;
  return store;
}

Store LoadBuiltIn(const v1::UserStoreSpec& spec, const config::BuiltInUsers* users) {
  Store store;
  store.stamp = absl::HashOf(spec.realm(), users == nullptr ? 0 : users->users.size());
  std::vector<sasl::Verifier> verifiers;
  if (users != nullptr) {
    for (const auto& [name, user] : users->users) {
      const std::string_view keys = user.keys.view();
      store.stamp = absl::HashOf(store.stamp, name, absl::string_view(keys.data(), keys.size()));
      verifiers.push_back({name, user.keys});
    }
  }
  store.stamp |= 1;
  store.users = sasl::Users::FromVerifiers(
      spec.realm(), users == nullptr ? sasl::Users::MakeSaltKey() : users->salt_key, verifiers);
  return store;
}

uint64_t StampOf(const v1::UserStoreSpec& spec) {
  const bool sasldb = !spec.sasldb_file().empty();
  const uint64_t stamp = sasldb ? 1 : StampOfDirectory(spec.directory());
  if (stamp == 0) return 0;
  return absl::HashOf(stamp, spec.directory(), spec.sasldb_file(), spec.realm()) | 1;
}

absl::StatusOr<Secret> ReadPassword(const std::string& field, const std::string& file) {
  TL_ASSIGN_OR_RETURN(std::string text, ReadText(field, file));
  Secret secret(text);
  Wipe(text);
  return secret;
}

}  // namespace trunkline::users
