#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <functional>
#include <memory>
#include <optional>

#include "control/http/server.h"

namespace trunkline::http {

// One connection of a Server: shakes hands, if it speaks TLS, then reads a request, writes the
// answer, again and again.
//
// Kept alive by what is under way. Thread: the server's.
class Session : public std::enable_shared_from_this<Session> {
 public:
  struct Surroundings {
    Server::Options options;
    // What a handshake that begins is made with; null: no TLS is spoken.
    std::function<std::shared_ptr<const tls::Context>()> tls_context;
    Handler handler;
    Server::Stats* stats = nullptr;  // outlives the session
    // It was served, and may be quiet from here on; it is over.
    std::function<void(const Session&)> served;
    std::function<void(const Session&)> gone;
  };

  // `surroundings` outlive the session.
  Session(boost::asio::ip::tcp::socket socket, const Surroundings& surroundings);

  void Start();
  // Ends it soon, whatever it does.
  void Close() { stream_.close(); }

 private:
  using Error = boost::beast::error_code;
  using Parser = boost::beast::http::request_parser<boost::beast::http::empty_body>;
  using Message = boost::beast::http::response<boost::beast::http::string_body>;

  void AwaitHello();
  void Handshake();
  void OnHandshake(const Error& error, size_t used);
  void AwaitRequest(Duration patience);
  void Read();
  void OnRead(const Error& error, size_t bytes);
  void Parse();
  void OnRequest();
  Message Answer() const;
  void Refuse(boost::beast::http::status status, const char* text);
  void Write(Message message);
  void OnWritten(const Error& error);
  void HangUp();
  void Drain(size_t bytes);
  void End();

  const Surroundings& surroundings_;
  boost::beast::tcp_stream stream_;  // has the clock of both
  std::optional<boost::asio::ssl::stream<boost::beast::tcp_stream&>> tls_;
  boost::beast::flat_buffer buffer_;
  std::optional<Parser> parser_;
  std::optional<Message> message_;
  bool began_ = false;  // the request, so its time runs
};

}  // namespace trunkline::http
