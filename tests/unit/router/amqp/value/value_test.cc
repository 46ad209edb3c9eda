#include "router/amqp/value.h"

#include <map>
#include <proton/map.hpp>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "router/amqp/codec.h"
#include "tests/unit/router/amqp/encoded.h"

namespace trunkline::amqp {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::string ListOf(size_t nulls) {
  std::string raw;
  WriteListHeader(raw, nulls, static_cast<uint32_t>(nulls));
  return raw + std::string(nulls, '\x40');
}

TEST(DecodeMap, ReadsWhatTheRoutersOwnWriterWrites) {
  MapWriter writer;
  writer.Add("product", "trunkline");
  writer.Add("qd.conn-id", 1000);
  const auto map = DecodeMap(writer.Take());
  ASSERT_TRUE(map.ok()) << map.status();
  EXPECT_THAT(*map, ElementsAre(PlainEntry{"product", "trunkline"},
                                PlainEntry{"qd.conn-id", int32_t{1000}}));
}

TEST(DecodeMap, ReadsEveryPlainType) {
  const std::vector<std::pair<std::string, PlainValue>> values = {
      {Bytes({0x41}), true},
      {Bytes({0x51, 0xff}), int32_t{-1}},
      {Bytes({0x61, 0xff, 0xfe}), int32_t{-2}},
      {Bytes({0x54, 3}), int32_t{3}},
      {Bytes({0x50, 4}), uint32_t{4}},
      {Bytes({0x60, 1, 0}), uint32_t{256}},
      {Bytes({0x43}), uint32_t{0}},
      {Bytes({0x55, 0xfb}), int64_t{-5}},
      {Bytes({0x80, 0x80, 0, 0, 0, 0, 0, 0, 0}), uint64_t{1} << 63},
      {Bytes({0x72, 0x3f, 0x80, 0, 0}), 1.0},
      {Bytes({0x82, 0x40, 0, 0, 0, 0, 0, 0, 0}), 2.0},
      {Bytes({0xa1, 1, 's'}), "s"},
      {Bytes({0xa3, 1, 'y'}), "y"}};
  for (const auto& [raw, expected] : values) {
    MapWriter writer;
    writer.AddRaw(Bytes({0xa1, 1, 'k'}) + raw, 2);
    const auto map = DecodeMap(writer.Take());
    ASSERT_TRUE(map.ok()) << map.status();
    EXPECT_THAT(*map, ElementsAre(PlainEntry{"k", expected}));
  }
}

TEST(DecodeMap, LeavesOutWhatIsNotPlain) {
  MapWriter writer;
  for (const std::string& raw : {Bytes({0x40}), Bytes({0xa0, 1, 'b'}), SmallMap(), Bytes({0x45}),
                                 Bytes({0xe0, 4, 1, 0xa3, 1, 'a'}), Bytes({0x00, 0x53, 0x24, 0x45}),
                                 Bytes({0x83, 0, 0, 0, 0, 0, 0, 0, 1})}) {
    writer.AddRaw(Bytes({0xa3, 1, 'k'}) + raw, 2);
  }
  writer.AddRaw(Bytes({0x53, 1, 0xa1, 1, 'v'}), 2);  // a number as key
  writer.Add("last", "x");
  const auto map = DecodeMap(writer.Take());
  ASSERT_TRUE(map.ok()) << map.status();
  EXPECT_THAT(*map, ElementsAre(PlainEntry{"last", "x"}));
}

TEST(DecodeMap, TakesNoBytesForAnEmptyMapAndNothingElseForAMap) {
  EXPECT_THAT(*DecodeMap(""), IsEmpty());
  EXPECT_THAT(*DecodeMap(Bytes({0xc1, 1, 0})), IsEmpty());
  EXPECT_FALSE(DecodeMap(Bytes({0x45})).ok());
  EXPECT_FALSE(DecodeMap(SmallMap() + "x").ok());
  EXPECT_FALSE(DecodeMap(Bytes({0xc1, 4, 1, 0xa3, 1, 'k'})).ok());
}

TEST(EncodeMap, KeepsEveryTypeOverARoundTrip) {
  const PlainMap map = {{"a", true},
                        {"b", int32_t{-7}},
                        {"c", uint32_t{7}},
                        {"d", int64_t{1} << 40},
                        {"e", uint64_t{1} << 63},
                        {"f", 0.5},
                        {"g", std::string(300, 'x')}};
  const auto raw = EncodeMap(map);
  ASSERT_TRUE(raw.ok()) << raw.status();
  const auto again = DecodeMap(*raw);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(*again, map);
  EXPECT_THAT(*DecodeMap(*EncodeMap({})), IsEmpty());
}

TEST(DecodeValue, KeepsBytesOverARoundTrip) {
  const auto value = DecodeValue(SmallMap());
  ASSERT_TRUE(value.ok()) << value.status();
  EXPECT_EQ(value->type(), proton::MAP);
  const auto raw = EncodeValue(*value);
  ASSERT_TRUE(raw.ok()) << raw.status();
  EXPECT_EQ(*DecodeMap(*raw), *DecodeMap(SmallMap()));
}

TEST(DecodeValue, TakesNodesUpToItsLimitAndNotBeyond) {
  EXPECT_TRUE(DecodeValue(ListOf(kValueNodesMax - 1)).ok());
  EXPECT_FALSE(DecodeValue(ListOf(kValueNodesMax)).ok());
  // Four thousand million elements in ten bytes.
  EXPECT_FALSE(DecodeValue(Bytes({0xf0, 0, 0, 0, 5, 0xff, 0xff, 0xff, 0xff, 0x41})).ok());
}

TEST(DecodeValue, TakesBytesUpToItsLimitAndNotBeyond) {
  std::string at;
  WriteString(at, std::string(kValueBytesMax - 5, 'x'));
  ASSERT_EQ(at.size(), kValueBytesMax);
  std::string beyond;
  WriteString(beyond, std::string(kValueBytesMax - 4, 'x'));
  EXPECT_TRUE(DecodeValue(at).ok());
  EXPECT_FALSE(DecodeValue(beyond).ok());
}

TEST(DecodeValue, SurvivesTruncationAndMutation) {
  MapWriter writer;
  writer.Add("product", "trunkline");
  writer.AddRaw(Bytes({0xa3, 1, 'k', 0xe0, 5, 1, 0xa3, 2, 'a', 'b'}) +
                    Bytes({0xa3, 1, 'l', 0x00, 0x53, 9, 0xc0, 3, 1, 0x54, 1}),
                4);
  const std::string raw = writer.Take();
  const std::string bytes = raw;
  ForEachPrefix(bytes, [](std::string_view prefix) {
    EXPECT_EQ(DecodeMap(prefix).ok(), prefix.empty());
    EXPECT_FALSE(DecodeValue(prefix).ok());
  });
  ForEachMutation(bytes, 3, 5000, [](std::string_view mutant) {
    const auto value = DecodeValue(mutant);
    if (value.ok()) (void)EncodeValue(*value);
    (void)DecodeMap(mutant);
  });
}

// A list of no items where a descriptor should be: Proton takes it, and then counts one item too
// few around it.
TEST(EncodeValue, RefusesWhatProtonDoesNotWriteAsAValue) {
  const auto value = DecodeValue(Bytes({0xc0, 7, 2, 0x00, 0x45, 0x00, 0x41, 0x42, 0x40}));
  ASSERT_TRUE(value.ok()) << value.status();
  const auto written = EncodeValue(*value);
  EXPECT_TRUE(!written.ok() || DecodeValue(*written).ok());
}

}  // namespace
}  // namespace trunkline::amqp
