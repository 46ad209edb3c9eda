#pragma once

#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <vector>

namespace trunkline {

// While it lives the process gets no more threads: their stacks would be larger than all memory.
class NoThreads {
 public:
  NoThreads() {
    EXPECT_EQ(pthread_getattr_default_np(&before_), 0);
    pthread_attr_t none = before_;
    EXPECT_EQ(pthread_attr_setstacksize(&none, size_t{1} << 47), 0);
    EXPECT_EQ(pthread_setattr_default_np(&none), 0);
  }
  ~NoThreads() { EXPECT_EQ(pthread_setattr_default_np(&before_), 0); }

 private:
  pthread_attr_t before_;
};

// While it lives the process has all descriptors that it may have, `but` so many.
class AllDescriptors {
 public:
  explicit AllDescriptors(size_t but) {
    EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &before_), 0);
    rlimit few = before_;
    few.rlim_cur = std::min<rlim_t>(few.rlim_cur, 4096);  // it may be a thousand million
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
    for (int fd = ::dup(STDERR_FILENO); fd >= 0; fd = ::dup(STDERR_FILENO)) taken_.push_back(fd);
    for (size_t i = 0; i < but; ++i) {
      ::close(taken_.back());
      taken_.pop_back();
    }
  }
  ~AllDescriptors() {
    for (const int fd : taken_) ::close(fd);
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &before_), 0);
  }

 private:
  rlimit before_{};
  std::vector<int> taken_;
};

}  // namespace trunkline
