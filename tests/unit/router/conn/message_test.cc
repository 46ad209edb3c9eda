// Messages through two drivers and one shard: bytes, settlement, large ones, back-pressure.

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "router/conn/marks.h"
#include "test_world.h"

namespace trunkline::conn::test {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::Field;
using testing::SizeIs;

template <size_t n>
std::string Bytes(const char (&text)[n]) {
  return std::string(text, n - 1);
}

// A message with one data section of `size` bytes that differ.
std::string Message(size_t size, uint64_t seed = 1) {
  std::string bytes = Bytes("\x00\x53\x75\xb0");
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(size >> shift);
  Random random(seed);
  while (size-- > 0) bytes += static_cast<char>(random.Next());
  return bytes;
}

// Legal messages that a codec would not write like this.
std::vector<std::string> OddMessages() {
  return {
      Bytes("\x00\x53\x75\xa0\x00"),                               // empty data
      Bytes("\x00\x53\x75\xb0\x00\x00\x00\x01x"),                  // one byte in a vbin32
      Bytes("\x00\x80\x00\x00\x00\x00\x00\x00\x00\x75\xa0\x01x"),  // descriptor as a full ulong
      Bytes("\x00\x53\x75\xa0\x01"
            "a"
            "\x00\x53\x75\xa0\x01"
            "b"),                                             // two data sections
      Bytes("\x00\x53\x76\x45\x00\x53\x76\xc0\x02\x01\x41"),  // two sequences
      Bytes("\x00\x53\x77\x70\x00\x00\x00\x01"),              // a uint, not as smalluint
      // Properties as a list32 with nulls at its end; a value; a footer.
      Bytes("\x00\x53\x73\xd0\x00\x00\x00\x07\x00\x00\x00\x03\x40\x40\x40\x00\x53\x77\x40"
            "\x00\x53\x78\xd1\x00\x00\x00\x04\x00\x00\x00\x00"),
      // Application properties as an empty map8; an array of lists as the value.
      Bytes("\x00\x53\x74\xc1\x01\x00\x00\x53\x77\xe0\x02\x02\x45"),
  };
}

// A frame on channel 0.
std::string FrameOf(const std::string& body) {
  const size_t size = body.size() + 8;
  std::string frame;
  for (int shift = 24; shift >= 0; shift -= 8) frame += static_cast<char>(size >> shift);
  return frame + Bytes("\x02\x00\x00\x00") + body;
}
template <typename Performative>
std::string Frame(const Performative& performative) {
  std::string body;
  amqp::Encode(performative, body);
  return FrameOf(body);
}

// A producer and a consumer on connections of their own.
struct Pair {
  explicit Pair(WorldOptions options = {}, ClientOptions client = {},
                DriverOptions driver = World::Accepting())
      : world(options), from(world.Connect(client, driver)), to(world.Connect(client, driver)) {
    receiver = to.client->Receiver("orders", 1000);
    sender = from.client->Sender("orders");
  }
  void Send(const std::vector<std::string>& messages, bool settled) {
    for (const std::string& message : messages) from.client->Send(sender, message, settled);
  }
  std::vector<std::string> Got() {
    std::vector<std::string> messages;
    for (const Received& received : to.client->link(receiver).received) {
      EXPECT_TRUE(received.complete);
      messages.push_back(received.bytes);
    }
    return messages;
  }
  ClientLink& sent() { return from.client->link(sender); }
  ClientLink& got() { return to.client->link(receiver); }

  World world;
  Peer& from;
  Peer& to;
  amqp::LinkIndex receiver;
  amqp::LinkIndex sender;
};

// --- whatever the bytes

TEST(Message, PassesByteForByteWhateverItsEncoding) {
  for (const bool settled : {false, true}) {
    Pair pair;
    pair.Send(OddMessages(), settled);
    pair.world.Run();
    EXPECT_EQ(pair.Got(), OddMessages());
    EXPECT_THAT(pair.sent().outcomes, SizeIs(settled ? 0 : OddMessages().size()));
    EXPECT_EQ(pair.world.shard().unsettled(), 0u);
  }
}

TEST(Message, PassesWhateverTheFragments) {
  std::vector<std::string> messages = OddMessages();
  for (const size_t size : {1, 100, 600, 2047, 2048, 5000, 20000}) {
    messages.push_back(Message(size));
  }
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    const size_t most = 1 + (seed * seed * 7) % 3000;
    Pair pair({.seed = seed, .read_max = most, .write_max = most},
              {.sasl = seed % 2 == 0, .max_frame_size = seed % 3 == 0 ? 512u : 16384u});
    pair.Send(messages, seed % 5 == 0);
    pair.world.Run();
    ASSERT_TRUE(pair.Got() == messages) << "seed " << seed;
    ASSERT_EQ(pair.world.shard().unsettled(), 0u) << "seed " << seed;
  }
}

