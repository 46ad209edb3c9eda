#include "control/api/call.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/api/audit.h"
#include "control/api/desk.h"
#include "control/config/error_details.h"
#include "proto/trunkline/control/v1/listener_service.pb.h"
#include "proto/trunkline/control/v1/router_service.pb.h"

namespace trunkline::api {
namespace {

using absl::StatusCode;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

constexpr char kGet[] = "/trunkline.control.v1.RouterService/GetVersion";
constexpr char kUpdate[] = "/trunkline.control.v1.ListenerService/UpdateListener";
constexpr char kDrain[] = "/trunkline.control.v1.RouterService/Drain";

// Where the answers of a call arrive.
struct Client {
  std::vector<std::string> written;
  std::vector<StatusCode> ends;
  Call::Exits Exits() {
    return {.write = [this](const auto& m) { written.push_back(m.ShortDebugString()); },
            .finish = [this](const absl::Status& status) { ends.push_back(status.code()); }};
  }
};

v1::GetVersionResponse Version(const std::string& version) {
  v1::GetVersionResponse reply;
  reply.set_version(version);
  return reply;
}

v1::DrainResponse Progress(uint32_t connections) {
  v1::DrainResponse reply;
  reply.set_connections(connections);
  return reply;
}

class CallTest : public testing::Test {
 protected:
  std::shared_ptr<Call> Make(const char* path) {
    const Method& method = *table_.Find(path);
    return std::make_shared<Call>(method, method.NewRequest(), Caller{"local"}, client_.Exits());
  }

  const MethodTable table_;
  Client client_;
};

TEST_F(CallTest, IsAnsweredOnce) {
  auto call = Make(kGet);
  call->Reply(Version("1"));
  EXPECT_TRUE(call->ended());
  call->Reply(Version("2"));
  call->Finish(absl::InternalError("x"));
  call->Gone(absl::CancelledError());
  EXPECT_THAT(client_.written, ElementsAre("version: \"1\""));
  EXPECT_THAT(client_.ends, ElementsAre(StatusCode::kOk));
}

TEST_F(CallTest, FailsIfNobodyAnswersIt) {
  Make(kGet);
  EXPECT_THAT(client_.ends, ElementsAre(StatusCode::kInternal));
}

TEST_F(CallTest, AStreamTakesOneAnswerAfterTheOther) {
  auto call = Make(kDrain);
  int rounds = 0;
  call->OnWritable([&] {
    if (++rounds < 3) {
      call->Write(Progress(rounds));
    } else {
      call->Finish(absl::OkStatus());
    }
  });
  EXPECT_TRUE(call->writable());
  call->Write(Progress(9));
  EXPECT_FALSE(call->writable());
  while (!call->ended()) call->Written();
  EXPECT_THAT(client_.written, ElementsAre("connections: 9", "connections: 1", "connections: 2"));
  EXPECT_THAT(client_.ends, ElementsAre(StatusCode::kOk));
  EXPECT_FALSE(call->writable());
}

TEST_F(CallTest, TellsThatTheCallerHasGone) {
  auto call = Make(kDrain);
  int told = 0;
  call->OnGone([&] { ++told; });
  call->Gone(absl::CancelledError());
  call->Gone(absl::CancelledError());
  call->Write(Progress(1));
  call->Written();
  EXPECT_EQ(told, 1);
  EXPECT_THAT(client_.written, IsEmpty());
  EXPECT_THAT(client_.ends, ElementsAre(StatusCode::kCancelled));
}

TEST_F(CallTest, TellsNobodyWhoHasFinishedIt) {
  auto call = Make(kDrain);
  call->OnGone([] { FAIL(); });
  call->Finish(absl::OkStatus());
  call->Gone(absl::CancelledError());
}

// --- at the desk

class DeskTest : public CallTest {
 protected:
  Desk MakeDesk() {
    return Desk(
        {{"RouterService/GetVersion", [this](auto call) { held_ = std::move(call); }},
         {"ListenerService/UpdateListener", [this](auto call) { held_ = std::move(call); }},
         {"RouterService/Drain", [this](auto call) { held_ = std::move(call); }}},
        [this](const Call& call, const auto* reply, const absl::Status& status) {
          audited_.push_back(call.method().name + (reply == nullptr ? "" : EtagIn(*reply)) +
                             absl::StatusCodeToString(status.code()));
        },
        [this] { return now_; });
  }
  void Open(Desk& desk, uint64_t number, const char* path) {
    const Method& method = *table_.Find(path);
    desk.Open(number, method, method.NewRequest(), Caller{"local"}, client_.Exits());
  }

