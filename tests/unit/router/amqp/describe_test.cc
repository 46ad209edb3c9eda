#include "router/amqp/describe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bodies.h"
#include "router/amqp/codec.h"
#include "router/amqp/sasl.h"

namespace trunkline::amqp {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::Pair;
using testing::SizeIs;

std::string Value(const std::string& encoded) { return DescribeValue(encoded, 100); }
std::string Frame(const std::string& body) { return DescribeFrame(body, body.size()); }

TEST(DescribeValue, WritesEveryType) {
  const std::vector<std::pair<std::string, std::string>> table = {
      {Bytes({0x40}), "null"},
      {Bytes({0x41}), "true"},
      {Bytes({0x56, 0x00}), "false"},
      {Bytes({0x43}), "0"},
      {Bytes({0x44}), "0"},
      {Bytes({0x50, 0xff}), "255"},
      {Bytes({0x51, 0xff}), "-1"},
      {Bytes({0x52, 0x07}), "7"},
      {Bytes({0x53, 0x08}), "8"},
      {Bytes({0x54, 0xfe}), "-2"},
      {Bytes({0x55, 0xfd}), "-3"},
      {Bytes({0x60, 0x01, 0x00}), "256"},
      {Bytes({0x61, 0xff, 0x00}), "-256"},
      {Bytes({0x70, 0xff, 0xff, 0xff, 0xff}), "4294967295"},
      {Bytes({0x71, 0xff, 0xff, 0xff, 0xff}), "-1"},
      {Bytes({0x72, 0x3f, 0x80, 0, 0}), "1"},
      {Bytes({0x73, 0, 0, 0, 0x41}), "65"},
      {Bytes({0x80, 0, 0, 0, 1, 0, 0, 0, 0}), "4294967296"},
      {Bytes({0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}), "-1"},
      {Bytes({0x82, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0}), "1.5"},
      {Bytes({0x83, 0, 0, 0, 0, 0, 0, 0, 0}), "1970-01-01T00:00:00.000Z"},
      {Bytes({0x83, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}), "1969-12-31T23:59:59.999Z"},
      {Bytes({0x83, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}),
       "292278994-08-17T07:12:55.807Z"},
      {Bytes({0x83, 0x80, 0, 0, 0, 0, 0, 0, 0}), "-292275055-05-16T16:47:04.192Z"},
      {Bytes({0x98, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}),
       "01020304-0506-0708-090a-0b0c0d0e0f10"},
      {Bytes({0x74, 1, 2, 3, 4}), "0x01020304"},
      {Bytes({0xa0, 2, 0xab, 0x01}), "0xab01"},
      {Bytes({0xa1, 3, 'a', '"', '\n'}), "\"a\\\"\\x0a\""},
      {Bytes({0xa3, 1, 's'}), ":\"s\""},
      {Bytes({0x45}), "[]"},
      {Bytes({0xc0, 4, 2, 0x52, 1, 0x40}), "[1, null]"},
      {Bytes({0xc1, 6, 2, 0xa3, 1, 'k', 0x52, 9}), "{:\"k\"=9}"},
      {Bytes({0xe0, 6, 2, 0xa3, 1, 'a', 1, 'b'}), "[:\"a\", :\"b\"]"},
      {Bytes({0xe0, 4, 2, 0x52, 1, 2}), "(array of 6 bytes)"},
      {Bytes({0x00, 0x53, 0x24, 0x45}), "@accepted(36) []"},
      {Bytes({0x00, 0x53, 0x99, 0x52, 1}), "@(153) 1"},
      {Bytes({0x00, 0xa3, 1, 'x', 0x52, 1}), "@(...) 1"},
      {"", " (malformed)"},
      {Bytes({0xff}), " (malformed)"},
      {Bytes({0xc0, 3, 2, 0x52, 1}), "[1,  (malformed)"},
  };
  for (const auto& [encoded, text] : table) EXPECT_EQ(Value(encoded), text);
}

TEST(DescribeValue, IsBounded) {
  std::string text;
  WriteString(text, std::string(1000, 'x'));
  EXPECT_EQ(Value(text), "\"" + std::string(99, 'x') + "...");
  std::string deep = Bytes({0x40});
  for (int i = 0; i < 30; ++i) {
    std::string list;
    WriteListHeader(list, deep.size(), 1);
    deep = list + deep;
  }
  EXPECT_EQ(Value(deep), "[[[[[[[[[...]]]]]]]]]");
}

TEST(DescribeFrame, NamesFieldsAndLeavesOutNulls) {
  Attach attach;
  attach.name = "a";
  attach.role = Role::kReceiver;
  attach.source.present = true;
  attach.source.address = "orders";
  const std::string text = Frame(Encoded(attach));
  EXPECT_THAT(text, testing::StartsWith("@attach(18) [name=\"a\", handle=0, role=true"));
  EXPECT_THAT(text, HasSubstr("source=@source(40) [address=\"orders\""));
  EXPECT_THAT(text, Not(HasSubstr("null")));
}

TEST(DescribeFrame, TellsPayloadByItsSize) {
  Transfer transfer;
  transfer.delivery_id = 1;
  transfer.delivery_tag = "\x01";
  transfer.message_format = 0;
  EXPECT_EQ(Frame(Encoded(transfer) + "secret message"),
            "@transfer(20) [handle=0, delivery-id=1, delivery-tag=0x01, message-format=0] (14)");
  // Of a large frame only the beginning is there.
  EXPECT_THAT(DescribeFrame(Encoded(transfer) + "sec", 10'000), testing::EndsWith(")"));
}

TEST(DescribeFrame, SaysThatAFrameWasCutOrIsMalformed) {
  const std::string attach = Encoded(FullOpen());
  EXPECT_THAT(DescribeFrame(attach.substr(0, 20), attach.size()), HasSubstr("(not all of it)"));
  EXPECT_THAT(Frame("nonsense"), HasSubstr("(malformed)"));
  EXPECT_EQ(Frame(""), "(empty)");
}

// Whatever a login says is not told: whole, cut, in a wrong place or of a wrong type.
TEST(DescribeFrame, HidesWhatIsSecretInALogin) {
  SaslInit init;
  init.mechanism = "PLAIN";
  init.initial_response = std::string("\0user\0hush-hush", 15);
  init.hostname = "broker";
  const std::string body = Encoded(init);
  EXPECT_EQ(Frame(body),
            "@sasl-init(65) [mechanism=:\"PLAIN\", initial-response=(hidden), "
            "hostname=\"broker\"]");
  std::string response;
  EncodeSaslResponse("hush-hush", response);
  EXPECT_EQ(Frame(response), "@sasl-response(67) [response=(hidden)]");
  std::string challenge;
  EncodeSaslChallenge("hush-hush", challenge);
  EXPECT_EQ(Frame(challenge), "@sasl-challenge(66) [challenge=(hidden)]");
  SaslOutcome outcome;
  outcome.code = SaslCode::kAuth;
  outcome.additional_data = "hush-hush";
  EXPECT_EQ(Frame(Encoded(outcome)), "@sasl-outcome(68) [code=1, additional-data=(hidden)]");
  // No list; a field too many.
  std::string text;
  WriteString(text, "hush-hush");
  EXPECT_THAT(Frame(Bytes({0x00, 0x53, 0x41}) + text), Not(HasSubstr("hush")));
  std::string list;
  WriteListHeader(list, 3 + text.size(), 4);
  EXPECT_THAT(Frame(Bytes({0x00, 0x53, 0x41}) + list + Bytes({0x40, 0x40, 0x40}) + text),
              HasSubstr("?=(hidden)"));
  ForEachPrefix(body, [&](std::string_view prefix) {
    EXPECT_THAT(DescribeFrame(prefix, body.size()), Not(HasSubstr("hush")));
  });
}

TEST(DescribeFrame, TakesAnyBytes) {
  Attach attach;
  attach.name = "a";
  attach.source.present = true;
  attach.source.address = "orders";
  for (const std::string& body : {Encoded(FullOpen()), Encoded(attach)}) {
    ForEachPrefix(body, [&](std::string_view prefix) { DescribeFrame(prefix, body.size()); });
    ForEachMutation(body, 1, 20'000, [](std::string_view mutant) {
      EXPECT_LE(DescribeFrame(mutant, mutant.size()).size(), 1100u);
    });
  }
}

// --- messages

// One with every section.
std::string FullMessage() {
  std::string message;
  {
    ListWriter header(message, descriptor::kHeader);
    header.RequiredBoolean(true);
    header.Ubyte(7);
    header.Close();
  }
  MapWriter annotations;
  annotations.Add("x-opt-user", "note");
  message += Bytes({0x00, 0x53, 0x72}) + annotations.Take();
  {
    ListWriter properties(message, descriptor::kProperties);
    properties.String(std::string("id-1"));
    properties.Null();
    properties.String(std::string("orders"));
    properties.Close();
  }
  MapWriter application;
  application.Add("count", int32_t{3});
  application.Add("region", "eu");
  message += Bytes({0x00, 0x53, 0x74}) + application.Take();
  return message + Bytes({0x00, 0x53, 0x75, 0xa0, 2, 'h', 'i'});
}

TEST(DescribeMessage, TellsItsSections) {
  const std::string message = FullMessage();
  const MessageText text = DescribeMessage(message);
  EXPECT_THAT(text.header, ElementsAre(Pair("durable", "true"), Pair("priority", "7")));
  EXPECT_THAT(text.delivery_annotations, IsEmpty());
  EXPECT_THAT(text.message_annotations, ElementsAre(Pair("x-opt-user", "note")));
  EXPECT_THAT(text.properties, ElementsAre(Pair("message-id", "id-1"), Pair("to", "orders")));
  EXPECT_THAT(text.application_properties, ElementsAre(Pair("count", "3"), Pair("region", "eu")));
  EXPECT_EQ(text.body, Bytes({0x00, 0x53, 0x75, 0xa0, 2, 'h', 'i'}));
  EXPECT_FALSE(text.cut);
}

TEST(DescribeMessage, CutsLongTexts) {
  std::string message;
  ListWriter properties(message, descriptor::kProperties);
  properties.String(std::string(kDescribedValueMax, 'a'));
  properties.Close();
  EXPECT_FALSE(DescribeMessage(message).cut);
  std::string longer;
  ListWriter more(longer, descriptor::kProperties);
  more.String(std::string(kDescribedValueMax + 1, 'a'));
  more.Close();
  const MessageText text = DescribeMessage(longer);
  EXPECT_TRUE(text.cut);
  EXPECT_EQ(text.properties[0].second, std::string(kDescribedValueMax, 'a') + "...");
}

TEST(DescribeMessage, CutsLongSections) {
  for (const size_t pairs : {kDescribedFieldsMax, kDescribedFieldsMax + 1}) {
    MapWriter map;
    for (size_t i = 0; i < pairs; ++i) map.Add("k" + std::to_string(i), int32_t{1});
    const MessageText text = DescribeMessage(Bytes({0x00, 0x53, 0x74}) + map.Take());
    EXPECT_THAT(text.application_properties, SizeIs(kDescribedFieldsMax));
    EXPECT_EQ(text.cut, pairs > kDescribedFieldsMax);
  }
}

TEST(DescribeMessage, TakesAnyBytes) {
  const std::string message = FullMessage();
  EXPECT_TRUE(DescribeMessage("nonsense").cut);
  EXPECT_FALSE(DescribeMessage("").cut);
  const auto describe = [](std::string_view bytes) { DescribeMessage(bytes); };
  ForEachPrefix(message, describe);
  ForEachMutation(message, 1, 20'000, describe);
}

}  // namespace
}  // namespace trunkline::amqp
