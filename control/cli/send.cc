#include <unistd.h>

#include <chrono>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "control/cli/amqp_client.h"
#include "control/cli/lines.h"
#include "control/cli/message_text.h"
#include "control/cli/messages.h"
#include "control/cli/values.h"
#include "control/config/read_file.h"
#include "control/config/text.h"
#include "router/base/status.h"

namespace trunkline::cli {
namespace {

using config::Concat;
using Clock = std::chrono::steady_clock;

constexpr size_t kBodyBytesMax = 64 << 20;
constexpr size_t kErrorsShownMax = 10;
constexpr uint64_t kRateMax = 1'000'000;
constexpr int64_t kTimeoutMs = 30'000;

// In the order in which they are told.
constexpr std::pair<AmqpOutcome::Kind, const char*> kOutcomes[] = {
    {AmqpOutcome::Kind::kAccepted, "accepted"},
    {AmqpOutcome::Kind::kRejected, "rejected"},
    {AmqpOutcome::Kind::kReleased, "released"},
    {AmqpOutcome::Kind::kModified, "modified"},
    {AmqpOutcome::Kind::kNone, "unknown"}};

// What `send` was asked for.
struct Plan {
  AmqpMessage message;
  bool is_by_line = false;  // a message for each line of the standard input
  uint64_t count = 1;
  uint64_t rate = 0;  // per second; 0: as fast as they are taken
  int64_t timeout_ms = 0;
  bool is_settled = false;
};

// Sends the plan's messages, and counts what becomes of them.
class Sending : public AmqpEvents {
 public:
  Sending(Session& session, AmqpClient& client, const Plan& plan)
      : session_(session), client_(client), plan_(plan), lines_(STDIN_FILENO) {}

  void OnReady(size_t) override {
    start_ = progress_ = Clock::now();
    Feed();
  }
  void OnCredit(size_t) override { Feed(); }
  void OnTick(size_t) override {
    Feed();
    const auto silence = std::chrono::milliseconds(plan_.timeout_ms);
    if (Clock::now() - progress_ <= silence) return;
    client_.Stop(absl::FailedPreconditionError(
        pending_ > 0 ? Concat("no outcome of ", Count(pending_, "message"), " in time (--timeout)")
                     : "nobody takes messages: there was no credit in time (--timeout)"));
  }
  void OnOutcome(size_t, uint64_t, const AmqpOutcome& outcome) override;
  void OnInterrupt() override { client_.Stop(absl::CancelledError("interrupted")); }

  bool has_begun() const { return sent_ > 0; }
  void Tell() const;
  // How it went, once all was sent.
  absl::Status Result() const;

 private:
  void Feed();
  bool IsDue() const;
  // The body of the next message; false: there is none, or not yet.
  bool NextBody();
  uint64_t CountOf(AmqpOutcome::Kind kind) const {
    const auto found = outcomes_.find(kind);
    return found == outcomes_.end() ? 0 : found->second;
  }
  bool HasMore() const { return sent_ < plan_.count && !(plan_.is_by_line && lines_.ended()); }

