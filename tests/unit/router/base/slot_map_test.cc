#include "router/base/slot_map.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "router/base/random.h"

namespace trunkline {
namespace {

using testing::ElementsAre;

using Names = SlotMap<std::string>;
using Name = Handle<std::string>;

TEST(SlotMap, FindsWhatItsHandleNames) {
  Names names;
  const Name a = names.Insert("a");
  const Name b = names.Insert(3, 'b');
  EXPECT_EQ(*names.Find(a), "a");
  EXPECT_EQ(names.Get(b), "bbb");
  EXPECT_EQ(names.size(), 2u);
}

TEST(SlotMap, FindsNothingByAHandleThatIsNone) {
  Names names;
  EXPECT_EQ(names.Find(Name()), nullptr);
  names.Insert("a");
  EXPECT_FALSE(Name());
  EXPECT_EQ(names.Find(Name()), nullptr);
  EXPECT_EQ(names.Find(Name::Unpack(0)), nullptr);
  EXPECT_FALSE(names.Erase(Name()));
}

TEST(SlotMap, FindsNothingBeyondItsEnd) {
  Names names;
  names.Insert("a");
  EXPECT_EQ(names.Find({64, 1}), nullptr);
  EXPECT_EQ(names.Find({UINT32_MAX, UINT32_MAX}), nullptr);
}

TEST(SlotMap, FindsNothingByAHandleOfAFreeSlot) {
  Names names;
  const Name a = names.Insert("a");
  names.Erase(a);
  EXPECT_EQ(names.Find({a.index, a.generation + 1}), nullptr);
}

TEST(SlotMap, KnowsStaleHandlesWhenTheSlotIsUsedAgain) {
  Names names;
  const Name a = names.Insert("a");
  EXPECT_TRUE(names.Erase(a));
  EXPECT_FALSE(names.Erase(a));
  EXPECT_EQ(names.size(), 0u);
  Name b;
  do {
    b = names.Insert("b");
  } while (b.index != a.index);
  EXPECT_EQ(names.Find(a), nullptr);
  EXPECT_FALSE(names.Erase(a));
  EXPECT_EQ(*names.Find(b), "b");
}

TEST(SlotMap, UsesSlotsAgainFirstInFirstOut) {
  Names names;
  std::vector<Name> all;
  for (int i = 0; i < 64; ++i) all.push_back(names.Insert("x"));
  for (int i : {5, 3, 9}) names.Erase(all[i]);
  EXPECT_EQ(names.Insert("y").index, all[5].index);
  EXPECT_EQ(names.Insert("y").index, all[3].index);
  EXPECT_EQ(names.Insert("y").index, all[9].index);
  EXPECT_EQ(names.Insert("y").index, 64u);
}

TEST(SlotMap, PacksHandles) {
  const Name handle{0xfffffffe, 0x80000001};
  EXPECT_EQ(Name::Unpack(handle.Pack()), handle);
  EXPECT_EQ(Name().Pack(), 0u);
}

TEST(SlotMap, DoesNotMoveElements) {
  Names names;
  const Name first = names.Insert("first");
  const std::string* place = names.Find(first);
  for (int i = 0; i < 1000; ++i) names.Insert("x");
  names.Trim();
  EXPECT_EQ(names.Find(first), place);
}

TEST(SlotMap, HoldsElementsOfStrictAlignment) {
  struct alignas(64) Line {
    int value;
  };
  SlotMap<Line> lines;
  for (int i = 0; i < 100; ++i) {
    const Handle<Line> handle = lines.Insert(Line{i});
    EXPECT_EQ(reinterpret_cast<uintptr_t>(lines.Find(handle)) % 64, 0u);
  }
}

TEST(SlotMap, DestroysEachElementOnce) {
  auto witness = std::make_shared<int>();
  {
    SlotMap<std::shared_ptr<int>> map;
    std::vector<Handle<std::shared_ptr<int>>> handles;
    for (int i = 0; i < 100; ++i) handles.push_back(map.Insert(witness));
    for (int i = 0; i < 50; ++i) map.Erase(handles[i]);
    EXPECT_EQ(witness.use_count(), 51);
  }
  EXPECT_EQ(witness.use_count(), 1);
}

TEST(SlotMap, DoesNotFindAnElementThatIsBeingDestroyed) {
  struct Element {
    SlotMap<Element>* map;
    Handle<Element>* self;
    bool* found;
    ~Element() { *found = map->Find(*self) != nullptr; }
  };
  SlotMap<Element> map;
  Handle<Element> self;
  bool found = true;
  self = map.Insert(Element{&map, &self, &found});
  map.Erase(self);
  EXPECT_FALSE(found);
}

TEST(SlotMap, VisitsInSlotOrderAndMayEraseWhatItVisits) {
  Names names;
  for (const char* name : {"a", "b", "c", "d"}) names.Insert(name);
  std::vector<std::string> seen;
  names.ForEach([&](Name handle, std::string& name) {
    seen.push_back(name);
    if (name == "b") names.Erase(handle);
  });
  names.ForEach([&](Name, std::string& name) { seen.push_back(name); });
  EXPECT_THAT(seen, ElementsAre("a", "b", "c", "d", "a", "c", "d"));
}

TEST(SlotMap, RemembersStaleHandlesAcrossATrim) {
  Names names;
  std::vector<Name> stale;
  for (int i = 0; i < 200; ++i) stale.push_back(names.Insert("old"));
  for (Name handle : stale) names.Erase(handle);
  names.Trim();
  for (Name handle : stale) EXPECT_EQ(names.Find(handle), nullptr);
  std::vector<Name> fresh;
  for (int i = 0; i < 200; ++i) fresh.push_back(names.Insert("new"));
  for (Name handle : stale) EXPECT_EQ(names.Find(handle), nullptr);
  for (Name handle : fresh) EXPECT_NE(names.Find(handle), nullptr);
  EXPECT_LT(fresh.back().index, 256u);
}

TEST(SlotMap, IsAMapUnderRandomUse) {
  Random random(5);
  Names names;
  std::map<uint64_t, std::string> live;
  std::vector<Name> stale;
  for (int step = 0; step < 50'000; ++step) {
    // Grows and shrinks in waves, so that whole chunks fall free.
    const bool grow = random.Below(100) < (step / 5000 % 2 == 0 ? 70u : 30u);
    if (grow || live.empty()) {
      const std::string name = random.Name(20);
      const Name handle = names.Insert(name);
      ASSERT_TRUE(live.emplace(handle.Pack(), name).second);
    } else {
      auto victim = live.lower_bound(random.Next());
      if (victim == live.end()) victim = live.begin();
      stale.push_back(Name::Unpack(victim->first));
      ASSERT_TRUE(names.Erase(stale.back()));
      live.erase(victim);
    }
    if (random.Below(500) == 0) names.Trim();
  }
  ASSERT_EQ(names.size(), live.size());
  for (const auto& [packed, name] : live) ASSERT_EQ(names.Get(Name::Unpack(packed)), name);
  for (Name handle : stale) ASSERT_EQ(names.Find(handle), nullptr);
  size_t visited = 0;
  names.ForEach([&](Name, std::string&) { ++visited; });
  EXPECT_EQ(visited, live.size());
}

TEST(SlotMap, WalksInPartsOverAllThatLives) {
  SlotMap<int> numbers;
  std::vector<Handle<int>> handles;
  for (int i = 0; i < 200; ++i) handles.push_back(numbers.Insert(i));
  for (int i = 0; i < 200; i += 2) numbers.Erase(handles[static_cast<size_t>(i)]);
  std::vector<int> seen;
  uint32_t at = 0;
  int parts = 0;
  do {
    size_t in_part = 0;
    at = numbers.Walk(at, 60, [&](int& number) {
      seen.push_back(number);
      ++in_part;
    });
    EXPECT_LE(in_part, 60u);
    ++parts;
  } while (at != 0);
  ASSERT_EQ(seen.size(), 100u);
  for (size_t i = 0; i < seen.size(); ++i) EXPECT_EQ(seen[i], static_cast<int>(2 * i + 1));
  EXPECT_EQ(parts, 5) << "256 slots";
}

TEST(SlotMap, WalksOverWhatWasTrimmed) {
  SlotMap<int> numbers;
  std::vector<Handle<int>> handles;
  for (int i = 0; i < 192; ++i) handles.push_back(numbers.Insert(i));
  for (size_t i = 0; i < 128; ++i) numbers.Erase(handles[i]);
  numbers.Trim();
  int count = 0;
  uint32_t at = 0;
  do {
    at = numbers.Walk(at, 50, [&](int&) { ++count; });
  } while (at != 0);
  EXPECT_EQ(count, 64);
  EXPECT_EQ(numbers.Walk(5000, 50, [&](int&) { ++count; }), 0u) << "beyond the end";
  EXPECT_EQ(count, 64);
}

}  // namespace
}  // namespace trunkline
