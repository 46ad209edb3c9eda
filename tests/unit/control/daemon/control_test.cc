#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <thread>

#include "control/daemon/control_loop.h"
#include "control/daemon/notify.h"
#include "control/daemon/shutdown.h"
#include "control/daemon/status_board.h"

namespace trunkline::daemon {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Step = Shutdown::Step;

constexpr Time kStart{1'000'000'000};

TEST(Shutdown, DrainsThenStops) {
  Shutdown shutdown;
  EXPECT_EQ(shutdown.deadline(), kNever);
  EXPECT_EQ(shutdown.OnDrained(), Step::kNone);
  EXPECT_EQ(shutdown.OnSignal(kStart, Seconds(30)), Step::kDrain);
  EXPECT_TRUE(shutdown.draining());
  EXPECT_EQ(shutdown.OnDrained(), Step::kStop);
}

TEST(Shutdown, StopsAtTheSecondSignal) {
  Shutdown shutdown;
  EXPECT_EQ(shutdown.OnSignal(kStart, Seconds(30)), Step::kDrain);
  EXPECT_EQ(shutdown.OnSignal(kStart, Seconds(30)), Step::kStop);
}

TEST(Shutdown, StopsADrainThatDoesNotEnd) {
  Shutdown shutdown;
  EXPECT_EQ(shutdown.OnTime(kStart + Seconds(1'000'000)), Step::kNone);
  shutdown.OnSignal(kStart, Seconds(30));
  EXPECT_GT(shutdown.deadline(), kStart + Seconds(30));
  EXPECT_EQ(shutdown.OnTime(shutdown.deadline() - Milliseconds(1)), Step::kNone);
  EXPECT_EQ(shutdown.OnTime(shutdown.deadline()), Step::kStop);
}

class Loop : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { ASSERT_TRUE(ControlLoop::BlockSignals().ok()); }
  void SetUp() override { loop_ = ControlLoop::Open().value(); }
  std::unique_ptr<ControlLoop> loop_;
};

TEST_F(Loop, EndsAtItsDeadlineAndNotBefore) {
  const Time deadline = loop_->Now() + Milliseconds(3);
  const ControlLoop::Turn turn = loop_->Wait(deadline);
  EXPECT_GE(turn.now, deadline);
  EXPECT_FALSE(turn.woken);
  EXPECT_THAT(turn.signals, IsEmpty());
}

TEST_F(Loop, DoesNotWaitForTheFirstDeadlinePast) {
  EXPECT_FALSE(loop_->Wait(loop_->Now()).woken);
  EXPECT_FALSE(loop_->Wait(Time{0}).woken);
}

TEST_F(Loop, RemembersAWakeUpOnce) {
  loop_->Wake();
  loop_->Wake();
  EXPECT_TRUE(loop_->Wait(kNever).woken);
  EXPECT_FALSE(loop_->Wait(loop_->Now()).woken);
}

TEST_F(Loop, IsWokenByAnotherThread) {
  std::thread other([&] { loop_->Wake(); });
  EXPECT_TRUE(loop_->Wait(kNever).woken);
  other.join();
}

TEST_F(Loop, TellsSignals) {
  ::kill(::getpid(), SIGHUP);
  EXPECT_THAT(loop_->Wait(kNever).signals, ElementsAre(SIGHUP));
  ::kill(::getpid(), SIGTERM);
  EXPECT_THAT(loop_->Wait(kNever).signals, ElementsAre(SIGTERM));
}

// The service manager's end of a notify socket.
class Manager {
 public:
  explicit Manager(const std::string& name) {
    fd_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    name.copy(address.sun_path, name.size());
    if (name.front() == '@') address.sun_path[0] = '\0';
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    EXPECT_EQ(::bind(fd_, reinterpret_cast<sockaddr*>(&address), size), 0);
  }
  ~Manager() { ::close(fd_); }
  std::string Receive() {
    char text[256];
    const ssize_t n = ::recv(fd_, text, sizeof(text), 0);
    return n < 0 ? "" : std::string(text, static_cast<size_t>(n));
  }

