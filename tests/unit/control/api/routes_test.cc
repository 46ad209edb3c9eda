#include "control/api/routes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/config/error_details.h"
#include "live_world.h"

namespace trunkline::api {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

// Resolves "news/…" by a setting, "safe/…" with a fallback, "jobs/…" with a waypoint, "off" to
// nothing.
AddressResolution Resolve(const std::string& address) {
  AddressResolution found;
  found.key = found.consumer_key = "M0" + address;
  if (address.starts_with("news")) {
    found.setting = "news";
    found.distribution = Distribution::kMulticast;
  }
  if (address.starts_with("safe")) found.fallback_key = "MF" + address;
  if (address.starts_with("jobs")) found.consumer_key = "M1" + address;
  if (address.starts_with("_local/")) found.key = found.consumer_key = "L" + address.substr(7);
  if (address == "qdrouter") found.reserved = true;
  if (address == "off") {
    found.setting = "off";
    found.key = found.consumer_key = "";
    found.distribution = Distribution::kUnavailable;
  }
  return found;
}

class RoutesTest : public testing::Test, public LiveWorld {
 protected:
  RoutesTest() : routes_(observing, Resolve) {
    handlers = routes_.MakeHandlers();
    handlers["AddressService/GetAddress"] = [this](const auto& call) {
      v1::Address address;
      address.set_name(call->template As<v1::GetAddressRequest>().name());
      routes_.FillStatus("news", address);
      call->Reply(address);
    };
    handlers["AddressService/ListAddresses"] = [](const auto& call) {
      call->Reply(v1::ListAddressesResponse());
    };
    routes_.Wrap(handlers);
  }

  LinkState& Producer(const std::string& key, uint64_t deliveries = 0) {
    router.links.push_back(FakeRouter::Attached(1, router.links.size() + 1, "x", true));
    router.links.back().key = key;
    router.links.back().deliveries = deliveries;
    return router.links.back();
  }
  LinkState& Consumer(const std::string& key, uint64_t deliveries = 0, uint32_t worker = 0) {
    Producer(key, deliveries).incoming = false;
    router.links.back().worker = worker;
    router.links.back().credit = 10;
    return router.links.back();
  }
  std::shared_ptr<SeenCall> List(const std::string& filter = "", const std::string& order = "") {
    v1::ListRoutesRequest request;
    request.set_filter(filter);
    request.set_order_by(order);
    return Ask("AddressService/ListRoutes", request);
  }
  std::vector<std::string> Names(const std::string& filter, const std::string& order = "") {
    const auto seen = List(filter, order);
    EXPECT_TRUE(seen->status().ok()) << seen->status();
    std::vector<std::string> names;
    for (const auto& route : seen->As<v1::ListRoutesResponse>().routes()) {
      names.push_back(route.name());
    }
    return names;
  }
  std::shared_ptr<SeenCall> Get(const std::string& name) {
    v1::GetRouteRequest request;
    request.set_name(name);
    return Ask("AddressService/GetRoute", request);
  }
  v1::ResolveAddressResponse Explain(const std::string& address) {
    v1::ResolveAddressRequest request;
    request.set_address(address);
    const auto seen = Ask("AddressService/ResolveAddress", request);
    EXPECT_TRUE(seen->status().ok()) << seen->status();
    return seen->As<v1::ResolveAddressResponse>();
  }

