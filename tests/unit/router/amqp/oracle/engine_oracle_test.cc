#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/router/amqp/oracle/proton_peer.h"

// Proton's engine as the second opinion: what we write it takes, what it writes we take, and both
// see the same.
namespace trunkline::amqp::testing {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

std::string Text(size_t n, uint64_t seed) {
  Random random(seed);
  std::string text(n, '\0');
  for (char& c : text) c = static_cast<char>(random.Next());
  return text;
}

class Oracle : public ::testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(EitherSide, Oracle, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "AsClient" : "AsServer"; });

TEST_P(Oracle, OpensAndCloses) {
  for (const bool we_close : {true, false}) {
    OraclePair pair(GetParam());
    EXPECT_TRUE(pair.ours.engine.IsOpen());
    EXPECT_EQ(pair.ours.engine.remote_open().container_id, "proton");
    EXPECT_STREQ(pn_connection_remote_container(pair.proton.connection()), "ours");
    if (we_close) {
      pair.ours.engine.Close({.name = "amqp:connection:forced", .description = "bye"});
    } else {
      pn_connection_close(pair.proton.connection());
    }
    pair.Run();
    EXPECT_TRUE(pair.ours.engine.IsClosed());
    EXPECT_THAT(pair.ours.All(EventKind::kClosed), SizeIs(1));
    EXPECT_TRUE(pn_connection_state(pair.proton.connection()) & PN_REMOTE_CLOSED);
    if (!we_close) continue;
    pn_condition_t* condition = pn_connection_remote_condition(pair.proton.connection());
    EXPECT_STREQ(pn_condition_get_name(condition), "amqp:connection:forced");
    EXPECT_STREQ(pn_condition_get_description(condition), "bye");
  }
}

TEST_P(Oracle, SendsSettledAndUnsettledMessages) {
  OraclePair pair(GetParam(), 3);
  const LinkIndex link = pair.Sender(1000);
  EXPECT_EQ(pair.ours.engine.Credit(link), 1000u);
  std::vector<std::string> sent;
  for (int i = 0; i < 200; ++i) {
    sent.push_back(Text(pair.random.Below(200), i + 1));
    pair.SendAll(link, {.user = 10u + i, .settled = i % 3 == 0, .complete = true}, sent.back());
  }
  pair.Run();
  ASSERT_THAT(pair.proton.received, SizeIs(200));
  for (size_t i = 0; i < 200; ++i) {
    EXPECT_EQ(pair.proton.received[i].body, sent[i]);
    EXPECT_EQ(pair.proton.received[i].settled, i % 3 == 0);
  }
  const std::vector<Seen> told = pair.ours.All(EventKind::kDisposition);
  ASSERT_THAT(told, SizeIs(133));
  for (const Seen& seen : told) {
    EXPECT_EQ(seen.outcome.kind, OutcomeKind::kAccepted);
    EXPECT_TRUE(seen.settled);
  }
}

TEST_P(Oracle, ReceivesSettledAndUnsettledMessages) {
  OraclePair pair(GetParam(), 4);
  pn_link_t* link = pair.Receiver(1000);
  EXPECT_EQ(pn_link_credit(link), 1000);
  int updates = 0;
  pair.proton.on_update = [&](pn_delivery_t* delivery) {
    EXPECT_EQ(pn_delivery_remote_state(delivery), static_cast<uint64_t>(PN_ACCEPTED));
    EXPECT_TRUE(pn_delivery_settled(delivery));
    pn_delivery_settle(delivery);
    ++updates;
  };
  std::vector<std::string> sent;
  for (int i = 0; i < 200; ++i) {
    sent.push_back(Text(1 + pair.random.Below(200), i + 1));
    pair.proton.Send(link, sent.back(), i % 3 == 0);
  }
  pair.Run();
  const std::vector<Seen> got = pair.ours.All(EventKind::kTransfer);
  ASSERT_THAT(got, SizeIs(200));
  for (size_t i = 0; i < 200; ++i) {
    EXPECT_EQ(got[i].payload, sent[i]);
    EXPECT_EQ(got[i].settled, i % 3 == 0);
    pair.ours.engine.Dispose(got[i].link, got[i].delivery, {.kind = OutcomeKind::kAccepted}, true);
  }
  pair.Run();
  EXPECT_EQ(updates, 133);
}

