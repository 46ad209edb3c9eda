#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "control/cli/amqp_client.h"
#include "control/cli/histogram.h"
#include "control/cli/message_text.h"
#include "control/cli/messages.h"
#include "control/cli/values.h"
#include "control/config/text.h"
#include "router/base/status.h"

namespace trunkline::cli {
namespace {

using config::Concat;
using Clock = std::chrono::steady_clock;

constexpr int64_t kIntervalMs = 1'000;
constexpr int64_t kAnswerMs = 5'000;
constexpr uint32_t kCredit = 100;

// What `ping` was asked for.
struct Plan {
  std::string what;    // the address, or "the router"
  uint64_t count = 0;  // 0: until it is interrupted
  int64_t interval_ms = kIntervalMs;
  int64_t answer_ms = kAnswerMs;
  bool is_json = false;
};

double Milliseconds(uint64_t nanoseconds) { return static_cast<double>(nanoseconds) / 1e6; }

// Sends one message after the other, and waits for the answers that come to its own address.
class Pinging : public AmqpEvents {
 public:
  Pinging(Session& session, AmqpClient& client, const Plan& plan)
      : session_(session), client_(client), plan_(plan) {}

  void OnReady(size_t) override {
    client_.AddCredit(0, kCredit);
    if (!plan_.is_json) session_.Print(Concat("PING ", Printable(plan_.what), "\n"));
    next_ = Clock::now();
    Send();
  }
  void OnCredit(size_t) override { Send(); }
  void OnTick(size_t) override {
    Send();
    GiveUp();
    if (plan_.count > 0 && told_ == plan_.count) client_.Stop(absl::OkStatus());
  }
  Answer OnMessage(size_t, AmqpMessage&& message) override;
  void OnOutcome(size_t, uint64_t number, const AmqpOutcome& outcome) override;
  void OnInterrupt() override { client_.Stop(absl::OkStatus()); }

  void Tell() const;
  // None answered: there is nobody.
  absl::Status Result() const;

 private:
  void Send();
  // On those that are not answered in time.
  void GiveUp();
  // One of them has come to its end.
  void Tell(uint64_t number, const std::string& text);

  Session& session_;
  AmqpClient& client_;
  const Plan plan_;
  Clock::time_point next_;                         // when the next is due
  std::map<uint64_t, Clock::time_point> waiting_;  // since when
  uint64_t made_ = 0;                              // those that found no credit, too
  uint64_t told_ = 0;
  Histogram times_;
};

void Pinging::Send() {
  const Clock::time_point now = Clock::now();
  if (now < next_ || (plan_.count > 0 && made_ == plan_.count)) return;
  if (client_.Credit(0) <= 0) {
    // The first credit comes a little later than the link.
    if (now - next_ < std::chrono::milliseconds(plan_.answer_ms)) return;
    next_ = now + std::chrono::milliseconds(plan_.interval_ms);
    return Tell(++made_, "nobody takes it");
  }
  const uint64_t number = ++made_;
  waiting_[number] = now;
  next_ = now + std::chrono::milliseconds(plan_.interval_ms);
  const std::string id = absl::StrCat(number);
  client_.Send(
      0, number,
      {.body = "ping", .reply_to = client_.SourceAddress(0), .id = id, .correlation_id = id});
}

void Pinging::GiveUp() {
  const Clock::time_point limit = Clock::now() - std::chrono::milliseconds(plan_.answer_ms);
  while (!waiting_.empty() && waiting_.begin()->second < limit) {
    const uint64_t number = waiting_.begin()->first;
    waiting_.erase(waiting_.begin());
    Tell(number, "no answer");
  }
}

AmqpEvents::Answer Pinging::OnMessage(size_t, AmqpMessage&& message) {
  const Clock::time_point now = Clock::now();
  client_.AddCredit(0, 1);
  uint64_t number = 0;
  if (!absl::SimpleAtoi(message.correlation_id, &number)) return Answer::kAccept;
  const auto found = waiting_.find(number);
  if (found == waiting_.end()) return Answer::kAccept;  // it was given up
  const auto passed = std::chrono::duration_cast<std::chrono::nanoseconds>(now - found->second);
  waiting_.erase(found);
  times_.Add(static_cast<uint64_t>(passed.count()));
  Tell(number, absl::StrFormat("%.3f ms", Milliseconds(static_cast<uint64_t>(passed.count()))));
  return Answer::kAccept;
}

void Pinging::OnOutcome(size_t, uint64_t number, const AmqpOutcome& outcome) {
  if (outcome.kind == AmqpOutcome::Kind::kAccepted || waiting_.erase(number) == 0) return;
  const bool is_rejected = outcome.kind == AmqpOutcome::Kind::kRejected;
  Tell(number, is_rejected ? Concat("rejected: ", outcome.error) : "not taken");
}

void Pinging::Tell(uint64_t number, const std::string& text) {
  ++told_;
  if (!plan_.is_json) session_.Print(Concat(number, ": ", Printable(text), "\n"));
}

void Pinging::Tell() const {
  if (plan_.is_json) {
    return session_.Print(absl::StrFormat(
        "{\"sent\":%d,\"answered\":%d,\"min_ms\":%.3f,\"avg_ms\":%.3f,\"max_ms\":%.3f}\n", made_,
        times_.count(), Milliseconds(times_.min()), times_.mean() / 1e6,
        Milliseconds(times_.max())));
  }
  session_.Print(absl::StrFormat("%d sent, %d answered", made_, times_.count()));
  if (times_.count() == 0) return session_.Print("\n");
  session_.Print(absl::StrFormat("; min/avg/max %.3f/%.3f/%.3f ms\n", Milliseconds(times_.min()),
                                 times_.mean() / 1e6, Milliseconds(times_.max())));
}

absl::Status Pinging::Result() const {
  if (times_.count() > 0) return absl::OkStatus();
  return absl::FailedPreconditionError(Concat("no answer from ", plan_.what));
}

// Sends what comes back to where it wants an answer.
class Answering : public AmqpEvents {
 public:
  explicit Answering(AmqpClient& client) : client_(client) {}