  Routes routes_;
};

TEST_F(RoutesTest, AddUpTheLinksOfEachAddress) {
  LinkState& producer = Producer("M0news/a", 100);
  producer.accepted = 90;
  producer.rejected = 5;
  producer.released = 3;
  producer.modified = 2;
  producer.blocked = true;
  Producer("M0news/a", 50);
  LinkState& consumer = Consumer("M0news/a", 140);
  consumer.unsettled = 7;
  consumer.undelivered = 3;
  Producer("", 1000);  // it sends anywhere
  const auto seen = List();
  EXPECT_EQ(seen->replies.at(0)->ShortDebugString(),
            "routes { name: \"routes/news/a\" address: \"news/a\" setting: \"addresses/news\" "
            "distribution: DISTRIBUTION_MULTICAST consumers: 1 producers: 2 deliveries_in: 150 "
            "deliveries_out: 140 accepted: 90 rejected: 5 released: 3 modified: 2 unsettled: 7 "
            "undelivered: 3 blocked_links: 1 "
            "phases { key: \"M0news/a\" consumers: 1 producers: 2 } }");
}

TEST_F(RoutesTest, JoinThePhasesOfAnAddress) {
  Producer("M0jobs");
  Consumer("M0jobs");
  Consumer("M1jobs");
  Consumer("MFjobs");
  const auto seen = Get("routes/jobs");
  ASSERT_TRUE(seen->status().ok()) << seen->status();
  const auto& route = seen->As<v1::Route>();
  EXPECT_EQ(route.consumers(), 3u);
  ASSERT_THAT(route.phases(), SizeIs(3));
  EXPECT_EQ(route.phases(0).key(), "M0jobs");
  EXPECT_EQ(route.phases(1).key(), "M1jobs");
  EXPECT_EQ(route.phases(2).key(), "MFjobs");
}

TEST_F(RoutesTest, AreFoundByWhatTheyDo) {
  Producer("M0a", 10);
  Producer("M0b", 30);
  Consumer("M0b");
  Consumer("Ltemp.1");
  EXPECT_THAT(Names(""), ElementsAre("routes/_local/temp.1", "routes/a", "routes/b"));
  EXPECT_THAT(Names("consumers = 0"), ElementsAre("routes/a"));
  EXPECT_THAT(Names("producers > 0", "deliveries_in desc"), ElementsAre("routes/b", "routes/a"));
  EXPECT_EQ(List("nothing = 1")->status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(RoutesTest, OfOneAddressAreLookedForAlone) {
  Consumer("Ltemp.1");
  Consumer("M0other");
  EXPECT_EQ(Get("routes/_local/temp.1")->As<v1::Route>().consumers(), 1u);
  EXPECT_THAT(router.asked.back().keys, ElementsAre("Ltemp.1"));
  EXPECT_EQ(config::ReasonOf(Get("routes/nobody")->status()), "ROUTE_NOT_FOUND");
  EXPECT_EQ(config::ReasonOf(Get("routes/off")->status()), "ROUTE_NOT_FOUND");
  for (const char* name : {"", "routes/", "addresses/a", "a"}) {
    EXPECT_EQ(config::ReasonOf(Get(name)->status()), "INVALID_NAME") << name;
  }
}

TEST_F(RoutesTest, HaveNamesOfSomeLength) {
  const std::string name = "routes/" + std::string(4096, 'a');
  EXPECT_EQ(config::ReasonOf(Get(name)->status()), "ROUTE_NOT_FOUND");
  EXPECT_EQ(config::ReasonOf(Get(name + "a")->status()), "INVALID_NAME");
  EXPECT_THAT(router.asked, SizeIs(1));
}

TEST_F(RoutesTest, SayWhenTooManyLook) {
  router.refusal = absl::ResourceExhaustedError("too many");
  for (const auto& seen : {List(), Get("routes/a")}) {
    EXPECT_EQ(config::ReasonOf(seen->status()), "TOO_MANY_OBSERVATIONS");
  }
  v1::GetAddressRequest request;
  EXPECT_EQ(config::ReasonOf(Ask("AddressService/GetAddress", request)->status()),
            "TOO_MANY_OBSERVATIONS");
}

// --- what becomes of a message

TEST_F(RoutesTest, ExplainWhoWouldGetAMessage) {
  Producer("M0news/a");
  Consumer("M0news/a", 0, 1);
  Consumer("M0news/a", 0, 0);
  Consumer("M0news/a", 0, 1).credit = 0;
  Producer("");
  EXPECT_EQ(Explain("news/a").ShortDebugString(),
            "route: \"routes/news/a\" key: \"M0news/a\" consumer_key: \"M0news/a\" "
            "setting: \"addresses/news\" distribution: DISTRIBUTION_MULTICAST "
            "consumers { consumers: 1 with_credit: 1 } "
            "consumers { worker: 1 consumers: 2 with_credit: 1 } "
            "consumer_count: 3 producer_count: 1 deliverable: true");
}

TEST_F(RoutesTest, ExplainWhyNobodyWould) {
  EXPECT_FALSE(Explain("a").deliverable());
  EXPECT_EQ(Explain("a").reason(), "nobody receives from it: producers get no credit");
  EXPECT_EQ(Explain("off").reason(), "the address is unavailable");
  EXPECT_EQ(Explain("off").route(), "");
  EXPECT_EQ(Explain("qdrouter").reason(),
            "the address is reserved for routers: what clients send is released");
  // Consumers of the other end of a waypoint get nothing while nobody is at its beginning.
  Consumer("M1jobs");
  EXPECT_EQ(Explain("jobs").reason(),
            "nothing takes messages into the waypoint: producers get no credit");
  Consumer("M0jobs");
  EXPECT_TRUE(Explain("jobs").deliverable());
}

TEST_F(RoutesTest, ExplainThatConsumersAreDisabled) {
  Consumer("M0a").disabled = true;
  EXPECT_EQ(Explain("a").reason(),
            "the links of all who receive from it are disabled: messages wait for them");
  EXPECT_FALSE(Explain("a").deliverable());
  Consumer("M0a");
  EXPECT_TRUE(Explain("a").deliverable());
  EXPECT_EQ(Explain("a").consumers(0).consumers(), 2u);
  EXPECT_EQ(Explain("a").consumers(0).with_credit(), 1u);
}

TEST_F(RoutesTest, ExplainTheFallback) {
  EXPECT_FALSE(Explain("safe").deliverable());
  Consumer("MFsafe");
  EXPECT_TRUE(Explain("safe").deliverable());
  EXPECT_EQ(Explain("safe").fallback_consumer_count(), 1u);
  EXPECT_EQ(Explain("safe").consumer_count(), 0u);
}

// Producers that send anywhere are attached to no address, not to those that are unavailable.
TEST_F(RoutesTest, ExplainNothingByLinksWithoutAnAddress) {
  Producer("");
  EXPECT_EQ(Explain("off").producer_count(), 0u);
}

TEST_F(RoutesTest, RefuseWhatIsNoAddress) {
  v1::ResolveAddressRequest request;
  EXPECT_EQ(config::ReasonOf(Ask("AddressService/ResolveAddress", request)->status()),
            "INVALID_FIELD");
  request.set_address(std::string(4096, 'a'));
  EXPECT_TRUE(Ask("AddressService/ResolveAddress", request)->status().ok());
  request.set_address(std::string(4097, 'a'));
  EXPECT_EQ(config::ReasonOf(Ask("AddressService/ResolveAddress", request)->status()),
            "INVALID_FIELD");
}

// --- settings

TEST_F(RoutesTest, GiveSettingsTheirStatus) {
  Producer("M0news/a", 10);
  Consumer("M0news/a", 9).unsettled = 1;
  Consumer("M0news/b", 5).undelivered = 4;
  Consumer("M0else", 100);
  v1::GetAddressRequest request;
  request.set_name("addresses/news");
  EXPECT_EQ(Ask("AddressService/GetAddress", request)->replies.at(0)->ShortDebugString(),
            "name: \"addresses/news\" status { routes: 2 consumers: 2 producers: 1 "
            "deliveries_in: 10 deliveries_out: 14 unsettled: 1 undelivered: 4 }");
  // Known only while it is told.
  v1::Address address;
  routes_.FillStatus("news", address);
  EXPECT_FALSE(address.has_status());
}

TEST_F(RoutesTest, GiveSettingsThatNobodyUsesAnEmptyStatus) {
  v1::GetAddressRequest request;
  const auto seen = Ask("AddressService/GetAddress", request);
  EXPECT_TRUE(seen->As<v1::Address>().has_status());
  EXPECT_EQ(seen->As<v1::Address>().status().routes(), 0u);
}

TEST_F(RoutesTest, ACallerThatHasGoneIsNotAnswered) {
  const auto seen = Do("AddressService/ListAddresses", v1::ListAddressesRequest());
  seen->HangUp();
  Answer();
  EXPECT_THAT(seen->replies, IsEmpty());
}

TEST(AddressOfKey, IsTheAddressAsClientsGiveIt) {
  EXPECT_EQ(AddressOfKey("M0a/b"), "a/b");
  EXPECT_EQ(AddressOfKey("MFa"), "a");
  EXPECT_EQ(AddressOfKey("Ltemp.1"), "_local/temp.1");
  EXPECT_EQ(AddressOfKey("Tall"), "_topo/0/all/all");
  EXPECT_EQ(AddressOfKey("Reast"), "_key/Reast");
  EXPECT_EQ(AddressOfKey("M"), "");
}

}  // namespace
}  // namespace trunkline::api
