#include "control/cli/configuration.h"

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "control/cli/files.h"
#include "control/config/collection.h"
#include "control/config/file_source.h"
#include "control/config/text.h"
#include "control/config/yaml_write.h"
#include "proto/trunkline/control/v1/router_service.pb.h"
#include "router/base/status.h"

namespace trunkline::cli {
namespace {

using config::Concat;
using google::protobuf::Message;

absl::StatusOr<std::string> FileOf(const Session& session) {
  if (session.words().size() == 1) return session.words().front();
  return absl::InvalidArgumentError("give one FILE; - is the standard input");
}

absl::StatusOr<std::vector<config::Problem>> Problems(Session& session, const std::string& text) {
  std::vector<config::Problem> problems;
  if (session.arguments().Has("offline")) return config::FindProblems(text);
  v1::ValidateConfigRequest request;
  request.set_yaml(text);
  v1::ValidateConfigResponse reply;
  TL_RETURN_IF_ERROR(session.Call("RouterService/ValidateConfig", request, reply));
  for (const v1::ValidateConfigResponse::Problem& problem : reply.problems()) {
    problems.push_back(
        {{problem.line(), problem.column()}, problem.field(), problem.description()});
  }
  return problems;
}

// The parts of a document, "listeners[amqp]" or "router", as lines.
using Parts = std::map<std::string, std::vector<std::string>>;

std::vector<std::string> LinesOf(const std::string& text) {
  std::vector<std::string> lines = absl::StrSplit(text, '\n');
  lines.pop_back();
  return lines;
}

// A document of this resource alone, without the line of its section.
std::vector<std::string> LinesOf(const config::Collection& collection, const Message& resource) {
  config::Document one;
  collection.Put(one, resource);
  std::vector<std::string> lines = LinesOf(config::WriteYaml(one));
  lines.erase(lines.begin());
  return lines;
}

Parts PartsOf(const config::Document& document) {
  Parts parts;
  parts["router"] = LinesOf(config::WriteYaml(document.router, 2));
  parts["log"] = LinesOf(config::WriteYaml(document.log, 2));
  parts["control"] = LinesOf(config::WriteYaml(document.control, 2));
  if (document.metrics) parts["metrics"] = LinesOf(config::WriteYaml(*document.metrics, 2));
  for (const config::Collection& collection : config::Collections()) {
    collection.ForEach(document, [&](const std::string& id, const Message& resource) {
      parts[Concat(collection.section(), "[", id, "]")] = LinesOf(collection, resource);
    });
  }
  return parts;
}

// The longest lines that both have in the same order stay; they are few, so the plain way will do.
void AddDifference(const std::vector<std::string>& before, const std::vector<std::string>& after,
                   std::string& text) {
  const size_t rows = before.size(), columns = after.size();
  std::vector<std::vector<size_t>> common(rows + 1, std::vector<size_t>(columns + 1));
  for (size_t i = rows; i-- > 0;) {
    for (size_t j = columns; j-- > 0;) {
      common[i][j] = before[i] == after[j] ? common[i + 1][j + 1] + 1
                                           : std::max(common[i + 1][j], common[i][j + 1]);
    }
  }
  size_t i = 0, j = 0;
  while (i < rows || j < columns) {
    if (i < rows && j < columns && before[i] == after[j]) {
      ++i, ++j;
    } else if (i < rows && (j == columns || common[i + 1][j] >= common[i][j + 1])) {
      absl::StrAppend(&text, "-", before[i++], "\n");
    } else {
      absl::StrAppend(&text, "+", after[j++], "\n");
    }
  }
}

std::string Difference(const Parts& before, const Parts& after) {
  Parts all = before;
  all.insert(after.begin(), after.end());
  std::string text;
  for (const auto& [name, lines] : all) {
    const auto was = before.find(name), is = after.find(name);
    const std::vector<std::string> none;
    std::string part;
    AddDifference(was == before.end() ? none : was->second, is == after.end() ? none : is->second,
                  part);
    if (!part.empty()) absl::StrAppend(&text, "@ ", name, "\n", part);
  }
  return text;
}

std::string Coloured(const std::string& text) {
  std::string coloured;
  for (const std::string& line : LinesOf(text)) {
    const char* const colour = line[0] == '+'   ? "\033[32m"
                               : line[0] == '-' ? "\033[31m"
                                                : "\033[1m";
    absl::StrAppend(&coloured, colour, line, "\033[0m\n");
  }
  return coloured;
}

}  // namespace

absl::Status ShowConfig(Session& session) {
  v1::GetConfigResponse reply;
  TL_RETURN_IF_ERROR(session.Call("RouterService/GetConfig", v1::GetConfigRequest(), reply));
  session.Print(reply.yaml());
  return absl::OkStatus();
}

absl::Status CheckConfig(Session& session) {
  TL_ASSIGN_OR_RETURN(const std::string file, FileOf(session));
  TL_ASSIGN_OR_RETURN(const std::string text, ReadText(file));
  TL_ASSIGN_OR_RETURN(const std::vector<config::Problem> problems, Problems(session, text));
  if (problems.empty()) {
    session.Print(Concat(file, ": good\n"));
    return absl::OkStatus();
  }
  session.Print(config::FormatProblems(file, problems));
  return absl::FailedPreconditionError(Concat(file, ": ", Count(problems.size(), "problem")));
}

absl::Status DiffConfig(Session& session) {
  TL_ASSIGN_OR_RETURN(const std::string file, FileOf(session));
  TL_ASSIGN_OR_RETURN(const std::string text, ReadText(file));
  // By its whole name, so that names of files in it are whole, as those that the router tells.
  const std::string place = std::filesystem::absolute(file).lexically_normal().string();
  const auto wanted = config::ParseDocument(text, place);
  if (!wanted.ok()) {
    return absl::FailedPreconditionError(
        Concat(file, ": has problems; trunkctl config check --offline ", file, " tells them"));
  }
  v1::GetConfigResponse reply;
  TL_RETURN_IF_ERROR(session.Call("RouterService/GetConfig", v1::GetConfigRequest(), reply));
  const auto present = config::ParsePart(reply.yaml(), "/");
  if (!present.ok()) return absl::InternalError("the router's configuration cannot be read");
  const std::string difference = Difference(PartsOf(*present), PartsOf(wanted->document));
  if (difference.empty()) return absl::OkStatus();
  session.Print(session.colours() == Table::Colours::kOn ? Coloured(difference) : difference);
  return absl::FailedPreconditionError("");
}

}  // namespace trunkline::cli
