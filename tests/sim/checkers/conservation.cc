#include "tests/sim/checkers/conservation.h"

#include "absl/strings/str_cat.h"

namespace trunkline::sim {

void Conservation::OnReceived(const ConsumerLink& consumer, const Message* message,
                              Arrival arrival) {
  if (message == nullptr) {
    if (arrival.complete) {
      verdict_.Fail("conservation", absl::StrCat("consumer ", consumer.id, " received ",
                                                 arrival.bare.size(), " bytes that nobody sent"));
    }
    return;
  }
  const std::string_view sent = std::string_view(message->bytes).substr(message->bare);
  const std::string what =
      absl::StrCat(Describe(*message), " as received by consumer ", consumer.id);
  if (message->address != consumer.address) {
    verdict_.Fail("conservation", absl::StrCat(what, " has another address"));
  }
  if (arrival.complete && message->oversize) {
    verdict_.Fail("conservation", absl::StrCat(what, " is larger than the router takes"));
  }
  if (arrival.complete && message->aborted) {
    verdict_.Fail("conservation", absl::StrCat(what, " was aborted by its producer"));
  }
  if (arrival.complete && arrival.bare.size() != sent.size()) {
    verdict_.Fail("conservation", absl::StrCat(what, " has ", arrival.bare.size(),
                                               " bytes instead of ", sent.size()));
  } else if (!sent.starts_with(arrival.bare)) {
    verdict_.Fail("conservation", absl::StrCat(what, " has other bytes"));
  }
}

void Conservation::AtRest() {
  for (const Message& message : ledger_.messages()) {
    if (!message.started || !ledger_.producer(message.producer).alive) continue;
    if (!message.complete && !message.aborted) {
      verdict_.Fail("conservation", absl::StrCat(Describe(message), " could not be sent"));
    } else if (!message.finished) {
      verdict_.Fail("conservation", absl::StrCat(Describe(message), " has no end: told ",
                                                 static_cast<int>(message.told)));
    }
  }
}

}  // namespace trunkline::sim
