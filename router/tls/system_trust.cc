#include "router/tls/system_trust.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <mutex>
#include <tuple>
#include <utility>

#include "absl/strings/str_split.h"

namespace trunkline::tls {
namespace {

// What tells one version of the file and the folders from another.
using Stamp = std::vector<std::tuple<std::string, dev_t, ino_t, off_t, time_t, long>>;

struct Trust {
  Stamp stamp;
  Owned<X509_STORE> store;  // null: there is none yet
  bool is_whole = false;    // the file could be read, or there is none
};

std::string PlaceOf(const char* variable, const char* otherwise) {
  const char* place = ::secure_getenv(variable);
  return place != nullptr ? place : otherwise;
}
std::string File() {
  return PlaceOf(X509_get_default_cert_file_env(), X509_get_default_cert_file());
}
// With a colon between them.
std::string Folders() {
  return PlaceOf(X509_get_default_cert_dir_env(), X509_get_default_cert_dir());
}

Stamp Look() {
  Stamp stamp;
  std::vector<std::string> paths = absl::StrSplit(Folders(), ':');
  paths.insert(paths.begin(), File());
  for (std::string& path : paths) {
    struct stat found = {};
    if (::stat(path.c_str(), &found) != 0) found = {};
    stamp.emplace_back(std::move(path), found.st_dev, found.st_ino, found.st_size,
                       found.st_mtim.tv_sec, found.st_mtim.tv_nsec);
  }
  return stamp;
}

// The file is read now; certificates of the folders are when they are looked for, and stay.
Trust Read() {
  // Before the reading: what changes meanwhile is read again the next time.
  Trust trust{.stamp = Look(), .store = Owned<X509_STORE>(X509_STORE_new())};
  if (trust.store == nullptr) return trust;
  // Where there are none nobody is trusted.
  const bool was_read = X509_STORE_load_file(trust.store.get(), File().c_str()) == 1;
  X509_STORE_load_path(trust.store.get(), Folders().c_str());
  ERR_clear_error();
  struct stat found = {};
  trust.is_whole = was_read || ::stat(File().c_str(), &found) != 0;
  return trust;
}

}  // namespace

Owned<X509_STORE> SystemTrust() {
  static std::mutex mutex;  // of what follows; one that the thread sanitizer knows
  static Trust trust;
  const std::lock_guard lock(mutex);
  if (!trust.is_whole || trust.stamp != Look()) trust = Read();
  if (trust.store == nullptr || X509_STORE_up_ref(trust.store.get()) != 1) return nullptr;
  return Owned<X509_STORE>(trust.store.get());
}

}  // namespace trunkline::tls
