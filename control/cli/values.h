#pragma once

#include <cstdint>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/cli/arguments.h"

namespace trunkline::cli {

// Values of options. InvalidArgument names the option.

struct NumberRange {
  uint64_t min = 0;
  uint64_t max = UINT64_MAX;
};

// "1000"; `absent` where the option is not given.
absl::StatusOr<uint64_t> NumberOf(const Arguments& arguments, std::string_view option,
                                  uint64_t absent, NumberRange range = {});
// "30s", in milliseconds.
absl::StatusOr<int64_t> MillisecondsOf(const Arguments& arguments, std::string_view option,
                                       int64_t absent);

// That --output, if it is given, is one of `forms` (blanks between them).
absl::Status ExpectForm(const Arguments& arguments, std::string_view forms);

}  // namespace trunkline::cli
