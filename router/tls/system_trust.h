#pragma once

#include "router/tls/openssl.h"

namespace trunkline::tls {

// The authorities that the system trusts (of $SSL_CERT_FILE and $SSL_CERT_DIR, where these are
// set), in a store that contexts share. It is read again once the file or a folder is another, or
// when the file could not be read (for want of descriptors, say): to read its 140 certificates
// takes 35 ms, too long for each certificate that is replaced. Any thread.
Owned<X509_STORE> SystemTrust();

}  // namespace trunkline::tls
