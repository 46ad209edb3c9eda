#include "tests/unit/router/net/socket_client.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>

namespace trunkline::net::test {
namespace {

Time Now() {
  return {std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1)};
}

void MakeNonBlocking(int fd) { fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK); }

Descriptor Connect(const std::string& address) {
  const size_t colon = address.rfind(':');
  const auto port = static_cast<uint16_t>(std::stoi(address.substr(colon + 1)));
  sockaddr_storage storage{};
  socklen_t size = sizeof(sockaddr_in);
  if (address[0] == '[') {
    auto& v6 = reinterpret_cast<sockaddr_in6&>(storage);
    size = sizeof v6;
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    inet_pton(AF_INET6, address.substr(1, colon - 2).c_str(), &v6.sin6_addr);
  } else {
    auto& v4 = reinterpret_cast<sockaddr_in&>(storage);
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    inet_pton(AF_INET, address.substr(0, colon).c_str(), &v4.sin_addr);
  }
  Descriptor fd(socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (connect(fd.get(), reinterpret_cast<sockaddr*>(&storage), size) != 0) return {};
  MakeNonBlocking(fd.get());
  return fd;
}

}  // namespace

SocketClient::SocketClient(const std::string& address, ClientOptions options)
    : fd_(Connect(address)), amqp_(pool_, std::move(options)), connected_(fd_) {}

SocketClient::SocketClient(Descriptor fd, ClientOptions options)
    : fd_(std::move(fd)), amqp_(pool_, std::move(options)), connected_(true) {
  MakeNonBlocking(fd_.get());
}

void SocketClient::Pump() {
  if (!fd_ || ended_) return;
  Write();
  Read();
  Write();
}

void SocketClient::Write() {
  unwritten_ += amqp_.Pull(Now());
  if (unwritten_.empty()) return;
  const ssize_t n = send(fd_.get(), unwritten_.data(), unwritten_.size(), MSG_NOSIGNAL);
  if (n > 0) unwritten_.erase(0, static_cast<size_t>(n));
}

void SocketClient::Read() {
  std::array<char, 65536> bytes;
  while (true) {
    const ssize_t n = recv(fd_.get(), bytes.data(), bytes.size(), 0);
    if (n > 0) {
      amqp_.Push({bytes.data(), static_cast<size_t>(n)}, Now());
      continue;
    }
    ended_ = n == 0 || (errno != EAGAIN && errno != EINTR);
    return;
  }
}

bool RunUntil(const std::vector<SocketClient*>& clients, const std::function<bool()>& done,
              std::chrono::milliseconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  std::vector<pollfd> fds;
  while (true) {
    fds.clear();
    for (SocketClient* client : clients) {
      client->Pump();
      if (client->fd() >= 0 && !client->ended()) fds.push_back({client->fd(), POLLIN, 0});
    }
    if (done()) return true;
    if (std::chrono::steady_clock::now() > deadline) return false;
    poll(fds.data(), fds.size(), 5);
  }
}

}  // namespace trunkline::net::test
