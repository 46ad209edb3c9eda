#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace trunkline::http {

// What a client asks for, as far as anybody here looks. Good for one call of a Handler.
struct Request {
  std::string_view path;    // without the query: "/metrics"
  std::string_view accept;  // the header; empty: anything
};

struct Response {
  unsigned status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
};

// Answers a GET. On the server's thread, so it must not wait for anything.
using Handler = std::function<Response(const Request&)>;

}  // namespace trunkline::http
