#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "router/conn/authenticator.h"
#include "router/sasl/users.h"
#include "tests/unit/router/conn/test_world.h"

namespace trunkline::fuzz {

// Works on the steps of the logins of one peer, as a byte of the input says: by the mechanisms of
// libsasl2, or with an answer that needs none of them, which lets bytes reach what only somebody
// who knows the password would; at once, when the peer has said everything, or never. Holds every
// login against what it came to.
//
// Outlives the peer's driver.
class LoginDesk final : public conn::Authenticator {
 public:
  explicit LoginDesk(uint8_t script);

  static constexpr char kUser[] = "admin";
  static constexpr char kPassword[] = "sesame";
  static const std::shared_ptr<const sasl::Users>& Users();
  // Both ends may log in with a password, which is what peers are here for.
  void Serve(conn::DriverOptions& options);

  void Post(conn::AuthStep step, Time now) override;
  void Abandoned(const std::string& address, Time now) override;

  // Answers a step that is to be answered by now; true if there was one.
  enum class When : uint8_t { kAtOnce, kAtTheEnd };
  bool Work(When when, conn::test::World& world, conn::test::Peer& peer);

  // What must hold as long as the peer is here: who is in was let in, under the name that he got.
  void CheckPeer(const conn::Driver& driver, bool must_log_in) const;
  // What must hold when it is gone: a login that was left in the middle was told of, once.
  void CheckEnd() const;

 private:
  sasl::Answer Made(const conn::AuthStep& step);

  const uint8_t answers_;
  const uint8_t delay_;
  uint8_t rounds_left_;
  std::deque<conn::AuthStep> steps_;
  bool begun_ = false;  // a peer's login, without a result so far
  int abandoned_ = 0;
  bool let_in_ = false;
  std::string user_;
};

}  // namespace trunkline::fuzz
