#include "control/api/filter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/config/collection.h"
#include "control/config/error_details.h"
#include "google/protobuf/text_format.h"
#include "proto/trunkline/control/v1/listener.pb.h"
#include "proto/trunkline/control/v1/tls.pb.h"

namespace trunkline::api {
namespace {

namespace v1 = control::v1;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

v1::Listener Amqps() {
  v1::Listener listener;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(
      R"pb(
        name: "listeners/amqps"
        generation: 3
        create_time { seconds: 1767268800 nanos: 500000000 }
        source: SOURCE_API
        labels { key: "team" value: "billing" }
        labels { key: "app.kubernetes.io/name" value: "say \"hi\"" }
        spec {
          host: "0.0.0.0"
          port: 5671
          tls_profile: "tlsProfiles/service"
          sasl_mechanisms: [ "EXTERNAL", "PLAIN" ]
          require_sasl: true
          idle_timeout { seconds: 90 }
          max_message_size: 1099511627776
        }
        status { state: STATE_LISTENING accepted_total: 17 })pb",
      &listener));
  return listener;
}

bool Matches(const std::string& text, const v1::Listener& listener = Amqps()) {
  const auto filter = Filter::Parse(text, *v1::Listener::descriptor());
  EXPECT_TRUE(filter.ok()) << text << ": " << filter.status();
  return filter.ok() && filter->Matches(listener);
}

// What is wrong with `text`.
std::string Wrong(const std::string& text) {
  const auto filter = Filter::Parse(text, *v1::Listener::descriptor());
  EXPECT_FALSE(filter.ok()) << text;
  if (filter.ok()) return "";
  EXPECT_EQ(config::ReasonOf(filter.status()), "INVALID_FILTER");
  EXPECT_THAT(config::ViolationsOf(filter.status()), SizeIs(1));
  EXPECT_EQ(config::ViolationsOf(filter.status())[0].field, "filter");
  return std::string(filter.status().message());
}

TEST(Filters, TakeWhatIsTrue) {
  for (const char* text : {
           "",
           "  ",
           "name = listeners/amqps",
           "name = \"listeners/amqps\"",
           "spec.port = 5671",
           "spec.port=5671",
           "spec.port != 5672",
           "spec.port < 5672",
           "spec.port <= 5671",
           "spec.port > 5670",
           "spec.port >= 5671",
           "generation = 3",
           "spec.require_sasl = true",
           "spec.max_message_size = 1099511627776",
           "labels.team = \"billing\"",
           "labels.team = 'billing'",
           "labels:team",
           "labels.team:*",
           "labels.team:bill",
           "labels.app.kubernetes.io/name = \"say \\\"hi\\\"\"",
           "labels.other != x",
           "NOT labels.other = x",
           "NOT labels:other",
           "spec.sasl_mechanisms:PLAIN",
           "spec.sasl_mechanisms:*",
           "spec.host:0.0",
           "spec.port:5671",
           "spec:*",
           "status:*",
           "status.state = STATE_LISTENING",
           "status.state = listening",
           "status.state != STATE_FAILED",
           "status.accepted_total >= 17",
           "source = api",
           "spec.idle_timeout = 90s",
           "spec.idle_timeout = 1m30s",
           "spec.idle_timeout > 89.9s",
           "create_time > 2026-01-01T00:00:00Z",
           "create_time = \"2026-01-01T12:00:00.5Z\"",
           "create_time < \"2026-01-01T13:00:01+01:00\"",
           "spec.port = 5671 AND NOT status.state = STATE_FAILED",
           "spec.port = 1 OR spec.port = 2 OR spec.port = 5671",
           "(spec.port = 1 OR spec.port = 5671) AND (labels.team = billing)",
           "NOT (spec.port = 1 AND labels.team = billing)",
           "NOT NOT spec.port = 5671",
           "\n spec.port\t=\r\n5671 ",
       }) {
    EXPECT_TRUE(Matches(text)) << text;
  }
}

TEST(Filters, LeaveOutWhatIsNot) {
  for (const char* text : {
           "name = amqps",
           "spec.port = 5672",
           "spec.port != 5671",
           "spec.port < 5671",
           "spec.port <= 5670",
           "spec.port > 5671",
           "spec.require_sasl = false",
           "labels.team = Billing",
           "labels:other",
           "labels.other:*",
           "labels.other = \"\"",
           "spec.sasl_mechanisms:ANONYMOUS",
           "spec.user_store:*",
           "status.last_error:*",
           "status.state = STATE_FAILED",
           "spec.idle_timeout < 90s",
           "create_time < 2026-01-01T00:00:00Z",
           "spec.port = 5671 AND labels.team = x",
           "NOT (spec.port = 1 OR labels.team = billing)",
       }) {
    EXPECT_FALSE(Matches(text)) << text;
  }
}

TEST(Filters, TakeAnAbsentFieldForItsDefault) {
  const v1::Listener empty;
  for (const char* text :
       {"spec.port = 5672", "spec.idle_timeout = 16s", "spec.role = normal",
        "spec.role = ROLE_NORMAL", "spec.require_sasl = false", "spec.max_links > 1000",
        "status.state != STATE_FAILED", "NOT spec.port:*", "NOT spec:*"}) {
    EXPECT_TRUE(Matches(text, empty)) << text;
  }
  v1::Listener any_port;
  any_port.mutable_spec()->set_port(0);
  EXPECT_TRUE(Matches("spec.port = 0 AND spec.port:*", any_port));
}

