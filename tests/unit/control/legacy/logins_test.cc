// How clients log in: what saslMechanisms, authenticatePeer, the sslProfile and the file of Cyrus
// SASL make of a listener.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "control/legacy/qdrouterd_conf.h"

namespace trunkline::legacy {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kUsers[] =
    "pwcheck_method: auxprop\nauxprop_plugin: sasldb\nsasldb_path: /var/q.sasldb\n";

// A router with one listener, in TLS or not, and the file /sasl/qdrouterd.conf.
struct Given {
  std::string listener;
  bool tls = false;
  std::string sasl = kUsers;
  std::string router = "saslConfigDir: /sasl";
};

absl::StatusOr<config::FileDocument> Parse(const Given& given) {
  const std::string text = absl::StrCat(
      "router {\n", given.router, "\n}\n", "sslProfile {\nname: tls\ncertFile: /c\n",
      "privateKeyFile: /k\ncaCertFile: /ca\n}\n", "listener {\nname: a\n", given.listener, "\n",
      given.tls ? "sslProfile: tls\nrequireSsl: yes\n" : "", "}\n");
  return ParseQdrouterdConf(text, "q.conf",
                            [&](const std::string& file) -> absl::StatusOr<std::string> {
                              if (file == "/sasl/qdrouterd.conf") return given.sasl;
                              return absl::NotFoundError(absl::StrCat(file, ": is not there"));
                            });
}

v1::ListenerSpec Listener(const Given& given) {
  const auto parsed = Parse(given);
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  return parsed.ok() ? parsed->document.listeners.at("a").spec() : v1::ListenerSpec();
}

std::vector<std::string> Warnings(const Given& given) {
  std::vector<std::string> texts;
  const auto parsed = Parse(given);
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  if (!parsed.ok()) return texts;
  for (const config::Problem& warning : parsed->warnings) texts.push_back(warning.text);
  return texts;
}

std::string Errors(const Given& given) { return std::string(Parse(given).status().message()); }

TEST(Logins, OffersWhatIsNamedToUsersOfTheSasldb) {
  const Given given = {.listener = "saslMechanisms: scram-sha-1 PLAIN PLAIN\nauthenticatePeer: yes",
                       .tls = true};
  const v1::ListenerSpec listener = Listener(given);
  EXPECT_THAT(listener.sasl_mechanisms(), ElementsAre("SCRAM-SHA-1", "PLAIN"));
  EXPECT_EQ(listener.user_store(), "userStores/qdrouterd");
  EXPECT_TRUE(listener.require_sasl());
  EXPECT_FALSE(listener.allow_insecure_plain());
  EXPECT_EQ(listener.tls_client_auth(), v1::TLS_CLIENT_AUTH_UNSPECIFIED);
  const auto parsed = Parse(given);
  EXPECT_EQ(parsed->document.user_stores.at("qdrouterd").spec().sasldb_file(), "/var/q.sasldb");
  EXPECT_THAT(parsed->warnings, IsEmpty());
}

TEST(Logins, OffersTheMechListWhereNothingIsNamed) {
  const v1::ListenerSpec listener =
      Listener({.listener = "authenticatePeer: yes",
                .tls = true,
                .sasl = absl::StrCat(kUsers, "mech_list: SCRAM-SHA-1 DIGEST-MD5 PLAIN EXTERNAL")});
  EXPECT_THAT(listener.sasl_mechanisms(), ElementsAre("SCRAM-SHA-1", "DIGEST-MD5", "PLAIN"));
  EXPECT_EQ(listener.user_store(), "userStores/qdrouterd");
  EXPECT_EQ(listener.tls_client_auth(), v1::TLS_CLIENT_AUTH_UNSPECIFIED);
}

TEST(Logins, OffersWhatIsPossibleWhereNothingSaysWhat) {
  const v1::ListenerSpec with_users = Listener({.listener = "", .tls = true});
  EXPECT_THAT(with_users.sasl_mechanisms(), IsEmpty());
  EXPECT_EQ(with_users.user_store(), "userStores/qdrouterd");
  const v1::ListenerSpec without = Listener({.listener = "", .router = ""});
  EXPECT_THAT(without.sasl_mechanisms(), IsEmpty());
  EXPECT_EQ(without.user_store(), "");
}

TEST(Logins, LeavesOutWhatTheMechListHasNot) {
  const Given given = {.listener = "saslMechanisms: PLAIN SCRAM-SHA-1 ANONYMOUS",
                       .tls = true,
                       .sasl = absl::StrCat(kUsers, "mech_list: SCRAM-SHA-1")};
  EXPECT_THAT(Listener(given).sasl_mechanisms(), ElementsAre("SCRAM-SHA-1", "ANONYMOUS"));
  EXPECT_THAT(Warnings(given), ElementsAre("PLAIN is not offered: it is not in the mech_list of "
                                           "/sasl/qdrouterd.conf"));
}

TEST(Logins, AsksEverybodyForACertificateWhereExternalIsNamed) {
  const v1::ListenerSpec listener =
      Listener({.listener = "saslMechanisms: EXTERNAL\nauthenticatePeer: yes", .tls = true});
  EXPECT_EQ(listener.tls_client_auth(), v1::TLS_CLIENT_AUTH_REQUIRE);
  EXPECT_THAT(listener.sasl_mechanisms(), ElementsAre("EXTERNAL"));
  EXPECT_EQ(listener.user_store(), "");
}

TEST(Logins, LeavesExternalOutWithoutTls) {
  const Given given = {.listener = "saslMechanisms: EXTERNAL ANONYMOUS"};
  EXPECT_THAT(Listener(given).sasl_mechanisms(), ElementsAre("ANONYMOUS"));
  EXPECT_THAT(Warnings(given), ElementsAre("EXTERNAL is not offered: there is no sslProfile"));
}

TEST(Logins, SaysPlainWithoutTlsAsDispatchDoesAndWarns) {
  for (const std::string listener : {"saslMechanisms: PLAIN", "authenticatePeer: yes"}) {
    const Given given = {.listener = listener};
    EXPECT_TRUE(Listener(given).allow_insecure_plain());
    EXPECT_THAT(Warnings(given), ElementsAre(HasSubstr("PLAIN without TLS: passwords go over")));
  }
  EXPECT_FALSE(Listener({.listener = "saslMechanisms: SCRAM-SHA-1"}).allow_insecure_plain());
}

TEST(Logins, LeavesPasswordsOutWhereThereAreNoUsers) {
  const Given given = {.listener = "saslMechanisms: PLAIN ANONYMOUS", .router = ""};
  EXPECT_THAT(Listener(given).sasl_mechanisms(), ElementsAre("ANONYMOUS"));
  EXPECT_THAT(Warnings(given), ElementsAre(HasSubstr("PLAIN is not offered: there are no users")));
}

TEST(Logins, LooksForUsersOnlyWhereTheyMatter) {
  for (const std::string mechanisms : {"ANONYMOUS", "EXTERNAL ANONYMOUS"}) {
    const Given given = {.listener = "saslMechanisms: " + mechanisms, .sasl = "no file of SASL"};
    EXPECT_TRUE(Parse(given).ok()) << Errors(given);
    EXPECT_TRUE(Parse(given)->document.user_stores.empty());
  }
}

TEST(Logins, LooksWhereCyrusDoesWhenNothingSaysWhere) {
  std::vector<std::string> asked;
  const auto parsed =
      ParseQdrouterdConf("router {\nsaslConfigName: other\n}\nlistener {\nname: a\n}\n", "q.conf",
                         [&](const std::string& file) -> absl::StatusOr<std::string> {
                           asked.push_back(file);
                           return std::string(kUsers);
                         });
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_THAT(asked, ElementsAre("/etc/sasl2/other.conf"));
  EXPECT_EQ(parsed->document.listeners.at("a").spec().user_store(), "userStores/other");
}

TEST(Logins, RefusesAListenerThatWouldOfferNothing) {
  EXPECT_THAT(Errors({.listener = "saslMechanisms: EXTERNAL"}),
              HasSubstr("q.conf:12:17: listener.saslMechanisms: none of these can be offered"));
  EXPECT_THAT(
      Errors({.listener = "", .tls = true, .sasl = absl::StrCat(kUsers, "mech_list: EXTERNAL")}),
      HasSubstr("q.conf:10:1: listener.saslMechanisms: the mech_list of "
                "/sasl/qdrouterd.conf leaves nothing to offer"));
}

TEST(Logins, RefusesAListenerThatNobodyCouldLogInTo) {
  EXPECT_THAT(Errors({.listener = "saslMechanisms: ANONYMOUS\nauthenticatePeer: yes"}),
              HasSubstr("q.conf:13:19: listener.authenticatePeer: nobody could authenticate"));
  EXPECT_THAT(Errors({.listener = "authenticatePeer: yes", .router = ""}),
              HasSubstr("q.conf:12:19: listener.authenticatePeer: nobody could authenticate"));
}

TEST(Logins, RefusesMechanismsThatAreNotSpoken) {
  EXPECT_THAT(Errors({.listener = "saslMechanisms: PLAIN GSSAPI"}),
              HasSubstr("q.conf:12:17: listener.saslMechanisms: \"GSSAPI\" is not spoken; known"));
  // In the mech_list it is one of many, and the others are offered.
  const Given given = {
      .listener = "", .tls = true, .sasl = absl::StrCat(kUsers, "mech_list: GSSAPI PLAIN")};
  EXPECT_THAT(Listener(given).sasl_mechanisms(), ElementsAre("PLAIN"));
  EXPECT_THAT(Warnings(given),
              ElementsAre("/sasl/qdrouterd.conf: has no effect: mech_list: GSSAPI"));
}

TEST(Logins, TellsWhatIsWrongWithTheFileOfCyrus) {
  EXPECT_THAT(
      Errors({.listener = "", .router = "saslConfigDir: /elsewhere/"}),
      HasSubstr("q.conf:2:16: router.saslConfigDir: /elsewhere/qdrouterd.conf: is not the"));
  EXPECT_THAT(Errors({.listener = "", .sasl = "pwcheck_method: saslauthd"}),
              HasSubstr("q.conf:2:16: router.saslConfigDir: /sasl/qdrouterd.conf: line 1: "
                        "pwcheck_method: \"saslauthd\" is not there"));
  EXPECT_THAT(Warnings({.listener = "", .tls = true, .sasl = absl::StrCat(kUsers, "keytab: /k")}),
              ElementsAre("/sasl/qdrouterd.conf: has no effect: keytab"));
}

}  // namespace
}  // namespace trunkline::legacy
