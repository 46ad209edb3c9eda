#include "control/config/validate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

namespace trunkline::config {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// A document that every rule accepts, with one resource of each kind.
Document Good() {
  Document document;
  v1::Listener& listener = document.listeners["l"];
  listener.set_name("listeners/l");
  listener.mutable_spec()->set_tls_profile("tlsProfiles/t");
  v1::Connector& connector = document.connectors["c"];
  connector.set_name("connectors/c");
  connector.mutable_spec()->set_host("h");
  connector.mutable_spec()->set_tls_profile("tlsProfiles/t");
  v1::TlsProfile& profile = document.tls_profiles["t"];
  profile.set_name("tlsProfiles/t");
  profile.mutable_spec()->set_certificate_file("c");
  profile.mutable_spec()->set_private_key_file("k");
  profile.mutable_spec()->set_ca_file("a");
  v1::Address& address = document.addresses["a"];
  address.set_name("addresses/a");
  address.mutable_spec()->set_prefix("a");
  return document;
}

// What is wrong once `change` was made, as "path: text".
std::vector<std::string> Wrong(const std::function<void(Document&)>& change) {
  Document document = Good();
  change(document);
  std::vector<std::string> texts;
  for (const Problem& problem : Validate(document)) {
    texts.push_back(problem.path + ": " + problem.text);
  }
  return texts;
}

v1::ListenerSpec& Listener(Document& d) { return *d.listeners["l"].mutable_spec(); }
v1::ConnectorSpec& Connector(Document& d) { return *d.connectors["c"].mutable_spec(); }
v1::TlsProfileSpec& Profile(Document& d) { return *d.tls_profiles["t"].mutable_spec(); }
v1::AddressSpec& Address(Document& d) { return *d.addresses["a"].mutable_spec(); }

TEST(Validate, AcceptsWhatIsGood) {
  EXPECT_THAT(Wrong([](Document&) {}), IsEmpty());
  EXPECT_THAT(Validate(DefaultDocument()), IsEmpty());
  EXPECT_THAT(Validate(Document()), IsEmpty());
}

// Each hint looks at all that there are, and a file may have thousands.
TEST(Validate, HintsEndWithWhatIsShown) {
  const std::vector<std::string> wrong = Wrong([](Document& d) {
    for (int i = 0; i < 30; ++i) {
      const std::string id = "l" + std::to_string(i);
      d.listeners[id].set_name("listeners/" + id);
      d.listeners[id].mutable_spec()->set_port(static_cast<uint32_t>(10'000 + i));
      d.listeners[id].mutable_spec()->set_tls_profile("tlsProfiles/tt");
    }
  });
  EXPECT_THAT(wrong, SizeIs(30));
  const auto hints = std::count_if(wrong.begin(), wrong.end(), [](const std::string& text) {
    return text.find("did you mean") != std::string::npos;
  });
  EXPECT_EQ(hints, static_cast<int>(kProblemsShownMax));
}

TEST(Validate, TellsHostsFromUrlsAndPorts) {
  const auto listener = [](const std::string& host) {
    return Wrong([&](Document& d) { Listener(d).set_host(host); });
  };
  const auto connector = [](const std::string& host) {
    return Wrong([&](Document& d) { Connector(d).set_host(host); });
  };
  for (const char* good : {"localhost", "127.0.0.1", "::", "fe80::1%eth0", "a_b.example.net"}) {
    EXPECT_THAT(listener(good), IsEmpty()) << good;
    EXPECT_THAT(connector(good), IsEmpty()) << good;
  }
  EXPECT_THAT(listener("127.0.0.1:5672"),
              ElementsAre("listeners[l].host: \"127.0.0.1:5672\" is no name or address; the port "
                          "is a field of its own"));
  EXPECT_THAT(connector("broker:5672"),
              ElementsAre("connectors[c].host: \"broker:5672\" is no name or address; the port is "
                          "a field of its own"));
  for (const std::string bad : {"amqp://x", " x", "x ", "[::1]", "user@x", "*"}) {
    EXPECT_THAT(connector(bad),
                ElementsAre("connectors[c].host: \"" + bad + "\" is no name or address"));
  }
  EXPECT_THAT(Wrong([](Document& d) { Connector(d).add_failover("a b:1"); }),
              ElementsAre("connectors[c].failover[0]: \"a b:1\" is not host, host:port or "
                          "[ipv6]:port"));
}

TEST(Validate, HoldsRangesAtTheLimitAndOneBeyond) {
  EXPECT_THAT(Wrong([](Document& d) { Listener(d).set_port(65535); }), IsEmpty());
  EXPECT_THAT(Wrong([](Document& d) { Listener(d).set_port(65536); }),
              ElementsAre("listeners[l].port: 65536 is not in 0..65535"));
  EXPECT_THAT(Wrong([](Document& d) { Connector(d).set_port(0); }),
              ElementsAre("connectors[c].port: 0 is not in 1..65535"));
  EXPECT_THAT(Wrong([](Document& d) { Listener(d).set_max_frame_size(512); }), IsEmpty());
  EXPECT_THAT(Wrong([](Document& d) { Listener(d).set_max_frame_size(511); }),
              ElementsAre("listeners[l].max_frame_size: 511 is not in 512..1048576"));
  EXPECT_THAT(Wrong([](Document& d) { Listener(d).set_max_frame_size(1048577); }),
              ElementsAre("listeners[l].max_frame_size: 1048577 is not in 512..1048576"));
  EXPECT_THAT(Wrong([](Document& d) { Listener(d).set_link_capacity(0); }),
              ElementsAre("listeners[l].link_capacity: 0 is not in 1..1000000"));
  EXPECT_THAT(Wrong([](Document& d) { Listener(d).set_max_links(0); }),
              ElementsAre("listeners[l].max_links: 0 is not in 1..1000000"));
  EXPECT_THAT(Wrong([](Document& d) { Listener(d).set_max_links(1000001); }),
              ElementsAre("listeners[l].max_links: 1000001 is not in 1..1000000"));
  EXPECT_THAT(Wrong([](Document& d) { Listener(d).set_max_unopened_per_address(1000001); }),
              ElementsAre("listeners[l].max_unopened_per_address: 1000001 is not in 0..1000000"));
  EXPECT_THAT(Wrong([](Document& d) { Listener(d).set_max_sessions(32769); }),
              ElementsAre("listeners[l].max_sessions: 32769 is not in 1..32768"));
  EXPECT_THAT(Wrong([](Document& d) { Listener(d).mutable_idle_timeout()->set_seconds(-1); }),
              ElementsAre("listeners[l].idle_timeout: -1s is not in 0s..24h"));
  EXPECT_THAT(Wrong([](Document& d) { Listener(d).mutable_idle_timeout()->set_seconds(86400); }),
              IsEmpty());
  EXPECT_THAT(Wrong([](Document& d) { d.router.set_id(std::string(127, 'x')); }), IsEmpty());
  EXPECT_THAT(Wrong([](Document& d) { d.router.set_id(std::string(128, 'x')); }),
              ElementsAre("router.id: 128 bytes are more than 127"));
}

TEST(Validate, ChecksTheRouter) {
  EXPECT_THAT(Wrong([](Document& d) { d.router.set_id("a b"); }),
              ElementsAre("router.id: must not hold blanks"));
  EXPECT_THAT(Wrong([](Document& d) { d.router.set_id("a\x01"); }),
              ElementsAre("router.id: holds a control character"));
  EXPECT_THAT(Wrong([](Document& d) {
                d.router.set_default_distribution(static_cast<v1::Distribution>(77));
              }),
              ElementsAre("router.default_distribution: 77 is no value of Distribution"));
}

TEST(Validate, ChecksLogLevels) {
  EXPECT_THAT(
      Wrong([](Document& d) { (*d.log.mutable_levels())["net"] = v1::LOG_LEVEL_UNSPECIFIED; }),
      ElementsAre("log.levels.net: 0 is no value of LogLevel"));
  EXPECT_THAT(Wrong([](Document& d) { (*d.log.mutable_levels())["x"] = v1::LOG_LEVEL_INFO; }),
              ElementsAre("log.levels.x: is not one of default, log, amqp, tls, core, mesh, conn, "
                          "net, router, config, control, daemon"));
}

TEST(Validate, ChecksNames) {
  const auto named = [](const std::string& id) {
    return Wrong([&](Document& d) {
      d.listeners[id] = d.listeners["l"];
      d.listeners[id].set_name("listeners/" + id);
      d.listeners[id].mutable_spec()->set_port(1);
    });
  };
  EXPECT_THAT(named(std::string(63, 'x')), IsEmpty());
  EXPECT_THAT(named("a.b-c"), IsEmpty());
  for (const char* bad : {"-a", "a-", "A", "a b", "a/b", "", "a_b"}) {
    EXPECT_EQ(named(bad).size(), 1u) << bad;
  }
  EXPECT_EQ(named(std::string(64, 'x')).size(), 1u);
  EXPECT_THAT(Wrong([](Document& d) { d.listeners["l"].set_name("listeners/m"); }),
              ElementsAre("listeners[l].name: \"listeners/m\" is not \"listeners/l\""));
}

TEST(Validate, ChecksTlsOfListeners) {
  EXPECT_THAT(Wrong([](Document& d) { Listener(d).set_tls_profile("tlsProfiles/tt"); }),
              ElementsAre("listeners[l].tls_profile: there is no TLS profile \"tt\"; did you mean "
                          "\"t\"?"));
  EXPECT_THAT(Wrong([](Document& d) { Listener(d).set_tls_profile("listeners/t"); }),
              ElementsAre(::testing::StartsWith("listeners[l].tls_profile: there is no TLS")));
  EXPECT_THAT(Wrong([](Document& d) {
                Profile(d).clear_certificate_file();
                Profile(d).clear_private_key_file();
              }),
              ElementsAre("listeners[l].tls_profile: the profile has no certificate_file, which a "
                          "listener needs"));
  EXPECT_THAT(Wrong([](Document& d) {
                Listener(d).clear_tls_profile();
                Listener(d).set_tls_client_auth(v1::TLS_CLIENT_AUTH_REQUEST);
              }),
              ElementsAre("listeners[l].tls_client_auth: needs a tls_profile"));
  EXPECT_THAT(Wrong([](Document& d) {
                d.connectors.clear();
                Profile(d).clear_ca_file();
                Listener(d).set_tls_client_auth(v1::TLS_CLIENT_AUTH_REQUIRE);
              }),
              ElementsAre("listeners[l].tls_client_auth: the TLS profile has no ca_file to verify "
                          "clients with"));
}

TEST(Validate, ChecksMechanisms) {
  EXPECT_THAT(Wrong([](Document& d) { Listener(d).add_sasl_mechanisms("EXTERNAL"); }),
              ElementsAre("listeners[l].sasl_mechanisms[0]: EXTERNAL needs a tls_profile and "
                          "tls_client_auth request or require"));
  EXPECT_THAT(Wrong([](Document& d) { Listener(d).add_sasl_mechanisms("PLAIN"); }),
              ElementsAre("listeners[l].sasl_mechanisms[0]: PLAIN needs a user_store"));
  EXPECT_THAT(Wrong([](Document& d) { Listener(d).add_sasl_mechanisms("SCRAM-SHA-257"); }),
              ElementsAre("listeners[l].sasl_mechanisms[0]: \"SCRAM-SHA-257\" is not one of "
                          "ANONYMOUS, EXTERNAL, SCRAM-SHA-512, SCRAM-SHA-384, SCRAM-SHA-256, "
                          "SCRAM-SHA-224, SCRAM-SHA-1, DIGEST-MD5, CRAM-MD5, PLAIN, LOGIN, GSSAPI; "
                          "did you mean \"SCRAM-SHA-256\"?"));
  EXPECT_THAT(Wrong([](Document& d) {
                Connector(d).add_sasl_mechanisms("ANONYMOUS");
                Connector(d).add_sasl_mechanisms("ANONYMOUS");
              }),
              ElementsAre("connectors[c].sasl_mechanisms[1]: \"ANONYMOUS\" is there twice"));
  EXPECT_THAT(Wrong([](Document& d) { Connector(d).add_sasl_mechanisms("EXTERNAL"); }), IsEmpty());
  EXPECT_THAT(Wrong([](Document& d) {
                Connector(d).clear_tls_profile();
                Connector(d).add_sasl_mechanisms("EXTERNAL");
              }),
              ElementsAre("connectors[c].sasl_mechanisms[0]: EXTERNAL needs a tls_profile with a "
                          "certificate_file"));
}

TEST(Validate, LetsKerberosStandAlone) {
  EXPECT_THAT(Wrong([](Document& d) {
                Listener(d).clear_tls_profile();
                Listener(d).add_sasl_mechanisms("GSSAPI");
                Listener(d).set_require_sasl(true);
                Connector(d).add_sasl_mechanisms("GSSAPI");
              }),
              IsEmpty());
  const std::string objection =
      "GSS-SPNEGO is not spoken: a client with a ticket could end the router by an assertion of "
      "libsasl2's plugin; GSSAPI is Kerberos without that";
  EXPECT_THAT(Wrong([](Document& d) {
                Listener(d).add_sasl_mechanisms("GSS-SPNEGO");
                Connector(d).add_sasl_mechanisms("GSS-SPNEGO");
              }),
              ElementsAre("listeners[l].sasl_mechanisms[0]: " + objection,
                          "connectors[c].sasl_mechanisms[0]: " + objection));
}

// Users in a directory, and a listener for them.
v1::ListenerSpec& ListenerWithUsers(Document& d) {
  v1::UserStore& store = d.user_stores["u"];
  store.set_name("userStores/u");
  store.mutable_spec()->set_directory("users");
  Listener(d).set_user_store("userStores/u");
  return Listener(d);
}

TEST(Validate, ChecksWhatPasswordsNeed) {
  EXPECT_THAT(Wrong([](Document& d) { ListenerWithUsers(d).set_require_sasl(true); }), IsEmpty());
  EXPECT_THAT(Wrong([](Document& d) {
                ListenerWithUsers(d).clear_tls_profile();
                Listener(d).add_sasl_mechanisms("SCRAM-SHA-256");
                Listener(d).add_sasl_mechanisms("PLAIN");
              }),
              ElementsAre("listeners[l].sasl_mechanisms[1]: PLAIN needs a tls_profile, or "
                          "allow_insecure_plain: true"));
  EXPECT_THAT(Wrong([](Document& d) {
                ListenerWithUsers(d).clear_tls_profile();
                Listener(d).add_sasl_mechanisms("PLAIN");
                Listener(d).set_allow_insecure_plain(true);
              }),
              IsEmpty());
  EXPECT_THAT(Wrong([](Document& d) { ListenerWithUsers(d).set_user_store("userStores/v"); }),
              ElementsAre("listeners[l].user_store: there is no user store \"v\""));
  EXPECT_THAT(Wrong([](Document& d) { Listener(d).set_allow_insecure_plain(true); }),
              ElementsAre("listeners[l].allow_insecure_plain: needs a user_store"));
  EXPECT_THAT(Wrong([](Document& d) { Connector(d).set_sasl_user("me"); }),
              ElementsAre("connectors[c].sasl_user: needs sasl_password_file"));
  EXPECT_THAT(Wrong([](Document& d) { Connector(d).set_sasl_password_file("pw"); }),
              ElementsAre("connectors[c].sasl_password_file: needs sasl_user"));
  EXPECT_THAT(Wrong([](Document& d) { Connector(d).add_sasl_mechanisms("SCRAM-SHA-1"); }),
              ElementsAre("connectors[c].sasl_mechanisms[0]: SCRAM-SHA-1 needs sasl_user and "
                          "sasl_password_file"));
}

TEST(Validate, ChecksUserStores) {
  const std::string one = "exactly one of directory, sasldb_file and built_in must be set";
  EXPECT_THAT(Wrong([](Document& d) {
                ListenerWithUsers(d);
                d.user_stores["u"].mutable_spec()->set_sasldb_file("db");
              }),
              ElementsAre("user_stores[u].sasldb_file: " + one));
  EXPECT_THAT(Wrong([](Document& d) {
                ListenerWithUsers(d);
                d.user_stores["u"].mutable_spec()->clear_directory();
              }),
              ElementsAre("user_stores[u]: " + one));
  EXPECT_THAT(Wrong([](Document& d) {
                ListenerWithUsers(d);
                d.user_stores["u"].mutable_spec()->set_realm("a@b");
              }),
              ElementsAre("user_stores[u].realm: must not hold blanks or \"@\""));
  EXPECT_THAT(Wrong([](Document& d) {
                ListenerWithUsers(d);
                d.user_stores["u"].mutable_spec()->set_built_in(true);
              }),
              ElementsAre("user_stores[u].built_in: " + one));
}

TEST(Validate, KnowsThatABuiltInStoreHasNoPasswords) {
  const auto offering = [](const std::string& mechanism) {
    return Wrong([&](Document& d) {
      ListenerWithUsers(d).add_sasl_mechanisms(mechanism);
      d.user_stores["u"].mutable_spec()->clear_directory();
      d.user_stores["u"].mutable_spec()->set_built_in(true);
    });
  };
  EXPECT_THAT(offering("SCRAM-SHA-512"), IsEmpty());
  EXPECT_THAT(offering("PLAIN"), IsEmpty());
  EXPECT_THAT(offering("CRAM-MD5"),
              ElementsAre("listeners[l].sasl_mechanisms[0]: CRAM-MD5 needs the passwords, and a "
                          "built-in user store keeps none"));
}

TEST(Validate, LetsOneOfTwoListenersOnAPortBeSwitchedOff) {
  const auto two = [](bool enabled) {
    return Wrong([&](Document& d) {
      for (const char* id : {"l", "m"}) {
        d.listeners[id].set_name(std::string("listeners/") + id);
        d.listeners[id].mutable_spec()->clear_tls_profile();
        d.listeners[id].mutable_spec()->set_port(7777);
      }
      d.listeners["m"].mutable_spec()->set_enabled(enabled);
    });
  };
  EXPECT_THAT(two(false), IsEmpty());
  EXPECT_THAT(two(true),
              ElementsAre("listeners[m].port: 7777 of this host is used by listener \"l\""));
}

TEST(Validate, RefusesToRequireWhatNobodyCanDo) {
  const std::string refused =
      "listeners[l].require_sasl: nobody could authenticate: it needs a user_store, or EXTERNAL, "
      "so a tls_profile and tls_client_auth, or GSSAPI";
  EXPECT_THAT(Wrong([](Document& d) { Listener(d).set_require_sasl(true); }), ElementsAre(refused));
  EXPECT_THAT(Wrong([](Document& d) {
                Listener(d).set_require_sasl(true);
                Listener(d).set_tls_client_auth(v1::TLS_CLIENT_AUTH_REQUIRE);
                Listener(d).add_sasl_mechanisms("ANONYMOUS");
              }),
              ElementsAre(refused));
  EXPECT_THAT(Wrong([](Document& d) {
                Listener(d).set_require_sasl(true);
                Listener(d).set_tls_client_auth(v1::TLS_CLIENT_AUTH_REQUIRE);
              }),
              IsEmpty());
}

TEST(Validate, ChecksWhereMetricsAreServed) {
  const auto metrics = [](const std::string& host, uint32_t port, bool enabled = true) {
    return Wrong([&](Document& d) {
      d.listeners["l"].mutable_spec()->set_host("127.0.0.1");
      d.metrics.emplace().set_host(host);
      d.metrics->set_port(port);
      d.metrics->set_enabled(enabled);
    });
  };
  EXPECT_THAT(metrics("", 9090), IsEmpty());
  EXPECT_THAT(metrics("::1", 65535), IsEmpty());
  EXPECT_THAT(metrics("", 65536), ElementsAre("metrics.port: 65536 is not in 0..65535"));
  EXPECT_THAT(metrics("localhost:9090", 1),
              ElementsAre("metrics.host: \"localhost:9090\" is no name or address; the port is a "
                          "field of its own"));
  EXPECT_THAT(metrics("127.0.0.1", 5672),
              ElementsAre("metrics.port: 5672 of this host is used by listener \"l\""));
  EXPECT_THAT(metrics("127.0.0.1", 5672, false), IsEmpty());
  EXPECT_THAT(Wrong([](Document& d) {
                d.listeners["l"].mutable_spec()->clear_host();
                d.metrics.emplace().set_host("::");
                d.metrics->set_port(5672);
              }),
              ElementsAre("metrics.port: 5672 of this host is used by listener \"l\""));
}

TEST(Validate, ChecksHowMetricsAreServed) {
  const auto metrics = [](const std::string& profile, v1::TlsClientAuth client_auth) {
    return Wrong([&](Document& d) {
      d.tls_profiles["bare"].set_name("tlsProfiles/bare");
      auto& alone = *d.tls_profiles["alone"].mutable_spec();
      d.tls_profiles["alone"].set_name("tlsProfiles/alone");
      alone.set_certificate_file("/c");
      alone.set_private_key_file("/k");
      d.metrics.emplace().set_tls_profile(profile);
      d.metrics->set_tls_client_auth(client_auth);
    });
  };
  constexpr auto kNone = v1::TLS_CLIENT_AUTH_NONE;
  constexpr auto kRequest = v1::TLS_CLIENT_AUTH_REQUEST;
  EXPECT_THAT(metrics("tlsProfiles/alone", kNone), IsEmpty());
  EXPECT_THAT(metrics("tlsProfiles/other", kNone),
              ElementsAre("metrics.tls_profile: there is no TLS profile \"other\""));
  EXPECT_THAT(metrics("tlsProfiles/bare", kNone),
              ElementsAre("metrics.tls_profile: the profile has no certificate_file, which a "
                          "listener needs"));
  EXPECT_THAT(metrics("", kRequest), ElementsAre("metrics.tls_client_auth: needs a tls_profile"));
  EXPECT_THAT(metrics("tlsProfiles/alone", kRequest),
              ElementsAre("metrics.tls_client_auth: the TLS profile has no ca_file to verify "
                          "clients with"));
}

TEST(Validate, ChecksThatListenersAreApart) {
  const auto second = [](const std::string& host, uint32_t port) {
    return Wrong([&](Document& d) {
      d.listeners["m"].set_name("listeners/m");
      d.listeners["m"].mutable_spec()->set_host(host);
      if (port != 5672) d.listeners["m"].mutable_spec()->set_port(port);
    });
  };
  EXPECT_THAT(second("", 5672),
              ElementsAre("listeners[m].port: 5672 of this host is used by listener \"l\""));
  EXPECT_THAT(second("", 5673), IsEmpty());
  EXPECT_THAT(second("127.0.0.1", 5672), IsEmpty());
  EXPECT_THAT(Wrong([](Document& d) {
                Listener(d).set_port(0);
                d.listeners["m"].set_name("listeners/m");
                d.listeners["m"].mutable_spec()->set_port(0);
              }),
              IsEmpty());
}

TEST(Validate, ChecksConnectors) {
  EXPECT_THAT(Wrong([](Document& d) { Connector(d).clear_host(); }),
              ElementsAre("connectors[c].host: is required"));
  EXPECT_THAT(Wrong([](Document& d) { Connector(d).add_failover(":1"); }),
              ElementsAre("connectors[c].failover[0]: \":1\" is not host, host:port or "
                          "[ipv6]:port"));
  EXPECT_THAT(Wrong([](Document& d) {
                for (int i = 0; i < 65; ++i) Connector(d).add_failover("h");
              }),
              ElementsAre("connectors[c].failover: 65 entries are more than 64"));
  EXPECT_THAT(Wrong([](Document& d) {
                Connector(d).clear_tls_profile();
                Connector(d).set_verify_hostname(false);
                Connector(d).set_server_name("s");
              }),
              ElementsAre("connectors[c].verify_hostname: needs a tls_profile",
                          "connectors[c].server_name: needs a tls_profile"));
  // Then the authorities of the system are asked.
  EXPECT_THAT(Wrong([](Document& d) { Profile(d).clear_ca_file(); }), IsEmpty());
  EXPECT_THAT(
      Wrong([](Document& d) { Connector(d).mutable_backoff()->mutable_failed()->set_nanos(1); }),
      ElementsAre("connectors[c].backoff.failed: 0s is not in 10ms..1h"));
}

TEST(Validate, ChecksTlsProfiles) {
  EXPECT_THAT(Wrong([](Document& d) { Profile(d).clear_private_key_file(); }),
              ElementsAre("tls_profiles[t].certificate_file: needs private_key_file"));
  EXPECT_THAT(Wrong([](Document& d) {
                d.listeners.clear();
                Profile(d).clear_certificate_file();
              }),
              ElementsAre("tls_profiles[t].private_key_file: needs certificate_file"));
  EXPECT_THAT(Wrong([](Document& d) {
                d.connectors.clear();
                Profile(d).clear_ca_file();
                Profile(d).set_crl_file("x");
              }),
              ElementsAre("tls_profiles[t].crl_file: needs ca_file"));
  EXPECT_THAT(Wrong([](Document& d) {
                d.listeners.clear();
                Profile(d).clear_certificate_file();
                Profile(d).clear_private_key_file();
                Profile(d).set_password_file("x");
              }),
              ElementsAre("tls_profiles[t].password_file: needs private_key_file"));
  EXPECT_THAT(Wrong([](Document& d) { Profile(d).set_uid_format("cn6"); }),
              ElementsAre("tls_profiles[t].uid_format: \"6\" is none of c, s, l, o, u, n, 1, 2, "
                          "5"));
  EXPECT_THAT(Wrong([](Document& d) { Profile(d).set_uid_format("csloun125"); }), IsEmpty());
}

TEST(Validate, ChecksTlsVersions) {
  EXPECT_THAT(Wrong([](Document& d) {
                Profile(d).set_protocols_min(v1::TLS_VERSION_TLS13);
                Profile(d).set_protocols_max(v1::TLS_VERSION_TLS12);
              }),
              ElementsAre("tls_profiles[t].protocols_min: tls13 is newer than protocols_max "
                          "tls12"));
  EXPECT_THAT(Wrong([](Document& d) {
                Profile(d).set_protocols_min(v1::TLS_VERSION_TLS13);
                Profile(d).set_ciphers("x");
              }),
              ElementsAre("tls_profiles[t].ciphers: are for TLS 1.2, which protocols_min excludes; "
                          "see cipher_suites"));
  EXPECT_THAT(Wrong([](Document& d) {
                Profile(d).set_protocols_max(v1::TLS_VERSION_TLS12);
                Profile(d).set_cipher_suites("x");
              }),
              ElementsAre("tls_profiles[t].cipher_suites: are for TLS 1.3, which protocols_max "
                          "excludes; see ciphers"));
}

TEST(Validate, ChecksAddresses) {
  EXPECT_THAT(Wrong([](Document& d) { Address(d).clear_prefix(); }),
              ElementsAre("addresses[a]: exactly one of prefix and pattern must be set"));
  EXPECT_THAT(Wrong([](Document& d) { Address(d).set_pattern("b"); }),
              ElementsAre("addresses[a].pattern: exactly one of prefix and pattern must be set"));
  EXPECT_THAT(Wrong([](Document& d) { Address(d).set_prefix("a.*.b"); }),
              ElementsAre("addresses[a].prefix: \"*\" has no meaning in a prefix; use pattern"));
  EXPECT_THAT(Wrong([](Document& d) { Address(d).set_prefix("a*/b#"); }), IsEmpty());
  EXPECT_THAT(Wrong([](Document& d) { Address(d).set_prefix("/./"); }),
              ElementsAre("addresses[a].prefix: holds separators only"));
  EXPECT_THAT(Wrong([](Document& d) {
                Address(d).set_waypoint(true);
                Address(d).set_egress_phase(0);
              }),
              ElementsAre("addresses[a].egress_phase: cannot be set together with waypoint"));
  EXPECT_THAT(Wrong([](Document& d) {
                Address(d).set_waypoint(true);
                Address(d).set_enable_fallback(true);
              }),
              ElementsAre("addresses[a].enable_fallback: cannot be set together with waypoint"));
  EXPECT_THAT(Wrong([](Document& d) {
                Address(d).set_ingress_phase(1);
                Address(d).set_enable_fallback(true);
              }),
              ElementsAre("addresses[a].enable_fallback: cannot be set together with a phase other "
                          "than 0"));
  EXPECT_THAT(Wrong([](Document& d) { Address(d).set_priority(10); }),
              ElementsAre("addresses[a].priority: 10 is not in 0..9"));
}

TEST(Validate, BoundsTheTokensOfAPattern) {
  const auto pattern = [](size_t tokens) {
    return Wrong([&](Document& d) {
      std::string text = "x";
      for (size_t i = 1; i < tokens; ++i) text += "/x";
      Address(d).clear_prefix();
      Address(d).set_pattern(text);
    });
  };
  EXPECT_THAT(pattern(128), IsEmpty());
  EXPECT_THAT(pattern(129), ElementsAre("addresses[a].pattern: has more than 128 tokens"));
}

TEST(Validate, BlamesTheYoungerOfTwoThatCannotStandSideBySide) {
  const auto problems = [](int64_t seconds) {
    Document document;
    for (const char* id : {"a", "b"}) {
      document.listeners[id].set_name(std::string("listeners/") + id);
      document.addresses[id].set_name(std::string("addresses/") + id);
      document.addresses[id].mutable_spec()->set_prefix("x");
    }
    document.listeners["a"].mutable_update_time()->set_seconds(seconds);
    document.listeners["b"].mutable_update_time()->set_seconds(100);
    document.addresses["a"].mutable_update_time()->set_seconds(seconds);
    document.addresses["b"].mutable_update_time()->set_seconds(100);
    std::vector<std::string> found;
    for (const Problem& each : Validate(document)) found.push_back(each.path + " " + each.reason);
    return found;
  };
  EXPECT_THAT(problems(99),
              ElementsAre("listeners[b].port PORT_IN_USE", "addresses[b].prefix PATTERN_IN_USE"));
  EXPECT_THAT(problems(100),
              ElementsAre("listeners[b].port PORT_IN_USE", "addresses[b].prefix PATTERN_IN_USE"));
  EXPECT_THAT(problems(101),
              ElementsAre("listeners[a].port PORT_IN_USE", "addresses[a].prefix PATTERN_IN_USE"));
}

TEST(Validate, ChecksThatPatternsAreApart) {
  const auto second = [](const std::string& pattern) {
    return Wrong([&](Document& d) {
      d.addresses["b"].set_name("addresses/b");
      d.addresses["b"].mutable_spec()->set_pattern(pattern);
    });
  };
  for (const char* same : {"a/#", "a.#", "/a/#", "a/#/#", "a/#//", "a/#/./"}) {
    EXPECT_THAT(second(same),
                ElementsAre("addresses[b].pattern: matches the same as address \"a\""))
        << same;
  }
  for (const char* other : {"a", "a/*", "a/#/b", "a/*/#", "A/#", "a//#"}) {
    EXPECT_THAT(second(other), IsEmpty()) << other;
  }
}

TEST(NormalPattern, PutsHashBehindStars) {
  const auto normal = [](const std::string& pattern) {
    v1::AddressSpec spec;
    spec.set_pattern(pattern);
    return NormalPattern(spec);
  };
  EXPECT_EQ(normal("a.#.*.b"), "a/*/#/b");
  EXPECT_EQ(normal("#.#"), "#");
  EXPECT_EQ(normal("#/*/#/*"), "*/*/#");
  EXPECT_EQ(normal("/a.b/"), "a/b");
}

TEST(DerivedIds, AreReversibleAndApart) {
  EXPECT_EQ(DeriveId("news"), "news");
  EXPECT_EQ(DeriveId("a/b"), "q-a-2fb");
  EXPECT_EQ(DeriveId("q-a"), "q-q-2da");
  EXPECT_EQ(DeriveId("A"), "q--41");
  EXPECT_EQ(DeriveId("€"), "q--e2-82-ac");
}

}  // namespace
}  // namespace trunkline::config
