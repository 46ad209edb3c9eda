#include "control/http/session.h"

#include <algorithm>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/write.hpp>
#include <chrono>
#include <string>
#include <utility>

#include "control/http/gzip.h"
#include "router/base/log.h"
#include "router/tls/accept.h"

namespace trunkline::http {
namespace {

namespace beast = boost::beast;
using beast::http::field;
using beast::http::status;

constexpr LogModule kLogModule = LogModule::kControl;
constexpr size_t kReadBytes = 4096;
// Shorter answers fit into one packet as they are.
constexpr size_t kGzipFrom = 1024;
// What a client sends that was told to go: so long, and so much, is read, that it gets the answer.
constexpr Duration kDrainTime = Seconds(2);
constexpr size_t kDrainBytes = 256 * 1024;

std::chrono::nanoseconds Nanoseconds(Duration duration) {
  return std::chrono::nanoseconds(duration.ns);
}

std::string_view View(beast::string_view text) { return {text.data(), text.size()}; }

// "/metrics" of "/metrics?x"; and of "http://host/metrics", as those ask who are used to a proxy.
std::string_view PathOf(std::string_view target) {
  const size_t scheme = target.starts_with('/') ? target.npos : target.find("://");
  if (scheme != target.npos) {
    const size_t behind = target.find_first_of("/?", scheme + 3);
    target.remove_prefix(std::min(behind, target.size()));
  }
  const std::string_view path = target.substr(0, target.find('?'));
  return path.empty() ? "/" : path;
}

}  // namespace

Session::Session(boost::asio::ip::tcp::socket socket, const Surroundings& surroundings)
    : surroundings_(surroundings), stream_(std::move(socket)), buffer_(Server::kHeadBytesMax) {}

void Session::Start() {
  const Duration patience = surroundings_.options.request_time;
  if (surroundings_.options.tls.context == nullptr) return AwaitRequest(patience);
  stream_.expires_after(Nanoseconds(patience));
  AwaitHello();
}

// Certificates may change while a connection is quiet: what counts is the one when its client
// begins.
void Session::AwaitHello() {
  stream_.async_read_some(buffer_.prepare(kReadBytes),
                          [self = shared_from_this()](const Error& error, size_t bytes) {
                            if (error) return self->OnHandshake(error, 0);
                            self->buffer_.commit(bytes);
                            self->Handshake();
                          });
}

void Session::Handshake() {
  void* const ssl =
      tls::NewAcceptSession(*surroundings_.tls_context(), surroundings_.options.tls.client_auth);
  if (ssl == nullptr) return OnHandshake(boost::asio::error::no_memory, 0);
  tls_.emplace(stream_, static_cast<SSL*>(ssl));
  tls_->async_handshake(boost::asio::ssl::stream_base::server, buffer_.cdata(),
                        [self = shared_from_this()](const Error& error, size_t used) {
                          self->OnHandshake(error, used);
                        });
}

// `used`: of what was read before.
void Session::OnHandshake(const Error& error, size_t used) {
  const bool complete = !error && used == buffer_.size();
  auto& stats = *surroundings_.stats;
  (complete ? stats.handshakes : stats.handshakes_failed).Add();
  if (!complete) {
    TL_LOG(debug, "http handshake failed",
           {"error", error ? error.message() : "more than a hello"});
    return End();
  }
  buffer_.consume(used);
  AwaitRequest(surroundings_.options.request_time);
}

// For the first byte; then the rest has its own time.
void Session::AwaitRequest(Duration patience) {
  stream_.expires_after(Nanoseconds(patience));
  began_ = false;
  Parse();
}

void Session::Read() {
  const size_t room = buffer_.max_size() - buffer_.size();
  if (room == 0) {
    return Refuse(status::request_header_fields_too_large, "the head is too large\n");
  }
  if (buffer_.size() > 0 && !std::exchange(began_, true)) {
    stream_.expires_after(Nanoseconds(surroundings_.options.request_time));
  }
  const auto buffer = buffer_.prepare(std::min(room, kReadBytes));
  auto on_read = [self = shared_from_this()](const Error& error, size_t bytes) {
    self->OnRead(error, bytes);
  };
  if (tls_) return tls_->async_read_some(buffer, std::move(on_read));
  stream_.async_read_some(buffer, std::move(on_read));
}

void Session::OnRead(const Error& error, size_t bytes) {
  if (error == beast::error::timeout && began_) surroundings_.stats->timeouts.Add();
  if (error) return End();
  buffer_.commit(bytes);
  Parse();
}

// From the beginning each time: the parser by itself has a limit for a line, and none for a head of
// many lines; here a head is what the buffer holds.
void Session::Parse() {
  parser_.emplace();
  parser_->header_limit(Server::kHeadBytesMax + 1);
  size_t used = 0;
  while (!parser_->is_header_done()) {
    Error error;
    const size_t taken = parser_->put(buffer_.cdata() + used, error);
    used += taken;
    if (error == beast::http::error::need_more || (!error && taken == 0)) return Read();
    if (error == beast::http::error::body_limit) {
      return Refuse(status::payload_too_large, "a body is of no use here\n");
    }
    if (error) return Refuse(status::bad_request, "no HTTP request\n");
  }
  buffer_.consume(used);
  OnRequest();
}

void Session::OnRequest() {
  const auto method = parser_->get().method();
  if (method != beast::http::verb::get && method != beast::http::verb::head) {
    return Refuse(status::method_not_allowed, "only GET and HEAD\n");
  }
  if (!parser_->is_done()) return Refuse(status::payload_too_large, "a body is of no use here\n");
  // RFC 9112: who does not say whom it means, or says it twice, is misunderstood by somebody.
  const auto& request = parser_->get();
  if (request.version() >= 11 && request.count(field::host) != 1) {
    return Refuse(status::bad_request, "one Host is needed\n");
  }
  Write(Answer());
}

Session::Message Session::Answer() const {
  const auto& request = parser_->get();
  const std::string_view path = PathOf(View(request.target()));
  Response response = surroundings_.handler({.path = path, .accept = View(request[field::accept])});
  Message message(static_cast<status>(response.status), request.version());
  message.set(field::content_type, response.content_type);
  message.set(field::cache_control, "no-store");
  message.set(field::vary, "Accept, Accept-Encoding");
  if (response.body.size() >= kGzipFrom && AcceptsGzip(View(request[field::accept_encoding]))) {
    if (auto packed = Gzip(response.body)) {
      message.set(field::content_encoding, "gzip");
      response.body = *std::move(packed);
    }
  }
  message.content_length(response.body.size());
  message.keep_alive(request.keep_alive());
  if (request.method() == beast::http::verb::get) message.body() = std::move(response.body);
  TL_LOG(debug, "http request", {"path", path}, {"status", response.status});
  return message;
}

void Session::Refuse(status what, const char* text) {
  Message message(what, 11);
  message.set(field::content_type, "text/plain; charset=utf-8");
  if (what == status::method_not_allowed) message.set(field::allow, "GET, HEAD");
  message.body() = text;
  message.content_length(message.body().size());
  message.keep_alive(false);
  TL_LOG(debug, "http request refused", {"status", message.result_int()}, {"error", text});
  Write(std::move(message));
}

void Session::Write(Message message) {
  surroundings_.stats->answers[message.result_int() / 100 % 6].Add();
  message_ = std::move(message);
  stream_.expires_after(Nanoseconds(surroundings_.options.request_time));
  auto on_written = [self = shared_from_this()](const Error& error, size_t) {
    self->OnWritten(error);
  };
  if (tls_) return beast::http::async_write(*tls_, *message_, std::move(on_written));
  beast::http::async_write(stream_, *message_, std::move(on_written));
}

void Session::OnWritten(const Error& error) {
  if (error == beast::error::timeout) surroundings_.stats->timeouts.Add();
  if (error) return End();
  surroundings_.served(*this);
  if (message_->keep_alive()) return AwaitRequest(surroundings_.options.idle_time);
  stream_.expires_after(Nanoseconds(kDrainTime));
  if (!tls_) return HangUp();
  // Whether the client says goodbye as well does not matter.
  tls_->async_shutdown([self = shared_from_this()](const Error&) { self->HangUp(); });
}

void Session::HangUp() {
  Error ignored;
  stream_.socket().shutdown(boost::asio::ip::tcp::socket::shutdown_send, ignored);
  buffer_.clear();
  Drain(kDrainBytes);
}

// Closing with unread input would take the answer back.
void Session::Drain(size_t bytes) {
  stream_.async_read_some(buffer_.prepare(kReadBytes),
                          [self = shared_from_this(), bytes](const Error& error, size_t read) {
                            if (error || read >= bytes) return self->End();
                            self->Drain(bytes - read);
                          });
}

void Session::End() {
  stream_.close();
  surroundings_.gone(*this);
}

}  // namespace trunkline::http
