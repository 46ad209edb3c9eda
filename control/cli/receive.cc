#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

#include "control/cli/amqp_client.h"
#include "control/cli/message_text.h"
#include "control/cli/messages.h"
#include "control/cli/table.h"
#include "control/cli/values.h"
#include "control/config/text.h"
#include "router/base/status.h"

namespace trunkline::cli {
namespace {

using config::Concat;
using Clock = std::chrono::steady_clock;

constexpr uint64_t kCredit = 100;
constexpr uint64_t kCreditMax = 1'000'000;

// What `receive` was asked for.
struct Plan {
  std::string form;           // of --output
  uint64_t count = 0;         // 0: until it is interrupted
  uint64_t credit = kCredit;  // messages that may be on their way
  int64_t silence_ms = 0;     // upon which it ends; 0: never
};

// Prints what comes.
class Receiving : public AmqpEvents {
 public:
  Receiving(Session& session, AmqpClient& client, const Plan& plan)
      : session_(session), client_(client), plan_(plan) {}

  void OnReady(size_t connection) override {
    last_ = Clock::now();
    Grant(connection);
  }
  Answer OnMessage(size_t connection, AmqpMessage&& message) override {
    Print(message);
    ++received_;
    last_ = Clock::now();
    // This one is accepted still: nothing is closed before that.
    if (received_ == plan_.count) client_.Stop(absl::OkStatus());
    Grant(connection);
    return Answer::kAccept;
  }
  void OnTick(size_t) override {
    const auto silence = std::chrono::milliseconds(plan_.silence_ms);
    if (plan_.silence_ms > 0 && Clock::now() - last_ > silence) client_.Stop(Result("in time"));
  }
  void OnInterrupt() override { client_.Stop(Result("before it was interrupted")); }

 private:
  absl::Status Result(std::string_view when) const {
    if (received_ >= plan_.count) return absl::OkStatus();
    return absl::FailedPreconditionError(
        Concat(received_, " of ", Count(plan_.count, "message"), " came ", when));
  }
  // Never more than are asked for: others shall have the rest.
  void Grant(size_t connection) {
    const uint64_t wanted = plan_.count == 0 ? UINT64_MAX : plan_.count - received_;
    const uint64_t target = std::min(plan_.credit, wanted);
    const uint64_t open = granted_ - received_;
    if (open >= target) return;
    client_.AddCredit(connection, static_cast<uint32_t>(target - open));
    granted_ += target - open;
  }
  void Print(const AmqpMessage& message);

  Session& session_;
  AmqpClient& client_;
  const Plan plan_;
  Table table_ = Table({"SUBJECT", "PROPERTIES", "BODY"});
  Clock::time_point last_;
  uint64_t granted_ = 0, received_ = 0;
};

void Receiving::Print(const AmqpMessage& message) {
  if (plan_.form == "json") return session_.Print(JsonOf(message));
  const bool is_person = ::isatty(STDOUT_FILENO) == 1;
  if (plan_.form.empty()) {
    return session_.Print((is_person ? Printable(message.body) : message.body) + "\n");
  }
  const auto cell = [](const std::string& text) { return text.empty() ? "-" : Printable(text); };
  std::string body = cell(message.body);
  std::replace(body.begin(), body.end(), '\n', ' ');
  table_.Add({cell(message.subject), cell(PropertiesOf(message)), body});
  session_.Print(table_.Next(!session_.arguments().Has("no-headers"), session_.colours()));
}

}  // namespace

absl::Status ReceiveMessages(Session& session) {
  if (session.words().size() != 1) return absl::InvalidArgumentError("give one ADDRESS");
  const Arguments& arguments = session.arguments();
  TL_RETURN_IF_ERROR(ExpectForm(arguments, "table json"));
  TL_ASSIGN_OR_RETURN(const AmqpPeer peer, FindAmqpPeer(session));
  Plan plan{.form = arguments.Get("output")};
  TL_ASSIGN_OR_RETURN(plan.count, NumberOf(arguments, "count", 0, {.min = 1}));
  TL_ASSIGN_OR_RETURN(plan.credit,
                      NumberOf(arguments, "credit", kCredit, {.min = 1, .max = kCreditMax}));
  TL_ASSIGN_OR_RETURN(plan.silence_ms, MillisecondsOf(arguments, "timeout", 0));
  AmqpClient client(peer,
                    {.source = AmqpLinks::Source::kAddress, .source_address = session.words()[0]});
  Receiving receiving(session, client, plan);
  return client.Run({}, receiving);
}

}  // namespace trunkline::cli
