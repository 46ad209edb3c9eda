#include "control/legacy/sasl_conf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace trunkline::legacy {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::string Problem(std::string_view text) {
  const auto conf = ParseSaslConf(text);
  return std::string(conf.status().message());
}

TEST(SaslConf, ReadsWhereUsersAreAndWhatIsOffered) {
  const auto conf = ParseSaslConf(
      "# Cyrus SASL\n"
      "pwcheck_method: auxprop\r\n"
      "  Auxprop_Plugin :sasldb\n"
      "sasldb_path: /var/lib/qdrouterd/qdrouterd.sasldb\n"
      "mech_list: scram-sha-1  DIGEST-MD5 GSSAPI PLAIN EXTERNAL PLAIN\n"
      "\n"
      "log_level: 7\n");
  ASSERT_TRUE(conf.ok()) << conf.status();
  EXPECT_EQ(conf->sasldb_file, "/var/lib/qdrouterd/qdrouterd.sasldb");
  ASSERT_TRUE(conf->mechanisms.has_value());
  EXPECT_THAT(*conf->mechanisms, ElementsAre("SCRAM-SHA-1", "DIGEST-MD5", "PLAIN", "EXTERNAL"));
  EXPECT_THAT(conf->ignored, ElementsAre("mech_list: GSSAPI", "log_level"));
}

TEST(SaslConf, KnowsTheDefaultsOfCyrus) {
  const auto conf = ParseSaslConf("");
  ASSERT_TRUE(conf.ok());
  EXPECT_EQ(conf->sasldb_file, "/etc/sasldb2");
  EXPECT_FALSE(conf->mechanisms.has_value());
  EXPECT_THAT(conf->ignored, IsEmpty());
}

TEST(SaslConf, RefusesUsersFromElsewhere) {
  EXPECT_EQ(Problem("\npwcheck_method: saslauthd"),
            "line 2: pwcheck_method: \"saslauthd\" is not there; users come from a sasldb file "
            "(pwcheck_method: auxprop)");
  EXPECT_EQ(Problem("auxprop_plugin: sql"),
            "line 1: auxprop_plugin: \"sql\" is not there; users come from a sasldb file "
            "(auxprop_plugin: sasldb)");
  EXPECT_EQ(Problem("pwcheck_method: auxprop saslauthd"), "");
}

TEST(SaslConf, TellsTheLineThatIsNoOption) {
  EXPECT_EQ(Problem("a: b\nmech_list"), "line 2: is not \"option: value\"");
  EXPECT_EQ(Problem("sasldb_path: \n"), "line 1: \"sasldb_path\" has no value");
  EXPECT_EQ(Problem("a: b\n\n\xFF"), "line 3: not UTF-8");
}

TEST(SaslConf, SurvivesATextThatIsCutAnywhere) {
  const std::string text = "pwcheck_method: auxprop\nmech_list: PLAIN\n";
  for (size_t n = 0; n <= text.size(); ++n) ParseSaslConf(text.substr(0, n)).IgnoreError();
}

}  // namespace
}  // namespace trunkline::legacy
