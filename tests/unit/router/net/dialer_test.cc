#include "router/net/dialer.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <string>
#include <vector>

namespace trunkline::net {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

// Listens on the loopback; its queue takes one connection, and nobody accepts it.
class Door {
 public:
  Door() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address_;
    EXPECT_EQ(bind(fd_.get(), reinterpret_cast<sockaddr*>(&address_), size), 0);
    EXPECT_EQ(listen(fd_.get(), 0), 0);
    getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address_), &size);
  }

  HostPort place() const { return {"127.0.0.1", ntohs(address_.sin_port)}; }
  // Who knocks from here on is neither let in nor sent away.
  void Fill() {
    first_ = Descriptor(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(connect(first_.get(), reinterpret_cast<sockaddr*>(&address_), sizeof address_), 0);
  }

 private:
  Descriptor fd_;
  Descriptor first_;
  sockaddr_in address_{};
};

// What a dialer told.
struct Heard {
  std::vector<Descriptor> connected;
  std::vector<std::string> failed;

  Dialer::Hooks Hooks() {
    return {.connected =
                [this](Descriptor fd, std::shared_ptr<const ConnectionPlan>, std::string) {
                  connected.push_back(std::move(fd));
                  return connected.size();
                },
            .failed = [this](ConnectorFailed failure) { failed.push_back(failure.error); }};
  }
};

ConnectorSpec SpecFor(const Door& door) {
  ConnectorSpec spec;
  spec.name = "out";
  spec.host = door.place();
  return spec;
}

void LetPass(std::chrono::milliseconds time) {
  const auto until = std::chrono::steady_clock::now() + time;
  while (std::chrono::steady_clock::now() < until) {
  }
}

TEST(Dialer, GivesUpAPlaceThatDoesNotAnswer) {
  Door door;
  door.Fill();
  boost::asio::io_context io;
  Heard heard;
  ConnectorSpec spec = SpecFor(door);
  spec.connect_timeout = Milliseconds(20);
  const Dialer dialer(io, spec, heard.Hooks());
  while (heard.failed.empty()) io.run_one();
  EXPECT_EQ(heard.failed.front(), "connect timed out");
  EXPECT_THAT(heard.connected, IsEmpty());
}

TEST(Dialer, MayEndWhileItConnects) {
  Door door;
  door.Fill();
  boost::asio::io_context io;
  Heard heard;
  ConnectorSpec spec = SpecFor(door);
  spec.connect_timeout = Milliseconds(20);  // would be heard of, if the attempt went on
  auto dialer = std::make_unique<Dialer>(io, spec, heard.Hooks());
  io.poll();
  dialer.reset();
  io.run_for(std::chrono::seconds(10));
  EXPECT_TRUE(io.stopped()) << "something is still under way";
  EXPECT_THAT(heard.connected, IsEmpty());
  EXPECT_THAT(heard.failed, IsEmpty());
}

TEST(Dialer, MayEndWhileItLooksForAName) {
  boost::asio::io_context io;
  Heard heard;
  ConnectorSpec spec;
  spec.host = {"localhost", 1};
  std::make_unique<Dialer>(io, spec, heard.Hooks()).reset();
  io.run();
  EXPECT_THAT(heard.failed, IsEmpty());
}

TEST(Dialer, HasNoTimeOutOnceConnected) {
  Door door;
  boost::asio::io_context io;
  Heard heard;
  ConnectorSpec spec = SpecFor(door);
  spec.connect_timeout = Milliseconds(5);
  const Dialer dialer(io, spec, heard.Hooks());
  // The connection is there, and the time is up: both are found at once.
  LetPass(std::chrono::milliseconds(20));
  io.poll();
  EXPECT_THAT(heard.connected, SizeIs(1));
  EXPECT_THAT(heard.failed, IsEmpty());
  EXPECT_EQ(dialer.connection(), 1u);
}

}  // namespace
}  // namespace trunkline::net
