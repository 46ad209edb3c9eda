#include "router/net/peer_properties.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "router/amqp/codec.h"

namespace trunkline::net {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

PeerProperty Text(std::string key, std::string value) { return {std::move(key), std::move(value)}; }
PeerProperty Number(std::string key, int64_t value) { return {std::move(key), value}; }

// A raw map of these encoded pairs.
std::string MapOf(const std::string& pairs, uint32_t count) {
  amqp::MapWriter map;
  map.AddRaw(pairs, count);
  return map.Take();
}

std::string Symbol(const std::string& text) {
  std::string bytes;
  amqp::WriteSymbol(bytes, text);
  return bytes;
}
std::string String(const std::string& text) {
  std::string bytes;
  amqp::WriteString(bytes, text);
  return bytes;
}

TEST(PeerProperties, AreTextsNumbersAndFlags) {
  std::string pairs = Symbol("product") + String("qpid-proton") + String("platform") +
                      Symbol("Linux") + Symbol("int");
  amqp::WriteInt(pairs, -7);
  pairs += Symbol("uint");
  amqp::WriteUint(pairs, 4'000'000'000);
  pairs += Symbol("ulong");
  amqp::WriteUlong(pairs, UINT64_MAX);
  pairs += Symbol("ubyte");
  amqp::WriteUbyte(pairs, 200);
  pairs += Symbol("ushort");
  amqp::WriteUshort(pairs, 60'000);
  pairs += Symbol("small") + std::string("\x55\xfe", 2);  // long -2
  pairs += Symbol("long") + std::string("\x81\xff\xff\xff\xff\xff\xff\xff\xfd", 9);
  pairs += Symbol("flag");
  amqp::WriteBoolean(pairs, true);
  bool cut = false;
  EXPECT_THAT(
      ReadProperties(MapOf(pairs, 20), cut),
      ElementsAre(Text("product", "qpid-proton"), Text("platform", "Linux"), Number("int", -7),
                  Number("uint", 4'000'000'000), Number("ulong", INT64_MAX), Number("ubyte", 200),
                  Number("ushort", 60'000), Number("small", -2), Number("long", -3),
                  Text("flag", "true")));
  EXPECT_FALSE(cut);
}

TEST(PeerProperties, AreLeftOutWhereTheyAreSomethingElse) {
  std::string pairs = Symbol("list") + std::string("\x45", 1);  // list0
  amqp::WriteUint(pairs, 5);                                    // a key that is no text
  pairs += String("x") + Symbol("kept") + String("y");
  bool cut = false;
  EXPECT_THAT(ReadProperties(MapOf(pairs, 6), cut), ElementsAre(Text("kept", "y")));
}

TEST(PeerProperties, AreNoneOfNoBytesAndOfNoMap) {
  bool cut = false;
  EXPECT_THAT(ReadProperties("", cut), IsEmpty());
  EXPECT_THAT(ReadProperties("\x45", cut), IsEmpty());
  EXPECT_THAT(ReadProperties("junk", cut), IsEmpty());
}

TEST(PeerProperties, StandTruncationAtEveryByte) {
  std::string pairs = Symbol("product") + String("qpid-proton") + Symbol("n");
  amqp::WriteUlong(pairs, 1u << 20);
  const std::string map = MapOf(pairs, 4);
  for (size_t size = 0; size < map.size(); ++size) {
    // Of a copy of just these bytes, so that a sanitizer sees what is read beyond.
    const std::string part = map.substr(0, size);
    bool cut = false;
    EXPECT_THAT(ReadProperties(part, cut), IsEmpty()) << size;
  }
  // As above, with a map that claims no more than what is left of it.
  for (size_t size = 0; size < pairs.size(); ++size) {
    bool cut = false;
    EXPECT_LE(ReadProperties(MapOf(pairs.substr(0, size), 4), cut).size(), 1u) << size;
  }
}

TEST(PeerProperties, AreSoManyAndNotOneMore) {
  std::string pairs;
  for (size_t i = 0; i < kPropertiesMax; ++i) pairs += Symbol("k") + String("v");
  bool cut = false;
  EXPECT_THAT(ReadProperties(MapOf(pairs, 2 * kPropertiesMax), cut), SizeIs(kPropertiesMax));
  EXPECT_FALSE(cut);
  pairs += Symbol("k") + String("v");
  EXPECT_THAT(ReadProperties(MapOf(pairs, 2 * kPropertiesMax + 2), cut), SizeIs(kPropertiesMax));
  EXPECT_TRUE(cut);
}

TEST(PeerProperties, AreSoLongAndNotLonger) {
  const std::string text(kPropertyBytesMax, 'x');
  bool cut = false;
  EXPECT_THAT(ReadProperties(MapOf(Symbol(text) + String(text), 2), cut),
              ElementsAre(Text(text, text)));
  EXPECT_FALSE(cut);
  EXPECT_THAT(ReadProperties(MapOf(Symbol("k") + String(text + "y"), 2), cut),
              ElementsAre(Text("k", text)));
  EXPECT_TRUE(cut);
}

TEST(PeerProperties, SymbolsAreBoundedToo) {
  bool cut = false;
  EXPECT_THAT(Bounded(std::vector<std::string>(kPropertiesMax, "s"), cut), SizeIs(kPropertiesMax));
  EXPECT_FALSE(cut);
  EXPECT_THAT(Bounded(std::vector<std::string>(kPropertiesMax + 1, "s"), cut),
              SizeIs(kPropertiesMax));
  EXPECT_TRUE(cut);
  cut = false;
  EXPECT_THAT(Bounded({std::string(kPropertyBytesMax + 1, 's')}, cut),
              ElementsAre(std::string(kPropertyBytesMax, 's')));
  EXPECT_TRUE(cut);
}

}  // namespace
}  // namespace trunkline::net
