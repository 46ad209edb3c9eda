#include "control/store/state_format.h"

#include <gtest/gtest.h>

namespace trunkline::store {
namespace {

TEST(StateFormat, RefusesWhatHasNoFormInJson) {
  config::Document made;
  made.listeners["l"].mutable_spec()->mutable_idle_timeout()->set_nanos(1'500'000'000);
  EXPECT_EQ(EncodeState(made).status().code(), absl::StatusCode::kInternal);
}

}  // namespace
}  // namespace trunkline::store
