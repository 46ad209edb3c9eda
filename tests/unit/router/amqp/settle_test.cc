#include <algorithm>
#include <set>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "router/amqp/engine.h"
#include "tests/unit/router/amqp/engine_pair.h"

namespace trunkline::amqp::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const Outcome kAccepted{.kind = OutcomeKind::kAccepted};
const Outcome kReleased{.kind = OutcomeKind::kReleased};

std::vector<Disposition> Dispositions(const std::vector<WrittenFrame>& frames) {
  std::vector<Disposition> found;
  for (const WrittenFrame& frame : frames) {
    if (frame.code != static_cast<uint8_t>(Descriptor::kDisposition)) continue;
    Disposition disposition;
    EXPECT_TRUE(ParseDisposition(frame.body, disposition));
    found.push_back(disposition);
  }
  return found;
}

// A pair with a link from client to server that has carried `n` unsettled messages.
struct Loaded : Pair {
  explicit Loaded(uint32_t n, uint64_t seed = 1) : Pair(seed) {
    piece_max = 2000;
    ends = Attach(SenderAttach("a"));
    server.engine.Grant(ends.server, n + 10);
    Run();
    for (uint32_t i = 0; i < n; ++i) {
      if (client.Send(ends.client, {.user = 1000 + i, .complete = true}, "x") ==
          SendResult::kBlocked) {
        Run();
        --i;
      }
    }
    Run();
    client.events.clear();
  }
  // What the server says next, as dispositions; the client hears it.
  std::vector<Disposition> Flush() {
    const std::string bytes = server.Take();
    client.Feed(bytes);
    frames = SplitFrames(bytes);
    return Dispositions(frames);
  }
  Ends ends;
  std::vector<WrittenFrame> frames;
};

TEST(Settle, MergesOneOutcomeIntoOneFrame) {
  Loaded pair(100);
  for (uint32_t i = 0; i < 100; ++i)
    pair.server.engine.Dispose(pair.ends.server, i, kAccepted, true);
  const std::vector<Disposition> sent = pair.Flush();
  ASSERT_THAT(sent, SizeIs(1));
  EXPECT_EQ(sent[0].first, 0u);
  EXPECT_EQ(sent[0].last, 99u);
  EXPECT_EQ(sent[0].role, Role::kReceiver);
  const std::vector<Seen> told = pair.client.All(EventKind::kDisposition);
  ASSERT_THAT(told, SizeIs(100));
  for (uint32_t i = 0; i < 100; ++i) EXPECT_EQ(told[i].delivery_user, 1000 + i);
}

TEST(Settle, MergesOutcomesThatComeInAnyOrder) {
  Loaded pair(400);
  // Four consumers, each in its own order.
  for (uint32_t consumer = 0; consumer < 4; ++consumer) {
    for (uint32_t i = consumer; i < 400; i += 4) {
      pair.server.engine.Dispose(pair.ends.server, 399 - i, kAccepted, true);
    }
  }
  EXPECT_THAT(pair.Flush(), SizeIs(1));
  EXPECT_THAT(pair.client.All(EventKind::kDisposition), SizeIs(400));
}

TEST(Settle, SplitsWhereOutcomesDiffer) {
  Loaded pair(10);
  for (uint32_t i = 0; i < 10; ++i) {
    pair.server.engine.Dispose(pair.ends.server, i, i == 4 ? kReleased : kAccepted, true);
  }
  const std::vector<Disposition> sent = pair.Flush();
  ASSERT_THAT(sent, SizeIs(3));
  EXPECT_EQ(sent[1].first, 4u);
  EXPECT_FALSE(sent[1].last.has_value());
  EXPECT_EQ(sent[1].state_kind, OutcomeKind::kReleased);
  EXPECT_EQ(sent[2].first, 5u);
  EXPECT_EQ(pair.client.All(EventKind::kDisposition)[4].outcome.kind, OutcomeKind::kReleased);
}

TEST(Settle, LeavesOutWhatIsNotDecided) {
  Loaded pair(10);
  for (uint32_t i : {0, 1, 2, 5, 6, 9}) {
    pair.server.engine.Dispose(pair.ends.server, i, kAccepted, true);
  }
  EXPECT_THAT(pair.Flush(), SizeIs(3));
  std::set<uint32_t> told;
  for (const Seen& seen : pair.client.All(EventKind::kDisposition)) told.insert(seen.delivery);
  EXPECT_THAT(told, ElementsAre(0, 1, 2, 5, 6, 9));
  // What is settled by now does not part the next range.
  for (uint32_t i : {3, 4, 7, 8}) pair.server.engine.Dispose(pair.ends.server, i, kAccepted, true);
  EXPECT_THAT(pair.Flush(), SizeIs(1));
  EXPECT_THAT(pair.client.All(EventKind::kDisposition), SizeIs(10));
}

