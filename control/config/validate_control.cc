#include "control/config/validate_control.h"

#include <string>
#include <utility>

#include "control/config/rules.h"
#include "control/config/text.h"

namespace trunkline::config {
namespace {

constexpr char kPath[] = "control";

void Fail(std::string_view field, std::string text, std::vector<Problem>& problems) {
  problems.push_back({{}, Concat(kPath, ".", field), std::move(text)});
}

// gRPC verifies callers with certificate, key and CA alone.
void CheckProfile(const std::string& name, const Document& document,
                  std::vector<Problem>& problems) {
  constexpr std::string_view kField = "tcp.tls_profile";
  const auto found = document.tls_profiles.find(std::string(ResourceId(name)));
  if (found == document.tls_profiles.end()) {
    std::vector<std::string> known;
    for (const auto& [id, profile] : document.tls_profiles) known.push_back(id);
    return Fail(kField,
                Concat("there is no TLS profile ", Quote(ResourceId(name)),
                       DidYouMean(ResourceId(name), known)),
                problems);
  }
  const v1::TlsProfileSpec& spec = found->second.spec();
  if (!HasCertificate(document, found->first)) {
    Fail(kField, "the profile has no certificate_file, which the API needs", problems);
  }
  if (!HasAuthorities(document, found->first)) {
    Fail(kField, "the profile has no ca_file, to verify callers with", problems);
  }
  const std::pair<bool, std::string_view> ignored[] = {
      {!spec.crl_file().empty(), "crl_file"},
      {!spec.ciphers().empty(), "ciphers"},
      {!spec.cipher_suites().empty(), "cipher_suites"},
      {spec.protocols_min() == v1::TLS_VERSION_TLS13, "protocols_min"},
      {spec.protocols_max() == v1::TLS_VERSION_TLS12, "protocols_max"}};
  for (const auto& [is_set, field] : ignored) {
    if (!is_set) continue;
    Fail(kField, Concat("the profile has ", field, ", which the API cannot honour"), problems);
  }
}

}  // namespace

void ValidateControl(const Document& document, std::vector<Problem>& problems) {
  const v1::ControlSpec& spec = document.control;
  CheckRules(spec, kPath, problems);
  const bool has_socket = spec.socket() != "none";
  if (has_socket && !spec.socket().empty() && !spec.socket().starts_with('/')) {
    Fail("socket", Concat(Quote(spec.socket()), " is neither \"none\" nor begins with \"/\""),
         problems);
  }
  if (!has_socket && !spec.socket_group().empty()) {
    Fail("socket_group", "needs a socket", problems);
  }
  if (!spec.has_tcp()) return;
  if (spec.tcp().host().find_first_of(" /@*[]") != std::string::npos) {
    Fail("tcp.host", Concat(Quote(spec.tcp().host()), " is no name or address"), problems);
  }
  // What is required and missing, the rules have told.
  if (!spec.tcp().tls_profile().empty()) CheckProfile(spec.tcp().tls_profile(), document, problems);
}

}  // namespace trunkline::config
