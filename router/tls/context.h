#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "router/tls/bundle.h"

namespace trunkline::tls {

// Of the library that this process runs with, "OpenSSL 3.0.15 3 Sep 2024".
std::string LibraryVersion();

// Of the protocol; older ones are not spoken.
enum class Version : uint8_t { kTls12, kTls13 };

// How peers are asked for certificates on listeners.
enum class ClientAuth : uint8_t { kNone, kRequest, kRequire };

// What is not secret about a context. Errors name these fields.
struct ContextOptions {
  Version min_version = Version::kTls12;
  Version max_version = Version::kTls13;
  std::string ciphers;        // OpenSSL list for TLS 1.2; empty: the library's default
  std::string cipher_suites;  // for TLS 1.3; empty: default
  std::string uid_format;     // spec routing section 11.3; empty: no user id from certificates
};

// SSL_CTX made from a Bundle: immutable, shared by all connections that started with it. Session
// tickets, session cache and renegotiation are off. Thread: any; the handshakes are their worker's.
class Context {
 public:
  // InvalidArgument: what cannot be parsed or does not belong together, field first.
  static absl::StatusOr<std::shared_ptr<const Context>> Build(const Bundle& bundle,
                                                              const ContextOptions& options);
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  const ContextOptions& options() const { return options_; }
  void* native() const { return native_; }  // SSL_CTX*, for tls/stage.cc
  bool has_certificate() const { return has_certificate_; }
  bool has_ca() const { return has_ca_; }

 private:
  Context() = default;

  ContextOptions options_;
  void* native_ = nullptr;
  bool has_certificate_ = false;
  bool has_ca_ = false;
};

}  // namespace trunkline::tls
