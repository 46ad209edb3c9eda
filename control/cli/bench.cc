#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "control/cli/amqp_client.h"
#include "control/cli/histogram.h"
#include "control/cli/messages.h"
#include "control/cli/values.h"
#include "control/config/text.h"
#include "router/base/status.h"

namespace trunkline::cli {
namespace {

using config::Concat;
using Clock = std::chrono::steady_clock;
using std::chrono::nanoseconds;

constexpr uint64_t kConnectionsMax = 100;
constexpr uint64_t kSizeMax = 16 << 20;
constexpr uint64_t kRateMax = 1'000'000;
constexpr uint64_t kCredit = 250;
constexpr uint64_t kCreditMax = 1'000'000;
constexpr int64_t kDurationMs = 10'000;
constexpr int64_t kSilenceMs = 5'000;  // upon which what is still missing will not come
// A message that goes so much later than it was due has waited for the router, not for our clock.
constexpr nanoseconds kLate = std::chrono::milliseconds(5);

// At the head of each body.
struct Stamp {
  int64_t due;   // nanoseconds of our clock
  uint64_t run;  // whose it is
};
constexpr uint64_t kSizeMin = sizeof(Stamp);

// Of the process, in seconds.
double ProcessorTime() {
  rusage usage = {};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// What `bench` was asked for.
struct Plan {
  uint64_t connections = 1;
  uint64_t size = 100;
  uint64_t rate = 0;   // of all connections, per second; 0: as fast as they are taken
  uint64_t count = 0;  // 0: for the duration
  uint64_t credit = kCredit;
  int64_t duration_ms = kDurationMs;
  bool is_settled = false;
  bool is_json = false;
};

// Each connection sends to the address and receives from it.
class Benching : public AmqpEvents {
 public:
  Benching(Session& session, AmqpClient& client, const Plan& plan)
      : session_(session),
        client_(client),
        plan_(plan),
        run_(static_cast<uint64_t>(Clock::now().time_since_epoch().count()) ^
             static_cast<uint64_t>(::getpid()) << 32),
        sent_by_(plan.connections) {
    message_.body.resize(plan.size, 'x');
    message_.is_binary = true;
  }

  void OnReady(size_t connection) override {
    client_.AddCredit(connection, static_cast<uint32_t>(plan_.credit));
    // None begins before all can.
    if (++ready_ == plan_.connections) {
      start_ = last_ = Clock::now();
      processor_before_ = ProcessorTime();
    }
    Feed(connection);
  }
  void OnCredit(size_t connection) override { Feed(connection); }
  void OnTick(size_t connection) override {
    Feed(connection);
    if (connection == 0 && ready_ == plan_.connections) Look();
  }
  void OnOutcome(size_t connection, uint64_t, const AmqpOutcome& outcome) override {
    --pending_;
    (outcome.kind == AmqpOutcome::Kind::kAccepted ? accepted_ : lost_) += 1;
    last_ = Clock::now();
    Feed(connection);
  }
  Answer OnMessage(size_t connection, AmqpMessage&& message) override;
  void OnInterrupt() override { client_.Stop(absl::OkStatus()); }

  void Tell() const;
  absl::Status Result() const;

 private:
  bool IsOver(Clock::time_point now) const {
    if (plan_.count > 0) return sent_ >= plan_.count;
    return now - start_ >= std::chrono::milliseconds(plan_.duration_ms);
  }
  // When the next of this connection is due.
  Clock::time_point DueOf(size_t connection) const {
    const double apart = static_cast<double>(plan_.connections) / static_cast<double>(plan_.rate);
    return start_ + nanoseconds(static_cast<int64_t>(apart * 1e9 *
                                                     static_cast<double>(sent_by_[connection])));
  }
  void Feed(size_t connection);
  // Whether that was all; and how far it is.
  void Look();
  std::string Rates() const;

  Session& session_;
  AmqpClient& client_;
  const Plan plan_;
  const uint64_t run_;
  AmqpMessage message_;
  size_t ready_ = 0;
  Clock::time_point start_, last_, sent_until_, received_until_, told_;
  std::vector<uint64_t> sent_by_;  // per connection
  uint64_t sent_ = 0, received_ = 0, pending_ = 0, accepted_ = 0, lost_ = 0;
  double processor_before_ = 0;  // seconds
  Histogram latency_;            // nanoseconds
};

void Benching::Feed(size_t connection) {
  if (ready_ < plan_.connections) return;
  while (client_.Credit(connection) > 0) {
    const Clock::time_point now = Clock::now();
    if (IsOver(now)) return;
    Clock::time_point due = now;
    if (plan_.rate > 0) {
      due = DueOf(connection);
      if (due > now) return;
      if (now - due < kLate) due = now;
    }
    const Stamp stamp = {due.time_since_epoch().count(), run_};
    std::memcpy(message_.body.data(), &stamp, sizeof(stamp));
    client_.Send(connection, sent_++, message_);
    ++sent_by_[connection];
    if (!plan_.is_settled) ++pending_;
    sent_until_ = last_ = now;
  }
}

AmqpEvents::Answer Benching::OnMessage(size_t connection, AmqpMessage&& message) {
  client_.AddCredit(connection, 1);
  Stamp stamp = {};
  if (message.body.size() >= sizeof(stamp)) {
    std::memcpy(&stamp, message.body.data(), sizeof(stamp));
  }
  if (stamp.run != run_) {
    client_.Stop(absl::FailedPreconditionError(
        "others send to this address: a message of theirs came, and was released; take an "
        "address of its own"));
    return Answer::kRelease;
  }
  const Clock::time_point now = Clock::now();
  const int64_t passed = now.time_since_epoch().count() - stamp.due;
  latency_.Add(static_cast<uint64_t>(std::max<int64_t>(passed, 0)));
  ++received_;
  received_until_ = last_ = now;
  return Answer::kAccept;
}

void Benching::Look() {
  const Clock::time_point now = Clock::now();
  const bool is_silent = now - last_ > std::chrono::milliseconds(kSilenceMs);
  const bool is_done = IsOver(now) && pending_ == 0 && received_ >= sent_ - lost_;
  if (is_done || is_silent) return client_.Stop(absl::OkStatus());
  if (plan_.is_json || ::isatty(STDOUT_FILENO) != 1) return;
  if (now - told_ < std::chrono::seconds(1)) return;
  told_ = now;
  session_.Progress(Rates(), Session::Line::kNext);
}

// "12000 sent, 11990 received, 4012/s".
std::string Benching::Rates() const {
  const std::chrono::duration<double> passed = Clock::now() - start_;
  return absl::StrFormat("%d sent, %d received, %.0f/s", sent_, received_,
                         static_cast<double>(received_) / std::max(passed.count(), 1e-3));
}

void Benching::Tell() const {
  const auto rate_of = [this](uint64_t count, Clock::time_point until) {
    const std::chrono::duration<double> passed = until - start_;
    return count == 0 ? 0 : static_cast<double>(count) / std::max(passed.count(), 1e-6);
  };
  const double sent = rate_of(sent_, sent_until_);
  const double received = rate_of(received_, received_until_);
  const double bytes = static_cast<double>(plan_.size) / 1e6;
  const std::chrono::duration<double> passed = Clock::now() - start_;
  const double own = 100 * (ProcessorTime() - processor_before_) / std::max(passed.count(), 1e-6);
  const auto at = [this](double part) {
    return static_cast<double>(latency_.Percentile(part)) / 1e6;
  };
  if (plan_.is_json) {
    return session_.Print(absl::StrFormat(
        "{\"connections\":%d,\"size\":%d,\"sent\":%d,\"received\":%d,\"accepted\":%d,"
        "\"not_accepted\":%d,\"sent_per_second\":%.1f,\"received_per_second\":%.1f,"
        "\"megabytes_per_second\":%.3f,\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"p999_ms\":%.3f,"
        "\"max_ms\":%.3f}\n",
        plan_.connections, plan_.size, sent_, received_, accepted_, lost_, sent, received,
        received * bytes, at(0.5), at(0.99), at(0.999), at(1)));
  }
  session_.Progress(
      Concat(Count(plan_.connections, "connection"), ", ", plan_.size, " bytes in each message"),
      Session::Line::kLast);
  Table table({"", ""});
  table.Add({"Sent", absl::StrFormat("%d messages, %.0f/s, %.2f MB/s", sent_, sent, sent * bytes)});
  table.Add({"Received", absl::StrFormat("%d messages, %.0f/s, %.2f MB/s", received_, received,
                                         received * bytes)});
  table.Add({"Outcomes", plan_.is_settled
                             ? "none: sent settled"
                             : Concat(accepted_, " accepted, ", lost_ + pending_, " not")});
  table.Add({"Latency", absl::StrFormat("p50 %.3f ms, p99 %.3f ms, p99.9 %.3f ms, max %.3f ms",
                                        at(0.5), at(0.99), at(0.999), at(1))});
  table.Add({"trunkctl itself", absl::StrFormat("%.0f %% of a processor%s", own,
                                                own > 90 ? ": more than that it cannot do" : "")});
  session_.Print(table.Text(false));
}

absl::Status Benching::Result() const {
  if (sent_ == 0) return absl::FailedPreconditionError("nothing was sent: there was no credit");
  if (plan_.is_settled) return absl::OkStatus();
  if (accepted_ == sent_) return absl::OkStatus();
  return absl::FailedPreconditionError(
      Concat(sent_ - accepted_, " of ", Count(sent_, "message"), " not accepted"));
}

absl::StatusOr<Plan> PlanOf(const Arguments& arguments) {
  Plan plan;
  const struct {
    const char* option;
    uint64_t& value;
    NumberRange range;
  } numbers[] = {{"connections", plan.connections, {.min = 1, .max = kConnectionsMax}},
                 {"size", plan.size, {.min = kSizeMin, .max = kSizeMax}},
                 {"rate", plan.rate, {.min = 1, .max = kRateMax}},
                 {"count", plan.count, {.min = 1}},
                 {"credit", plan.credit, {.min = 1, .max = kCreditMax}}};
  for (const auto& [option, value, range] : numbers) {
    TL_ASSIGN_OR_RETURN(value, NumberOf(arguments, option, value, range));
  }
  TL_ASSIGN_OR_RETURN(plan.duration_ms, MillisecondsOf(arguments, "duration", kDurationMs));
  plan.is_settled = arguments.Has("settled");
  plan.is_json = arguments.Has("output");
  return plan;
}

}  // namespace

absl::Status Bench(Session& session) {
  if (session.words().size() != 1) return absl::InvalidArgumentError("give one ADDRESS");
  TL_RETURN_IF_ERROR(ExpectForm(session.arguments(), "json"));
  TL_ASSIGN_OR_RETURN(const Plan plan, PlanOf(session.arguments()));
  TL_ASSIGN_OR_RETURN(const AmqpPeer peer, FindAmqpPeer(session));
  AmqpClient client(peer, {.target = AmqpLinks::Target::kAddress,
                           .source = AmqpLinks::Source::kAddress,
                           .target_address = session.words()[0],
                           .source_address = session.words()[0],
                           .presettled = plan.is_settled});
  Benching benching(session, client, plan);
  TL_RETURN_IF_ERROR(
      client.Run({.connections = plan.connections, .tick_ms = plan.rate > 0 ? 1 : 20}, benching));
  benching.Tell();
  return benching.Result();
}

}  // namespace trunkline::cli
