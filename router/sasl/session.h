#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "router/base/secret.h"
#include "router/sasl/users.h"

namespace trunkline::sasl {

enum class Verdict : uint8_t {
  kContinue,  // `bytes` go to the peer, if there are any; more is to come
  kOk,        // authenticated; `bytes`, if any, go along
  kDenied,    // name, password or message is wrong
  kError,     // here something is wrong; `detail` says what
};

struct Answer {
  Verdict verdict = Verdict::kError;
  std::optional<std::string> bytes;
  // Server: who the peer is, or says to be: printable, shortened.
  std::string user;
  std::string detail;  // for the log; holds no secrets
};

struct ServerOptions {
  std::string mechanism;
  std::shared_ptr<const Users> users;  // not needed, nor asked, by GSSAPI
};
struct ClientOptions {
  std::string mechanism;
  std::string host;  // that was dialled
  std::string user;  // not needed, nor its password, by GSSAPI
  Secret password;
};

// One end of one exchange by a mechanism of libsasl2. No system configuration is read; there is no
// security layer.
//
// Owned by whoever works on it at the time: it travels from the worker to the auth pool and back.
// Thread: any, one at a time. Making one is cheap; Step may take milliseconds and read files.
class Session {
 public:
  static std::unique_ptr<Session> Server(ServerOptions options);
  static std::unique_ptr<Session> Client(ClientOptions options);
  virtual ~Session() = default;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Server: initial response, then responses. Client: nothing, then challenges.
  virtual Answer Step(const std::optional<std::string>& input) = 0;
  // Client: the server says that all is well, with `data` in its outcome. kOk only if the mechanism
  // agrees: a server that does not know the password must not pass for one that does.
  virtual Answer Finish(const std::optional<std::string>& data) = 0;

 protected:
  Session() = default;
};

}  // namespace trunkline::sasl