TEST(Settle, CarriesRawStatesByteForByte) {
  Loaded pair(6);
  const std::string rejected =
      EncodeRejected({.name = "amqp:not-found", .description = "nobody there"});
  const std::string modified = ModifiedDeliveryFailed({});
  for (uint32_t i : {0, 1, 3}) {
    pair.server.engine.Dispose(pair.ends.server, i, {OutcomeKind::kRejected, rejected}, true);
  }
  pair.server.engine.Dispose(pair.ends.server, 2, {OutcomeKind::kModified, modified}, true);
  pair.server.engine.Dispose(pair.ends.server, 4, {.kind = OutcomeKind::kModified}, true);
  pair.server.engine.Dispose(pair.ends.server, 5, {.kind = OutcomeKind::kNone}, true);
  EXPECT_THAT(pair.Flush(), SizeIs(5));
  const std::vector<Seen> told = pair.client.All(EventKind::kDisposition);
  ASSERT_THAT(told, SizeIs(6));
  EXPECT_EQ(told[0].outcome, (Outcome{OutcomeKind::kRejected, rejected}));
  EXPECT_EQ(told[1].outcome, (Outcome{OutcomeKind::kRejected, rejected}));
  EXPECT_EQ(told[2].outcome, (Outcome{OutcomeKind::kModified, modified}));
  EXPECT_EQ(told[3].outcome, (Outcome{OutcomeKind::kRejected, rejected}));
  EXPECT_EQ(told[4].outcome, (Outcome{OutcomeKind::kModified, ""}));
  EXPECT_EQ(told[5].outcome, Outcome{});
  EXPECT_TRUE(told[5].settled);
}

TEST(Settle, PassesBothStepsOfASecondModeSettlement) {
  Loaded pair(3);
  for (uint32_t i = 0; i < 3; ++i) {
    pair.server.engine.Dispose(pair.ends.server, i, kAccepted, false);
  }
  ASSERT_THAT(pair.Flush(), SizeIs(1));
  std::vector<Seen> told = pair.client.All(EventKind::kDisposition);
  ASSERT_THAT(told, SizeIs(3));
  EXPECT_FALSE(told[0].settled);
  for (uint32_t i = 0; i < 3; ++i) {
    pair.client.engine.Dispose(pair.ends.client, i, kAccepted, true);
    pair.server.engine.SetDeliveryUser(pair.ends.server, i, 50 + i);
  }
  const std::string bytes = pair.client.Take();
  ASSERT_THAT(Dispositions(SplitFrames(bytes)), SizeIs(1));
  EXPECT_EQ(Dispositions(SplitFrames(bytes))[0].role, Role::kSender);
  pair.server.Feed(bytes);
  told = pair.server.All(EventKind::kDisposition);
  ASSERT_THAT(told, SizeIs(3));
  EXPECT_TRUE(told[2].settled);
  EXPECT_EQ(told[2].role, Role::kReceiver);
  EXPECT_EQ(told[2].delivery_user, 52u);
  // Settled on both sides: nothing more is said.
  pair.server.engine.Dispose(pair.ends.server, 1, kAccepted, true);
  EXPECT_THAT(pair.Flush(), IsEmpty());
}

TEST(Settle, ReportsAndForgetsOnlyWhatIsUnsettled) {
  Loaded pair(3);
  pair.server.engine.Dispose(pair.ends.server, 1, kAccepted, true);
  pair.server.engine.Dispose(pair.ends.server, 1, kReleased, true);
  pair.server.engine.Dispose(pair.ends.server, 77, kAccepted, true);
  EXPECT_THAT(pair.Flush(), SizeIs(1));
  // The peer says it again, and for ids that never were.
  pair.client.events.clear();
  pair.client.Feed(FrameOf(0, Disposition{.role = Role::kReceiver,
                                          .first = 4294967290u,
                                          .last = 2147483000u,
                                          .settled = true,
                                          .state_kind = OutcomeKind::kAccepted}));
  std::vector<Seen> told = pair.client.All(EventKind::kDisposition);
  ASSERT_THAT(told, SizeIs(2));
  EXPECT_EQ(told[0].delivery, 0u);
  EXPECT_EQ(told[1].delivery, 2u);
}

