#include "control/metrics/process.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <system_error>
#include <vector>

namespace trunkline::metrics {
namespace {

constexpr char kDescriptors[] = "/proc/self/fd";

// The fields of /proc/self/stat behind the name of the program, which may hold anything: the first
// is the state, field 3 of proc(5).
std::vector<std::string> StatFields() {
  std::ifstream file("/proc/self/stat");
  std::string line;
  std::getline(file, line);
  const size_t name_end = line.rfind(')');
  if (name_end == std::string::npos) return {};
  std::istringstream fields(line.substr(name_end + 1));
  return {std::istream_iterator<std::string>(fields), {}};
}

// Field `number` as proc(5) counts.
uint64_t Field(const std::vector<std::string>& fields, size_t number) {
  constexpr size_t kFirst = 3;
  if (number - kFirst >= fields.size()) return 0;
  uint64_t value = 0;
  std::istringstream(fields[number - kFirst]) >> value;
  return value;
}

double TicksPerSecond() {
  const long ticks = ::sysconf(_SC_CLK_TCK);
  return ticks > 0 ? static_cast<double>(ticks) : 100;
}

double SecondsOf(clockid_t clock) {
  timespec time{};
  ::clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

// Since Linux 6.2 the size of the folder is how many there are; before it has to be read.
uint64_t CountDescriptors() {
  struct stat info {};
  if (::stat(kDescriptors, &info) == 0 && info.st_size > 0) {
    return static_cast<uint64_t>(info.st_size);
  }
  std::error_code error;
  uint64_t count = 0;
  for (std::filesystem::directory_iterator it(kDescriptors, error), end; !error && it != end;
       it.increment(error)) {
    ++count;
  }
  return count;
}

}  // namespace

ProcessStats ReadProcess() {
  constexpr size_t kUserTime = 14;
  constexpr size_t kSystemTime = 15;
  constexpr size_t kVirtual = 23;
  constexpr size_t kResidentPages = 24;
  const std::vector<std::string> fields = StatFields();
  ProcessStats stats;
  const uint64_t ticks = Field(fields, kUserTime) + Field(fields, kSystemTime);
  stats.cpu_seconds = static_cast<double>(ticks) / TicksPerSecond();
  stats.virtual_bytes = Field(fields, kVirtual);
  stats.resident_bytes =
      Field(fields, kResidentPages) * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  stats.open_fds = CountDescriptors();
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) stats.max_fds = limit.rlim_cur;
  return stats;
}

double ProcessStart() {
  constexpr size_t kStart = 22;  // in ticks since the machine began
  // Not from /proc/stat, which a service may not be allowed to see.
  const double machine = SecondsOf(CLOCK_REALTIME) - SecondsOf(CLOCK_BOOTTIME);
  return machine + static_cast<double>(Field(StatFields(), kStart)) / TicksPerSecond();
}

}  // namespace trunkline::metrics
