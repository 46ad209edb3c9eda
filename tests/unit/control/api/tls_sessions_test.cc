#include "control/api/tls_sessions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/api/connections_rows.h"
#include "control/config/error_details.h"
#include "live_world.h"

namespace trunkline::api {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

// Profiles "filed", of which revision 3 is in force, and "idle", of which none is.
class TlsSessionsTest : public testing::Test, public LiveWorld {
 protected:
  TlsSessionsTest()
      : sessions_(observing, wall,
                  {.document = [this]() -> const config::Document& { return document_; },
                   .revision = [](const std::string& id) { return id == "filed" ? 3 : 0; }}) {
    handlers = sessions_.MakeHandlers();
    for (const char* id : {"filed", "idle"}) document_.tls_profiles[id];
  }

  static ConnectionState Secure(uint64_t id, const std::string& profile, uint64_t revision) {
    ConnectionState state = FakeRouter::Open(id);
    state.tls_profile = profile;
    state.tls_revision = revision;
    state.tls = "TLSv1.3 TLS_AES_256_GCM_SHA384";
    return state;
  }

  std::shared_ptr<SeenCall> List(const v1::ListTlsSessionsRequest& request) {
    return Ask("TlsService/ListTlsSessions", request);
  }
  static v1::ListTlsSessionsRequest Of(const std::string& parent, const std::string& filter = "") {
    v1::ListTlsSessionsRequest request;
    request.set_parent(parent);
    request.set_filter(filter);
    return request;
  }
  std::vector<uint64_t> Ids(const v1::ListTlsSessionsRequest& request) {
    const auto seen = List(request);
    EXPECT_TRUE(seen->status().ok()) << seen->status();
    std::vector<uint64_t> ids;
    if (!seen->status().ok()) return ids;
    for (const auto& row : seen->As<v1::ListTlsSessionsResponse>().tls_sessions()) {
      ids.push_back(row.connection_id());
    }
    return ids;
  }
  // The field that is wrong.
  std::string Refused(const v1::ListTlsSessionsRequest& request, absl::StatusCode code) {
    const absl::Status status = List(request)->status();
    EXPECT_EQ(status.code(), code) << status;
    const auto violations = config::ViolationsOf(status);
    return violations.size() == 1 ? violations[0].field : "";
  }

