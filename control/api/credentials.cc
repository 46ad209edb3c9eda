#include "control/api/credentials.h"

#include <grpc/grpc.h>
#include <grpc/grpc_security.h>

namespace trunkline::api {
namespace {

// Thread: any of gRPC's. Answers NEW each time: with UNCHANGED gRPC would keep its TLS context, and
// with it the tickets of sessions that were made before a rotation.
grpc_ssl_certificate_config_reload_status Fetch(void* published,
                                                grpc_ssl_server_certificate_config** config) {
  const auto certificate = static_cast<const Published<ServerCertificate>*>(published)->Get();
  std::string key(certificate->private_key.view());
  const grpc_ssl_pem_key_cert_pair pair = {key.c_str(), certificate->chain_pem.c_str()};
  *config = grpc_ssl_server_certificate_config_create(certificate->ca_pem.c_str(), &pair, 1);
  Wipe(key);
  return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
}

}  // namespace

void TlsCredentials::SetAuthMetadataProcessor(
    const std::shared_ptr<grpc::AuthMetadataProcessor>& /*processor*/) {}

int TlsCredentials::AddPortToServer(const std::string& address, grpc_server* server) {
  auto* options = grpc_ssl_server_credentials_create_options_using_config_fetcher(
      GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY, Fetch,
      const_cast<Published<ServerCertificate>*>(certificate_.get()));
  grpc_server_credentials* credentials = grpc_ssl_server_credentials_create_with_options(options);
  const int port = grpc_server_add_http2_port(server, address.c_str(), credentials);
  grpc_server_credentials_release(credentials);
  return port;
}

}  // namespace trunkline::api
