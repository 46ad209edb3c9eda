#include "router/sasl/kerberos.h"

#include <dlfcn.h>

#include <cstdint>
#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "router/base/status.h"
#include "router/sasl/library.h"
#include "router/sasl/mechanisms.h"
#include "router/sasl/session.h"

namespace trunkline::sasl {
namespace {

// Behind the frame of a first token: the mechanism, 1.2.840.113554.1.2.2, and that it is a request.
constexpr std::string_view kRequest("\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x01\x00", 13);

// What is used of libkrb5. The plugin has brought it along; trunkd is not linked with it, as few
// need it.
class Krb5 {
 public:
  Krb5() : library_(::dlopen("libkrb5.so.3", RTLD_LAZY | RTLD_NOLOAD)) {
    if (library_ == nullptr) return;
    whole_ = Find("krb5_init_context", init_context) && Find("krb5_free_context", free_context) &&
             Find("krb5_get_default_realm", get_default_realm) &&
             Find("krb5_free_default_realm", free_default_realm);
  }
  ~Krb5() {
    if (library_ != nullptr) ::dlclose(library_);
  }
  Krb5(const Krb5&) = delete;
  Krb5& operator=(const Krb5&) = delete;

  bool whole() const { return whole_; }

  int32_t (*init_context)(void** context) = nullptr;
  void (*free_context)(void* context) = nullptr;
  int32_t (*get_default_realm)(void* context, char** realm) = nullptr;
  void (*free_default_realm)(void* context, char* realm) = nullptr;

 private:
  template <typename F>
  bool Find(const char* name, F*& function) {
    function = reinterpret_cast<F*>(::dlsym(library_, name));
    return function != nullptr;
  }

  void* const library_;
  bool whole_ = false;
};

}  // namespace

bool IsKerberosRequest(std::string_view token) {
  const auto byte = [&](size_t at) { return static_cast<uint8_t>(token[at]); };
  if (token.size() < 2 || byte(0) != 0x60) return false;
  size_t size = byte(1);
  size_t begin = 2;
  if (size == 0x81 && token.size() > 2) {
    size = byte(2);
    begin = 3;
    if (size < 0x80) return false;
  } else if (size == 0x82 && token.size() > 3) {
    size = size_t{byte(2)} << 8 | byte(3);
    begin = 4;
    if (size < 0x100) return false;
  } else if (size >= 0x80) {
    return false;
  }
  token.remove_prefix(begin);
  return token.size() == size && token.starts_with(kRequest);
}

absl::StatusOr<std::string> DefaultRealm() {
  if (absl::Status status = Load(); !status.ok()) return status;
  const Krb5 krb5;
  if (!krb5.whole()) return absl::FailedPreconditionError("MIT Kerberos is not loaded");
  void* context = nullptr;
  if (krb5.init_context(&context) != 0) {
    return absl::FailedPreconditionError("krb5.conf cannot be read");
  }
  char* realm = nullptr;
  const bool known = krb5.get_default_realm(context, &realm) == 0 && realm != nullptr;
  absl::StatusOr<std::string> result =
      absl::FailedPreconditionError("krb5.conf has no default_realm");
  if (known) {
    result = std::string(realm);
    krb5.free_default_realm(context, realm);
  }
  krb5.free_context(context);
  return result;
}

// A request without content is refused for that only if there is a key to look into it with.
absl::Status CheckKeytab() {
  TL_RETURN_IF_ERROR(CheckMechanism(kGssapi));
  if (const absl::StatusOr<std::string> realm = DefaultRealm(); !realm.ok()) {
    return absl::FailedPreconditionError(
        absl::StrCat("GSSAPI: ", realm.status().message(), " (see KRB5_CONFIG in trunkd(8))"));
  }
  const std::unique_ptr<Session> session =
      Session::Server({.mechanism = std::string(kGssapi), .users = nullptr});
  std::string empty = "\x60";
  empty += static_cast<char>(kRequest.size());
  empty += kRequest;
  const Answer answer = session->Step(empty);
  if (answer.verdict == Verdict::kDenied) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("GSSAPI: no key to take tickets with: ", answer.detail,
                   " (the keytab is that of KRB5_KTNAME; see trunkd(8))"));
}

}  // namespace trunkline::sasl
