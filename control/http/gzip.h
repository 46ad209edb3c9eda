#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace trunkline::http {

// Whether a client that says `accept_encoding` takes gzip: named without "q=0", or "*".
bool AcceptsGzip(std::string_view accept_encoding);

// The text in gzip's format (RFC 1952), quickly rather than small; nothing if there is no memory.
std::optional<std::string> Gzip(std::string_view text);

}  // namespace trunkline::http
