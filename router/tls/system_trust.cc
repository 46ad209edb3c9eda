#include "router/tls/system_trust.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <mutex>
#include <tuple>
#include <utility>

namespace trunkline::tls {
namespace {

// What tells one version of a file from another.
using Stamp = std::tuple<std::string, dev_t, ino_t, off_t, time_t, long>;

Stamp StampOfFile() {
  const char* name = ::secure_getenv(X509_get_default_cert_file_env());
  if (name == nullptr) name = X509_get_default_cert_file();
  struct stat found = {};
  if (::stat(name, &found) != 0) return {name, 0, 0, 0, 0, 0};
  return {name,          found.st_dev,         found.st_ino,
          found.st_size, found.st_mtim.tv_sec, found.st_mtim.tv_nsec};
}

Owned<X509_STORE> Read() {
  Owned<X509_STORE> store(X509_STORE_new());
  // Where there are none nobody is trusted.
  if (store != nullptr) X509_STORE_set_default_paths(store.get());
  ERR_clear_error();
  return store;
}

}  // namespace

Owned<X509_STORE> SystemTrust() {
  static std::mutex mutex;  // of what follows; one that the thread sanitizer knows
  static Stamp stamp;
  static Owned<X509_STORE> store;
  const std::lock_guard lock(mutex);
  // Before the reading: a file that changes meanwhile is read again the next time.
  Stamp now = StampOfFile();
  if (store == nullptr || now != stamp) {
    store = Read();
    stamp = std::move(now);
  }
  if (store == nullptr || X509_STORE_up_ref(store.get()) != 1) return nullptr;
  return Owned<X509_STORE>(store.get());
}

}  // namespace trunkline::tls
