#include "control/certs/names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace trunkline::certs {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

tls::CertificateInfo Of(std::vector<std::string> dns, std::vector<std::string> ips = {},
                        std::vector<std::string> uris = {}) {
  tls::CertificateInfo info;
  info.dns_names = std::move(dns);
  info.ip_addresses = std::move(ips);
  info.uris = std::move(uris);
  return info;
}

TEST(IsNamed, TakesNamesWhateverTheirCase) {
  EXPECT_TRUE(IsNamed(Of({"Router.Example"}), "router.example"));
  EXPECT_TRUE(IsNamed(Of({"router.example"}), "ROUTER.example."));
  EXPECT_FALSE(IsNamed(Of({"router.example"}), "other.example"));
  EXPECT_FALSE(IsNamed(Of({}), "router.example"));
}

TEST(IsNamed, LetsAWildcardStandForOneLabel) {
  const auto wild = Of({"*.example.com"});
  EXPECT_TRUE(IsNamed(wild, "a.example.com"));
  EXPECT_TRUE(IsNamed(wild, "*.example.com"));
  EXPECT_FALSE(IsNamed(wild, "a.b.example.com"));
  EXPECT_FALSE(IsNamed(wild, "example.com"));
  EXPECT_FALSE(IsNamed(wild, ".example.com"));
  EXPECT_FALSE(IsNamed(Of({"a.example.com"}), "*.example.com"));
}

TEST(IsNamed, TakesAddressesAsTheyAre) {
  EXPECT_TRUE(IsNamed(Of({}, {"127.0.0.1", "::1"}), "::1"));
  EXPECT_FALSE(IsNamed(Of({"router"}, {"127.0.0.1"}), "127.0.0.2"));
}

TEST(MissingNames, AreThoseThatTheLastOneHad) {
  const auto last = Of({"a.example", "b.example"}, {"10.0.0.1"}, {"spiffe://example/a"});
  EXPECT_THAT(MissingNames(last, last, {}), IsEmpty());
  EXPECT_THAT(MissingNames(last, Of({"*.example"}, {"10.0.0.1"}, {"spiffe://example/a"}), {}),
              IsEmpty());
  EXPECT_THAT(MissingNames(last, Of({"a.example"}), {}),
              ElementsAre(HasSubstr("\"b.example\""), HasSubstr("\"10.0.0.1\""),
                          HasSubstr("the URI \"spiffe://example/a\"")));
  EXPECT_THAT(MissingNames({}, Of({"a.example"}), {}), IsEmpty());
}

TEST(MissingNames, AreThoseWhereSomebodyListens) {
  EXPECT_THAT(MissingNames({}, Of({"a.example"}), {"a.example", "b.example"}),
              ElementsAre(HasSubstr("\"b.example\", where a listener")));
  // Told once.
  EXPECT_THAT(MissingNames(Of({"b.example"}), Of({}), {"b.example"}),
              ElementsAre(HasSubstr("as the one before does")));
}

}  // namespace
}  // namespace trunkline::certs
