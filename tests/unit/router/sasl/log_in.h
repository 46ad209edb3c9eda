#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

#include "router/sasl/session.h"

namespace trunkline::sasl {

struct Outcome {
  Verdict verdict = Verdict::kError;
  std::string user;
  bool client_content = false;
  int rounds = 0;
};

// The whole exchange of a client that has `user` and `password` with a server that has `users`.
inline Outcome LogIn(const std::string& mechanism, const std::string& user,
                     const std::string& password, const std::shared_ptr<const Users>& users) {
  const auto server = Session::Server({.mechanism = mechanism, .users = users});
  const auto client = Session::Client({.mechanism = mechanism,
                                       .host = "router.example",
                                       .user = user,
                                       .password = Secret(password)});
  Outcome outcome;
  Answer from_client = client->Step(std::nullopt);
  while (from_client.verdict == Verdict::kContinue && ++outcome.rounds < 10) {
    const Answer from_server = server->Step(from_client.bytes);
    outcome.verdict = from_server.verdict;
    outcome.user = from_server.user;
    if (from_server.verdict == Verdict::kOk) {
      outcome.client_content = client->Finish(from_server.bytes).verdict == Verdict::kOk;
    }
    if (from_server.verdict != Verdict::kContinue) return outcome;
    from_client = client->Step(from_server.bytes);
  }
  ADD_FAILURE() << "no end of " << mechanism << ": " << from_client.detail;
  return outcome;
}

}  // namespace trunkline::sasl