 private:
  int fd_;
};

TEST(Notifier, TellsTheManager) {
  std::string folder = ::testing::TempDir() + "notifyXXXXXX";
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  const std::string abstract = "@trunkline-test-" + std::to_string(::getpid());
  for (const std::string& name : {folder + "/s", abstract}) {
    Manager manager(name);
    Notifier notifier(name);
    EXPECT_TRUE(notifier.enabled());
    notifier.Send("READY=1");
    EXPECT_EQ(manager.Receive(), "READY=1") << name;
  }
  ::unlink((folder + "/s").c_str());
  ::rmdir(folder.c_str());
}

TEST(Notifier, IsSilentWithoutAManager) {
  const std::string long_name = "/" + std::string(200, 'x');
  for (const std::string& name : {std::string(), std::string("relative"), long_name}) {
    Notifier notifier(name);
    EXPECT_FALSE(notifier.enabled());
    notifier.Send("READY=1");
  }
  Notifier gone("/nowhere/at/all");
  gone.Send("READY=1");
}

TEST(StatusBoard, FollowsAListener) {
  StatusBoard board;
  board.Apply(ListenerUp{"a", {"127.0.0.1:5672"}}, 0);
  EXPECT_EQ(board.listeners().at("a").bound_addresses(0), "127.0.0.1:5672");
  board.Apply(ConnectionUp{.id = 1, .owner = "a", .inbound = true}, 0);
  board.Apply(ConnectionUp{.id = 2, .owner = "a", .inbound = true}, 0);
  board.Apply(ConnectionDown{.id = 1, .owner = "a", .inbound = true, .was_open = true}, 0);
  board.Apply(ConnectionDown{.id = 3, .owner = "a", .inbound = true, .was_open = false}, 0);
  EXPECT_EQ(board.listeners().at("a").accepted_total(), 2u);
  EXPECT_EQ(board.listeners().at("a").active_connections(), 1u);
  EXPECT_EQ(board.Summary(), "1 listener, 1 connection");
  board.Apply(ListenerDown{"a"}, 0);
  EXPECT_EQ(board.listeners().at("a").state(), v1::ListenerStatus::STATE_DRAINING);
  board.Apply(ConnectionDown{.id = 2, .owner = "a", .inbound = true, .was_open = true}, 0);
  EXPECT_THAT(board.listeners(), IsEmpty());
  EXPECT_EQ(board.Summary(), "0 listeners, 0 connections");
}

TEST(StatusBoard, FollowsAListenerThatFails) {
  StatusBoard board;
  board.Apply(ListenerFailed{"a", "in use"}, 0);
  EXPECT_EQ(board.listeners().at("a").state(), v1::ListenerStatus::STATE_FAILED);
  EXPECT_EQ(board.listeners().at("a").last_error().message(), "in use");
  board.Apply(ListenerUp{"a", {"127.0.0.1:1"}}, 0);
  EXPECT_FALSE(board.listeners().at("a").has_last_error());
}

TEST(StatusBoard, FollowsAConnector) {
  StatusBoard board;
  board.Expect("c");
  EXPECT_EQ(board.connectors().at("c").state(), v1::ConnectorStatus::STATE_CONNECTING);
  board.Apply(ConnectorFailed{"c", "h:1", "refused", 5000}, 1'000'500);
  const v1::ConnectorStatus& status = board.connectors().at("c");
  EXPECT_EQ(status.state(), v1::ConnectorStatus::STATE_BACKOFF);
  EXPECT_EQ(status.attempts(), 1u);
  EXPECT_EQ(status.next_attempt_time().seconds(), 1005);
  EXPECT_EQ(status.next_attempt_time().nanos(), 500'000'000);
  EXPECT_EQ(status.last_error().message(), "refused");
  EXPECT_EQ(board.Summary(), "0 listeners, 0 of 1 connector open, 0 connections");
  board.Apply(ConnectionUp{.id = 7, .owner = "c", .inbound = false, .container_id = "b"}, 0);
  EXPECT_EQ(status.state(), v1::ConnectorStatus::STATE_OPEN);
  EXPECT_EQ(status.connection(), "connections/7");
  EXPECT_EQ(status.attempts(), 0u);
  board.Apply(
      ConnectionDown{.id = 7, .owner = "c", .inbound = false, .was_open = true, .error = "reset"},
      0);
  EXPECT_EQ(status.state(), v1::ConnectorStatus::STATE_CONNECTING);
  EXPECT_EQ(status.last_error().message(), "reset");
}

TEST(StatusBoard, AConnectionThatEndsLateIsNotTheNextOne) {
  StatusBoard board;
  board.Expect("c");
  board.Apply(ConnectionUp{.id = 7, .owner = "c", .inbound = false}, 0);
  // Taken away, and made anew.
  board.Forget("c");
  board.Expect("c");
  board.Apply(ConnectionUp{.id = 8, .owner = "c", .inbound = false}, 0);
  board.Apply(ConnectionDown{.id = 7, .owner = "c", .inbound = false, .was_open = true}, 0);
  EXPECT_EQ(board.connectors().at("c").state(), v1::ConnectorStatus::STATE_OPEN);
  EXPECT_EQ(board.connectors().at("c").connection(), "connections/8");
}

TEST(StatusBoard, TellsWhatPeersSayAsUtf8) {
  StatusBoard board;
  board.Expect("c");
  board.Apply(ListenerFailed{"a", "no \xff"}, 0);
  EXPECT_EQ(board.listeners().at("a").last_error().message(), "no \uFFFD");
  board.Apply(ConnectionUp{.id = 7, .owner = "c", .inbound = false, .container_id = "b\xff"}, 0);
  const v1::ConnectorStatus& status = board.connectors().at("c");
  EXPECT_EQ(status.remote_container(), "b\uFFFD");
  board.Apply(
      ConnectionDown{.id = 7, .owner = "c", .inbound = false, .was_open = true, .error = "\xff"},
      0);
  EXPECT_EQ(status.last_error().message(), "\uFFFD");
  board.Apply(ConnectorFailed{"c", "h:1", "\xc3", 5000}, 0);
  EXPECT_EQ(status.last_error().message(), "\uFFFD");
}

// --- events that are lost

ConnectionState Open(uint64_t id, const std::string& owner, bool inbound) {
  return {.id = id, .owner = owner, .inbound = inbound, .container_id = "there", .opened = kStart};
}

Observed Answer(uint64_t request, std::vector<ConnectionState> connections) {
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->connections = std::move(connections);
  return {request, std::move(snapshot)};
}

TEST(StatusBoard, IsRightAgainAfterEventsWereLost) {
  StatusBoard board;
  for (const char* name : {"open", "closed", "other"}) board.Expect(name);
  board.Apply(ListenerUp{"a", {}}, 0);
  board.Apply(ListenerUp{"b", {}}, 0);
  board.Apply(ConnectionUp{.id = 1, .owner = "a", .inbound = true}, 0);
  board.Apply(ConnectionUp{.id = 2, .owner = "closed", .inbound = false}, 0);
  board.Apply(ConnectionUp{.id = 3, .owner = "other", .inbound = false}, 0);
  EXPECT_FALSE(board.WantsLook());
  board.Apply(EventsLost{5}, 0);
  ASSERT_TRUE(board.WantsLook());
  board.Looking(9);
  EXPECT_FALSE(board.WantsLook());
  board.Apply(Answer(8, {}), 0);  // somebody else's
  EXPECT_EQ(board.listeners().at("a").active_connections(), 1u);
  ConnectionState handshake = Open(11, "b", true);
  handshake.opened = kNever;
  board.Apply(Answer(9, {Open(4, "b", true), Open(5, "b", true), Open(6, "open", false), handshake,
                         Open(3, "other", false)}),
              0);
  EXPECT_EQ(board.listeners().at("a").active_connections(), 0u);
  EXPECT_EQ(board.listeners().at("b").active_connections(), 2u);
  EXPECT_EQ(board.listeners().at("b").accepted_total(), 2u);
  EXPECT_EQ(board.connectors().at("open").state(), v1::ConnectorStatus::STATE_OPEN);
  EXPECT_EQ(board.connectors().at("open").connection(), "connections/6");
  EXPECT_EQ(board.connectors().at("open").remote_container(), "there");
  EXPECT_EQ(board.connectors().at("closed").state(), v1::ConnectorStatus::STATE_CONNECTING);
  EXPECT_THAT(board.TakeCorrected(), ElementsAre("closed", "open"));
  EXPECT_THAT(board.TakeCorrected(), IsEmpty());
}

TEST(StatusBoard, KnowsWhoCameAndWentDuringALook) {
  StatusBoard board;
  board.Apply(ListenerUp{"a", {}}, 0);
  board.Apply(EventsLost{1}, 0);
  board.Looking(9);
  board.Apply(ConnectionUp{.id = 1, .owner = "a", .inbound = true}, 0);
  board.Apply(ConnectionUp{.id = 2, .owner = "a", .inbound = true}, 0);
  board.Apply(ConnectionDown{.id = 2, .owner = "a", .inbound = true, .was_open = true}, 0);
  board.Apply(ConnectionDown{.id = 3, .owner = "a", .inbound = true, .was_open = true}, 0);
  // Looked at before 1 came and 3 went.
  board.Apply(Answer(9, {Open(3, "a", true), Open(4, "a", true)}), 0);
  EXPECT_EQ(board.listeners().at("a").active_connections(), 2u);
  EXPECT_FALSE(board.WantsLook());
}

TEST(StatusBoard, LooksAgainWhereEventsWereLostDuringALook) {
  StatusBoard board;
  board.Apply(EventsLost{1}, 0);
  board.Looking(9);
  board.Apply(EventsLost{1}, 0);
  EXPECT_FALSE(board.WantsLook()) << "one at a time";
  board.Apply(Answer(9, {}), 0);
  EXPECT_TRUE(board.WantsLook());
}

TEST(StatusBoard, ForgetsAListenerWhoseLastConnectionWasLost) {
  StatusBoard board;
  for (const char* name : {"a", "b"}) board.Apply(ListenerUp{name, {}}, 0);
  board.Apply(ConnectionUp{.id = 1, .owner = "a", .inbound = true}, 0);
  board.Apply(ListenerDown{"a"}, 0);
  board.Apply(ListenerDown{"b"}, 0);
  board.Apply(EventsLost{1}, 0);
  board.Looking(9);
  board.Apply(Answer(9, {Open(2, "b", true)}), 0);
  EXPECT_FALSE(board.listeners().contains("a"));
  EXPECT_EQ(board.listeners().at("b").state(), v1::ListenerStatus::STATE_DRAINING);
}

TEST(StatusBoard, IgnoresWhatItDoesNotExpect) {
  StatusBoard board;
  board.Apply(ConnectorFailed{"c", "h:1", "refused", 5000}, 0);
  board.Apply(ConnectionUp{.id = 7, .owner = "c", .inbound = false}, 0);
  board.Apply(ConnectionDown{.id = 7, .owner = "l", .inbound = true, .was_open = true}, 0);
  board.Apply(ListenerDown{"l"}, 0);
  board.Apply(Drained{}, 0);
  EXPECT_THAT(board.connectors(), IsEmpty());
  EXPECT_THAT(board.listeners(), IsEmpty());
}

}  // namespace
}  // namespace trunkline::daemon
