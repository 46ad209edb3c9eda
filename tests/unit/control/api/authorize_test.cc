#include "control/api/authorize.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/config/error_details.h"
#include "proto/google/rpc/error_details.pb.h"

namespace trunkline::api {
namespace {

using testing::HasSubstr;
using testing::Pair;
using testing::UnorderedElementsAre;

Policy Parsed(std::string_view text) {
  auto policy = Policy::Parse(text, "policy.yaml");
  EXPECT_TRUE(policy.ok()) << policy.status();
  return policy.ok() ? *policy : Policy();
}

std::string ErrorOf(std::string_view text) {
  return std::string(Policy::Parse(text, "policy.yaml").status().message());
}

TEST(Identity, IsTheFirstOfSpiffeUriDnsAndCommonName) {
  CertificateNames names = {.uris = {"https://a", "spiffe://x/ns/a", "spiffe://y"},
                            .dns = {"Host.Example", "other"},
                            .common_name = "me"};
  EXPECT_EQ(IdentityOf(names), "spiffe://x/ns/a");
  names.uris = {"https://a", "https://b"};
  EXPECT_EQ(IdentityOf(names), "uri:https://a");
  names.uris = {};
  EXPECT_EQ(IdentityOf(names), "dns:host.example");
  names.dns = {};
  EXPECT_EQ(IdentityOf(names), "cn:me");
  names.common_name = "";
  EXPECT_EQ(IdentityOf(names), "");
}

TEST(Identity, CannotPassForAnother) {
  EXPECT_EQ(IdentityOf({.common_name = "local"}), "cn:local");
  EXPECT_EQ(IdentityOf({.common_name = "spiffe://x"}), "cn:spiffe://x");
  EXPECT_EQ(IdentityOf({.uris = {"dns:a"}}), "uri:dns:a");
}

TEST(Identity, NamesThatAreNotCleanTextDoNotCount) {
  EXPECT_EQ(IdentityOf({.common_name = "a\nb"}), "");
  EXPECT_EQ(IdentityOf({.common_name = std::string("a\0b", 3)}), "");
  EXPECT_EQ(IdentityOf({.common_name = "\xff"}), "");
  EXPECT_EQ(IdentityOf({.uris = {"spiffe://\x7f"}, .dns = {"a"}}), "dns:a");
  EXPECT_EQ(IdentityOf({.common_name = std::string(kIdentityBytesMax, 'a')}).size(),
            kIdentityBytesMax + 3);
  EXPECT_EQ(IdentityOf({.common_name = std::string(kIdentityBytesMax + 1, 'a')}), "");
}

TEST(Policy, WithoutAFileEverybodyIsAViewer) {
  EXPECT_EQ(Policy().RoleOf("cn:anybody"), v1::ACCESS_ROLE_VIEWER);
}

TEST(Policy, GivesTheHighestRoleOfTheListsThatMatch) {
  const Policy policy = Parsed(R"(
viewer: ["*"]
operator: ["spiffe://example/ns/ops/*", "cn:jo"]
admin:
  - spiffe://example/ns/ops/sa/root
  - dns:admin.example
)");
  EXPECT_EQ(policy.RoleOf("cn:anybody"), v1::ACCESS_ROLE_VIEWER);
  EXPECT_EQ(policy.RoleOf("cn:jo"), v1::ACCESS_ROLE_OPERATOR);
  EXPECT_EQ(policy.RoleOf("cn:joe"), v1::ACCESS_ROLE_VIEWER);
  EXPECT_EQ(policy.RoleOf("spiffe://example/ns/ops/sa/x"), v1::ACCESS_ROLE_OPERATOR);
  EXPECT_EQ(policy.RoleOf("spiffe://example/ns/ops/sa/root"), v1::ACCESS_ROLE_ADMIN);
  EXPECT_EQ(policy.RoleOf("spiffe://example/ns/ops/sa/root/x"), v1::ACCESS_ROLE_OPERATOR);
  EXPECT_EQ(policy.RoleOf("dns:admin.example"), v1::ACCESS_ROLE_ADMIN);
}

TEST(Policy, WhoIsInNoListHasNoRole) {
  EXPECT_EQ(Parsed("admin: [cn:root]").RoleOf("cn:jo"), v1::ACCESS_ROLE_UNSPECIFIED);
  EXPECT_EQ(Parsed("viewer:").RoleOf("cn:jo"), v1::ACCESS_ROLE_UNSPECIFIED);
  EXPECT_EQ(Parsed("{}").RoleOf("cn:jo"), v1::ACCESS_ROLE_UNSPECIFIED);
}

TEST(Policy, SaysWhatIsWrongAndWhere) {
  EXPECT_EQ(ErrorOf(""), "policy.yaml: holds nothing\n");
  EXPECT_THAT(ErrorOf("[a]"), HasSubstr("must be a map"));
  EXPECT_THAT(ErrorOf("admin: [\"cn:a\""), HasSubstr("policy.yaml:1:"));
  EXPECT_THAT(ErrorOf("viewer: [cn:a]\nadmins: [cn:b]"),
              HasSubstr("policy.yaml:2:1: admins: unknown key; did you mean \"admin\"?"));
  EXPECT_THAT(ErrorOf("admin: cn:a"), HasSubstr("admin: must be a list"));
  EXPECT_THAT(ErrorOf("admin: [{a: b}]"), HasSubstr("admin: must be a plain value"));
  EXPECT_THAT(ErrorOf("admin: [root]"), HasSubstr("begins with none of spiffe://, uri:, dns: and"));
  EXPECT_THAT(ErrorOf("admin: [\"cn:*a\"]"), HasSubstr("elsewhere than at its end"));
  EXPECT_THAT(ErrorOf("admin: [\"\"]"), HasSubstr("must not be empty"));
  EXPECT_THAT(ErrorOf("admin: [cn:" + std::string(kIdentityBytesMax, 'a') + "]"),
              HasSubstr("2051 bytes are more than 2048"));
}

TEST(Policy, AFileThatIsCutNeverGivesMore) {
  const std::string text = "viewer: [\"cn:v\"]\noperator: [\"cn:o\"]\nadmin: [\"cn:a\"]\n";
  for (size_t size = 0; size < text.size(); ++size) {
    const auto policy = Policy::Parse(text.substr(0, size), "p");
    if (!policy.ok()) continue;
    EXPECT_LE(policy->RoleOf("cn:v"), v1::ACCESS_ROLE_VIEWER) << size;
    EXPECT_LE(policy->RoleOf("cn:o"), v1::ACCESS_ROLE_OPERATOR) << size;
  }
}

// Each role and each method of the descriptors.
TEST(Authorize, ARoleMayWhatItAndThoseBelowItMay) {
  const MethodTable table;
  size_t allowed = 0;
  size_t denied = 0;
  for (const Method& method : table.methods()) {
    for (int role = v1::ACCESS_ROLE_UNSPECIFIED; role <= v1::ACCESS_ROLE_ADMIN; ++role) {
      const absl::Status status = Authorize("cn:jo", static_cast<v1::AccessRole>(role), method);
      if (role >= method.role) {
        EXPECT_TRUE(status.ok()) << method.path << " " << role;
        ++allowed;
      } else {
        EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied) << method.path << " " << role;
        EXPECT_EQ(config::ReasonOf(status), "ROLE_REQUIRED");
        ++denied;
      }
    }
  }
  EXPECT_GE(denied, table.methods().size()) << "who has no role may do nothing";
  EXPECT_GE(allowed, table.methods().size()) << "an admin may do everything";
}

TEST(Authorize, ADenialSaysWhoAndWhatIsNeeded) {
  const MethodTable table;
  const Method& shutdown = *table.Find("/trunkline.control.v1.RouterService/Shutdown");
  const absl::Status status = Authorize("cn:jo", v1::ACCESS_ROLE_VIEWER, shutdown);
  EXPECT_EQ(status.message(), "\"cn:jo\" is viewer by the policy file; Shutdown needs admin");
  google::rpc::ErrorInfo info;
  ASSERT_TRUE(info.ParseFromString(
      std::string(*status.GetPayload("type.googleapis.com/google.rpc.ErrorInfo"))));
  EXPECT_THAT(info.metadata(),
              UnorderedElementsAre(Pair("identity", "cn:jo"), Pair("required_role", "admin"),
                                   Pair("method", shutdown.path)));
  EXPECT_EQ(Authorize("cn:jo", v1::ACCESS_ROLE_UNSPECIFIED, shutdown).message(),
            "\"cn:jo\" has no role by the policy file; Shutdown needs admin");
}

}  // namespace
}  // namespace trunkline::api
