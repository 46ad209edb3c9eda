#include "control/config/rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/trunkline/control/v1/listener.pb.h"

namespace trunkline::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Whole seconds do not hide among the nanoseconds, which JSON has no form for.
TEST(Rules, RefuseDurationsThatAreNone) {
  const auto timeout = [](int64_t seconds, int32_t nanos) {
    control::v1::ListenerSpec spec;
    spec.mutable_idle_timeout()->set_seconds(seconds);
    spec.mutable_idle_timeout()->set_nanos(nanos);
    std::vector<Problem> problems;
    CheckRules(spec, "l", problems);
    std::vector<std::string> texts;
    for (const Problem& each : problems) texts.push_back(each.path + ": " + each.text);
    return texts;
  };
  EXPECT_THAT(timeout(10, 999'999'999), IsEmpty());
  for (const int32_t nanos : {1'000'000'000, 1'500'000'000, -5, -1'500'000'000}) {
    EXPECT_THAT(timeout(10, nanos), ElementsAre("l.idle_timeout: " + std::to_string(nanos) +
                                                " nanoseconds are not in 0..999999999"));
  }
  EXPECT_THAT(timeout(-1, -5), SizeIs(1));
  EXPECT_THAT(timeout(-1, 5), ElementsAre(HasSubstr("l.idle_timeout: -1s is not in ")));
}

}  // namespace
}  // namespace trunkline::config
