#include "control/api/router_section.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/api/method_table.h"
#include "control/config/error_details.h"
#include "fake_store.h"
#include "google/protobuf/text_format.h"

namespace trunkline::api {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

config::Document File() {
  config::Document file;
  file.router.set_id("east");
  file.router.set_default_distribution(v1::DISTRIBUTION_CLOSEST);
  return file;
}

class RouterSectionTest : public testing::Test {
 protected:
  template <typename Reply>
  absl::StatusOr<Reply> Ask(const std::string& name, const google::protobuf::Message& request) {
    const Method& method = *table_.Find("/trunkline.control.v1.RouterService/" + name);
    auto copy = method.NewRequest();
    copy->CopyFrom(request);
    absl::Status end = absl::UnknownError("under way");
    Reply reply;
    Call::Exits exits;
    exits.write = [&](const google::protobuf::Message& m) { reply.CopyFrom(m); };
    exits.finish = [&](const absl::Status& status) { end = status; };
    handlers_.at("RouterService/" + name)(
        std::make_shared<Call>(method, std::move(copy), Caller{"local"}, std::move(exits)));
    if (!end.ok()) return end;
    return reply;
  }
  v1::Router Get() { return Ask<v1::Router>("GetRouter", v1::GetRouterRequest()).value(); }
  // `text` is an UpdateRouterRequest.
  absl::StatusOr<v1::RouterChange> Update(const std::string& text) {
    v1::UpdateRouterRequest request;
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &request)) << text;
    return Ask<v1::RouterChange>("UpdateRouter", request);
  }
  std::vector<std::string> SetOverApi() {
    const auto router = Get();
    return {router.set_over_api().paths().begin(), router.set_over_api().paths().end()};
  }

  const MethodTable table_;
  FakeStore store_{File()};
  Time now_{1};
  RouterSection section_{store_, [this] { return now_; }};
  Handlers handlers_ = section_.MakeHandlers();
};

TEST_F(RouterSectionTest, TellsWhatIsConfiguredAndFromWhere) {
  const v1::Router router = Get();
  EXPECT_EQ(router.name(), "router");
  EXPECT_THAT(router.etag(), SizeIs(16));
  EXPECT_EQ(router.spec().id(), "east");
  EXPECT_FALSE(router.has_set_over_api());
  v1::GetRouterRequest other;
  other.set_name("west");
  EXPECT_EQ(config::ReasonOf(Ask<v1::Router>("GetRouter", other).status()), "NOT_FOUND");
}

TEST_F(RouterSectionTest, ChangesWhatTheMaskNames) {
  const std::string before = Get().etag();
  const auto change = Update(
      "router { spec { max_connections: 5 memory_budget_bytes: 100000000 } } "
      "update_mask { paths: 'spec.max_connections' }");
  ASSERT_TRUE(change.ok()) << change.status();
  EXPECT_EQ(change->router().spec().max_connections(), 5u);
  EXPECT_EQ(change->router().spec().memory_budget_bytes(), 0u);
  EXPECT_EQ(change->router().spec().id(), "east");
  EXPECT_NE(change->router().etag(), before);
  EXPECT_EQ(change->impact(), v1::IMPACT_NEW_CONNECTIONS);
  EXPECT_TRUE(change->persisted());
  EXPECT_EQ(change->router().SerializeAsString(), Get().SerializeAsString());
  EXPECT_THAT(SetOverApi(), ElementsAre("max_connections"));
  EXPECT_EQ(store_.made().router.ShortDebugString(), "max_connections: 5");
}

TEST_F(RouterSectionTest, WithoutAMaskChangesWhatIsSet) {
  ASSERT_TRUE(Update("router { spec { max_connections: 5 } }").ok());
  const auto change = Update("router { name: 'router' spec { drain_timeout { } } }");
  ASSERT_TRUE(change.ok()) << change.status();
  EXPECT_EQ(change->impact(), v1::IMPACT_NONE);
  EXPECT_FALSE(change->unchanged());
  EXPECT_THAT(SetOverApi(), ElementsAre("max_connections", "drain_timeout"));
}

TEST_F(RouterSectionTest, PutsBackToWhatTheFileSays) {
  ASSERT_TRUE(Update("router { spec { max_connections: 5 watch_config: false } }").ok());
  const auto change = Update("router { } update_mask { paths: 'spec.watch_config' }");
  ASSERT_TRUE(change.ok()) << change.status();
  EXPECT_THAT(SetOverApi(), ElementsAre("max_connections"));
  for (const char* mask : {"spec", "*"}) {
    ASSERT_TRUE(Update("router { spec { max_connections: 5 } }").ok());
    const auto all = Update(std::string("router { spec { drain_timeout { seconds: 9 } } } "
                                        "update_mask { paths: '") +
                            mask + "' }");
    ASSERT_TRUE(all.ok()) << mask << all.status();
    // What is left out and not his to set stays.
    EXPECT_EQ(all->router().spec().id(), "east");
    EXPECT_THAT(SetOverApi(), ElementsAre("drain_timeout")) << mask;
  }
}

TEST_F(RouterSectionTest, TakesBackWhatItHasTold) {
  v1::UpdateRouterRequest request;
  *request.mutable_router() = Get();
  request.mutable_router()->mutable_spec()->set_max_connections(5);
  request.mutable_update_mask()->add_paths("spec");
  ASSERT_TRUE(Ask<v1::RouterChange>("UpdateRouter", request).ok());
  EXPECT_THAT(SetOverApi(), ElementsAre("max_connections"));
}

