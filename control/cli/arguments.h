#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace trunkline::cli {

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
  // InvalidArgument: an option is there that is not among `known`, those of every command included.
  absl::Status Expect(std::string_view command, const std::vector<std::string_view>& known) const;

 private:
  std::vector<std::string> words_;
  std::map<std::string, std::string, std::less<>> options_;  // by long name, without "--"
};

}  // namespace trunkline::cli
