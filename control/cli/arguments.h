#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace trunkline::cli {

// An option of the command line. The one table of them is behind parsing, --help and completion.
struct Option {
  std::string_view name;   // "output", without "--"
  char letter;             // 0: none
  std::string_view value;  // what it takes, "FILE"; empty: nothing
  bool everywhere;         // every command takes it
  std::string_view help;
};
absl::Span<const Option> Options();
// By its long name; null: there is none.
const Option* FindOption(std::string_view name);

// A command line, taken apart: options wherever they stand, and words. `--` ends the options.
class Arguments {
 public:
  // InvalidArgument: an option that is unknown, has no value, or one too many.
  static absl::StatusOr<Arguments> Parse(absl::Span<const char* const> arguments);

  // Words that are no options: "get", "listeners".
  const std::vector<std::string>& words() const { return words_; }
  bool Has(std::string_view option) const { return options_.contains(option); }
  // Of an option that is there twice the last counts.
  std::string Get(std::string_view option, std::string_view absent = "") const;
  // Of an option that may be there several times.
  std::vector<std::string> GetAll(std::string_view option) const;
  // InvalidArgument: an option is there that is not among `known` (names, blanks between them),
  // those of every command included.
  absl::Status Expect(std::string_view command, std::string_view known) const;

 private:
  std::vector<std::string> words_;
  std::map<std::string, std::vector<std::string>, std::less<>> options_;  // by long name
};

// Whether `word` is among words with blanks between them.
bool IsAmong(std::string_view words, std::string_view word);

}  // namespace trunkline::cli
