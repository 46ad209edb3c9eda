#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "control/http/message.h"
#include "router/base/counter.h"
#include "router/base/time.h"
#include "router/tls/context.h"

namespace trunkline::http {

// What TLS is spoken with.
struct ServerTls {
  std::shared_ptr<const tls::Context> context;  // with a certificate; null: there is no TLS
  tls::ClientAuth client_auth = tls::ClientAuth::kNone;
};

// A server of HTTP/1.1 (and 1.0), also in TLS, on a thread of its own: small answers to GET and
// HEAD, for Prometheus, probes and people with curl. Whoever it serves waits for no other thread,
// and no other thread waits for it.
//
// What a client can do: it has `request_time` to shake hands, as long to say what it wants, and may
// stay for `idle_time` between requests; a head above kHeadBytesMax gets 431, a body 413, other
// methods 405, what is no HTTP 400, each followed by the end. With `connections_max` connections,
// one more takes the place of the one that has been quiet for the longest: who connects and says
// nothing keeps nobody out.
//
// Thread: one, its owner's; the handler and what is posted run on the server's.
class Server {
 public:
  struct Options {
    std::string host = "127.0.0.1";  // address or name; "::" is every address, also of IPv4
    uint16_t port = 0;               // 0: any free one
    size_t connections_max = 32;
    Duration request_time = Seconds(10);
    Duration idle_time = Seconds(150);  // above the interval of any scraper
    ServerTls tls;
  };
  static constexpr uint32_t kHeadBytesMax = 8 * 1024;

  // Written by the server's thread, read by any.
  struct Stats {
    std::array<Counter, 6> answers;  // by the first digit of the status
    Counter connections;
    Counter handshakes;         // of TLS, done
    Counter handshakes_failed;  // given up, timed out ones as well
    Counter displaced;          // connections that were closed for one more
    Counter timeouts;           // of requests
    Counter not_served;         // accepted by the system, and no descriptor was left
  };

  // Takes its place; who connects waits. FailedPrecondition: cannot listen there;
  // ResourceExhausted: the system has no thread or descriptor for it. A name is looked up here, for
  // as long as the system's name service takes.
  static absl::StatusOr<std::unique_ptr<Server>> Listen(const Options& options);
  // Answers from here on. To be called once. `stats` outlive the server; no other server uses them
  // meanwhile.
  void Serve(Handler handler, Stats& stats);
  // Every handshake that begins from here on is made with this context; of a server that speaks
  // TLS. Thread: any.
  void SetTlsContext(std::shared_ptr<const tls::Context> context);
  // Hangs up on everybody and joins the thread.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Where it listens: "127.0.0.1:9090", "[::1]:9090".
  const std::vector<std::string>& addresses() const;
  // Runs `action` on the server's thread, before what comes in later; what is posted last may be
  // dropped when the server ends.
  void Post(std::function<void()> action);

 private:
  class Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace trunkline::http
