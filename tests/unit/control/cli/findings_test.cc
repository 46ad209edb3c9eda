#include "control/cli/findings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace trunkline::cli {
namespace {

using ::testing::HasSubstr;
using Result = Finding::Result;

constexpr int64_t kNow = 1'800'000'000;
constexpr int64_t kDay = 86'400;

TEST(Judge, SilenceIsAFailureUnlessTheRouterDoesNotKnowTheQuestion) {
  EXPECT_EQ(JudgeSilence("users", absl::PermissionDeniedError("not you")).result, Result::kFailed);
  const Finding found = JudgeSilence("users", absl::UnimplementedError("no such method"));
  EXPECT_EQ(found.result, Result::kWarning);
  EXPECT_EQ(found.text, "not looked at: no such method");
  EXPECT_FALSE(found.way_out.empty());
}

TEST(Judge, ListenersByTheirState) {
  v1::Listener listener;
  listener.set_name("listeners/amqp");
  v1::ListenerStatus& status = *listener.mutable_status();
  EXPECT_EQ(JudgeListener(listener).result, Result::kWarning);
  const std::pair<v1::ListenerStatus::State, Result> rows[] = {
      {v1::ListenerStatus::STATE_PENDING, Result::kWarning},
      {v1::ListenerStatus::STATE_LISTENING, Result::kOk},
      {v1::ListenerStatus::STATE_FAILED, Result::kFailed},
      {v1::ListenerStatus::STATE_DRAINING, Result::kWarning},
      {v1::ListenerStatus::STATE_DISABLED, Result::kOk},
  };
  status.add_bound_addresses("127.0.0.1:5672");
  status.mutable_last_error()->set_message("taken");
  for (const auto& [state, result] : rows) {
    status.set_state(state);
    EXPECT_EQ(JudgeListener(listener).result, result) << state;
  }
  status.set_state(v1::ListenerStatus::STATE_FAILED);
  EXPECT_EQ(JudgeListener(listener).check, "listener amqp");
  EXPECT_EQ(JudgeListener(listener).text, "taken");
  EXPECT_THAT(JudgeListener(listener).way_out, HasSubstr("trunkctl set listener amqp"));
  status.set_state(v1::ListenerStatus::STATE_LISTENING);
  EXPECT_EQ(JudgeListener(listener).text, "listens on 127.0.0.1:5672");
}

TEST(Judge, DescriptorsByTheShareThatIsOpen) {
  struct Row {
    uint64_t open;
    Result result;
  };
  for (const auto& [open, result] :
       {Row{1, Result::kOk}, Row{800, Result::kOk}, Row{801, Result::kWarning},
        Row{900, Result::kWarning}, Row{901, Result::kFailed}, Row{1000, Result::kFailed}}) {
    v1::ProcessStats process;
    process.set_descriptors_open(open);
    process.set_descriptors_max(1000);
    const Finding finding = JudgeDescriptors(process);
    EXPECT_EQ(finding.check, "descriptors");
    EXPECT_EQ(finding.result, result) << open;
    EXPECT_THAT(finding.text, HasSubstr(std::to_string(open) + " of 1000 are open"));
    EXPECT_EQ(finding.way_out.find("LimitNOFILE") == std::string::npos, result == Result::kOk);
  }
}

TEST(Judge, DescriptorsThatNobodyCountedAreNoFailure) {
  v1::ProcessStats process;
  process.set_descriptors_open(5);
  EXPECT_EQ(JudgeDescriptors(process).result, Result::kOk);
  EXPECT_THAT(JudgeDescriptors(process).text, HasSubstr("does not know"));
}

TEST(Judge, ConnectorsByTheirStateAndAttempts) {
  v1::Connector connector;
  connector.set_name("connectors/broker");
  connector.mutable_spec()->set_host("b");
  v1::ConnectorStatus& status = *connector.mutable_status();
  status.set_state(v1::ConnectorStatus::STATE_CONNECTING);
  EXPECT_EQ(JudgeConnector(connector).result, Result::kWarning);
  EXPECT_EQ(JudgeConnector(connector).text, "connects to b:5672");
  status.set_attempts(2);
  status.mutable_last_error()->set_message("refused");
  EXPECT_EQ(JudgeConnector(connector).result, Result::kFailed);
  EXPECT_EQ(JudgeConnector(connector).text, "connects to b:5672 after 2 attempts: refused");
  for (const auto state : {v1::ConnectorStatus::STATE_BACKOFF, v1::ConnectorStatus::STATE_FAILED}) {
    status.set_state(state);
    EXPECT_EQ(JudgeConnector(connector).result, Result::kFailed);
    EXPECT_EQ(JudgeConnector(connector).way_out, "trunkctl test connector broker");
  }
  for (const auto state : {v1::ConnectorStatus::STATE_OPEN, v1::ConnectorStatus::STATE_DISABLED}) {
    status.set_state(state);
    EXPECT_EQ(JudgeConnector(connector).result, Result::kOk);
    EXPECT_EQ(JudgeConnector(connector).way_out, "");
  }
}

TEST(Judge, CertificatesByTheFirstThatExpires) {
  v1::TlsProfile profile;
  profile.set_name("tlsProfiles/service");
  EXPECT_EQ(JudgeTlsProfile(profile, kNow).result, Result::kOk);
  v1::TlsProfileStatus& status = *profile.mutable_status();
  const auto expires = [&](int64_t own, int64_t next) {
    status.mutable_active()->mutable_not_after()->set_seconds(kNow + own);
    status.mutable_next_expiry()->set_seconds(kNow + next);
    return JudgeTlsProfile(profile, kNow);
  };
  status.mutable_active()->set_subject("CN=x");
  EXPECT_EQ(expires(30 * kDay, 30 * kDay).result, Result::kOk);
  EXPECT_EQ(expires(30 * kDay - 1, 30 * kDay - 1).result, Result::kWarning);
  EXPECT_EQ(expires(0, 0).result, Result::kWarning);
  EXPECT_EQ(expires(-1, -1).result, Result::kFailed);
  EXPECT_THAT(expires(-1, -1).text, HasSubstr("CN=x expired 1s ago"));
  EXPECT_THAT(expires(90 * kDay, -kDay).text, HasSubstr("that it trusts expired"));
  EXPECT_EQ(expires(90 * kDay, -kDay).result, Result::kFailed);
  status.mutable_active()->mutable_not_before()->set_seconds(kNow + 1);
  EXPECT_EQ(expires(90 * kDay, 90 * kDay).result, Result::kFailed);
  status.mutable_active()->mutable_not_before()->set_seconds(kNow);
  EXPECT_EQ(expires(90 * kDay, 90 * kDay).result, Result::kOk);
  status.mutable_last_reload_error()->set_message("no key");
  EXPECT_EQ(expires(90 * kDay, 90 * kDay).result, Result::kFailed);
  EXPECT_THAT(expires(90 * kDay, 90 * kDay).text, HasSubstr("no key"));
}

TEST(Judge, UsersByWhetherTheirNewestStateIsInForce) {
  v1::UserStore store;
  store.set_name("userStores/clients");
  EXPECT_EQ(JudgeUserStore(store).text, "can be read");
  store.mutable_status()->set_users(2);
  EXPECT_EQ(JudgeUserStore(store).text, "2 users");
  store.mutable_status()->mutable_last_reload_error()->set_message("gone");
  EXPECT_EQ(JudgeUserStore(store).result, Result::kFailed);
}

TEST(Judge, ClocksByHowFarTheyAreApart) {
  for (const int64_t sign : {-1, 1}) {
    EXPECT_EQ(JudgeClock(sign * 2'100, 0, 100).result, Result::kOk);
    EXPECT_EQ(JudgeClock(sign * 2'101, 0, 100).result, Result::kWarning);
    EXPECT_EQ(JudgeClock(sign * 300'100, 0, 100).result, Result::kWarning);
    EXPECT_EQ(JudgeClock(sign * 300'101, 0, 100).result, Result::kFailed);
  }
  EXPECT_EQ(JudgeClock(5'000, 0, 0).text, "the router's is 5.0 s ahead of this one's");
  EXPECT_EQ(JudgeClock(0, 5'000, 0).text, "the router's is 5.0 s behind this one's");
}

TEST(Judge, TheFileByWhatHappenedLast) {
  EXPECT_EQ(JudgeReload({}).result, Result::kOk);
  v1::Event refused;
  refused.set_type("config.refused");
  (*refused.mutable_fields())["error"] = "line 3";
  v1::Event reloaded;
  reloaded.set_type("config.reloaded");
  EXPECT_EQ(JudgeReload({refused, reloaded}).result, Result::kOk);
  EXPECT_EQ(JudgeReload({reloaded, refused}).result, Result::kFailed);
  EXPECT_THAT(JudgeReload({refused}).text, HasSubstr("line 3"));
}

TEST(Judge, PersistenceByWhatWouldBeGone) {
  EXPECT_EQ(JudgePersistence("", 0).result, Result::kOk);
  EXPECT_EQ(JudgePersistence("", 1).result, Result::kWarning);
  EXPECT_EQ(JudgePersistence("/state", 1).result, Result::kOk);
}

TEST(Findings, AreAnArrayForPrograms) {
  EXPECT_EQ(JsonOf(std::vector<Finding>()), "[\n]\n");
  EXPECT_EQ(
      JsonOf({{"a", Result::kOk, "x", ""}, {"b", Result::kFailed, "\"y\"", "z"}}),
      "[\n {\"check\":\"a\",\"result\":\"ok\",\"text\":\"x\"},\n"
      " {\"check\":\"b\",\"result\":\"failed\",\"text\":\"\\\"y\\\"\",\"way_out\":\"z\"}\n]\n");
}

}  // namespace
}  // namespace trunkline::cli
