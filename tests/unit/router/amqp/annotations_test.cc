#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "router/amqp/codec.h"
#include "router/amqp/sections.h"
#include "tests/unit/router/amqp/encoded.h"

namespace trunkline::amqp {
namespace {

using testing::ElementsAreArray;

const std::string kUser = Bytes({0xa3, 6}) + "x-user" + Bytes({0xa1, 2}) + "u1";

TEST(EncodeAnnotations, WritesNothingForNothing) { EXPECT_EQ(EncodeAnnotations("", 0, {}), ""); }

TEST(EncodeAnnotations, LeavesTheUsersBytesAlone) {
  EXPECT_EQ(EncodeAnnotations(kUser, 2, {}), Bytes({0x00, 0x53, 0x72, 0xc1, 13, 2}) + kUser);
}

// The bytes of spec interrouter section 9.2.
TEST(EncodeAnnotations, WritesTheExampleOfTheSpecification) {
  AnnotationsOut out;
  out.to = "plain/addr";
  out.ingress = "0/A";
  out.trace = {"0/A"};
  EXPECT_EQ(EncodeAnnotations(kUser, 2, out),
            Bytes({0x00, 0x53, 0x72, 0xc1, 0x55, 0x08}) + kUser + Bytes({0xa3, 0x0b}) +
                "x-opt-qd.to" + Bytes({0xa1, 0x0a}) + "plain/addr" + Bytes({0xa3, 0x10}) +
                "x-opt-qd.ingress" + Bytes({0xa1, 0x03}) + "0/A" + Bytes({0xa3, 0x0e}) +
                "x-opt-qd.trace" + Bytes({0xc0, 0x06, 0x01, 0xa1, 0x03}) + "0/A");
}

TEST(EncodeAnnotations, WritesTheRouterKeysInTheirOrder) {
  AnnotationsOut out;
  out.phase = 22;
  out.stream = true;
  out.to = "a";
  EXPECT_EQ(EncodeAnnotations("", 0, out), Bytes({0x00, 0x53, 0x72, 0xc1, 54, 6, 0xa3, 14}) +
                                               "x-opt-qd.phase" + Bytes({0x54, 22, 0xa3, 15}) +
                                               "x-opt-qd.stream" + Bytes({0x54, 1, 0xa3, 11}) +
                                               "x-opt-qd.to" + Bytes({0xa1, 1, 'a'}));
}

TEST(EncodeAnnotations, ReadsBackInEverySize) {
  const std::string long_text(300, 'x');
  std::string long_user;
  WriteSymbol(long_user, long_text);
  WriteString(long_user, long_text);
  for (const std::string& user : {kUser, long_user}) {
    for (const size_t hops : {size_t{1}, size_t{60}, RouterAnnotations::kTraceMax}) {
      AnnotationsOut out;
      out.phase = 3;
      out.stream = true;
      out.to = long_text;
      out.ingress = "0/A";
      out.trace.assign(hops, "0/B");
      const std::string section = EncodeAnnotations(user, 2, out);
      Sections sections;
      ASSERT_EQ(Scan(section, true, Depth::kAnnotations, sections), ScanResult::kOk);
      EXPECT_EQ(sections.message_annotations_bytes, section.size());
      EXPECT_EQ(sections.user_annotations, user);
      EXPECT_EQ(sections.router.phase, 3);
      EXPECT_TRUE(sections.router.stream);
      EXPECT_EQ(sections.router.to, long_text);
      EXPECT_EQ(sections.router.ingress, "0/A");
      EXPECT_THAT(sections.router.trace, ElementsAreArray(out.trace));
    }
  }
}

// A map8 holds 255 bytes with its count; one byte more takes a map32.
TEST(EncodeAnnotations, ChangesToTheLargeMapBehind255Bytes) {
  for (const int content : {254, 255}) {
    const std::string user = Bytes({0xa3, 1, 'k', 0xb0, 0, 0, 0, content - 8}) +
                             std::string(static_cast<size_t>(content) - 8, 'v');
    const std::string section = EncodeAnnotations(user, 2, {});
    EXPECT_EQ(static_cast<uint8_t>(section[3]), content == 254 ? 0xc1 : 0xd1);
    Sections sections;
    EXPECT_EQ(Scan(section, true, Depth::kAnnotations, sections), ScanResult::kOk);
    EXPECT_EQ(sections.user_annotations, user);
  }
}

class ReplaceAnnotationsTest : public testing::Test {
 protected:
  // `text` in slices of `step` bytes of one block.
  Payload Sliced(const std::string& text, uint32_t step) {
    Block* block = pool_.Take();
    std::memcpy(block->tail(), text.data(), text.size());
    block->used = static_cast<uint32_t>(text.size());
    Payload payload;
    for (uint32_t at = 0; at < block->used; at += step) {
      payload.Append(Slice(block, block->bytes + at, std::min(step, block->used - at)));
    }
    BlockPool::Unref(block);
    return payload;
  }

  BlockPool pool_;
  const std::string header_ = Bytes({0x00, 0x53, 0x70, 0xc0, 2, 1, 0x41});
  const std::string body_ = Bytes({0x00, 0x53, 0x75, 0xa0, 2, 'h', 'i'});
};

TEST_F(ReplaceAnnotationsTest, ExchangesTheSectionHoweverTheMessageIsSliced) {
  const std::string old_section = EncodeAnnotations(kUser, 2, {});
  AnnotationsOut out;
  out.to = "a";
  const std::string new_section = EncodeAnnotations(kUser, 2, out);
  const std::string message = header_ + old_section + body_;
  Sections sections;
  ASSERT_EQ(Scan(message, true, Depth::kAnnotations, sections), ScanResult::kOk);
  for (uint32_t step = 1; step <= message.size(); ++step) {
    const Payload payload = Sliced(message, step);
    EXPECT_EQ(ReplaceAnnotations(payload, sections, new_section, pool_).ToString(),
              header_ + new_section + body_);
    EXPECT_EQ(ReplaceAnnotations(payload, sections, "", pool_).ToString(), header_ + body_);
    EXPECT_EQ(payload.ToString(), message);
  }
}

TEST_F(ReplaceAnnotationsTest, PutsASectionWhereThereWasNone) {
  AnnotationsOut out;
  out.to = "a";
  const std::string section = EncodeAnnotations("", 0, out);
  for (const std::string& front : {std::string(), header_}) {
    Sections sections;
    ASSERT_EQ(Scan(front + body_, true, Depth::kAnnotations, sections), ScanResult::kOk);
    const Payload replaced =
        ReplaceAnnotations(Sliced(front + body_, 100), sections, section, pool_);
    EXPECT_EQ(replaced.ToString(), front + section + body_);
  }
}

TEST_F(ReplaceAnnotationsTest, SharesTheBodyInsteadOfCopyingIt) {
  const std::string section = EncodeAnnotations(kUser, 2, {});
  const std::string message = section + body_;
  Sections sections;
  ASSERT_EQ(Scan(message, true, Depth::kAnnotations, sections), ScanResult::kOk);
  const Payload payload = Sliced(message, 1000);
  const Payload replaced = ReplaceAnnotations(payload, sections, "", pool_);
  ASSERT_EQ(replaced.slices().size(), 1u);
  EXPECT_EQ(replaced.slices()[0].data(), payload.slices()[0].data() + section.size());
}

}  // namespace
}  // namespace trunkline::amqp
