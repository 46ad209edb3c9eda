#include "control/legacy/qdrouterd_conf.h"

#include <utility>
#include <vector>

#include "control/config/read_file.h"
#include "control/config/text.h"
#include "control/config/validate.h"
#include "control/legacy/sections.h"
#include "control/legacy/translator.h"

namespace trunkline::legacy {
namespace {

// A configuration file of Cyrus SASL is a few lines.
constexpr size_t kSaslConfBytesMax = 64 << 10;

// The rules speak of fields, and of items of lists; who reads the problem knows what the file calls
// them.
void UseNamesOfFile(const Report& report, std::vector<config::Problem>& problems) {
  for (config::Problem& problem : problems) {
    auto name = report.names.find(problem.path);
    if (name == report.names.end() && problem.path.ends_with(']')) {
      name = report.names.find(problem.path.substr(0, problem.path.rfind('[')));
    }
    if (name != report.names.end()) problem.path = name->second;
  }
}

}  // namespace

absl::StatusOr<config::FileDocument> ParseQdrouterdConf(std::string_view text,
                                                        const std::string& file,
                                                        const FileReader& read) {
  Report report;
  std::vector<Section> sections = ReadSections(text, report);
  config::FileDocument result;
  // Sections that are not read to their ends would seem to lack what follows.
  if (report.problems.empty()) result.document = Translator(sections, read, report).Run();
  if (report.problems.empty()) {
    report.problems = config::Validate(result.document);
    config::Locate(report.positions, report.problems);
    UseNamesOfFile(report, report.problems);
  }
  if (!report.problems.empty()) {
    return absl::InvalidArgumentError(config::FormatProblems(file, std::move(report.problems)));
  }
  result.positions = std::move(report.positions);
  result.warnings = std::move(report.warnings);
  return result;
}

absl::StatusOr<config::FileDocument> LoadDocument(const std::string& file) {
  absl::StatusOr<std::string> text = config::ReadFile(file, config::kConfigBytesMax);
  if (!text.ok()) {
    return absl::Status(text.status().code(), config::Concat(text.status().message(), "\n"));
  }
  if (!IsLegacyText(*text)) return config::ParseDocument(*text, file);
  return ParseQdrouterdConf(*text, file, [](const std::string& name) {
    return config::ReadFile(name, kSaslConfBytesMax);
  });
}

}  // namespace trunkline::legacy
