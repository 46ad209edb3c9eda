// The same router in both formats, as the samples have it, is the same document.
#include <gtest/gtest.h>

#include <string>

#include "control/config/read_file.h"
#include "control/legacy/qdrouterd_conf.h"
#include "same_document.h"

namespace trunkline::legacy {
namespace {

// What the folder of samples has, wherever the configuration means it to be.
absl::StatusOr<std::string> ReadSample(const std::string& file) {
  const std::string installed = "/etc/trunkline/";
  const std::string name = file.starts_with(installed) ? file.substr(installed.size()) : file;
  return config::ReadFile(std::string(TRUNKLINE_SAMPLES "/") + name, 1 << 20);
}

TEST(Samples, AreTheSameRouterInBothFormats) {
  const auto conf = ReadSample("qdrouterd.conf");
  const auto yaml = ReadSample("from-dispatch.yaml");
  ASSERT_TRUE(conf.ok() && yaml.ok());
  const auto from_conf = ParseQdrouterdConf(*conf, "qdrouterd.conf", ReadSample);
  const auto from_yaml = config::ParseDocument(*yaml, "/etc/trunkline/from-dispatch.yaml");
  ASSERT_TRUE(from_conf.ok()) << from_conf.status();
  ASSERT_TRUE(from_yaml.ok()) << from_yaml.status();
  EXPECT_EQ(Difference(from_conf->document, from_yaml->document), "");
  EXPECT_EQ(from_conf->document.listeners.size(), 2u);
  EXPECT_EQ(from_conf->document.addresses.size(), 5u);
  EXPECT_TRUE(from_conf->warnings.empty()) << from_conf->warnings[0].text;
}

// A comparison that finds nothing proves nothing unless it can find something.
TEST(Samples, DifferWhereTheyAreMadeTo) {
  const auto yaml = ReadSample("from-dispatch.yaml");
  ASSERT_TRUE(yaml.ok());
  const auto document = config::ParseDocument(*yaml, "/f.yaml");
  ASSERT_TRUE(document.ok());
  config::Document other = document->document;
  EXPECT_EQ(Difference(document->document, other), "");
  other.listeners["amqps"].mutable_spec()->set_port(1);
  EXPECT_NE(Difference(document->document, other), "");
  other = document->document;
  other.addresses.erase("queue");
  EXPECT_NE(Difference(document->document, other), "");
  EXPECT_NE(Difference(other, document->document), "");
}

}  // namespace
}  // namespace trunkline::legacy
