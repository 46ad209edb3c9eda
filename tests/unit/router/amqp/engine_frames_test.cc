#include "router/amqp/engine_frames.h"

#include <string>

#include "gtest/gtest.h"
#include "router/base/random.h"

namespace trunkline::amqp {
namespace {

std::string Head(const TransferHead& head) {
  uint8_t room[kTransferHeadMax];
  const uint32_t size = PutTransferHead(head, room);
  EXPECT_LE(size, kTransferHeadMax);
  return std::string(reinterpret_cast<const char*>(room), size);
}

// What the reader of usual frames takes, the thorough one takes as the same; true if it took it.
bool ExpectUsualSame(const std::string& body, bool good, const Transfer& transfer,
                     std::string_view payload) {
  bool taken = false;
  // What lies behind the frame looks like fields, or not.
  for (const char behind : {'\0', '\x40', '\x43', '\x70'}) {
    const std::string input = body + std::string(UsualTransfer::kReadable, behind);
    UsualTransfer usual;
    if (!usual.Read(reinterpret_cast<const uint8_t*>(input.data()), body.size())) continue;
    taken = true;
    EXPECT_TRUE(good);
    EXPECT_EQ(usual.handle, transfer.handle);
    EXPECT_EQ(usual.delivery_id, transfer.delivery_id);
    EXPECT_EQ(usual.tag, transfer.delivery_tag);
    EXPECT_EQ(usual.message_format, transfer.message_format);
    EXPECT_EQ(usual.settled, transfer.settled.value_or(false));
    EXPECT_FALSE(transfer.more || transfer.aborted || transfer.resume);
    EXPECT_EQ(usual.payload, payload);
  }
  return taken;
}

// What the quick readers and the thorough one make of the same bytes.
void ExpectSame(const std::string& body) {
  TransferFrame frame;
  Transfer transfer;
  std::string_view payload;
  const bool good = ParseTransfer(body, transfer, payload);
  ExpectUsualSame(body, good, transfer, payload);
  ASSERT_EQ(ReadTransfer(body, frame), good);
  if (!good) return;
  EXPECT_EQ(frame.handle, transfer.handle);
  EXPECT_EQ(frame.has_id, transfer.delivery_id.has_value());
  EXPECT_EQ(frame.delivery_id, transfer.delivery_id.value_or(0));
  EXPECT_EQ(frame.has_tag, transfer.delivery_tag.has_value());
  EXPECT_EQ(frame.tag, transfer.delivery_tag.value_or(std::string_view()));
  EXPECT_EQ(frame.message_format, transfer.message_format.value_or(0));
  EXPECT_EQ(frame.settled, transfer.settled.value_or(false));
  EXPECT_EQ(frame.more, transfer.more);
  EXPECT_EQ(frame.aborted, transfer.aborted);
  EXPECT_EQ(frame.resume, transfer.resume);
  EXPECT_EQ(frame.payload, payload);
}

TEST(EngineFrames, ReadsTransfersAsTheThoroughReaderDoes) {
  Random random(5);
  for (int i = 0; i < 3000; ++i) {
    Transfer transfer{.handle = static_cast<uint32_t>(random.Next() >> random.Below(64))};
    const std::string tag(random.Below(33), 't');
    if (random.Below(4) != 0) transfer.delivery_id = random.Next() >> random.Below(64);
    if (random.Below(4) != 0) transfer.delivery_tag = tag;
    if (random.Below(4) != 0) transfer.message_format = random.Next() >> random.Below(64);
    if (random.Below(2) != 0) transfer.settled = random.Below(2) != 0;
    transfer.more = random.Below(2) != 0;
    transfer.aborted = random.Below(9) == 0;
    transfer.resume = random.Below(9) == 0;
    uint8_t room[kTransferBytesMax];
    std::string body(reinterpret_cast<const char*>(room), EncodeTransfer(transfer, room));
    body += "payload";
    ExpectSame(body);
    for (int damage = 0; damage < 20; ++damage) {
      std::string bad = body;
      bad[random.Below(bad.size())] = static_cast<char>(random.Next());
      ExpectSame(bad);
    }
    for (size_t cut = 0; cut < body.size(); ++cut) ExpectSame(body.substr(0, cut));
  }
}

TEST(EngineFrames, TakeTheUsualTransfersAtOnce) {
  const std::string fields("\x43\x70\x00\x00\x01\x00\xa0\x02tt\x43", 11);
  const auto body = [&](const std::string& flags, char count) {
    const std::string list = fields + flags;
    const std::string size(1, static_cast<char>(list.size() + 1));
    return std::string("\x00\x53\x14\xc0", 4) + size + count + list + "payload";
  };
  const auto large = [&](const std::string& flags, char count) {
    const std::string list = fields + flags;
    const std::string size(1, static_cast<char>(list.size() + 4));
    const std::string zeros(3, '\0');
    return std::string("\x00\x53\x14\xd0", 4) + zeros + size + zeros + count + list + "payload";
  };
  const auto taken = [](const std::string& bytes) {
    Transfer transfer;
    std::string_view payload;
    const bool good = ParseTransfer(bytes, transfer, payload);
    return ExpectUsualSame(bytes, good, transfer, payload);
  };
  for (const std::string flags : {"", "\x40", "\x41", "\x42", "\x41\x40", "\x42\x42"}) {
    const char count = static_cast<char>(4 + flags.size());
    EXPECT_TRUE(taken(body(flags, count)));
    EXPECT_TRUE(taken(large(flags, count)));
    EXPECT_FALSE(taken(body(flags, static_cast<char>(count + 1))));
    EXPECT_FALSE(taken(body(flags, static_cast<char>(count - 1))));
  }
  EXPECT_FALSE(taken(body("\x42\x41", 6)));      // more to come
  EXPECT_FALSE(taken(body("\x42\x42\x40", 7)));  // a field more
}

TEST(EngineFrames, WritesTransfersThatCanBeRead) {
  for (const uint32_t number : {0u, 1u, 255u, 256u, UINT32_MAX}) {
    for (int bits = 0; bits < 8; ++bits) {
      const TransferHead head{.handle = number,
                              .first = (bits & 1) != 0,
                              .more = (bits & 2) != 0,
                              .settled = (bits & 4) != 0,
                              .delivery_id = number,
                              .message_format = number,
                              .tag = 0x0102030405060708};
      const std::string body = Head(head) + "payload";
      Transfer transfer;
      std::string_view payload;
      ASSERT_TRUE(ParseTransfer(body, transfer, payload));
      EXPECT_EQ(payload, "payload");
      EXPECT_EQ(transfer.handle, number);
      EXPECT_EQ(transfer.more, head.more);
      EXPECT_EQ(transfer.delivery_id.has_value(), head.first);
      if (!head.first) continue;
      EXPECT_EQ(transfer.delivery_id, number);
      EXPECT_EQ(transfer.delivery_tag, "\x08\x07\x06\x05\x04\x03\x02\x01");
      EXPECT_EQ(transfer.message_format, number);
      EXPECT_EQ(transfer.settled.value_or(false), head.settled);
    }
  }
}

}  // namespace
}  // namespace trunkline::amqp
