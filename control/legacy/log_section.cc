#include "control/legacy/log_section.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_join.h"
#include "control/config/text.h"
#include "control/legacy/attributes.h"

namespace trunkline::legacy {
namespace {

using config::Concat;
using config::Quote;

struct Module {
  std::string_view name;
  std::array<std::string_view, 3> here;  // empty: no counterpart
};

constexpr std::array<Module, 17> kModules = {{
    {"DEFAULT", {"default"}},
    {"ROUTER", {"router", "core"}},
    {"ROUTER_CORE", {"core"}},
    {"ROUTER_HELLO", {"mesh"}},
    {"ROUTER_LS", {"mesh"}},
    {"ROUTER_MA", {"mesh"}},
    {"MESSAGE", {"amqp"}},
    {"SERVER", {"net", "conn", "tls"}},
    {"AGENT", {"control"}},
    {"CONTAINER", {"conn"}},
    {"CONN_MGR", {"config", "daemon"}},
    {"AUTHSERVICE", {}},
    {"ERROR", {}},
    {"POLICY", {}},
    {"HTTP", {}},
    {"PYTHON", {}},
    {"PROTOCOL", {}},
}};

struct Level {
  std::string_view name;
  v1::LogLevel here;
};

// From the most talkative to the most silent.
constexpr std::array<Level, 7> kLevels = {{{"trace", v1::LOG_LEVEL_TRACE},
                                           {"debug", v1::LOG_LEVEL_DEBUG},
                                           {"info", v1::LOG_LEVEL_INFO},
                                           {"notice", v1::LOG_LEVEL_INFO},
                                           {"warning", v1::LOG_LEVEL_WARNING},
                                           {"error", v1::LOG_LEVEL_ERROR},
                                           {"critical", v1::LOG_LEVEL_ERROR}}};

template <typename Table>
std::vector<std::string> NamesOf(const Table& table) {
  std::vector<std::string> names;
  for (const auto& row : table) names.emplace_back(row.name);
  return names;
}

// Reads one section. Short-lived; owns nothing.
class LogReader {
 public:
  LogReader(const Section& section, v1::LogSpec& spec, Report& report)
      : section_(section), spec_(spec), report_(report) {}

  void Read();

 private:
  const Module* ReadModule();
  void ReadFile(const Module* module);
  // The level from which on records are written; nothing: it stays as it is by default.
  std::optional<v1::LogLevel> ReadLevel(const Attribute& enable);
  void Fail(const Attribute& attribute, std::string text) {
    report_.problems.push_back({attribute.value_at, PathOf(section_, attribute), std::move(text)});
  }
  void Warn(const Attribute& attribute, std::string text) {
    report_.warnings.push_back({attribute.value_at, PathOf(section_, attribute), std::move(text)});
  }

  const Section& section_;
  v1::LogSpec& spec_;
  Report& report_;
};

void LogReader::Read() {
  const Module* const module = ReadModule();
  ReadFile(module);
  const Attribute* const enable = section_.Find("enable");
  if (enable == nullptr) return;
  const std::optional<v1::LogLevel> level = ReadLevel(*enable);
  if (module == nullptr || !level) return;
  for (const std::string_view here : module->here) {
    if (here.empty()) continue;
    v1::LogLevel& now = (*spec_.mutable_levels())[std::string(here)];
    now = now == v1::LOG_LEVEL_UNSPECIFIED ? *level : std::min(now, *level);
  }
}

const Module* LogReader::ReadModule() {
  const Attribute* const attribute = section_.Find("module");
  if (attribute == nullptr) {
    report_.problems.push_back({section_.at, "log.module", "is required"});
    return nullptr;
  }
  const auto found = std::find_if(kModules.begin(), kModules.end(), [&](const Module& module) {
    return module.name == attribute->value;
  });
  if (found == kModules.end()) {
    const std::vector<std::string> known = NamesOf(kModules);
    Fail(*attribute, Concat(Quote(attribute->value), " is not one of ", absl::StrJoin(known, ", "),
                            config::DidYouMean(attribute->value, known)));
    return nullptr;
  }
  if (found->here[0].empty()) {
    Warn(*attribute, Concat("has no effect: there is nothing like ", found->name, " here"));
  }
  return &*found;
}

void LogReader::ReadFile(const Module* module) {
  const Attribute* const file = section_.Find("outputFile");
  if (file == nullptr || module == nullptr || file->value == "stderr") return;
  if (module->name != "DEFAULT") {
    return Fail(*file, "modules have no file of their own: the outputFile of DEFAULT is for all");
  }
  if (file->value == "syslog") {
    return Fail(*file,
                "the log goes to standard error, for the service manager to keep, or to a "
                "file");
  }
  spec_.set_file(file->value == "stdout" ? "/dev/stdout" : file->value);
}

std::optional<v1::LogLevel> LogReader::ReadLevel(const Attribute& enable) {
  std::array<bool, kLevels.size()> asked = {};
  for (const std::string& word : Words(enable.value)) {
    if (word == "none") return v1::LOG_LEVEL_OFF;
    if (word == "default") return std::nullopt;
    const bool and_above = word.ends_with('+');
    const std::string_view name = std::string_view(word).substr(0, word.size() - and_above);
    const auto level = std::find_if(kLevels.begin(), kLevels.end(),
                                    [&](const Level& l) { return l.name == name; });
    if (level == kLevels.end()) {
      Fail(enable, Concat(Quote(word), " is not one of ", absl::StrJoin(NamesOf(kLevels), ", "),
                          ", each with or without a \"+\" behind it, none, default"));
      return std::nullopt;
    }
    const auto first = asked.begin() + (level - kLevels.begin());
    std::fill(first, and_above ? asked.end() : first + 1, true);
  }
  const auto lowest = std::find(asked.begin(), asked.end(), true);
  if (lowest == asked.end()) return std::nullopt;
  if (std::find(lowest, asked.end(), false) != asked.end()) {
    Warn(enable, "a level here brings all those above it");
  }
  return kLevels[static_cast<size_t>(lowest - asked.begin())].here;
}

}  // namespace

void ReadLog(const Section& section, v1::LogSpec& spec, Report& report) {
  LogReader(section, spec, report).Read();
}

}  // namespace trunkline::legacy
