#include "control/config/document.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "control/config/text.h"

namespace trunkline::config {
namespace {

bool IsLowerAlnum(char c) { return absl::ascii_islower(c) || absl::ascii_isdigit(c); }

}  // namespace

Document DefaultDocument() {
  Document document;
  for (const auto& [id, host] : {std::pair{"amqp", "127.0.0.1"}, std::pair{"amqp-ipv6", "::1"}}) {
    v1::Listener& listener = document.listeners[id];
    listener.set_name(ResourceName(kListeners, id));
    listener.mutable_spec()->set_host(host);
  }
  return document;
}

const BuiltInUsers* BuiltInUsersOf(const Document& document, const std::string& store) {
  const auto found = document.built_in_users.find(store);
  return found == document.built_in_users.end() ? nullptr : found->second.get();
}

const InlineCertificate* InlineOf(const Document& document, const std::string& profile) {
  const auto found = document.inline_certificates.find(profile);
  return found == document.inline_certificates.end() ? nullptr : found->second.get();
}

bool HasCertificate(const Document& document, const std::string& profile) {
  const auto found = document.tls_profiles.find(profile);
  if (found == document.tls_profiles.end()) return false;
  return !found->second.spec().certificate_file().empty() || InlineOf(document, profile) != nullptr;
}

bool HasAuthorities(const Document& document, const std::string& profile) {
  const auto found = document.tls_profiles.find(profile);
  if (found == document.tls_profiles.end()) return false;
  const InlineCertificate* const given = InlineOf(document, profile);
  return !found->second.spec().ca_file().empty() || (given != nullptr && !given->ca.empty());
}

std::string ResourceName(std::string_view collection, std::string_view id) {
  return Concat(collection, "/", id);
}

std::string_view ResourceId(std::string_view name) {
  const size_t slash = name.find('/');
  return slash == std::string_view::npos ? name : name.substr(slash + 1);
}

bool IsResourceId(std::string_view id) {
  if (id.empty() || id.size() > kIdBytesMax) return false;
  if (!IsLowerAlnum(id.front()) || !IsLowerAlnum(id.back())) return false;
  return std::all_of(id.begin(), id.end(),
                     [](char c) { return IsLowerAlnum(c) || c == '.' || c == '-'; });
}

std::string DeriveId(std::string_view text) {
  if (IsResourceId(text) && !text.starts_with("q-")) return std::string(text);
  std::string id = "q-";
  for (char c : text) {
    if (IsLowerAlnum(c)) {
      id.push_back(c);
    } else {
      absl::StrAppend(&id, "-", absl::Hex(static_cast<unsigned char>(c), absl::kZeroPad2));
    }
  }
  return id;
}

}  // namespace trunkline::config
