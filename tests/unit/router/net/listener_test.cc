#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/unit/router/net/router_fixture.h"

namespace trunkline::net::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::StartsWith;

uint16_t PortOf(const std::string& address) {
  return static_cast<uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
}

ListenerSpec SpecAt(const std::string& name, const std::string& address) {
  ListenerSpec spec;
  spec.name = name;
  spec.host = "127.0.0.1";
  spec.port = PortOf(address);
  return spec;
}

bool Opens(const std::string& address) {
  SocketClient client(address);
  return client.connected() && RunUntil({&client}, [&] { return client->opened(); });
}

TEST(Listener, SaysWhyItCannotListen) {
  TestRouter router;
  const std::string address = router.Listen();
  const absl::Status status = router->Apply(SpecAt("other", address));
  EXPECT_EQ(status, absl::FailedPreconditionError("cannot listen on " + address +
                                                  ": Address already in use"));
  // Nothing is left of it: the name is free.
  EXPECT_EQ(router->RemoveListener("other").code(), absl::StatusCode::kNotFound);
}

TEST(Listener, TakesIpv4AndIpv6OnAllAddresses) {
  TestRouter router;
  ListenerSpec spec;
  spec.name = "all";
  spec.port = 0;
  ASSERT_TRUE(router->Apply(spec).ok());
  const auto up = *router.Last<ListenerUp>();
  ASSERT_THAT(up.addresses, SizeIs(1));
  const std::string port = std::to_string(PortOf(up.addresses[0]));
  EXPECT_TRUE(Opens("127.0.0.1:" + port));
  if (up.addresses[0][0] == '[') {
    EXPECT_TRUE(Opens("[::1]:" + port));
  }
}

TEST(Listener, ListensOnANameAsFarAsTheFamilyGoes) {
  TestRouter router;
  ListenerSpec spec;
  spec.name = "by name";
  spec.host = "localhost";
  spec.port = 0;
  spec.socket_family = SocketFamily::kIpv4;
  ASSERT_TRUE(router->Apply(spec).ok());
  EXPECT_THAT(router.Last<ListenerUp>()->addresses, ElementsAre(StartsWith("127.0.0.1:")));
  spec.name = "nowhere";
  spec.host = "127.0.0.1";
  spec.socket_family = SocketFamily::kIpv6;
  EXPECT_EQ(router->Apply(spec).code(), absl::StatusCode::kFailedPrecondition);
}

TEST(Listener, UsesAChangedSpecForNewConnectionsWithoutBindingAgain) {
  TestRouter router;
  const std::string address = router.Listen();
  ListenerSpec spec;
  spec.name = "in";
  spec.host = "127.0.0.1";
  spec.port = 0;  // the same place as asked for before
  spec.connection.max_frame_size = 4096;
  SocketClient before(address);
  ASSERT_TRUE(RunUntil({&before}, [&] { return before->opened(); }));
  ASSERT_TRUE(router->Apply(spec).ok());
  EXPECT_THAT(router.All<ListenerUp>(), SizeIs(1));
  SocketClient after(address);
  ASSERT_TRUE(RunUntil({&after}, [&] { return after->opened(); }));
  EXPECT_EQ(before->remote_open().max_frame_size, 16384u);
  EXPECT_EQ(after->remote_open().max_frame_size, 4096u);
}

TEST(Listener, MovesToAnotherPortAndLetsTheOldOneGo) {
  TestRouter router;
  const std::string first = router.Listen();
  std::string second;
  {  // a port that is free a moment later
    TestRouter other;
    second = other.Listen();
  }
  SocketClient client(first);
  ASSERT_TRUE(RunUntil({&client}, [&] { return client->opened(); }));
  ASSERT_TRUE(router->Apply(SpecAt("in", second)).ok());
  EXPECT_TRUE(Opens(second));
  EXPECT_FALSE(SocketClient(first).connected());
  client.Pump();
  EXPECT_FALSE(client.ended());  // live connections stay
}