  Session& session_;
  AmqpClient& client_;
  Plan plan_;
  LineReader lines_;
  Clock::time_point start_, progress_;
  bool has_body_ = false;  // a line has been read that is not sent yet
  uint64_t sent_ = 0, pending_ = 0;
  std::map<AmqpOutcome::Kind, uint64_t> outcomes_;
  std::set<std::string> errors_;  // that have been told
};

bool Sending::IsDue() const {
  if (plan_.rate == 0) return true;
  const std::chrono::duration<double> passed = Clock::now() - start_;
  return static_cast<double>(sent_) <= passed.count() * static_cast<double>(plan_.rate);
}

bool Sending::NextBody() {
  if (!plan_.is_by_line || has_body_) return true;
  std::optional<std::string> line = lines_.Next();
  if (!line) return false;
  plan_.message.is_binary = !IsUtf8(*line);
  plan_.message.body = *std::move(line);
  has_body_ = true;
  return true;
}

void Sending::Feed() {
  bool is_blocked = pending_ > 0;
  while (HasMore() && IsDue() && NextBody()) {
    if (client_.Credit(0) <= 0) {
      is_blocked = true;
      break;
    }
    client_.Send(0, sent_++, plan_.message);
    has_body_ = false;
    if (!plan_.is_settled) ++pending_;
    is_blocked = pending_ > 0;
    progress_ = Clock::now();
  }
  // Who waits for the clock or for lines does not wait for the router.
  if (!is_blocked) progress_ = Clock::now();
  if (!lines_.status().ok()) return client_.Stop(lines_.status());
  if (!HasMore() && !has_body_ && pending_ == 0) client_.Stop(absl::OkStatus());
}

void Sending::OnOutcome(size_t, uint64_t, const AmqpOutcome& outcome) {
  --pending_;
  progress_ = Clock::now();
  ++outcomes_[outcome.kind];
  const bool is_news = !outcome.error.empty() && errors_.size() < kErrorsShownMax &&
                       errors_.insert(outcome.error).second;
  if (is_news) session_.Note(Concat("rejected: ", Printable(outcome.error), "\n"));
  Feed();
}

void Sending::Tell() const {
  std::vector<std::pair<const char*, uint64_t>> counts;
  for (const auto& [kind, name] : kOutcomes) counts.emplace_back(name, CountOf(kind));
  counts.emplace_back("unsettled", pending_);
  if (session_.arguments().Get("output") == "json") {
    std::string text = absl::StrCat("{\"sent\":", sent_);
    for (const auto& [name, count] : counts) absl::StrAppend(&text, ",\"", name, "\":", count);
    return session_.Print(text + "}\n");
  }
  std::string text = Concat(Count(sent_, "message"), " sent");
  if (plan_.is_settled) return session_.Print(text + ", without waiting for outcomes\n");
  bool is_first = true;
  for (const auto& [name, count] : counts) {
    if (count == 0) continue;
    absl::StrAppend(&text, is_first ? ": " : ", ", count, " ", name);
    is_first = false;
  }
  session_.Print(text + "\n");
}

absl::Status Sending::Result() const {
  const uint64_t accepted = CountOf(AmqpOutcome::Kind::kAccepted);
  if (plan_.is_settled || accepted == sent_) return absl::OkStatus();
  return absl::FailedPreconditionError(
      Concat(sent_ - accepted, " of ", Count(sent_, "message"), " not accepted"));
}

absl::Status ReadProperties(const Arguments& arguments, AmqpMessage& message) {
  for (const std::string& each : arguments.GetAll("property")) {
    const size_t equals = each.find('=');
    if (equals == each.npos || equals == 0) {
      return absl::InvalidArgumentError(
          Concat("--property: ", config::Quote(each), " is not KEY=VALUE"));
    }
    message.properties[each.substr(0, equals)] = each.substr(equals + 1);
  }
  return absl::OkStatus();
}

absl::StatusOr<Plan> PlanOf(const Arguments& arguments) {
  Plan plan;
  AmqpMessage& message = plan.message;
  if (arguments.Has("body") && arguments.Has("body-file")) {
    return absl::InvalidArgumentError("--body and --body-file are not for both");
  }
  plan.is_by_line = !arguments.Has("body") && !arguments.Has("body-file");
  message.body = arguments.Get("body");
  if (arguments.Has("body-file")) {
    TL_ASSIGN_OR_RETURN(message.body, config::ReadFile(arguments.Get("body-file"), kBodyBytesMax));
  }
  message.is_binary = !IsUtf8(message.body);
  message.subject = arguments.Get("subject");
  message.durable = arguments.Has("durable");
  TL_RETURN_IF_ERROR(ReadProperties(arguments, message));
  TL_ASSIGN_OR_RETURN(message.ttl_ms, MillisecondsOf(arguments, "ttl", 0));
  TL_ASSIGN_OR_RETURN(plan.count,
                      NumberOf(arguments, "count", plan.is_by_line ? UINT64_MAX : 1, {.min = 1}));
  TL_ASSIGN_OR_RETURN(plan.rate, NumberOf(arguments, "rate", 0, {.min = 1, .max = kRateMax}));
  TL_ASSIGN_OR_RETURN(plan.timeout_ms, MillisecondsOf(arguments, "timeout", kTimeoutMs));
  plan.is_settled = arguments.Has("settled");
  return plan;
}

}  // namespace

absl::Status SendMessages(Session& session) {
  if (session.words().size() != 1) return absl::InvalidArgumentError("give one ADDRESS");
  TL_ASSIGN_OR_RETURN(const AmqpPeer peer, FindAmqpPeer(session));
  TL_ASSIGN_OR_RETURN(const Plan plan, PlanOf(session.arguments()));
  TL_RETURN_IF_ERROR(ExpectForm(session.arguments(), "json"));
  AmqpClient client(peer, {.target = AmqpLinks::Target::kAddress,
                           .target_address = session.words()[0],
                           .presettled = plan.is_settled});
  // Somebody may not know what it waits for.
  if (plan.is_by_line && ::isatty(STDIN_FILENO) == 1) {
    session.Note("each line is a message; Ctrl-D ends\n");
  }
  Sending sending(session, client, plan);
  const absl::Status ended = client.Run({.tick_ms = plan.rate > 0 ? 1 : 20}, sending);
  if (!ended.ok() && !sending.has_begun()) return ended;
  sending.Tell();
  return ended.ok() ? sending.Result() : ended;
}

}  // namespace trunkline::cli
