#include "router/tls/accept.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "router/tls/openssl.h"

namespace trunkline::tls {

void* NewAcceptSession(const Context& context, ClientAuth client_auth) {
  if (!context.has_certificate()) return nullptr;
  ERR_clear_error();
  Owned<SSL> ssl(SSL_new(static_cast<SSL_CTX*>(context.native())));
  if (ssl == nullptr) {
    ERR_clear_error();
    return nullptr;
  }
  AskForCertificate(ssl.get(), client_auth, context.has_ca(), nullptr);
  SSL_set_accept_state(ssl.get());
  return ssl.release();
}

}  // namespace trunkline::tls
