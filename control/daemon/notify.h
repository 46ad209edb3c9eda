#pragma once

#include <string>
#include <string_view>

namespace trunkline::daemon {

// Tells the service manager how we are, by datagrams to the socket that systemd names in
// $NOTIFY_SOCKET: "READY=1", "STOPPING=1", "STATUS=…". Thread: control.
class Notifier {
 public:
  // `socket`: a path, or "@name" for an abstract one. Empty or too long: nothing is ever sent.
  explicit Notifier(std::string_view socket);
  ~Notifier();
  Notifier(const Notifier&) = delete;
  Notifier& operator=(const Notifier&) = delete;

  bool enabled() const { return fd_ >= 0; }
  // One assignment per line. Never waits: what the manager does not take is lost.
  void Send(std::string_view state);

 private:
  std::string socket_;
  int fd_ = -1;
};

}  // namespace trunkline::daemon
