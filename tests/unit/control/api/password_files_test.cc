// Who may have a file of the router's sent to a host as a password.
#include "control/api/password_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/config/error_details.h"
#include "crud_world.h"
#include "proto/trunkline/control/v1/connector_service.pb.h"

namespace trunkline::api {
namespace {

using ::testing::HasSubstr;

constexpr auto kOperator = v1::ACCESS_ROLE_OPERATOR;
constexpr auto kAdmin = v1::ACCESS_ROLE_ADMIN;

class PasswordFiles : public ::testing::Test {
 protected:
  // A change of connector "c" by its spec as text; an empty mask: it is created.
  absl::Status Do(v1::AccessRole role, const std::string& spec, const std::string& mask = "",
                  const std::string& labels = "") {
    v1::CreateConnectorRequest create;
    create.set_connector_id("c");
    v1::UpdateConnectorRequest update;
    update.mutable_update_mask()->add_paths(mask);
    update.mutable_connector()->set_name("connectors/c");
    v1::Connector& connector =
        mask.empty() ? *create.mutable_connector() : *update.mutable_connector();
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(spec, connector.mutable_spec()));
    if (!labels.empty()) (*connector.mutable_labels())["team"] = labels;
    return mask.empty() ? Ask("CreateConnector", create, role)
                        : Ask("UpdateConnector", update, role);
  }
  absl::Status Ask(const std::string& name, const google::protobuf::Message& request,
                   v1::AccessRole role) {
    const Method& method = *world_.methods.Find("/trunkline.control.v1.ConnectorService/" + name);
    auto copy = method.NewRequest();
    copy->CopyFrom(request);
    return world_.Do(method, std::move(copy), "somebody", role)->status();
  }
  CrudWorld world_;
};

constexpr char kWithFile[] = "host: 'h' sasl_user: 'u' sasl_password_file: '/etc/shadow'";

TEST_F(PasswordFiles, AreForAdminsToName) {
  const absl::Status denied = Do(kOperator, kWithFile);
  EXPECT_EQ(denied.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(config::ReasonOf(denied), "ROLE_REQUIRED");
  EXPECT_EQ(config::ViolationsOf(denied).at(0).field, "connector.spec.sasl_password_file");
  EXPECT_THAT(std::string(denied.message()), HasSubstr("an admin has to make and change"));
  EXPECT_TRUE(world_.store.made().connectors.empty());
  EXPECT_TRUE(Do(kOperator, "host: 'h'").ok());
  EXPECT_EQ(Do(kOperator, kWithFile, "spec").code(), absl::StatusCode::kPermissionDenied);
  EXPECT_TRUE(Do(kAdmin, kWithFile, "spec").ok());
}

TEST_F(PasswordFiles, GoToNoOtherHostThanTheAdminHasChosen) {
  ASSERT_TRUE(Do(kAdmin, kWithFile).ok());
  for (const char* mask : {"spec.host", "spec.port", "spec.sasl_mechanisms",
                           "spec.allow_insecure_plain", "spec.sasl_password_file"}) {
    const absl::Status denied =
        Do(kOperator,
           "host: 'mine' port: 1 sasl_mechanisms: 'PLAIN' allow_insecure_plain: true "
           "sasl_password_file: '/other'",
           mask);
    EXPECT_EQ(denied.code(), absl::StatusCode::kPermissionDenied) << mask << denied;
  }
  EXPECT_EQ(world_.store.made().connectors.at("c").spec().host(), "h");
}

TEST_F(PasswordFiles, LeaveOperatorsTheRest) {
  ASSERT_TRUE(Do(kAdmin, kWithFile).ok());
  EXPECT_TRUE(Do(kOperator, "enabled: false", "spec.enabled").ok());
  EXPECT_FALSE(world_.store.made().connectors.at("c").spec().enabled());
  EXPECT_TRUE(Do(kOperator, "", "labels", "billing").ok());
  v1::DeleteConnectorRequest request;
  request.set_name("connectors/c");
  EXPECT_TRUE(Ask("DeleteConnector", request, kOperator).ok());
  EXPECT_TRUE(world_.store.made().connectors.empty());
}

}  // namespace
}  // namespace trunkline::api
