#include "same_document.h"

#include <google/protobuf/util/message_differencer.h>

#include <map>

#include "absl/strings/str_cat.h"

namespace trunkline::legacy {
namespace {

void Compare(std::string_view what, const google::protobuf::Message& a,
             const google::protobuf::Message& b, std::string& difference) {
  google::protobuf::util::MessageDifferencer differencer;
  std::string text;
  differencer.ReportDifferencesToString(&text);
  if (!differencer.Compare(a, b)) {
    absl::StrAppend(&difference, std::string(what), ": ", text, "\n");
  }
}

template <typename Resource>
void Compare(const std::map<std::string, Resource>& a, const std::map<std::string, Resource>& b,
             std::string& difference) {
  for (const auto& [id, resource] : a) {
    const auto other = b.find(id);
    if (other == b.end()) {
      absl::StrAppend(&difference, "only in the first: ", resource.name(), "\n");
    } else {
      Compare(resource.name(), resource, other->second, difference);
    }
  }
  for (const auto& [id, resource] : b) {
    if (!a.contains(id)) {
      absl::StrAppend(&difference, "only in the second: ", resource.name(), "\n");
    }
  }
}

template <typename Resource>
void ForgetOrigins(std::map<std::string, Resource>& resources) {
  for (auto& [id, resource] : resources) resource.clear_legacy_name();
}

void ForgetOrigins(config::Document& document) {
  ForgetOrigins(document.listeners);
  ForgetOrigins(document.connectors);
  ForgetOrigins(document.tls_profiles);
  ForgetOrigins(document.user_stores);
  ForgetOrigins(document.addresses);
}

}  // namespace

std::string Difference(config::Document a, config::Document b) {
  ForgetOrigins(a);
  ForgetOrigins(b);
  std::string difference;
  Compare("router", a.router, b.router, difference);
  Compare("log", a.log, b.log, difference);
  Compare("metrics", a.metrics.value_or(v1::MetricsSpec()), b.metrics.value_or(v1::MetricsSpec()),
          difference);
  if (a.metrics.has_value() != b.metrics.has_value()) difference += "metrics: in one alone\n";
  Compare(a.listeners, b.listeners, difference);
  Compare(a.connectors, b.connectors, difference);
  Compare(a.tls_profiles, b.tls_profiles, difference);
  Compare(a.user_stores, b.user_stores, difference);
  Compare(a.addresses, b.addresses, difference);
  return difference;
}

}  // namespace trunkline::legacy