TEST(Message, OfAMegabytePassesAtEveryFrameSize) {
  const std::string large = Message(1 << 20);
  for (const uint32_t frame : {512u, 1024u, 4096u, 16384u}) {
    for (const uint64_t seed : {0, 1, 2}) {
      DriverOptions options = World::Accepting();
      options.max_frame_size = frame;
      Pair pair({.seed = seed, .read_max = 60000, .write_max = 60000}, {.max_frame_size = frame},
                options);
      pair.Send({large, "", Message(3)}, false);
      pair.world.Run();
      ASSERT_THAT(pair.Got(), SizeIs(3));
      ASSERT_TRUE(pair.Got()[0] == large);
      ASSERT_THAT(pair.sent().outcomes, SizeIs(3));
    }
  }
}

TEST(Message, InAFrameLargerThanABlock) {
  DriverOptions options = World::Accepting();
  options.max_frame_size = 1 << 20;
  World world({.seed = 3, .read_max = 50000, .write_max = 50000});
  Peer& from = world.Accept(options);
  Peer& to = world.Connect();
  const amqp::LinkIndex receiver = to.client->Receiver("orders");
  amqp::Attach attach = Client::SenderAttach("orders");
  attach.name = "link";
  from.to_router = std::string(amqp::kAmqpHeader) + Frame(amqp::Open{.container_id = "large"}) +
                   Frame(amqp::Begin{.incoming_window = 10, .outgoing_window = 10}) + Frame(attach);
  world.Run();
  const std::vector<std::string> messages = {Message(900'000), Message(5), Message(300'000, 2)};
  for (uint32_t id = 0; id < messages.size(); ++id) {
    uint8_t head[amqp::kTransferBytesMax];
    const size_t size =
        amqp::EncodeTransfer({.delivery_id = id, .delivery_tag = "t", .settled = true}, head);
    from.to_router += FrameOf(std::string(reinterpret_cast<char*>(head), size) + messages[id]);
    world.Run();  // the session window is one such frame
  }
  std::vector<std::string> got;
  for (const Received& received : to.client->link(receiver).received) got.push_back(received.bytes);
  EXPECT_TRUE(got == messages);
  EXPECT_EQ(from.driver->phase(), Phase::kOpen);
}

