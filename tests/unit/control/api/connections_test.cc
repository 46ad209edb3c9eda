#include "control/api/connections.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/config/error_details.h"
#include "live_world.h"

namespace trunkline::api {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;

class ConnectionsTest : public testing::Test, public LiveWorld {
 protected:
  ConnectionsTest()
      : connections_(observing, wall, random,
                     {.clock = [this] { return now; },
                      .close =
                          [this](uint64_t id, const std::string& description) {
                            router.closed.emplace_back(id, description);
                            return close_result_;
                          },
                      .close_link =
                          [this](uint64_t, uint64_t link, const std::string& description) {
                            router.closed_links.emplace_back(link, description);
                            return close_result_;
                          },
                      .switch_link =
                          [this](uint64_t, uint64_t link, LinkSwitch to) {
                            router.switched.emplace_back(link, to);
                            for (LinkState& each : router.links) {
                              if (each.number == link) each.disabled = to == LinkSwitch::kDisabled;
                            }
                            return close_result_;
                          }}) {
    handlers = connections_.MakeHandlers();
  }

  std::shared_ptr<SeenCall> Get(const std::string& name, v1::View view = v1::VIEW_UNSPECIFIED) {
    v1::GetConnectionRequest request;
    request.set_name(name);
    request.set_view(view);
    return Ask("ConnectionService/GetConnection", request);
  }
  std::shared_ptr<SeenCall> List(const v1::ListConnectionsRequest& request) {
    return Ask("ConnectionService/ListConnections", request);
  }
  std::vector<uint64_t> Ids(const v1::ListConnectionsRequest& request) {
    const auto seen = List(request);
    EXPECT_TRUE(seen->status().ok()) << seen->status();
    std::vector<uint64_t> ids;
    for (const auto& row : seen->As<v1::ListConnectionsResponse>().connections()) {
      ids.push_back(row.id());
    }
    return ids;
  }
  std::vector<uint64_t> Found(const std::string& filter) {
    v1::ListConnectionsRequest request;
    request.set_filter(filter);
    return Ids(request);
  }
  std::shared_ptr<SeenCall> Links(const std::string& parent, const std::string& filter = "",
                                  int page_size = 0, const std::string& token = "") {
    v1::ListLinksRequest request;
    request.set_parent(parent);
    request.set_filter(filter);
    request.set_page_size(page_size);
    request.set_page_token(token);
    return Ask("ConnectionService/ListLinks", request);
  }
  static std::vector<uint64_t> LinkIds(const SeenCall& seen) {
    std::vector<uint64_t> ids;
    for (const auto& row : seen.As<v1::ListLinksResponse>().links()) ids.push_back(row.id());
    return ids;
  }