TEST_P(Oracle, TellsEveryOutcomeBothWays) {
  OraclePair pair(GetParam(), 5);
  // From us to Proton and back.
  const LinkIndex out = pair.Sender(10);
  int n = 0;
  pair.proton.on_delivery = [&](pn_delivery_t* delivery) {
    const uint64_t states[] = {PN_ACCEPTED, PN_REJECTED, PN_RELEASED, PN_MODIFIED};
    if (n == 1) {
      pn_condition_set_name(pn_disposition_condition(pn_delivery_local(delivery)), "x:y");
    }
    if (n == 3) pn_disposition_set_failed(pn_delivery_local(delivery), true);
    pn_delivery_update(delivery, states[n++]);
    pn_delivery_settle(delivery);
  };
  for (int i = 0; i < 4; ++i) {
    pair.SendAll(out, {.user = 1u + i, .complete = true}, "x");
  }
  pair.Run();
  std::vector<Seen> told = pair.ours.All(EventKind::kDisposition);
  ASSERT_THAT(told, SizeIs(4));
  // Proton answers in an order of its own.
  std::sort(told.begin(), told.end(),
            [](const Seen& a, const Seen& b) { return a.delivery < b.delivery; });
  EXPECT_EQ(told[0].outcome, (Outcome{OutcomeKind::kAccepted, ""}));
  EXPECT_EQ(told[1].outcome.kind, OutcomeKind::kRejected);
  EXPECT_EQ(told[2].outcome, (Outcome{OutcomeKind::kReleased, ""}));
  EXPECT_EQ(told[3].outcome.kind, OutcomeKind::kModified);
  const Outcome rejected = told[1].outcome;
  const Outcome modified = told[3].outcome;

  // The same states, handed back to Proton as they came.
  pn_link_t* in = pair.Receiver(10);
  std::vector<pn_delivery_t*> sent;
  for (int i = 0; i < 4; ++i) sent.push_back(pair.proton.Send(in, "y", false));
  pair.Run();
  const Outcome outcomes[] = {told[0].outcome, rejected, told[2].outcome, modified};
  const std::vector<Seen> got = pair.ours.All(EventKind::kTransfer);
  ASSERT_THAT(got, SizeIs(4));
  for (size_t i = 0; i < 4; ++i) {
    pair.ours.engine.Dispose(got[i].link, got[i].delivery, outcomes[i], true);
  }
  pair.Run();
  const uint64_t states[] = {PN_ACCEPTED, PN_REJECTED, PN_RELEASED, PN_MODIFIED};
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(pn_delivery_remote_state(sent[i]), states[i]);
    EXPECT_TRUE(pn_delivery_settled(sent[i]));
  }
  EXPECT_STREQ(pn_condition_get_name(pn_disposition_condition(pn_delivery_remote(sent[1]))), "x:y");
  EXPECT_TRUE(pn_disposition_is_failed(pn_delivery_remote(sent[3])));
}