TEST_F(RouterSectionTest, WhatChangesNothingSucceeds) {
  const auto change = Update("router { spec { default_distribution: DISTRIBUTION_CLOSEST } }");
  ASSERT_TRUE(change.ok()) << change.status();
  EXPECT_EQ(change->impact(), v1::IMPACT_NONE);
  EXPECT_TRUE(change->unchanged());
  EXPECT_EQ(store_.commits, 0);
  EXPECT_TRUE(Update("router { }").ok());
  EXPECT_TRUE(Update("router { } update_mask { paths: 'spec.max_connections' }").ok());
}

TEST_F(RouterSectionTest, DoesNothingWhereItIsOnlyAsked) {
  const auto change = Update("router { spec { max_connections: 5 } } validate_only: true");
  ASSERT_TRUE(change.ok()) << change.status();
  EXPECT_EQ(change->router().spec().max_connections(), 5u);
  EXPECT_EQ(change->impact(), v1::IMPACT_NEW_CONNECTIONS);
  EXPECT_FALSE(change->persisted());
  EXPECT_THAT(SetOverApi(), IsEmpty());
}

TEST_F(RouterSectionTest, RefusesAnotherState) {
  const std::string etag = Get().etag();
  const std::string request = "router { etag: '" + etag + "' spec { max_connections: 5 } }";
  ASSERT_TRUE(Update(request).ok());
  const absl::Status status = Update(request).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kAborted);
  EXPECT_EQ(config::ReasonOf(status), "ETAG_MISMATCH");
  EXPECT_THAT(std::string(status.message()), HasSubstr(Get().etag()));
}

TEST_F(RouterSectionTest, ACallThatIsRepeatedIsAnsweredAsTheFirst) {
  const std::string request =
      "router { spec { max_connections: 5 } } request_id: '5b2f9a64-9d05-4c1a-8f3e-000000000001'";
  ASSERT_TRUE(Update(request).ok());
  ASSERT_TRUE(Update("router { spec { max_connections: 6 } }").ok());
  EXPECT_EQ(Update(request)->router().spec().max_connections(), 5u);
  EXPECT_EQ(Get().spec().max_connections(), 6u);
}

// --- what is refused

struct Refusal {
  const char* request;
  absl::StatusCode code;
  const char* reason;
  const char* text;
};

TEST_F(RouterSectionTest, SaysWhyNot) {
  using Code = absl::StatusCode;
  const Refusal table[] = {
      {"", Code::kInvalidArgument, "", "router: is required"},
      {"router { name: 'west' }", Code::kNotFound, "NOT_FOUND", "there is no \"west\""},
      {"router { spec { max_connections: 1000001 } }", Code::kInvalidArgument, "",
       "router.spec.max_connections: 1000001 is not in 0..1000000"},
      {"router { spec { drain_timeout { seconds: 3601 } } }", Code::kInvalidArgument, "",
       "router.spec.drain_timeout"},
      {"router { spec { memory_budget_bytes: 1 } }", Code::kInvalidArgument, "",
       "router.spec.memory_budget_bytes: 1 is less than"},
      {"router { } update_mask { paths: 'spec.port' }", Code::kInvalidArgument, "", "update_mask"},
      {"router { spec { default_distribution: DISTRIBUTION_MULTICAST } }",
       Code::kFailedPrecondition, "READ_ONLY_SOURCE", "comes from /etc/t.yaml:27"},
      {"router { } update_mask { paths: 'spec.default_distribution' }", Code::kFailedPrecondition,
       "READ_ONLY_SOURCE", "comes from /etc/t.yaml:27"},
      {"router { spec { id: 'west' } }", Code::kFailedPrecondition, "RESTART_REQUIRED",
       "router.spec.id"},
      {"router { } update_mask { paths: 'spec.id' }", Code::kFailedPrecondition, "RESTART_REQUIRED",
       "router.spec.id"},
      {"router { spec { workers: 0 } }", Code::kFailedPrecondition, "RESTART_REQUIRED",
       "router.spec.workers"},
      {"router { spec { core_dumps: true max_connections: 5 } }", Code::kFailedPrecondition,
       "RESTART_REQUIRED", "router.spec.core_dumps"}};
  for (const Refusal& row : table) {
    const absl::Status status = Update(row.request).status();
    EXPECT_EQ(status.code(), row.code) << row.request << status;
    if (*row.reason != '\0') {
      EXPECT_EQ(config::ReasonOf(status), row.reason) << row.request;
    }
    EXPECT_THAT(std::string(status.message()), HasSubstr(row.text)) << row.request;
    if (status.code() == Code::kInvalidArgument) {
      EXPECT_THAT(config::ViolationsOf(status), SizeIs(1)) << row.request;
    }
  }
  EXPECT_EQ(store_.commits, 0);
}

TEST_F(RouterSectionTest, AChangeThatFailsLeavesEverythingAsItWas) {
  store_.disk_is_full = true;
  EXPECT_EQ(Update("router { spec { max_connections: 5 } }").status().code(),
            absl::StatusCode::kUnavailable);
  EXPECT_THAT(SetOverApi(), IsEmpty());
}

}  // namespace
}  // namespace trunkline::api