TEST(Listener, KeepsItsOldPlaceWhenTheNewOneFails) {
  TestRouter router;
  const std::string first = router.Listen();
  const std::string taken = router.Listen({.name = "other"});
  EXPECT_EQ(router->Apply(SpecAt("in", taken)).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(Opens(first));
}

TEST(Listener, HoldsAPlaceThatServesNobodyUntilItIsApplied) {
  TestRouter router;
  std::string address;
  {  // a port that is free a moment later
    TestRouter other;
    address = other.Listen();
  }
  ASSERT_TRUE(router->Hold(SpecAt("in", address), {}).ok());
  SocketClient early(address);
  ASSERT_TRUE(early.connected());  // it waits
  ASSERT_TRUE(router->Apply(SpecAt("in", address)).ok());
  EXPECT_TRUE(RunUntil({&early}, [&] { return early->opened(); }));
}

TEST(Listener, GivesUpAPlaceThatWasHeldForNothing) {
  TestRouter router;
  std::string address;
  {
    TestRouter other;
    address = other.Listen();
  }
  ASSERT_TRUE(router->Hold(SpecAt("in", address), {}).ok());
  router->DropHeld();
  EXPECT_FALSE(SocketClient(address).connected());
  EXPECT_EQ(router->RemoveListener("in").code(), absl::StatusCode::kNotFound);
}

TEST(Listener, HandsItsPortToAnotherOfTheSameChange) {
  TestRouter router;
  const std::string address = router.Listen();
  EXPECT_EQ(router->Hold(SpecAt("other", address), {}).code(),
            absl::StatusCode::kFailedPrecondition);
  ASSERT_TRUE(router->Hold(SpecAt("other", address), {"in"}).ok());
  ASSERT_TRUE(router->RemoveListener("in").ok());
  ASSERT_TRUE(router->Apply(SpecAt("other", address)).ok());
  router->DropHeld();
  EXPECT_TRUE(Opens(address));
}

TEST(Listener, FailsWithoutThePlacesThatAreHeldForOthers) {
  TestRouter router;
  TestRouter other;
  const std::string first = router.Listen({.name = "m"});
  const std::string second = router.Listen({.name = "n"});
  ASSERT_TRUE(router->Hold(SpecAt("m", second), {"m", "n"}).ok());
  ASSERT_TRUE(router->Hold(SpecAt("n", first), {"m", "n"}).ok());
  EXPECT_FALSE(router->Apply(SpecAt("a", other.Listen())).ok());
  EXPECT_TRUE(router->Apply(SpecAt("m", second)).ok());
  EXPECT_TRUE(router->Apply(SpecAt("n", first)).ok());
  router->DropHeld();
  EXPECT_TRUE(Opens(first));
  EXPECT_TRUE(Opens(second));
}

TEST(Listener, ListensAgainWhenTheChangeItMadeRoomForIsNotMade) {
  TestRouter router;
  const std::string address = router.Listen();
  ASSERT_TRUE(router->Hold(SpecAt("other", address), {"in"}).ok());
  router->DropHeld();
  EXPECT_TRUE(Opens(address));
  ASSERT_TRUE(router->RemoveListener("in").ok());
  EXPECT_FALSE(SocketClient(address).connected());
}

// One that listens on all addresses makes room for another, which takes one of them; a stranger
// takes the next before it can come back.
class ListenerThatLostItsPlace : public ::testing::Test {
 protected:
  ListenerThatLostItsPlace() {
    all_.name = "in";
    all_.socket_family = SocketFamily::kIpv4;
    all_.port = PortOf(TestRouter().Listen());  // free a moment later
    EXPECT_TRUE(router_->Apply(all_).ok());
    ListenerSpec other = all_;
    other.name = "other";
    other.host = "127.0.0.1";
    EXPECT_TRUE(router_->Hold(other, {"in"}).ok());
    other.host = "127.0.0.2";
    EXPECT_TRUE(stranger_->Apply(other).ok());
    router_->DropHeld();
    EXPECT_THAT(router_.All<ListenerFailed>(), SizeIs(1));
  }
  bool IsUpAgain() { return router_.All<ListenerUp>().size() == 2; }

  ListenerSpec all_;
  TestRouter router_;
  TestRouter stranger_;
};

TEST_F(ListenerThatLostItsPlace, TakesItAgainByItselfOnceItIsFree) {
  ASSERT_TRUE(stranger_->RemoveListener("other").ok());
  ASSERT_TRUE(RunUntil({}, [&] { return IsUpAgain(); }));
  EXPECT_EQ(router_.Last<ListenerUp>()->name, "in");
  EXPECT_THAT(router_.Last<ListenerUp>()->addresses,
              ElementsAre(absl::StrCat("0.0.0.0:", all_.port)));
  EXPECT_TRUE(Opens(absl::StrCat("127.0.0.1:", all_.port)));
}

TEST_F(ListenerThatLostItsPlace, FailsOnceHoweverOftenItTries) {
  router_->DropHeld();
  router_->DropHeld();
  EXPECT_THAT(router_.All<ListenerFailed>(), SizeIs(1));
  ASSERT_TRUE(stranger_->RemoveListener("other").ok());
  router_->DropHeld();
  EXPECT_TRUE(IsUpAgain());
}

TEST_F(ListenerThatLostItsPlace, CannotBeChangedBeforeItHasOne) {
  all_.max_connections = 7;
  EXPECT_EQ(router_->Apply(all_).code(), absl::StatusCode::kFailedPrecondition);
  ASSERT_TRUE(stranger_->RemoveListener("other").ok());
  EXPECT_TRUE(router_->Apply(all_).ok());
  EXPECT_TRUE(IsUpAgain());
}

TEST(Listener, GoesOnWhereItIsWhenThatIsNotInTheWayOfWhatIsToCome) {
  TestRouter router;
  const std::string first = router.Listen();
  ListenerSpec moved = SpecAt("in", first);
  moved.host = "192.0.2.1";  // not of this host
  EXPECT_EQ(router->Hold(moved, {"in"}).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(Opens(first));
  ListenerSpec taken = SpecAt("other", first);
  taken.host = "127.0.0.2";
  ASSERT_TRUE(router->Apply(taken).ok());
  moved.host = taken.host;
  EXPECT_EQ(router->Hold(moved, {"in"}).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(Opens(first));
}

TEST(Listener, NarrowsFromAllAddressesToOneOnTheSamePort) {
  TestRouter router;
  ListenerSpec spec;
  spec.name = "in";
  spec.port = 0;
  ASSERT_TRUE(router->Apply(spec).ok());
  // Port 0 is not a place to come back to, so ask for the one it got.
  spec.port = PortOf(router.Last<ListenerUp>()->addresses[0]);
  ASSERT_TRUE(router->RemoveListener("in").ok());
  ASSERT_TRUE(router->Apply(spec).ok());
  spec.host = "127.0.0.1";
  ASSERT_TRUE(router->Apply(spec).ok());
  EXPECT_TRUE(Opens("127.0.0.1:" + std::to_string(spec.port)));
}

TEST(Listener, IsGoneWhenItIsRemovedButItsConnectionsStay) {
  TestRouter router;
  const std::string address = router.Listen();
  SocketClient client(address);
  ASSERT_TRUE(RunUntil({&client}, [&] { return client->opened(); }));
  ASSERT_TRUE(router->RemoveListener("in").ok());
  EXPECT_EQ(router.Last<ListenerDown>()->name, "in");
  EXPECT_FALSE(SocketClient(address).connected());
  client.Pump();
  EXPECT_FALSE(client.ended());
  EXPECT_EQ(router->RemoveListener("in").code(), absl::StatusCode::kNotFound);
}

TEST(Listener, TurnsAwayThoseAboveItsMaximum) {
  TestRouter router;
  ListenerSpec spec;
  spec.max_connections = 1;
  const std::string address = router.Listen(spec);
  SocketClient first(address);
  ASSERT_TRUE(RunUntil({&first}, [&] { return first->opened(); }));
  SocketClient second(address);
  ASSERT_TRUE(RunUntil({&first, &second}, [&] { return second.ended(); }));
  EXPECT_EQ(router->Counters().connections_refused, 1u);
  first.HangUp();
  ASSERT_TRUE(RunUntil({}, [&] { return router.Last<ConnectionDown>().has_value(); }));
  EXPECT_TRUE(Opens(address));
}

TEST(Listener, NeedsATlsProfileThatExists) {
  TestRouter router;
  ListenerSpec spec;
  spec.name = "tls";
  spec.host = "127.0.0.1";
  spec.port = 0;
  spec.connection.tls_profile = "server";
  EXPECT_EQ(router->Apply(spec), absl::NotFoundError("tls_profile: \"server\" does not exist"));
}

}  // namespace
}  // namespace trunkline::net::test
