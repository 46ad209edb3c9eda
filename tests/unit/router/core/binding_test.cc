#include "router/core/binding.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace trunkline::core {
namespace {

using testing::MatchesRegex;

class BindingTest : public testing::Test {
 protected:
  BindingContext Context() { return {me_, settings_.get(), random_}; }
  Binding Producer(std::string_view address) {
    return BindProducer({.address = std::string(address)}, Context());
  }
  Binding Consumer(std::string_view address) {
    return BindConsumer({.address = std::string(address)}, Context());
  }

  LocalIdentity me_{.router_id = "A"};
  Random random_{7};
  std::shared_ptr<const AddressSettings> settings_ = *AddressSettings::Build(
      {{.pattern = "fan/#", .treatment = Treatment::kMulticast},
       {.pattern = "gone/#", .treatment = Treatment::kUnavailable},
       {.pattern = "way", .ingress_phase = '0', .egress_phase = '1'},
       {.pattern = "late", .ingress_phase = '3', .egress_phase = '4'},
       {.pattern = "safe", .treatment = Treatment::kClosest, .fallback = true}},
      Treatment::kBalanced);
};

TEST_F(BindingTest, GivesBothSidesOfAnAddressTheSameKey) {
  EXPECT_EQ(Producer("orders").key, "M0orders");
  EXPECT_EQ(Consumer("orders").key, "M0orders");
  EXPECT_EQ(Producer("amqp:/orders/").key, "M0orders");
  EXPECT_EQ(Producer("orders").treatment, Treatment::kBalanced);
  EXPECT_EQ(Producer("orders").fallback_key, "");
}

TEST_F(BindingTest, TakesTreatmentAndPhasesFromTheSetting) {
  EXPECT_EQ(Consumer("fan/out").treatment, Treatment::kMulticast);
  EXPECT_EQ(Producer("way").key, "M0way");
  EXPECT_EQ(Consumer("way").key, "M1way");
  EXPECT_EQ(Producer("late").key, "M3late");
  EXPECT_EQ(Consumer("late").key, "M4late");
}

TEST_F(BindingTest, NamesTheFallbackOfAnAddressThatHasOne) {
  EXPECT_EQ(Producer("safe").key, "M0safe");
  EXPECT_EQ(Producer("safe").fallback_key, "MFsafe");
  EXPECT_EQ(Consumer("safe").key, "M0safe");
  const Binding fallback = BindConsumer({.address = "safe", .fallback = true}, Context());
  EXPECT_EQ(fallback.key, "MFsafe");
  EXPECT_EQ(fallback.treatment, Treatment::kClosest);
}

TEST_F(BindingTest, PutsWaypointsBetweenPhases) {
  const AttachRequest first{.address = "safe", .waypoint_phase = 1};
  EXPECT_EQ(BindConsumer(first, Context()).key, "M0safe");
  EXPECT_EQ(BindProducer(first, Context()).key, "M1safe");
  EXPECT_EQ(BindProducer(first, Context()).fallback_key, "");
  const AttachRequest last{.address = "late", .waypoint_phase = 9};
  EXPECT_EQ(BindConsumer(last, Context()).key, "M8late");
  EXPECT_EQ(BindProducer(last, Context()).key, "M9late");
}

TEST_F(BindingTest, IgnoresWaypointsBeyondTheirRange) {
  for (const int phase : {-1, 0, 10}) {
    const AttachRequest request{.address = "late", .waypoint_phase = phase};
    EXPECT_EQ(BindConsumer(request, Context()).key, "M4late");
    EXPECT_EQ(BindProducer(request, Context()).key, "M3late");
  }
}

TEST_F(BindingTest, RefusesUnavailableAddresses) {
  const amqp::Condition not_found{
      .name = "amqp:not-found", .description = "Node not found", .info = {}};
  EXPECT_EQ(Producer("gone/away").refused, not_found);
  EXPECT_EQ(Consumer("gone/away").refused, not_found);
}

TEST_F(BindingTest, LetsNoSettingSpeakOfAddressesThatItMakes) {
  settings_ = *AddressSettings::Build({{.pattern = "#",
                                        .treatment = Treatment::kMulticast,
                                        .ingress_phase = '5',
                                        .fallback = true}},
                                      Treatment::kBalanced);
  const Binding made = BindProducer({.dynamic = true}, Context());
  EXPECT_EQ(made.treatment, Treatment::kBalanced);
  EXPECT_EQ(made.key.substr(0, 2), "M0");
  EXPECT_EQ(made.fallback_key, "");
  settings_ = *AddressSettings::Build({}, Treatment::kUnavailable);
  const Binding granted = BindProducer({.dynamic = true}, Context());
  EXPECT_FALSE(granted.refused);
  EXPECT_EQ(Consumer(*granted.made).key, granted.key);
}

TEST_F(BindingTest, RefusesConsumersWithoutAnAddress) {
  const amqp::Condition no_route{
      .name = "qd:no-route-to-dest", .description = "No route to the destination node", .info = {}};
  EXPECT_EQ(BindConsumer({}, Context()).refused, no_route);
  EXPECT_EQ(Consumer("").refused, no_route);
  EXPECT_EQ(Consumer("_topo/0/B/queue").refused, no_route) << "another router's address";
}

TEST_F(BindingTest, TakesProducersWithoutAnAddressAsAnonymous) {
  for (const Binding& binding : {BindProducer({}, Context()), Producer("")}) {
    EXPECT_FALSE(binding.refused);
    EXPECT_EQ(binding.key, "");
  }
}

TEST_F(BindingTest, RefusesToCoordinateTransactions) {
  const Binding binding = BindProducer({.coordinator = true}, Context());
  EXPECT_EQ(binding.refused.name, "amqp:precondition-failed");
  EXPECT_EQ(binding.refused.description,
            "The router can't coordinate transactions by itself, a linkRoute to a coordinator must "
            "be configured to use transactions.");
}

TEST_F(BindingTest, MakesAddressesForDynamicTermini) {
  const Binding source = BindConsumer({.dynamic = true}, Context());
  ASSERT_TRUE(source.made.has_value());
  EXPECT_THAT(*source.made, MatchesRegex("amqp:/_topo/0/A/temp\\.[A-Za-z0-9+_]{15}"));
  EXPECT_EQ(source.key, "Ltemp." + source.made->substr(source.made->size() - 15));
  EXPECT_EQ(Producer(*source.made).key, source.key) << "a reply finds its way";

  const Binding target = BindProducer({.dynamic = true}, Context());
  ASSERT_TRUE(target.made.has_value());
  EXPECT_THAT(*target.made, MatchesRegex("amqp:/_\\$temp\\.[A-Za-z0-9+_]{15}"));
  EXPECT_EQ(Consumer(*target.made).key, target.key);
  EXPECT_NE(*BindConsumer({.dynamic = true}, Context()).made, *source.made);
}

TEST_F(BindingTest, KnowsTheAddressesOverWhichRoutersTalk) {
  for (const char* address : {"_local/qdhello", "_topo/0/A/qdrouter", "_topo/0/all/qdrouter",
                              "_topo/0/A/qdrouter.ma", "_topo/0/all/qdrouter.ma"}) {
    EXPECT_TRUE(Producer(address).control) << address;
  }
  for (const char* address : {"qdrouter", "_local/qdrouter.m", "_local/hello"}) {
    EXPECT_FALSE(Producer(address).control) << address;
  }
}

TEST_F(BindingTest, DoesWithoutSettings) {
  const BindingContext context{me_, nullptr, random_};
  EXPECT_EQ(BindProducer({.address = "gone/away"}, context).key, "M0gone/away");
  EXPECT_EQ(BindConsumer({.address = "late"}, context).key, "M0late");
}

TEST_F(BindingTest, ForgetsTheTextBefore) {
  Binding binding;
  BindText("safe", Context(), binding);
  EXPECT_EQ(binding.fallback_key, "MFsafe");
  BindText("_local/qdhello", Context(), binding);
  EXPECT_EQ(binding.fallback_key, "");
  EXPECT_TRUE(binding.control);
  BindText("late", Context(), binding);
  EXPECT_EQ(binding.key, "M3late");
  EXPECT_FALSE(binding.control);
}

}  // namespace
}  // namespace trunkline::core
