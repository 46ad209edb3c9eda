#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <optional>
#include <string>

namespace trunkline::net {

// "host:5672", "[::1]:5672"; without a host "*:5672".
std::string PlaceText(const std::string& host, uint16_t port);

// The place itself when `host` is a numeric address. Names are asked of the system, one at a time,
// on a thread of Asio's that waits as long as a name server does not answer; numbers must not stand
// in that queue.
std::optional<boost::asio::ip::tcp::resolver::results_type> NumericPlace(const std::string& host,
                                                                         uint16_t port);

}  // namespace trunkline::net
