#include "control/api/tls_service.h"

#include <algorithm>
#include <utility>

#include "absl/time/time.h"
#include "control/api/edit.h"
#include "control/api/rpc_status.h"
#include "control/certs/files.h"
#include "control/certs/names.h"
#include "control/config/characters.h"
#include "control/config/error_details.h"
#include "control/config/schema.h"
#include "control/config/text.h"
#include "router/base/status.h"

namespace trunkline::api {
namespace {

using config::Concat;
using config::Quote;
using config::View;

// Between two connections that are closed because of their certificate.
constexpr Duration kRetireInterval = Milliseconds(10);
constexpr int64_t kRetireAfterMillisecondsMax = int64_t{30} * 24 * 3600 * 1000;
// Who lists many profiles counts connections once.
constexpr Duration kCountInterval = Milliseconds(20);
// Of an answer.
constexpr size_t kWarningsMax = 20;

const config::Collection& TlsProfiles() {
  return *config::CollectionOfName(config::ResourceName(config::kTlsProfiles, "a"));
}

absl::Status Wrong(const std::string& field, const std::string& what) {
  return config::WithViolations(
      config::WithReason(absl::InvalidArgumentError(Concat(field, ": ", what)), "INVALID_FIELD"),
      {{field, what}});
}

absl::Status CheckPem(const std::string& field, const std::string& pem, bool is_required) {
  if (pem.empty() && is_required) return Wrong(field, "is required");
  if (pem.size() <= certs::kPemBytesMax) return absl::OkStatus();
  return Wrong(field, Concat(pem.size(), " bytes are more than ", certs::kPemBytesMax));
}

std::string DayOf(int64_t seconds) {
  return absl::FormatTime("%Y-%m-%d", absl::FromUnixSeconds(seconds), absl::UTCTimeZone());
}

// An address, not a name; nobody dials "0.0.0.0".
bool IsAddress(const std::string& host) {
  return host.find_first_not_of("0123456789.") == std::string::npos ||
         host.find(':') != std::string::npos;
}

template <typename Message>
void Describe(const tls::CertificateInfo& info, Message& told) {
  using config::ToUtf8;  // who issues certificates writes into them what he likes
  told.set_subject(ToUtf8(info.subject));
  told.set_serial(info.serial);
  told.set_fingerprint(info.sha256);
  told.mutable_not_before()->set_seconds(info.not_before);
  told.mutable_not_after()->set_seconds(info.not_after);
  for (const std::string& name : info.dns_names) told.add_dns_names(ToUtf8(name));
  for (const std::string& address : info.ip_addresses) told.add_ip_addresses(address);
  for (const std::string& uri : info.uris) told.add_uris(ToUtf8(uri));
}

void Describe(const certs::Revision& revision, v1::TlsProfileStatus::Revision& told) {
  if (!revision.leaf.subject.empty() || !revision.leaf.sha256.empty()) {
    Describe<v1::TlsProfileStatus::Revision>(revision.leaf, told);
  }
  told.set_ordinal(static_cast<uint32_t>(revision.ordinal));
  told.set_connections(revision.connections);
  told.set_active(revision.active);
}

void Describe(const tls::CertificateInfo& info, v1::Certificate::Use use, const std::string& source,
              v1::Certificate& told) {
  Describe<v1::Certificate>(info, told);
  told.set_use(use);
  told.set_issuer(config::ToUtf8(info.issuer));
  told.set_key_type(info.key_type);
  told.set_source(source);
}

}  // namespace

Handlers TlsService::MakeHandlers() {
  Handlers handlers;
  handlers["TlsService/RotateCertificate"] = [this](const auto& call) { Rotate(call); };
  handlers["TlsService/GetCertificates"] = [this](const auto& call) { GetCertificates(*call); };
  return handlers;
}

// --- what is in force

void TlsService::Refresh() {
  const auto& profiles = store_.in_force().profiles;
  for (const std::string& gone : revisions_.Names()) {
    if (profiles.contains(gone)) continue;
    revisions_.Forget(gone);
    troubles_.erase(gone);
  }
  for (const auto& [id, profile] : profiles) {
    const bool is_new = revisions_.Note(id, store_.TlsRevision(id), profile.leaf);
    std::string trouble(View(store_.TlsTrouble(id).message()));
    const bool was_troubled = troubles_[id] != trouble;
    troubles_[id] = std::move(trouble);
    if (is_new || was_troubled) {
      hooks_.status_changed(config::ResourceName(config::kTlsProfiles, id));
    }
  }
}

void TlsService::Count() {
  const Time now = hooks_.clock();
  if (counted_ != Time() && now - counted_ < kCountInterval) return;
  counted_ = now;
  revisions_.Count(router_.ConnectionsByTls());
}

void TlsService::FillStatus(const std::string& id, v1::TlsProfile& profile) {
  const auto found = store_.in_force().profiles.find(id);
  if (found == store_.in_force().profiles.end()) return;
  Count();
  v1::TlsProfileStatus& status = *profile.mutable_status();
  for (const certs::Revision& revision : revisions_.Of(id)) {
    Describe(revision, *status.add_revisions());
  }
  int64_t expiry = found->second.ca_not_after;
  if (const tls::CertificateInfo& leaf = found->second.leaf; !leaf.sha256.empty()) {
    if (status.revisions_size() > 0) *status.mutable_active() = status.revisions(0);
    expiry = expiry == 0 ? leaf.not_after : std::min(expiry, leaf.not_after);
  }
  if (expiry != 0) status.mutable_next_expiry()->set_seconds(expiry);
  status.set_inline_certificate(config::InlineOf(store_.effective(), id) != nullptr);
  if (const absl::Status trouble = store_.TlsTrouble(id); !trouble.ok()) {
    *status.mutable_last_reload_error() = ToRpcStatus(trouble);
  }
}

// The id of a profile that there is.
absl::StatusOr<std::string> TlsService::Find(const std::string& name) const {
  return FindId(TlsProfiles(), store_.effective(), name, "name");
}

void TlsService::GetCertificates(Call& call) {
  const auto id = Find(call.As<v1::GetCertificatesRequest>().name());
  if (!id.ok()) return call.Finish(id.status());
  certs::Certificates all;  // none, if its files cannot be read
  const auto loaded = store_.in_force().profiles.find(*id);
  if (loaded != store_.in_force().profiles.end()) all = *loaded->second.certificates;
  v1::TlsProfile profile = store_.effective().tls_profiles.at(*id);
  const config::InlineCertificate* const given = config::InlineOf(store_.effective(), *id);
  const bool gave_ca = given != nullptr && !given->ca.empty();
  const std::string own = given != nullptr ? "inline" : profile.spec().certificate_file();
  v1::GetCertificatesResponse reply;
  for (const tls::CertificateInfo& info : all.chain) {
    const bool is_first = reply.certificates_size() == 0;
    Describe(info, is_first ? v1::Certificate::USE_OWN : v1::Certificate::USE_INTERMEDIATE, own,
             *reply.add_certificates());
  }
  for (const tls::CertificateInfo& info : all.trusted) {
    Describe(info, v1::Certificate::USE_TRUSTED, gave_ca ? "inline" : profile.spec().ca_file(),
             *reply.add_certificates());
  }
  reply.set_trusted(static_cast<uint32_t>(all.trusted_count));
  FillStatus(*id, profile);
  *reply.mutable_revisions() = profile.status().revisions();
  call.Reply(reply);
}

// --- rotation

void TlsService::Rotate(const std::shared_ptr<Call>& call) {
  const auto& request = call->As<v1::RotateCertificateRequest>();
  absl::StatusOr<Order> order = Read(request);
  if (!order.ok()) return call->Finish(order.status());
  const std::string id = order->validates ? "" : request.request_id();
  request_ids_.Run(
      *call, id, hooks_.clock(),
      [this, order = *std::move(order)](const RequestIds::Done& done) { Act(order, done); },
      RequestIds::AnswerTo(call));
}

absl::StatusOr<TlsService::Order> TlsService::Read(
    const v1::RotateCertificateRequest& request) const {
  Order order;
  TL_ASSIGN_OR_RETURN(order.rotation.profile, Find(request.name()));
  if (request.source_case() == v1::RotateCertificateRequest::SOURCE_NOT_SET) {
    return Wrong("files", "either files or inline is required");
  }
  if (request.has_inline_()) {
    const v1::InlineCertificate& given = request.inline_();
    TL_RETURN_IF_ERROR(CheckPem("inline.certificate", given.certificate(), true));
    TL_RETURN_IF_ERROR(CheckPem("inline.private_key", given.private_key(), true));
    TL_RETURN_IF_ERROR(CheckPem("inline.ca", given.ca(), false));
    order.rotation.given = std::make_shared<const config::InlineCertificate>(
        config::InlineCertificate{given.certificate(), Secret(given.private_key()), given.ca()});
  }
  order.rotation.allow_expired = request.allow_expired();
  if (!v1::RetireOld_IsValid(request.retire_old())) {
    return Wrong("retire_old",
                 Concat(static_cast<int>(request.retire_old()), " is no value of RetireOld"));
  }
  if (request.retire_old() != v1::RETIRE_OLD_UNSPECIFIED) order.retire = request.retire_old();
  if (request.has_retire_after()) {
    const int64_t after = config::ToMilliseconds(request.retire_after());
    if (after < 0 || after > kRetireAfterMillisecondsMax || request.retire_after().nanos() < 0) {
      return Wrong("retire_after", "is not in 0s..30d");
    }
    if (order.retire != v1::RETIRE_OLD_GRACEFUL) {
      return Wrong("retire_after", "goes with RETIRE_OLD_GRACEFUL");
    }
    order.after = Milliseconds(after);
  }
  order.validates = request.validate_only();
  return order;
}

void TlsService::Act(const Order& order, const RequestIds::Done& done) {
  store_.Rotate(order.rotation,
                order.validates ? store::Store::Mode::kValidate : store::Store::Mode::kApply,
                [this, order, done](const absl::StatusOr<store::Store::Rotated>& rotated) {
                  if (!rotated.ok()) return done(Explain(rotated.status(), order));
                  done(AnswerTo(order, *rotated));
                });
}

// What is wrong with a certificate, in words of the request, and what becomes of the one in force.
absl::Status TlsService::Explain(const absl::Status& status, const Order& order) const {
  const std::string fault = tls::FaultOf(status);
  if (!config::ReasonOf(status).empty()) return status;
  const bool is_bad = !fault.empty() || absl::IsInvalidArgument(status);
  if (!is_bad) return status;
  const std::string& id = order.rotation.profile;
  const bool is_given = order.rotation.given != nullptr;
  constexpr std::string_view kFile = "_file: ";
  std::string what(View(status.message()));  // as said of `field`
  std::string field = "files";
  const size_t end = what.find(kFile);
  if (is_given && end != std::string::npos) {
    field = Concat("inline.", what.substr(0, end));
    what = what.substr(end + kFile.size());
  } else if (fault == "KEY_MISMATCH") {
    what = what.substr(end + kFile.size());  // it names both files
  }
  std::string text = is_given ? Concat(field, ": ", what) : what;
  absl::Status told(status.code(), text);
  const auto found = store_.in_force().profiles.find(id);
  if (found != store_.in_force().profiles.end() && !found->second.leaf.sha256.empty()) {
    const tls::CertificateInfo& leaf = found->second.leaf;
    told =
        absl::Status(status.code(), Concat(text, "; the running certificate (", leaf.subject,
                                           ", expires ", DayOf(leaf.not_after), ") stays in use"));
  }
  told = config::WithReason(told, fault.empty() ? "INVALID_CERTIFICATE" : fault,
                            {{"resource_name", config::ResourceName(config::kTlsProfiles, id)}});
  return config::WithViolations(told, {{field, what}});
}

absl::StatusOr<RequestIds::Answer> TlsService::AnswerTo(const Order& order,
                                                        const store::Store::Rotated& rotated) {
  const std::string& id = order.rotation.profile;
  auto reply = std::make_shared<v1::RotateCertificateResponse>();
  const bool changed = rotated.last.fingerprint != rotated.next.fingerprint;
  counted_ = Time();  // the answer is as of now
  TL_ASSIGN_OR_RETURN(const uint64_t retiring, Retire(order, changed));
  reply->set_retiring(retiring);
  reply->set_changed(changed);
  reply->set_persisted(rotated.persisted);
  for (const std::string& warning : WarningsOf(order, rotated)) {
    reply->add_warnings(config::ToUtf8(warning));
  }
  *reply->mutable_tls_profile() = store_.effective().tls_profiles.at(id);
  FillStatus(id, *reply->mutable_tls_profile());
  return RequestIds::Answer(std::move(reply));
}

absl::StatusOr<uint64_t> TlsService::Retire(const Order& order, bool changed) {
  if (order.retire == v1::RETIRE_OLD_KEEP) return 0;
  const std::string& id = order.rotation.profile;
  if (!order.validates) {
    return router_.RetireTls(
        {.profile = id,
         .before = store_.TlsRevision(id),
         .after = order.after,
         .interval = order.retire == v1::RETIRE_OLD_GRACEFUL ? kRetireInterval : Duration{}});
  }
  uint64_t retiring = 0;
  for (const TlsConnections& use : router_.ConnectionsByTls()) {
    const bool is_old = changed || use.revision < store_.TlsRevision(id);
    if (use.profile == id && is_old) retiring += use.connections;
  }
  return retiring;
}

std::vector<std::string> TlsService::WarningsOf(const Order& order,
                                                const store::Store::Rotated& rotated) const {
  std::vector<std::string> warnings;
  if (rotated.last.fingerprint != rotated.next.fingerprint && !rotated.next.leaf.sha256.empty()) {
    warnings =
        certs::MissingNames(rotated.last.leaf, rotated.next.leaf, HostsOf(order.rotation.profile));
  }
  if (!rotated.next.dates.ok()) warnings.emplace_back(View(rotated.next.dates.message()));
  for (const std::string& warning : rotated.next.warnings) warnings.push_back(warning);
  if (order.rotation.given != nullptr && !rotated.persisted) {
    warnings.emplace_back(
        "there is no state directory: the certificate is gone when the process ends");
  }
  if (warnings.size() > kWarningsMax) {
    const size_t left = warnings.size() - kWarningsMax;
    warnings.resize(kWarningsMax);
    warnings.push_back(Concat("and ", left, " more"));
  }
  return warnings;
}

// Names that listeners with this profile listen at: somebody dials them.
std::vector<std::string> TlsService::HostsOf(const std::string& profile) const {
  std::vector<std::string> hosts;
  for (const auto& [id, listener] : store_.effective().listeners) {
    const std::string& host = listener.spec().host();
    if (config::ResourceId(listener.spec().tls_profile()) != profile) continue;
    if (!host.empty() && !IsAddress(host)) hosts.push_back(host);
  }
  return hosts;
}

}  // namespace trunkline::api
