#include "tests/fuzz/login_desk.h"

#include <optional>
#include <utility>
#include <vector>

#include "router/base/check.h"

namespace trunkline::fuzz {
namespace {

constexpr char kAddress[] = "192.0.2.1";

// What becomes of a login, of a script's lowest three bits. kMechanism stands for two values.
constexpr uint8_t kAnswers = 8;
constexpr uint8_t kOk = 2;
constexpr uint8_t kOkWithBytes = 3;
constexpr uint8_t kDenied = 4;
constexpr uint8_t kError = 5;
constexpr uint8_t kQueueFull = 6;
constexpr uint8_t kFailures = 7;
// Challenges, or responses of ours, before that.
constexpr uint8_t kRounds = 4;
// When: two values are at once.
constexpr uint8_t kDelays = 4;
constexpr uint8_t kLate = 2;
constexpr uint8_t kNever = 3;

}  // namespace

LoginDesk::LoginDesk(uint8_t script)
    : answers_(script % kAnswers),
      delay_(script / kAnswers / kRounds % kDelays),
      rounds_left_(script / kAnswers % kRounds) {}

const std::shared_ptr<const sasl::Users>& LoginDesk::Users() {
  static const auto* const users = [] {
    std::vector<sasl::Credential> credentials = {{kUser, kPassword}};
    return new std::shared_ptr<const sasl::Users>(sasl::Users::FromCredentials("r", credentials));
  }();
  return *users;
}

void LoginDesk::Serve(conn::DriverOptions& options) {
  static const Secret* const password = new Secret(kPassword);
  options.users = Users();
  options.sasl_user = kUser;
  options.sasl_password = *password;
  options.allow_insecure_plain = true;
  options.peer_address = kAddress;
  options.authenticator = this;
}

void LoginDesk::Post(conn::AuthStep step, Time) {
  TL_CHECK(step.session != nullptr && steps_.empty()) << "two steps of one login at a time";
  TL_CHECK(step.address.empty() || step.address == kAddress);
  begun_ |= !step.address.empty();
  steps_.push_back(std::move(step));
}

void LoginDesk::Abandoned(const std::string& address, Time) {
  TL_CHECK(address == kAddress);
  ++abandoned_;
}

bool LoginDesk::Work(When when, conn::test::World& world, conn::test::Peer& peer) {
  if (steps_.empty() || delay_ == kNever) return false;
  if (when == When::kAtOnce && delay_ == kLate) return false;
  conn::AuthStep step = std::move(steps_.front());
  steps_.pop_front();
  conn::AuthAnswer answer;
  answer.tag = step.tag;
  answer.mechanism = step.mechanism;
  if (answers_ >= kOk) {
    answer.answer = Made(step);
    if (answers_ == kQueueFull) answer.refusal = conn::AuthAnswer::Refusal::kQueueFull;
    if (answers_ == kFailures) answer.refusal = conn::AuthAnswer::Refusal::kFailures;
  } else {
    answer.answer = step.last ? step.session->Finish(step.bytes) : step.session->Step(step.bytes);
  }
  answer.session = std::move(step.session);
  if (!peer.driver || peer.driver->phase() != conn::Phase::kHandshake) return true;
  const bool refused = answer.refusal != conn::AuthAnswer::Refusal::kNone;
  if (refused || answer.answer.verdict != sasl::Verdict::kContinue) begun_ = false;
  if (!refused && answer.answer.verdict == sasl::Verdict::kOk) {
    let_in_ = step.last || !step.address.empty();
    user_ = answer.answer.user;
  }
  peer.driver->Answer(std::move(answer), world.now());
  peer.deadline = peer.driver->Tick(world.now());
  return true;
}

// Of a login that no mechanism works on.
sasl::Answer LoginDesk::Made(const conn::AuthStep& step) {
  const bool dialled = step.address.empty();
  const bool goes_on = dialled ? !step.last : rounds_left_ > 0;
  sasl::Answer made;
  if (goes_on && (rounds_left_ > 0 || answers_ <= kOkWithBytes)) {
    if (rounds_left_ > 0) --rounds_left_;
    made.verdict = sasl::Verdict::kContinue;
    if (rounds_left_ % 2 == 0) made.bytes = "more";
    return made;
  }
  made.verdict = answers_ == kDenied  ? sasl::Verdict::kDenied
                 : answers_ == kError ? sasl::Verdict::kError
                                      : sasl::Verdict::kOk;
  if (answers_ == kError) made.detail = "broken";
  if (answers_ == kOkWithBytes) made.bytes = "v=proof";
  if (!dialled) made.user = "somebody@r";
  return made;
}

void LoginDesk::CheckPeer(const conn::Driver& driver, bool must_log_in) const {
  TL_CHECK(!must_log_in || let_in_ || !driver.WasOpen()) << "in without a login";
  TL_CHECK(driver.user().empty() || (let_in_ && driver.user() == user_)) << driver.user();
}

void LoginDesk::CheckEnd() const {
  TL_CHECK(abandoned_ == (begun_ ? 1 : 0)) << abandoned_ << " logins told of as left";
}

}  // namespace trunkline::fuzz