TEST(Settle, SaysTheLastWordOnlyOnceBeforeAFlush) {
  Loaded pair(1);
  const std::string received("\x00\x53\x23\xc0\x03\x02\x43\x43", 8);
  pair.server.engine.Dispose(pair.ends.server, 0, {OutcomeKind::kReceived, received}, false);
  pair.server.engine.Dispose(pair.ends.server, 0, kAccepted, false);
  pair.server.engine.Dispose(pair.ends.server, 0, {}, true);
  const std::vector<Disposition> sent = pair.Flush();
  ASSERT_THAT(sent, SizeIs(1));
  EXPECT_EQ(sent[0].state_kind, OutcomeKind::kAccepted);
  EXPECT_TRUE(sent[0].settled);
}

TEST(Settle, ReportsOneDispositionWhileCommandsComeInBetween) {
  Loaded pair(100);
  pair.client.react = [&](const Event& event) {
    if (event.kind != EventKind::kDisposition || event.settled) return;
    // Answers each at once, and sends another.
    pair.client.engine.Dispose(event.link, event.delivery, kAccepted, true);
    pair.client.Send(event.link, {.complete = true}, "again");
  };
  for (uint32_t i = 0; i < 100; ++i) {
    pair.server.engine.Dispose(pair.ends.server, i, kAccepted, false);
  }
  pair.Flush();
  EXPECT_THAT(pair.client.All(EventKind::kDisposition), SizeIs(100));
}

TEST(Settle, StopsReportingWhenTheSessionIsEndedInBetween) {
  Loaded pair(10);
  pair.client.react = [&](const Event& event) {
    if (event.kind == EventKind::kDisposition && event.delivery == 3) {
      pair.client.engine.EndSession(pair.session);
    }
  };
  for (uint32_t i = 0; i < 10; ++i)
    pair.server.engine.Dispose(pair.ends.server, i, kAccepted, true);
  pair.Flush();
  EXPECT_THAT(pair.client.All(EventKind::kDisposition), SizeIs(4));
  EXPECT_THAT(pair.client.All(EventKind::kDetached), SizeIs(1));
}

TEST(Settle, EndsAPeerThatSpeaksOfTheSameDeliveriesAgainAndAgain) {
  constexpr uint64_t kDeliveries = 1000;
  Loaded pair(kDeliveries);
  const auto say = [&](uint32_t first, uint32_t last) {
    pair.client.Feed(FrameOf(0, Disposition{.role = Role::kReceiver,
                                            .first = first,
                                            .last = last,
                                            .state_kind = OutcomeKind::kAccepted}));
    const size_t told = pair.client.All(EventKind::kDisposition).size();
    const bool ended = !pair.client.All(EventKind::kDetached).empty();
    if (!ended) pair.client.events.clear();
    return ended ? 0 : told;
  };
  uint64_t looks = Session::kLooksAhead + Session::kLooksPerDelivery * kDeliveries;
  for (; looks >= kDeliveries; looks -= kDeliveries) ASSERT_EQ(say(0, INT32_MAX), kDeliveries);
  ASSERT_EQ(say(0, static_cast<uint32_t>(looks - 1)), looks);
  // What is not there costs nothing.
  EXPECT_EQ(say(5000, 6000), 0u);
  EXPECT_EQ(pair.client.All(EventKind::kDetached).size(), 0u);
  EXPECT_EQ(say(7, 7), 0u);
  EXPECT_EQ(pair.client.Last(EventKind::kDetached).error.name, "amqp:resource-limit-exceeded");
}

TEST(Settle, FlushesBeforeADetachAndAnEndAndAClose) {
  for (int kind = 0; kind < 3; ++kind) {
    Loaded pair(2);
    pair.server.engine.Dispose(pair.ends.server, 0, kAccepted, true);
    pair.server.engine.Dispose(pair.ends.server, 1, kAccepted, true);
    if (kind == 0) pair.server.engine.Detach(pair.ends.server, true);
    if (kind == 1) pair.server.engine.EndSession(0);
    if (kind == 2) pair.server.engine.Close();
    pair.Run();
    EXPECT_THAT(pair.client.All(EventKind::kDisposition), SizeIs(2)) << kind;
  }
}

