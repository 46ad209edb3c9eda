#include "router/amqp/sections.h"

#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "router/amqp/codec.h"
#include "tests/unit/router/amqp/encoded.h"

namespace trunkline::amqp {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const std::string kBody = Bytes({0x00, 0x53, 0x75, 0xa0, 2, 'h', 'i'});
const std::string kHeader = Bytes({0x00, 0x53, 0x70, 0xc0, 4, 2, 0x41, 0x50, 7});
const std::string kDelivery = Bytes({0x00, 0x53, 0x71, 0xc1, 7, 2, 0xa3, 1, 'd', 0xa1, 1, 'v'});
// message-id, user-id, to.
const std::string kProperties = Bytes({0x00, 0x53, 0x73, 0xc0, 15,   3, 0x53, 9,   0xa0, 4,
                                       'j',  'o',  'h',  'n',  0xa1, 4, 'd',  'e', 's',  't'});

// A message-annotations section of these encoded keys and values.
std::string Annotations(const std::vector<std::string>& items) {
  std::string content;
  for (const std::string& item : items) content += item;
  std::string section = Bytes({0x00, 0x53, 0x72});
  WriteMapHeader(section, content.size(), static_cast<uint32_t>(items.size()));
  return section + content;
}

std::string Sym(std::string_view text) {
  std::string out;
  WriteSymbol(out, text);
  return out;
}

std::string Str(std::string_view text) {
  std::string out;
  WriteString(out, text);
  return out;
}

std::string List(const std::vector<std::string>& items) {
  std::string content;
  for (const std::string& item : items) content += item;
  std::string out;
  WriteListHeader(out, content.size(), static_cast<uint32_t>(items.size()));
  return out + content;
}

// Scans a whole message, which is kept: what is found points into it.
ScanResult ScanAll(std::string message, Sections& sections, Depth depth = Depth::kAnnotations) {
  static std::deque<std::string> kept;
  kept.push_back(std::move(message));
  return Scan(kept.back(), true, depth, sections);
}

TEST(Scan, FindsNothingInAMessageWithoutHeaderAndAnnotations) {
  for (const Depth depth : {Depth::kHeader, Depth::kAnnotations}) {
    for (const std::string& message : {kBody, kProperties + kBody}) {
      Sections sections;
      EXPECT_EQ(Scan(message.substr(0, 3), false, depth, sections), ScanResult::kOk);
      EXPECT_EQ(sections.priority, 4);
      EXPECT_EQ(sections.header_bytes, 0u);
      EXPECT_EQ(sections.bare_offset, 0u);
      EXPECT_EQ(sections.message_annotations_bytes, 0u);
      EXPECT_FALSE(sections.router.any);
    }
  }
}

TEST(Scan, LocatesEverySection) {
  const std::string annotations = Annotations({Sym("x-user"), Str("u1")});
  const std::string message = kHeader + kDelivery + annotations + kProperties + kBody;
  Sections sections;
  ASSERT_EQ(ScanAll(message, sections, Depth::kProperties), ScanResult::kOk);
  EXPECT_EQ(sections.priority, 7);
  EXPECT_EQ(sections.header_bytes, kHeader.size());
  EXPECT_EQ(sections.delivery_annotations_bytes, kDelivery.size());
  EXPECT_EQ(sections.message_annotations_offset, kHeader.size() + kDelivery.size());
  EXPECT_EQ(sections.message_annotations_bytes, annotations.size());
  EXPECT_EQ(sections.bare_offset, (kHeader + kDelivery + annotations).size());
  EXPECT_EQ(sections.user_annotations, Sym("x-user") + Str("u1"));
  EXPECT_EQ(sections.user_annotation_count, 2u);
  EXPECT_EQ(sections.to, "dest");
  EXPECT_EQ(sections.user_id, "john");
  EXPECT_FALSE(sections.router.any);
}

TEST(Scan, LooksNoDeeperThanAsked) {
  const std::string broken_annotations = Bytes({0x00, 0x53, 0x72, 0x41});
  const std::string broken_properties = Bytes({0x00, 0x53, 0x73, 0x41});
  Sections sections;
  EXPECT_EQ(ScanAll(kHeader + broken_annotations, sections, Depth::kHeader), ScanResult::kOk);
  EXPECT_EQ(ScanAll(kHeader + broken_annotations, sections), ScanResult::kMalformed);
  EXPECT_EQ(ScanAll(kDelivery + broken_properties, sections), ScanResult::kOk);
  EXPECT_EQ(sections.bare_offset, kDelivery.size());
  EXPECT_EQ(ScanAll(kDelivery + broken_properties, sections, Depth::kProperties),
            ScanResult::kMalformed);
}

TEST(Scan, ReadsThePriorityAndClampsIt) {
  const auto priority = [](const std::string& header) {
    Sections sections;
    EXPECT_EQ(ScanAll(header + kBody, sections, Depth::kHeader), ScanResult::kOk);
    EXPECT_EQ(sections.header_bytes, header.size());
    return int{sections.priority};
  };
  EXPECT_EQ(priority(Bytes({0x00, 0x53, 0x70, 0x45})), 4);
  EXPECT_EQ(priority(Bytes({0x00, 0x53, 0x70, 0xc0, 2, 1, 0x41})), 4);
  EXPECT_EQ(priority(Bytes({0x00, 0x53, 0x70, 0xc0, 3, 2, 0x40, 0x40})), 4);
  EXPECT_EQ(priority(Bytes({0x00, 0x53, 0x70, 0xc0, 4, 2, 0x56, 1, 0x40})), 4);
  EXPECT_EQ(priority(Bytes({0x00, 0x53, 0x70, 0xc0, 4, 2, 0x40, 0x50, 0})), 0);
  EXPECT_EQ(priority(Bytes({0x00, 0x53, 0x70, 0xc0, 4, 2, 0x40, 0x50, 9})), 9);
  EXPECT_EQ(priority(Bytes({0x00, 0x53, 0x70, 0xc0, 4, 2, 0x40, 0x50, 10})), 9);
  EXPECT_EQ(priority(Bytes({0x00, 0x53, 0x70, 0xc0, 4, 2, 0x40, 0x52, 8})), 4);
  EXPECT_EQ(priority(Bytes({0x00, 0x53, 0x70, 0xd0, 0, 0, 0, 7, 0, 0, 0, 2, 0x40, 0x50, 3})), 3);
}

TEST(Scan, TakesEveryEncodingOfADescriptor) {
  const std::string list = Bytes({0xc0, 4, 2, 0x40, 0x50, 8});
  const std::string name = "amqp:header:list";
  for (const std::string& descriptor :
       {Bytes({0x00, 0x53, 0x70}), Bytes({0x00, 0x80, 0, 0, 0, 0, 0, 0, 0, 0x70}),
        Bytes({0x00, 0xa3, 16}) + name, Bytes({0x00, 0xb3, 0, 0, 0, 16}) + name}) {
    const std::string message = descriptor + list + Annotations({Sym("k"), Str("v")}) + kBody;
    Sections sections;
    ASSERT_EQ(ScanAll(message, sections), ScanResult::kOk);
    EXPECT_EQ(sections.priority, 8);
    EXPECT_EQ(sections.user_annotation_count, 2u);
    EXPECT_EQ(sections.bare_offset, message.size() - kBody.size());
  }
}

TEST(Scan, EndsAtASectionThatIsUnknown) {
  for (const std::string& odd :
       {Bytes({0x00, 0x53, 0x6f, 0x45}), Bytes({0x00, 0x44, 0x45}), Bytes({0x00, 0xa1, 1, 'x', 1}),
        Bytes({0x00, 0xa3, 3}) + "x:y" + Bytes({0x45}),
        Bytes({0x00, 0xb3, 0xff, 0xff, 0xff, 0xff}) + "x", std::string("not a section at all"),
        kBody + kDelivery}) {
    Sections sections;
    EXPECT_EQ(ScanAll(kHeader + odd, sections, Depth::kProperties), ScanResult::kOk);
    EXPECT_EQ(sections.bare_offset, kHeader.size());
    EXPECT_EQ(sections.to, std::nullopt);
  }
}

// Else the second would count as soon as the first is dropped.
TEST(Scan, RefusesASectionThatComesTwiceOrTooLate) {
  const std::string forged = Annotations({Sym("x-opt-qd.to"), Str("a")});
  Sections sections;
  for (const Depth depth : {Depth::kAnnotations, Depth::kProperties}) {
    EXPECT_EQ(ScanAll(forged + forged, sections, depth), ScanResult::kMalformed);
    EXPECT_EQ(ScanAll(forged + kDelivery, sections, depth), ScanResult::kMalformed);
    EXPECT_EQ(ScanAll(kDelivery + kHeader, sections, depth), ScanResult::kMalformed);
  }
  EXPECT_EQ(ScanAll(kHeader + kHeader, sections, Depth::kHeader), ScanResult::kMalformed);
}

TEST(Scan, AsksForMoreUntilWhatItNeedsIsThere) {
  const std::string annotations = Annotations({Sym("x-opt-qd.to"), Str("a")});
  const std::string message = kHeader + kDelivery + annotations + kProperties + kBody;
  for (const Depth depth : {Depth::kHeader, Depth::kAnnotations, Depth::kProperties}) {
    const size_t sections_end = depth == Depth::kHeader ? kHeader.size()
                                : depth == Depth::kAnnotations
                                    ? (kHeader + kDelivery + annotations).size()
                                    : message.size() - kBody.size();
    const size_t needed = sections_end + 3;  // the descriptor behind says that it is over
    ForEachPrefix(message, [&](std::string_view prefix) {
      Sections sections;
      const ScanResult expected = prefix.size() < needed ? ScanResult::kMore : ScanResult::kOk;
      EXPECT_EQ(Scan(prefix, false, depth, sections), expected) << prefix.size();
      const ScanResult ended = Scan(prefix, true, depth, sections);
      EXPECT_TRUE(prefix.size() < needed || ended == ScanResult::kOk);
    });
  }
}

TEST(Scan, TakesAMessageThatEndsBehindAnySectionButNotWithinOne) {
  Sections sections;
  EXPECT_EQ(ScanAll("", sections), ScanResult::kOk);
  EXPECT_EQ(ScanAll(kHeader, sections), ScanResult::kOk);
  EXPECT_EQ(sections.bare_offset, kHeader.size());
  EXPECT_EQ(ScanAll(kHeader + kDelivery, sections), ScanResult::kOk);
  EXPECT_EQ(ScanAll(kHeader.substr(0, kHeader.size() - 1), sections), ScanResult::kMalformed);
  EXPECT_EQ(ScanAll(kHeader + kDelivery.substr(0, 2), sections), ScanResult::kMalformed);
}

TEST(Scan, ForgetsWhatItFoundBefore) {
  Sections sections;
  const std::string message =
      kHeader +
      Annotations({Sym("x-opt-qd.to"), Str("a"), Sym("u"), Str("v"), Sym("x-opt-qd.phase"),
                   Bytes({0x54, 1}), Sym("w"), Str("x")}) +
      kProperties + kBody;
  ASSERT_EQ(ScanAll(message, sections, Depth::kProperties), ScanResult::kOk);
  ASSERT_EQ(ScanAll(kBody, sections, Depth::kProperties), ScanResult::kOk);
  EXPECT_EQ(sections.priority, 4);
  EXPECT_EQ(sections.bare_offset, 0u);
  EXPECT_EQ(sections.to, std::nullopt);
  EXPECT_EQ(sections.user_id, std::nullopt);
  EXPECT_EQ(sections.router.to, std::nullopt);
  EXPECT_EQ(sections.router.phase, 0);
  EXPECT_FALSE(sections.router.any);
  EXPECT_EQ(sections.user_annotation_count, 0u);
  EXPECT_EQ(sections.user_annotations, "");
}

TEST(Scan, ReadsTheRouterAnnotations) {
  const std::string message =
      Annotations({Sym("x-user"), Str("u1"), Sym("x-opt-qd.phase"), Bytes({0x54, 1}),
                   Sym("x-opt-qd.stream"), Bytes({0x71, 0, 0, 0, 1}), Sym("x-opt-qd.to"),
                   Str("plain/addr"), Sym("x-opt-qd.ingress"), Str("0/A"), Sym("x-opt-qd.trace"),
                   List({Str("0/B"), Str("0/A")})}) +
      kBody;
  Sections sections;
  ASSERT_EQ(ScanAll(message, sections), ScanResult::kOk);
  EXPECT_TRUE(sections.router.any);
  EXPECT_EQ(sections.router.phase, 1);
  EXPECT_TRUE(sections.router.stream);
  EXPECT_EQ(sections.router.to, "plain/addr");
  EXPECT_EQ(sections.router.ingress, "0/A");
  EXPECT_THAT(sections.router.trace, ElementsAre("0/B", "0/A"));
  EXPECT_EQ(sections.user_annotations, Sym("x-user") + Str("u1"));
  EXPECT_EQ(sections.user_annotation_count, 2u);
}

TEST(Scan, PassesKeysOfEveryTypeAndWidthAsTheUsers) {
  const std::string long_key(300, 'k');
  const std::vector<std::string> items = {Sym(long_key),    Bytes({0x40}),    Str("x-opt-qd.to"),
                                          Bytes({0x41}),    Bytes({0x53, 9}), List({Str("a")}),
                                          Sym("x-opt-qdx"), SmallMap()};
  std::string encoded;
  for (const std::string& item : items) encoded += item;
  Sections sections;
  ASSERT_EQ(ScanAll(Annotations(items), sections), ScanResult::kOk);
  EXPECT_FALSE(sections.router.any);
  EXPECT_EQ(sections.user_annotations, encoded);
  EXPECT_EQ(sections.user_annotation_count, items.size());
}

TEST(Scan, DropsPaddingAndUnknownRouterKeys) {
  const std::string wide_key = Bytes({0xb3, 0, 0, 0, 11}) + "x-opt-qd.to";
  Sections sections;
  ASSERT_EQ(ScanAll(Annotations({Sym("u"), Str("v"), Sym("x-opt-qd."), Str(""), Sym("x-opt-qd.  "),
                                 Str(""), Sym("x-opt-qd.class"), Bytes({0x43}),
                                 Sym("x-opt-qd.later"), SmallMap(), wide_key, Str("a")}),
                    sections),
            ScanResult::kOk);
  EXPECT_EQ(sections.user_annotations, Sym("u") + Str("v"));
  EXPECT_EQ(sections.user_annotation_count, 2u);
  EXPECT_EQ(sections.router.to, "a");
}

TEST(Scan, KeepsUserPairsThatLieBehindTheRouters) {
  Sections sections;
  ASSERT_EQ(
      ScanAll(Annotations({Sym("u"), Str("1"), Sym("x-opt-qd.to"), Str("a"), Sym("v"), Str("2"),
                           Sym("x-opt-qd.phase"), Bytes({0x54, 2}), Sym("w"), Str("3")}),
              sections),
      ScanResult::kOk);
  EXPECT_EQ(sections.user_annotations,
            Sym("u") + Str("1") + Sym("v") + Str("2") + Sym("w") + Str("3"));
  EXPECT_EQ(sections.user_annotation_count, 6u);
  EXPECT_EQ(sections.router.phase, 2);
  const Sections copy = sections;
  sections = Sections();
  EXPECT_EQ(copy.user_annotations.size(), 18u);
  EXPECT_EQ(copy.user_annotations.substr(0, 3), Sym("u"));
}

TEST(Scan, NamesTheRouterAnnotationOfAWrongType) {
  const std::vector<std::pair<std::string, std::string>> bad = {
      {"x-opt-qd.to", Sym("symbol")},
      {"x-opt-qd.to", Bytes({0x40})},
      {"x-opt-qd.ingress", Bytes({0x54, 1})},
      {"x-opt-qd.trace", Str("0/A")},
      {"x-opt-qd.trace", List({Str("0/A"), Bytes({0x54, 1})})},
      {"x-opt-qd.phase", Str("1")},
      {"x-opt-qd.phase", Bytes({0x52, 1})},
      {"x-opt-qd.phase", Bytes({0x54, 0xff})},
      {"x-opt-qd.phase", Bytes({0x54, RouterAnnotations::kPhaseMax + 1})},
      {"x-opt-qd.stream", Bytes({0x41})}};
  for (const auto& [key, value] : bad) {
    const std::string annotations = Annotations({Sym("u"), Str("v"), Sym(key), value});
    const std::string message = annotations + kProperties + kBody;
    Sections sections;
    EXPECT_EQ(ScanAll(message, sections, Depth::kProperties), ScanResult::kBadRouterAnnotation);
    EXPECT_EQ(sections.bad_field, key);
    // Everything else is there for a listener that drops router keys anyway.
    EXPECT_EQ(sections.user_annotations, Sym("u") + Str("v"));
    EXPECT_EQ(sections.bare_offset, annotations.size());
    EXPECT_EQ(sections.to, "dest");
  }
}

TEST(Scan, TakesATraceUpToItsLimitAndNotBeyond) {
  std::vector<std::string> nodes(RouterAnnotations::kTraceMax, Str("0/A"));
  Sections sections;
  EXPECT_EQ(ScanAll(Annotations({Sym("x-opt-qd.trace"), List(nodes)}), sections), ScanResult::kOk);
  EXPECT_EQ(sections.router.trace.size(), RouterAnnotations::kTraceMax);
  nodes.push_back(Str("0/A"));
  EXPECT_EQ(ScanAll(Annotations({Sym("x-opt-qd.trace"), List(nodes)}), sections),
            ScanResult::kBadRouterAnnotation);
}

TEST(Scan, TakesAnEmptyMapAndAnEmptyTrace) {
  Sections sections;
  EXPECT_EQ(ScanAll(Annotations({}), sections), ScanResult::kOk);
  EXPECT_EQ(sections.message_annotations_bytes, 6u);
  EXPECT_EQ(ScanAll(Annotations({Sym("x-opt-qd.trace"), Bytes({0x45})}), sections),
            ScanResult::kOk);
  EXPECT_THAT(sections.router.trace, IsEmpty());
}

TEST(Scan, RefusesBrokenAnnotations) {
  Sections sections;
  // An odd count, a pair too few, bytes behind the last pair, a value that is cut, a deep one.
  for (const std::string& map :
       {Bytes({0xc1, 4, 1, 0xa3, 1, 'k'}), Bytes({0xc1, 7, 4, 0xa3, 1, 'k', 0xa1, 1, 'v'}),
        Bytes({0xc1, 8, 2, 0xa3, 1, 'k', 0xa1, 1, 'v', 0x40}),
        Bytes({0xc1, 7, 2, 0xa3, 1, 'k', 0xa1, 9, 'v'}), Bytes({0xc1, 0}), Bytes({0x45}),
        Bytes({0x40})}) {
    EXPECT_EQ(ScanAll(Bytes({0x00, 0x53, 0x72}) + map, sections), ScanResult::kMalformed);
  }
  std::string deep = Bytes({0x43});
  for (int i = 0; i <= Reader::kNestingMax; ++i) deep = List({deep});
  EXPECT_EQ(ScanAll(Annotations({Sym("k"), deep}), sections), ScanResult::kMalformed);
}

TEST(Scan, RefusesPropertiesItHasToReadAndCannot) {
  Sections sections;
  const auto properties = [](const std::string& fields, int count) {
    return Bytes({0x00, 0x53, 0x73, 0xc0, static_cast<int>(fields.size()) + 1, count}) + fields;
  };
  EXPECT_EQ(ScanAll(properties(Bytes({0x40, 0xa1, 1, 'j'}), 2), sections, Depth::kProperties),
            ScanResult::kMalformed);
  EXPECT_EQ(ScanAll(properties(Bytes({0x40, 0x40, 0xa3, 1, 'q'}), 3), sections, Depth::kProperties),
            ScanResult::kMalformed);
  EXPECT_EQ(ScanAll(properties(Bytes({0x40, 0x40, 0x40}), 3), sections, Depth::kProperties),
            ScanResult::kOk);
  EXPECT_EQ(sections.to, std::nullopt);
  EXPECT_EQ(ScanAll(properties("", 0), sections, Depth::kProperties), ScanResult::kOk);
}

TEST(Scan, SurvivesMutation) {
  const std::string message =
      kHeader + kDelivery +
      Annotations({Sym("u"), SmallMap(), Sym("x-opt-qd.to"), Str("a"), Sym("x-opt-qd.trace"),
                   List({Str("0/A"), Str("0/B")}), Sym("x-opt-qd.phase"), Bytes({0x54, 1})}) +
      kProperties + kBody;
  ForEachMutation(message, 7, 50'000, [](std::string_view mutant) {
    Sections sections;
    for (const bool whole : {false, true}) {
      if (Scan(mutant, whole, Depth::kProperties, sections) != ScanResult::kOk) continue;
      ASSERT_LE(sections.bare_offset, mutant.size());
      ASSERT_EQ(sections.user_annotation_count % 2, 0u);
    }
  });
}

}  // namespace
}  // namespace trunkline::amqp
