#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "router/base/secret.h"
#include "router/base/time.h"
#include "router/sasl/session.h"

namespace trunkline::conn {

// A step of a SASL exchange, which takes too long for a worker.
struct AuthStep {
  AuthStep() = default;
  AuthStep(AuthStep&&) = default;
  AuthStep& operator=(AuthStep&&) = default;
  ~AuthStep() { Wipe(bytes); }

  uint64_t tag = 0;  // DriverOptions::tag: where the answer goes
  std::unique_ptr<sasl::Session> session;
  std::string mechanism;
  std::optional<std::string> bytes;  // of the peer; may be a password
  bool first = false;                // begins a login
  bool last = false;                 // Session::Finish, not Step
  bool distant = false;              // asks a server elsewhere, which may not answer
  std::string address;  // the peer's, whose failed logins are limited; empty: they are not
};

// What became of it. The session comes back with it: it is always in one place only.
struct AuthAnswer {
  enum class Refusal : uint8_t {
    kNone,
    kQueueFull,  // too many steps wait
    kFailures,   // too many failed logins of this address
  };
  AuthAnswer() = default;
  AuthAnswer(AuthAnswer&&) = default;
  AuthAnswer& operator=(AuthAnswer&&) = default;
  ~AuthAnswer() { Wipe(answer.bytes); }

  uint64_t tag = 0;
  std::unique_ptr<sasl::Session> session;
  std::string mechanism;
  Refusal refusal = Refusal::kNone;  // else there is no answer
  sasl::Answer answer;               // its bytes may be a password of ours
};

// Who works on the steps: the auth pool, or a test. Each step is answered by one AuthAnswer, later,
// to the driver that `tag` names, if it is still there.
class Authenticator {
 public:
  virtual ~Authenticator() = default;
  // Never blocks. `now` is the caller's.
  virtual void Post(AuthStep step, Time now) = 0;
  // A peer at `address` has begun a login and gone: it counts as a failed one.
  virtual void Abandoned(const std::string& address, Time now) = 0;
};

}  // namespace trunkline::conn
