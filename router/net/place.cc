#include "router/net/place.h"

#include "absl/strings/str_cat.h"

namespace trunkline::net {

using boost::asio::ip::tcp;

std::string PlaceText(const std::string& host, uint16_t port) {
  if (host.empty()) return absl::StrCat("*:", port);
  const bool v6 = host.find(':') != std::string::npos;
  return v6 ? absl::StrCat("[", host, "]:", port) : absl::StrCat(host, ":", port);
}

std::optional<tcp::resolver::results_type> NumericPlace(const std::string& host, uint16_t port) {
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address(host, error);
  if (error) return std::nullopt;
  return tcp::resolver::results_type::create(tcp::endpoint(address, port), host,
                                             std::to_string(port));
}

}  // namespace trunkline::net
