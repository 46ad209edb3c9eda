#include "control/config/resource.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>
#include <set>

#include "control/config/collection.h"

namespace trunkline::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

v1::Listener Amqp() {
  v1::Listener listener;
  listener.set_name("listeners/amqp");
  listener.mutable_spec()->set_port(5672);
  (*listener.mutable_labels())["team"] = "billing";
  return listener;
}

std::vector<std::string> Wrong(const v1::Listener& listener) {
  std::vector<Problem> problems;
  CheckWords(listener, "listener", problems);
  std::vector<std::string> texts;
  for (const Problem& each : problems) texts.push_back(each.path + ": " + each.text);
  return texts;
}

TEST(Resources, AreEqualByWhatTheirCallerGave) {
  v1::Listener other = Amqp();
  other.set_uid("u");
  other.set_etag("e");
  other.set_generation(9);
  other.set_source(v1::SOURCE_CONFIG_FILE);
  other.mutable_status()->set_state(v1::ListenerStatus::STATE_LISTENING);
  EXPECT_TRUE(SameIntent(Amqp(), other));
  other.mutable_spec()->set_port(0);  // says something, as against a spec without a port
  v1::Listener absent = Amqp();
  absent.mutable_spec()->clear_port();
  EXPECT_FALSE(SameIntent(other, absent));
  other = Amqp();
  (*other.mutable_labels())["team"] = "shipping";
  EXPECT_FALSE(SameIntent(Amqp(), other));
  other = Amqp();
  other.set_legacy_name("x");
  EXPECT_FALSE(SameIntent(Amqp(), other));
}

TEST(Resources, HaveUuidsOfTheirOwn) {
  Random random(7);
  const std::regex form("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}");
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const std::string uuid = MakeUuid(random);
    EXPECT_TRUE(std::regex_match(uuid, form)) << uuid;
    EXPECT_TRUE(seen.insert(uuid).second);
  }
}

TEST(Resources, OfEveryKindCarryTheSame) {
  for (const Collection& each : Collections()) {
    const std::unique_ptr<google::protobuf::Message> resource(each.prototype().New());
    SetText(*resource, "name", ResourceName(each.name(), "x"));
    SetText(*resource, "etag", "7");
    EXPECT_EQ(NameOf(*resource), ResourceName(each.name(), "x"));
    EXPECT_EQ(LegacyNameOf(*resource), "x");
    EXPECT_EQ(EtagOf(*resource), "7");
    EXPECT_EQ(SourceOf(*resource), v1::SOURCE_UNSPECIFIED);
    EXPECT_TRUE(SameIntent(*resource, *resource));
    SetText(*resource, "legacy_name", "X:y");
    EXPECT_EQ(LegacyNameOf(*resource), "X:y");
  }
}

TEST(Words, MayBeUpToTheirLimits) {
  v1::Listener listener;
  listener.set_legacy_name(std::string(kLegacyNameBytesMax, 'x'));
  for (int i = 0; i < kLabelsMax; ++i) (*listener.mutable_labels())[std::to_string(i)] = "";
  EXPECT_THAT(Wrong(listener), IsEmpty());
  (*listener.mutable_labels())["one-more"] = "";
  EXPECT_THAT(Wrong(listener), ElementsAre("listener.labels: 65 entries are more than 64"));
}

TEST(Words, AreRefusedBeyondThem) {
  const struct {
    const char* what;
    std::string legacy_name, key, value;
    std::string refused;  // empty: it is taken
  } kCases[] = {
      {"plain", "Any: text/at all", "a.b/c_d-E9", "any text", ""},
      {"longest", "", std::string(63, 'k'), std::string(255, 'v'), ""},
      {"legacy name too long", std::string(1025, 'x'), "a", "", "1025 bytes are more than 1024"},
      {"legacy name with a line end", "a\nb", "a", "", "holds a control character"},
      {"key too long", "", std::string(64, 'k'), "", "is longer than 63"},
      {"key empty", "", "", "v", "is not made of"},
      {"key with a blank", "", "a b", "v", "is not made of"},
      {"value too long", "", "a", std::string(256, 'v'), "is longer than 255 bytes"},
      {"value with a control character", "", "a", std::string(1, '\0'), "control character"},
  };
  for (const auto& each : kCases) {
    v1::Listener listener;
    listener.set_legacy_name(each.legacy_name);
    (*listener.mutable_labels())[each.key] = each.value;
    if (each.refused.empty()) {
      EXPECT_THAT(Wrong(listener), IsEmpty()) << each.what;
    } else {
      EXPECT_THAT(Wrong(listener), ElementsAre(HasSubstr(each.refused))) << each.what;
    }
  }
}

}  // namespace
}  // namespace trunkline::config
