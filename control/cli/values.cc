#include "control/cli/values.h"

#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_replace.h"
#include "control/config/schema.h"
#include "control/config/text.h"

namespace trunkline::cli {

using config::Concat;
using config::Quote;

absl::StatusOr<uint64_t> NumberOf(const Arguments& arguments, std::string_view option,
                                  uint64_t absent, NumberRange range) {
  if (!arguments.Has(option)) return absent;
  const std::string text = arguments.Get(option);
  uint64_t number = 0;
  if (!absl::SimpleAtoi(text, &number)) {
    return absl::InvalidArgumentError(Concat("--", option, ": ", Quote(text), " is no number"));
  }
  if (number >= range.min && number <= range.max) return number;
  return absl::InvalidArgumentError(
      Concat("--", option, ": ", text, " is not in ", range.min, "..", range.max));
}

absl::StatusOr<int64_t> MillisecondsOf(const Arguments& arguments, std::string_view option,
                                       int64_t absent) {
  if (!arguments.Has(option)) return absent;
  const std::string text = arguments.Get(option);
  if (const auto duration = config::ParseDuration(text)) return config::ToMilliseconds(*duration);
  return absl::InvalidArgumentError(
      Concat("--", option, ": ", Quote(text), " is not a duration such as 30s or 500ms"));
}

absl::Status ExpectForm(const Arguments& arguments, std::string_view forms) {
  const std::string form = arguments.Get("output");
  if (form.empty() || IsAmong(forms, form)) return absl::OkStatus();
  const bool is_one = forms.find(' ') == std::string_view::npos;
  return absl::InvalidArgumentError(
      Concat("--output: ", Quote(form), " is nothing for this; there ", is_one ? "is " : "are ",
             absl::StrReplaceAll(config::internal::Piece(forms), {{" ", " and "}})));
}

}  // namespace trunkline::cli
