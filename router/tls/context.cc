#include "router/tls/context.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "router/base/status.h"
#include "router/tls/identity.h"
#include "router/tls/openssl.h"
#include "router/tls/system_trust.h"

namespace trunkline::tls {
namespace {

// Longer chains are refused: each certificate costs a signature check before the peer is known.
constexpr int kVerifyDepthMax = 16;

int NativeVersion(Version version) {
  return version == Version::kTls12 ? TLS1_2_VERSION : TLS1_3_VERSION;
}

absl::Status Invalid(absl::string_view field, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(field, ": ", what));
}

// What no option changes. A resumed session would present and check no certificate, so there are
// neither tickets nor a cache; renegotiation and compression are attack surface without a use.
void Harden(SSL_CTX* ctx) {
  SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                               SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_num_tickets(ctx, 0);
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
  // Idle connections hold no record buffers. The own chain is sent as given, not completed from
  // what happens to be trusted.
  SSL_CTX_set_mode(
      ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_verify_depth(ctx, kVerifyDepthMax);
  SSL_CTX_set_dh_auto(ctx, 1);
}

absl::Status ApplyVersions(SSL_CTX* ctx, const ContextOptions& options) {
  if (options.min_version > options.max_version) {
    return Invalid("min_version", "is above max_version");
  }
  if (SSL_CTX_set_min_proto_version(ctx, NativeVersion(options.min_version)) != 1 ||
      SSL_CTX_set_max_proto_version(ctx, NativeVersion(options.max_version)) != 1) {
    return Invalid("min_version", TakeError());
  }
  return absl::OkStatus();
}

absl::Status ApplyCiphers(SSL_CTX* ctx, const ContextOptions& options) {
  if (!options.ciphers.empty()) {
    // Whatever the list says, both ends are encrypted and the server has a certificate.
    const std::string list = absl::StrCat(options.ciphers, ":!aNULL:!eNULL");
    if (SSL_CTX_set_cipher_list(ctx, list.c_str()) != 1) {
      return Invalid("ciphers", TakeError());
    }
  }
  if (!options.cipher_suites.empty() &&
      SSL_CTX_set_ciphersuites(ctx, options.cipher_suites.c_str()) != 1) {
    return Invalid("cipher_suites", TakeError());
  }
  return absl::OkStatus();
}

absl::Status ApplyOwnCertificate(SSL_CTX* ctx, const Bundle& bundle) {
  if (bundle.certificate_pem.empty()) {
    return bundle.private_key_pem.empty()
               ? absl::OkStatus()
               : Invalid("certificate", "missing, though there is a private key");
  }
  if (bundle.private_key_pem.empty()) return Invalid("private_key", "missing");
  auto chain = ParseCertificates(bundle.certificate_pem);
  if (!chain.ok()) return Invalid("certificate", chain.status().message());
  auto key = ParsePrivateKey(bundle.private_key_pem, bundle.password);
  if (!key.ok()) return Invalid("private_key", key.status().message());
  if (SSL_CTX_use_certificate(ctx, chain->front().get()) != 1) {
    return Invalid("certificate", TakeError());
  }
  for (size_t i = 1; i < chain->size(); ++i) {
    if (SSL_CTX_add1_chain_cert(ctx, (*chain)[i].get()) != 1) {
      return Invalid("certificate", TakeError());
    }
  }
  // Setting the key may succeed by dropping a certificate that it does not fit, so compare first.
  if (X509_check_private_key(chain->front().get(), key->get()) != 1) {
    TakeError();
    return Invalid("private_key", "does not belong to the certificate");
  }
  if (SSL_CTX_use_PrivateKey(ctx, key->get()) != 1) return Invalid("private_key", TakeError());
  return absl::OkStatus();
}

absl::Status ApplyTrust(SSL_CTX* ctx, const Bundle& bundle) {
  if (bundle.ca_pem.empty()) {
    if (!bundle.crl_pem.empty()) return Invalid("crl", "needs a ca");
    // For clients; a server without a CA trusts nobody, see TlsStage::Server.
    if (Owned<X509_STORE> trust = SystemTrust(); trust != nullptr) {
      SSL_CTX_set_cert_store(ctx, trust.release());
    }
    return absl::OkStatus();
  }
  X509_STORE* store = SSL_CTX_get_cert_store(ctx);
  auto authorities = ParseCertificates(bundle.ca_pem);
  if (!authorities.ok()) return Invalid("ca", authorities.status().message());
  for (const Owned<X509>& authority : *authorities) {
    // The names go to clients, so that those with several certificates know which one to present.
    if (X509_STORE_add_cert(store, authority.get()) != 1 ||
        SSL_CTX_add_client_CA(ctx, authority.get()) != 1) {
      return Invalid("ca", TakeError());
    }
  }
  if (bundle.crl_pem.empty()) return absl::OkStatus();
  auto lists = ParseRevocationLists(bundle.crl_pem);
  if (!lists.ok()) return Invalid("crl", lists.status().message());
  for (const Owned<X509_CRL>& list : *lists) {
    if (X509_STORE_add_crl(store, list.get()) != 1) return Invalid("crl", TakeError());
  }
  X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
  return absl::OkStatus();
}

}  // namespace

std::string LibraryVersion() { return OpenSSL_version(OPENSSL_VERSION); }

absl::StatusOr<std::shared_ptr<const Context>> Context::Build(const Bundle& bundle,
                                                              const ContextOptions& options) {
  ERR_clear_error();
  TL_RETURN_IF_ERROR(CheckUidFormat(options.uid_format));
  Owned<SSL_CTX> ctx(SSL_CTX_new(TLS_method()));
  if (ctx == nullptr) return absl::InternalError(absl::StrCat("OpenSSL: ", TakeError()));
  Harden(ctx.get());
  TL_RETURN_IF_ERROR(ApplyVersions(ctx.get(), options));
  TL_RETURN_IF_ERROR(ApplyCiphers(ctx.get(), options));
  TL_RETURN_IF_ERROR(ApplyOwnCertificate(ctx.get(), bundle));
  TL_RETURN_IF_ERROR(ApplyTrust(ctx.get(), bundle));
  std::shared_ptr<Context> context(new Context());
  context->options_ = options;
  context->has_certificate_ = !bundle.certificate_pem.empty();
  context->has_ca_ = !bundle.ca_pem.empty();
  context->native_ = ctx.release();
  return context;
}

Context::~Context() { SSL_CTX_free(static_cast<SSL_CTX*>(native_)); }

}  // namespace trunkline::tls
