#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "router/amqp/performatives.h"
#include "tests/unit/router/amqp/bodies.h"
#include "tests/unit/router/amqp/encoded.h"

namespace trunkline::amqp {
namespace {

TEST(Performatives, NameTheMandatoryFieldThatIsMissing) {
  const auto message = [](const absl::Status& status) { return std::string(status.message()); };
  EXPECT_EQ(message(ParseOpen(Bytes({0x00, 0x53, 0x10, 0x45})).status()),
            "open.container-id: missing");
  EXPECT_EQ(message(ParseOpen(Bytes({0x00, 0x53, 0x10, 0xc0, 2, 1, 0x40})).status()),
            "open.container-id: missing");
  EXPECT_EQ(message(ParseBegin(Bytes({0x00, 0x53, 0x11, 0xc0, 3, 2, 0x40, 0x43})).status()),
            "begin.incoming-window: missing");
  EXPECT_EQ(message(ParseAttach(Bytes({0x00, 0x53, 0x12, 0xc0, 4, 2, 0xa1, 0, 0x43})).status()),
            "attach.role: missing");
  EXPECT_EQ(message(ParseDetach(Bytes({0x00, 0x53, 0x16, 0x45})).status()),
            "detach.handle: missing");
  EXPECT_EQ(
      message(ParseClose(Bytes({0x00, 0x53, 0x18, 0xc0, 5, 1, 0x00, 0x53, 0x1d, 0x45})).status()),
      "close.error.condition: missing");
  Flow flow;
  EXPECT_FALSE(ParseFlow(Bytes({0x00, 0x53, 0x13, 0xc0, 4, 3, 0x40, 0x43, 0x43}), flow));
  Transfer transfer;
  std::string_view payload;
  EXPECT_FALSE(ParseTransfer(Bytes({0x00, 0x53, 0x14, 0x45}), transfer, payload));
  Disposition disposition;
  EXPECT_FALSE(ParseDisposition(Bytes({0x00, 0x53, 0x15, 0xc0, 2, 1, 0x41}), disposition));
}

TEST(Performatives, NameTheFieldOfAWrongType) {
  const auto message = [](const absl::Status& status) { return std::string(status.message()); };
  EXPECT_EQ(message(ParseOpen(Bytes({0x00, 0x53, 0x10, 0xc0, 3, 1, 0xa3, 0})).status()),
            "open.container-id: expected string");
  EXPECT_EQ(
      message(ParseOpen(Bytes({0x00, 0x53, 0x10, 0xc0, 6, 3, 0xa1, 0, 0x40, 0x53, 1})).status()),
      "open.max-frame-size: expected uint");
  EXPECT_EQ(message(ParseOpen(Bytes({0x00, 0x53, 0x11, 0x45})).status()), "open: another type");
  EXPECT_EQ(message(ParseOpen("").status()), "open: not a described list");
  // The attach in front of its fourth field.
  const std::string attach = Bytes({0xa1, 0, 0x43, 0x42});
  const auto attach_with = [&](const std::string& fields, int count) {
    return Bytes({0x00, 0x53, 0x12, 0xc0, static_cast<int>((attach + fields).size()) + 1, count}) +
           attach + fields;
  };
  EXPECT_EQ(message(ParseAttach(attach_with(Bytes({0x50, 3}), 4)).status()),
            "attach.snd-settle-mode: unknown choice");
  EXPECT_EQ(message(ParseAttach(attach_with(Bytes({0x40, 0x50, 2}), 5)).status()),
            "attach.rcv-settle-mode: unknown choice");
  EXPECT_EQ(message(ParseAttach(
                        attach_with(Bytes({0x40, 0x40, 0x00, 0x53, 0x28, 0xc0, 3, 1, 0xa3, 0}), 6))
                        .status()),
            "attach.source.address: expected string");
  EXPECT_EQ(message(ParseAttach(attach_with(Bytes({0x40, 0x40, 0x41}), 6)).status()),
            "attach.source: expected described list");
  // A map of one item is broken inside: it would have been passed on.
  EXPECT_EQ(
      message(
          ParseAttach(attach_with(Bytes({0x40, 0x40, 0x40, 0x40, 0xc1, 2, 1, 0x43}), 8)).status()),
      "attach.unsettled: expected map");
}

TEST(Performatives, RefuseFieldsBeyondTheLastAndBytesBehindTheBody) {
  EXPECT_FALSE(ParseEnd(Bytes({0x00, 0x53, 0x17, 0xc0, 3, 2, 0x40, 0x40})).ok());
  EXPECT_FALSE(ParseEnd(Bytes({0x00, 0x53, 0x17, 0x45, 0x40})).ok());
  Flow flow;
  const std::string body = Encoded(Flow());
  EXPECT_TRUE(ParseFlow(body, flow));
  EXPECT_FALSE(ParseFlow(body + "x", flow));
  Disposition disposition;
  EXPECT_FALSE(ParseDisposition(Encoded(Disposition()) + "x", disposition));
  // Twelve fields; and a count that leaves bytes of the list unread.
  Transfer transfer;
  std::string_view payload;
  EXPECT_FALSE(ParseTransfer(Bytes({0x00, 0x53, 0x14, 0xc0, 13, 12, 0x43, 0x40, 0x40, 0x40, 0x40,
                                    0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40}),
                             transfer, payload));
  EXPECT_FALSE(ParseTransfer(Bytes({0x00, 0x53, 0x14, 0xc0, 3, 1, 0x43, 0x43}), transfer, payload));
}

// Every parser on `body`; good ones have to write what they read.
void ParseAll(std::string_view body) {
  (void)PeekDescriptor(body);
  if (const auto open = ParseOpen(body); open.ok()) {
    ASSERT_TRUE(ParseOpen(Encoded(*open)).ok());
  }
  if (const auto begin = ParseBegin(body); begin.ok()) {
    ASSERT_TRUE(ParseBegin(Encoded(*begin)).ok());
  }
  if (const auto attach = ParseAttach(body); attach.ok()) {
    const auto again = ParseAttach(Encoded(*attach));
    ASSERT_TRUE(again.ok()) << again.status();
    ExpectEqual(*again, *attach);
  }
  if (const auto detach = ParseDetach(body); detach.ok()) {
    ASSERT_EQ(ParseDetach(Encoded(*detach))->error, detach->error);
  }
  (void)ParseEnd(body);
  (void)ParseClose(body);
  Flow flow;
  if (ParseFlow(body, flow)) {
    Flow again;
    ASSERT_TRUE(ParseFlow(Encoded(flow), again));
    ExpectEqual(again, flow);
  }
  Transfer transfer;
  std::string_view payload;
  if (ParseTransfer(body, transfer, payload) &&
      transfer.delivery_tag.value_or("").size() <= kDeliveryTagBytesMax) {
    Transfer again;
    const std::string written = Encoded(transfer);
    ASSERT_TRUE(ParseTransfer(written, again, payload));
    ExpectEqual(again, transfer);
  }
  Disposition disposition;
  if (ParseDisposition(body, disposition)) {
    const std::string written = Encoded(disposition);
    Disposition again;
    ASSERT_TRUE(ParseDisposition(written, again));
    ASSERT_EQ(again.state, disposition.state);
  }
}

std::vector<std::string> EveryBody() {
  const Condition error{"amqp:connection:forced", "going down", SmallMap()};
  return {Encoded(FullOpen()),
          Encoded(Begin{.remote_channel = 1, .handle_max = 9}),
          Encoded(FullAttach()),
          Encoded(FullFlow()),
          Encoded(FullTransfer("tag")),
          Encoded(Disposition{.last = 7, .state_kind = OutcomeKind::kModified, .batchable = true}),
          Encoded(Detach{.handle = 9, .closed = true, .error = error}),
          Encoded(End{error}),
          Encoded(Close{error})};
}

TEST(Performatives, CutShortAtAnyByteAreErrorsAndNothingMore) {
  for (const std::string& body : EveryBody()) {
    const uint8_t kind = static_cast<uint8_t>(body[2]);
    ForEachPrefix(body, [&](std::string_view prefix) {
      ParseAll(prefix);
      Flow flow;
      Transfer transfer;
      Disposition disposition;
      std::string_view payload;
      EXPECT_FALSE(ParseFlow(prefix, flow));
      EXPECT_FALSE(ParseTransfer(prefix, transfer, payload));
      EXPECT_FALSE(ParseDisposition(prefix, disposition));
      EXPECT_FALSE(kind == 0x12 && ParseAttach(prefix).ok());
    });
  }
}

TEST(Performatives, MutatedAtRandomNeverBreakTheParser) {
  uint64_t seed = 1;
  for (const std::string& body : EveryBody()) ForEachMutation(body, seed++, 3000, ParseAll);
}

}  // namespace
}  // namespace trunkline::amqp
