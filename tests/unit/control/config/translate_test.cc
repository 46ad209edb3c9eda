#include "control/config/translate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/config/schema.h"
#include "control/config/yaml_proto.h"

namespace trunkline::config {
namespace {

// Sets every field of `message` that has a default value in its options to that value, by the way
// of the YAML reader.
void SetDefaults(google::protobuf::Message& message) {
  YamlNode map{.kind = YamlNode::Kind::kMap};
  const google::protobuf::Descriptor& type = *message.GetDescriptor();
  for (int i = 0; i < type.field_count(); ++i) {
    const auto* field = type.field(i);
    if (RulesOf(*field).default_value().empty()) continue;
    map.items.push_back({.kind = YamlNode::Kind::kScalar, .text = field->name()});
    map.items.push_back({.kind = YamlNode::Kind::kScalar, .text = RulesOf(*field).default_value()});
  }
  YamlReport report;
  ReadMessage(map, "", "", message, report);
  ASSERT_TRUE(report.problems.empty()) << FormatProblems("defaults", report.problems);
}

// The defaults that the protos tell are those of the router: what is absent and what is written out
// are the same.
TEST(Defaults, OfListenersAreTheRouters) {
  v1::Listener written;
  SetDefaults(*written.mutable_spec());
  EXPECT_TRUE(written.spec().has_port());
  EXPECT_TRUE(ToSpec(written) == ListenerSpec());
  EXPECT_TRUE(ToSpec(v1::Listener()) == ListenerSpec());
}

TEST(Defaults, OfMetricsAreThoseOfNoField) {
  v1::MetricsSpec written;
  SetDefaults(written);
  EXPECT_EQ(written.port(), 9090u);
  EXPECT_EQ(ToPlace(written), ToPlace(v1::MetricsSpec()));
  EXPECT_TRUE(ToPlace(written).enabled);
}

TEST(ToPlace, ServesNoMetricsUnlessThereIsASection) {
  EXPECT_FALSE(ToPlace(std::nullopt).enabled);
  v1::MetricsSpec off;
  off.set_enabled(false);
  EXPECT_FALSE(ToPlace(off).enabled);
  v1::MetricsSpec any;
  any.set_host("::");
  any.set_port(0);
  EXPECT_EQ(ToPlace(any), (MetricsPlace{.enabled = true, .host = "::", .port = 0}));
  any.set_serve_metrics(false);
  any.set_serve_probes(false);
  any.set_legacy(v1::LEGACY_METRICS_NONE);
  EXPECT_FALSE(ToPlace(any).qdr_names);
  any.set_legacy(v1::LEGACY_METRICS_QDR);
  any.set_tls_profile("tlsProfiles/service");
  any.set_tls_client_auth(v1::TLS_CLIENT_AUTH_REQUIRE);
  EXPECT_EQ(ToPlace(any), (MetricsPlace{.enabled = true,
                                        .host = "::",
                                        .port = 0,
                                        .metrics = false,
                                        .probes = false,
                                        .qdr_names = true,
                                        .tls_profile = "service",
                                        .client_auth = TlsClientAuth::kRequire}));
}

TEST(Defaults, OfConnectorsAreTheRouters) {
  v1::Connector written;
  SetDefaults(*written.mutable_spec());
  SetDefaults(*written.mutable_spec()->mutable_backoff());
  EXPECT_TRUE(written.spec().backoff().has_failed());
  EXPECT_TRUE(ToSpec(written, {}) == ConnectorSpec());
  EXPECT_TRUE(ToSpec(v1::Connector(), {}) == ConnectorSpec());
}

TEST(Defaults, OfAddressesAreTheRouters) {
  v1::Address written;
  SetDefaults(*written.mutable_spec());
  EXPECT_TRUE(ToSpec(written) == AddressSpec());
}

TEST(Defaults, OfTheRouterAreTheRouters) {
  v1::RouterSpec written;
  SetDefaults(written);
  RouterSpec expected;
  expected.id = "host";
  expected.version = "1";
  EXPECT_TRUE(ToSpec(written, {.host_name = "host", .version = "1"}) == expected);
  EXPECT_EQ(DrainTimeout(written), DrainTimeout(v1::RouterSpec()));
  EXPECT_EQ(DrainTimeout(written), Seconds(30));
}

TEST(Defaults, OfTlsAreTheRouters) {
  v1::TlsProfileSpec written;
  SetDefaults(written);
  EXPECT_EQ(ToContextOptions(written).min_version, tls::ContextOptions().min_version);
  EXPECT_EQ(ToContextOptions(written).max_version, tls::ContextOptions().max_version);
}

TEST(Translate, TakesOverEveryFieldOfAListener) {
  v1::Listener listener;
  listener.set_name("listeners/a");
  v1::ListenerSpec& proto = *listener.mutable_spec();
  proto.set_host("h");
  proto.set_port(0);
  proto.set_socket_family(v1::SOCKET_FAMILY_IPV6);
  proto.set_role(v1::ROLE_ROUTE_CONTAINER);
  proto.set_tls_profile("tlsProfiles/p");
  proto.set_tls_client_auth(v1::TLS_CLIENT_AUTH_REQUIRE);
  proto.add_sasl_mechanisms("EXTERNAL");
  proto.set_require_sasl(true);
  proto.mutable_idle_timeout();
  proto.mutable_initial_handshake_timeout()->set_seconds(1);
  proto.set_max_frame_size(512);
  proto.set_max_sessions(32768);
  proto.set_max_links(5);
  proto.set_link_capacity(7);
  proto.set_strip_annotations(v1::STRIP_ANNOTATIONS_OUT);
  proto.set_max_connections(8);
  proto.set_max_unopened_per_address(6);
  proto.set_user_store("userStores/u");
  proto.set_allow_insecure_plain(true);
  proto.set_max_message_size(9);

  ListenerSpec expected{.name = "a",
                        .host = "h",
                        .port = 0,
                        .socket_family = SocketFamily::kIpv6,
                        .tls_client_auth = TlsClientAuth::kRequire,
                        .require_tls = true,
                        .require_sasl = true,
                        .user_store = "u",
                        .max_connections = 8,
                        .max_unopened_per_address = 6};
  expected.connection.role = Role::kRouteContainer;
  expected.connection.tls_profile = "p";
  expected.connection.sasl_mechanisms = {"EXTERNAL"};
  expected.connection.allow_insecure_plain = true;
  expected.connection.idle_timeout = Duration{};
  expected.connection.handshake_timeout = Seconds(1);
  expected.connection.max_frame_size = 512;
  expected.connection.max_sessions = 32768;
  expected.connection.max_links = 5;
  expected.connection.link_capacity = 7;
  expected.connection.strip_annotations = StripAnnotations::kOut;
  expected.connection.max_message_size = 9;
  EXPECT_TRUE(ToSpec(listener) == expected);
}

TEST(Translate, TakesOverEveryFieldOfAConnector) {
  v1::Connector connector;
  connector.set_name("connectors/c");
  v1::ConnectorSpec& proto = *connector.mutable_spec();
  proto.set_host("h");
  proto.set_port(1);
  proto.add_failover("[::1]:2");
  proto.add_failover("b");
  proto.set_verify_hostname(false);
  proto.set_server_name("s");
  proto.set_sasl_user("me");
  proto.mutable_connect_timeout()->set_seconds(3);
  proto.mutable_backoff()->mutable_failed()->set_seconds(4);
  proto.mutable_backoff()->mutable_closed()->set_seconds(5);
  proto.mutable_backoff()->mutable_failover()->set_nanos(6'000'000);

  const ConnectorSpec expected{.name = "c",
                               .host = {"h", 1},
                               .failover = {{"::1", 2}, {"b", 5672}},
                               .verify_hostname = false,
                               .server_name = "s",
                               .sasl_user = "me",
                               .connect_timeout = Seconds(3),
                               .backoff_failed = Seconds(4),
                               .backoff_closed = Seconds(5),
                               .backoff_failover = Milliseconds(6)};
  EXPECT_TRUE(ToSpec(connector, {}) == expected);
}

TEST(Translate, LetsConnectorsLogInWithTheirCertificate) {
  Document document;
  v1::Connector connector;
  connector.mutable_spec()->set_tls_profile("tlsProfiles/t");
  v1::TlsProfileSpec& profile = *document.tls_profiles["t"].mutable_spec();
  EXPECT_THAT(ToSpec(connector, document).connection.sasl_mechanisms, ::testing::IsEmpty());
  profile.set_certificate_file("c");
  EXPECT_THAT(ToSpec(connector, document).connection.sasl_mechanisms,
              ::testing::ElementsAre("EXTERNAL", "ANONYMOUS"));
  connector.mutable_spec()->set_sasl_user("me");
  EXPECT_THAT(ToSpec(connector, document).connection.sasl_mechanisms, ::testing::IsEmpty())
      << "who has a password is not to be anonymous";
  connector.mutable_spec()->add_sasl_mechanisms("ANONYMOUS");
  EXPECT_THAT(ToSpec(connector, document).connection.sasl_mechanisms,
              ::testing::ElementsAre("ANONYMOUS"));
}

TEST(Translate, TakesOverEveryFieldOfAnAddress) {
  v1::Address address;
  address.set_name("addresses/n");
  v1::AddressSpec& proto = *address.mutable_spec();
  proto.set_prefix("/a/b/");
  proto.set_distribution(v1::DISTRIBUTION_UNAVAILABLE);
  proto.set_ingress_phase(1);
  proto.set_egress_phase(2);
  proto.set_priority(0);
  proto.set_enable_fallback(true);
  proto.set_waypoint(true);
  const AddressSpec expected{.name = "n",
                             .prefix = "a/b",
                             .distribution = Distribution::kUnavailable,
                             .waypoint = true,
                             .ingress_phase = 1,
                             .egress_phase = 2,
                             .priority = 0,
                             .enable_fallback = true};
  EXPECT_TRUE(ToSpec(address) == expected);
}

TEST(Translate, KnowsEveryEnumValue) {
  v1::Address address;
  std::vector<Distribution> distributions;
  for (int i = 1; i < v1::Distribution_ARRAYSIZE; ++i) {
    address.mutable_spec()->set_distribution(static_cast<v1::Distribution>(i));
    distributions.push_back(ToSpec(address).distribution);
  }
  EXPECT_THAT(distributions,
              ::testing::ElementsAre(Distribution::kClosest, Distribution::kBalanced,
                                     Distribution::kMulticast, Distribution::kUnavailable));
  v1::Listener listener;
  std::vector<StripAnnotations> strips;
  for (int i = 1; i < v1::StripAnnotations_ARRAYSIZE; ++i) {
    listener.mutable_spec()->set_strip_annotations(static_cast<v1::StripAnnotations>(i));
    strips.push_back(ToSpec(listener).connection.strip_annotations);
  }
  EXPECT_THAT(strips, ::testing::ElementsAre(StripAnnotations::kBoth, StripAnnotations::kIn,
                                             StripAnnotations::kOut, StripAnnotations::kNone));
}

}  // namespace
}  // namespace trunkline::config