TEST(Filters, SayWhereTheyAreWrongAndWhy) {
  const struct {
    const char* text;
    const char* wrong;
  } kCases[] = {
      {"spec.prt = 1", "filter: at 1: there is no field \"spec.prt\"; did you mean \"port\"?"},
      {"name = a AND", "filter: at 13: expected a field, not the end"},
      {"name", "filter: at 5: expected one of = != < <= > >= : behind the field, not the end"},
      {"name = ", "filter: at 8: expected a value, not the end"},
      {"name = a b", "filter: at 10: expected AND or OR, not \"b\""},
      {"name = a and name = b", "filter: at 10: expected AND or OR, not \"and\""},
      {"= a", "filter: at 1: expected a field, not \"=\""},
      {"(name = a", "filter: at 10: expected \")\", not the end"},
      {"name = a)", "filter: at 9: expected AND or OR, not \")\""},
      {"name = \"a", "filter: at 8: the quoted text does not end"},
      {"name = \"a\\\"", "filter: at 8: the quoted text does not end"},
      {"name = a AND name = b OR name = c",
       "filter: at 23: AND and OR are mixed: put one of them into parentheses"},
      {"spec.port = x",
       "filter: at 13: \"x\" is not a whole number in its range, as "
       "\"spec.port\" has it"},
      {"spec.port = -1", "is not a whole number"},
      {"spec.port = 99999999999999999999", "is not a whole number"},
      {"spec.require_sasl = yes", "is not true or false"},
      {"spec.require_sasl < true", "have no order: use = or !="},
      {"status.state > STATE_FAILED", "have no order: use = or !="},
      {"status.state = STATE_GONE", "is not one of pending, listening, failed, draining"},
      {"spec.idle_timeout = 90", "is not a duration such as 30s"},
      {"create_time = yesterday", "is not a time such as"},
      {"spec = x", "\"spec\" cannot be compared but by its fields; whether it is set: spec:*"},
      {"labels = x", "\"labels\" has several values: use \":\""},
      {"spec.sasl_mechanisms = PLAIN", "\"spec.sasl_mechanisms\" has several values: use \":\""},
      {"status.last_error.details:x", "cannot be compared as a whole"},
      {"name.x = 1", "\"name\" has no fields"},
      {"spec.sasl_mechanisms.x = 1", "\"sasl_mechanisms\" has no fields"},
      {"spec. = 1", "there is no field \"spec.\""},
      {".spec = 1", "there is no field \".spec\""},
      {"labels. = 1", "\"labels.\" ends with a dot"},
      {"ünder = 1", "expected a field, not \"ünder\""},
      {"-name = a", "there is no field \"-name\""},
  };
  for (const auto& each : kCases) EXPECT_THAT(Wrong(each.text), HasSubstr(each.wrong)) << each.text;
}

TEST(Filters, CutShortAnywhereAreReadOrRefused) {
  const std::string text =
      "(spec.port = 5671 OR labels.team:'x') AND NOT create_time < \"2026-01-01T00:00:00Z\"";
  int taken = 0;
  for (size_t end = 0; end <= text.size(); ++end) {
    const auto filter = Filter::Parse(text.substr(0, end), *v1::Listener::descriptor());
    taken += filter.ok() ? 1 : 0;
    EXPECT_TRUE(filter.ok() || config::ReasonOf(filter.status()) == "INVALID_FILTER");
  }
  EXPECT_EQ(taken, 4);  // nothing; the parentheses, with the blank or not; all
}

TEST(Filters, AreOfBoundedSize) {
  const std::string blanks(kFilterBytesMax - std::string("name=a").size(), ' ');
  EXPECT_FALSE(Matches(blanks + "name=a"));
  EXPECT_THAT(Wrong(blanks + " name=a"), HasSubstr("4097 bytes are more than 4096"));

  const auto nested = [](int depth) {
    return std::string(depth, '(') + "name=a" + std::string(depth, ')');
  };
  EXPECT_FALSE(Matches(nested(kFilterDepthMax)));
  EXPECT_THAT(Wrong(nested(kFilterDepthMax + 1)), HasSubstr("more than 20 levels"));
  std::string negated;
  for (int i = 0; i < kFilterDepthMax; ++i) negated += "NOT ";
  EXPECT_FALSE(Matches(negated + "name=a"));
  EXPECT_THAT(Wrong(negated + "NOT name=a"), HasSubstr("more than 20 levels"));

  std::string many = "generation=1";
  for (int i = 1; i < kFilterComparisonsMax; ++i) many += " OR generation=1";
  EXPECT_FALSE(Matches(many));
  EXPECT_THAT(Wrong(many + " OR generation=1"), HasSubstr("more than 100 comparisons"));
}

TEST(Filters, KnowWhatTheyRead) {
  const auto filter =
      Filter::Parse("name = a OR NOT (status.state = failed)", *v1::Listener::descriptor());
  ASSERT_TRUE(filter.ok());
  EXPECT_TRUE(filter->Reads("status"));
  EXPECT_FALSE(filter->Reads("spec"));
  EXPECT_FALSE(Filter().Reads("status"));
}

TEST(Filters, OfEveryKindKnowWhatAllResourcesHave) {
  for (const config::Collection& each : config::Collections()) {
    for (const char* text : {"name = x", "labels.team = x", "create_time > 2026-01-01T00:00:00Z",
                             "source = config_file", "generation > 1", "spec:*"}) {
      EXPECT_TRUE(Filter::Parse(text, each.type()).ok()) << each.name() << " " << text;
    }
  }
}

}  // namespace
}  // namespace trunkline::api
