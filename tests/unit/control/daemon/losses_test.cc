#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "control/daemon/control_loop.h"
#include "control/daemon/daemon.h"
#include "control/daemon/notify.h"
#include "control/daemon/trace_api.h"
#include "tests/unit/router/net/socket_client.h"

// So much happens while control stands still that events are lost: a real router, whose queue of
// events is short, and clients that come and go.
namespace trunkline::daemon {
namespace {

using net::test::RunUntil;
using net::test::SocketClient;

constexpr size_t kEventsMax = 4;

// Clients that are open, one after the other.
std::vector<std::unique_ptr<SocketClient>> Crowd(const std::string& address, size_t count) {
  std::vector<std::unique_ptr<SocketClient>> crowd;
  for (size_t i = 0; i < count; ++i) {
    SocketClient& client = *crowd.emplace_back(std::make_unique<SocketClient>(address));
    EXPECT_TRUE(RunUntil({&client}, [&] { return client->opened(); }));
  }
  return crowd;
}

std::unique_ptr<store::Store> MakeStore(const std::string& file, Random& random) {
  auto store = store::Store::Open(
      {.file = file}, {.post = [](auto) {}, .now = [] { return int64_t{0}; }, .random = random});
  EXPECT_TRUE(store.ok()) << store.status();
  return *std::move(store);
}

// --- a frame trace

template <typename Event>
std::vector<Event> Among(const std::vector<RouterEvent>& events) {
  std::vector<Event> found;
  for (const RouterEvent& event : events) {
    if (const auto* one = std::get_if<Event>(&event)) found.push_back(*one);
  }
  return found;
}

TEST(Losses, AFrameTraceEndsWithItsConnectionThoughThatWasNotTold) {
  const auto router = *Router::Start(
      {.id = "router", .workers = 1, .version = "1"}, [] {}, kEventsMax);
  ASSERT_TRUE(router->Apply(ListenerSpec{.name = "in", .host = "127.0.0.1", .port = 0}).ok());
  const std::string address = Among<ListenerUp>(router->TakeEvents()).at(0).addresses.at(0);
  Random random(1);
  api::LogFeed logs([] {});
  const auto store = MakeStore("", random);
  TraceApi traces(
      random, [] { return Time{1}; }, logs);
  const api::Handlers handlers = traces.MakeHandlers(*router, *store);

  auto watched = std::make_unique<SocketClient>(address);
  std::vector<ConnectionUp> up;
  ASSERT_TRUE(RunUntil({watched.get()}, [&] {
    up = Among<ConnectionUp>(router->TakeEvents());
    return !up.empty();
  }));
  v1::TraceFramesRequest request;
  request.set_connection("connections/" + std::to_string(up[0].id));
  const api::MethodTable methods;
  absl::Status end = absl::UnknownError("under way");
  const auto call = std::make_shared<api::Call>(
      *methods.Find("/trunkline.control.v1.TraceService/TraceFrames"),
      std::make_unique<v1::TraceFramesRequest>(request), api::Caller{"me"},
      api::Call::Exits{.write = [](const auto&) {},
                       .finish = [&](const absl::Status& status) { end = status; }});
  handlers.at("TraceService/TraceFrames")(call);
  ASSERT_FALSE(call->ended());

  const auto crowd = Crowd(address, kEventsMax + 4);
  watched->HangUp();
  ASSERT_TRUE(RunUntil({}, [&] { return router->Counters().connections_now == crowd.size(); }));
  ASSERT_TRUE(RunUntil({}, [&] { return !router->IsThere(up[0].id); }));
  const std::vector<RouterEvent> events = router->TakeEvents();
  ASSERT_EQ(Among<EventsLost>(events).size(), 1u);
  ASSERT_TRUE(Among<ConnectionDown>(events).empty());
  for (const RouterEvent& event : events) traces.OnEvent(event);
  while (!call->ended() && !call->writable()) call->Written();
  EXPECT_TRUE(call->ended());
  EXPECT_TRUE(end.ok()) << end;
}

// --- the status

// Nobody listens there.
std::string FreePort() {
  const net::Descriptor fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  EXPECT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  return std::to_string(ntohs(address.sin_port));
}

// The service manager, whom the daemon tells its status.
class Manager {
 public:
  Manager() {
    fd_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    name_.copy(address.sun_path, name_.size());
    address.sun_path[0] = '\0';
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name_.size());
    EXPECT_EQ(::bind(fd_, reinterpret_cast<sockaddr*>(&address), size), 0);
  }
  ~Manager() { ::close(fd_); }
  const std::string& name() const { return name_; }

  // What it was told last, when that is `wanted` or there is no hope left.
  std::string WaitFor(const std::string& wanted) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    std::string told;
    while (told != wanted && std::chrono::steady_clock::now() < end) {
      pollfd ready{.fd = fd_, .events = POLLIN, .revents = 0};
      if (::poll(&ready, 1, 100) != 1) continue;
      char text[256];
      const ssize_t n = ::recv(fd_, text, sizeof(text), 0);
      told.assign(text, n < 0 ? 0 : static_cast<size_t>(n));
    }
    return told;
  }

 private:
  const std::string name_ = "@trunkline-losses-" + std::to_string(::getpid());
  int fd_;
};

TEST(Losses, TheStatusIsRightWhenControlGoesOn) {
  ASSERT_TRUE(ControlLoop::BlockSignals().ok());
  std::string folder = ::testing::TempDir() + "lossesXXXXXX";
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  const std::string file = folder + "/trunkline.yaml";
  const std::string port = FreePort();
  std::ofstream(file) << "router: {workers: 1, watch_config: false, drain_timeout: 0s}\n"
                         "control: {socket: none}\n"
                         "listeners: [{name: in, host: 127.0.0.1, port: "
                      << port << "}]\n";
  Random random(1);
  const auto loop = ControlLoop::Open().value();
  Manager manager;
  Notifier notifier(manager.name());
  api::LogFeed logs([] {});
  Daemon daemon({.loop = *loop,
                 .notifier = notifier,
                 .version = "1",
                 .runtime_directory = "",
                 .set_levels = [](const v1::LogSpec&) {},
                 .open_log = [](const v1::LogSpec&) { return absl::OkStatus(); },
                 .log_counts = [] { return metrics::LogCounts(); },
                 .logs = logs,
                 .seed = 1,
                 .events_max = kEventsMax},
                file, MakeStore(file, random));
  const absl::Status started = daemon.Start();
  ASSERT_TRUE(started.ok()) << started;

  // Nobody takes events yet: after these, whatever happens is lost.
  auto crowd = Crowd("127.0.0.1:" + port, kEventsMax + 8);
  crowd.resize(kEventsMax + 3);
  std::string told;
  std::thread end([&] {
    told = manager.WaitFor("STATUS=1 listener, 7 connections");
    ::kill(::getpid(), SIGTERM);
    ::kill(::getpid(), SIGINT);
  });
  daemon.Serve();
  end.join();
  EXPECT_EQ(told, "STATUS=1 listener, 7 connections");
  ::unlink(file.c_str());
  ::rmdir(folder.c_str());
}

}  // namespace
}  // namespace trunkline::daemon
