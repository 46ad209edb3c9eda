#include "router/net/probe_attempt.h"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "router/base/status.h"
#include "router/conn/handshake.h"
#include "router/net/listen.h"
#include "router/net/peer_properties.h"
#include "router/tls/bundle.h"

namespace trunkline::net {
namespace {

// Addresses of one name that are told and tried.
constexpr int kAddressesMax = 16;
// How long the peer is waited for once all is known.
constexpr Duration kCloseLimit = Seconds(1);
constexpr size_t kFactBytesMax = 1024;
// More than one record of TLS.
constexpr size_t kRoomBytes = 20 << 10;

Time Now() {
  return {std::chrono::duration_cast<std::chrono::nanoseconds>(
              std::chrono::steady_clock::now().time_since_epoch())
              .count()};
}

// For poll: rounded up.
int MillisecondsUntil(Time deadline) {
  const int64_t left = (deadline - Now()).ns;
  return left <= 0 ? 0 : static_cast<int>(left / 1'000'000 + 1);
}

std::string TextOf(int error) { return std::strerror(error); }

std::string AddressTextOf(const sockaddr* address, socklen_t size) {
  sockaddr_storage storage{};
  std::memcpy(&storage, address, std::min<size_t>(size, sizeof storage));
  return AddressText(storage);
}

std::string Describe(const amqp::Condition& error) {
  if (error.description.empty()) return error.name;
  return absl::StrCat(error.name, ": ", error.description);
}

// Works on the steps of a login here and now.
class OwnDesk final : public conn::Authenticator {
 public:
  void Post(conn::AuthStep step, Time) override { step_ = std::move(step); }
  void Abandoned(const std::string&, Time) override {}

  bool HasWork() const { return step_.has_value(); }
  conn::AuthAnswer Work() {
    conn::AuthStep step = *std::exchange(step_, std::nullopt);
    conn::AuthAnswer answer;
    answer.tag = step.tag;
    answer.answer = step.last ? step.session->Finish(step.bytes) : step.session->Step(step.bytes);
    answer.mechanism = std::move(step.mechanism);
    answer.session = std::move(step.session);
    return answer;
  }

 private:
  std::optional<conn::AuthStep> step_;
};

conn::DriverOptions LoginOptions(const ProbeWish& wish, OwnDesk& desk) {
  conn::DriverOptions options;
  options.inbound = false;
  options.hostname = wish.spec.host.host;
  options.tls = wish.tls;
  options.sasl_mechanisms = wish.spec.connection.sasl_mechanisms;
  options.allow_insecure_plain = wish.spec.connection.allow_insecure_plain;
  options.sasl_user = wish.spec.sasl_user;
  options.sasl_password = wish.spec.sasl_password;
  options.authenticator = &desk;
  return options;
}

}  // namespace

ProbeAttempt::ProbeAttempt(const ProbeWish& wish, int stop_fd) : wish_(wish), stop_fd_(stop_fd) {}

ProbeAttempt::~ProbeAttempt() {
  if (addresses_ != nullptr) ::freeaddrinfo(addresses_);
}

std::vector<ProbeStep> ProbeAttempt::Run() {
  using Step = absl::Status (ProbeAttempt::*)();
  constexpr std::array<std::pair<ProbeStage, Step>, 5> kSteps = {
      {{ProbeStage::kResolve, &ProbeAttempt::Resolve},
       {ProbeStage::kConnect, &ProbeAttempt::Connect},
       {ProbeStage::kTls, &ProbeAttempt::Secure},
       {ProbeStage::kSasl, &ProbeAttempt::LogIn},
       {ProbeStage::kOpen, &ProbeAttempt::Open}}};
  deadline_ = Now() + wish_.limit;
  for (const auto& [stage, step] : kSteps) {
    if (stage == ProbeStage::kTls && wish_.tls == nullptr) continue;
    const Time begun = Now();
    steps_.push_back({.stage = stage});
    const absl::Status status = (this->*step)();
    steps_.back().took = Now() - begun;
    if (status.ok()) continue;
    steps_.back().error = std::string(status.message());
    break;
  }
  HangUp();
  return std::move(steps_);
}

void ProbeAttempt::Tell(std::string name, std::string value) {
  if (value.empty()) return;
  if (value.size() > kFactBytesMax) value.resize(kFactBytesMax);
  steps_.back().facts.emplace_back(std::move(name), absl::Utf8SafeCEscape(value));
}

absl::Status ProbeAttempt::Resolve() {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  const HostPort& host = wish_.spec.host;
  const int result =
      ::getaddrinfo(host.host.c_str(), std::to_string(host.port).c_str(), &hints, &addresses_);
  if (result != 0) return absl::NotFoundError(::gai_strerror(result));
  std::vector<std::string> texts;
  for (const addrinfo* each = addresses_; each != nullptr && texts.size() < kAddressesMax;
       each = each->ai_next) {
    texts.push_back(AddressTextOf(each->ai_addr, each->ai_addrlen));
  }
  Tell("addresses", absl::StrJoin(texts, " "));
  return absl::OkStatus();
}

absl::Status ProbeAttempt::Connect() {
  int left = 0;
  for (const addrinfo* each = addresses_; each != nullptr; each = each->ai_next) ++left;
  left = std::min(left, kAddressesMax);
  absl::Status status = absl::NotFoundError("the name has no address");
  // One that does not answer leaves time for the others.
  for (const addrinfo* each = addresses_; left > 0; each = each->ai_next, --left) {
    const Duration whole = deadline_ - Now();
    if (whole <= Duration()) return absl::DeadlineExceededError("timed out");
    status = ConnectTo(*each, Now() + whole / left);
    if (status.ok() || absl::IsCancelled(status)) return status;
  }
  return status;
}

absl::Status ProbeAttempt::ConnectTo(const addrinfo& address, Time deadline) {
  const std::string peer = AddressTextOf(address.ai_addr, address.ai_addrlen);
  const auto failed = [&](int error) {
    return absl::UnavailableError(absl::StrCat(peer, ": ", TextOf(error)));
  };
  Descriptor fd(::socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return failed(errno);
  const bool begun = ::connect(fd.get(), address.ai_addr, address.ai_addrlen) == 0;
  if (!begun && errno != EINPROGRESS) return failed(errno);
  socket_ = std::move(fd);
  if (const absl::Status status = WaitFor(POLLOUT, deadline); !status.ok()) {
    return absl::Status(status.code(), absl::StrCat(peer, ": ", status.message()));
  }
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) return failed(error);
  sockaddr_storage local{};
  socklen_t local_size = sizeof local;
  if (::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&local), &local_size) == 0) {
    Tell("local", AddressText(local));
  }
  Tell("peer", peer);
  return absl::OkStatus();
}