  config::Document document_;
  TlsSessions sessions_;
};

TEST_F(TlsSessionsTest, TellsAllThatIsKnownOfOne) {
  ConnectionState state = Secure(7, "filed", 2);
  state.user = "carol";
  state.peer_subject = "CN=carol";
  state.inbound = false;
  state.owner = "broker";
  router.connections = {state};
  const auto seen = List(Of("tlsProfiles/filed"));
  ASSERT_TRUE(seen->status().ok()) << seen->status();
  EXPECT_EQ(seen->replies.at(0)->ShortDebugString(),
            "tls_sessions { name: \"connections/7\" tls_profile: \"tlsProfiles/filed\" revision: 2 "
            "protocol: \"TLSv1.3\" cipher: \"TLS_AES_256_GCM_SHA384\" peer_subject: \"CN=carol\" "
            "peer: \"10.0.0.1:4711\" owner: \"connectors/broker\" container: \"client\" "
            "user: \"carol\" open_time { seconds: 1700000005 } connection_id: 7 }");
}

TEST_F(TlsSessionsTest, IsActiveWithTheRevisionThatHandshakesUse) {
  router.connections = {Secure(1, "filed", 2), Secure(2, "filed", 3), Secure(3, "gone", 3)};
  EXPECT_THAT(Ids(Of("tlsProfiles/-", "active = true")), ElementsAre(2));
  EXPECT_THAT(Ids(Of("tlsProfiles/-", "active = false")), ElementsAre(1, 3));
}

TEST_F(TlsSessionsTest, LeavesOutPlaintextAndHandshakesThatAreNotDone) {
  ConnectionState begun = Secure(2, "filed", 3);
  begun.phase = ConnectionState::Phase::kHandshake;
  begun.tls.clear();
  ConnectionState unopened = Secure(3, "filed", 3);
  unopened.phase = ConnectionState::Phase::kHandshake;
  unopened.opened = kNever;
  unopened.container_id.clear();
  router.connections = {FakeRouter::Open(1), begun, unopened};
  const auto seen = List(Of("tlsProfiles/-"));
  ASSERT_TRUE(seen->status().ok()) << seen->status();
  const auto& reply = seen->As<v1::ListTlsSessionsResponse>();
  ASSERT_THAT(reply.tls_sessions(), SizeIs(1));
  EXPECT_EQ(reply.tls_sessions(0).connection_id(), 3u);
  EXPECT_FALSE(reply.tls_sessions(0).has_open_time());
}

TEST_F(TlsSessionsTest, ListsThoseOfOneProfileOrOfAllInTheOrderInWhichTheyCame) {
  router.connections = {Secure(10, "filed", 3), Secure(9, "gone", 1), Secure(2, "filed", 1)};
  EXPECT_THAT(Ids(Of("tlsProfiles/filed")), ElementsAre(2, 10));
  EXPECT_THAT(Ids(Of("tlsProfiles/idle")), IsEmpty());
  EXPECT_THAT(Ids(Of("tlsProfiles/-")), ElementsAre(2, 9, 10));
}

TEST_F(TlsSessionsTest, FindsAndOrdersByWhatTheyAre) {
  ConnectionState old = Secure(3, "filed", 3);
  old.tls = "TLSv1.2 ECDHE-RSA-AES256-GCM-SHA384";
  router.connections = {Secure(1, "filed", 3), Secure(2, "filed", 1), old};
  EXPECT_THAT(Ids(Of("tlsProfiles/filed", "revision < 3")), ElementsAre(2));
  EXPECT_THAT(Ids(Of("tlsProfiles/filed", "protocol = \"TLSv1.2\"")), ElementsAre(3));
  auto request = Of("tlsProfiles/filed");
  request.set_order_by("revision, connection_id desc");
  EXPECT_THAT(Ids(request), ElementsAre(2, 3, 1));
}

TEST_F(TlsSessionsTest, TellsThemInPages) {
  for (const uint64_t id : {10, 9, 2, 1}) router.connections.push_back(Secure(id, "filed", 3));
  auto request = Of("tlsProfiles/filed");
  request.set_page_size(3);
  const auto first = List(request);
  EXPECT_THAT(first->As<v1::ListTlsSessionsResponse>().tls_sessions(), SizeIs(3));
  request.set_page_token(first->As<v1::ListTlsSessionsResponse>().next_page_token());
  router.connections.push_back(Secure(11, "filed", 3));
  EXPECT_THAT(Ids(request), ElementsAre(10, 11));
  request.set_filter("active = true");
  EXPECT_EQ(Refused(request, absl::StatusCode::kInvalidArgument), "page_token");
}

TEST_F(TlsSessionsTest, SaysWhatIsWrongWithARequest) {
  const auto kInvalid = absl::StatusCode::kInvalidArgument;
  for (const char* parent : {"", "filed", "tlsProfiles/", "listeners/filed"}) {
    EXPECT_EQ(Refused(Of(parent), kInvalid), "parent") << parent;
  }
  EXPECT_EQ(Refused(Of("tlsProfiles/-", "certificate = x"), kInvalid), "filter");
  auto request = Of("tlsProfiles/-");
  request.set_order_by("nothing");
  EXPECT_EQ(Refused(request, kInvalid), "order_by");
  EXPECT_THAT(router.asked, IsEmpty());
}

TEST_F(TlsSessionsTest, DoesNotKnowAProfileThatThereIsNot) {
  const absl::Status status = List(Of("tlsProfiles/filled"))->status();
  EXPECT_EQ(status.message(), "there is no TLS profile \"filled\"; did you mean \"filed\"?");
  EXPECT_EQ(config::ReasonOf(status), "TLS_PROFILE_NOT_FOUND");
  EXPECT_EQ(Refused(Of("tlsProfiles/filled"), absl::StatusCode::kNotFound), "parent");
}

TEST_F(TlsSessionsTest, SaysWhenTheRouterIsAskedTooMuch) {
  router.refusal = absl::ResourceExhaustedError("16 are under way");
  EXPECT_EQ(config::ReasonOf(List(Of("tlsProfiles/-"))->status()), "TOO_MANY_OBSERVATIONS");
}

TEST_F(TlsSessionsTest, ACallerThatHasGoneIsNotAnswered) {
  router.connections = {Secure(1, "filed", 3)};
  const auto seen = Do("TlsService/ListTlsSessions", Of("tlsProfiles/-"));
  seen->HangUp();
  Answer();
  EXPECT_THAT(seen->replies, IsEmpty());
}

}  // namespace
}  // namespace trunkline::api
