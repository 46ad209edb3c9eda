#include "router/base/parcel.h"

#include <gtest/gtest.h>

#include <string_view>
#include <thread>
#include <utility>

namespace trunkline {
namespace {

Slice Make(Block* block, std::string_view bytes) {
  std::memcpy(block->tail(), bytes.data(), bytes.size());
  block->used += static_cast<uint32_t>(bytes.size());
  return Slice(block, block->tail() - bytes.size(), static_cast<uint32_t>(bytes.size()));
}

class ParcelTest : public testing::Test {
 protected:
  ParcelTest() : block_(home_.Take()) {}
  ~ParcelTest() override {
    BlockPool::AcceptReturns(away_.TakeReturns(home_.id()));
    BlockPool::Unref(block_);
    EXPECT_EQ(home_.bytes_in_use(), 0u);
  }

  BlockPool home_{0};
  BlockPool away_{1};
  Block* block_;
};

TEST_F(ParcelTest, BytesArriveWithoutBeingCopied) {
  Payload payload(Make(block_, "one"));
  const uint8_t* at = payload.slices()[0].data();
  Parcel parcel = Parcel::Pack(std::move(payload));
  EXPECT_EQ(parcel.bytes(), 3u);
  const Payload there = parcel.Unpack(away_);
  EXPECT_TRUE(parcel.empty());
  EXPECT_EQ(there.ToString(), "one");
  EXPECT_EQ(there.slices()[0].data(), at);
  EXPECT_EQ(away_.bytes_in_use(), 0u);
}

TEST_F(ParcelTest, APayloadOfManySlicesStaysInOrder) {
  Block* second = home_.Take(100);
  Payload payload(Make(block_, "one"));
  payload.Append(Make(second, "two"));
  payload.Append(Make(block_, "three"));
  BlockPool::Unref(second);
  Parcel parcel = Parcel::Pack(std::move(payload));
  EXPECT_EQ(parcel.Unpack(away_).ToString(), "onetwothree");
}

TEST_F(ParcelTest, APayloadTakenBackIsAsItWas) {
  Parcel parcel = Parcel::Pack(Payload(Make(block_, "one")));
  EXPECT_EQ(block_->refs, 2u);
  {
    const Payload back = parcel.TakeBack();
    EXPECT_EQ(back.ToString(), "one");
    EXPECT_EQ(back.slices()[0].block(), block_);
  }
  EXPECT_EQ(block_->refs, 1u);
}

TEST_F(ParcelTest, TheBlockIsHeldUntilItsReferencesAreHome) {
  Parcel parcel = Parcel::Pack(Payload(Make(block_, "one")));
  {
    const Payload there = parcel.Unpack(away_);
    EXPECT_EQ(away_.returns(0), 0u);
  }
  EXPECT_EQ(block_->refs, 2u);
  EXPECT_EQ(away_.returns(0), 1u);
  BlockPool::AcceptReturns(away_.TakeReturns(0));
  EXPECT_EQ(block_->refs, 1u);
  EXPECT_EQ(away_.returns(0), 0u);
}

TEST_F(ParcelTest, ManyParcelsOfABlockComeHomeAsOneReturn) {
  Payload all;
  for (int i = 0; i < 10; ++i) {
    Parcel parcel = Parcel::Pack(Payload(Make(block_, "x")));
    all.Append(parcel.Unpack(away_));
  }
  EXPECT_EQ(block_->refs, 11u);
  all.Clear();
  EXPECT_EQ(away_.returns(0), 1u);
  BlockPool::AcceptReturns(away_.TakeReturns(0));
  EXPECT_EQ(block_->refs, 1u);
}

TEST_F(ParcelTest, AProxyThatEndedIsNotUsedAgain) {
  for (int i = 0; i < 3; ++i) {
    Parcel parcel = Parcel::Pack(Payload(Make(block_, "x")));
    parcel.Unpack(away_);
  }
  EXPECT_EQ(away_.returns(0), 3u);
}

TEST_F(ParcelTest, SlicesOfAnArrivedPayloadAreSharedAsAnyOthers) {
  Parcel parcel = Parcel::Pack(Payload(Make(block_, "message")));
  Payload copy;
  {
    Payload there = parcel.Unpack(away_);
    copy = there;
    there.RemovePrefix(3);
    EXPECT_EQ(there.ToString(), "sage");
  }
  EXPECT_EQ(away_.returns(0), 0u);
  EXPECT_EQ(copy.ToString(), "message");
}

TEST_F(ParcelTest, CompactingAnArrivedPayloadLetsTheBlockGo) {
  Parcel parcel = Parcel::Pack(Payload(Make(block_, "small")));
  Payload there = parcel.Unpack(away_);
  there.Compact(away_);
  EXPECT_EQ(there.ToString(), "small");
  EXPECT_EQ(away_.returns(0), 1u);
}

TEST_F(ParcelTest, BytesThatLiveForEverNeedNoReturn) {
  Parcel parcel = Parcel::Pack(Payload(Slice::Unowned("constant")));
  EXPECT_EQ(parcel.Unpack(away_).ToString(), "constant");
  EXPECT_EQ(away_.returns(0), 0u);
}

TEST_F(ParcelTest, AnotherThreadMayReadWhileTheHomeWrites) {
  Parcel parcel = Parcel::Pack(Payload(Make(block_, "before")));
  std::thread reader([&] { EXPECT_EQ(parcel.Unpack(away_).ToString(), "before"); });
  const Slice after = Make(block_, "after");
  EXPECT_EQ(after.view(), "after");
  reader.join();
}

}  // namespace
}  // namespace trunkline