absl::Status ProbeAttempt::Secure() {
  const ConnectorSpec& spec = wish_.spec;
  tls::ClientOptions options;
  options.server_name = spec.server_name.empty() ? spec.host.host : spec.server_name;
  options.verify_hostname = spec.verify_hostname;
  tls_ = tls::TlsStage::Client(wish_.tls, options);
  while (tls_->state() == tls::TlsStage::State::kHandshake) {
    TL_RETURN_IF_ERROR(Send({}));
    TL_RETURN_IF_ERROR(Receive());
  }
  TL_RETURN_IF_ERROR(Send({}));
  if (tls_->state() != tls::TlsStage::State::kOpen) {
    return absl::UnavailableError(tls_->error().empty() ? "closed by the peer" : tls_->error());
  }
  const tls::PeerInfo peer = tls_->peer();
  Tell("protocol", peer.protocol);
  Tell("cipher", peer.cipher);
  Tell("verified", peer.certificate_verified ? "true" : "false");
  const auto chain = tls::Inspect(tls_->PeerCertificatePem());
  if (!chain.ok() || chain->empty()) return absl::OkStatus();
  const tls::CertificateInfo& leaf = chain->front();
  Tell("subject", leaf.subject);
  Tell("issuer", leaf.issuer);
  Tell("serial", leaf.serial);
  Tell("dns_names", absl::StrJoin(leaf.dns_names, " "));
  Tell("ip_addresses", absl::StrJoin(leaf.ip_addresses, " "));
  Tell("uris", absl::StrJoin(leaf.uris, " "));
  Tell("not_before", std::to_string(leaf.not_before));
  Tell("not_after", std::to_string(leaf.not_after));
  Tell("sha256", leaf.sha256);
  Tell("key_type", leaf.key_type);
  return absl::OkStatus();
}