  void OnReady(size_t) override { client_.AddCredit(0, kCredit); }
  Answer OnMessage(size_t, AmqpMessage&& message) override {
    client_.AddCredit(0, 1);
    if (message.reply_to.empty() || client_.Credit(0) <= 0) return Answer::kRelease;
    AmqpMessage answer{.body = std::move(message.body), .is_binary = message.is_binary};
    answer.to = std::move(message.reply_to);
    answer.correlation_id =
        message.correlation_id.empty() ? std::move(message.id) : std::move(message.correlation_id);
    client_.Send(0, ++answered_, answer);
    return Answer::kAccept;
  }
  void OnInterrupt() override { client_.Stop(absl::OkStatus()); }
  uint64_t answered() const { return answered_; }

 private:
  AmqpClient& client_;
  uint64_t answered_ = 0;
};

absl::Status AnswerPings(Session& session, const AmqpPeer& peer) {
  if (session.words().empty()) return absl::InvalidArgumentError("--answer: give an ADDRESS");
  AmqpClient client(peer, {.target = AmqpLinks::Target::kAnyone,
                           .source = AmqpLinks::Source::kAddress,
                           .source_address = session.words()[0],
                           .presettled = true});
  Answering answering(client);
  const absl::Status ended = client.Run({}, answering);
  if (ended.ok()) session.Print(Concat(answering.answered(), " answered\n"));
  return ended;
}

}  // namespace

absl::Status Ping(Session& session) {
  const Arguments& arguments = session.arguments();
  if (session.words().size() > 1) return absl::InvalidArgumentError("give one ADDRESS");
  TL_RETURN_IF_ERROR(ExpectForm(arguments, "json"));
  TL_ASSIGN_OR_RETURN(const AmqpPeer peer, FindAmqpPeer(session));
  if (arguments.Has("answer")) return AnswerPings(session, peer);
  const bool is_own = session.words().empty();
  Plan plan{.what = is_own ? UrlOf(peer) : session.words()[0], .is_json = arguments.Has("output")};
  TL_ASSIGN_OR_RETURN(plan.count, NumberOf(arguments, "count", 0, {.min = 1}));
  TL_ASSIGN_OR_RETURN(plan.interval_ms, MillisecondsOf(arguments, "interval", kIntervalMs));
  TL_ASSIGN_OR_RETURN(plan.answer_ms, MillisecondsOf(arguments, "timeout", kAnswerMs));
  AmqpLinks links{.target = AmqpLinks::Target::kOwnSource, .source = AmqpLinks::Source::kTemporary};
  if (!is_own) links.target = AmqpLinks::Target::kAddress;
  if (!is_own) links.target_address = session.words()[0];
  AmqpClient client(peer, links);
  Pinging pinging(session, client, plan);
  TL_RETURN_IF_ERROR(client.Run({.tick_ms = 5}, pinging));
  pinging.Tell();
  return pinging.Result();
}

}  // namespace trunkline::cli
