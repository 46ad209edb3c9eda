#include "control/cli/certs.h"

#include <time.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "control/cli/files.h"
#include "control/cli/output.h"
#include "control/config/schema.h"
#include "control/config/text.h"
#include "proto/trunkline/control/v1/connector_service.pb.h"
#include "proto/trunkline/control/v1/tls_service.pb.h"
#include "router/base/status.h"

namespace trunkline::cli {
namespace {

using config::Concat;

constexpr int64_t kSoon = 30 * 86400;  // seconds

std::string NameOf(const std::string& word) {
  return word.starts_with("tlsProfiles/") ? word : "tlsProfiles/" + word;
}

// Those that are named, or all.
absl::StatusOr<std::vector<v1::TlsProfile>> FindProfiles(Session& session) {
  std::vector<v1::TlsProfile> profiles;
  for (const std::string& word : session.words()) {
    v1::GetTlsProfileRequest request;
    request.set_name(NameOf(word));
    TL_RETURN_IF_ERROR(session.Call("TlsService/GetTlsProfile", request, profiles.emplace_back()));
  }
  if (!session.words().empty()) return profiles;
  v1::ListTlsProfilesResponse reply;
  TL_RETURN_IF_ERROR(
      session.CallForAll("TlsService/ListTlsProfiles", v1::ListTlsProfilesRequest(), reply));
  return std::vector<v1::TlsProfile>(reply.tls_profiles().begin(), reply.tls_profiles().end());
}

std::string Expiry(const google::protobuf::Timestamp& time) {
  const int64_t left = time.seconds() - ::time(nullptr);
  return left < 0 ? "expired " + Age(-left) + " ago" : "in " + Age(left);
}

// One finding of a check.
struct Finding {
  std::string profile;
  std::string result;  // "good", "warning", "bad"
  std::string text;
};

// Whether one of the names, of which the first part may be "*", is that of the host.
bool Fits(const google::protobuf::RepeatedPtrField<std::string>& names, const std::string& host) {
  for (const std::string& name : names) {
    if (absl::EqualsIgnoreCase(name, host)) return true;
    const size_t dot = host.find('.');
    if (name.starts_with("*.") && dot != host.npos &&
        absl::EqualsIgnoreCase(name.substr(1), host.substr(dot))) {
      return true;
    }
  }
  return false;
}

void CheckDates(const v1::TlsProfile& profile, const v1::GetCertificatesResponse& reply,
                std::vector<Finding>& findings) {
  const int64_t now = ::time(nullptr);
  const std::string id = CellOf(profile, "name", 0);
  for (const v1::Certificate& each : reply.certificates()) {
    const int64_t left = each.not_after().seconds() - now;
    std::string use = CellOf(each, "use", 0);
    const std::string what = Concat(use, " certificate ", each.subject(), " ");
    if (each.not_before().seconds() > now) {
      findings.push_back({id, "bad", what + "is not valid yet; is the clock right?"});
    } else if (left < 0) {
      findings.push_back({id, "bad", what + Expiry(each.not_after())});
    } else {
      findings.push_back({id, left < kSoon ? "warning" : "good",
                          Concat(what, "expires ", Expiry(each.not_after()))});
    }
  }
  if (profile.status().has_last_reload_error()) {
    findings.push_back(
        {id, "bad",
         Concat("newer files are not in force: ", profile.status().last_reload_error().message())});
  }
}

// Whether we are known by the name of this host under the own certificate.
void CheckNames(const v1::TlsProfile& profile, const v1::GetCertificatesResponse& reply,
                const std::string& host, std::vector<Finding>& findings) {
  for (const v1::Certificate& each : reply.certificates()) {
    if (each.use() != v1::Certificate::USE_OWN) continue;
    const bool fits = Fits(each.dns_names(), host) || Fits(each.ip_addresses(), host);
    findings.push_back({CellOf(profile, "name", 0), fits ? "good" : "bad",
                        Concat("clients that dial ", host, fits ? " accept" : " refuse",
                               " the certificate ", each.subject())});
  }
}

// What comes instead of the old one: the files of the profile, or what --cert names.
absl::Status ReadGiven(const Arguments& arguments, v1::RotateCertificateRequest& request) {
  if (arguments.Has("cert") != arguments.Has("key")) {
    return absl::InvalidArgumentError("--cert and --key go together");
  }
  if (arguments.Has("ca") && !arguments.Has("cert")) {
    return absl::InvalidArgumentError("--ca goes with --cert and --key");
  }
  request.mutable_files();
  if (!arguments.Has("cert")) return absl::OkStatus();
  // Of this machine: what is in them is sent.
  v1::InlineCertificate& given = *request.mutable_inline_();
  TL_ASSIGN_OR_RETURN(*given.mutable_certificate(), ReadText(arguments.Get("cert")));
  TL_ASSIGN_OR_RETURN(*given.mutable_private_key(), ReadText(arguments.Get("key")));
  if (arguments.Has("ca")) {
    TL_ASSIGN_OR_RETURN(*given.mutable_ca(), ReadText(arguments.Get("ca")));
  }
  return absl::OkStatus();
}

absl::Status ReadRetirement(const Arguments& arguments, v1::RotateCertificateRequest& request) {
  const std::string retire = arguments.Get("retire-old", "keep");
  if (retire == "keep") {
    request.set_retire_old(v1::RETIRE_OLD_KEEP);
  } else if (retire == "now") {
    request.set_retire_old(v1::RETIRE_OLD_IMMEDIATE);
  } else if (const auto after = config::ParseDuration(retire)) {
    request.set_retire_old(v1::RETIRE_OLD_GRACEFUL);
    *request.mutable_retire_after() = *after;
  } else {
    return absl::InvalidArgumentError("--retire-old: is not keep, now or a duration such as 10m");
  }
  return absl::OkStatus();
}

void PrintRotation(const Session& session, const v1::RotateCertificateRequest& request,
                   const v1::RotateCertificateResponse& reply) {
  const auto& active = reply.tls_profile().status().active();
  // Of a rehearsal it is the one that stays.
  const std::string what = Concat(Printable(active.subject()), ", revision ", active.ordinal(),
                                  ", expires ", Expiry(active.not_after()), "\n");
  if (!reply.changed()) {
    session.Print(Concat(request.name(), " unchanged: it is the same certificate\n"));
  } else {
    session.Print(
        Concat(request.name(),
               request.validate_only() ? " would be rotated; now " : " is rotated: ", what));
  }
  if (reply.retiring() == 0) return;
  session.Print(Concat(Count(reply.retiring(), "connection"), " of older ones ",
                       request.validate_only() ? "would be"
                       : reply.retiring() == 1 ? "is"
                                               : "are",
                       " closed\n"));
}

}  // namespace

absl::Status ListCertificates(Session& session) {
  TL_ASSIGN_OR_RETURN(const bool json, WantsJson(session));
  TL_ASSIGN_OR_RETURN(const auto profiles, FindProfiles(session));
  if (json) {
    Output::Messages messages;
    for (const v1::TlsProfile& profile : profiles) messages.push_back(&profile);
    session.Print(JsonOfMany(messages));
    return absl::OkStatus();
  }
  Table table({"PROFILE", "REVISION", "STATE", "SUBJECT", "NAMES", "CONNECTIONS", "FINGERPRINT",
               "EXPIRES"});
  for (const v1::TlsProfile& profile : profiles) {
    for (const auto& revision : profile.status().revisions()) {
      std::vector<std::string> names(revision.dns_names().begin(), revision.dns_names().end());
      names.insert(names.end(), revision.ip_addresses().begin(), revision.ip_addresses().end());
      names.insert(names.end(), revision.uris().begin(), revision.uris().end());
      const bool has_one = !revision.fingerprint().empty();
      table.Add({CellOf(profile, "name", 0), absl::StrCat(revision.ordinal()),
                 revision.active() ? "active" : "old", CellOf(revision, "subject", 0),
                 names.empty() ? "-" : Printable(absl::StrJoin(names, ",")),
                 absl::StrCat(revision.connections()),
                 has_one ? revision.fingerprint().substr(0, 16) : "-",
                 has_one ? Expiry(revision.not_after()) : "-"});
    }
  }
  if (table.size() == 0) {
    session.Note("no TLS profiles\n");
    return absl::OkStatus();
  }
  session.Print(table.Text(!session.arguments().Has("no-headers"), session.colours()));
  return absl::OkStatus();
}

absl::Status RotateCertificate(Session& session) {
  if (session.words().size() != 1) return absl::InvalidArgumentError("give one PROFILE");
  v1::RotateCertificateRequest request;
  request.set_name(NameOf(session.words()[0]));
  TL_RETURN_IF_ERROR(ReadGiven(session.arguments(), request));
  TL_RETURN_IF_ERROR(ReadRetirement(session.arguments(), request));
  request.set_allow_expired(session.arguments().Has("allow-expired"));
  request.set_validate_only(session.arguments().Has("dry-run"));
  v1::RotateCertificateResponse reply;
  TL_RETURN_IF_ERROR(session.Call("TlsService/RotateCertificate", request, reply));
  PrintRotation(session, request, reply);
  for (const std::string& warning : reply.warnings()) {
    session.Note(Concat("trunkctl: warning: ", Printable(warning), "\n"));
  }
  return absl::OkStatus();
}

absl::Status CheckCertificates(Session& session) {
  TL_ASSIGN_OR_RETURN(const auto profiles, FindProfiles(session));
  std::vector<Finding> findings;
  for (const v1::TlsProfile& profile : profiles) {
    v1::GetCertificatesRequest request;
    request.set_name(profile.name());
    v1::GetCertificatesResponse reply;
    TL_RETURN_IF_ERROR(session.Call("TlsService/GetCertificates", request, reply));
    CheckDates(profile, reply, findings);
    for (const std::string& host : session.arguments().GetAll("host")) {
      CheckNames(profile, reply, host, findings);
    }
  }
  Table table({"PROFILE", "RESULT", "FINDING"});
  bool is_bad = false;
  for (const Finding& finding : findings) {
    table.Add({finding.profile, finding.result, Printable(finding.text)});
    is_bad |= finding.result != "good";
  }
  if (table.size() == 0) session.Note("no certificates\n");
  if (table.size() > 0) {
    session.Print(table.Text(!session.arguments().Has("no-headers"), session.colours()));
  }
  return is_bad ? absl::FailedPreconditionError("") : absl::OkStatus();
}

}  // namespace trunkline::cli
