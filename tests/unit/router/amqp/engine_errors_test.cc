#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "router/amqp/engine.h"
#include "router/amqp/sasl.h"
#include "tests/unit/router/amqp/engine_pair.h"

namespace trunkline::amqp::testing {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

std::string Opening() { return std::string(kAmqpHeader) + FrameOf(0, Open{.container_id = "c"}); }
std::string Begun() { return Opening() + FrameOf(0, Begin{.incoming_window = 10}); }

// What a server makes of `bytes`: the condition of its failure, said to the peer as well.
std::string FailureOf(const std::string& bytes, EngineOptions options = ServerOptions()) {
  Node server(std::move(options));
  server.Feed(bytes);
  EXPECT_LE(server.All(EventKind::kFailed).size(), 1u);
  const Seen seen = server.Last(EventKind::kFailed);
  if (seen.kind != EventKind::kFailed) return "";
  EXPECT_EQ(server.events.back().kind, EventKind::kFailed);
  EXPECT_TRUE(server.engine.IsClosed());
  EXPECT_EQ(server.engine.Consumed(), bytes.size());
  const std::string written = server.Take();
  EXPECT_TRUE(written.starts_with(kAmqpHeader));
  const std::vector<WrittenFrame> frames = SplitFrames(written);
  EXPECT_FALSE(frames.empty());
  if (frames.empty()) return "";
  EXPECT_EQ(frames.front().code, static_cast<uint8_t>(Descriptor::kOpen));
  EXPECT_EQ(frames.back().code, static_cast<uint8_t>(Descriptor::kClose));
  EXPECT_EQ(ParseClose(frames.back().body)->error.name, seen.error.name);
  // Nothing more is read or written.
  server.Feed(Begun());
  EXPECT_EQ(server.events.back().kind, EventKind::kFailed);
  EXPECT_EQ(server.Take(), "");
  return seen.error.name;
}

TEST(EngineErrors, RefusesAnotherProtocolWithItsOwnHeader) {
  for (const std::string& header :
       {std::string("GET / HT"), std::string(kSaslHeader), std::string("AMQP\0\0\x09\x01", 8)}) {
    Node server(ServerOptions());
    server.Feed(header + FrameOf(0, Open{.container_id = "c"}));
    ASSERT_THAT(server.events, SizeIs(1));
    EXPECT_EQ(server.events[0].kind, EventKind::kFailed);
    EXPECT_TRUE(server.engine.IsClosed());
    EXPECT_EQ(server.Take(), kAmqpHeader);
  }
}

TEST(EngineErrors, WantsAnOpenFirstAndOnce) {
  EXPECT_EQ(FailureOf(std::string(kAmqpHeader) + FrameOf(0, Begin{})), "amqp:illegal-state");
  EXPECT_EQ(FailureOf(Opening() + FrameOf(0, Open{.container_id = "c"})), "amqp:illegal-state");
}

TEST(EngineErrors, HoldsThePeerToItsFrameSize) {
  EngineOptions options = ServerOptions();
  options.max_frame_size = 512;
  std::string body;
  Encode(Attach{.name = "a", .role = Role::kReceiver}, body);
  const auto with_name = [](size_t bytes) {
    for (size_t n = 300;; ++n) {
      std::string frame = FrameOf(0, Attach{.name = std::string(n, 'n'), .role = Role::kReceiver});
      if (frame.size() >= bytes) return frame;
    }
  };
  ASSERT_EQ(with_name(512).size(), 512u);
  EXPECT_EQ(FailureOf(Begun() + with_name(512), options), "");
  EXPECT_EQ(FailureOf(Begun() + with_name(513), options), "amqp:connection:framing-error");
}

TEST(EngineErrors, ChecksTheFrameHeader) {
  std::string small = RawFrame(0, "");
  small[3] = 7;
  std::string low = RawFrame(0, "");
  low[4] = 1;
  std::string beyond = RawFrame(0, "abcd");
  beyond[4] = 4;
  std::string sasl = RawFrame(0, "");
  sasl[5] = 1;
  for (const std::string& frame : {small, low, beyond, sasl}) {
    EXPECT_EQ(FailureOf(Opening() + frame), "amqp:connection:framing-error");
  }
  // An extended header is skipped.
  std::string extended = RawFrame(0, "abcd");
  extended[4] = 3;
  EXPECT_EQ(FailureOf(Opening() + extended), "");
}

TEST(EngineErrors, TakesEmptyFramesOnAnyChannelAsHeartbeats) {
  EXPECT_EQ(FailureOf(Opening() + RawFrame(0, "") + RawFrame(9, "")), "");
}

TEST(EngineErrors, FailsForWhatCannotBeDecoded) {
  for (const std::string& body :
       {std::string("x"), std::string("\x00\x53", 2), std::string("\x00\x53\x19\x45", 4),
        std::string("\x00\x53\x40\x45", 4)}) {
    EXPECT_EQ(FailureOf(Begun() + RawFrame(0, body)), "amqp:decode-error");
  }
  for (const char code : {'\x10', '\x11', '\x12', '\x13', '\x14', '\x15', '\x16', '\x17', '\x18'}) {
    const std::string body{0, 0x53, code, '\x50', 1};
    const std::string opening = code == '\x10' ? std::string(kAmqpHeader) : Begun();
    EXPECT_EQ(FailureOf(opening + RawFrame(0, body)), "amqp:decode-error") << int{code};
  }
}

TEST(EngineErrors, FailsForFramesOnChannelsThatAreNotThere) {
  for (const std::string& frame :
       {FrameOf(3, End{}), FrameOf(3, Flow{}), FrameOf(3, Detach{}), FrameOf(3, Disposition{}),
        FrameOf(3, Transfer{}), FrameOf(3, Attach{.name = "a"})}) {
    EXPECT_EQ(FailureOf(Begun() + frame), "amqp:not-allowed");
  }
  EXPECT_EQ(FailureOf(Begun() + FrameOf(0, End{}) + FrameOf(0, End{})), "amqp:not-allowed");
  EXPECT_EQ(FailureOf(Begun() + FrameOf(0, Begin{})), "amqp:not-allowed");
}

TEST(EngineErrors, TakesChannelsUpToItsLimit) {
  EngineOptions options = ServerOptions();
  options.channel_max = 4;
  EXPECT_EQ(FailureOf(Opening() + FrameOf(4, Begin{}), options), "");
  EXPECT_EQ(FailureOf(Opening() + FrameOf(5, Begin{}), options), "amqp:connection:framing-error");
  EXPECT_EQ(FailureOf(Opening() + FrameOf(5, Flow{}), options), "amqp:connection:framing-error");
}

TEST(EngineErrors, KeepsToThePeersChannelLimit) {
  Node server(ServerOptions());
  server.Feed(std::string(kAmqpHeader) + FrameOf(0, Open{.container_id = "c", .channel_max = 1}));
  EXPECT_EQ(server.engine.BeginSession(), 0);
  EXPECT_EQ(server.engine.BeginSession(), 1);
  EXPECT_EQ(server.engine.BeginSession(), kNoSession);
  server.Feed(FrameOf(0, Begin{}));
  EXPECT_EQ(server.Last(EventKind::kFailed).error.name, "amqp:resource-limit-exceeded");
}

TEST(EngineErrors, RefusesAnAnswerToASessionThatDoesNotWait) {
  EXPECT_EQ(FailureOf(Opening() + FrameOf(0, Begin{.remote_channel = 0})), "amqp:invalid-field");
  EXPECT_EQ(FailureOf(Begun() + FrameOf(1, Begin{.remote_channel = 0})), "amqp:invalid-field");
}

TEST(EngineErrors, RefusesAPeerThatTakesNoFrames) {
  EXPECT_EQ(FailureOf(std::string(kAmqpHeader) +
                      FrameOf(0, Open{.container_id = "c", .max_frame_size = 511})),
            "amqp:invalid-field");
  EXPECT_EQ(FailureOf(std::string(kAmqpHeader) +
                      FrameOf(0, Open{.container_id = "c", .max_frame_size = 512})),
            "");
}

TEST(EngineErrors, FailsWhenTheInputEndsTooEarly) {
  for (const std::string& bytes : {std::string(), Opening(), Begun()}) {
    Node server(ServerOptions());
    server.Feed(bytes);
    server.engine.InputEnded();
    server.Poll();
    EXPECT_EQ(server.Last(EventKind::kFailed).error.name, "amqp:connection:framing-error");
    EXPECT_TRUE(server.engine.IsClosed());
  }
}

TEST(EngineErrors, TakesTheEndOfInputAfterACloseAsItsAnswer) {
  Pair pair;
  pair.Run();
  pair.client.engine.Close();
  pair.client.engine.InputEnded();
  pair.client.Poll();
  EXPECT_TRUE(pair.client.engine.IsClosed());
  EXPECT_THAT(pair.client.All(EventKind::kFailed), IsEmpty());
  pair.Run();
  pair.server.engine.InputEnded();
  pair.server.Poll();
  EXPECT_THAT(pair.server.All(EventKind::kFailed), IsEmpty());
}

TEST(EngineErrors, TellsHowMuchTheNextFrameNeeds) {
  Node server(ServerOptions());
  const std::string open = FrameOf(0, Open{.container_id = "c"});
  server.Feed(std::string(kAmqpHeader) + open.substr(0, 7));
  EXPECT_EQ(server.engine.Consumed(), 8u);
  EXPECT_EQ(server.engine.FrameNeeds(), 8u);
  server.Feed(open.substr(7, 1));
  EXPECT_EQ(server.engine.Consumed(), 0u);
  EXPECT_EQ(server.engine.FrameNeeds(), open.size());
}

TEST(EngineErrors, SurvivesDamageAnywhere) {
  const std::string good =
      Begun() +
      FrameOf(0, Attach{.name = "a", .role = Role::kSender, .initial_delivery_count = 0}) +
      FrameOf(0, Attach{.name = "b", .handle = 1, .role = Role::kReceiver, .source = At("q")}) +
      FrameOf(0, Flow{.next_incoming_id = 0, .incoming_window = 9, .handle = 1, .link_credit = 5}) +
      FrameOf(0, Transfer{.handle = 0, .delivery_id = 0, .delivery_tag = "t"}, "body") +
      FrameOf(0, Disposition{.role = Role::kReceiver, .first = 0, .last = 9, .settled = true}) +
      FrameOf(0, Detach{.handle = 1}) + FrameOf(0, End{}) + FrameOf(0, Close{});
  Random random(11);
  for (size_t at = 0; at <= good.size(); ++at) {
    for (int round = 0; round < 20; ++round) {
      std::string bad = round == 0 ? good.substr(0, at) : good;
      for (int i = 0; round > 0 && i < round; ++i) {
        bad[(at + i * 37) % bad.size()] = static_cast<char>(random.Next());
      }
      Node server(ServerOptions());
      server.react = [&](const Event& event) {
        if (event.kind == EventKind::kAttached) {
          server.Answer(event);
          server.engine.Grant(event.link, 10);
          server.Send(event.link, {.complete = true}, "hello");
        } else {
          server.Answer(event);
        }
      };
      server.Feed(bad);
      server.engine.InputEnded();
      server.Poll();
      server.Take();
    }
  }
}

TEST(EngineIdle, SendsHeartbeatsTwiceAsOftenAsThePeerWants) {
  Node server(ServerOptions());
  EXPECT_EQ(server.engine.Tick(server.now), kNever);
  server.Feed(std::string(kAmqpHeader) +
              FrameOf(0, Open{.container_id = "c", .idle_time_out = 10000}));
  server.Take();
  const Time start = server.now;
  EXPECT_EQ(server.engine.Tick(start), start + Seconds(5));
  EXPECT_EQ(server.engine.output().bytes(), 0u);
  server.now = start + Seconds(3);
  server.engine.BeginSession();
  server.Take();  // something was sent: the time starts again
  EXPECT_EQ(server.engine.Tick(start + Seconds(5)), start + Seconds(8));
  EXPECT_EQ(server.engine.output().bytes(), 0u);
  EXPECT_EQ(server.engine.Tick(start + Seconds(8)), start + Seconds(13));
  EXPECT_EQ(server.engine.output().bytes(), 8u);
}

TEST(EngineIdle, BearsAVeryImpatientPeer) {
  Node server(ServerOptions());
  server.Feed(std::string(kAmqpHeader) + FrameOf(0, Open{.container_id = "c", .idle_time_out = 1}));
  server.Take();
  EXPECT_EQ(server.engine.Tick(server.now), server.now + Milliseconds(100));
}

TEST(EngineIdle, AnnouncesHalfOfItsPatienceAndClosesWhenItIsOver) {
  EngineOptions options = ServerOptions();
  options.idle_timeout = Seconds(16);
  Node server(options);
  const Time start = server.now;
  EXPECT_EQ(server.engine.Tick(start), start + Seconds(16));
  server.now = start + Seconds(10);
  server.Feed(Opening());
  EXPECT_EQ(ParseOpen(SplitFrames(server.Take())[0].body)->idle_time_out, 8000u);
  EXPECT_EQ(server.engine.Tick(start + Seconds(16)), start + Seconds(26));
  server.Poll();
  EXPECT_THAT(server.All(EventKind::kFailed), IsEmpty());
  EXPECT_EQ(server.engine.Tick(start + Seconds(26)), kNever);
  server.Poll();
  EXPECT_EQ(server.Last(EventKind::kFailed).error.name, "amqp:resource-limit-exceeded");
  EXPECT_EQ(server.Last(EventKind::kFailed).error.description, "local-idle-timeout expired");
  EXPECT_EQ(ParseClose(SplitFrames(server.Take())[0].body)->error.description,
            "local-idle-timeout expired");
  EXPECT_TRUE(server.engine.IsClosed());
}

TEST(EngineIdle, GivesUpAPeerThatDoesNotAnswerAClose) {
  EngineOptions options = ServerOptions();
  options.idle_timeout = Seconds(16);
  Node server(options);
  server.Feed(Opening());
  server.engine.Close();
  EXPECT_FALSE(server.engine.IsClosed());
  EXPECT_EQ(server.engine.Tick(server.now + Seconds(16)), kNever);
  EXPECT_TRUE(server.engine.IsClosed());
  server.Poll();
  EXPECT_THAT(server.All(EventKind::kFailed), IsEmpty());
}

TEST(EngineIdle, HoldsNoBlocksWhileIdle) {
  Pair pair;
  const Pair::Ends ends = pair.Attach(SenderAttach("a"));
  pair.server.engine.Grant(ends.server, 100);
  pair.Run();
  for (int i = 0; i < 50; ++i) pair.client.Send(ends.client, {.complete = true}, "x");
  pair.Run();
  for (uint32_t i = 0; i < 50; ++i) {
    pair.server.engine.Dispose(ends.server, i, {.kind = OutcomeKind::kAccepted}, true);
  }
  pair.Run();
  EXPECT_EQ(pair.client.pool.bytes_in_use(), 0u);
  EXPECT_EQ(pair.server.pool.bytes_in_use(), 0u);
}

}  // namespace
}  // namespace trunkline::amqp::testing