  Time now_;
  std::vector<std::string> audited_;
  std::shared_ptr<Call> held_;  // ends before what it is told to
};

TEST_F(DeskTest, ForgetsACallThatHasEnded) {
  Desk desk = MakeDesk();
  Open(desk, 1, kGet);
  EXPECT_EQ(desk.calls_now(), 1u);
  held_->Reply(Version("1"));
  EXPECT_EQ(desk.calls_now(), 0u);
  desk.End(1, absl::CancelledError());
  desk.Written(1);
  desk.Written(77);
  EXPECT_THAT(client_.ends, ElementsAre(StatusCode::kOk));
}

TEST_F(DeskTest, ForgetsACallThatWasDropped) {
  Desk desk = MakeDesk();
  Open(desk, 1, kGet);
  held_ = nullptr;
  EXPECT_EQ(desk.calls_now(), 0u);
  EXPECT_THAT(client_.ends, ElementsAre(StatusCode::kInternal));
}

TEST_F(DeskTest, EndsACallWhoseCallerHasGone) {
  Desk desk = MakeDesk();
  Open(desk, 1, kDrain);
  desk.End(1, absl::CancelledError());
  EXPECT_TRUE(held_->ended());
  EXPECT_EQ(desk.calls_now(), 0u);
}

TEST_F(DeskTest, RefusesWhatHasNoHandler) {
  Desk desk = MakeDesk();
  Open(desk, 1, "/trunkline.control.v1.RouterService/GetConfig");
  EXPECT_THAT(client_.ends, ElementsAre(StatusCode::kUnimplemented));
}

TEST_F(DeskTest, EndsAllWhenItIsClosed) {
  Desk desk = MakeDesk();
  Open(desk, 1, kGet);
  auto first = held_;
  Open(desk, 2, kDrain);
  desk.Close();
  Open(desk, 3, kGet);
  EXPECT_TRUE(first->ended());
  EXPECT_THAT(client_.ends, ElementsAre(StatusCode::kUnavailable, StatusCode::kUnavailable,
                                        StatusCode::kUnavailable));
}

TEST_F(DeskTest, CountsCallsByMethodAndHowTheyEnded) {
  Desk desk = MakeDesk();
  Open(desk, 1, kGet);
  now_ = now_ + Milliseconds(30);
  held_->Reply(Version("1"));
  Open(desk, 2, kGet);
  desk.End(2, absl::CancelledError());
  held_ = nullptr;
  Open(desk, 3, kDrain);
  const auto& calls = desk.tally().calls();
  const Tally::Calls& get = calls.at(table_.Find(kGet));
  EXPECT_EQ(get.open, 0u);
  EXPECT_THAT(get.ended, ElementsAre(Pair(StatusCode::kOk, 1), Pair(StatusCode::kCancelled, 1)));
  EXPECT_EQ(get.durations.Count(), 2u);
  EXPECT_EQ(get.durations.Sum(), static_cast<uint64_t>(Milliseconds(30).ns));
  const Tally::Calls& drain = calls.at(table_.Find(kDrain));
  EXPECT_EQ(drain.open, 1u);
  EXPECT_THAT(drain.ended, IsEmpty());
  held_->Finish(absl::OkStatus());
  EXPECT_EQ(drain.open, 0u);
  EXPECT_EQ(drain.durations.Count(), 0u) << "how long a stream lasts is its caller's to say";
}

TEST_F(DeskTest, CountsWhatItRefuses) {
  Desk desk = MakeDesk();
  Open(desk, 1, "/trunkline.control.v1.RouterService/GetConfig");
  desk.Close();
  Open(desk, 2, kGet);
  for (const auto& [method, calls] : desk.tally().calls()) {
    EXPECT_EQ(calls.open, 0u) << method->name;
    EXPECT_EQ(calls.ended.size(), 1u) << method->name;
  }
  EXPECT_EQ(desk.tally().calls().size(), 2u);
}

TEST_F(DeskTest, AuditsWhatChangesSomething) {
  Desk desk = MakeDesk();
  Open(desk, 1, kGet);
  held_->Reply(Version("1"));
  EXPECT_THAT(audited_, IsEmpty());
  Open(desk, 2, kDrain);
  held_->Finish(absl::AbortedError("x"));
  EXPECT_THAT(audited_, ElementsAre("DrainABORTED"));
}

TEST_F(DeskTest, AuditsWhatBecameOfACallWhoseCallerHadGone) {
  Desk desk = MakeDesk();
  Open(desk, 1, kUpdate);
  desk.End(1, absl::CancelledError());
  EXPECT_THAT(client_.ends, ElementsAre(StatusCode::kCancelled));
  EXPECT_THAT(audited_, IsEmpty()) << "it is still under way";
  v1::ListenerChange change;
  change.mutable_listener()->set_etag("e2");
  held_->Reply(change);
  held_ = nullptr;
  EXPECT_THAT(audited_, ElementsAre("UpdateListenere2OK"));
  EXPECT_THAT(client_.written, IsEmpty());
}

TEST_F(DeskTest, AuditsAFailureThatNobodyHears) {
  Desk desk = MakeDesk();
  Open(desk, 1, kUpdate);
  desk.End(1, absl::DeadlineExceededError(""));
  held_->Finish(absl::UnavailableError("the disk"));
  held_ = nullptr;
  EXPECT_THAT(audited_, ElementsAre("UpdateListenerUNAVAILABLE"));
}

TEST_F(DeskTest, AuditsACallThatIsDroppedAsItsCallerHasGone) {
  Desk desk = MakeDesk();
  Open(desk, 1, kDrain);
  desk.End(1, absl::CancelledError());
  held_ = nullptr;
  Open(desk, 2, kUpdate);
  desk.Close();
  EXPECT_THAT(audited_, ElementsAre("DrainCANCELLED"));
  held_ = nullptr;
  EXPECT_THAT(audited_, ElementsAre("DrainCANCELLED", "UpdateListenerUNAVAILABLE"));
}

TEST_F(DeskTest, AuditsACallThatOutlivesIt) {
  {
    Desk desk = MakeDesk();
    Open(desk, 1, kUpdate);
  }
  held_->Finish(absl::OkStatus());
  EXPECT_THAT(audited_, ElementsAre("UpdateListenerOK"));
}

}  // namespace
}  // namespace trunkline::api