TEST_P(Oracle, CutsLargeMessagesIntoSmallFrames) {
  EngineOptions small{.container_id = "ours", .max_frame_size = 512};
  OraclePair pair(GetParam(), 6, small, 512);
  pair.piece_max = 3000;
  const LinkIndex out = pair.Sender(10);
  const std::string text = Text(200'000, 1);
  pair.SendAll(out, {.user = 1, .complete = true}, text);
  pair.Run();
  ASSERT_THAT(pair.proton.received, SizeIs(1));
  EXPECT_TRUE(pair.proton.received[0].body == text);

  pn_link_t* in = pair.Receiver(10);
  pair.proton.Send(in, text, false);
  pair.Run();
  std::string got;
  for (const Seen& seen : pair.ours.All(EventKind::kTransfer)) got += seen.payload;
  EXPECT_TRUE(got == text);
}

TEST_P(Oracle, RunsManyMessagesThroughWindowsAndCredit) {
  EngineOptions small{.container_id = "ours", .session_window_bytes = 64 * 1024};
  OraclePair pair(GetParam(), 7, small);
  pair.piece_max = 20000;
  pn_link_t* in = pair.Receiver(50);
  const LinkIndex mine = pair.ours.Last(EventKind::kAttached).link;
  const LinkIndex out = pair.Sender(50);
  pn_link_t* theirs = pair.proton.links.back();
  int sent = 0;
  uint64_t got = 0;
  int settled = 0;
  pair.proton.on_update = [&](pn_delivery_t* delivery) {
    ++settled;
    pn_delivery_settle(delivery);
  };
  const auto answer = pair.ours.react;
  pair.ours.react = [&](const Event& event) {
    answer(event);
    if (event.kind != EventKind::kTransfer || event.more) return;
    ++got;
    pair.ours.engine.Dispose(event.link, event.delivery, {.kind = OutcomeKind::kAccepted}, true);
    pair.ours.engine.Grant(event.link, 1);
  };
  int forth = 0;
  for (int turn = 0; turn < 100; ++turn) {
    while (pn_link_credit(in) > 0 && sent < (turn + 1) * 30) {
      pair.proton.Send(in, Text(1 + pair.random.Below(5000), sent + 1), false);
      ++sent;
    }
    while (pair.ours.engine.Credit(out) > 0 && forth < (turn + 1) * 30) {
      pair.SendAll(out, {.user = 1, .complete = true}, Text(pair.random.Below(5000), forth + 1));
      ++forth;
    }
    pair.Run();
    pn_link_flow(theirs, 50 - pn_link_credit(theirs));
    pair.Run();
  }
  EXPECT_EQ(mine, pair.ours.Last(EventKind::kTransfer).link);
  EXPECT_GE(sent, 2900);
  EXPECT_GE(forth, 2900);
  EXPECT_EQ(got, static_cast<uint64_t>(sent));
  EXPECT_EQ(settled, sent);
  EXPECT_THAT(pair.proton.received, SizeIs(forth));
  EXPECT_THAT(pair.ours.All(EventKind::kDisposition), SizeIs(forth));
}

TEST_P(Oracle, DrainsBothWays) {
  OraclePair pair(GetParam(), 8);
  const LinkIndex out = pair.Sender(10);
  pair.SendAll(out, {.complete = true}, "x");
  pair.Run();
  pn_link_drain(pair.proton.links.back(), 0);
  pair.Run();
  EXPECT_TRUE(pair.ours.Last(EventKind::kLinkFlow).drain);
  pair.ours.engine.Drained(out);
  pair.Run();
  EXPECT_EQ(pn_link_credit(pair.proton.links.back()), 0);
  EXPECT_FALSE(pn_link_draining(pair.proton.links.back()));

  pn_link_t* in = pair.Receiver(10);
  const LinkIndex mine = pair.ours.Last(EventKind::kAttached).link;
  pair.proton.Send(in, "x", true);
  pair.Run();
  pair.ours.engine.Drain(mine);
  pair.Run();
  EXPECT_TRUE(pn_link_get_drain(in));
  EXPECT_EQ(pn_link_drained(in), 9);
  pair.Run();
  const Seen seen = pair.ours.Last(EventKind::kLinkFlow);
  EXPECT_EQ(seen.link, mine);
  EXPECT_EQ(seen.credit, 0u);
  pair.ours.engine.Grant(mine, 7);
  pair.Run();
  EXPECT_EQ(pn_link_credit(in), 7);
}

TEST_P(Oracle, AbortsBothWays) {
  OraclePair pair(GetParam(), 9);
  const LinkIndex out = pair.Sender(10);
  ASSERT_EQ(pair.ours.Send(out, {.user = 1}, "half"), SendResult::kPartial);
  pair.Run();
  Outgoing abort = pair.ours.last_sent;
  abort.aborted = true;
  ASSERT_EQ(pair.ours.Send(out, abort, ""), SendResult::kSent);
  pair.SendAll(out, {.complete = true}, "whole");
  pair.Run();
  ASSERT_THAT(pair.proton.received, SizeIs(2));
  EXPECT_TRUE(pair.proton.received[0].aborted);
  EXPECT_EQ(pair.proton.received[1].body, "whole");

  pn_link_t* in = pair.Receiver(10);
  pn_delivery_t* delivery = pn_delivery(in, pn_dtag("a", 1));
  pn_link_send(in, "half", 4);
  pair.Run();
  pn_delivery_abort(delivery);
  pair.Run();
  EXPECT_TRUE(pair.ours.Last(EventKind::kTransfer).aborted);
  pair.proton.Send(in, "whole", true);
  pair.Run();
  EXPECT_EQ(pair.ours.Last(EventKind::kTransfer).payload, "whole");
  EXPECT_TRUE(pair.ours.Last(EventKind::kTransfer).first);
}

TEST_P(Oracle, HoldsHundredsOfLinks) {
  OraclePair pair(GetParam(), 10);
  pair.piece_max = 5000;
  std::vector<pn_link_t*> theirs;
  for (int i = 0; i < 300; ++i) {
    theirs.push_back(pair.proton.OpenLink(i % 2 == 0, "link" + std::to_string(i)));
    if (i % 2 == 1) pn_link_flow(theirs.back(), 5);
  }
  pair.Run();
  const std::vector<Seen> attached = pair.ours.All(EventKind::kAttached);
  ASSERT_THAT(attached, SizeIs(300));
  // Receivers pipeline attach and flow: reported behind the answer.
  EXPECT_THAT(pair.ours.All(EventKind::kLinkFlow), SizeIs(150));
  for (const Seen& seen : attached) {
    if (seen.role == Role::kReceiver) {
      pair.ours.engine.Grant(seen.link, 5);
    } else {
      pair.SendAll(seen.link, {.complete = true}, seen.attach.name);
    }
  }
  pair.Run();
  EXPECT_THAT(pair.proton.received, SizeIs(150));
  for (int i = 0; i < 300; i += 2) pair.proton.Send(theirs[i], pn_link_name(theirs[i]), true);
  pair.Run();
  const std::vector<Seen> got = pair.ours.All(EventKind::kTransfer);
  ASSERT_THAT(got, SizeIs(150));
  for (const Seen& seen : got) {
    const auto of = std::find_if(attached.begin(), attached.end(),
                                 [&](const Seen& other) { return other.link == seen.link; });
    EXPECT_EQ(of->attach.name, seen.payload);
  }
  for (pn_link_t* link : theirs) pn_link_close(link);
  pair.Run();
  EXPECT_THAT(pair.ours.All(EventKind::kDetached), SizeIs(300));
  for (pn_link_t* link : theirs) EXPECT_TRUE(pn_link_state(link) & PN_REMOTE_CLOSED);
}

TEST_P(Oracle, EndsSessionsFromEitherSide) {
  for (const bool we_end : {true, false}) {
    OraclePair pair(GetParam(), 11);
    const LinkIndex link = pair.Sender(10);
    pn_session_t* theirs = pn_link_session(pair.proton.links.back());
    if (we_end) {
      pair.ours.engine.EndSession(pair.session, {.name = "amqp:internal-error"});
    } else {
      pn_session_close(theirs);
    }
    pair.Run();
    EXPECT_THAT(pair.ours.All(EventKind::kEnded), SizeIs(1));
    EXPECT_TRUE(pair.ours.Last(EventKind::kDetached).implied);
    EXPECT_EQ(pair.ours.Last(EventKind::kDetached).link, link);
    EXPECT_TRUE(pn_session_state(theirs) & PN_REMOTE_CLOSED);
    pair.session = kNoSession;
    pair.SendAll(pair.Sender(1), {.complete = true}, "on a new session");
    pair.Run();
    EXPECT_EQ(pair.proton.received.back().body, "on a new session");
  }
}

TEST_P(Oracle, RefusesLinksWithAReason) {
  OraclePair pair(GetParam(), 12);
  pair.ours.react = [&](const Event& event) {
    if (event.kind != EventKind::kAttached) return;
    pair.ours.engine.AnswerAttach(event.link, {});
    pair.ours.engine.Detach(event.link, true,
                            {.name = "amqp:not-found", .description = "Node not found"});
  };
  for (const bool sender : {true, false}) {
    pn_link_t* link = pair.proton.OpenLink(sender, sender ? "s" : "r");
    pair.Run();
    EXPECT_TRUE(pn_link_state(link) & PN_REMOTE_CLOSED);
    EXPECT_STREQ(pn_condition_get_description(pn_link_remote_condition(link)), "Node not found");
  }
  EXPECT_THAT(pair.ours.All(EventKind::kDetached), SizeIs(2));
}

TEST_P(Oracle, KeepsAnIdleConnectionAlive) {
  EngineOptions options{.container_id = "ours", .idle_timeout = Seconds(4)};
  OraclePair pair(GetParam(), 13, options);
  pn_transport_t* transport = pair.proton.transport();
  EXPECT_EQ(pn_transport_get_remote_idle_timeout(transport), 2000u);
  for (int i = 1; i < 100; ++i) {
    pair.ours.now = Time{1} + Milliseconds(500) * i;
    pair.ours.engine.Tick(pair.ours.now);
    pn_transport_tick(transport, pair.ours.now.ns / 1'000'000 + 1);
    pair.Run();
  }
  EXPECT_TRUE(pair.ours.engine.IsOpen());
  EXPECT_THAT(pair.ours.All(EventKind::kFailed), IsEmpty());
  // Proton falls silent.
  pair.ours.now = pair.ours.now + Seconds(4);
  pair.ours.engine.Tick(pair.ours.now);
  pair.ours.Poll();
  EXPECT_EQ(pair.ours.Last(EventKind::kFailed).error.description, "local-idle-timeout expired");
}

TEST(OracleIdle, SendsTheHeartbeatsThatProtonAsksFor) {
  ProtonPeer proton(true);
  pn_transport_set_idle_timeout(proton.transport(), 3000);
  Node ours({.initiate = true, .container_id = "ours"});
  for (int i = 0; i < 3; ++i) {
    proton.Feed(ours.Take());
    ours.Feed(proton.Take());
  }
  ASSERT_TRUE(ours.engine.IsOpen());
  for (int i = 1; i < 60; ++i) {
    ours.now = Time{1} + Milliseconds(250) * i;
    ours.engine.Tick(ours.now);
    proton.Feed(ours.Take());
    pn_transport_tick(proton.transport(), ours.now.ns / 1'000'000 + 1);
    ours.Feed(proton.Take());
  }
  EXPECT_EQ(proton.TransportError(), "");
  EXPECT_TRUE(ours.engine.IsOpen());
}

TEST_P(Oracle, SettlesInTwoStepsInSecondMode) {
  OraclePair pair(GetParam(), 15);
  // Proton accepts without settling; we settle.
  const LinkIndex out = pair.Sender(10);
  std::vector<pn_delivery_t*> theirs;
  pair.proton.on_delivery = [&](pn_delivery_t* delivery) {
    pn_delivery_update(delivery, PN_ACCEPTED);
    theirs.push_back(delivery);
  };
  for (int i = 0; i < 5; ++i) {
    pair.SendAll(out, {.user = 1u + i, .complete = true}, "x");
  }
  pair.Run();
  const std::vector<Seen> told = pair.ours.All(EventKind::kDisposition);
  ASSERT_THAT(told, SizeIs(5));
  for (const Seen& seen : told) {
    EXPECT_FALSE(seen.settled);
    pair.ours.engine.Dispose(seen.link, seen.delivery, seen.outcome, true);
  }
  pair.Run();
  ASSERT_THAT(theirs, SizeIs(5));
  for (pn_delivery_t* delivery : theirs) {
    EXPECT_TRUE(pn_delivery_settled(delivery));
    pn_delivery_settle(delivery);
  }
  pair.Run();
}

}  // namespace
}  // namespace trunkline::amqp::testing
