#include "control/api/doorway.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <vector>

#include "tests/unit/router/base/scarcity.h"

namespace trunkline::api {
namespace {

using testing::HasSubstr;

// A client's end of a connection.
class Client {
 public:
  explicit Client(uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  }
  ~Client() { ::close(fd_); }
  void Send(const char* text, size_t size) { EXPECT_EQ(::send(fd_, text, size, 0), (ssize_t)size); }
  // Waits until the other end has closed it, or so it is.
  void WaitForTheEndOr(const std::function<bool()>& done) {
    pollfd waited = {fd_, POLLIN, 0};
    while (!done() && ::poll(&waited, 1, 10) == 0) continue;
  }
  // Waits until the other end has closed it.
  bool IsClosed() {
    char byte;
    pollfd waited = {fd_, POLLIN, 0};
    return ::poll(&waited, 1, 60'000) == 1 && ::recv(fd_, &byte, 1, 0) <= 0;
  }

 private:
  int fd_;
};

class DoorwayTest : public testing::Test {
 protected:
  DoorwayTest() {
    auto doorway = Doorway::Open("127.0.0.1", 0);
    EXPECT_TRUE(doorway.ok()) << doorway.status();
    doorway_ = *std::move(doorway);
    doorway_->Start([this](int fd) {
      std::lock_guard lock(mutex_);
      entered_.push_back(fd);
      changed_.notify_all();
    });
  }
  ~DoorwayTest() override {
    doorway_ = nullptr;
    for (const int fd : entered_) ::close(fd);
  }
  bool WaitFor(size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(60),
                             [&] { return entered_.size() >= count; });
  }
  size_t entered() {
    std::lock_guard lock(mutex_);
    return entered_.size();
  }

  std::unique_ptr<Doorway> doorway_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<int> entered_;
};

TEST_F(DoorwayTest, AConnectionEntersWithItsFirstByte) {
  Client silent(doorway_->port());
  Client talking(doorway_->port());
  talking.Send("x", 1);
  ASSERT_TRUE(WaitFor(1));
  EXPECT_EQ(entered(), 1u);  // not the one that came before
  silent.Send("y", 1);
  ASSERT_TRUE(WaitFor(2));
  char byte;
  EXPECT_EQ(::recv(entered_[1], &byte, 1, 0), 1);  // nothing was taken from it
  EXPECT_EQ(byte, 'y');
}

TEST_F(DoorwayTest, OneThatGoesWithoutAByteDoesNotEnter) {
  { Client gone(doorway_->port()); }
  Client talking(doorway_->port());
  talking.Send("x", 1);
  ASSERT_TRUE(WaitFor(1));
  EXPECT_EQ(entered(), 1u);
}

TEST_F(DoorwayTest, OnlySoManyWait) {
  std::vector<std::unique_ptr<Client>> silent;
  for (size_t i = 0; i < Doorway::WaitingMax(); ++i) {
    silent.push_back(std::make_unique<Client>(doorway_->port()));
  }
  Client beyond(doorway_->port());
  EXPECT_TRUE(silent[0]->IsClosed());  // the oldest
  beyond.Send("x", 1);
  EXPECT_TRUE(WaitFor(1));
  silent[1]->Send("x", 1);
  EXPECT_TRUE(WaitFor(2));
}

TEST_F(DoorwayTest, OnlySoManyEnter) {
  std::vector<std::unique_ptr<Client>> clients;
  const size_t most = Doorway::ConnectionsMax();
  for (size_t i = 0; i < most; ++i) {
    clients.push_back(std::make_unique<Client>(doorway_->port()));
    clients.back()->Send("x", 1);
    ASSERT_TRUE(WaitFor(i + 1));
  }
  Client beyond(doorway_->port());
  beyond.Send("x", 1);
  EXPECT_TRUE(beyond.IsClosed());
  EXPECT_EQ(entered(), most);
  {
    std::lock_guard lock(mutex_);
    ::close(entered_[0]);
    entered_[0] = -1;
  }
  // Until it has counted anew.
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (entered() == most && std::chrono::steady_clock::now() < deadline) {
    Client again(doorway_->port());
    again.Send("x", 1);
    again.WaitForTheEndOr([&] { return entered() > most; });
  }
  EXPECT_EQ(entered(), most + 1);
}

TEST_F(DoorwayTest, OnlySoManyEnterAlsoWhenDescriptorsAreShort) {
  std::vector<std::unique_ptr<Client>> clients;
  const size_t most = Doorway::ConnectionsMax();
  for (size_t i = 0; i < most; ++i) {
    clients.push_back(std::make_unique<Client>(doorway_->port()));
    clients.back()->Send("x", 1);
    ASSERT_TRUE(WaitFor(i + 1));
  }
  const AllDescriptors taken(/*but=*/1);
  Client beyond(doorway_->port());
  beyond.Send("x", 1);
  EXPECT_TRUE(beyond.IsClosed());
  EXPECT_EQ(entered(), most);
}

TEST_F(DoorwayTest, ClosesWhatWaitsWhenItEnds) {
  Client waiting(doorway_->port());
  Client talking(doorway_->port());
  talking.Send("x", 1);
  ASSERT_TRUE(WaitFor(1));  // so the other one has been accepted
  doorway_ = nullptr;
  EXPECT_TRUE(waiting.IsClosed());
}

TEST_F(DoorwayTest, SaysWhyItCannotListen) {
  const auto taken = Doorway::Open("127.0.0.1", doorway_->port());
  EXPECT_EQ(taken.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(taken.status().message()), HasSubstr("Address already in use"));
  EXPECT_THAT(std::string(Doorway::Open("192.0.2.1", 0).status().message()),
              HasSubstr("cannot listen on 192.0.2.1:0: Cannot assign requested address"));
  EXPECT_THAT(std::string(Doorway::Open("no.such.host.invalid", 1).status().message()),
              HasSubstr("cannot listen on no.such.host.invalid:1"));
}

TEST_F(DoorwayTest, WithoutAHostItIsEverywhere) {
  const auto doorway = Doorway::Open("", 0);
  ASSERT_TRUE(doorway.ok()) << doorway.status();
  Client client((*doorway)->port());
}

}  // namespace
}  // namespace trunkline::api
