#include "control/config/file_source.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>
#include <variant>

#include "control/config/read_file.h"
#include "control/config/resource.h"
#include "control/config/schema.h"
#include "control/config/text.h"
#include "control/config/validate.h"
#include "control/config/yaml_proto.h"
#include "control/config/yaml_tree.h"

namespace trunkline::config {
namespace {

// The keys of a resource that stand beside the fields of its spec.
constexpr std::string_view kName = "name";
constexpr std::string_view kWords[] = {"legacy_name", "labels"};

// A name above this is too long by far, as is the prefix or pattern that it is made from (1024
// bytes, three in the name for each); not read on, so that no name fills memory as part of many
// paths.
constexpr size_t kIdBytesRead = 4096;

// The value of `key` in the map `node`, if it is plain text.
std::string_view TextOf(const YamlNode& node, std::string_view key) {
  if (node.kind != YamlNode::Kind::kMap) return {};
  for (size_t i = 0; i + 1 < node.items.size(); i += 2) {
    if (node.items[i].text == key && node.items[i + 1].kind == YamlNode::Kind::kScalar) {
      return node.items[i + 1].text;
    }
  }
  return {};
}

// The id of a resource: its name; an address without one is named by what it matches.
std::string IdOf(const YamlNode& node, std::string_view collection) {
  if (const std::string_view name = TextOf(node, kName); !name.empty()) return std::string(name);
  if (collection != kAddresses) return "";
  std::string_view text = TextOf(node, "prefix");
  if (text.empty()) text = TextOf(node, "pattern");
  return text.empty() ? "" : DeriveId(text);
}

// Of the map `node`, the entries that a resource carries about itself, or those that it does not.
enum class Part { kWords, kSpec };
YamlNode PartOf(const YamlNode& node, Part part) {
  YamlNode taken = node;
  taken.items.clear();
  for (size_t i = 0; i + 1 < node.items.size(); i += 2) {
    const bool is_word =
        std::find(std::begin(kWords), std::end(kWords), node.items[i].text) != std::end(kWords);
    if (is_word != (part == Part::kWords)) continue;
    taken.items.push_back(node.items[i]);
    taken.items.push_back(node.items[i + 1]);
  }
  return taken;
}

// A list of resources of one kind: `section` of the file.
template <typename Resource>
void ReadResources(const YamlNode& list, const std::string& section, std::string_view collection,
                   std::map<std::string, Resource>& resources, YamlReport& report) {
  if (list.kind == YamlNode::Kind::kNull) return;
  if (list.kind != YamlNode::Kind::kList) {
    report.problems.push_back({list.at, section, "must be a list (- name: …)"});
    return;
  }
  for (size_t i = 0; i < list.items.size(); ++i) {
    const YamlNode& node = list.items[i];
    const std::string id = IdOf(node, collection);
    if (id.size() > kIdBytesRead) {
      const bool is_named = !TextOf(node, kName).empty();
      report.problems.push_back({node.at, Concat(section, "[", i, "]", is_named ? ".name" : ""),
                                 is_named
                                     ? Concat(id.size(), " bytes are more than ", kIdBytesMax)
                                     : std::string("prefix or pattern: more than 1024 bytes")});
      continue;
    }
    const std::string path =
        id.empty() ? Concat(section, "[", i, "]") : Concat(section, "[", id, "]");
    if (node.kind != YamlNode::Kind::kMap) {
      report.problems.push_back({node.at, path, "must be a map (key: value)"});
      continue;
    }
    if (id.empty() && collection != kAddresses) {
      report.problems.push_back({node.at, Concat(path, ".name"), "is required"});
    }
    const auto [place, added] = report.positions.emplace(path, node.at);
    if (!added) {
      report.problems.push_back({node.at, Concat(path, ".name"),
                                 Concat("is used twice, first on line ", place->second.line)});
      continue;
    }
    // Without an id it is read for its other problems; then the document is not used.
    Resource& resource = resources[id.empty() ? Concat("[", i, "]") : id];
    resource.set_name(ResourceName(collection, id));
    ReadMessage(PartOf(node, Part::kWords), path, "", resource, report);
    CheckWords(resource, path, report.problems);
    ReadMessage(PartOf(node, Part::kSpec), path, kName, *resource.mutable_spec(), report);
    if (id.empty() && collection == kAddresses) {
      report.problems.push_back({node.at, path, "exactly one of prefix and pattern must be set"});
    }
  }
}

void ReadSection(const YamlNode& key, const YamlNode& value, Document& document,
                 YamlReport& report) {
  const std::string& section = key.text;
  if (section == "router") return ReadMessage(value, section, "", document.router, report);
  if (section == "log") return ReadMessage(value, section, "", document.log, report);
  if (section == "control") return ReadMessage(value, section, "", document.control, report);
  if (section == "metrics") {
    return ReadMessage(value, section, "", document.metrics.emplace(), report);
  }
  if (section == "listeners") {
    return ReadResources(value, section, kListeners, document.listeners, report);
  }
  if (section == "connectors") {
    return ReadResources(value, section, kConnectors, document.connectors, report);
  }
  if (section == "tls_profiles") {
    return ReadResources(value, section, kTlsProfiles, document.tls_profiles, report);
  }
  if (section == "user_stores") {
    return ReadResources(value, section, kUserStores, document.user_stores, report);
  }
  if (section == "addresses") {
    return ReadResources(value, section, kAddresses, document.addresses, report);
  }
  const std::vector<std::string> known = {"router",       "log",         "control",
                                          "metrics",      "listeners",   "connectors",
                                          "tls_profiles", "user_stores", "addresses"};
  report.problems.push_back(
      {key.at, section, Concat("unknown key", HintFor(section, known, report))});
}

// Names of files are meant from the folder of the configuration, wherever the process runs; whole,
// as they are told to others too.
void ResolveFilesOf(const std::string& file, Document& document) {
  std::error_code error;
  const std::filesystem::path whole = std::filesystem::absolute(file, error);
  const std::filesystem::path folder = (error ? std::filesystem::path(file) : whole).parent_path();
  for (auto& [id, profile] : document.tls_profiles) ResolveFiles(folder, *profile.mutable_spec());
  for (auto& [id, store] : document.user_stores) ResolveFiles(folder, *store.mutable_spec());
  for (auto& [id, connector] : document.connectors) ResolveFiles(folder, *connector.mutable_spec());
  ResolveFiles(folder, document.log);
  ResolveFiles(folder, document.control);
  if (document.control.has_tcp()) ResolveFiles(folder, *document.control.mutable_tcp());
}

// The document of `text`, as far as it can be read, and what is wrong with its form.
Document ReadForm(std::string_view text, YamlReport& report) {
  Document document;
  std::variant<YamlNode, Problem> tree = ParseYaml(text);
  if (Problem* problem = std::get_if<Problem>(&tree)) {
    report.problems.push_back(std::move(*problem));
    return document;
  }
  if (std::get<YamlNode>(tree).kind == YamlNode::Kind::kNull) {
    // A file that is just being written looks so; it must not end a router's listeners.
    report.problems.push_back({{}, "", "holds nothing"});
    return document;
  }
  ForEachEntry(std::get<YamlNode>(tree), "", report,
               [&](const YamlNode& key, const YamlNode& value, const std::string&) {
                 ReadSection(key, value, document, report);
               });
  Locate(report.positions, report.problems);
  return document;
}

// As ReadForm; and all that is wrong with the document.
Document Read(std::string_view text, YamlReport& report) {
  Document document = ReadForm(text, report);
  if (report.problems.empty()) {
    report.problems = Validate(document);
    Locate(report.positions, report.problems);
  }
  return document;
}

}  // namespace

absl::StatusOr<FileDocument> ParseDocument(std::string_view text, const std::string& file) {
  YamlReport report;
  Document document = Read(text, report);
  if (!report.problems.empty()) {
    return absl::InvalidArgumentError(FormatProblems(file, std::move(report.problems)));
  }
  ResolveFilesOf(file, document);
  return FileDocument{std::move(document), std::move(report.positions)};
}

absl::StatusOr<Document> ParsePart(std::string_view text, const std::string& file) {
  YamlReport report;
  Document document = ReadForm(text, report);
  if (!report.problems.empty()) {
    return absl::InvalidArgumentError(FormatProblems(file, std::move(report.problems)));
  }
  ResolveFilesOf(file, document);
  return document;
}

std::vector<Problem> FindProblems(std::string_view text) {
  YamlReport report;
  Read(text, report);
  return std::move(report.problems);
}

absl::StatusOr<FileDocument> LoadDocument(const std::string& file) {
  absl::StatusOr<std::string> text = ReadFile(file, kConfigBytesMax);
  if (!text.ok()) return absl::Status(text.status().code(), Concat(text.status().message(), "\n"));
  return ParseDocument(*text, file);
}

void ResolveFiles(const std::filesystem::path& folder, google::protobuf::Message& message) {
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  const google::protobuf::Descriptor& type = *message.GetDescriptor();
  for (int i = 0; i < type.field_count(); ++i) {
    const google::protobuf::FieldDescriptor* field = type.field(i);
    if (!RulesOf(*field).file() || reflection.GetString(message, field).empty()) continue;
    reflection.SetString(&message, field, (folder / reflection.GetString(message, field)).string());
  }
}

}  // namespace trunkline::config