TEST(Message, PassesThroughTls) {
  const auto context = ServerContext();
  DriverOptions options = World::Accepting();
  options.tls = context;
  std::vector<std::string> messages = OddMessages();
  messages.push_back(Message(100'000));
  messages.push_back(Message(2'000'000));
  for (const uint64_t seed : {0, 1, 2, 3}) {
    Pair pair({.seed = seed, .read_max = 40000, .write_max = 40000},
              {.sasl = true, .tls = context, .tls_client = {.server_name = "server.example"}},
              options);
    pair.Send(messages, false);
    pair.world.Run();
    ASSERT_TRUE(pair.Got() == messages);
    ASSERT_THAT(pair.sent().outcomes, SizeIs(messages.size()));
  }
}

TEST(Message, SmallOnesShareTlsRecords) {
  const auto context = ServerContext();
  DriverOptions options = World::Accepting();
  options.tls = context;
  Pair pair({.seed = 0}, {.tls = context, .tls_client = {.server_name = "server.example"}},
            options);
  pair.world.Run();
  const uint64_t before = pair.to.bytes_to_peer;
  pair.Send(std::vector<std::string>(200, Message(8)), true);
  pair.world.Run();
  ASSERT_THAT(pair.Got(), SizeIs(200));
  // A transfer of such a message takes less than 60 bytes; 22 more each, were it a record of its
  // own.
  EXPECT_LT(pair.to.bytes_to_peer - before, 200u * 60);
}

// --- settlement

TEST(Settlement, TellsTheProducerEveryOutcome) {
  Pair pair;
  pair.got().accepts = false;
  pair.Send(std::vector<std::string>(4, Message(1)), false);
  pair.world.Run();
  amqp::Engine& engine = pair.to.client->engine();
  const std::vector<Received>& got = pair.got().received;
  ASSERT_THAT(got, SizeIs(4));
  const std::string rejected =
      amqp::EncodeRejected({.name = "amqp:not-allowed", .description = "no"});
  engine.Dispose(pair.receiver, got[0].delivery, {amqp::OutcomeKind::kAccepted, ""}, true);
  engine.Dispose(pair.receiver, got[1].delivery, {amqp::OutcomeKind::kReleased, ""}, true);
  engine.Dispose(pair.receiver, got[2].delivery, {amqp::OutcomeKind::kRejected, rejected}, true);
  engine.Dispose(pair.receiver, got[3].delivery, {amqp::OutcomeKind::kModified, ""}, true);
  pair.world.Run();
  std::vector<amqp::OutcomeKind> kinds(4);
  for (const Settled& settled : pair.sent().outcomes) {
    EXPECT_TRUE(settled.settled);
    kinds.at(settled.user - 1) = settled.outcome;
    if (settled.user == 3) {
      EXPECT_EQ(settled.raw, rejected);
    }
  }
  EXPECT_THAT(kinds, ElementsAre(amqp::OutcomeKind::kAccepted, amqp::OutcomeKind::kReleased,
                                 amqp::OutcomeKind::kRejected, amqp::OutcomeKind::kModified));
}

TEST(Settlement, IsNotExpectedOfWhatCameSettled) {
  Pair pair;
  pair.Send({Message(1)}, true);
  pair.world.Run();
  ASSERT_THAT(pair.got().received, SizeIs(1));
  EXPECT_TRUE(pair.got().received[0].settled);
}

TEST(Settlement, AnUnsettledTransferOnASettledLinkIsSettledAtOnce) {
  World world;
  Peer& peer = world.Connect();
  const amqp::LinkIndex receiver = peer.client->Receiver("orders");
  amqp::Attach attach = Client::SenderAttach("orders");
  attach.snd_settle_mode = amqp::SenderSettleMode::kSettled;
  const amqp::LinkIndex sender = peer.client->Start(attach);
  peer.client->Send(sender, Message(1), false);
  peer.client->Send(sender, Message(40000), false);
  peer.client->Send(sender, Message(2), true);
  world.Run();
  const std::vector<Settled>& outcomes = peer.client->link(sender).outcomes;
  ASSERT_THAT(outcomes, SizeIs(2));
  EXPECT_THAT(outcomes, Each(Field(&Settled::settled, true)));
  EXPECT_THAT(outcomes, Each(Field(&Settled::outcome, amqp::OutcomeKind::kAccepted)));
  ASSERT_THAT(peer.client->link(receiver).received, SizeIs(3));
  EXPECT_THAT(peer.client->link(receiver).received, Each(Field(&Received::settled, true)));
}

TEST(Settlement, AConsumerOfSettledDeliveriesOnlyCountsAsAccepting) {
  World world;
  Peer& peer = world.Connect();
  amqp::Attach attach = Client::ReceiverAttach("orders");
  attach.snd_settle_mode = amqp::SenderSettleMode::kSettled;
  const amqp::LinkIndex receiver = peer.client->Start(attach);
  peer.client->engine().Grant(receiver, 100);
  const amqp::LinkIndex sender = peer.client->Sender("orders");
  for (const size_t size : {1, 40000, 2}) peer.client->Send(sender, Message(size), false);
  world.Run();
  ASSERT_THAT(peer.client->link(receiver).received, SizeIs(3));
  EXPECT_THAT(peer.client->link(receiver).received, Each(Field(&Received::settled, true)));
  const std::vector<Settled>& outcomes = peer.client->link(sender).outcomes;
  ASSERT_THAT(outcomes, SizeIs(3));
  EXPECT_THAT(outcomes, Each(Field(&Settled::outcome, amqp::OutcomeKind::kAccepted)));
  EXPECT_EQ(world.shard().unsettled(), 0u);
}

TEST(Settlement, OfALostConsumer) {
  Pair pair;
  pair.got().accepts = false;
  pair.Send(std::vector<std::string>(3, Message(1)), false);
  pair.world.Run();
  ASSERT_THAT(pair.got().received, SizeIs(3));
  pair.world.Vanish(pair.to);
  pair.world.Run();
  EXPECT_THAT(pair.sent().outcomes, SizeIs(3));
  EXPECT_THAT(pair.sent().outcomes, Each(Field(&Settled::outcome, amqp::OutcomeKind::kModified)));
}

// --- limits

TEST(TooLarge, ClosesLinkAndConnectionAsDispatchDoes) {
  World world;
  DriverOptions options = World::Accepting();
  options.info.max_message_size = 1000;
  Peer& to = world.Connect();
  Peer& from = world.Connect({}, options);
  to.client->Receiver("orders");
  const amqp::LinkIndex sender = from.client->Sender("orders");
  world.Run();
  from.client->Send(sender, Message(1001));
  world.Run();
  const ClientLink& link = from.client->link(sender);
  ASSERT_THAT(link.outcomes, SizeIs(1));
  EXPECT_EQ(link.outcomes[0].outcome, amqp::OutcomeKind::kRejected);
  EXPECT_THAT(link.outcomes[0].raw, testing::HasSubstr("amqp:link:message-size-exceeded"));
  EXPECT_TRUE(link.detached);
  EXPECT_TRUE(link.closed);
  EXPECT_EQ(from.client->close_error(), (amqp::Condition{.name = "amqp:connection:forced",
                                                         .description = "Message size exceeded"}));
  EXPECT_TRUE(from.hung_up());
  EXPECT_EQ(from.error, "amqp:connection:forced: Message size exceeded");
  EXPECT_FALSE(to.hung_up());
}

// --- back-pressure

uint64_t Unwritten(Driver& driver) {
  std::vector<iovec> parts(10000);
  const int count = driver.Gather(parts.data(), static_cast<int>(parts.size()));
  uint64_t bytes = 0;
  for (int i = 0; i < count; ++i) bytes += parts[i].iov_len;
  return bytes;
}

TEST(BackPressure, StopsAtTheHighMarkAndGoesOnBelowTheLowOne) {
  Pair pair({.seed = 0});
  pair.world.Run();
  pair.to.stalled = true;
  std::vector<std::string> messages;
  for (int i = 0; i < 200; ++i) messages.push_back(Message(8000, i));
  pair.Send(messages, false);
  pair.world.Run();
  EXPECT_GE(Unwritten(*pair.to.driver), kOutputHigh);
  EXPECT_LT(Unwritten(*pair.to.driver), kOutputHigh + 70'000);
  EXPECT_THAT(pair.sent().outcomes, SizeIs(0));
  pair.to.stalled = false;
  pair.world.Run();
  EXPECT_TRUE(pair.Got() == messages);
  EXPECT_THAT(pair.sent().outcomes, SizeIs(200));
}

TEST(BackPressure, BoundsCiphertextToo) {
  const auto context = ServerContext();
  DriverOptions options = World::Accepting();
  options.tls = context;
  Pair pair({.seed = 0}, {.tls = context, .tls_client = {.server_name = "server.example"}},
            options);
  pair.world.Run();
  pair.to.stalled = true;
  std::vector<std::string> messages;
  for (int i = 0; i < 200; ++i) messages.push_back(Message(8000, i));
  pair.Send(messages, false);
  pair.world.Run();
  EXPECT_LT(Unwritten(*pair.to.driver), kOutputHigh + 90'000);
  pair.to.stalled = false;
  pair.world.Run();
  EXPECT_TRUE(pair.Got() == messages);
}

TEST(BackPressure, APeerThatOnlyAsksIsNotReadAnyMore) {
  World world({.seed = 0});
  Peer& peer = world.Accept();
  peer.to_router = std::string(amqp::kAmqpHeader) + Frame(amqp::Open{.container_id = "rude"}) +
                   Frame(amqp::Begin{.incoming_window = 10, .outgoing_window = 10});
  world.Run();
  peer.stalled = true;
  const std::string ask =
      Frame(amqp::Flow{.next_incoming_id = 0, .incoming_window = 10, .echo = true});
  int asked = 0;
  for (; asked < 200'000 && peer.driver->WantsInput(); ++asked) {
    peer.to_router += ask;
    world.Turn();
  }
  EXPECT_LT(asked, 200'000);
  EXPECT_GE(Unwritten(*peer.driver), kOutputStop);
  EXPECT_LT(Unwritten(*peer.driver), kOutputStop + 1000);
  peer.stalled = false;
  world.Run();
  EXPECT_TRUE(peer.driver->WantsInput());
}

TEST(IdleMemory, IsOnlyObjects) {
  for (const auto& context : {std::shared_ptr<const tls::Context>(), ServerContext()}) {
    DriverOptions options = World::Accepting();
    options.tls = context;
    Pair pair({}, {.tls = context, .tls_client = {.server_name = "server.example"}}, options);
    pair.Send({Message(100'000), Message(10)}, false);
    pair.world.Run();
    ASSERT_THAT(pair.Got(), SizeIs(2));
    pair.world.workspace().arena.Trim();
    EXPECT_EQ(pair.world.pool().bytes_in_use(), 0u);
  }
}

}  // namespace
}  // namespace trunkline::conn::test
