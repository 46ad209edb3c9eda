#include "control/api/cutoff.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

namespace trunkline::api {
namespace {

Descriptors OwnDescriptors() {
  auto descriptors = Descriptors::Open();
  EXPECT_TRUE(descriptors.ok()) << descriptors.status();
  return *std::move(descriptors);
}

constexpr int kForever = -1;
constexpr int kLongMilliseconds = 3'600'000;

// A listener with one connection.
class Pair {
 public:
  Pair(const sockaddr* address, socklen_t size)
      : listener_(::socket(address->sa_family, SOCK_STREAM, 0)),
        peer_(::socket(address->sa_family, SOCK_STREAM, 0)) {
    EXPECT_EQ(::bind(listener_, address, size), 0);
    EXPECT_EQ(::listen(listener_, 1), 0);
    sockaddr_storage bound{};
    socklen_t bound_size = sizeof(bound);
    EXPECT_EQ(::getsockname(listener_, reinterpret_cast<sockaddr*>(&bound), &bound_size), 0);
    EXPECT_EQ(::connect(peer_, reinterpret_cast<sockaddr*>(&bound), bound_size), 0);
    accepted_ = ::accept(listener_, nullptr, nullptr);
    EXPECT_GE(accepted_, 0);
  }
  ~Pair() {
    for (const int fd : {listener_, peer_, accepted_}) ::close(fd);
  }
  int listener() const { return listener_; }
  bool IsCut(int wait_milliseconds) const {
    pollfd end{.fd = peer_, .events = POLLRDHUP, .revents = 0};
    return ::poll(&end, 1, wait_milliseconds) == 1;
  }

 private:
  int listener_;
  int peer_;
  int accepted_ = -1;
};

sockaddr_in Loopback() {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

TEST(Cutoff, CutsWhatCameByTheListenerAndNothingElse) {
  const Descriptors descriptors = OwnDescriptors();
  std::string folder = ::testing::TempDir() + "cutXXXXXX";
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  sockaddr_un local{};
  local.sun_family = AF_UNIX;
  (folder + "/s").copy(local.sun_path, sizeof(local.sun_path) - 1);
  const sockaddr_in loopback = Loopback();
  {
    const Pair tcp(reinterpret_cast<const sockaddr*>(&loopback), sizeof(loopback));
    const Pair other(reinterpret_cast<const sockaddr*>(&loopback), sizeof(loopback));
    const Pair socket(reinterpret_cast<const sockaddr*>(&local), sizeof(local));
    {
      const Cutoff cutoff(descriptors, tcp.listener(), 0);
      EXPECT_TRUE(tcp.IsCut(kForever));
    }
    EXPECT_FALSE(other.IsCut(0));
    EXPECT_FALSE(socket.IsCut(0));
    {
      const Cutoff cutoff(descriptors, socket.listener(), 0);
      EXPECT_TRUE(socket.IsCut(kForever));
    }
    EXPECT_FALSE(other.IsCut(0));
  }
  ::unlink(local.sun_path);
  ::rmdir(folder.c_str());
}

TEST(Cutoff, CutsNothingBeforeItsTime) {
  const Descriptors descriptors = OwnDescriptors();
  const sockaddr_in loopback = Loopback();
  const Pair pair(reinterpret_cast<const sockaddr*>(&loopback), sizeof(loopback));
  { const Cutoff cutoff(descriptors, pair.listener(), kLongMilliseconds); }
  EXPECT_FALSE(pair.IsCut(0));
}

}  // namespace
}  // namespace trunkline::api
