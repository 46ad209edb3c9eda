#include "control/api/request_ids.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "control/config/error_details.h"
#include "control/config/text.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "router/base/secret.h"

namespace trunkline::api {
namespace {

absl::Status Wrong(const std::string& why) {
  return config::WithViolations(absl::InvalidArgumentError(config::Concat("request_id: ", why)),
                                {{"request_id", why}});
}

// Tells requests apart: FNV-1a of their bytes. A caller who finds two with the same hash harms
// nobody but himself.
uint64_t Digest(const google::protobuf::Message& request) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    request.SerializeToCodedStream(&coded);
  }
  uint64_t hash = 0xcbf29ce484222325;
  for (char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  Wipe(bytes);  // it may be secret
  return hash;
}

}  // namespace

bool IsUuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (is_dash != (text[i] == '-')) return false;
    if (!is_dash && !absl::ascii_isxdigit(static_cast<unsigned char>(text[i]))) return false;
  }
  return true;
}

void RequestIds::Run(const Call& call, const std::string& id, Time now, const Act& act, Done done) {
  if (id.empty()) return act(std::move(done));
  if (!IsUuid(id)) return done(Wrong("is no UUID"));
  Forget(now);
  const std::string key =
      config::Concat(call.caller().identity, "\n", call.method().path, "\n", id);
  const uint64_t request = Digest(call.request());
  const auto [found, added] = known_.try_emplace(key);
  Known& known = found->second;
  if (!added) {
    if (known.request != request) {
      return done(config::WithReason(Wrong("was that of another call"), "REQUEST_ID_REUSED"));
    }
    if (known.answer != nullptr) return done(known.answer);
    known.waiting.push_back(std::move(done));
    return;
  }
  known.request = request;
  known.waiting.push_back(std::move(done));
  act([this, key, now](const absl::StatusOr<Answer>& answer) { End(key, now, answer); });
}

// The call has been done: everybody who waits is told.
RequestIds::Done RequestIds::AnswerTo(std::shared_ptr<Call> call) {
  return [call = std::move(call)](const absl::StatusOr<Answer>& answer) {
    if (answer.ok()) {
      call->Reply(**answer);
    } else {
      call->Finish(answer.status());
    }
  };
}

void RequestIds::End(const std::string& key, Time now, const absl::StatusOr<Answer>& answer) {
  const auto found = known_.find(key);
  const std::vector<Done> waiting = std::exchange(found->second.waiting, {});
  if (answer.ok() && (!options_.keeps || options_.keeps(**answer))) {
    found->second.answer = *answer;
    const size_t bytes = (*answer)->SpaceUsedLong() + key.size();
    answered_.push_back({key, now + options_.lifetime, bytes});
    bytes_ += bytes;
    Forget(now);
  } else {
    known_.erase(found);
  }
  for (const Done& done : waiting) done(answer);
}

void RequestIds::Forget(Time now) {
  while (!answered_.empty() &&
         (answered_.front().until <= now || answered_.size() > options_.answers_max ||
          bytes_ > options_.bytes_max)) {
    bytes_ -= answered_.front().bytes;
    known_.erase(answered_.front().key);
    answered_.pop_front();
  }
}

}  // namespace trunkline::api
