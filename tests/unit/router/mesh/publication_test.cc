#include "router/mesh/publication.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "router/base/random.h"

namespace trunkline::mesh {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(Publication, CountsVersionsFromOne) {
  Publication publication(2);
  EXPECT_EQ(publication.newest(), 0u);
  EXPECT_EQ(publication.Publish(), 1u);
  EXPECT_EQ(publication.Publish(), 2u);
  EXPECT_EQ(publication.newest(), 2u);
}

TEST(Publication, FreesAVersionWhenTheLastWorkerHasLeftIt) {
  Publication publication(2);
  publication.Publish();
  publication.Left(0, 0, 1);
  publication.Left(1, 0, 1);
  publication.Publish();
  EXPECT_THAT(publication.TakeFree(), IsEmpty());
  publication.Left(0, 1, 2);
  EXPECT_THAT(publication.TakeFree(), IsEmpty());
  publication.Left(1, 1, 2);
  EXPECT_THAT(publication.TakeFree(), ElementsAre(1));
  EXPECT_THAT(publication.TakeFree(), IsEmpty());
  EXPECT_EQ(publication.live(), 1u);
}

TEST(Publication, FreesAVersionThatNobodyRead) {
  Publication publication(1);
  publication.Publish();
  publication.Left(0, 0, 1);
  publication.Publish();
  publication.Publish();
  publication.Unread(0, 2);
  EXPECT_THAT(publication.TakeFree(), ElementsAre(2));
  publication.Left(0, 1, 3);
  EXPECT_THAT(publication.TakeFree(), ElementsAre(1));
}

TEST(Publication, NeverFreesTheNewest) {
  Publication none(0);
  none.Publish();
  EXPECT_THAT(none.TakeFree(), IsEmpty());
  none.Publish();
  EXPECT_THAT(none.TakeFree(), ElementsAre(1));
  EXPECT_EQ(none.live(), 1u);
}

TEST(Publication, KnowsWhoLagsBehind) {
  Publication publication(3);
  publication.Publish();
  EXPECT_FALSE(publication.InForce(1));
  for (core::ShardId worker = 0; worker < 3; ++worker) publication.Left(worker, 0, 1);
  EXPECT_TRUE(publication.InForce(1));
  publication.Publish();
  publication.Publish();
  publication.Left(1, 1, 3);
  publication.Left(2, 1, 2);
  EXPECT_THAT(publication.Laggards(2), ElementsAre(0));
  EXPECT_THAT(publication.Laggards(3), ElementsAre(0, 2));
  publication.Left(0, 1, 2);
  EXPECT_TRUE(publication.InForce(2));
  EXPECT_FALSE(publication.InForce(3));
}

TEST(PublicationDeathTest, DoesNotTakeBackWhatAWorkerHasRead) {
  Publication publication(1);
  publication.Publish();
  publication.Left(0, 0, 1);
  EXPECT_DEATH(publication.Unread(0, 1), "has read view 1");
  EXPECT_DEATH(publication.Left(0, 0, 1), "left view 0");
}

// Workers with slots as they really are, mail that takes its time: nothing is freed while somebody
// can still read it, and in the end all but the newest is.
TEST(Publication, FreesEverythingInTheEndAndNothingTooEarly) {
  constexpr size_t kWorkers = 4;
  Publication publication(kWorkers);
  Random random(11);
  struct Worker {
    uint64_t slot = 0;
    uint64_t reads = 0;
    std::vector<std::pair<uint64_t, uint64_t>> mail;  // left, adopted
  };
  std::vector<Worker> workers(kWorkers);
  std::set<uint64_t> freed;
  const auto deliver = [&](core::ShardId i) {
    for (const auto& [left, adopted] : workers[i].mail) publication.Left(i, left, adopted);
    workers[i].mail.clear();
  };
  const auto adopt = [&](Worker& worker) {
    if (worker.slot == 0) return;
    worker.mail.push_back({worker.reads, worker.slot});
    worker.reads = std::exchange(worker.slot, 0);
  };
  for (int step = 0; step < 5000; ++step) {
    const core::ShardId i = static_cast<core::ShardId>(random.Below(kWorkers));
    switch (random.Below(3)) {
      case 0: {
        const uint64_t version = publication.Publish();
        for (core::ShardId w = 0; w < kWorkers; ++w) {
          const uint64_t unread = std::exchange(workers[w].slot, version);
          if (unread != 0) publication.Unread(w, unread);
        }
        break;
      }
      case 1:
        adopt(workers[i]);
        break;
      default:
        deliver(i);
    }
    for (uint64_t version : publication.TakeFree()) {
      ASSERT_TRUE(freed.insert(version).second);
    }
    for (const Worker& worker : workers) {
      ASSERT_FALSE(freed.contains(worker.slot) || freed.contains(worker.reads));
    }
  }
  for (core::ShardId w = 0; w < kWorkers; ++w) {
    adopt(workers[w]);
    deliver(w);
  }
  for (uint64_t version : publication.TakeFree()) freed.insert(version);
  EXPECT_EQ(freed.size(), publication.newest() - 1);
  EXPECT_EQ(publication.live(), 1u);
}

}  // namespace
}  // namespace trunkline::mesh
