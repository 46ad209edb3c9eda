#include "control/api/gate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/config/error_details.h"

namespace trunkline::api {
namespace {

using absl::StatusCode;

constexpr char kGet[] = "/trunkline.control.v1.RouterService/GetVersion";
constexpr char kDrain[] = "/trunkline.control.v1.RouterService/Drain";

class GateTest : public testing::Test {
 protected:
  Caller Local() { return *gate_.CallerOf("local", "unix:"); }

  const MethodTable methods_;
  Gate gate_{methods_, {.calls_max = 2, .streams_max = 1}, *Policy::Parse("viewer: ['cn:v']", "")};
};

TEST_F(GateTest, KnowsACallersRole) {
  EXPECT_EQ(Local().role, v1::ACCESS_ROLE_ADMIN);
  EXPECT_EQ(gate_.CallerOf("cn:v", "")->role, v1::ACCESS_ROLE_VIEWER);
  EXPECT_EQ(gate_.CallerOf("cn:x", "")->role, v1::ACCESS_ROLE_UNSPECIFIED);
  EXPECT_EQ(gate_.CallerOf("", "").status().code(), StatusCode::kUnauthenticated);
}

TEST_F(GateTest, HasSoManyPlacesOfEachKind) {
  const auto call = gate_.Enter(kGet, Local());
  ASSERT_TRUE(call.ok());
  EXPECT_TRUE(gate_.Enter(kGet, Local()).ok());
  const auto beyond = gate_.Enter(kGet, Local());
  EXPECT_EQ(beyond.status().code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(config::ReasonOf(beyond.status()), "TOO_MANY_CALLS");
  EXPECT_TRUE(gate_.Enter(kDrain, Local()).ok());  // streams are counted for themselves
  EXPECT_FALSE(gate_.EnterStream(Local()).ok());
  gate_.Leave(**call);
  EXPECT_TRUE(gate_.Enter(kGet, Local()).ok());
  gate_.LeaveStream();
  EXPECT_TRUE(gate_.EnterStream(Local()).ok());
}

TEST_F(GateTest, KeepsSomePlacesForLocalCallers) {
  Gate gate(methods_, {.calls_max = 32, .streams_max = 16}, *Policy::Parse("admin: ['cn:a']", ""));
  const Caller remote = *gate.CallerOf("cn:a", "");
  for (int i = 0; i < 30; ++i) EXPECT_TRUE(gate.Enter(kGet, remote).ok()) << i;
  for (int i = 0; i < 15; ++i) EXPECT_TRUE(gate.EnterStream(remote).ok()) << i;
  EXPECT_EQ(config::ReasonOf(gate.Enter(kGet, remote).status()), "TOO_MANY_CALLS");
  EXPECT_EQ(config::ReasonOf(gate.EnterStream(remote)), "TOO_MANY_CALLS");
  EXPECT_TRUE(gate.Enter(kGet, Local()).ok());
  EXPECT_TRUE(gate.Enter(kGet, Local()).ok());
  EXPECT_TRUE(gate.EnterStream(Local()).ok());
  EXPECT_FALSE(gate.Enter(kGet, Local()).ok());
  EXPECT_FALSE(gate.EnterStream(Local()).ok());
}

TEST_F(GateTest, WhoIsRefusedTakesNoPlace) {
  const Caller viewer = *gate_.CallerOf("cn:v", "");
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(gate_.Enter(kDrain, viewer).status().code(), StatusCode::kPermissionDenied);
    EXPECT_EQ(gate_.Enter("/x/y", viewer).status().code(), StatusCode::kUnimplemented);
  }
  EXPECT_EQ(gate_.refused(Refused::kRole), 5u);
  EXPECT_EQ(gate_.refused(Refused::kMethod), 5u);
  EXPECT_TRUE(gate_.Enter(kDrain, Local()).ok());
}

TEST_F(GateTest, UsesTheNewestPolicy) {
  EXPECT_FALSE(gate_.Enter(kGet, *gate_.CallerOf("cn:x", "")).ok());
  gate_.SetPolicy(*Policy::Parse("operator: ['cn:x']", ""));
  EXPECT_TRUE(gate_.Enter(kGet, *gate_.CallerOf("cn:x", "")).ok());
  EXPECT_FALSE(gate_.Enter(kGet, *gate_.CallerOf("cn:v", "")).ok());
}

}  // namespace
}  // namespace trunkline::api
