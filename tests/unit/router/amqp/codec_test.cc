#include "router/amqp/codec.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/router/amqp/encoded.h"

namespace trunkline::amqp {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// Reads one value of each kind; nothing else must be there.
std::optional<uint32_t> UintOf(const std::string& bytes) {
  return ParseExactly(bytes, [](std::string_view exact) -> std::optional<uint32_t> {
    Reader reader(exact);
    uint32_t value = 0;
    if (!reader.Uint(value) || !reader.AtEnd()) return std::nullopt;
    return value;
  });
}

std::optional<uint64_t> UlongOf(const std::string& bytes) {
  return ParseExactly(bytes, [](std::string_view exact) -> std::optional<uint64_t> {
    Reader reader(exact);
    uint64_t value = 0;
    if (!reader.Ulong(value) || !reader.AtEnd()) return std::nullopt;
    return value;
  });
}

std::optional<bool> BooleanOf(const std::string& bytes) {
  return ParseExactly(bytes, [](std::string_view exact) -> std::optional<bool> {
    Reader reader(exact);
    bool value = false;
    if (!reader.Boolean(value) || !reader.AtEnd()) return std::nullopt;
    return value;
  });
}

std::optional<uint64_t> DescriptorIn(const std::string& bytes) {
  return ParseExactly(bytes, [](std::string_view exact) -> std::optional<uint64_t> {
    Reader reader(exact);
    uint64_t value = 0;
    if (!reader.Described(value) || !reader.AtEnd()) return std::nullopt;
    return value;
  });
}

bool Skips(const std::string& bytes) {
  return ParseExactly(bytes, [](std::string_view exact) {
    Reader reader(exact);
    return reader.Skip() && reader.AtEnd();
  });
}

std::optional<std::vector<std::string>> SymbolsOf(const std::string& bytes, bool* single) {
  return ParseExactly(bytes, [&](std::string_view exact) {
    Reader reader(exact);
    std::optional<std::vector<std::string>> values(std::in_place);
    if (!reader.Symbols(*values, single) || !reader.AtEnd()) values.reset();
    return values;
  });
}

// `inner` as the only item of a list, `levels` times.
std::string Nested(int levels, std::string inner) {
  for (int i = 0; i < levels; ++i) {
    std::string outer;
    WriteListHeader(outer, inner.size(), 1);
    inner = outer + inner;
  }
  return inner;
}

TEST(Reader, TakesEveryEncodingOfAUint) {
  EXPECT_EQ(UintOf(Bytes({0x43})), 0u);
  EXPECT_EQ(UintOf(Bytes({0x52, 0xff})), 255u);
  EXPECT_EQ(UintOf(Bytes({0x52, 0x00})), 0u);
  EXPECT_EQ(UintOf(Bytes({0x70, 0xff, 0xfe, 0xfd, 0xfc})), 0xfffefdfcu);
  EXPECT_EQ(UintOf(Bytes({0x70, 0, 0, 0, 7})), 7u);
}

TEST(Reader, TakesNothingElseForAUint) {
  EXPECT_EQ(UintOf(""), std::nullopt);
  EXPECT_EQ(UintOf(Bytes({0x52})), std::nullopt);
  EXPECT_EQ(UintOf(Bytes({0x70, 0, 0, 0})), std::nullopt);
  EXPECT_EQ(UintOf(Bytes({0x53, 1})), std::nullopt);
  EXPECT_EQ(UintOf(Bytes({0x50, 1})), std::nullopt);
  EXPECT_EQ(UintOf(Bytes({0x40})), std::nullopt);
}

TEST(Reader, TakesEveryEncodingOfAUlong) {
  EXPECT_EQ(UlongOf(Bytes({0x44})), 0u);
  EXPECT_EQ(UlongOf(Bytes({0x53, 0x10})), 16u);
  EXPECT_EQ(UlongOf(Bytes({0x80, 1, 2, 3, 4, 5, 6, 7, 8})), 0x0102030405060708u);
  EXPECT_EQ(UlongOf(Bytes({0x80, 1, 2, 3, 4, 5, 6, 7})), std::nullopt);
  EXPECT_EQ(UlongOf(Bytes({0x52, 1})), std::nullopt);
}

TEST(Reader, TakesEveryEncodingOfABoolean) {
  EXPECT_EQ(BooleanOf(Bytes({0x41})), true);
  EXPECT_EQ(BooleanOf(Bytes({0x42})), false);
  EXPECT_EQ(BooleanOf(Bytes({0x56, 1})), true);
  EXPECT_EQ(BooleanOf(Bytes({0x56, 0})), false);
  EXPECT_EQ(BooleanOf(Bytes({0x56, 2})), std::nullopt);
  EXPECT_EQ(BooleanOf(Bytes({0x56})), std::nullopt);
}

TEST(Reader, TakesEveryEncodingOfAnInt) {
  for (const auto& [bytes, expected] :
       std::vector<std::pair<std::string, int32_t>>{{Bytes({0x54, 0xff}), -1},
                                                    {Bytes({0x54, 0x7f}), 127},
                                                    {Bytes({0x71, 0x80, 0, 0, 0}), INT32_MIN}}) {
    Reader reader(bytes);
    int32_t value = 0;
    EXPECT_TRUE(reader.Int(value));
    EXPECT_EQ(value, expected);
  }
}

TEST(Reader, TakesBothWidthsOfBinaryStringAndSymbol) {
  const std::string long_text(300, 'x');
  for (const std::string& text : {std::string(), std::string("abc"), long_text}) {
    for (const int format : {0xb0, 0xb1, 0xb3}) {
      std::string bytes = Bytes({format, 0, 0, static_cast<int>(text.size() >> 8),
                                 static_cast<int>(text.size() & 0xff)}) +
                          text;
      Reader reader(bytes);
      std::string_view value;
      const bool good = format == 0xb0   ? reader.Binary(value)
                        : format == 0xb1 ? reader.String(value)
                                         : reader.Symbol(value);
      EXPECT_TRUE(good && reader.AtEnd());
      EXPECT_EQ(value, text);
    }
  }
  const std::string small = Bytes({0xa1, 3, 'a', 'b', 'c'});
  std::string_view value;
  EXPECT_TRUE(Reader(small).String(value));
  EXPECT_EQ(value, "abc");
  EXPECT_FALSE(Reader(small).Symbol(value));
  EXPECT_FALSE(Reader(small).Binary(value));
}

TEST(Reader, RefusesASizeBeyondTheEnd) {
  EXPECT_FALSE(Skips(Bytes({0xa1, 4, 'a', 'b', 'c'})));
  EXPECT_FALSE(Skips(Bytes({0xb1, 0xff, 0xff, 0xff, 0xff, 'a'})));
  EXPECT_FALSE(Skips(Bytes({0xc0, 3, 1, 0x43})));
  EXPECT_FALSE(Skips(Bytes({0xd0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0})));
}

TEST(Reader, TakesEveryEncodingOfAList) {
  for (const std::string& bytes :
       {Bytes({0xc0, 3, 1, 0x52, 9}), Bytes({0xd0, 0, 0, 0, 6, 0, 0, 0, 1, 0x52, 9})}) {
    Reader reader(bytes);
    Reader items;
    uint32_t count = 0;
    uint32_t value = 0;
    ASSERT_TRUE(reader.List(items, count));
    EXPECT_TRUE(reader.AtEnd());
    EXPECT_EQ(count, 1u);
    EXPECT_TRUE(items.Uint(value) && items.AtEnd());
    EXPECT_EQ(value, 9u);
  }
  const std::string empty = Bytes({0x45});
  Reader items;
  uint32_t count = 7;
  EXPECT_TRUE(Reader(empty).List(items, count));
  EXPECT_EQ(count, 0u);
}

TEST(Reader, RefusesListsAndMapsWhoseCountCannotBe) {
  Reader items;
  uint32_t count = 0;
  EXPECT_FALSE(Reader(Bytes({0xc0, 0, 0})).List(items, count));
  EXPECT_FALSE(Reader(Bytes({0xc0, 2, 2, 0x43})).List(items, count));
  EXPECT_FALSE(Reader(Bytes({0xd0, 0, 0, 0, 3, 0, 0, 0, 0})).List(items, count));
  EXPECT_FALSE(Reader(Bytes({0xd0, 0, 0, 0, 4, 0xff, 0xff, 0xff, 0xff})).List(items, count));
  EXPECT_FALSE(Reader(Bytes({0xc1, 4, 3, 0x43, 0x43, 0x43})).Map(items, count));
  EXPECT_FALSE(Skips(Bytes({0xc1, 4, 3, 0x43, 0x43, 0x43})));
  EXPECT_FALSE(Skips(Bytes({0xc0, 4, 1, 0x43, 0x43, 0x43})));
}

TEST(Reader, TakesEveryEncodingOfADescriptor) {
  EXPECT_EQ(DescriptorIn(Bytes({0x00, 0x53, 0x14})), 0x14u);
  EXPECT_EQ(DescriptorIn(Bytes({0x00, 0x80, 0, 0, 0, 0, 0, 0, 0, 0x14})), 0x14u);
  EXPECT_EQ(DescriptorIn(Bytes({0x00, 0x44})), 0u);
  EXPECT_EQ(DescriptorIn(Bytes({0x00, 0xa3, 18}) + "amqp:transfer:list"), 0x14u);
  EXPECT_EQ(DescriptorIn(Bytes({0x00, 0xb3, 0, 0, 0, 18}) + "amqp:transfer:list"), 0x14u);
  EXPECT_EQ(DescriptorIn(Bytes({0x00, 0xa3, 3}) + "x:y"), descriptor::kUnknown);
  EXPECT_EQ(DescriptorIn(Bytes({0x00, 0xa1, 3}) + "x:y"), descriptor::kUnknown);
  EXPECT_EQ(DescriptorIn(Bytes({0x00})), std::nullopt);
  EXPECT_EQ(DescriptorIn(Bytes({0x53, 0x14})), std::nullopt);
}

TEST(Reader, TakesAFieldOfMultipleSymbolsAsOneAsArrayOrAsNull) {
  bool single = false;
  EXPECT_THAT(SymbolsOf(Bytes({0xa3, 1, 'a'}), &single), testing::Optional(ElementsAre("a")));
  EXPECT_TRUE(single);
  EXPECT_THAT(SymbolsOf(Bytes({0xe0, 6, 2, 0xa3, 1, 'a', 1, 'b'}), &single),
              testing::Optional(ElementsAre("a", "b")));
  EXPECT_FALSE(single);
  EXPECT_THAT(SymbolsOf(Bytes({0xf0, 0, 0, 0, 10, 0, 0, 0, 1, 0xb3, 0, 0, 0, 1, 'z'}), &single),
              testing::Optional(ElementsAre("z")));
  EXPECT_THAT(SymbolsOf(Bytes({0xe0, 2, 0, 0xa3}), &single), testing::Optional(IsEmpty()));
  EXPECT_THAT(SymbolsOf(Bytes({0x40}), nullptr), testing::Optional(IsEmpty()));
}

// A peer pays one byte for each.
TEST(Reader, KeepsNotMoreSymbolsThanAnybodyNeeds) {
  const auto array = [](size_t count) {
    std::string bytes("\xf0\0\0\0\0\0\0\0\0\xa3", 10);
    StoreBe32(reinterpret_cast<uint8_t*>(&bytes[1]), static_cast<uint32_t>(5 + count));
    StoreBe32(reinterpret_cast<uint8_t*>(&bytes[5]), static_cast<uint32_t>(count));
    return bytes.append(count, '\0');
  };
  EXPECT_THAT(SymbolsOf(array(Reader::kSymbolsKept), nullptr),
              testing::Optional(testing::SizeIs(Reader::kSymbolsKept)));
  EXPECT_THAT(SymbolsOf(array(Reader::kSymbolsKept + 1), nullptr),
              testing::Optional(testing::SizeIs(Reader::kSymbolsKept)));
  EXPECT_THAT(SymbolsOf(array(100'000), nullptr),
              testing::Optional(testing::SizeIs(Reader::kSymbolsKept)));
  std::string cut = array(100'000);
  cut.back() = '\1';  // a symbol beyond those that are kept is longer than the array
  EXPECT_EQ(SymbolsOf(cut, nullptr), std::nullopt);
}

TEST(Reader, RefusesArraysThatAreNotOfSymbols) {
  EXPECT_EQ(SymbolsOf(Bytes({0xe0, 5, 1, 0xa1, 1, 'a'}), nullptr), std::nullopt);
  EXPECT_EQ(SymbolsOf(Bytes({0xe0, 3, 9, 0xa3, 0}), nullptr), std::nullopt);
  EXPECT_EQ(SymbolsOf(Bytes({0xe0, 5, 1, 0xa3, 1, 'a', 'b'}), nullptr), std::nullopt);
  EXPECT_EQ(SymbolsOf(Bytes({0xe0, 1, 0}), nullptr), std::nullopt);
  EXPECT_EQ(SymbolsOf(Bytes({0xa1, 1, 'a'}), nullptr), std::nullopt);
}

TEST(Skip, StepsOverEveryFixedWidth) {
  const std::vector<std::pair<int, size_t>> widths = {
      {0x40, 0}, {0x41, 0}, {0x42, 0}, {0x43, 0}, {0x44, 0},  {0x45, 0}, {0x50, 1},
      {0x51, 1}, {0x52, 1}, {0x53, 1}, {0x54, 1}, {0x55, 1},  {0x56, 1}, {0x60, 2},
      {0x61, 2}, {0x70, 4}, {0x71, 4}, {0x72, 4}, {0x73, 4},  {0x74, 4}, {0x80, 8},
      {0x81, 8}, {0x82, 8}, {0x83, 8}, {0x84, 8}, {0x94, 16}, {0x98, 16}};
  for (const auto& [format, width] : widths) {
    EXPECT_TRUE(Skips(Bytes({format}) + std::string(width, '\1'))) << format;
    if (width == 0) continue;
    EXPECT_FALSE(Skips(Bytes({format}) + std::string(width - 1, '\1'))) << format;
  }
}

TEST(Skip, RefusesCodesThatDoNotExist) {
  for (const int format :
       {0x01, 0x3f, 0x46, 0x57, 0x62, 0x75, 0x85, 0x90, 0xa2, 0xb4, 0xc2, 0xd2, 0xe1, 0xf1, 0xff}) {
    EXPECT_FALSE(Skips(Bytes({format}) + std::string(40, '\0'))) << format;
  }
}

TEST(Skip, TakesNestingUpToItsLimitAndNotBeyond) {
  EXPECT_TRUE(Skips(Nested(Reader::kNestingMax, Bytes({0x43}))));
  EXPECT_FALSE(Skips(Nested(Reader::kNestingMax + 1, Bytes({0x43}))));
}

TEST(Skip, TakesDescriptorsInARowUpToItsLimitAndNotBeyond) {
  std::string value = Bytes({0x43});
  for (int i = 0; i < Reader::kNestingMax; ++i) value = Bytes({0x00, 0x53, 1}) + value;
  EXPECT_TRUE(Skips(value));
  EXPECT_FALSE(Skips(Bytes({0x00, 0x53, 1}) + value));
  EXPECT_FALSE(Skips(std::string(100'000, '\0')));
}

TEST(Skip, TakesArraysOfEveryKind) {
  EXPECT_TRUE(Skips(Bytes({0xe0, 4, 2, 0x50, 1, 2})));
  EXPECT_FALSE(Skips(Bytes({0xe0, 4, 3, 0x50, 1, 2})));
  EXPECT_FALSE(Skips(Bytes({0xe0, 4, 1, 0x50, 1, 2})));
  EXPECT_TRUE(Skips(Bytes({0xe0, 7, 2, 0x00, 0x53, 9, 0xa1, 0, 0})));
  // An array of arrays, and one of lists.
  EXPECT_TRUE(Skips(Bytes({0xe0, 8, 2, 0xe0, 2, 0, 0x50, 2, 0, 0x50})));
  EXPECT_TRUE(Skips(Bytes({0xe0, 7, 2, 0xc0, 2, 1, 0x43, 1, 0})));
  EXPECT_FALSE(Skips(Bytes({0xe0, 2, 0, 0xff})));
}

TEST(Skip, TakesAHugeArrayOfValuesWithoutWidthAtOnce) {
  const std::string bytes = Bytes({0xf0, 0, 0, 0, 5, 0xff, 0xff, 0xff, 0xff, 0x41});
  EXPECT_TRUE(Skips(bytes));
  uint64_t nodes = 0;
  EXPECT_TRUE(Reader(bytes).Skip(nodes));
  EXPECT_EQ(nodes, 0x100000000u);
}

TEST(Skip, CountsNodes) {
  uint64_t nodes = 0;
  EXPECT_TRUE(Reader(SmallMap()).Skip(nodes));
  EXPECT_EQ(nodes, 3u);
  nodes = 0;
  EXPECT_TRUE(Reader(Bytes({0x00, 0x53, 0x24, 0x45})).Skip(nodes));
  EXPECT_EQ(nodes, 3u);
}

TEST(Skip, NeverTakesAPrefixNorReadsBeyondOne) {
  const std::string value = Nested(3, SmallMap());
  const std::string array = Bytes({0xe0, 8, 2, 0xe0, 2, 0, 0x50, 2, 0, 0x50});
  const std::string described = Bytes({0x00, 0xa3, 3, 'x', ':', 'y'}) + array;
  for (const std::string& bytes : {value, array, described}) {
    ASSERT_TRUE(Skips(bytes));
    ForEachPrefix(bytes, [](std::string_view prefix) { EXPECT_FALSE(Reader(prefix).Skip()); });
    ForEachMutation(bytes, 1, 20'000, [](std::string_view mutant) {
      Reader reader(mutant);
      reader.Skip();
      EXPECT_LE(reader.left(), mutant.size());
    });
  }
}

template <typename Write>
std::string Written(Write write) {
  std::string out;
  write(out);
  return out;
}

TEST(Writer, ChoosesTheShortestNumber) {
  EXPECT_EQ(Written([](std::string& out) { WriteUint(out, 0); }), Bytes({0x43}));
  EXPECT_EQ(Written([](std::string& out) { WriteUint(out, 255); }), Bytes({0x52, 0xff}));
  EXPECT_EQ(Written([](std::string& out) { WriteUint(out, 256); }), Bytes({0x70, 0, 0, 1, 0}));
  EXPECT_EQ(Written([](std::string& out) { WriteUlong(out, 0); }), Bytes({0x44}));
  EXPECT_EQ(Written([](std::string& out) { WriteUlong(out, 255); }), Bytes({0x53, 0xff}));
  EXPECT_EQ(Written([](std::string& out) { WriteUlong(out, 256); }),
            Bytes({0x80, 0, 0, 0, 0, 0, 0, 1, 0}));
  EXPECT_EQ(Written([](std::string& out) { WriteInt(out, -128); }), Bytes({0x54, 0x80}));
  EXPECT_EQ(Written([](std::string& out) { WriteInt(out, 128); }), Bytes({0x71, 0, 0, 0, 0x80}));
}

TEST(Writer, ChangesWidthBehind255Bytes) {
  const std::string at(255, 'x');
  const std::string beyond(256, 'x');
  EXPECT_EQ(Written([&](std::string& out) { WriteString(out, at); }), Bytes({0xa1, 0xff}) + at);
  EXPECT_EQ(Written([&](std::string& out) { WriteSymbol(out, beyond); }),
            Bytes({0xb3, 0, 0, 1, 0}) + beyond);
  // The count is part of the size of a list: 254 bytes of content are the most for list8.
  EXPECT_EQ(Written([](std::string& out) { WriteListHeader(out, 254, 9); }),
            Bytes({0xc0, 0xff, 9}));
  EXPECT_EQ(Written([](std::string& out) { WriteListHeader(out, 255, 9); }),
            Bytes({0xd0, 0, 0, 1, 3, 0, 0, 0, 9}));
  EXPECT_EQ(Written([](std::string& out) { WriteListHeader(out, 0, 0); }), Bytes({0x45}));
  EXPECT_EQ(Written([](std::string& out) { WriteMapHeader(out, 0, 0); }), Bytes({0xc1, 1, 0}));
}

TEST(Writer, WritesSymbolsThatReadBack) {
  EXPECT_EQ(Written([](std::string& out) {
              WriteSymbols(out, {"a", "bc"});
            }),
            Bytes({0xe0, 7, 2, 0xa3, 1, 'a', 2, 'b', 'c'}));
  const std::vector<std::string> few = {"a", std::string(250, 'b')};  // 255 bytes: count to end
  const std::vector<std::string> long_name = {std::string(256, 'b'), ""};
  const std::vector<std::string> many(256, "c");
  for (const auto& values : {std::vector<std::string>(), few, long_name, many}) {
    const std::string bytes = Written([&](std::string& out) { WriteSymbols(out, values); });
    EXPECT_EQ(SymbolsOf(bytes, nullptr), values);
    EXPECT_TRUE(Skips(bytes));
  }
}

TEST(Writer, LeavesTrailingNullsOut) {
  std::string out = "before";
  ListWriter list(out, 0x18);
  list.Null();
  list.Uint(7);
  list.Symbol("");
  list.Boolean(false);
  list.Raw("");
  list.Close();
  EXPECT_EQ(out, "before" + Bytes({0x00, 0x53, 0x18, 0xc0, 4, 2, 0x40, 0x52, 7}));
}

TEST(Writer, WritesAnEmptyListInOneByte) {
  std::string out;
  ListWriter list(out, 0x18);
  list.Null();
  list.Close();
  EXPECT_EQ(out, Bytes({0x00, 0x53, 0x18, 0x45}));
}

TEST(MapWriter, WritesTheRoutersProperties) {
  MapWriter map;
  map.Add("product", "trunkline");
  map.Add("n", 1);
  const std::string raw = map.Take();
  EXPECT_EQ(raw, Bytes({0xc1, 26, 4, 0xa3, 7}) + "product" + Bytes({0xa1, 9}) + "trunkline" +
                     Bytes({0xa3, 1, 'n', 0x54, 1}));
  EXPECT_EQ(map.Take(), Bytes({0xc1, 1, 0}));
}

}  // namespace
}  // namespace trunkline::amqp
