#include "control/http/header.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include "control/http/gzip.h"

namespace trunkline::http {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;

TEST(ParseChoices, ReadsNamesParametersAndQualities) {
  const auto choices = ParseChoices(
      "application/OpenMetrics-text;version=1.0.0 ; charset=\"utf-8\",text/plain;version=0.0.4;"
      "q=0.5 , */*;q=0.1");
  ASSERT_THAT(choices, SizeIs(3));
  EXPECT_EQ(choices[0].name, "application/openmetrics-text");
  EXPECT_THAT(choices[0].parameters,
              ElementsAre(Pair("charset", "utf-8"), Pair("version", "1.0.0")));
  EXPECT_EQ(choices[0].quality, 1);
  EXPECT_EQ(choices[1].quality, 0.5);
  EXPECT_EQ(choices[2].name, "*/*");
}

TEST(ParseChoices, TakesAWrongQualityForANo) {
  for (const char* wrong : {"a;q=2", "a;q=-1", "a;q=x", "a;q=", "a;q", "a;q=nan"}) {
    const auto choices = ParseChoices(wrong);
    ASSERT_THAT(choices, SizeIs(1)) << wrong;
    EXPECT_EQ(choices[0].quality, 0) << wrong;
  }
}

TEST(ParseChoices, LeavesOutWhatHasNoName) {
  EXPECT_THAT(ParseChoices(""), IsEmpty());
  EXPECT_THAT(ParseChoices(",,;q=1, ;a=b,=,"), SizeIs(1));
}

TEST(ParseChoices, StandsATextThatEndsAnywhere) {
  const std::string whole = "application/openmetrics-text;version=\"1.0.0\";q=0.75,text/plain;q=0";
  for (size_t end = 0; end <= whole.size(); ++end) {
    EXPECT_LE(ParseChoices(whole.substr(0, end)).size(), 2u) << end;
  }
}

TEST(ParseChoices, LooksAtNoMoreThanItSays) {
  std::string header = "a0";
  for (size_t i = 1; i < kChoicesMax; ++i) header += ",a" + std::to_string(i);
  EXPECT_THAT(ParseChoices(header), SizeIs(kChoicesMax));
  EXPECT_THAT(ParseChoices(header + ",one-more"), SizeIs(kChoicesMax));
}

TEST(AcceptsGzip, IsANoUnlessItIsNamed) {
  EXPECT_TRUE(AcceptsGzip("gzip"));
  EXPECT_TRUE(AcceptsGzip("deflate, GZIP;q=0.5"));
  EXPECT_TRUE(AcceptsGzip("*"));
  EXPECT_FALSE(AcceptsGzip(""));
  EXPECT_FALSE(AcceptsGzip("deflate"));
  EXPECT_FALSE(AcceptsGzip("gzip;q=0"));
  EXPECT_FALSE(AcceptsGzip("*, gzip;q=0"));
}

// What zlib makes of it again.
std::string Unpacked(const std::string& packed, size_t room) {
  std::string text(room, '\0');
  z_stream stream{};
  EXPECT_EQ(inflateInit2(&stream, 15 + 16), Z_OK);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = reinterpret_cast<Bytef*>(text.data());
  stream.avail_out = static_cast<uInt>(text.size());
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  text.resize(stream.total_out);
  inflateEnd(&stream);
  return text;
}

TEST(Gzip, GivesBackWhatWasPutIn) {
  std::string text;
  for (int i = 0; i < 20000; ++i) text += "trunkline_links{direction=\"in\"} " + std::to_string(i);
  const auto packed = Gzip(text);
  ASSERT_TRUE(packed.has_value());
  EXPECT_LT(packed->size(), text.size() / 4);
  EXPECT_EQ(Unpacked(*packed, text.size() + 1), text);
  EXPECT_EQ(Unpacked(*Gzip(""), 1), "");
}

}  // namespace
}  // namespace trunkline::http
