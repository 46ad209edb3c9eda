#include "router/amqp/engine.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "router/amqp/sasl.h"
#include "tests/unit/router/amqp/engine_pair.h"

namespace trunkline::amqp::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST(Engine, OpensInBothDirectionsHoweverTheBytesAreCut) {
  for (uint64_t seed = 1; seed < 20; ++seed) {
    Pair pair(seed);
    pair.piece_max = 1 + seed;
    pair.Run();
    EXPECT_TRUE(pair.client.engine.IsOpen());
    EXPECT_TRUE(pair.server.engine.IsOpen());
    EXPECT_EQ(pair.client.Last(EventKind::kOpened).open.container_id, "server");
    EXPECT_EQ(pair.server.Last(EventKind::kOpened).open.container_id, "client");
    EXPECT_EQ(pair.server.engine.remote_open().hostname, "host");
  }
}

TEST(Engine, AnswersTheHeaderBeforeTheOpenComes) {
  Node server(ServerOptions());
  server.Feed(std::string(kAmqpHeader.substr(0, 7)));
  EXPECT_EQ(server.Take(), "");
  server.Feed(std::string(kAmqpHeader.substr(7)));
  EXPECT_EQ(server.Take(), kAmqpHeader);
  server.Feed(FrameOf(0, Open{.container_id = "client"}));
  const std::vector<WrittenFrame> frames = SplitFrames(server.Take());
  ASSERT_THAT(frames, SizeIs(1));
  EXPECT_EQ(frames[0].code, static_cast<uint8_t>(Descriptor::kOpen));
}

TEST(Engine, ClosesAndIsAnswered) {
  Pair pair;
  pair.Run();
  pair.client.engine.Close({.name = "amqp:connection:forced", .description = "enough"});
  EXPECT_FALSE(pair.client.engine.IsOpen());
  EXPECT_FALSE(pair.client.engine.IsClosed());
  pair.Run();
  EXPECT_EQ(pair.server.Last(EventKind::kClosed).error.description, "enough");
  EXPECT_THAT(pair.client.All(EventKind::kClosed), SizeIs(1));
  EXPECT_TRUE(pair.client.engine.IsClosed());
  EXPECT_TRUE(pair.server.engine.IsClosed());
}

TEST(Engine, ClosesFromBothSidesAtOnce) {
  Pair pair;
  pair.Run();
  pair.client.engine.Close();
  pair.server.engine.Close();
  pair.Run();
  EXPECT_TRUE(pair.client.engine.IsClosed());
  EXPECT_TRUE(pair.server.engine.IsClosed());
  EXPECT_THAT(pair.client.All(EventKind::kFailed), IsEmpty());
}

TEST(Engine, CarriesAMessageAndItsOutcome) {
  Pair pair;
  const Pair::Ends ends = pair.Attach(SenderAttach("a"));
  pair.server.engine.Grant(ends.server, 10);
  pair.Run();
  EXPECT_EQ(pair.client.engine.Credit(ends.client), 10u);
  ASSERT_EQ(pair.client.Send(ends.client, {.user = 77, .complete = true}, "hello"),
            SendResult::kSent);
  pair.Run();
  const Seen seen = pair.server.Last(EventKind::kTransfer);
  EXPECT_EQ(seen.payload, "hello");
  EXPECT_TRUE(seen.first);
  EXPECT_FALSE(seen.more);
  EXPECT_FALSE(seen.settled);
  EXPECT_EQ(seen.tag, std::string(8, '\0'));
  pair.server.engine.Dispose(ends.server, seen.delivery, {.kind = OutcomeKind::kAccepted}, true);
  pair.Run();
  const Seen told = pair.client.Last(EventKind::kDisposition);
  EXPECT_EQ(told.delivery_user, 77u);
  EXPECT_EQ(told.outcome.kind, OutcomeKind::kAccepted);
  EXPECT_TRUE(told.settled);
  EXPECT_EQ(told.role, Role::kSender);
}

}  // namespace
}  // namespace trunkline::amqp::testing
