#include "control/cli/contexts.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "control/cli/files.h"
#include "control/config/characters.h"
#include "control/config/problem.h"
#include "control/config/read_file.h"
#include "control/config/text.h"
#include "control/config/yaml_proto.h"
#include "control/config/yaml_tree.h"
#include "router/base/status.h"

namespace trunkline::cli {
namespace {

using config::Concat;
using config::Quote;
using config::YamlNode;

constexpr size_t kBytesMax = 1 << 20;

// The file, as it is read.
struct Contexts {
  std::string current;
  std::map<std::string, Endpoint> by_name;
};

// What an entry of the file is called, and where it goes.
struct Key {
  const char* name;
  const char* option;
  std::string Endpoint::*value;
  bool is_file;
};
constexpr Key kKeys[] = {{"endpoint", "endpoint", &Endpoint::address, false},
                         {"tls_cert", "tls-cert", &Endpoint::tls_certificate, true},
                         {"tls_key", "tls-key", &Endpoint::tls_key, true},
                         {"tls_ca", "tls-ca", &Endpoint::tls_ca, true},
                         {"tls_name", "tls-name", &Endpoint::tls_server_name, false}};

std::filesystem::path FileName() {
  std::string folder = Environment("XDG_CONFIG_HOME");
  if (folder.empty()) {
    const std::string home = Environment("HOME");
    if (home.empty()) return {};
    folder = home + "/.config";
  }
  return std::filesystem::path(folder) / "trunkline" / "contexts.yaml";
}

// Whoever may write it says whom we trust.
absl::Status CheckMode(const std::string& file) {
  struct stat found;
  if (::stat(file.c_str(), &found) != 0) {
    return absl::FailedPreconditionError(Concat(file, ": ", ::strerror(errno)));
  }
  if (found.st_uid != ::geteuid() && found.st_uid != 0) {
    return absl::FailedPreconditionError(Concat(file, ": belongs to somebody else"));
  }
  if ((found.st_mode & 077) != 0) {
    return absl::FailedPreconditionError(
        Concat(file, ": others may read or write it; chmod 600 ", file));
  }
  return absl::OkStatus();
}

void ReadEndpoint(const YamlNode& node, const std::string& path,
                  const std::filesystem::path& folder, Endpoint& endpoint,
                  config::YamlReport& report) {
  config::ForEachEntry(
      node, path, report, [&](const YamlNode& key, const YamlNode& value, const std::string& at) {
        for (const Key& known : kKeys) {
          if (key.text != known.name) continue;
          if (value.kind != YamlNode::Kind::kScalar) break;
          endpoint.*known.value =
              known.is_file ? (folder / value.text).lexically_normal().string() : value.text;
          return;
        }
        report.problems.push_back({key.at, at, "is not known, or is no plain value"});
      });
}

absl::StatusOr<Contexts> Read() {
  const std::filesystem::path file = FileName();
  Contexts contexts;
  if (file.empty() || ::access(file.c_str(), F_OK) != 0) return contexts;
  TL_RETURN_IF_ERROR(CheckMode(file.string()));
  TL_ASSIGN_OR_RETURN(const std::string text, config::ReadFile(file.string(), kBytesMax));
  config::YamlReport report;
  auto tree = config::ParseYaml(text);
  if (const auto* problem = std::get_if<config::Problem>(&tree)) {
    report.problems.push_back(*problem);
  } else {
    config::ForEachEntry(
        std::get<YamlNode>(tree), "", report,
        [&](const YamlNode& key, const YamlNode& value, const std::string& path) {
          if (key.text == "current") {
            contexts.current = value.text;
          } else if (key.text == "contexts") {
            config::ForEachEntry(
                value, path, report,
                [&](const YamlNode& name, const YamlNode& one, const std::string& at) {
                  ReadEndpoint(one, at, file.parent_path(), contexts.by_name[name.text], report);
                });
          } else {
            report.problems.push_back({key.at, path, "is not known"});
          }
        });
  }
  if (report.problems.empty()) return contexts;
  return absl::FailedPreconditionError(
      config::FormatProblems(file.string(), std::move(report.problems)));
}

// Text for YAML, in quotes.
std::string Quoted(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "\"";
}

absl::Status Write(const Contexts& contexts) {
  const std::filesystem::path file = FileName();
  if (file.empty()) return absl::FailedPreconditionError("$HOME is not set");
  std::string text;
  if (!contexts.current.empty())
    absl::StrAppend(&text, "current: ", Quoted(contexts.current), "\n");
  absl::StrAppend(&text, "contexts:", contexts.by_name.empty() ? " {}" : "", "\n");
  for (const auto& [name, endpoint] : contexts.by_name) {
    absl::StrAppend(&text, "  ", Quoted(name), ":\n");
    for (const Key& key : kKeys) {
      const std::string& value = endpoint.*key.value;
      if (!value.empty()) absl::StrAppend(&text, "    ", key.name, ": ", Quoted(value), "\n");
    }
  }
  return ReplacePrivateFile(file.string(), text);
}

absl::Status NoContext(const std::string& name, const Contexts& contexts) {
  std::vector<std::string> names;
  for (const auto& [known, endpoint] : contexts.by_name) names.push_back(known);
  return absl::InvalidArgumentError(
      Concat("no context ", Quote(name), config::DidYouMean(name, names)));
}

// NAME of a command.
absl::StatusOr<std::string> NameOf(const Session& session) {
  if (session.words().size() == 1 && !session.words().front().empty()) {
    return session.words().front();
  }
  return absl::InvalidArgumentError("give the name of one context");
}

// What the file can hold: a line of text.
absl::Status CheckLine(std::string_view what, const std::string& text) {
  if (std::none_of(text.begin(), text.end(), config::IsControl) && !config::CheckCharacters(text)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(Concat(what, ": is no line of text"));
}

}  // namespace

absl::StatusOr<Endpoint> EndpointOfContext(const std::string& name) {
  TL_ASSIGN_OR_RETURN(const Contexts contexts, Read());
  const std::string& wanted = name.empty() ? contexts.current : name;
  if (wanted.empty()) return Endpoint{};
  const auto found = contexts.by_name.find(wanted);
  if (found == contexts.by_name.end()) return NoContext(wanted, contexts);
  return found->second;
}

absl::Status ListContexts(Session& session) {
  const std::string form = session.arguments().Get("output", "table");
  if (form != "table" && form != "name") {
    return absl::InvalidArgumentError(
        Concat("--output: ", Quote(form), " is nothing for this; there are table and name"));
  }
  TL_ASSIGN_OR_RETURN(const Contexts contexts, Read());
  if (contexts.by_name.empty()) {
    session.Note("no contexts; trunkctl context set NAME --endpoint ADDRESS makes one\n");
    return absl::OkStatus();
  }
  if (form == "name") {
    for (const auto& [name, endpoint] : contexts.by_name) session.Print(name + "\n");
    return absl::OkStatus();
  }
  Table table({"USED", "NAME", "ENDPOINT", "CERTIFICATE"});
  for (const auto& [name, endpoint] : contexts.by_name) {
    const std::string& certificate = endpoint.tls_certificate;
    table.Add({name == contexts.current ? "*" : "", name, endpoint.address,
               certificate.empty() ? "-" : certificate});
  }
  session.Print(table.Text(true));
  return absl::OkStatus();
}

absl::Status UseContext(Session& session) {
  TL_ASSIGN_OR_RETURN(const std::string name, NameOf(session));
  TL_ASSIGN_OR_RETURN(Contexts contexts, Read());
  if (!contexts.by_name.contains(name)) return NoContext(name, contexts);
  contexts.current = name;
  TL_RETURN_IF_ERROR(Write(contexts));
  session.Print(Concat("uses ", name, "\n"));
  return absl::OkStatus();
}

absl::Status SetContext(Session& session) {
  TL_ASSIGN_OR_RETURN(const std::string name, NameOf(session));
  TL_RETURN_IF_ERROR(CheckLine("NAME", name));
  TL_ASSIGN_OR_RETURN(Contexts contexts, Read());
  Endpoint& endpoint = contexts.by_name[name];
  for (const Key& key : kKeys) {
    if (!session.arguments().Has(key.option)) continue;
    const std::string value = session.arguments().Get(key.option);
    TL_RETURN_IF_ERROR(CheckLine(Concat("--", key.option), value));
    endpoint.*key.value =
        key.is_file && !value.empty() ? std::filesystem::absolute(value).string() : value;
  }
  if (endpoint.address.empty()) return absl::InvalidArgumentError("--endpoint: is missing");
  TL_RETURN_IF_ERROR(CheckEndpoint(endpoint));
  if (contexts.by_name.size() == 1) contexts.current = name;
  TL_RETURN_IF_ERROR(Write(contexts));
  session.Print(
      Concat(name, " is ", endpoint.address, contexts.current == name ? ", and used\n" : "\n"));
  return absl::OkStatus();
}

absl::Status DeleteContext(Session& session) {
  TL_ASSIGN_OR_RETURN(const std::string name, NameOf(session));
  TL_ASSIGN_OR_RETURN(Contexts contexts, Read());
  if (contexts.by_name.erase(name) == 0) return NoContext(name, contexts);
  if (contexts.current == name) contexts.current.clear();
  TL_RETURN_IF_ERROR(Write(contexts));
  session.Print(Concat(name, " is forgotten\n"));
  return absl::OkStatus();
}

}  // namespace trunkline::cli