  absl::Status close_result_;
  Connections connections_;
};

void ExpectReason(const absl::Status& status, absl::StatusCode code, const std::string& reason) {
  EXPECT_EQ(status.code(), code) << status;
  EXPECT_EQ(config::ReasonOf(status), reason) << status;
}

// --- one connection

TEST_F(ConnectionsTest, TellsAllThatIsKnownOfOne) {
  ConnectionState state = FakeRouter::Open(17, "producer");
  state.user = "carol";
  state.mechanism = "SCRAM-SHA-256";
  state.tls_profile = "service";
  state.tls_revision = 3;
  state.tls = "TLSv1.3 TLS_AES_256_GCM_SHA384";
  state.peer_subject = "CN=carol";
  state.worker = 2;
  state.sessions = 1;
  state.links_in = 2;
  state.links_out = 3;
  state.bytes_in = 400;
  state.bytes_out = 500;
  state.frames_in = 6;
  state.frames_out = 7;
  state.output_bytes = 800;
  state.output_blocked_at = Time{Seconds(9).ns};
  auto open = std::make_shared<PeerOpen>();
  open->hostname = "east.example";
  open->max_frame_size = 65536;
  open->channel_max = 255;
  open->idle_timeout = Milliseconds(30'500);
  open->offered_capabilities = {"ANONYMOUS-RELAY"};
  open->properties = {{"product", "proton"}, {"pid", int64_t{42}}};
  state.open = open;
  router.connections = {state};
  const auto seen = Get("connections/17");
  ASSERT_TRUE(seen->status().ok()) << seen->status();
  EXPECT_EQ(seen->replies.at(0)->ShortDebugString(),
            "name: \"connections/17\" id: 17 state: STATE_OPEN direction: DIRECTION_IN "
            "owner: \"listeners/amqp\" peer: \"10.0.0.1:4711\" local: \"10.0.0.2:5672\" "
            "container: \"producer\" user: \"carol\" mechanism: \"SCRAM-SHA-256\" "
            "tls { protocol: \"TLSv1.3\" cipher: \"TLS_AES_256_GCM_SHA384\" "
            "tls_profile: \"tlsProfiles/service\" revision: 3 peer_subject: \"CN=carol\" } "
            "open_time { seconds: 1700000005 } worker: 2 "
            "traffic { sessions: 1 incoming_links: 2 outgoing_links: 3 bytes_received: 400 "
            "bytes_sent: 500 frames_received: 6 frames_sent: 7 "
            "last_receive_time { seconds: 1700000005 } last_send_time { seconds: 1700000005 } "
            "output_bytes: 800 stalled_since { seconds: 1700000009 } } "
            "peer_open { hostname: \"east.example\" max_frame_size: 65536 channel_max: 255 "
            "idle_timeout { seconds: 30 nanos: 500000000 } "
            "offered_capabilities: \"ANONYMOUS-RELAY\" "
            "properties { key: \"pid\" value: \"42\" } "
            "properties { key: \"product\" value: \"proton\" } }");
  // Only this one was looked at.
  EXPECT_EQ(router.asked.back().connection, 17u);
}

TEST_F(ConnectionsTest, LeavesOutWhatWasNotAskedFor) {
  ConnectionState state = FakeRouter::Open(1);
  state.open = std::make_shared<PeerOpen>();
  router.connections = {state};
  EXPECT_TRUE(Get("connections/1")->As<v1::Connection>().has_peer_open());
  EXPECT_FALSE(Get("connections/1", v1::VIEW_BASIC)->As<v1::Connection>().has_peer_open());
}

TEST_F(ConnectionsTest, TellsOneThatIsNotOpenYet) {
  ConnectionState state;
  state.id = 3;
  state.owner = "b";
  state.inbound = false;
  router.connections = {state};
  const auto seen = Get("connections/3");
  const auto& row = seen->As<v1::Connection>();
  EXPECT_EQ(row.state(), v1::Connection::STATE_OPENING);
  EXPECT_EQ(row.direction(), v1::Connection::DIRECTION_OUT);
  EXPECT_EQ(row.owner(), "connectors/b");
  EXPECT_FALSE(row.has_open_time());
  EXPECT_FALSE(row.has_tls());
  EXPECT_FALSE(row.traffic().has_last_receive_time());
}

// Clients refuse an answer with one byte that is no UTF-8.
TEST_F(ConnectionsTest, TellsWhatPeersSayAsUtf8) {
  router.connections = {FakeRouter::Open(1, "bad\xff")};
  router.links = {FakeRouter::Attached(1, 5, "a\xc3")};
  EXPECT_EQ(Get("connections/1")->As<v1::Connection>().container(), "bad\xef\xbf\xbd");
  EXPECT_EQ(Links("connections/1")->As<v1::ListLinksResponse>().links(0).address(),
            "a\xef\xbf\xbd");
}

TEST_F(ConnectionsTest, DoesNotKnowOneThatIsNotThere) {
  const auto seen = Get("connections/4");
  ExpectReason(seen->status(), absl::StatusCode::kNotFound, "CONNECTION_NOT_FOUND");
}

TEST_F(ConnectionsTest, RefusesNamesThatAreNone) {
  for (const char* name :
       {"", "connections/", "connections/0", "connections/01", "connections/-1", "connections/x",
        "connections/1/", "links/1", "connections/1/links/2", "connections/99999999999999999999"}) {
    const auto seen = Get(name);
    ExpectReason(seen->status(), absl::StatusCode::kInvalidArgument, "INVALID_NAME");
    EXPECT_THAT(config::ViolationsOf(seen->status()), SizeIs(1));
  }
  EXPECT_THAT(router.asked, IsEmpty());
}

TEST_F(ConnectionsTest, SaysWhenTooManyLook) {
  router.refusal = absl::ResourceExhaustedError("too many");
  ExpectReason(Get("connections/1")->status(), absl::StatusCode::kResourceExhausted,
               "TOO_MANY_OBSERVATIONS");
  ExpectReason(List({})->status(), absl::StatusCode::kResourceExhausted, "TOO_MANY_OBSERVATIONS");
  ExpectReason(Links("connections/-")->status(), absl::StatusCode::kResourceExhausted,
               "TOO_MANY_OBSERVATIONS");
  router.refusal = absl::FailedPreconditionError("stopped");
  ExpectReason(Get("connections/1")->status(), absl::StatusCode::kUnavailable, "STOPPING");
}

TEST_F(ConnectionsTest, ACallerThatHasGoneIsNotAnswered) {
  router.connections = {FakeRouter::Open(1)};
  const auto seen = Do("ConnectionService/ListConnections", v1::ListConnectionsRequest());
  seen->HangUp();
  Answer();
  EXPECT_THAT(seen->replies, IsEmpty());
}

// --- many

TEST_F(ConnectionsTest, ListsInTheOrderInWhichTheyCame) {
  for (const uint64_t id : {10, 9, 2, 1}) router.connections.push_back(FakeRouter::Open(id));
  EXPECT_THAT(Ids({}), ElementsAre(1, 2, 9, 10));
  v1::ListConnectionsRequest request;
  request.set_page_size(3);
  const auto first = List(request);
  request.set_page_token(first->As<v1::ListConnectionsResponse>().next_page_token());
  // One that goes meanwhile moves no other.
  router.connections.erase(router.connections.begin() + 3);
  EXPECT_THAT(Ids(request), ElementsAre(10));
}

TEST_F(ConnectionsTest, FindsByWhatTheyAreAndDo) {
  ConnectionState stalled = FakeRouter::Open(2);
  stalled.output_blocked_at = Time{Seconds(50).ns};
  ConnectionState busy = FakeRouter::Open(3, "busy");
  busy.bytes_in = 1000;
  busy.user = "carol";
  router.connections = {FakeRouter::Open(1), stalled, busy};
  EXPECT_THAT(Found("traffic.stalled_since:*"), ElementsAre(2));
  EXPECT_THAT(Found("traffic.bytes_received > 999"), ElementsAre(3));
  EXPECT_THAT(Found("user = carol"), ElementsAre(3));
  EXPECT_THAT(Found("owner = \"listeners/amqp\" AND direction = in AND state = open"),
              ElementsAre(1, 2, 3));
  v1::ListConnectionsRequest request;
  request.set_order_by("traffic.bytes_received desc, id");
  EXPECT_THAT(Ids(request), ElementsAre(3, 1, 2));
  request.set_order_by("nothing");
  EXPECT_EQ(List(request)->status().code(), absl::StatusCode::kInvalidArgument);
}

// What only VIEW_FULL tells is looked at where the filter wants it, and not told.
TEST_F(ConnectionsTest, FindsByPropertiesOfThePeer) {
  ConnectionState proton = FakeRouter::Open(1);
  auto open = std::make_shared<PeerOpen>();
  open->properties = {{"product", "proton"}};
  proton.open = open;
  router.connections = {proton, FakeRouter::Open(2)};
  EXPECT_THAT(Found("peer_open.properties.product = proton"), ElementsAre(1));
  v1::ListConnectionsRequest request;
  EXPECT_FALSE(List(request)->As<v1::ListConnectionsResponse>().connections(0).has_peer_open());
  EXPECT_FALSE(router.asked.back().peer_opens);
  request.set_view(v1::VIEW_FULL);
  EXPECT_TRUE(List(request)->As<v1::ListConnectionsResponse>().connections(0).has_peer_open());
}

// --- links

TEST_F(ConnectionsTest, TellsAllThatIsKnownOfALink) {
  LinkState link = FakeRouter::Attached(1, 33, "orders", false);
  link.worker = 1;
  link.capacity = 250;
  link.credit = 0;
  link.no_credit_since = Time{Seconds(7).ns};
  link.blocked = true;
  link.waiting = LinkState::Waiting::kCredit;
  link.undelivered = 2;
  link.unsettled = 3;
  link.held_bytes = 4;
  link.stuck = 5;
  link.deliveries = 60;
  link.presettled = 7;
  link.dropped = 8;
  link.accepted = 9;
  link.rejected = 10;
  link.released = 11;
  link.modified = 12;
  link.delayed_1s = 13;
  link.delayed_10s = 14;
  router.connections = {FakeRouter::Open(1)};
  router.links = {link};
  v1::GetLinkRequest request;
  request.set_name("connections/1/links/33");
  EXPECT_EQ(Ask("ConnectionService/GetLink", request)->replies.at(0)->ShortDebugString(),
            "name: \"connections/1/links/33\" id: 33 connection_id: 1 direction: DIRECTION_OUT "
            "link_name: \"link\" address: \"orders\" key: \"M0orders\" worker: 1 capacity: 250 "
            "no_credit_since { seconds: 1700000007 } blocked: true waiting: WAITING_CREDIT "
            "undelivered: 2 unsettled: 3 held_bytes: 4 stuck: 5 deliveries: 60 presettled: 7 "
            "dropped: 8 accepted: 9 rejected: 10 released: 11 modified: 12 delayed_1s: 13 "
            "delayed_10s: 14 state: STATE_ENABLED");
}

TEST_F(ConnectionsTest, ListsLinksOfOneConnectionOrOfAll) {
  router.connections = {FakeRouter::Open(2), FakeRouter::Open(10)};
  router.links = {FakeRouter::Attached(10, 1, "a"), FakeRouter::Attached(2, 7, "a", false),
                  FakeRouter::Attached(2, 5, "b")};
  EXPECT_THAT(LinkIds(*Links("connections/2")), ElementsAre(5, 7));
  EXPECT_THAT(LinkIds(*Links("connections/-")), ElementsAre(5, 7, 1));
  EXPECT_THAT(LinkIds(*Links("connections/-", "address = a AND direction = out")), ElementsAre(7));
  ExpectReason(Links("connections/3")->status(), absl::StatusCode::kNotFound,
               "CONNECTION_NOT_FOUND");
  ExpectReason(Links("")->status(), absl::StatusCode::kInvalidArgument, "INVALID_NAME");
}

TEST_F(ConnectionsTest, PagesThroughAThousandLinks) {
  router.connections = {FakeRouter::Open(1)};
  for (uint64_t i = 1000; i > 0; --i) router.links.push_back(FakeRouter::Attached(1, i, "a"));
  std::vector<uint64_t> all;
  std::string token;
  size_t pages = 0;
  do {
    const auto seen = Links("connections/-", "", 300, token);
    ASSERT_TRUE(seen->status().ok()) << seen->status();
    for (const uint64_t id : LinkIds(*seen)) all.push_back(id);
    token = seen->As<v1::ListLinksResponse>().next_page_token();
    ++pages;
  } while (!token.empty());
  EXPECT_EQ(pages, 4u);
  ASSERT_THAT(all, SizeIs(1000));
  for (size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i], i + 1);
}

TEST_F(ConnectionsTest, DoesNotKnowALinkThatIsNotThere) {
  router.connections = {FakeRouter::Open(1)};
  v1::GetLinkRequest request;
  request.set_name("connections/1/links/5");
  ExpectReason(Ask("ConnectionService/GetLink", request)->status(), absl::StatusCode::kNotFound,
               "LINK_NOT_FOUND");
  request.set_name("connections/2/links/5");
  ExpectReason(Ask("ConnectionService/GetLink", request)->status(), absl::StatusCode::kNotFound,
               "CONNECTION_NOT_FOUND");
  for (const char* name : {"connections/1", "connections/1/links/", "connections/1/links/0",
                           "connections/1/links/5/links/5", "connections/-/links/5"}) {
    request.set_name(name);
    ExpectReason(Ask("ConnectionService/GetLink", request)->status(),
                 absl::StatusCode::kInvalidArgument, "INVALID_NAME");
  }
}

// --- the end of them

TEST_F(ConnectionsTest, ClosesAConnectionAndTellsWhatItWas) {
  router.connections = {FakeRouter::Open(1, "old")};
  v1::CloseConnectionRequest request;
  request.set_name("connections/1");
  request.set_description("go away");
  const auto seen = Ask("ConnectionService/CloseConnection", request);
  ASSERT_TRUE(seen->status().ok()) << seen->status();
  EXPECT_EQ(seen->As<v1::CloseConnectionResponse>().connection().container(), "old");
  EXPECT_THAT(router.closed, ElementsAre(Pair(1, "go away")));
  request.clear_description();
  Ask("ConnectionService/CloseConnection", request);
  EXPECT_EQ(router.closed.back().second, "closed by an operator");
}

TEST_F(ConnectionsTest, ClosesOnceWhatIsAskedForTwice) {
  router.connections = {FakeRouter::Open(1)};
  v1::CloseConnectionRequest request;
  request.set_name("connections/1");
  request.set_request_id("6fa459ea-ee8a-3ca4-894e-db77e160355e");
  const auto first = Do("ConnectionService/CloseConnection", request);
  const auto second = Do("ConnectionService/CloseConnection", request);
  Answer();
  router.connections.clear();
  const auto third = Ask("ConnectionService/CloseConnection", request);
  for (const auto& each : {first, second, third}) {
    ASSERT_TRUE(each->status().ok()) << each->status();
    EXPECT_EQ(each->As<v1::CloseConnectionResponse>().connection().id(), 1u);
  }
  EXPECT_THAT(router.closed, SizeIs(1));
}

TEST_F(ConnectionsTest, SaysWhatCannotBeClosed) {
  v1::CloseConnectionRequest request;
  request.set_name("connections/1");
  ExpectReason(Ask("ConnectionService/CloseConnection", request)->status(),
               absl::StatusCode::kNotFound, "CONNECTION_NOT_FOUND");
  // It goes between the look and the close.
  router.connections = {FakeRouter::Open(1)};
  close_result_ = absl::NotFoundError("gone");
  ExpectReason(Ask("ConnectionService/CloseConnection", request)->status(),
               absl::StatusCode::kNotFound, "CONNECTION_NOT_FOUND");
  router.closed.clear();
  close_result_ = absl::OkStatus();
  request.set_description(std::string(1024, 'x'));
  EXPECT_TRUE(Ask("ConnectionService/CloseConnection", request)->status().ok());
  request.set_description(std::string(1025, 'x'));
  ExpectReason(Ask("ConnectionService/CloseConnection", request)->status(),
               absl::StatusCode::kInvalidArgument, "INVALID_FIELD");
  request.set_description("a\nb\x01");
  ExpectReason(Ask("ConnectionService/CloseConnection", request)->status(),
               absl::StatusCode::kInvalidArgument, "INVALID_FIELD");
  EXPECT_THAT(router.closed, SizeIs(1));
}

TEST_F(ConnectionsTest, ClosesALinkAndTellsWhatItWas) {
  router.connections = {FakeRouter::Open(1)};
  router.links = {FakeRouter::Attached(1, 5, "orders")};
  v1::CloseLinkRequest request;
  request.set_name("connections/1/links/5");
  const auto seen = Ask("ConnectionService/CloseLink", request);
  ASSERT_TRUE(seen->status().ok()) << seen->status();
  EXPECT_EQ(seen->As<v1::CloseLinkResponse>().link().address(), "orders");
  EXPECT_THAT(router.closed_links, ElementsAre(Pair(5, "detached by an operator")));
  request.set_name("connections/1/links/6");
  ExpectReason(Ask("ConnectionService/CloseLink", request)->status(), absl::StatusCode::kNotFound,
               "LINK_NOT_FOUND");
  EXPECT_THAT(router.closed_links, SizeIs(1));
}

// --- links that are disabled

TEST_F(ConnectionsTest, SwitchesALinkAndTellsWhatItIs) {
  router.connections = {FakeRouter::Open(1)};
  router.links = {FakeRouter::Attached(1, 5, "orders"), FakeRouter::Attached(1, 6, "orders")};
  router.links[0].waiting = LinkState::Waiting::kDisabled;
  v1::SetLinkStateRequest request;
  request.set_name("connections/1/links/5");
  request.set_state(v1::Link::STATE_DISABLED);
  const auto seen = Ask("ConnectionService/SetLinkState", request);
  EXPECT_THAT(router.switched, ElementsAre(Pair(5, LinkSwitch::kDisabled)));
  EXPECT_FALSE(seen->end.has_value()) << "it is looked at again";
  Answer();
  ASSERT_TRUE(seen->status().ok()) << seen->status();
  const v1::Link& link = seen->As<v1::SetLinkStateResponse>().link();
  EXPECT_EQ(link.state(), v1::Link::STATE_DISABLED);
  EXPECT_EQ(link.waiting(), v1::Link::WAITING_DISABLED);
  EXPECT_THAT(LinkIds(*Links("connections/-", "state = disabled")), ElementsAre(5));
  EXPECT_THAT(LinkIds(*Links("connections/-", "state = enabled")), ElementsAre(6));
  request.set_state(v1::Link::STATE_ENABLED);
  const auto again = Ask("ConnectionService/SetLinkState", request);
  Answer();
  ASSERT_TRUE(again->status().ok()) << again->status();
  EXPECT_EQ(again->As<v1::SetLinkStateResponse>().link().state(), v1::Link::STATE_ENABLED);
  EXPECT_EQ(router.switched.back(), std::make_pair(uint64_t{5}, LinkSwitch::kEnabled));
}

TEST_F(ConnectionsTest, SwitchesOnceWhatIsAskedForTwice) {
  router.connections = {FakeRouter::Open(1)};
  router.links = {FakeRouter::Attached(1, 5, "orders")};
  v1::SetLinkStateRequest request;
  request.set_name("connections/1/links/5");
  request.set_state(v1::Link::STATE_DISABLED);
  request.set_request_id("6fa459ea-ee8a-3ca4-894e-db77e160355e");
  const auto first = Ask("ConnectionService/SetLinkState", request);
  Answer();
  const auto second = Ask("ConnectionService/SetLinkState", request);
  EXPECT_TRUE(first->status().ok());
  EXPECT_TRUE(second->status().ok());
  EXPECT_THAT(router.switched, SizeIs(1));
}

TEST_F(ConnectionsTest, SaysWhatCannotBeSwitched) {
  router.connections = {FakeRouter::Open(1)};
  v1::SetLinkStateRequest request;
  request.set_name("connections/1/links/5");
  const auto refused = [&](absl::StatusCode code, const char* reason) {
    const auto seen = Ask("ConnectionService/SetLinkState", request);
    Answer();
    ExpectReason(seen->status(), code, reason);
  };
  refused(absl::StatusCode::kInvalidArgument, "INVALID_FIELD");
  request.set_state(static_cast<v1::Link::State>(7));
  refused(absl::StatusCode::kInvalidArgument, "INVALID_FIELD");
  request.set_state(v1::Link::STATE_DISABLED);
  refused(absl::StatusCode::kNotFound, "LINK_NOT_FOUND");
  request.set_name("connections/1");
  refused(absl::StatusCode::kInvalidArgument, "INVALID_NAME");
  request.set_name("connections/2/links/5");
  refused(absl::StatusCode::kNotFound, "CONNECTION_NOT_FOUND");
  EXPECT_THAT(router.switched, testing::IsEmpty());
  // The connection goes between the look and the switch; the link between the two looks.
  router.links = {FakeRouter::Attached(1, 5, "orders")};
  request.set_name("connections/1/links/5");
  close_result_ = absl::NotFoundError("gone");
  refused(absl::StatusCode::kNotFound, "CONNECTION_NOT_FOUND");
  close_result_ = absl::OkStatus();
  const auto seen = Ask("ConnectionService/SetLinkState", request);
  router.links.clear();
  Answer();
  ExpectReason(seen->status(), absl::StatusCode::kNotFound, "LINK_NOT_FOUND");
}

}  // namespace
}  // namespace trunkline::api
