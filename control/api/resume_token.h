#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace trunkline::api {

// Where a watch was, as its caller keeps it: which log (epoch), which filter, how far. The same
// watch may go on from there. Pure.
std::string MakeResumeToken(std::string_view epoch, std::string_view filter, uint64_t position);

// The position in a token of a watch with this filter. OutOfRange (RESUME_TOKEN_EXPIRED): it is no
// token of this log, as after a restart; InvalidArgument: it is of another filter.
absl::StatusOr<uint64_t> ReadResumeToken(std::string_view token, std::string_view epoch,
                                         std::string_view filter);

// What a watch is answered whose position is not known any more.
absl::Status ResumeTokenExpired();
// How a watch ends that has not kept up (WATCH_TOO_SLOW).
absl::Status WatchTooSlow();
// `watchers` are too many for one more (TOO_MANY_WATCHERS).
absl::Status TooManyWatchers(size_t watchers);

}  // namespace trunkline::api
