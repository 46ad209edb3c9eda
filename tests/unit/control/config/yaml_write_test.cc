#include "control/config/yaml_write.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "control/config/collection.h"
#include "control/config/file_source.h"
#include "google/protobuf/util/message_differencer.h"

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
