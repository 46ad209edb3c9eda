#include "router/net/machine.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <optional>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace trunkline::net {
namespace {

// Kernels say "no limit" in version 1 by a number close to the largest.
constexpr uint64_t kNoLimitMin = uint64_t{1} << 60;

int SchedulerProcessors() {
  // Machines may have more processors than the default set has room for.
  for (int size = CPU_SETSIZE; size <= 1 << 20; size *= 2) {
    cpu_set_t* set = CPU_ALLOC(static_cast<size_t>(size));
    const size_t bytes = CPU_ALLOC_SIZE(static_cast<size_t>(size));
    const bool fits = sched_getaffinity(0, bytes, set) == 0;
    const int count = fits ? CPU_COUNT_S(bytes, set) : 0;
    CPU_FREE(set);
    if (fits) return std::max(count, 1);
  }
  return 1;
}

uint64_t MachineMemory() {
  const long pages = sysconf(_SC_PHYS_PAGES);
  const long page = sysconf(_SC_PAGESIZE);
  return pages > 0 && page > 0 ? static_cast<uint64_t>(pages) * static_cast<uint64_t>(page) : 0;
}

// The words of a small file; none if it is not there.
std::vector<std::string> Words(const std::string& path) {
  std::ifstream file(path);
  std::vector<std::string> words;
  std::string word;
  while (words.size() < 8 && file >> word) words.push_back(word);
  return words;
}

template <typename Number>
std::optional<Number> NumberIn(const std::vector<std::string>& words, size_t index) {
  Number number;
  if (index >= words.size() || !absl::SimpleAtoi(words[index], &number)) return std::nullopt;
  return number;
}

// Where the limits of a group and of those around it are. A process in a container may not see the
// name that its group has outside: the top of what it sees is its own then, and always looked at.
std::vector<std::string> Folders(const std::string& top, const std::string& group) {
  std::vector<std::string> folders = {top};
  const std::vector<std::string> parts = absl::StrSplit(group, '/', absl::SkipEmpty());
  for (const std::string& part : parts) {
    folders.push_back(absl::StrCat(folders.back(), "/", part));
  }
  return folders;
}

template <typename Number>
void Lower(Number& limit, Number other) {
  if (limit == 0 || other < limit) limit = other;
}

void LowerQuota(Machine& machine, std::optional<int64_t> quota, std::optional<int64_t> period) {
  if (!quota || !period || *quota <= 0 || *period <= 0) return;
  Lower(machine.quota, static_cast<double>(*quota) / static_cast<double>(*period));
}

void LowerMemory(Machine& machine, std::optional<uint64_t> bytes) {
  if (bytes && *bytes > 0 && *bytes < kNoLimitMin) Lower(machine.group_bytes, *bytes);
}

// "max" is no number, and no limit.
void ReadVersion2(Machine& machine, const std::string& folder) {
  const std::vector<std::string> time = Words(folder + "/cpu.max");
  LowerQuota(machine, NumberIn<int64_t>(time, 0), NumberIn<int64_t>(time, 1));
  LowerMemory(machine, NumberIn<uint64_t>(Words(folder + "/memory.max"), 0));
}

void ReadProcessors1(Machine& machine, const std::string& folder) {
  LowerQuota(machine, NumberIn<int64_t>(Words(folder + "/cpu.cfs_quota_us"), 0),
             NumberIn<int64_t>(Words(folder + "/cpu.cfs_period_us"), 0));
}

void ReadMemory1(Machine& machine, const std::string& folder) {
  LowerMemory(machine, NumberIn<uint64_t>(Words(folder + "/memory.limit_in_bytes"), 0));
}

}  // namespace

Machine ReadMachine(const std::string& root) {
  Machine machine;
  machine.processors = SchedulerProcessors();
  machine.memory_bytes = MachineMemory();
  const std::string sys = root + "/sys/fs/cgroup";
  std::ifstream groups(root + "/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    // "4:memory:/group"; version 2: "0::/group".
    const std::vector<std::string> parts = absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (parts.size() < 3) continue;
    if (parts[1].empty()) {
      for (const std::string& folder : Folders(sys, parts[2])) ReadVersion2(machine, folder);
      continue;
    }
    const std::vector<std::string> controllers = absl::StrSplit(parts[1], ',');
    for (const std::string& controller : controllers) {
      const auto read = controller == "cpu" ? ReadProcessors1 : ReadMemory1;
      if (controller != "cpu" && controller != "memory") continue;
      // Mounted by its own name, or as all that share one mount.
      for (const std::string& mount : {controller, parts[1]}) {
        for (const std::string& folder : Folders(absl::StrCat(sys, "/", mount), parts[2])) {
          read(machine, folder);
        }
      }
    }
  }
  return machine;
}

WorkerCount WorkersFor(int wanted, const Machine& machine) {
  if (wanted > 0) return {wanted, "configured"};
  WorkerCount count{std::max(machine.processors, 1),
                    absl::StrCat(machine.processors, " processors")};
  const int quota = static_cast<int>(std::ceil(std::min(machine.quota, 1e6)));
  if (quota > 0 && quota < count.workers) {
    count = {quota, absl::StrCat("a quota of ", machine.quota, " processors")};
  }
  if (count.workers > kWorkersAutoMax) {
    count = {kWorkersAutoMax, absl::StrCat(count.reason, ", at most ", kWorkersAutoMax)};
  }
  return count;
}

uint64_t MemoryBudgetFor(uint64_t wanted, const Machine& machine) {
  if (wanted > 0) return wanted;
  uint64_t memory = machine.memory_bytes;
  if (machine.group_bytes > 0) Lower(memory, machine.group_bytes);
  return memory / 10 * 6;
}

}  // namespace trunkline::net
