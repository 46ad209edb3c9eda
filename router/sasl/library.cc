#include "router/sasl/library.h"

#include <malloc.h>
#include <pthread.h>
#include <sasl/sasl.h>
#include <sasl/saslplug.h>
#include <string.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "router/sasl/auxprop.h"
#include "router/sasl/mechanisms.h"

namespace trunkline::sasl {
namespace {

// Plugins that are of use, by the beginning of their files' names; the others stay outside.
constexpr std::array<std::string_view, 7> kPlugins = {
    "libplain.",     "liblogin.",  "libscram.",    "libcrammd5.",
    "libdigestmd5.", "libsasldb.", "libgssapiv2.",
};

// --- memory: what libsasl2 frees may have been a password

void* Reallocate(void* old, size_t size) {
  void* fresh = std::malloc(size);
  if (fresh == nullptr || old == nullptr) return fresh;
  const size_t had = ::malloc_usable_size(old);
  std::memcpy(fresh, old, std::min(had, size));
  ::explicit_bzero(old, had);
  std::free(old);
  return fresh;
}

void Free(void* memory) {
  if (memory == nullptr) return;
  ::explicit_bzero(memory, ::malloc_usable_size(memory));
  std::free(memory);
}

// --- locks

void* MakeMutex() {
  auto* const mutex = new pthread_mutex_t;
  *mutex = PTHREAD_MUTEX_INITIALIZER;
  return mutex;
}
int Lock(void* mutex) { return ::pthread_mutex_lock(static_cast<pthread_mutex_t*>(mutex)); }
int Unlock(void* mutex) { return ::pthread_mutex_unlock(static_cast<pthread_mutex_t*>(mutex)); }
void FreeMutex(void* mutex) { delete static_cast<pthread_mutex_t*>(mutex); }

// --- callbacks of the process

// What goes wrong is asked for where it goes wrong; at its finest level this log has passwords.
int IgnoreLog(void*, int, const char*) { return SASL_OK; }

// Configuration files of the system decide nothing here.
int VerifyFile(void*, const char* file, sasl_verify_type_t type) {
  if (type == SASL_VRFY_CONF) return SASL_CONTINUE;
  if (type != SASL_VRFY_PLUGIN) return SASL_OK;
  std::string_view name = file;
  if (const size_t slash = name.rfind('/'); slash != name.npos) name.remove_prefix(slash + 1);
  const bool wanted = std::any_of(kPlugins.begin(), kPlugins.end(), [&](std::string_view plugin) {
    return name.starts_with(plugin);
  });
  return wanted ? SASL_OK : SASL_CONTINUE;
}

using Procedure = int (*)();
template <typename F>
Procedure AsProcedure(F* function) {
  return reinterpret_cast<Procedure>(reinterpret_cast<void*>(function));
}

absl::Status Failed(const char* what, int result) {
  return absl::FailedPreconditionError(
      absl::StrCat("libsasl2: ", what, ": ", sasl_errstring(result, nullptr, nullptr)));
}

// Never undone: there is no safe moment, as exchanges may be under way on several threads.
absl::Status LoadOnce() {
  static const std::array<sasl_callback_t, 3> callbacks = {{
      {SASL_CB_LOG, AsProcedure(&IgnoreLog), nullptr},
      {SASL_CB_VERIFYFILE, AsProcedure(&VerifyFile), nullptr},
      {SASL_CB_LIST_END, nullptr, nullptr},
  }};
  sasl_set_alloc(&std::malloc, &std::calloc, &Reallocate, &Free);
  sasl_set_mutex(&MakeMutex, &Lock, &Unlock, &FreeMutex);
  if (const int result = sasl_server_init(callbacks.data(), nullptr); result != SASL_OK) {
    return Failed("cannot start as server", result);
  }
  if (const int result = sasl_client_init(callbacks.data()); result != SASL_OK) {
    return Failed("cannot start as client", result);
  }
  if (const int result = AddAuxprop(); result != SASL_OK) {
    return Failed("cannot add the user store", result);
  }
  return absl::OkStatus();
}

// Adds the name to the list that `rock` is.
void Collect(sasl_auxprop_plug_t* plugin, sasl_info_callback_stage_t stage, void* rock) {
  if (stage != SASL_INFO_LIST_MECH || plugin == nullptr || plugin->name == nullptr) return;
  static_cast<std::vector<std::string>*>(rock)->emplace_back(plugin->name);
}

bool Contains(const std::vector<std::string>& list, std::string_view text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

}  // namespace

absl::Status Load() {
  static const auto* const status = new absl::Status(LoadOnce());
  return *status;
}

absl::Status CheckMechanism(std::string_view mechanism) {
  if (absl::Status status = Load(); !status.ok()) return status;
  for (const char** name = sasl_global_listmech(); name != nullptr && *name != nullptr; ++name) {
    if (mechanism == *name) return absl::OkStatus();
  }
  const char* const package =
      mechanism == kGssapi ? "libsasl2-modules-gssapi-mit" : "libsasl2-modules";
  return absl::FailedPreconditionError(absl::StrCat(
      std::string(mechanism),
      " needs a plugin of libsasl2 that is not installed; Debian's package ", package, " has it"));
}

absl::Status CheckSasldb() {
  if (absl::Status status = Load(); !status.ok()) return status;
  std::vector<std::string> plugins;
  auxprop_plugin_info(nullptr, &Collect, &plugins);
  if (Contains(plugins, "sasldb")) return absl::OkStatus();
  return absl::FailedPreconditionError(
      "needs a plugin of libsasl2 that is not installed; Debian's package libsasl2-modules-db has "
      "it");
}

}  // namespace trunkline::sasl
