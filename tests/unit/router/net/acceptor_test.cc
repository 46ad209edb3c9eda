#include "router/net/acceptor.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <optional>
#include <utility>
#include <vector>

namespace trunkline::net {
namespace {

using ::testing::SizeIs;

// While it lives the process gets no descriptor beyond those it has.
class NoDescriptors {
 public:
  NoDescriptors() {
    EXPECT_EQ(getrlimit(RLIMIT_NOFILE, &before_), 0);
    rlimit limit = before_;
    // The lowest number that is free: there is no gap below it.
    limit.rlim_cur = static_cast<rlim_t>(Descriptor(open("/dev/null", O_RDONLY)).get());
    EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    EXPECT_LT(open("/dev/null", O_RDONLY), 0);
  }
  ~NoDescriptors() { EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &before_), 0); }

 private:
  rlimit before_{};
};

class AcceptorTest : public ::testing::Test {
 protected:
  AcceptorTest() {
    ListenAddress where;
    auto& v4 = reinterpret_cast<sockaddr_in&>(where.address);
    v4.sin_family = AF_INET;
    v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto bound = Listen({where}, "loopback");
    EXPECT_TRUE(bound.ok()) << bound.status();
    bound_ = *std::move(bound);
    socklen_t size = sizeof address_;
    getsockname(bound_[0].fd.get(), reinterpret_cast<sockaddr*>(&address_), &size);
  }

  void Start() {
    acceptor_.emplace(io_, std::move(bound_),
                      Acceptor::Hooks{.accepted =
                                          [this](Descriptor fd, const sockaddr_storage&) {
                                            accepted_.push_back(std::move(fd));
                                          },
                                      .refused = [this] { ++refused_; }});
  }
  // A client's socket; made before it knocks, as there may be no descriptors then.
  static Descriptor Client() { return Descriptor(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)); }
  void Knock(const Descriptor& client) {
    EXPECT_EQ(connect(client.get(), reinterpret_cast<sockaddr*>(&address_), sizeof address_), 0);
    io_.poll();
  }
  static bool IsClosed(const Descriptor& client) {
    char byte;
    return recv(client.get(), &byte, 1, MSG_DONTWAIT) == 0;
  }

  boost::asio::io_context io_;
  boost::asio::steady_timer timer_{io_};  // the loop has what descriptors it needs
  std::vector<Bound> bound_;
  sockaddr_in address_{};
  std::optional<Acceptor> acceptor_;
  std::vector<Descriptor> accepted_;
  int refused_ = 0;
};

TEST_F(AcceptorTest, SendsThoseAwayForWhomThereIsNoDescriptor) {
  Start();
  const Descriptor first = Client();
  const Descriptor second = Client();
  {
    const NoDescriptors none;
    Knock(first);
    Knock(second);
    EXPECT_EQ(refused_, 2);
    EXPECT_TRUE(IsClosed(first));
    EXPECT_TRUE(IsClosed(second));
  }
  const Descriptor third = Client();
  Knock(third);
  EXPECT_THAT(accepted_, SizeIs(1));
  EXPECT_FALSE(IsClosed(third));
}

TEST_F(AcceptorTest, TakesAReserveLaterIfThereWasNone) {
  {
    const NoDescriptors none;
    Start();
  }
  Knock(Client());
  EXPECT_THAT(accepted_, SizeIs(1));
  const Descriptor second = Client();
  const NoDescriptors none;
  Knock(second);
  EXPECT_EQ(refused_, 1);
  EXPECT_TRUE(IsClosed(second));
}

// A socket with a full queue is not served to its end before another has its turn.
TEST_F(AcceptorTest, ServesAllSocketsInTurn) {
  constexpr int kFlood = 300;
  ListenAddress where;
  auto& v4 = reinterpret_cast<sockaddr_in&>(where.address);
  v4.sin_family = AF_INET;
  v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto other = Listen({where}, "loopback");
  ASSERT_TRUE(other.ok()) << other.status();
  sockaddr_in quiet{};
  socklen_t size = sizeof quiet;
  getsockname((*other)[0].fd.get(), reinterpret_cast<sockaddr*>(&quiet), &size);
  std::vector<Descriptor> clients;
  for (int i = 0; i < kFlood; ++i) Knock(clients.emplace_back(Client()));
  const Descriptor patient = Client();
  ASSERT_EQ(connect(patient.get(), reinterpret_cast<sockaddr*>(&quiet), sizeof quiet), 0);
  Start();
  size_t before = kFlood;
  const Acceptor second(
      io_, *std::move(other),
      {.accepted = [&](Descriptor, const sockaddr_storage&) { before = accepted_.size(); },
       .refused = [] {}});
  io_.restart();
  io_.poll();
  EXPECT_LE(before, 128u);
  EXPECT_THAT(accepted_, SizeIs(kFlood));
}

}  // namespace
}  // namespace trunkline::net
