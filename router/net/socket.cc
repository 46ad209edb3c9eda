#include "router/net/socket.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "router/net/listen.h"

namespace trunkline::net {
namespace {

bool IsTemporary(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

}  // namespace

Socket::Socket(NewConnection&& connection)
    : fd_(std::move(connection.fd)),
      plan_(std::move(connection.plan)),
      stats_(std::move(connection.stats)),
      peer_(std::move(connection.peer)),
      id_(connection.id) {}

void Socket::Start(const conn::DriverOptions& options, core::Shard& shard,
                   conn::Workspace& workspace) {
  // Failures of these two are harmless: the stream works without them.
  const int on = 1;
  setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(fd_.get(), SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  driver_.emplace(options, shard, workspace);
}

void Socket::Note(uint32_t events) {
  failed_ |= (events & (EPOLLERR | EPOLLHUP)) != 0;
  ended_ |= failed_ || (events & EPOLLRDHUP) != 0;
  readable_ |= failed_ || (events & EPOLLIN) != 0;
  // To write to a failed stream says why.
  if ((events & EPOLLOUT) != 0 || failed_) blocked_ = false;
}

size_t Socket::Read(size_t quantum) {
  size_t total = 0;
  while (total < quantum && MayRead()) {
    const absl::Span<uint8_t> room = driver_->Room();
    const size_t size = std::min(room.size(), quantum - total);
    const ssize_t n = recv(fd_.get(), room.data(), size, 0);
    if (n < 0 && IsTemporary(errno)) {
      readable_ = false;
      break;
    }
    if (n <= 0) {
      if (n < 0) error_ = errno;
      readable_ = false;
      driver_->InputEnded();
      // Both sides have ended, so what is still to be written has no way out.
      if (failed_ && error_ == 0) error_ = EPIPE;
      break;
    }
    driver_->Received(static_cast<size_t>(n));
    total += static_cast<size_t>(n);
    // Less than there was room for: the stream is empty, and a second read would only say so; but
    // that its end has come is told once.
    if (static_cast<size_t>(n) < size && !ended_) readable_ = false;
  }
  bytes_read_ += total;
  return total;
}

Socket::Flushed Socket::Flush(Time now) {
  if (blocked_ || broken()) return {};
  driver_->Flush(now);
  std::array<iovec, kGatherMax> parts;
  const int count = driver_->Gather(parts.data(), kGatherMax);
  if (count == 0) return {.bytes = 0, .made_room = driver_->Wrote(0)};
  size_t offered = 0;
  for (int i = 0; i < count; ++i) offered += parts[i].iov_len;
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = static_cast<size_t>(count);
  const ssize_t n = sendmsg(fd_.get(), &message, MSG_NOSIGNAL);
  if (n < 0 && !IsTemporary(errno)) {
    error_ = errno;
    return {};
  }
  const size_t written = n < 0 ? 0 : static_cast<size_t>(n);
  blocked_ = written < offered;
  if (blocked_) blocked_at_ = now;
  bytes_written_ += written;
  return {.bytes = written, .made_room = driver_->Wrote(written)};
}

std::string Socket::Error() const {
  if (IsProbe()) return {};
  if (error_ != 0) return strerrordesc_np(error_);
  return driver_ ? driver_->error() : std::string();
}

std::string Socket::LocalAddress() const {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) return {};
  return AddressText(address);
}

bool Socket::Linger() {
  const bool wait = !broken() && !driver_->PeerIsDone() && !driver_->IsGivenUp();
  driver_.reset();
  if (!wait) return false;
  return shutdown(fd_.get(), SHUT_WR) == 0;
}

bool Socket::Discard() {
  if (!readable_) return false;
  std::array<uint8_t, 4096> scratch;
  const ssize_t n = recv(fd_.get(), scratch.data(), scratch.size(), 0);
  readable_ = n > 0;
  return n == 0 || (n < 0 && !IsTemporary(errno));
}

}  // namespace trunkline::net
