// Random runs of the router in simulation, by seed.
//
//   trunkline_sim --seeds 1..300 --shards 1,2,8
//   trunkline_sim --seed 17 --shards 2 --trace
//
// Prints what was violated and the command that replays it; the exit status is 1 if any run failed.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/sim/run.h"

namespace trunkline::sim {
namespace {

constexpr int kFailuresShown = 10;

struct Flags {
  uint64_t first = 1;
  uint64_t last = 300;
  std::vector<size_t> shards = {1, 2, 8};
  bool trace = false;
};

[[noreturn]] void Usage() {
  std::fprintf(stderr,
               "usage: trunkline_sim [--seeds A..B | --seed N] [--shards K,...] [--trace]\n");
  std::exit(2);
}

uint64_t Number(std::string_view text) {
  uint64_t value = 0;
  if (!absl::SimpleAtoi(std::string(text), &value)) Usage();
  return value;
}

Flags Parse(int argc, char** argv) {
  Flags flags;
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "--trace") {
      flags.trace = true;
      continue;
    }
    if (++i == argc) Usage();
    const std::string value = argv[i];
    if (name == "--seed") {
      flags.first = flags.last = Number(value);
    } else if (name == "--seeds") {
      const std::vector<std::string> ends = absl::StrSplit(value, "..");
      if (ends.size() != 2) Usage();
      flags.first = Number(ends[0]);
      flags.last = Number(ends[1]);
    } else if (name == "--shards") {
      flags.shards.clear();
      for (const auto k : absl::StrSplit(value, ','))
        flags.shards.push_back(Number(std::string(k)));
    } else {
      Usage();
    }
  }
  return flags;
}

int Main(int argc, char** argv) {
  const Flags flags = Parse(argc, argv);
  int failures = 0;
  for (const size_t shards : flags.shards) {
    const auto began = std::chrono::steady_clock::now();
    uint64_t messages = 0;
    uint64_t crossed = 0;
    for (uint64_t seed = flags.first; seed <= flags.last; ++seed) {
      const RunResult result = Run({.seed = seed, .shards = shards, .trace = flags.trace});
      messages += result.messages;
      crossed += result.crossed;
      if (result.violations.empty()) continue;
      if (++failures > kFailuresShown) continue;
      std::printf("FAILED seed %llu, %zu shards\n", static_cast<unsigned long long>(seed), shards);
      for (const std::string& text : result.violations) std::printf("  %s\n", text.c_str());
      std::printf("  replay: trunkline_sim --seed %llu --shards %zu --trace\n",
                  static_cast<unsigned long long>(seed), shards);
      std::fflush(stdout);
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    std::printf("%zu shards: %llu runs, %llu messages, %llu mails between shards, %.1f s\n", shards,
                static_cast<unsigned long long>(flags.last - flags.first + 1),
                static_cast<unsigned long long>(messages), static_cast<unsigned long long>(crossed),
                took.count());
    std::fflush(stdout);
  }
  if (failures > 0) std::printf("%d runs failed\n", failures);
  return failures > 0 ? 1 : 0;
}

}  // namespace
}  // namespace trunkline::sim

int main(int argc, char** argv) { return trunkline::sim::Main(argc, argv); }
