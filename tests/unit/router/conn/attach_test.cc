#include "router/conn/attach.h"

#include <optional>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace trunkline::conn {
namespace {

using amqp::Role;

amqp::Attach ToTarget(std::optional<std::string> address) {
  amqp::Attach attach;
  attach.name = "link";
  attach.role = Role::kSender;
  attach.source = {.present = true, .address = "mine"};
  attach.target = {.present = true, .address = std::move(address)};
  return attach;
}

amqp::Attach FromSource(std::vector<std::string> capabilities) {
  amqp::Attach attach;
  attach.name = "link";
  attach.role = Role::kReceiver;
  attach.source = {.present = true, .address = "orders", .capabilities = std::move(capabilities)};
  attach.target = {.present = true, .address = "mine"};
  return attach;
}

TEST(ReadAttach, TakesTheTargetOfWhatWeReceive) {
  const core::AttachRequest request = ReadAttach(ToTarget("orders"), Role::kReceiver, 7);
  EXPECT_EQ(request.token, 7u);
  EXPECT_EQ(request.name, "link");
  EXPECT_EQ(request.address, "orders");
}

TEST(ReadAttach, TakesTheSourceOfWhatWeSend) {
  EXPECT_EQ(ReadAttach(FromSource({}), Role::kSender, 0).address, "orders");
}

TEST(ReadAttach, TakesAnEmptyAddressForNone) {
  EXPECT_EQ(ReadAttach(ToTarget(""), Role::kReceiver, 0).address, std::nullopt);
  EXPECT_EQ(ReadAttach(ToTarget(std::nullopt), Role::kReceiver, 0).address, std::nullopt);
}

TEST(ReadAttach, SeesACoordinatorAndADynamicTerminus) {
  amqp::Attach attach = ToTarget(std::nullopt);
  attach.target.coordinator = true;
  EXPECT_TRUE(ReadAttach(attach, Role::kReceiver, 0).coordinator);
  attach.target.coordinator = false;
  attach.target.dynamic = true;
  EXPECT_TRUE(ReadAttach(attach, Role::kReceiver, 0).dynamic);
}

TEST(ReadAttach, SeesTheFallbackCapability) {
  EXPECT_TRUE(ReadAttach(FromSource({"qd.fallback"}), Role::kSender, 0).fallback);
  EXPECT_FALSE(ReadAttach(FromSource({"qd.fallback"}), Role::kReceiver, 0).fallback);
}

TEST(ReadAttach, ReadsTheWaypointPhase) {
  const auto phase = [](std::vector<std::string> capabilities) {
    return ReadAttach(FromSource(std::move(capabilities)), Role::kSender, 0).waypoint_phase;
  };
  EXPECT_EQ(phase({"qd.waypoint"}), 1);
  EXPECT_EQ(phase({"qd.waypoint.1"}), 1);
  EXPECT_EQ(phase({"other", "qd.waypoint.9"}), 9);
  EXPECT_EQ(phase({"qd.waypoint.0"}), std::nullopt);
  EXPECT_EQ(phase({"qd.waypoint.10"}), std::nullopt);
  EXPECT_EQ(phase({"qd.waypoint."}), std::nullopt);
  EXPECT_EQ(phase({"qd.waypointer"}), std::nullopt);
  EXPECT_EQ(phase({}), std::nullopt);
}

TEST(ReadAttach, TakesSettledModeForPresettled) {
  amqp::Attach attach = ToTarget("orders");
  EXPECT_FALSE(ReadAttach(attach, Role::kReceiver, 0).presettled);
  attach.snd_settle_mode = amqp::SenderSettleMode::kSettled;
  EXPECT_TRUE(ReadAttach(attach, Role::kReceiver, 0).presettled);
}

TEST(GrantAttach, EchoesModesAndTermini) {
  amqp::Attach attach = ToTarget("orders");
  attach.snd_settle_mode = amqp::SenderSettleMode::kUnsettled;
  attach.rcv_settle_mode = amqp::ReceiverSettleMode::kSecond;
  attach.target.capabilities = {"qd.waypoint"};
  attach.properties = "raw";
  const amqp::Attach answer = GrantAttach(attach, Role::kReceiver, {.max_message_size = 99});
  EXPECT_EQ(answer.snd_settle_mode, amqp::SenderSettleMode::kUnsettled);
  EXPECT_EQ(answer.rcv_settle_mode, amqp::ReceiverSettleMode::kSecond);
  EXPECT_EQ(answer.source, attach.source);
  EXPECT_EQ(answer.target, attach.target);
  EXPECT_EQ(answer.max_message_size, 99u);
  EXPECT_EQ(answer.initial_delivery_count, std::nullopt);
  EXPECT_TRUE(answer.properties.empty());
}

TEST(GrantAttach, StartsOurSendersAtDeliveryCountZero) {
  const amqp::Attach answer = GrantAttach(FromSource({}), Role::kSender, {.max_message_size = 99});
  EXPECT_EQ(answer.initial_delivery_count, 0u);
  EXPECT_EQ(answer.max_message_size, 0u);
}

TEST(GrantAttach, TellsTheAddressThatWasMade) {
  amqp::Attach attach = FromSource({});
  attach.source.address.reset();
  attach.source.dynamic = true;
  const amqp::Attach answer = GrantAttach(attach, Role::kSender, {.address = "temp.1"});
  EXPECT_EQ(answer.source.address, "temp.1");
  EXPECT_TRUE(answer.source.dynamic);
  EXPECT_EQ(answer.target, attach.target);
}

TEST(GrantAttach, AnswersANullTargetWithAnAnonymousOne) {
  amqp::Attach attach = ToTarget(std::nullopt);
  attach.target = {};
  const amqp::Attach answer = GrantAttach(attach, Role::kReceiver, {});
  EXPECT_TRUE(answer.target.present);
  EXPECT_EQ(answer.target.address, std::nullopt);
}

TEST(RefuseAttach, NullsTheRelevantTerminusOnly) {
  const amqp::Attach in = RefuseAttach(ToTarget("orders"), Role::kReceiver);
  EXPECT_FALSE(in.target.present);
  EXPECT_TRUE(in.source.present);
  const amqp::Attach out = RefuseAttach(FromSource({}), Role::kSender);
  EXPECT_FALSE(out.source.present);
  EXPECT_TRUE(out.target.present);
  EXPECT_EQ(out.initial_delivery_count, 0u);
}

}  // namespace
}  // namespace trunkline::conn