absl::Status ProbeAttempt::LogIn() {
  using State = conn::Handshake::State;
  OwnDesk desk;
  const conn::DriverOptions options = LoginOptions(wish_, desk);
  conn::Handshake handshake(options);
  handshake.Start(nullptr);
  while (true) {
    std::string output = handshake.TakeOutput();
    const absl::Status sent = output.empty() ? absl::OkStatus() : Send(output);
    Wipe(output);
    TL_RETURN_IF_ERROR(sent);
    if (handshake.state() == State::kFailed) return absl::UnauthenticatedError(handshake.error());
    if (handshake.state() == State::kDone) break;
    if (desk.HasWork()) {
      handshake.Take(desk.Work(), Now());
      continue;
    }
    const size_t used = handshake.Push(input_, Now());
    input_.erase(0, used);
    if (used == 0 && !desk.HasWork() && handshake.state() == State::kNegotiating) {
      TL_RETURN_IF_ERROR(Receive());
    }
  }
  Tell("mechanism", std::string(handshake.mechanism()));
  return absl::OkStatus();
}

absl::Status ProbeAttempt::Open() {
  BlockPool pool;
  amqp::EngineOptions options;
  options.initiate = true;
  options.container_id = wish_.router_id;
  options.hostname = wish_.spec.host.host;
  options.max_frame_size = wish_.spec.connection.max_frame_size;
  amqp::Engine engine(std::move(options), pool);
  Heard heard;
  absl::Status status = Flush(engine);
  while (status.ok() && !heard.opened && heard.error.empty() && !heard.closed) {
    status = Exchange(engine, pool, heard);
  }
  if (status.ok() && heard.error.empty() && !heard.closed) status = Close(engine, pool);
  if (!heard.error.empty()) status = absl::UnavailableError(heard.error);
  if (status.ok() && !heard.opened) status = absl::UnavailableError("closed by the peer");
  return status;
}

// Who refuses a connection opens it and closes it at once, with the reason.
absl::Status ProbeAttempt::Close(amqp::Engine& engine, BlockPool& pool) {
  engine.Close();
  deadline_ = std::min(deadline_, Now() + kCloseLimit);
  Heard heard;
  while (heard.error.empty() && !heard.closed && !engine.IsClosed()) {
    // All is known; a peer that does not answer is not what was asked about.
    if (!Flush(engine).ok() || !Exchange(engine, pool, heard).ok()) break;
  }
  return heard.error.empty() ? absl::OkStatus() : absl::UnavailableError(heard.error);
}

absl::Status ProbeAttempt::Exchange(amqp::Engine& engine, BlockPool& pool, Heard& heard) {
  if (input_.empty()) TL_RETURN_IF_ERROR(Receive());
  const size_t before = input_.size();
  Feed(engine, pool, heard);
  TL_RETURN_IF_ERROR(Flush(engine));
  // Part of a frame: the rest has to come.
  const bool waits = !heard.opened && !heard.closed && heard.error.empty();
  return waits && !input_.empty() && input_.size() == before ? Receive() : absl::OkStatus();
}

void ProbeAttempt::Feed(amqp::Engine& engine, BlockPool& pool, Heard& heard) {
  Block* const block = pool.Take(static_cast<uint32_t>(input_.size() + 1));
  std::memcpy(block->tail(), input_.data(), input_.size());
  block->used = static_cast<uint32_t>(input_.size());
  engine.SetInput(Slice(block, block->bytes, block->used), Now());
  BlockPool::Unref(block);
  amqp::Event event;
  while (engine.Next(event)) {
    switch (event.kind) {
      case amqp::EventKind::kOpened:
        heard.opened = true;
        Tell(*event.open);
        break;
      case amqp::EventKind::kClosed:
      case amqp::EventKind::kFailed:
        heard.closed = true;
        if (event.error != nullptr) heard.error = Describe(*event.error);
        break;
      case amqp::EventKind::kAttached:
        engine.AnswerAttach(event.link, {});
        engine.Detach(event.link, true);
        break;
      default:
        break;
    }
  }
  input_.erase(0, engine.Consumed());
}

void ProbeAttempt::Tell(const amqp::Open& open) {
  Tell("container_id", open.container_id);
  Tell("hostname", open.hostname.value_or(""));
  Tell("max_frame_size", std::to_string(open.max_frame_size));
  Tell("channel_max", std::to_string(open.channel_max));
  if (open.idle_time_out) Tell("idle_timeout_ms", std::to_string(*open.idle_time_out));
  bool cut = false;
  Tell("offered_capabilities", absl::StrJoin(Bounded(open.offered_capabilities, cut), " "));
  for (const PeerProperty& property : ReadProperties(open.properties, cut)) {
    const auto* text = std::get_if<std::string>(&property.value);
    Tell(absl::StrCat("property.", absl::Utf8SafeCEscape(property.key)),
         text != nullptr ? *text : std::to_string(std::get<int64_t>(property.value)));
  }
}

