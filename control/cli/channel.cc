#include "control/cli/channel.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/byte_buffer.h>
#include <stdlib.h>

#include <chrono>
#include <utility>
#include <vector>

#include "control/config/error_details.h"
#include "control/config/read_file.h"
#include "control/config/text.h"
#include "proto/google/rpc/status.pb.h"
#include "router/base/status.h"

namespace trunkline::cli {
namespace {

constexpr char kPackage[] = "/trunkline.control.v1.";
constexpr size_t kPemBytesMax = 1 << 20;
// Listings of a thousand resources are larger than gRPC's 4 MiB only if specs are huge.
constexpr int kReplyBytesMax = 64 << 20;

// So that who watches learns that the router's host is gone. The router allows no more often.
constexpr int kKeepaliveMs = 30'000;
// So that who watches is back soon after the router is, however long it was away.
constexpr int kReconnectMs = 1'000;

using config::Concat;
using Clock = std::chrono::steady_clock;

int64_t MillisecondsSince(Clock::time_point start) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start).count();
}

grpc::ByteBuffer ToBuffer(const google::protobuf::Message& message) {
  const grpc::Slice slice(message.SerializeAsString());
  return {&slice, 1};
}

bool FromBuffer(const grpc::ByteBuffer& buffer, google::protobuf::Message& message) {
  std::vector<grpc::Slice> slices;
  if (!buffer.Dump(&slices).ok()) return false;
  std::string bytes;
  for (const grpc::Slice& slice : slices) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return message.ParseFromString(bytes);
}

// Why there is no answer.
std::string ReasonOf(const grpc::Status& status, const Endpoint& endpoint) {
  if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) {
    return "not within the time that it may take (--timeout)";
  }
  return WhyUnreachable(status.error_message(), endpoint);
}

absl::Status ToStatus(const grpc::Status& status, const Endpoint& endpoint) {
  if (status.ok()) return absl::OkStatus();
  const auto code = static_cast<absl::StatusCode>(status.error_code());
  google::rpc::Status details;
  if (status.error_details().empty() || !details.ParseFromString(status.error_details())) {
    // Not by a router's word, so there is none, or none that we may talk to.
    return absl::Status(
        code, Concat("no answer from ", endpoint.address, ": ", ReasonOf(status, endpoint)));
  }
  absl::Status result(code, status.error_message());
  for (const google::protobuf::Any& detail : details.details()) {
    result.SetPayload(detail.type_url(), absl::Cord(detail.value()));
  }
  return result;
}

// Which method a router of another version does not have.
absl::Status WithMethod(absl::Status status, const std::string& method) {
  if (!absl::IsUnimplemented(status)) return status;
  return config::WithReason(
      absl::UnimplementedError(
          Concat("the router does not know ", method, ": it may be older than this trunkctl")),
      "METHOD_UNKNOWN");
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> CredentialsFor(const Endpoint& endpoint) {
  if (endpoint.address.starts_with("unix:")) {
    // What protects the socket is who may open it.
    return grpc::InsecureChannelCredentials();
  }
  grpc::SslCredentialsOptions options;
  const std::pair<const std::string&, grpc::string&> files[] = {
      {endpoint.tls_certificate, options.pem_cert_chain},
      {endpoint.tls_key, options.pem_private_key},
      {endpoint.tls_ca, options.pem_root_certs}};
  for (const auto& [file, text] : files) {
    if (file.empty()) continue;
    TL_ASSIGN_OR_RETURN(text, config::ReadFile(file, kPemBytesMax));
  }
  return grpc::SslCredentials(options);
}

}  // namespace

class Channel::Impl {
 public:
  explicit Impl(std::shared_ptr<grpc::Channel> channel) : stub_(std::move(channel)) {}

  grpc::CompletionQueue& queue() { return queue_; }
  grpc::GenericStub& stub() { return stub_; }
  // Waits for the operation that was begun; false: it failed.
  bool Await() {
    void* tag = nullptr;
    bool ok = false;
    return queue_.Next(&tag, &ok) && ok;
  }

 private:
  grpc::CompletionQueue queue_;
  grpc::GenericStub stub_;
};

Channel::Channel() = default;
Channel::~Channel() = default;

absl::StatusOr<std::unique_ptr<Channel>> Channel::Open(const Endpoint& endpoint) {
  // What the library writes by itself is not for people; the variable of their own counts.
  ::setenv("GRPC_VERBOSITY", "NONE", 0);
  TL_ASSIGN_OR_RETURN(auto credentials, CredentialsFor(endpoint));
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kReplyBytesMax);
  arguments.SetUserAgentPrefix("trunkctl");
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kReconnectMs);
  if (!endpoint.tls_server_name.empty()) {
    arguments.SetSslTargetNameOverride(endpoint.tls_server_name);
  }
  std::unique_ptr<Channel> channel(new Channel());
  channel->endpoint_ = endpoint;
  channel->impl_ =
      std::make_unique<Impl>(grpc::CreateCustomChannel(endpoint.address, credentials, arguments));
  return channel;
}

absl::Status Channel::Call(const std::string& method, const google::protobuf::Message& request,
                           google::protobuf::Message& reply) {
  grpc::ClientContext context;
  if (timeout_ms_ > 0) {
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(timeout_ms_));
  }
  auto call = impl_->stub().PrepareUnaryCall(&context, kPackage + method, ToBuffer(request),
                                             &impl_->queue());
  grpc::ByteBuffer buffer;
  grpc::Status status;
  call->StartCall();
  const Clock::time_point start = Clock::now();
  call->Finish(&buffer, &status, nullptr);
  impl_->Await();
  const absl::Status result = WithMethod(ToStatus(status, endpoint_), method);
  Trace(method, result, MillisecondsSince(start));
  TL_RETURN_IF_ERROR(result);
  if (!FromBuffer(buffer, reply)) return absl::InternalError("the answer cannot be read");
  return absl::OkStatus();
}

absl::Status Channel::Stream(const std::string& method, const google::protobuf::Message& request,
                             google::protobuf::Message& reply, const std::function<bool()>& each) {
  grpc::ClientContext context;
  auto call = impl_->stub().PrepareCall(&context, kPackage + method, &impl_->queue());
  bool ended = false;
  const Clock::time_point start = Clock::now();
  call->StartCall(nullptr);
  if (impl_->Await()) {
    call->WriteLast(ToBuffer(request), grpc::WriteOptions(), nullptr);
    impl_->Await();
    grpc::ByteBuffer buffer;
    while (!ended) {
      call->Read(&buffer, nullptr);
      if (!impl_->Await()) break;
      if (!FromBuffer(buffer, reply)) {
        context.TryCancel();
        ended = true;
      } else if (!each()) {
        context.TryCancel();
        ended = true;
      }
    }
  }
  grpc::Status status;
  call->Finish(&status, nullptr);
  impl_->Await();
  const absl::Status result =
      ended ? absl::OkStatus() : WithMethod(ToStatus(status, endpoint_), method);
  Trace(method, result, MillisecondsSince(start));
  return result;
}

void Channel::Trace(const std::string& method, const absl::Status& status,
                    int64_t milliseconds) const {
  if (trace_ == nullptr) return;
  trace_(Concat(endpoint_.address, " ", method, " ", absl::StatusCodeToString(status.code()), " ",
                milliseconds, " ms\n"));
}

}  // namespace trunkline::cli
