#include "control/api/connector_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/api/method_table.h"
#include "control/config/error_details.h"

namespace trunkline::api {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// A service whose router notes what it is told.
class ConnectorServiceTest : public testing::Test {
 protected:
  ConnectorServiceTest() : service_(MakeHooks()), handlers_(service_.MakeHandlers()) {
    document_.connectors["broker"].set_name("connectors/broker");
    document_.connectors["broker"].mutable_spec()->set_host("h");
    status_.set_state(v1::ConnectorStatus::STATE_BACKOFF);
  }

  ConnectorService::Hooks MakeHooks() {
    ConnectorService::Hooks hooks;
    hooks.document = [this]() -> const config::Document& { return document_; };
    hooks.fill_status = [this](v1::Connector& connector) { *connector.mutable_status() = status_; };
    hooks.dial = [this](const std::string& id) {
      done_.push_back("dial " + id);
      return answer_;
    };
    hooks.close = [this](const std::string& connection, const std::string& reason) {
      done_.push_back("close " + connection + ": " + reason);
      return answer_;
    };
    hooks.test = [this](const v1::Connector& connector, const std::string& path, Duration limit,
                        ConnectorService::Tested done) {
      done_.push_back("test " + connector.spec().host() + " [" + path + "] " +
                      std::to_string(limit.milliseconds()));
      tested_ = std::move(done);
      return answer_;
    };
    return hooks;
  }

  void Ask(const std::string& name, const google::protobuf::Message& request) {
    const Method& method = *table_.Find("/trunkline.control.v1.ConnectorService/" + name);
    auto copy = method.NewRequest();
    copy->CopyFrom(request);
    handlers_.at("ConnectorService/" + name)(std::make_shared<Call>(
        method, std::move(copy), Caller{"local", role_},
        Call::Exits{.write = [this](const auto& m) { replies_.push_back(m.ShortDebugString()); },
                    .finish = [this](const absl::Status& status) { end_ = status; }}));
  }
  void Connect(const std::string& name) {
    v1::ConnectConnectorRequest request;
    request.set_name(name);
    Ask("ConnectConnector", request);
  }
  void Disconnect(const std::string& name, const std::string& reason = "") {
    v1::DisconnectConnectorRequest request;
    request.set_name(name);
    request.set_reason(reason);
    Ask("DisconnectConnector", request);
  }

