#include "control/daemon/control_api.h"

#include <time.h>

#include <utility>
#include <vector>

#include "control/certs/files.h"
#include "control/config/file_watch.h"
#include "control/config/read_file.h"
#include "control/config/text.h"
#include "router/base/log.h"
#include "router/base/status.h"
#include "router/tls/bundle.h"

namespace trunkline::daemon {
namespace {

constexpr LogModule kLogModule = LogModule::kDaemon;

using config::Concat;
using config::View;

constexpr char kSystemSocket[] = "/run/trunkline/control.sock";

// How soon a changed policy file is noticed.
constexpr Duration kPolicyInterval = Seconds(2);

// How long connections may take to end when the process does.
constexpr Duration kStopLimit = Milliseconds(500);

absl::StatusOr<api::Policy> LoadPolicy(const std::string& file) {
  TL_ASSIGN_OR_RETURN(const std::string text, config::ReadFile(file, api::kPolicyBytesMax));
  return api::Policy::Parse(text, file);
}

absl::Status WithField(const absl::Status& status, std::string_view field) {
  return absl::Status(status.code(), Concat("control.", field, ": ", status.message()));
}

// Certificate and key as the profile's files are now.
absl::StatusOr<api::ServerCertificate> ReadCertificate(const config::Document& document,
                                                       const std::string& profile) {
  const auto found = document.tls_profiles.find(profile);
  if (found == document.tls_profiles.end()) {
    return absl::NotFoundError(Concat("there is no TLS profile ", config::Quote(profile)));
  }
  TL_ASSIGN_OR_RETURN(const tls::Bundle bundle,
                      certs::ReadBundle(found->second.spec(), config::InlineOf(document, profile)));
  // Also where the files have changed since the profile was loaded.
  const absl::Status good = tls::Check(bundle, ::time(nullptr));
  if (!good.ok() && !absl::IsFailedPrecondition(good)) return good;
  if (bundle.certificate_pem.empty() || bundle.ca_pem.empty()) {
    return absl::InvalidArgumentError("the profile has no certificate, or no CA");
  }
  TL_ASSIGN_OR_RETURN(Secret key, tls::PlainKey(bundle));
  return api::ServerCertificate{bundle.certificate_pem, std::move(key), bundle.ca_pem};
}

}  // namespace

std::vector<std::string> DefaultSockets(const std::string& runtime_directory) {
  std::vector<std::string> sockets = {kSystemSocket};
  if (runtime_directory.starts_with('/')) {
    sockets.push_back(runtime_directory + "/trunkline/control.sock");
  }
  return sockets;
}

absl::Status CheckPolicy(const config::Document& document) {
  const std::string& file = document.control.tcp().policy_file();
  return file.empty() ? absl::OkStatus() : LoadPolicy(file).status();
}

absl::StatusOr<std::unique_ptr<ControlApi>> ControlApi::Open(const config::Document& document,
                                                             Parts parts) {
  std::unique_ptr<ControlApi> opened(new ControlApi());
  TL_ASSIGN_OR_RETURN(api::Server::Options options,
                      opened->MakeOptions(document, parts.runtime_directory));
  options.now = std::move(parts.now);
  auto server = api::Server::Start(std::move(options), std::move(parts.handlers), parts.methods,
                                   std::move(parts.wake));
  if (!server.ok()) return WithField(server.status(), "socket or tcp");
  opened->server_ = *std::move(server);
  TL_LOG(info, "API", {"socket", opened->server_->socket_path()},
         {"tcp_port", opened->server_->port()});
  return opened;
}

absl::StatusOr<api::Server::Options> ControlApi::MakeOptions(const config::Document& document,
                                                             const std::string& runtime_directory) {
  const v1::ControlSpec& spec = document.control;
  api::Server::Options options;
  if (spec.socket().empty()) {
    options.socket_paths = DefaultSockets(runtime_directory);
    options.socket_optional = true;
  } else if (spec.socket() != "none") {
    options.socket_paths = {spec.socket()};
  }
  options.socket_group = spec.socket_group();
  options.reflection = !spec.has_reflection() || spec.reflection();
  if (!spec.has_tcp()) return options;
  const v1::ControlTcpSpec& tcp = spec.tcp();
  tls_profile_ = std::string(config::ResourceId(tcp.tls_profile()));
  auto certificate = ReadCertificate(document, tls_profile_);
  if (!certificate.ok()) return WithField(certificate.status(), "tcp.tls_profile");
  constexpr uint16_t kDefaultPort = 9443;
  options.tcp = std::make_unique<api::Server::Tcp>(
      api::Server::Tcp{.host = tcp.host(),
                       .port = tcp.has_port() ? static_cast<uint16_t>(tcp.port()) : kDefaultPort,
                       .certificate = *std::move(certificate)});
  policy_file_ = tcp.policy_file();
  if (policy_file_.empty()) return options;
  policy_stamp_ = config::StampOfFile(policy_file_);
  auto policy = LoadPolicy(policy_file_);
  if (!policy.ok()) return WithField(policy.status(), "tcp.policy_file");
  options.policy = *std::move(policy);
  due_ = Time();  // from the first turn on
  return options;
}

void ControlApi::Stop() { server_->Stop(kStopLimit); }

void ControlApi::FollowCertificate(const certs::Profile& profile) {
  if (profile.fingerprint == fingerprint_) return;
  if (profile.for_api == nullptr || profile.for_api->ca.empty()) {
    TL_LOG(error, "the API keeps its certificate: the profile has none, or no CA",
           {"tls_profile", tls_profile_});
    return;
  }
  fingerprint_ = profile.fingerprint;
  const certs::ApiCertificate& from = *profile.for_api;
  server_->SetCertificate({from.chain, from.private_key, from.ca});
}

void ControlApi::OnTime(Time now) {
  if (now < due_) return;
  due_ = now + kPolicyInterval;
  FollowPolicy();
}

void ControlApi::FollowPolicy() {
  if (policy_file_.empty()) return;
  const uint64_t stamp = config::StampOfFile(policy_file_);
  if (stamp == std::exchange(policy_stamp_, stamp)) return;
  auto policy = LoadPolicy(policy_file_);
  if (!policy.ok()) {
    TL_LOG(error, "policy not read again: what was read last counts",
           {"error", View(policy.status().message())});
    return;
  }
  server_->SetPolicy(*std::move(policy));
  TL_LOG(info, "policy in force", {"file", policy_file_});
}

}  // namespace trunkline::daemon
