#include "control/api/resume_token.h"

#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "control/config/error_details.h"
#include "control/config/text.h"

namespace trunkline::api {
namespace {

constexpr int64_t kRetryMilliseconds = 1000;

// Tells filters apart in tokens: FNV-1a, as no secret depends on it.
std::string Digest(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return absl::StrCat(absl::Hex(hash));
}

}  // namespace

std::string MakeResumeToken(std::string_view epoch, std::string_view filter, uint64_t position) {
  return config::Concat(epoch, "-", Digest(filter), "-", position);
}

absl::StatusOr<uint64_t> ReadResumeToken(std::string_view token, std::string_view epoch,
                                         std::string_view filter) {
  const std::vector<std::string> parts = absl::StrSplit(config::internal::Piece(token), '-');
  uint64_t position = 0;
  if (parts.size() != 3 || parts[0] != epoch || !absl::SimpleAtoi(parts[2], &position)) {
    return ResumeTokenExpired();
  }
  if (parts[1] == Digest(filter)) return position;
  return config::WithViolations(
      absl::InvalidArgumentError("resume_token: is of a watch with another filter"),
      {{"resume_token", "is of a watch with another filter"}});
}

absl::Status ResumeTokenExpired() {
  return config::WithReason(
      absl::OutOfRangeError("the resume_token is not known any more; watch anew without it"),
      "RESUME_TOKEN_EXPIRED");
}

absl::Status WatchTooSlow() {
  return config::WithReason(
      absl::ResourceExhaustedError("too far behind what has changed; watch anew"),
      "WATCH_TOO_SLOW");
}

absl::Status TooManyWatchers(size_t watchers) {
  absl::Status status =
      absl::ResourceExhaustedError(config::Concat("there are ", watchers, " watches already"));
  return config::WithReason(config::WithRetry(std::move(status), kRetryMilliseconds),
                            "TOO_MANY_WATCHERS");
}

}  // namespace trunkline::api
