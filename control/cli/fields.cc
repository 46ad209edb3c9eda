#include "control/cli/fields.h"

#include <algorithm>
#include <filesystem>
#include <utility>
#include <variant>

#include "absl/strings/str_split.h"
#include "control/api/kind.h"
#include "control/config/problem.h"
#include "control/config/schema.h"
#include "control/config/text.h"
#include "control/config/yaml_proto.h"
#include "control/config/yaml_tree.h"
#include "router/base/status.h"

namespace trunkline::cli {
namespace {

using config::Concat;
using config::Quote;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

absl::Status ReadField(const std::string& path, const std::string& value, Message& spec) {
  // As one line of YAML: a: {b: value}
  const std::vector<std::string> names = absl::StrSplit(path, '.');
  std::string yaml, end;
  for (const std::string& name : names) {
    yaml += Concat("{", name, ": ");
    end += '}';
  }
  auto tree = config::ParseYaml(Concat(yaml, value, end));
  if (const auto* problem = std::get_if<config::Problem>(&tree)) {
    return absl::InvalidArgumentError(Concat(path, "=", value, ": ", problem->text));
  }
  config::YamlReport report;
  config::ReadMessage(std::get<config::YamlNode>(tree), "", "", spec, report);
  if (report.problems.empty()) return absl::OkStatus();
  const config::Problem& problem = report.problems.front();
  return absl::InvalidArgumentError(Concat(problem.path, ": ", problem.text));
}

// People name files as they see them from here.
void ResolveFile(const std::string& name, Message& spec) {
  const FieldDescriptor* const field = spec.GetDescriptor()->FindFieldByName(name);
  if (field == nullptr || !config::RulesOf(*field).file()) return;
  const std::string file = spec.GetReflection()->GetString(spec, field);
  if (file.empty()) return;
  spec.GetReflection()->SetString(&spec, field,
                                  std::filesystem::absolute(file).lexically_normal().string());
}

}  // namespace

absl::Status ReadFields(const std::vector<std::string>& words, size_t first, Message& resource,
                        std::vector<std::string>& paths) {
  Message& spec = api::MutableMessageOf(resource, "spec");
  for (size_t i = first; i < words.size(); ++i) {
    const size_t equals = words[i].find('=');
    if (equals == std::string::npos || equals == 0) {
      return absl::InvalidArgumentError(Concat(Quote(words[i]), " is not FIELD=VALUE"));
    }
    const std::string field = words[i].substr(0, equals);
    const std::string value = words[i].substr(equals + 1);
    const std::string path = "spec." + field;
    if (std::find(paths.begin(), paths.end(), path) != paths.end()) {
      return absl::InvalidArgumentError(Concat(field, ": is given twice"));
    }
    paths.push_back(path);
    if (value.empty()) continue;
    TL_RETURN_IF_ERROR(ReadField(field, value, spec));
    ResolveFile(field, spec);
  }
  return absl::OkStatus();
}

absl::Status ReadLabels(const std::vector<std::string>& labels, Message& resource,
                        std::vector<std::string>& paths) {
  const FieldDescriptor* const field = resource.GetDescriptor()->FindFieldByName("labels");
  for (const std::string& label : labels) {
    const size_t equals = label.find('=');
    const bool taken_away = equals == std::string::npos && label.ends_with('-');
    if (label.size() < 2 || equals == 0 || (equals == std::string::npos && !taken_away)) {
      return absl::InvalidArgumentError(Concat("--label: ", Quote(label), " is not KEY=VALUE"));
    }
    const std::string key = label.substr(0, taken_away ? label.size() - 1 : equals);
    paths.push_back("labels." + key);
    if (taken_away) continue;
    Message& entry = *resource.GetReflection()->AddMessage(&resource, field);
    const google::protobuf::Descriptor& type = *entry.GetDescriptor();
    entry.GetReflection()->SetString(&entry, type.map_key(), key);
    entry.GetReflection()->SetString(&entry, type.map_value(), label.substr(equals + 1));
  }
  return absl::OkStatus();
}

}  // namespace trunkline::cli
