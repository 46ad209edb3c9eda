#include "control/certs/names.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "control/config/text.h"

namespace trunkline::certs {
namespace {

std::string Lower(std::string text) {
  absl::AsciiStrToLower(&text);
  if (text.ends_with('.')) text.pop_back();
  return text;
}

// Both in lower case. A wildcard covers the same wildcard, too.
bool Covers(const std::string& pattern, const std::string& name) {
  if (pattern == name) return true;
  if (!pattern.starts_with("*.")) return false;
  const size_t dot = name.find('.');
  return dot != std::string::npos && dot > 0 && name.substr(dot) == pattern.substr(1) &&
         name.front() != '*';
}

bool Holds(const std::vector<std::string>& all, const std::string& one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

}  // namespace

bool IsNamed(const tls::CertificateInfo& certificate, const std::string& host) {
  const std::string name = Lower(host);
  return Holds(certificate.ip_addresses, host) ||
         std::any_of(certificate.dns_names.begin(), certificate.dns_names.end(),
                     [&](const std::string& pattern) { return Covers(Lower(pattern), name); });
}

std::vector<std::string> MissingNames(const tls::CertificateInfo& last,
                                      const tls::CertificateInfo& next,
                                      const std::vector<std::string>& hosts) {
  std::vector<std::string> missing;
  const auto tell = [&](std::string_view kind, const std::string& name) {
    missing.push_back(config::Concat("the certificate does not name ", kind, config::Quote(name),
                                     ", as the one before does"));
  };
  for (const std::string& name : last.dns_names) {
    if (!IsNamed(next, name)) tell("", name);
  }
  for (const std::string& address : last.ip_addresses) {
    if (!Holds(next.ip_addresses, address)) tell("", address);
  }
  for (const std::string& uri : last.uris) {
    if (!Holds(next.uris, uri)) tell("the URI ", uri);
  }
  for (const std::string& host : hosts) {
    if (IsNamed(next, host) || IsNamed(last, host)) continue;
    missing.push_back(config::Concat("the certificate does not name ", config::Quote(host),
                                     ", where a listener with this profile listens"));
  }
  return missing;
}

}  // namespace trunkline::certs