// They are looked for once a flush, however many links leave.
TEST(Settle, GivesThePlaceOfALinkAwayWhenItsDeliveriesAreForgotten) {
  Loaded pair(10);
  Engine& engine = pair.client.engine;
  engine.Detach(pair.ends.client, true);
  pair.client.Feed(FrameOf(0, Detach{.handle = 0, .closed = true}));
  pair.client.events.clear();
  EXPECT_NE(engine.StartLink(pair.session, SenderAttach("b")), pair.ends.client);
  pair.client.Feed(FrameOf(0, Disposition{.role = Role::kReceiver,
                                          .first = 0,
                                          .last = 9,
                                          .settled = true,
                                          .state_kind = OutcomeKind::kAccepted}));
  EXPECT_THAT(pair.client.All(EventKind::kDisposition), IsEmpty());
  engine.Flush(pair.client.now);
  EXPECT_EQ(engine.StartLink(pair.session, SenderAttach("c")), pair.ends.client);
}

TEST(Settle, ForgetsTheDeliveriesOfALinkThatIsGone) {
  Loaded pair(10);
  const Pair::Ends other = pair.Attach(SenderAttach("b"));
  pair.server.engine.Grant(other.server, 1);
  pair.Run();
  pair.client.Send(other.client, {.user = 5, .complete = true}, "y");
  pair.Run();
  pair.client.engine.Detach(pair.ends.client, true);
  pair.Run();
  pair.client.events.clear();
  pair.client.Feed(FrameOf(0, Disposition{.role = Role::kReceiver,
                                          .first = 0,
                                          .last = 1000,
                                          .settled = true,
                                          .state_kind = OutcomeKind::kAccepted}));
  const std::vector<Seen> told = pair.client.All(EventKind::kDisposition);
  ASSERT_THAT(told, SizeIs(1));
  EXPECT_EQ(told[0].delivery_user, 5u);
}

TEST(Settle, AgreesWithItsPeerAboutRandomOutcomes) {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    Pair pair(seed);
    pair.piece_max = 500;
    std::vector<Pair::Ends> links;
    for (int i = 0; i < 5; ++i) {
      links.push_back(pair.Attach(SenderAttach(std::to_string(i))));
      pair.server.engine.Grant(links.back().server, 100000);
    }
    pair.Run();
    std::vector<std::pair<LinkIndex, uint32_t>> open;
    std::map<uint64_t, OutcomeKind> said;  // by user
    std::map<uint32_t, uint64_t> users;    // by delivery
    uint64_t user = 0;
    uint64_t unsettled = 0;
    for (int step = 0; step < 3000; ++step) {
      const Pair::Ends& link = links[pair.random.Below(5)];
      const bool settled = pair.random.Below(4) == 0;
      Outgoing outgoing{.user = ++user, .settled = settled, .complete = true};
      if (pair.client.Send(link.client, outgoing, "m") == SendResult::kSent && !settled) {
        open.push_back({link.server, pair.client.last_sent.delivery});
        users[pair.client.last_sent.delivery] = user;
        ++unsettled;
      }
      if (step % 7 == 0) pair.Run();
      while (open.size() > 200 || (!open.empty() && pair.random.Below(3) == 0)) {
        // One in a hundred stays for long.
        const size_t at = pair.random.Below(open.size());
        if (open[at].second % 100 == 0 && step < 2900) break;
        const OutcomeKind kind =
            pair.random.Below(10) == 0 ? OutcomeKind::kReleased : OutcomeKind::kAccepted;
        pair.Run();
        pair.server.engine.Dispose(open[at].first, open[at].second, {.kind = kind}, true);
        said[users[open[at].second]] = kind;
        open[at] = open.back();
        open.pop_back();
      }
    }
    pair.Run();
    for (const auto& [link, delivery] : open) {
      pair.server.engine.Dispose(link, delivery, kAccepted, true);
      said[users[delivery]] = OutcomeKind::kAccepted;
    }
    pair.Run();
    std::map<uint64_t, OutcomeKind> told;
    for (const Seen& seen : pair.client.All(EventKind::kDisposition)) {
      EXPECT_TRUE(told.emplace(seen.delivery_user, seen.outcome.kind).second);
    }
    EXPECT_EQ(told.size(), unsettled);
    EXPECT_TRUE(told == said);
  }
}

}  // namespace
}  // namespace trunkline::amqp::testing
