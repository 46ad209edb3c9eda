#pragma once

#include "router/tls/context.h"

namespace trunkline::tls {

// The OpenSSL session (SSL*) of one connection that is accepted, for those who bring bytes to it by
// themselves; the caller frees it. It keeps what it needs of the context. Null: the context has no
// certificate, or there is no memory. Thread: any.
void* NewAcceptSession(const Context& context, ClientAuth client_auth);

}  // namespace trunkline::tls