absl::Status ProbeAttempt::Flush(amqp::Engine& engine) {
  engine.Flush(Now());
  std::array<iovec, 16> parts;
  while (const int count = engine.output().Gather(parts.data(), static_cast<int>(parts.size()))) {
    for (int i = 0; i < count; ++i) {
      TL_RETURN_IF_ERROR(Send({static_cast<const char*>(parts[i].iov_base), parts[i].iov_len}));
      engine.output().Consume(parts[i].iov_len);
    }
  }
  return absl::OkStatus();
}

void ProbeAttempt::HangUp() {
  if (socket_ && tls_ != nullptr && tls_->state() == tls::TlsStage::State::kOpen) {
    tls_->Shutdown();
    deadline_ = std::min(deadline_, Now() + kCloseLimit);
    Send({}).IgnoreError();  // a courtesy
  }
  socket_.Reset();
}

// --- bytes

absl::Status ProbeAttempt::Send(std::string_view plaintext) {
  absl::Span<const uint8_t> left(reinterpret_cast<const uint8_t*>(plaintext.data()),
                                 plaintext.size());
  if (tls_ == nullptr) return SendRaw(left);
  std::array<uint8_t, kRoomBytes> room;
  while (!left.empty() || tls_->HasOutput()) {
    const tls::TlsStage::Step step = tls_->Write(left, absl::MakeSpan(room));
    if (step.consumed == 0 && step.produced == 0) break;
    left.remove_prefix(step.consumed);
    TL_RETURN_IF_ERROR(SendRaw(absl::MakeConstSpan(room).first(step.produced)));
  }
  return left.empty() ? absl::OkStatus() : absl::UnavailableError("TLS has ended");
}

absl::Status ProbeAttempt::Receive() {
  std::array<uint8_t, kRoomBytes> room;
  TL_ASSIGN_OR_RETURN(const size_t size, ReceiveRaw(absl::MakeSpan(room)));
  if (tls_ == nullptr) {
    input_.append(reinterpret_cast<const char*>(room.data()), size);
    return absl::OkStatus();
  }
  absl::Span<const uint8_t> left = absl::MakeConstSpan(room).first(size);
  std::array<uint8_t, kRoomBytes> plaintext;
  while (true) {
    const tls::TlsStage::Step step = tls_->Read(left, absl::MakeSpan(plaintext));
    input_.append(reinterpret_cast<const char*>(plaintext.data()), step.produced);
    left.remove_prefix(step.consumed);
    if (step.consumed == 0 && step.produced == 0) break;
  }
  if (tls_->state() == tls::TlsStage::State::kFailed) {
    Send({}).IgnoreError();  // the alert
    return absl::UnavailableError(tls_->error());
  }
  if (tls_->state() == tls::TlsStage::State::kPeerClosed && input_.empty()) {
    return absl::UnavailableError("closed by the peer");
  }
  return absl::OkStatus();
}

absl::Status ProbeAttempt::SendRaw(absl::Span<const uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n >= 0) {
      bytes.remove_prefix(static_cast<size_t>(n));
    } else if (errno == EAGAIN) {
      TL_RETURN_IF_ERROR(WaitFor(POLLOUT, deadline_));
    } else if (errno != EINTR) {
      return absl::UnavailableError(TextOf(errno));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<size_t> ProbeAttempt::ReceiveRaw(absl::Span<uint8_t> room) {
  while (true) {
    TL_RETURN_IF_ERROR(WaitFor(POLLIN, deadline_));
    const ssize_t n = ::recv(socket_.get(), room.data(), room.size(), 0);
    if (n > 0) return static_cast<size_t>(n);
    if (n == 0) return absl::UnavailableError("closed by the peer");
    if (errno != EAGAIN && errno != EINTR) return absl::UnavailableError(TextOf(errno));
  }
}

absl::Status ProbeAttempt::WaitFor(short events, Time deadline) {
  std::array<pollfd, 2> waited = {{{socket_.get(), events, 0}, {stop_fd_, POLLIN, 0}}};
  while (true) {
    if (Now() >= deadline) return absl::DeadlineExceededError("timed out");
    const int n = ::poll(waited.data(), waited.size(), MillisecondsUntil(deadline));
    if (n < 0 && errno != EINTR) return absl::InternalError(TextOf(errno));
    if (n > 0 && waited[1].revents != 0) return absl::CancelledError("the router is stopping");
    if (n > 0 && waited[0].revents != 0) return absl::OkStatus();
  }
}

}  // namespace trunkline::net
