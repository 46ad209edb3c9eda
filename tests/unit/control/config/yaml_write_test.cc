#include "control/config/yaml_write.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "control/config/collection.h"
#include "control/config/file_source.h"
#include "google/protobuf/util/message_differencer.h"
#include "google/protobuf/wrappers.pb.h"
#include "proto/trunkline/control/v1/connection_service.pb.h"
#include "proto/trunkline/control/v1/router_service.pb.h"
#include "proto/trunkline/control/v1/stats_service.pb.h"

namespace trunkline::config {
namespace {

using google::protobuf::util::MessageDifferencer;

Document Parse(const std::string& yaml, const std::string& file = "/etc/trunkline.yaml") {
  auto parsed = ParseDocument(yaml, file);
  EXPECT_TRUE(parsed.ok()) << parsed.status() << "\n" << yaml;
  return parsed.ok() ? std::move(parsed->document) : Document();
}

// What is written is read as the same.
void ExpectRoundTrip(const Document& document) {
  const std::string yaml = WriteYaml(document);
  const Document again = Parse(yaml);
  EXPECT_TRUE(MessageDifferencer::Equals(document.router, again.router)) << yaml;
  EXPECT_TRUE(MessageDifferencer::Equals(document.log, again.log)) << yaml;
  EXPECT_TRUE(MessageDifferencer::Equals(document.control, again.control)) << yaml;
  for (const Collection& collection : Collections()) {
    ASSERT_EQ(collection.Ids(document), collection.Ids(again)) << yaml;
    collection.ForEach(document, [&](const std::string& id, const auto& resource) {
      EXPECT_TRUE(MessageDifferencer::Equals(resource, *collection.Find(again, id))) << yaml;
    });
  }
}

TEST(YamlWrite, WritesWhatTheSamplesSay) {
  const std::filesystem::path samples =
      std::filesystem::path(__FILE__).parent_path() / "../../../../control/config/samples";
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(samples)) {
    if (entry.path().extension() != ".yaml") continue;
    const auto document = LoadDocument(std::filesystem::canonical(entry.path()).string());
    ASSERT_TRUE(document.ok()) << document.status();
    ExpectRoundTrip(document->document);
    ++count;
  }
  EXPECT_GE(count, 5);
}

TEST(YamlWrite, LooksAsPeopleWriteIt) {
  EXPECT_EQ(WriteYaml(Parse("router: {id: a, drain_timeout: 90s}\n"
                            "listeners:\n- {name: amqps, port: 5671, tls_profile: service,\n"
                            "   sasl_mechanisms: [ANONYMOUS], idle_timeout: 250ms}\n"
                            "tls_profiles: [{name: service, certificate_file: c.pem,\n"
                            "  private_key_file: k.pem}]\n")),
            "router:\n"
            "  id: a\n"
            "  drain_timeout: 1m30s\n"
            "listeners:\n"
            "- name: amqps\n"
            "  port: 5671\n"
            "  tls_profile: service\n"
            "  sasl_mechanisms:\n"
            "  - ANONYMOUS\n"
            "  idle_timeout: 250ms\n"
            "tls_profiles:\n"
            "- name: service\n"
            "  certificate_file: \"/etc/c.pem\"\n"
            "  private_key_file: \"/etc/k.pem\"\n");
}

TEST(YamlWrite, WritesWhatResourcesCarryAboutThemselves) {
  const std::string yaml =
      "addresses:\n"
      "- name: news\n"
      "  legacy_name: \"News of today\"\n"
      "  labels:\n"
      "    region: \"1\"\n"
      "    team: billing\n"
      "  prefix: news\n";
  const Document document = Parse(yaml);
  const v1::Address& address = document.addresses.at("news");
  EXPECT_EQ(address.legacy_name(), "News of today");
  EXPECT_EQ(address.labels().at("team"), "billing");
  EXPECT_EQ(address.spec().prefix(), "news");
  EXPECT_EQ(WriteYaml(document), yaml);
}

// Of messages that are no resources: what the API tells of a running router.
TEST(YamlWrite, WritesFieldsOfEveryType) {
  v1::Connection connection;
  connection.set_id(7);
  connection.set_state(v1::Connection::STATE_OPEN);
  connection.mutable_open_time()->set_seconds(1'700'000'000);
  connection.mutable_traffic()->set_sessions(1);
  (*connection.mutable_peer_open()->mutable_properties())["product"] = "proton";
  connection.mutable_peer_open()->mutable_idle_timeout()->set_seconds(90);
  EXPECT_EQ(WriteYaml(connection),
            "id: 7\n"
            "state: open\n"
            "open_time: \"2023-11-14T22:13:20Z\"\n"
            "traffic:\n"
            "  sessions: 1\n"
            "peer_open:\n"
            "  idle_timeout: 1m30s\n"
            "  properties:\n"
            "    product: proton\n");
  v1::Address address;
  address.set_generation(-3);
  EXPECT_EQ(WriteYaml(address), "generation: -3\n");
  v1::ValidateConfigResponse problems;
  problems.add_problems()->set_line(3);
  problems.add_problems();
  problems.mutable_problems(0)->set_field("router.id");
  EXPECT_EQ(WriteYaml(problems, 2),
            "  problems:\n"
            "  - line: 3\n"
            "    field: router.id\n"
            "  - {}\n");
  google::protobuf::FloatValue part;
  part.set_value(0.25);
  EXPECT_EQ(WriteYaml(part), "value: 0.25\n");
  google::protobuf::UInt64Value most;
  most.set_value(UINT64_MAX);
  EXPECT_EQ(WriteYaml(most), "value: 18446744073709551615\n");
  google::protobuf::BytesValue bytes;
  bytes.set_value("a\n");
  EXPECT_EQ(WriteYaml(bytes), "value: \"a\\x0a\"\n");
  google::protobuf::BoolValue flag;
  flag.set_value(true);
  EXPECT_EQ(WriteYaml(flag), "value: true\n");
  v1::WorkerRates rates;
  rates.set_busy(0.25);
  EXPECT_EQ(WriteYaml(rates), "busy: 0.25\n");
  rates.set_busy(1'048'576);
  EXPECT_EQ(WriteYaml(rates), "busy: 1048576\n");
  rates.set_busy(0.123456789);
  EXPECT_EQ(WriteYaml(rates), "busy: 0.123456789\n");
}

TEST(YamlWrite, QuotesWhatYamlWouldTakeForSomethingElse) {
  for (const std::string text :
       {"true", "No", "~",  "1",   "0x1", "- a", "a: b", "a #b", "\"",  "\\",
        "é",    "*x", "&a", "{a}", "%",   "@",   "a,b",  "null", "x'y", "-"}) {
    Document document;
    v1::Address& address = document.addresses["a"];
    address.set_name("addresses/a");
    address.mutable_spec()->set_prefix(text);
    ExpectRoundTrip(document);
  }
}

}  // namespace
}  // namespace trunkline::config
