#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "router/net/descriptor.h"
#include "tests/unit/router/conn/test_client.h"

namespace trunkline::net::test {

using conn::test::ClientOptions;

// An AMQP client on a real socket: the client without I/O of the driver's tests, and a stream.
class SocketClient {
 public:
  // Connects to "127.0.0.1:5672" or "[::1]:5672".
  explicit SocketClient(const std::string& address, ClientOptions options = {});
  // Uses a stream that is there, as the side that was dialled.
  explicit SocketClient(Descriptor fd, ClientOptions options = {});

  conn::test::Client* operator->() { return &amqp_; }
  conn::test::Client& amqp() { return amqp_; }

  int fd() const { return fd_.get(); }
  bool connected() const { return connected_; }
  // The peer has ended the stream, or reset it.
  bool ended() const { return ended_; }
  // Writes what there is to say and reads what has come, without waiting.
  void Pump();
  // Only the writing: an answer that comes meanwhile is left for the next Pump.
  void Write();
  void HangUp() { fd_.Reset(); }

 private:
  void Read();

  BlockPool pool_;
  Descriptor fd_;
  conn::test::Client amqp_;
  std::string unwritten_;
  bool connected_ = false;
  bool ended_ = false;
};

// Pumps the clients until `done`; false if that does not happen within `limit`.
bool RunUntil(const std::vector<SocketClient*>& clients, const std::function<bool()>& done,
              std::chrono::milliseconds limit = std::chrono::seconds(20));

}  // namespace trunkline::net::test
