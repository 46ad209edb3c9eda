#include "control/legacy/sasl_conf.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_split.h"
#include "control/config/characters.h"
#include "control/config/text.h"
#include "control/legacy/attributes.h"
#include "router/base/status.h"
#include "router/sasl/mechanisms.h"

namespace trunkline::legacy {
namespace {

using config::Concat;
using config::Quote;

bool Contains(const std::vector<std::string>& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// Where passwords come from, by the options that say so: one word for each is known here.
absl::Status CheckOnly(const std::string& option, const std::string& value,
                       std::string_view known) {
  if (Contains(Words(value), known)) return absl::OkStatus();
  return absl::InvalidArgumentError(Concat(option, ": ", Quote(value),
                                           " is not there; users come from a sasldb file (", option,
                                           ": ", known, ")"));
}

void ReadMechanisms(const std::string& value, SaslConf& conf) {
  conf.mechanisms.emplace();
  for (std::string& word : Words(absl::AsciiStrToUpper(value))) {
    const bool spoken =
        word == "ANONYMOUS" || word == "EXTERNAL" || Contains(sasl::PasswordMechanisms(), word);
    if (!spoken) {
      conf.ignored.push_back(Concat("mech_list: ", word));
    } else if (!Contains(*conf.mechanisms, word)) {
      conf.mechanisms->push_back(std::move(word));
    }
  }
}

absl::Status ReadOption(const std::string& option, const std::string& value, SaslConf& conf) {
  if (option == "pwcheck_method") return CheckOnly(option, value, "auxprop");
  if (option == "auxprop_plugin") return CheckOnly(option, value, "sasldb");
  if (option == "sasldb_path") {
    conf.sasldb_file = value;
  } else if (option == "mech_list") {
    ReadMechanisms(value, conf);
  } else {
    conf.ignored.push_back(option);
  }
  return absl::OkStatus();
}

absl::Status ReadLine(const std::string& line, SaslConf& conf) {
  const size_t colon = line.find(':');
  if (colon == std::string::npos) return absl::InvalidArgumentError("is not \"option: value\"");
  const std::string option =
      absl::AsciiStrToLower(absl::StripAsciiWhitespace(line.substr(0, colon)));
  const std::string value(absl::StripAsciiWhitespace(line.substr(colon + 1)));
  if (value.empty()) return absl::InvalidArgumentError(Concat(Quote(option), " has no value"));
  return ReadOption(option, value, conf);
}

}  // namespace

absl::StatusOr<SaslConf> ParseSaslConf(std::string_view text) {
  if (const auto problem = config::CheckCharacters(text)) {
    return absl::InvalidArgumentError(Concat("line ", problem->at.line, ": ", problem->text));
  }
  SaslConf conf;
  int number = 0;
  for (absl::string_view raw : absl::StrSplit(std::string(text), '\n')) {
    ++number;
    const std::string line(absl::StripAsciiWhitespace(raw));
    if (line.empty() || line.front() == '#') continue;
    if (absl::Status status = ReadLine(line, conf); !status.ok()) {
      return absl::InvalidArgumentError(Concat("line ", number, ": ", status.message()));
    }
  }
  return conf;
}

}  // namespace trunkline::legacy
