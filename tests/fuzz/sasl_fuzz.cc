// A SASL exchange against any bytes, as server and as client, its steps answered by the input. Cut
// in whatever way, the same bytes have the same end; and a server is done with a name only if
// somebody gave it that name.
//
// Input: options; the answer to each step; how the peer's bytes are cut; the peer's bytes.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "router/amqp/sasl.h"
#include "router/base/check.h"
#include "tests/fuzz/input.h"

namespace trunkline::amqp {
namespace {

constexpr uint8_t kClient = 1;
constexpr uint8_t kIdentity = 2;
constexpr uint8_t kNoAnonymous = 4;
constexpr char kCertified[] = "CN=certified";
constexpr char kProven[] = "proven";

// What an owner answers to a step: by one byte of the input for each round, the last one for all
// that follow.
enum class Answer : uint8_t { kReply, kEmpty, kFinish, kFail, kNothing };
constexpr int kAnswers = 5;

struct Script {
  uint8_t options = 0;
  std::string_view answers;
  std::string_view bytes;

  Answer At(size_t round) const {
    if (answers.empty()) return Answer::kFinish;
    const uint8_t byte = static_cast<uint8_t>(answers[round % answers.size()]);
    return static_cast<Answer>(byte % kAnswers);
  }
};

struct End {
  SaslState state = SaslState::kNegotiating;
  std::string output;
  std::string error;
  std::string identity;
  bool finished = false;  // by an answer of ours
  size_t used = 0;

  bool operator==(const End&) const = default;
};

std::vector<std::string> Mechanisms(uint8_t options) {
  std::vector<std::string> mechanisms = {"SCRAM-SHA-256", "PLAIN", "EXTERNAL"};
  if ((options & kNoAnonymous) == 0) mechanisms.emplace_back("ANONYMOUS");
  return mechanisms;
}

void AnswerStep(SaslServer& server, const SaslStep& step, Answer answer, End& end) {
  TL_CHECK(!step.mechanism.empty());
  switch (answer) {
    case Answer::kReply:
      return server.Reply("challenge");
    case Answer::kEmpty:
      return server.Reply("");
    case Answer::kFinish:
      end.finished = true;
      return server.Finish(kProven, step.bytes);
    case Answer::kFail:
      return server.Fail(SaslCode::kAuth);
    case Answer::kNothing:
      return;
  }
}

void AnswerStep(SaslClient& client, const SaslStep& step, Answer answer, End&) {
  TL_CHECK(!step.mechanism.empty());
  if (answer == Answer::kReply || answer == Answer::kFinish) return client.Reply(step.bytes);
  if (answer == Answer::kEmpty) return client.Reply(std::nullopt);
  if (answer == Answer::kFail) client.Fail("refused");
}

// Feeds the script in pieces of at most `piece` bytes, presenting again what was not used.
template <typename Exchange>
End Play(Exchange& exchange, const Script& script, size_t piece) {
  End end;
  size_t rounds = 0;
  size_t shown = 0;
  bool active = true;
  while (active) {
    active = shown < script.bytes.size();
    shown += piece < script.bytes.size() - shown ? piece : script.bytes.size() - shown;
    const std::string_view now = script.bytes.substr(end.used, shown - end.used);
    const SaslState before = exchange.state();
    const size_t used = exchange.Push(now);
    TL_CHECK(used <= now.size());
    TL_CHECK(before == SaslState::kNegotiating || used == 0);
    end.used += used;
    end.output += exchange.TakeOutput();
    SaslStep step;
    if (exchange.Next(step)) {
      TL_CHECK(exchange.state() == SaslState::kNegotiating);
      AnswerStep(exchange, step, script.At(rounds++), end);
      TL_CHECK(!exchange.Next(step));
      end.output += exchange.TakeOutput();
      active = true;
    }
    active = active || used > 0;
  }
  end.state = exchange.state();
  end.error = exchange.error();
  TL_CHECK((end.state == SaslState::kFailed) == !end.error.empty());
  return end;
}

End PlayServer(const Script& script, size_t piece) {
  const bool has_identity = (script.options & kIdentity) != 0;
  SaslServer server(
      {.mechanisms = Mechanisms(script.options),
       .external_identity = has_identity ? std::optional<std::string>(kCertified) : std::nullopt});
  End end = Play(server, script, piece);
  end.identity = server.identity();
  if (end.state != SaslState::kDone) return end;
  if (server.mechanism() == "ANONYMOUS") {
    TL_CHECK(end.identity.empty() && (script.options & kNoAnonymous) == 0);
  } else if (server.mechanism() == "EXTERNAL") {
    TL_CHECK(end.identity == kCertified && has_identity);
  } else {
    TL_CHECK(end.identity == kProven && end.finished);
  }
  return end;
}

End PlayClient(const Script& script, size_t piece) {
  SaslClient client({.mechanisms = Mechanisms(script.options),
                     .hostname = "router.example",
                     .authorization = {}});
  End end = Play(client, script, piece);
  TL_CHECK(end.state != SaslState::kDone || client.code() == SaslCode::kOk);
  return end;
}

}  // namespace
}  // namespace trunkline::amqp

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace trunkline;
  fuzz::Input input(data, size);
  amqp::Script script;
  script.options = input.Byte();
  script.answers = input.Take(3);
  const size_t piece = 1 + input.Byte();
  script.bytes = input.Rest();
  const auto play = (script.options & amqp::kClient) != 0 ? amqp::PlayClient : amqp::PlayServer;
  TL_CHECK(play(script, SIZE_MAX) == play(script, piece)) << "the end depends on the cuts";
  return 0;
}
