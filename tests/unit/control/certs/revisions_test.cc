#include "control/certs/revisions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace trunkline::certs {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

tls::CertificateInfo Leaf(const std::string& subject) {
  tls::CertificateInfo leaf;
  leaf.subject = subject;
  return leaf;
}

// "ordinal subject connections", with a "*" if it is active.
std::vector<std::string> Told(const Revisions& revisions, const std::string& profile) {
  std::vector<std::string> told;
  for (const Revision& one : revisions.Of(profile)) {
    told.push_back(std::to_string(one.ordinal) + " " + one.leaf.subject + " " +
                   std::to_string(one.connections) + (one.active ? "*" : ""));
  }
  return told;
}

TEST(Revisions, AreOfOneProfile) {
  Revisions revisions;
  EXPECT_TRUE(revisions.Note("a", 1, Leaf("A1")));
  EXPECT_FALSE(revisions.Note("a", 1, Leaf("A1")));
  EXPECT_TRUE(revisions.Note("b", 1, Leaf("B1")));
  EXPECT_TRUE(revisions.Note("a", 2, Leaf("A2")));
  EXPECT_THAT(Told(revisions, "a"), ElementsAre("2 A2 0*", "1 A1 0"));
  EXPECT_THAT(Told(revisions, "b"), ElementsAre("1 B1 0*"));
  EXPECT_THAT(Told(revisions, "c"), IsEmpty());
}

TEST(Revisions, StayWhileTheyAreUsed) {
  Revisions revisions;
  revisions.Note("a", 1, Leaf("A1"));
  revisions.Note("a", 2, Leaf("A2"));
  revisions.Note("a", 3, Leaf("A3"));
  revisions.Count({{"a", 1, 5}, {"a", 3, 1}, {"b", 2, 9}});
  EXPECT_THAT(Told(revisions, "a"), ElementsAre("3 A3 1*", "1 A1 5"));
  revisions.Note("a", 4, Leaf("A4"));
  revisions.Count({{"a", 4, 0}});
  EXPECT_THAT(Told(revisions, "a"), ElementsAre("4 A4 0*"));
}

TEST(Revisions, AreForgottenWithTheirProfile) {
  Revisions revisions;
  revisions.Note("a", 1, Leaf("A1"));
  EXPECT_THAT(revisions.Names(), ElementsAre("a"));
  revisions.Forget("a");
  EXPECT_THAT(revisions.Names(), IsEmpty());
  revisions.Note("a", 2, Leaf("A2"));
  revisions.Count({{"a", 1, 5}});
  EXPECT_THAT(Told(revisions, "a"), ElementsAre("2 A2 0*"));
}

}  // namespace
}  // namespace trunkline::certs
