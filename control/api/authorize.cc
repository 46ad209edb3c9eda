#include "control/api/authorize.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <variant>

#include "absl/strings/ascii.h"
#include "control/config/characters.h"
#include "control/config/error_details.h"
#include "control/config/problem.h"
#include "control/config/schema.h"
#include "control/config/text.h"
#include "control/config/yaml_proto.h"
#include "control/config/yaml_tree.h"

namespace trunkline::api {
namespace {

using config::Concat;
using config::Problem;
using config::YamlNode;

constexpr std::string_view kSpiffe = "spiffe://";

// Not what somebody could hide in a log, nor what no protobuf message can hold.
bool Counts(std::string_view name) {
  return !name.empty() && name.size() <= kIdentityBytesMax && !config::CheckCharacters(name) &&
         name.find_first_of("\t\r\n") == std::string_view::npos;
}

// "viewer" of ACCESS_ROLE_VIEWER.
std::string NameOf(v1::AccessRole role) {
  return config::ShortName(*v1::AccessRole_descriptor()->FindValueByNumber(role));
}

// What is wrong with an entry of a list; empty: nothing.
std::string WrongPattern(std::string_view pattern) {
  if (pattern.empty()) return "must not be empty";
  if (pattern.size() > kIdentityBytesMax) {
    return Concat(pattern.size(), " bytes are more than ", kIdentityBytesMax);
  }
  const size_t star = pattern.find('*');
  if (star != std::string_view::npos && star + 1 != pattern.size()) {
    return Concat(config::Quote(pattern), " has a \"*\" elsewhere than at its end");
  }
  if (pattern == "*") return "";
  for (std::string_view kind :
       {kSpiffe, std::string_view("uri:"), std::string_view("dns:"), std::string_view("cn:")}) {
    if (pattern.starts_with(kind)) return "";
  }
  return Concat(config::Quote(pattern), " begins with none of spiffe://, uri:, dns: and cn:");
}

}  // namespace

std::string IdentityOf(const CertificateNames& names) {
  for (const std::string& uri : names.uris) {
    if (uri.starts_with(kSpiffe) && Counts(uri)) return uri;
  }
  for (const std::string& uri : names.uris) {
    if (Counts(uri)) return Concat("uri:", uri);
  }
  for (const std::string& dns : names.dns) {
    if (Counts(dns)) return Concat("dns:", absl::AsciiStrToLower(dns));
  }
  return Counts(names.common_name) ? Concat("cn:", names.common_name) : "";
}

absl::StatusOr<Policy> Policy::Parse(std::string_view text, const std::string& file) {
  std::variant<YamlNode, Problem> tree = config::ParseYaml(text);
  if (Problem* problem = std::get_if<Problem>(&tree)) {
    return absl::InvalidArgumentError(config::FormatProblems(file, {std::move(*problem)}));
  }
  Policy policy;
  policy.everybody_views_ = false;
  config::YamlReport report;
  const std::vector<std::string> known = config::ShortNames(*v1::AccessRole_descriptor());
  const YamlNode& root = std::get<YamlNode>(tree);
  if (root.kind == YamlNode::Kind::kNull) {
    // A file that is just being written looks so.
    report.problems.push_back({{}, "", "holds nothing"});
  }
  config::ForEachEntry(
      root, "", report, [&](const YamlNode& key, const YamlNode& list, const std::string& path) {
        const auto* role = config::FindByShortName(*v1::AccessRole_descriptor(), key.text);
        if (role == nullptr) {
          report.problems.push_back(
              {key.at, path, Concat("unknown key", HintFor(key.text, known, report))});
        } else if (list.kind != YamlNode::Kind::kList && list.kind != YamlNode::Kind::kNull) {
          report.problems.push_back({list.at, path, "must be a list (- identity)"});
        } else {
          for (const YamlNode& item : list.items) {
            std::string wrong = item.kind == YamlNode::Kind::kScalar ? WrongPattern(item.text)
                                                                     : "must be a plain value";
            if (!wrong.empty()) report.problems.push_back({item.at, path, std::move(wrong)});
            policy.Add(item.text, static_cast<v1::AccessRole>(role->number()));
          }
        }
      });
  if (report.problems.empty()) return policy;
  return absl::InvalidArgumentError(config::FormatProblems(file, std::move(report.problems)));
}

void Policy::Add(std::string_view pattern, v1::AccessRole role) {
  const bool is_prefix = pattern.ends_with('*');
  auto& patterns = is_prefix ? prefixes_ : exact_;
  v1::AccessRole& best = patterns[std::string(pattern.substr(0, pattern.size() - is_prefix))];
  best = std::max(best, role);
}

v1::AccessRole Policy::RoleOf(std::string_view identity) const {
  v1::AccessRole best = everybody_views_ ? v1::ACCESS_ROLE_VIEWER : v1::ACCESS_ROLE_UNSPECIFIED;
  if (const auto found = exact_.find(identity); found != exact_.end()) {
    best = std::max(best, found->second);
  }
  for (const auto& [prefix, role] : prefixes_) {
    if (identity.starts_with(prefix)) best = std::max(best, role);
  }
  return best;
}

absl::Status Authorize(std::string_view identity, v1::AccessRole role, const Method& method) {
  if (role >= method.role) return absl::OkStatus();
  const std::string required = NameOf(method.role);
  return config::WithReason(
      absl::PermissionDeniedError(Concat(
          config::Quote(identity),
          role == v1::ACCESS_ROLE_UNSPECIFIED ? " has no role" : Concat(" is ", NameOf(role)),
          " by the policy file; ", method.name, " needs ", required)),
      "ROLE_REQUIRED",
      {{"identity", std::string(identity)}, {"required_role", required}, {"method", method.path}});
}

}  // namespace trunkline::api
