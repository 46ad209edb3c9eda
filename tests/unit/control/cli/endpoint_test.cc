#include "control/cli/endpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace trunkline::cli {
namespace {

using ::testing::HasSubstr;

TEST(EndpointOfPeople, IsASocketOrAHostWithAPort) {
  for (const char* good : {"unix:///run/a.sock", "unix:a.sock", "/a.sock", "localhost:1",
                           "10.0.0.1:65535", "[::1]:9443"}) {
    EXPECT_TRUE(CheckEndpoint({.address = good}).ok()) << good;
  }
  for (const char* wrong :
       {"", "a.sock", "localhost", "localhost:", ":9443", "localhost:0", "localhost:65536",
        "localhost:x", "https://localhost:9443", "::1:9443", "dns:///a:1"}) {
    const absl::Status status = CheckEndpoint({.address = wrong});
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << wrong;
    EXPECT_THAT(std::string(status.message()), HasSubstr("HOST:PORT"));
  }
}

TEST(EndpointOfPeople, HasACertificateAndItsKeyOrNeither) {
  EXPECT_TRUE(CheckEndpoint({.address = "a:1", .tls_certificate = "c", .tls_key = "k"}).ok());
  EXPECT_FALSE(CheckEndpoint({.address = "a:1", .tls_certificate = "c"}).ok());
  EXPECT_FALSE(CheckEndpoint({.address = "a:1", .tls_key = "k"}).ok());
}

TEST(WhyNobodyAnswers, IsSaidWithoutWhatIsNoNews) {
  const Endpoint socket{.address = "unix:///a.sock"};
  EXPECT_EQ(WhyUnreachable("failed to connect to all addresses; last error: UNKNOWN: "
                           "unix:/a.sock: No such file or directory",
                           socket),
            "No such file or directory");
  EXPECT_EQ(WhyUnreachable("", socket), "");
  EXPECT_EQ(WhyUnreachable("unix:", socket), "unix:");
  const Endpoint host{.address = "a:1"};
  EXPECT_EQ(WhyUnreachable("last error: UNKNOWN: ipv4:127.0.0.1:1: Connection refused", host),
            "ipv4:127.0.0.1:1: Connection refused");
}

TEST(WhyNobodyAnswers, IsSaidWithTheWayOut) {
  const Endpoint bare{.address = "a:1"};
  const Endpoint known{.address = "a:1", .tls_certificate = "c", .tls_key = "k"};
  EXPECT_THAT(WhyUnreachable("UNAVAILABLE: ipv4:127.0.0.1:1: Socket closed", bare),
              HasSubstr("it may want a certificate"));
  EXPECT_THAT(WhyUnreachable("ipv4:127.0.0.1:1: Socket closed", known), HasSubstr("expired"));
  // Who has sent something by then sees that nobody reads it.
  EXPECT_THAT(WhyUnreachable("recvmsg:Connection reset by peer", known), HasSubstr("expired"));
  EXPECT_THAT(WhyUnreachable("sendmsg:Broken pipe", known), HasSubstr("expired"));
  EXPECT_EQ(WhyUnreachable("Socket closed", {.address = "unix:///a"}), "Socket closed");
  EXPECT_THAT(WhyUnreachable("error:0A000086:SSL routines::certificate verify failed", bare),
              HasSubstr("--tls-ca"));
  EXPECT_THAT(WhyUnreachable("error:0A00010B:SSL routines::wrong version number", bare),
              HasSubstr("no TLS at this port"));
  EXPECT_THAT(WhyUnreachable("Peer name a is not in peer certificate", bare),
              HasSubstr("--tls-name"));
  EXPECT_THAT(WhyUnreachable("empty address list: ", known), HasSubstr("belong together"));
  EXPECT_THAT(
      WhyUnreachable("DNS resolution failed for a:1: C-ares status is not ARES_SUCCESS", bare),
      HasSubstr("no address"));
}

}  // namespace
}  // namespace trunkline::cli
