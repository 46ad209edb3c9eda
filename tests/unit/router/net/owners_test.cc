#include "router/net/owners.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>

namespace trunkline::net {
namespace {

using conn::EndReason;
using conn::LifeStats;
using conn::Mechanism;
using conn::Stage;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

ListenerSpec ListenerOf(const std::string& name) {
  ListenerSpec spec;
  spec.name = name;
  return spec;
}

ConnectorSpec ConnectorOf(const std::string& name) {
  ConnectorSpec spec;
  spec.name = name;
  return spec;
}

uint64_t CountOf(const std::vector<NamedCount>& counts, std::string_view name) {
  const auto found = std::find_if(counts.begin(), counts.end(),
                                  [&](const NamedCount& one) { return one.name == name; });
  EXPECT_NE(found, counts.end()) << name;
  return found == counts.end() ? 0 : found->count;
}

std::vector<std::string> MechanismsOf(const OwnerMetrics& owner) {
  std::vector<std::string> names;
  for (const SaslCount& sasl : owner.sasl) names.emplace_back(sasl.mechanism);
  return names;
}

TEST(Owners, AddUpWhatTheWorkersCount) {
  Owners owners(2);
  owners.Put(ListenerOf("amqp"));
  for (core::ShardId worker : {0, 1}) {
    LifeStats& stats = *owners.StatsOf({true, "amqp"}, worker);
    stats.opened[true].Add(3);
    LifeStats::Count(stats.ended, EndReason::kIdleTimeout);
    LifeStats::Count(stats.failed, Stage::kSasl);
    LifeStats::Count(stats.tls_handshakes[true], tls::HandshakeResult::kUnknownCa);
    LifeStats::Count(stats.sasl_denied, Mechanism::kAnonymous);
    stats.probes.Add();
    stats.handshake_timeouts.Add();
  }
  owners.CountRefused("amqp", Refusal::kUnopened);
  const auto read = owners.Read();
  ASSERT_THAT(read, SizeIs(1));
  const OwnerMetrics& owner = read.front();
  EXPECT_EQ(owner.name, "amqp");
  EXPECT_TRUE(owner.inbound);
  EXPECT_EQ(owner.opened, 6u);
  EXPECT_EQ(CountOf(owner.closed, "idle_timeout"), 2u);
  EXPECT_EQ(CountOf(owner.closed, "peer"), 0u);
  EXPECT_EQ(CountOf(owner.failed, "sasl"), 2u);
  EXPECT_EQ(CountOf(owner.refused, "unopened"), 1u);
  EXPECT_EQ(CountOf(owner.tls_handshakes, "unknown_ca"), 2u);
  EXPECT_EQ(owner.sasl.front().denied, 2u);
  EXPECT_EQ(owner.probes, 2u);
  EXPECT_EQ(owner.handshake_timeouts, 2u);
}

TEST(Owners, AreApartWhereAListenerAndAConnectorHaveOneName) {
  Owners owners(1);
  owners.Put(ListenerOf("amqp"));
  owners.Put(ConnectorOf("amqp"));
  owners.StatsOf({true, "amqp"}, 0)->opened[true].Add(2);
  owners.StatsOf({false, "amqp"}, 0)->opened[false].Add(3);
  owners.CountUnreached("amqp");
  owners.CountRefused("amqp", Refusal::kUnopened);
  const auto read = owners.Read();
  ASSERT_THAT(read, SizeIs(2));
  EXPECT_EQ(read[0].opened, 3u);
  EXPECT_EQ(CountOf(read[0].failed, "tcp"), 1u);
  EXPECT_EQ(read[1].opened, 2u);
  EXPECT_EQ(CountOf(read[1].refused, "unopened"), 1u);
  owners.Remove({true, "amqp"});
  ASSERT_THAT(owners.Read(), SizeIs(1));
  EXPECT_FALSE(owners.Read().front().inbound);
}

TEST(Owners, TellConnectorsFromListeners) {
  Owners owners(1);
  owners.Put(ConnectorOf("broker"));
  owners.StatsOf({false, "broker"}, 0)->opened[false].Add();
  owners.StatsOf({false, "broker"}, 0)->opened[true].Add();
  owners.CountUnreached("broker");
  const OwnerMetrics owner = owners.Read().front();
  EXPECT_FALSE(owner.inbound);
  EXPECT_EQ(owner.opened, 1u);
  EXPECT_EQ(CountOf(owner.failed, "tcp"), 1u);
  EXPECT_THAT(owner.refused, IsEmpty());
}

TEST(Owners, GoOnCountingWhenTheyAreChanged) {
  Owners owners(1);
  owners.Put(ListenerOf("amqp"));
  const auto stats = owners.StatsOf({true, "amqp"}, 0);
  stats->opened[true].Add();
  ListenerSpec changed = ListenerOf("amqp");
  changed.connection.role = Role::kRouteContainer;
  owners.Put(changed);
  stats->opened[true].Add();
  EXPECT_EQ(owners.Read().front().opened, 2u);
  EXPECT_EQ(owners.Read().front().role, Role::kRouteContainer);
}

TEST(Owners, BeginAnewAfterTheyWereRemoved) {
  Owners owners(1);
  owners.Put(ListenerOf("amqp"));
  const auto stats = owners.StatsOf({true, "amqp"}, 0);
  owners.Remove({true, "amqp"});
  stats->opened[true].Add();  // a connection that lives on
  EXPECT_THAT(owners.Read(), IsEmpty());
  EXPECT_EQ(owners.StatsOf({true, "amqp"}, 0), nullptr);
  owners.CountRefused("amqp", Refusal::kUnopened);
  owners.Put(ConnectorOf("amqp"));
  EXPECT_EQ(owners.Read().front().opened, 0u);
}

TEST(Owners, ShowTheMechanismsThatThereCanBe) {
  Owners owners(1);
  const auto shown = [&](const ListenerSpec& spec) {
    owners.Remove({true, spec.name});
    owners.Put(spec);
    return MechanismsOf(owners.Read().front());
  };
  ListenerSpec spec = ListenerOf("amqp");
  EXPECT_THAT(shown(spec), ElementsAre("ANONYMOUS"));
  spec.require_sasl = true;
  spec.user_store = "users";
  EXPECT_THAT(shown(spec), ElementsAre("SCRAM-SHA-1", "SCRAM-SHA-256"));
  spec.connection.tls_profile = "service";
  spec.tls_client_auth = TlsClientAuth::kRequest;
  EXPECT_THAT(shown(spec), ElementsAre("EXTERNAL", "PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256"));
  spec.connection.sasl_mechanisms = {"PLAIN", "CRAM-MD5"};
  EXPECT_THAT(shown(spec), ElementsAre("PLAIN", "other"));
}

TEST(Owners, ShowAMechanismThatWasUsedAllTheSame) {
  Owners owners(1);
  owners.Put(ConnectorOf("broker"));
  EXPECT_THAT(MechanismsOf(owners.Read().front()), IsEmpty());
  LifeStats::Count(owners.StatsOf({false, "broker"}, 0)->sasl_error, Mechanism::kPlain);
  EXPECT_THAT(MechanismsOf(owners.Read().front()), ElementsAre("PLAIN"));
}

TEST(Owners, CanBeReadWhileTheyComeAndGo) {
  Owners owners(1);
  std::atomic<bool> done{false};
  std::thread reader([&] {
    while (!done) EXPECT_LE(owners.Read().size(), 10u);
  });
  for (int i = 0; i < 2000; ++i) {
    const std::string name = "l" + std::to_string(i % 10);
    owners.Put(ListenerOf(name));
    owners.StatsOf({true, name}, 0)->opened[true].Add();
    if (i % 3 == 0) owners.Remove({true, name});
  }
  done = true;
  reader.join();
}

}  // namespace
}  // namespace trunkline::net
