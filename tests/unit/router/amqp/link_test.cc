#include "router/amqp/link.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/router/amqp/engine_pair.h"

namespace trunkline::amqp::testing {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST(Link, AttachesInEitherDirectionAndRole) {
  Pair pair;
  const Pair::Ends out = pair.Attach(SenderAttach("out"));
  Seen seen = pair.server.Last(EventKind::kAttached);
  EXPECT_EQ(seen.role, Role::kReceiver);
  EXPECT_FALSE(seen.answer);
  EXPECT_EQ(seen.attach.name, "out");
  EXPECT_EQ(seen.attach.target.address, "q");
  EXPECT_EQ(seen.attach.initial_delivery_count, 0u);
  seen = pair.client.Last(EventKind::kAttached);
  EXPECT_TRUE(seen.answer);
  EXPECT_EQ(seen.link, out.client);
  EXPECT_EQ(seen.attach.role, Role::kReceiver);

  pair.Attach(ReceiverAttach("in"));
  EXPECT_EQ(pair.server.Last(EventKind::kAttached).role, Role::kSender);
  const LinkIndex mine = pair.server.engine.StartLink(0, SenderAttach("from the server"));
  pair.Run();
  EXPECT_EQ(pair.client.Last(EventKind::kAttached).attach.name, "from the server");
  EXPECT_TRUE(pair.server.Last(EventKind::kAttached).answer);
  EXPECT_EQ(pair.server.Last(EventKind::kAttached).link, mine);
}

TEST(Link, TellsLinksOfOneNameAndTwoRolesApart) {
  Pair pair;
  const Pair::Ends out = pair.Attach(SenderAttach("twin"));
  const LinkIndex in = pair.client.engine.StartLink(pair.session, ReceiverAttach("twin"));
  const LinkIndex back = pair.server.engine.StartLink(0, SenderAttach("twin"));
  pair.Run();
  EXPECT_NE(out.client, in);
  EXPECT_THAT(pair.client.All(EventKind::kFailed), IsEmpty());
  EXPECT_THAT(pair.server.All(EventKind::kFailed), IsEmpty());
  EXPECT_EQ(pair.server.Last(EventKind::kAttached).role, Role::kSender);
  EXPECT_NE(back, kNoLink);
}

TEST(Link, RefusesWithANullTerminusAndADetach) {
  Pair pair;
  pair.server.react = [&](const Event& event) {
    if (event.kind != EventKind::kAttached) return;
    pair.server.engine.AnswerAttach(event.link, {.source = event.attach->source});
    pair.server.engine.Detach(event.link, true, {.name = "amqp:not-found", .description = "no"});
  };
  const Pair::Ends ends = pair.Attach(SenderAttach("a"));
  EXPECT_FALSE(pair.client.Last(EventKind::kAttached).attach.target.present);
  const Seen seen = pair.client.Last(EventKind::kDetached);
  EXPECT_EQ(seen.link, ends.client);
  EXPECT_TRUE(seen.closed);
  EXPECT_EQ(seen.error.name, "amqp:not-found");
  // The client answered, and both indexes are free again.
  EXPECT_TRUE(pair.server.Last(EventKind::kDetached).answer);
  EXPECT_EQ(pair.client.engine.SessionOf(ends.client), kNoSession);
  EXPECT_EQ(pair.server.engine.SessionOf(ends.server), kNoSession);
}

TEST(Link, RemembersTheFlowThatComesBeforeItsAnswer) {
  Pair pair;
  pair.server.react = [](const Event&) {};
  const LinkIndex link = [&] {
    pair.session = pair.client.engine.BeginSession();
    const LinkIndex index = pair.client.engine.StartLink(pair.session, ReceiverAttach("r"));
    pair.client.engine.Grant(index, 25);
    pair.Run();
    return index;
  }();
  EXPECT_NE(link, kNoLink);
  const LinkIndex server = pair.server.Last(EventKind::kAttached).link;
  EXPECT_THAT(pair.server.All(EventKind::kLinkFlow), IsEmpty());
  pair.server.engine.AnswerAttach(server, {.source = At("q")});
  pair.Run();
  ASSERT_THAT(pair.server.All(EventKind::kLinkFlow), SizeIs(1));
  EXPECT_EQ(pair.server.Last(EventKind::kLinkFlow).credit, 25u);
  EXPECT_EQ(pair.server.Send(server, {.complete = true}, "now"), SendResult::kSent);
  pair.Run();
  EXPECT_EQ(pair.client.Last(EventKind::kTransfer).payload, "now");
}

TEST(Link, RemembersTheDetachThatComesBeforeItsAnswer) {
  for (const bool refused : {false, true}) {
    Pair pair;
    pair.server.react = [](const Event&) {};
    pair.session = pair.client.engine.BeginSession();
    const LinkIndex client = pair.client.engine.StartLink(pair.session, SenderAttach("s"));
    pair.client.engine.Detach(client, true);
    pair.Run();
    EXPECT_THAT(pair.server.All(EventKind::kDetached), IsEmpty());
    const LinkIndex server = pair.server.Last(EventKind::kAttached).link;
    pair.server.engine.AnswerAttach(server, {});
    if (refused) pair.server.engine.Detach(server, true, {.name = "amqp:not-found"});
    pair.server.Poll();
    ASSERT_THAT(pair.server.All(EventKind::kDetached), SizeIs(1));
    EXPECT_EQ(pair.server.Last(EventKind::kDetached).answer, refused);
    EXPECT_TRUE(pair.server.Last(EventKind::kDetached).closed);
    if (!refused) pair.server.engine.Detach(server, true);
    pair.Run();
    EXPECT_EQ(pair.server.engine.SessionOf(server), kNoSession);
    EXPECT_EQ(pair.client.engine.SessionOf(client), kNoSession);
    EXPECT_THAT(pair.client.All(EventKind::kDetached), SizeIs(1));
  }
}

TEST(Link, DetachesFromBothSidesAtOnce) {
  Pair pair;
  const Pair::Ends ends = pair.Attach(SenderAttach("a"));
  pair.client.engine.Detach(ends.client, true);
  pair.server.engine.Detach(ends.server, true);
  pair.Run();
  EXPECT_TRUE(pair.client.Last(EventKind::kDetached).answer);
  EXPECT_TRUE(pair.server.Last(EventKind::kDetached).answer);
  EXPECT_EQ(pair.client.engine.SessionOf(ends.client), kNoSession);
  EXPECT_EQ(pair.server.engine.SessionOf(ends.server), kNoSession);
  EXPECT_TRUE(pair.client.engine.IsOpen());
}

TEST(Link, IgnoresWhatComesAfterItsDetach) {
  Pair pair;
  const Pair::Ends ends = pair.Attach(SenderAttach("a"));
  pair.server.engine.Grant(ends.server, 100);
  pair.Run();
  for (int i = 0; i < 20; ++i) pair.client.Send(ends.client, {.complete = true}, "late");
  pair.server.engine.Detach(ends.server, true);
  pair.Run();
  EXPECT_THAT(pair.server.All(EventKind::kTransfer), IsEmpty());
  EXPECT_THAT(pair.client.All(EventKind::kDetached), SizeIs(1));
  EXPECT_THAT(pair.server.All(EventKind::kDetached), SizeIs(1));
  // Delivery-ids went on: another link of the session works.
  const Pair::Ends other = pair.Attach(SenderAttach("b"));
  pair.server.engine.Grant(other.server, 1);
  pair.Run();
  EXPECT_EQ(pair.client.Send(other.client, {.complete = true}, "new"), SendResult::kSent);
  pair.Run();
  EXPECT_EQ(pair.server.Last(EventKind::kTransfer).payload, "new");
}

TEST(Link, AnswersAClosingDetachWithAClosingOne) {
  Pair pair;
  const Pair::Ends ends = pair.Attach(SenderAttach("a"));
  pair.server.react = [&](const Event& event) {
    if (event.kind == EventKind::kDetached) pair.server.engine.Detach(event.link, false);
  };
  pair.client.engine.Detach(ends.client, true);
  pair.Run();
  EXPECT_TRUE(pair.client.Last(EventKind::kDetached).closed);
}

TEST(Link, KeepsItsIndexWhileEitherSideIsLeft) {
  Pair pair;
  const Pair::Ends ends = pair.Attach(SenderAttach("a"));
  pair.server.react = [&](const Event& event) {
    if (event.kind == EventKind::kAttached) pair.server.Answer(event);
  };
  pair.client.engine.Detach(ends.client, true);
  pair.Run();
  const Pair::Ends other = pair.Attach(SenderAttach("b"));
  EXPECT_NE(other.client, ends.client);
  EXPECT_NE(other.server, ends.server);
  pair.server.engine.Detach(ends.server, true);
  pair.Run();
  const Pair::Ends third = pair.Attach(SenderAttach("c"));
  EXPECT_EQ(third.client, ends.client);
  EXPECT_EQ(third.server, ends.server);
}

TEST(Link, TellsTheUserThatWasSet) {
  Pair pair;
  const Pair::Ends ends = pair.Attach(SenderAttach("a"));
  pair.server.engine.SetUser(ends.server, 42);
  pair.client.engine.Detach(ends.client, true);
  pair.Run();
  EXPECT_EQ(pair.server.Last(EventKind::kDetached).link_user, 42u);
}

TEST(Link, IsDetachedByTheEngineForAttachWithoutDeliveryCount) {
  Node server(ServerOptions());
  server.Feed(std::string("AMQP\0\1\0\0", 8) + FrameOf(0, Open{.container_id = "c"}) +
              FrameOf(0, Begin{.incoming_window = 10, .outgoing_window = 10}) +
              FrameOf(0, Attach{.name = "a", .role = Role::kSender, .target = At("q")}));
  EXPECT_THAT(server.All(EventKind::kAttached), IsEmpty());
  const std::vector<WrittenFrame> frames = SplitFrames(server.Take());
  ASSERT_THAT(frames, SizeIs(4));
  EXPECT_EQ(frames[2].code, static_cast<uint8_t>(Descriptor::kAttach));
  EXPECT_EQ(ParseDetach(frames[3].body)->error.name, "amqp:invalid-field");
  EXPECT_TRUE(server.engine.IsOpen());
}

TEST(Link, CountsCreditWithSerialNumbers) {
  Link sender;
  sender.delivery_count = 0xfffffff0;
  sender.TakeFlow({.delivery_count = 0xffffffe0, .link_credit = 100});
  EXPECT_EQ(sender.credit, 84u);
  sender.delivery_count = 5;
  sender.TakeFlow({.delivery_count = 0xfffffffb, .link_credit = 100});
  EXPECT_EQ(sender.credit, 90u);
  sender.TakeFlow({.delivery_count = 5, .link_credit = UINT32_MAX});
  EXPECT_EQ(sender.credit, static_cast<uint32_t>(INT32_MAX));
  sender.TakeFlow({.delivery_count = 0xfffffffb, .link_credit = 3});
  EXPECT_EQ(sender.credit, 0u);

  Link receiver;
  receiver.role = Role::kReceiver;
  receiver.delivery_count = 0xfffffffe;
  receiver.credit = 10;
  receiver.TakeFlow({.delivery_count = 3});
  EXPECT_EQ(receiver.credit, 5u);
  receiver.TakeFlow({.delivery_count = 1});
  EXPECT_EQ(receiver.credit, 5u);
  EXPECT_EQ(receiver.delivery_count, 3u);
  receiver.TakeFlow({.delivery_count = 100});
  EXPECT_EQ(receiver.credit, 0u);
}

TEST(Link, LimitsGrantsToWhatSerialNumbersCanCount) {
  Link link;
  link.role = Role::kReceiver;
  link.credit = 100;
  link.Grant(UINT32_MAX);
  link.Grant(UINT32_MAX);
  EXPECT_EQ(link.credit + link.grant, static_cast<uint32_t>(INT32_MAX));
}

}  // namespace
}  // namespace trunkline::amqp::testing
