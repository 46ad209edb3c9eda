#include "control/api/audit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>
#include <variant>

#include "control/api/method_table.h"
#include "control/api/rpc_status.h"
#include "control/config/error_details.h"
#include "control/config/text.h"
#include "google/protobuf/text_format.h"
#include "proto/trunkline/control/v1/listener_service.pb.h"
#include "proto/trunkline/control/v1/router_service.pb.h"
#include "proto/trunkline/control/v1/tls_service.pb.h"
#include "router/base/log.h"

namespace trunkline::api {
namespace {

using ::testing::HasSubstr;

TEST(Audit, KnowsWhatARequestIsAbout) {
  v1::DeleteListenerRequest by_name;
  by_name.set_name("listeners/amqp");
  EXPECT_EQ(SubjectOf(by_name), "listeners/amqp");
  v1::UpdateListenerRequest by_resource;
  by_resource.mutable_listener()->set_name("listeners/amqps");
  EXPECT_EQ(SubjectOf(by_resource), "listeners/amqps");
  v1::CreateListenerRequest by_id;
  by_id.set_request_id("5f0c");
  by_id.set_listener_id("amqp");
  by_id.mutable_listener()->mutable_spec()->set_host("h");
  EXPECT_EQ(SubjectOf(by_id), "listeners/amqp");
  v1::CreateTlsProfileRequest of_two_words;
  of_two_words.set_tls_profile_id("service");
  EXPECT_EQ(SubjectOf(of_two_words), "tlsProfiles/service");
  EXPECT_EQ(SubjectOf(v1::ShutdownRequest()), "");
}

TEST(Audit, KnowsTheEtagOfAnAnswer) {
  v1::ListenerChange change;
  EXPECT_EQ(EtagIn(change), "");
  change.mutable_listener()->set_etag("e1");
  EXPECT_EQ(EtagIn(change), "e1");
  EXPECT_EQ(EtagIn(change.listener()), "e1");
}

v1::ApplyConfigResponse Answer(const std::string& text) {
  v1::ApplyConfigResponse answer;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &answer)) << text;
  return answer;
}

TEST(Audit, KnowsWhatABundleHasChanged) {
  const BundleOutcome outcome = OutcomeOf(Answer(R"pb(
    results { name: "addresses/a" action: ACTION_DELETED }
    results { name: "listeners/a" action: ACTION_CREATED }
    results { name: "listeners/b" action: ACTION_NONE }
    results { name: "listeners/c" action: ACTION_CREATED }
    results { name: "tlsProfiles/p" action: ACTION_UPDATED }
    applied: true)pb"));
  EXPECT_EQ(outcome.names, "addresses/a listeners/a listeners/c tlsProfiles/p");
  EXPECT_EQ(outcome.changes, "2 created, 1 deleted, 1 updated");
  EXPECT_TRUE(outcome.status.ok());
  EXPECT_EQ(OutcomeOf(Answer("")).changes, "");
}

TEST(Audit, KnowsWhyABundleIsRefused) {
  v1::ApplyConfigResponse answer = Answer(R"pb(
    results { name: "listeners/a" action: ACTION_NONE }
    results { name: "listeners/b" action: ACTION_NONE }
    results {
      name: "listeners/c"
      action: ACTION_NONE
      status { code: 5 }
    })pb");
  *answer.mutable_results(1)->mutable_status() =
      ToRpcStatus(config::WithReason(absl::AbortedError("changed"), "ETAG_MISMATCH"));
  const BundleOutcome outcome = OutcomeOf(answer);
  EXPECT_EQ(outcome.names, "listeners/b listeners/c");
  EXPECT_EQ(outcome.changes, "2 refused");
  EXPECT_EQ(outcome.status.code(), absl::StatusCode::kAborted);
  EXPECT_EQ(config::ReasonOf(outcome.status), "ETAG_MISMATCH");
}

// What Audit has written, "key=value …".
class Lines : public LogSink {
 public:
  Lines() { SetLogSink(this); }
  ~Lines() override { SetLogSink(nullptr); }
  void Write(const LogRecord& record) override {
    for (const LogField& field : record.fields) {
      text += std::string(field.key) + "=";
      if (const auto* value = std::get_if<bool>(&field.value)) text += *value ? "true" : "false";
      if (const auto* value = std::get_if<std::string_view>(&field.value)) text += *value;
      text += " ";
    }
  }
  std::string text;
};

TEST(Audit, SaysWhetherABundleWasApplied) {
  const MethodTable methods;
  const Method& method = *methods.Find("/trunkline.control.v1.RouterService/ApplyConfig");
  auto request = std::make_unique<v1::ApplyConfigRequest>();
  request->set_validate_only(true);
  const Call call(method, std::move(request), Caller{"local", v1::ACCESS_ROLE_ADMIN, "unix:"},
                  {.write = [](const auto&) {}, .finish = [](const auto&) {}});
  Lines lines;
  const auto made = Answer("results { name: 'listeners/a' action: ACTION_CREATED }");
  Audit(call, &made, absl::OkStatus());
  EXPECT_EQ(std::exchange(lines.text, ""),
            "method=RouterService/ApplyConfig identity=local peer=unix: resource=listeners/a "
            "changes=1 created applied=false validate_only=true request_id= caller_gone=false "
            "result=OK reason= error= ");
  const auto refused = Answer("results { name: 'listeners/a' status { code: 5 message: 'no' } }");
  Audit(call, &refused, absl::OkStatus());
  EXPECT_THAT(std::exchange(lines.text, ""), HasSubstr("changes=1 refused applied=false "));
  Audit(call, nullptr, absl::UnavailableError("no space"));
  EXPECT_THAT(lines.text, HasSubstr("result=UNAVAILABLE reason= error=no space"));
}

TEST(Audit, TellsATrialFromAChange) {
  const MethodTable methods;
  const Method& method = *methods.Find("/trunkline.control.v1.ListenerService/DeleteListener");
  for (const bool trial : {false, true}) {
    auto request = std::make_unique<v1::DeleteListenerRequest>();
    request->set_name("listeners/amqp");
    request->set_validate_only(trial);
    const Call call(method, std::move(request), Caller{"local", v1::ACCESS_ROLE_ADMIN, "unix:"},
                    {.write = [](const auto&) {}, .finish = [](const auto&) {}});
    Lines lines;
    Audit(call, nullptr, absl::UnavailableError("no space"));
    EXPECT_EQ(lines.text,
              config::Concat("method=ListenerService/DeleteListener identity=local peer=unix: "
                             "resource=listeners/amqp state= validate_only=",
                             trial ? "true" : "false",
                             " request_id= etag_asked= etag= caller_gone=false "
                             "result=UNAVAILABLE reason= error=no space "));
  }
}

}  // namespace
}  // namespace trunkline::api