  const MethodTable table_;
  config::Document document_;
  v1::ConnectorStatus status_;
  absl::Status answer_;  // of all hooks
  v1::AccessRole role_ = v1::ACCESS_ROLE_OPERATOR;
  std::vector<std::string> done_;
  ConnectorService::Tested tested_;
  ConnectorService service_;
  Handlers handlers_;
  std::vector<std::string> replies_;
  absl::Status end_ = absl::UnknownError("not ended");
};

TEST_F(ConnectorServiceTest, DialsOneThatWaits) {
  Connect("connectors/broker");
  EXPECT_TRUE(end_.ok()) << end_;
  EXPECT_THAT(done_, ElementsAre("dial broker"));
  EXPECT_THAT(replies_, ElementsAre("name: \"connectors/broker\" spec { host: \"h\" } "
                                    "status { state: STATE_BACKOFF }"));
}

TEST_F(ConnectorServiceTest, LeavesOneThatIsConnected) {
  status_.set_state(v1::ConnectorStatus::STATE_OPEN);
  Connect("connectors/broker");
  EXPECT_TRUE(end_.ok()) << end_;
  EXPECT_THAT(done_, IsEmpty());
}

TEST_F(ConnectorServiceTest, DialsNoneThatIsSwitchedOff) {
  document_.connectors["broker"].mutable_spec()->set_enabled(false);
  Connect("connectors/broker");
  EXPECT_EQ(end_.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(config::ReasonOf(end_), "CONNECTOR_DISABLED");
  EXPECT_THAT(done_, IsEmpty());
}

TEST_F(ConnectorServiceTest, TellsWhyItCannotDial) {
  answer_ = absl::FailedPreconditionError("the router is draining");
  Connect("connectors/broker");
  EXPECT_EQ(end_.message(), "the router is draining");
  EXPECT_EQ(config::ReasonOf(end_), "CANNOT_DIAL");
}

TEST_F(ConnectorServiceTest, KnowsOnlyConnectors) {
  Connect("connectors/other");
  EXPECT_EQ(config::ReasonOf(end_), "CONNECTOR_NOT_FOUND");
  Disconnect("listeners/broker");
  EXPECT_EQ(end_.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(done_, IsEmpty());
}

TEST_F(ConnectorServiceTest, ClosesTheConnectionThatThereIs) {
  Disconnect("connectors/broker", "no connection");
  status_.set_connection("connections/7");
  Disconnect("connectors/broker");
  Disconnect("connectors/broker", "maintenance");
  EXPECT_THAT(done_, ElementsAre("close connections/7: closed by an operator",
                                 "close connections/7: maintenance"));
  answer_ = absl::NotFoundError("it has ended");
  Disconnect("connectors/broker");
  EXPECT_TRUE(end_.ok()) << end_;
  EXPECT_EQ(replies_.size(), 4u);
}

TEST_F(ConnectorServiceTest, TakesAReasonOf256Bytes) {
  status_.set_connection("connections/7");
  Disconnect("connectors/broker", std::string(256, 'r'));
  EXPECT_TRUE(end_.ok()) << end_;
  Disconnect("connectors/broker", std::string(257, 'r'));
  ASSERT_EQ(end_.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(config::ViolationsOf(end_).front().field, "reason");
}

TEST_F(ConnectorServiceTest, TestsByNameOrSpec) {
  v1::TestConnectorRequest request;
  Ask("TestConnector", request);
  EXPECT_EQ(end_.code(), absl::StatusCode::kInvalidArgument);
  request.set_name("connectors/other");
  Ask("TestConnector", request);
  EXPECT_EQ(end_.code(), absl::StatusCode::kNotFound);
  request.set_name("connectors/broker");
  Ask("TestConnector", request);
  request.mutable_spec()->set_host("inline");
  request.mutable_timeout()->set_seconds(50);
  Ask("TestConnector", request);
  EXPECT_THAT(done_, ElementsAre("test h [] 10000", "test inline [spec] 50000"));
  v1::TestConnectorResponse result;
  result.set_ok(true);
  tested_(result);
  EXPECT_TRUE(end_.ok()) << end_;
  EXPECT_THAT(replies_, ElementsAre("ok: true"));
}

TEST_F(ConnectorServiceTest, TestsWithinLimits) {
  v1::TestConnectorRequest request;
  request.set_name("connectors/broker");
  for (const auto& [seconds, nanos] :
       std::vector<std::pair<int64_t, int32_t>>{{0, 0}, {0, 99'000'000}, {51, 0}, {-1, 0}}) {
    request.mutable_timeout()->set_seconds(seconds);
    request.mutable_timeout()->set_nanos(nanos);
    Ask("TestConnector", request);
    ASSERT_EQ(end_.code(), absl::StatusCode::kInvalidArgument) << seconds;
    EXPECT_EQ(config::ViolationsOf(end_).front().field, "timeout");
  }
  EXPECT_THAT(done_, IsEmpty());
}

TEST_F(ConnectorServiceTest, TellsWhyItCannotTest) {
  answer_ = config::WithReason(absl::ResourceExhaustedError("full"), "TOO_MANY_TESTS");
  v1::TestConnectorRequest request;
  request.set_name("connectors/broker");
  Ask("TestConnector", request);
  EXPECT_EQ(config::ReasonOf(end_), "TOO_MANY_TESTS");
}

TEST_F(ConnectorServiceTest, SendsAFileAsAPasswordForAdminsAlone) {
  v1::TestConnectorRequest request;
  request.mutable_spec()->set_host("mine");
  request.mutable_spec()->set_sasl_password_file("/etc/shadow");
  Ask("TestConnector", request);
  EXPECT_EQ(end_.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(config::ReasonOf(end_), "ROLE_REQUIRED");
  EXPECT_EQ(config::ViolationsOf(end_).at(0).field, "spec.sasl_password_file");
  EXPECT_THAT(done_, IsEmpty());
  role_ = v1::ACCESS_ROLE_ADMIN;
  Ask("TestConnector", request);
  EXPECT_THAT(done_, ElementsAre("test mine [spec] 10000"));
  tested_({});
  EXPECT_TRUE(end_.ok()) << end_;
}

}  // namespace
}  // namespace trunkline::api
