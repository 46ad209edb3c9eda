#include "control/cli/output.h"

#include <gtest/gtest.h>

#include <map>

#include "absl/strings/str_cat.h"
#include "google/protobuf/struct.pb.h"
#include "proto/trunkline/control/v1/address_service.pb.h"
#include "proto/trunkline/control/v1/listener.pb.h"

namespace trunkline::cli {
namespace {

control::v1::Listener Amqps() {
  control::v1::Listener listener;
  listener.set_name("listeners/amqps");
  listener.set_generation(3);
  listener.mutable_spec()->set_port(5671);
  listener.mutable_spec()->add_sasl_mechanisms("PLAIN");
  listener.mutable_spec()->add_sasl_mechanisms("EXTERNAL");
  (*listener.mutable_labels())["team"] = "billing";
  return listener;
}

std::string By(std::string_view path) {
  const auto text = ByJsonPath(Amqps(), path);
  return text.ok() ? *text : std::string(text.status().message());
}

TEST(Json, OfMapsIsInOrder) {
  control::v1::Listener listener;
  std::string wanted = "{\"labels\":{";
  for (char c = 'a'; c <= 'z'; ++c) {
    (*listener.mutable_labels())[std::string(1, c)] = "x";
    absl::StrAppend(&wanted, c == 'a' ? "" : ",", "\"", std::string(1, c), "\":\"x\"");
  }
  EXPECT_EQ(JsonOf(listener, Layout::kOneLine), wanted + "}}\n");
}

// Addresses are chosen by whoever attaches to them.
TEST(Names, AreOneLineEachWhateverIsInThem) {
  const std::vector<const char*> words = {"get", "-o", "name"};
  const Session session(*Arguments::Parse(words), 1);
  const auto output = Output::For(session);
  ASSERT_TRUE(output.ok()) << output.status();
  control::v1::Route evil, good;
  evil.set_name("routes/x\033]0;t\a\nlisteners/amqp\r\xC2\x9B");
  good.set_name("routes/Grüße");
  EXPECT_EQ(output->Text(session, {&evil, &good}, {}, Output::Number::kMany),
            "routes/x?]0;t??listeners/amqp??\nroutes/Grüße\n");
}

TEST(JsonPath, FindsWhatPeopleAskFor) {
  EXPECT_EQ(By("{.spec.port}"), "5671\n");
  EXPECT_EQ(By(".spec.port"), "5671\n");
  EXPECT_EQ(By("$.name"), "listeners/amqps\n");
  EXPECT_EQ(By("{.generation}"), "3\n");
  EXPECT_EQ(By("{.labels.team}"), "billing\n");
  EXPECT_EQ(By("{.spec.sasl_mechanisms[1]}"), "EXTERNAL\n");
  EXPECT_EQ(By("{.spec.sasl_mechanisms[*]}"), "PLAIN\nEXTERNAL\n");
  EXPECT_EQ(By("{.labels}"), "{\"team\":\"billing\"}\n");
}

TEST(JsonPath, TellsAllDigitsOfANumber) {
  google::protobuf::Struct numbers;
  for (const auto& [name, number] : std::map<std::string, double>{{"size", 1'048'576},
                                                                  {"most", 9007199254740992},
                                                                  {"least", -1'234'567},
                                                                  {"part", 0.1234567}}) {
    (*numbers.mutable_fields())[name].set_number_value(number);
  }
  EXPECT_EQ(*ByJsonPath(numbers, ".size"), "1048576\n");
  EXPECT_EQ(*ByJsonPath(numbers, ".most"), "9007199254740992\n");
  EXPECT_EQ(*ByJsonPath(numbers, ".least"), "-1234567\n");
  EXPECT_EQ(*ByJsonPath(numbers, ".part"), "0.1234567\n");
}

TEST(JsonPath, OfWhatIsNotThereIsNothing) {
  EXPECT_EQ(By("{.spec.host}"), "");
  EXPECT_EQ(By("{.spec.port.x}"), "");
  EXPECT_EQ(By("{.spec.sasl_mechanisms[2]}"), "");
  EXPECT_EQ(By("{.name[0]}"), "");
}

TEST(JsonPath, OtherTextsAreRefused) {
  for (const std::string_view path : {"", "{}", "spec", "{.}", "{.a.}", ".a[", ".a[]", ".a[-1]",
                                      ".a[x]", ".a[0", "{.a}b", "..", ".a[99999999999]"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ByJsonPath(Amqps(), path).status())) << path;
  }
}

TEST(JsonPath, StandsAnyEnd) {
  const std::string_view whole = "{.spec.sasl_mechanisms[*].x[12]}";
  for (size_t size = 0; size <= whole.size(); ++size) {
    ByJsonPath(Amqps(), whole.substr(0, size)).IgnoreError();  // it comes back
  }
}

}  // namespace
}  // namespace trunkline::cli
