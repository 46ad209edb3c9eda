#include "control/cli/session.h"

#include <stdlib.h>
#include <unistd.h>

#include <cstdio>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "control/config/error_details.h"
#include "control/config/problem.h"
#include "control/config/schema.h"
#include "control/config/text.h"
#include "router/base/status.h"

namespace trunkline::cli {
namespace {

using config::Concat;
using config::Quote;

constexpr char kSystemSocket[] = "/run/trunkline/control.sock";
constexpr int64_t kTimeoutMs = 30'000;

std::string Environment(const char* name) {
  const char* const value = ::getenv(name);
  return value == nullptr ? "" : value;
}

// Where a trunkd of this machine listens that was told nothing else.
std::string DefaultEndpoint() {
  if (std::string endpoint = Environment("TRUNKLINE_ENDPOINT"); !endpoint.empty()) return endpoint;
  const std::string folder = Environment("XDG_RUNTIME_DIR");
  const std::string own = folder + "/trunkline/control.sock";
  const bool is_own =
      ::access(kSystemSocket, F_OK) != 0 && !folder.empty() && ::access(own.c_str(), F_OK) == 0;
  return "unix://" + (is_own ? own : kSystemSocket);
}

// "tlsProfiles", "tls_profile" and "TLS-Profiles" are one word.
std::string Fold(std::string_view word) {
  std::string folded;
  for (const char c : word) {
    if (c != '-' && c != '_' && c != ' ')
      folded += absl::ascii_tolower(static_cast<unsigned char>(c));
  }
  return folded;
}

bool IsKind(const api::Kind& kind, const std::string& folded) {
  return folded == Fold(kind.collection->name()) || folded == Fold(kind.field) ||
         (folded == "tls" && kind.field == "tls_profile");
}

absl::StatusOr<int64_t> TimeoutOf(const Arguments& arguments) {
  if (!arguments.Has("timeout")) return kTimeoutMs;
  const std::string text = arguments.Get("timeout");
  const auto duration = config::ParseDuration(text);
  if (duration) return config::ToMilliseconds(*duration);
  return absl::InvalidArgumentError(
      Concat("--timeout: ", Quote(text), " is not a duration such as 30s or 1m"));
}

}  // namespace

Session::Session(const Arguments& arguments)
    : arguments_(arguments), kinds_(api::FindKinds(methods_)) {}

absl::StatusOr<std::unique_ptr<Session>> Session::Open(const Arguments& arguments) {
  std::unique_ptr<Session> session(new Session(arguments));
  Endpoint endpoint;
  endpoint.address = arguments.Get("endpoint");
  if (endpoint.address.empty()) endpoint.address = DefaultEndpoint();
  if (endpoint.address.starts_with('/')) endpoint.address.insert(0, "unix://");
  endpoint.tls_certificate = arguments.Get("tls-cert", Environment("TRUNKLINE_TLS_CERT"));
  endpoint.tls_key = arguments.Get("tls-key", Environment("TRUNKLINE_TLS_KEY"));
  endpoint.tls_ca = arguments.Get("tls-ca", Environment("TRUNKLINE_TLS_CA"));
  endpoint.tls_server_name = arguments.Get("tls-name");
  TL_ASSIGN_OR_RETURN(session->channel_, Channel::Open(endpoint));
  TL_ASSIGN_OR_RETURN(const int64_t timeout, TimeoutOf(arguments));
  session->channel_->SetTimeout(timeout);
  return session;
}

absl::StatusOr<const api::Kind*> Session::FindKind(std::string_view word) const {
  const std::string folded = Fold(word);
  std::vector<std::string> names;
  for (const api::Kind& kind : kinds_) {
    if (IsKind(kind, folded)) return &kind;
    names.push_back(kind.collection->name());
  }
  std::string hint = config::DidYouMean(word, names);
  if (hint.empty()) {
    hint = "; there are";
    for (const std::string& name : names) absl::StrAppend(&hint, " ", name);
  }
  return absl::InvalidArgumentError(Concat("no kind of resource ", Quote(word), hint));
}

void Session::Print(std::string_view text) const {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

int ExitStatusOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return 0;
    case absl::StatusCode::kNotFound:
      return IsFromRouter(status) ? 3 : 1;  // a file of ours is another matter
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kAlreadyExists:
      return 4;
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnauthenticated:
      return 5;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
      return 6;
    default:
      return 1;
  }
}

bool IsFromRouter(const absl::Status& status) { return !config::ReasonOf(status).empty(); }

std::string Explain(const absl::Status& status) {
  std::string text = Concat("trunkctl: ", status.message());
  if (const std::string reason = config::ReasonOf(status); !reason.empty()) {
    absl::StrAppend(&text, " (", reason, ")");
  }
  const std::vector<config::FieldViolation> violations = config::ViolationsOf(status);
  for (const config::FieldViolation& violation : violations) {
    if (violations.size() == 1) break;  // the text has said it
    absl::StrAppend(&text, "\n  ", violation.field, ": ", violation.description);
  }
  return text + "\n";
}

}  // namespace trunkline::cli
