#include "control/api/audit.h"

#include <gtest/gtest.h>

#include "proto/trunkline/control/v1/listener_service.pb.h"
#include "proto/trunkline/control/v1/router_service.pb.h"
#include "proto/trunkline/control/v1/tls_service.pb.h"

namespace trunkline::api {
namespace {

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

}  // namespace
}  // namespace trunkline::api
