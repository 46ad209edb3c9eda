#pragma once

#include <grpcpp/security/server_credentials.h>

#include <memory>
#include <string>

#include "control/api/published.h"
#include "control/api/server.h"

namespace trunkline::api {

// TLS for a port of gRPC, whose clients must show a certificate of our CA. The certificate is asked
// for at the start of each handshake, so the one that was published last is used at once. As each
// handshake gets a TLS context of its own, no session is ever resumed.
class TlsCredentials final : public grpc::ServerCredentials {
 public:
  explicit TlsCredentials(std::shared_ptr<const Published<ServerCertificate>> certificate)
      : certificate_(std::move(certificate)) {}

  void SetAuthMetadataProcessor(
      const std::shared_ptr<grpc::AuthMetadataProcessor>& processor) override;

 private:
  int AddPortToServer(const std::string& address, grpc_server* server) override;

  // gRPC asks it for as long as the port lives: it must outlive the server.
  const std::shared_ptr<const Published<ServerCertificate>> certificate_;
};

}  // namespace trunkline::api
