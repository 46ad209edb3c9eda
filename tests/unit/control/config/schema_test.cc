#include "control/config/schema.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/trunkline/control/v1/address.pb.h"
#include "proto/trunkline/control/v1/connector.pb.h"
#include "proto/trunkline/control/v1/listener.pb.h"
#include "proto/trunkline/control/v1/router.pb.h"
#include "proto/trunkline/control/v1/tls.pb.h"
#include "router/core/ids.h"

namespace trunkline::config {
namespace {

using ::testing::ElementsAre;

int64_t MillisecondsOf(const std::string& text) {
  const auto duration = ParseDuration(text);
  return duration ? ToMilliseconds(*duration) : -1;
}

TEST(Durations, ReadWhatPeopleWrite) {
  EXPECT_EQ(MillisecondsOf("30s"), 30'000);
  EXPECT_EQ(MillisecondsOf("1m30s"), 90'000);
  EXPECT_EQ(MillisecondsOf("250ms"), 250);
  EXPECT_EQ(MillisecondsOf("1h0m1s5ms"), 3'601'005);
  EXPECT_EQ(MillisecondsOf("0s"), 0);
  EXPECT_EQ(MillisecondsOf("90m"), 5'400'000);
}

TEST(Durations, RefuseEverythingElse) {
  for (const char* text : {"", "30", "s", "30 s", "-5s", "1.5s", "1s1m", "1s1s", "1d", "1S", "30s ",
                           "1ms1s", "9999999999999s", "99999999999999999999s", "1s30"}) {
    EXPECT_EQ(MillisecondsOf(text), -1) << text;
  }
}

TEST(Durations, AreWrittenAsTheyAreRead) {
  for (const char* text : {"0s", "250ms", "30s", "1m30s", "1h", "24h", "1h1ms"}) {
    EXPECT_EQ(FormatDuration(MillisecondsOf(text)), text);
  }
}

TEST(Durations, SaturateInsteadOfOverflowing) {
  google::protobuf::Duration duration;
  duration.set_seconds(std::numeric_limits<int64_t>::max());
  EXPECT_GT(ToMilliseconds(duration), int64_t{1} << 60);
  duration.set_seconds(std::numeric_limits<int64_t>::min());
  EXPECT_LT(ToMilliseconds(duration), -(int64_t{1} << 60));
}

TEST(Hosts, AreReadWithAndWithoutPort) {
  EXPECT_EQ(ParseHostPort("b.example"), (HostPort{"b.example", 5672}));
  EXPECT_EQ(ParseHostPort("b.example:5671"), (HostPort{"b.example", 5671}));
  EXPECT_EQ(ParseHostPort("[::1]:1"), (HostPort{"::1", 1}));
  EXPECT_EQ(ParseHostPort("[::1]"), (HostPort{"::1", 5672}));
  EXPECT_EQ(ParseHostPort("b:65535"), (HostPort{"b", 65535}));
}

TEST(Hosts, RefuseWhatIsNone) {
  for (const char* text : {"", ":5672", "b:", "b:0", "b:65536", "b:-1", "b:x", "[::1", "[]:1",
                           "[::1]5672", "::1", "b:1:2", "b:0000001"}) {
    EXPECT_EQ(ParseHostPort(text), std::nullopt) << text;
  }
}

TEST(Enums, AreWrittenShort) {
  EXPECT_THAT(ShortNames(*v1::Role_descriptor()), ElementsAre("normal", "route_container"));
  EXPECT_THAT(ShortNames(*v1::TlsVersion_descriptor()), ElementsAre("tls12", "tls13"));
  EXPECT_EQ(FindByShortName(*v1::Role_descriptor(), "unspecified"), nullptr);
  EXPECT_EQ(FindByShortName(*v1::Role_descriptor(), "NORMAL"), nullptr);
  EXPECT_EQ(FindByShortName(*v1::Role_descriptor(), "route_container")->number(),
            v1::ROLE_ROUTE_CONTAINER);
}

// Both specs name these fields alike, so that what one learns of one holds for the other.
TEST(Schema, ListenersAndConnectorsShareNamesAndRules) {
  const auto* listener = v1::ListenerSpec::descriptor();
  const auto* connector = v1::ConnectorSpec::descriptor();
  for (const char* name : {"role", "tls_profile", "sasl_mechanisms", "idle_timeout",
                           "initial_handshake_timeout", "max_frame_size", "max_sessions",
                           "max_links", "link_capacity", "strip_annotations", "max_message_size"}) {
    const auto* one = listener->FindFieldByName(name);
    const auto* other = connector->FindFieldByName(name);
    ASSERT_TRUE(one != nullptr && other != nullptr) << name;
    EXPECT_EQ(one->type(), other->type()) << name;
    EXPECT_EQ(RulesOf(*one).default_value(), RulesOf(*other).default_value()) << name;
    EXPECT_EQ(RulesOf(*one).min(), RulesOf(*other).min()) << name;
    EXPECT_EQ(RulesOf(*one).max(), RulesOf(*other).max()) << name;
  }
}

// A router has as many shards as workers, and names them as bits.
TEST(Schema, AsksForNoMoreWorkersThanARouterCanHave) {
  const auto* workers = v1::RouterSpec::descriptor()->FindFieldByName("workers");
  ASSERT_NE(workers, nullptr);
  EXPECT_EQ(RulesOf(*workers).max(), int64_t{core::kShardsMax});
}

// A number or duration without bounds would be taken as it comes.
TEST(Schema, EveryNumberHasBounds) {
  for (const auto* type : {v1::ListenerSpec::descriptor(), v1::ConnectorSpec::descriptor(),
                           v1::AddressSpec::descriptor(), v1::TlsProfileSpec::descriptor(),
                           v1::RouterSpec::descriptor(), v1::Backoff::descriptor()}) {
    for (int i = 0; i < type->field_count(); ++i) {
      const auto& field = *type->field(i);
      const bool number = field.cpp_type() == google::protobuf::FieldDescriptor::CPPTYPE_UINT32 ||
                          field.cpp_type() == google::protobuf::FieldDescriptor::CPPTYPE_UINT64;
      if (!number && !IsDuration(field)) continue;
      EXPECT_TRUE(RulesOf(field).has_min() && RulesOf(field).has_max()) << field.full_name();
    }
  }
}

}  // namespace
}  // namespace trunkline::config
