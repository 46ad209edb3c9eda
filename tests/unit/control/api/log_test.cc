#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "control/api/log_feed.h"
#include "control/api/log_levels.h"
#include "control/api/log_watches.h"
#include "control/api/method_table.h"
#include "control/config/error_details.h"

// The log over the API: what is written to it, and from which level on.
namespace trunkline::api {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// A caller of one method of TraceService, and what it was answered.
struct Asked {
  std::vector<std::unique_ptr<google::protobuf::Message>> replies;
  std::optional<absl::Status> end;
  std::shared_ptr<Call> call;

  std::string reason() const { return end ? config::ReasonOf(*end) : "under way"; }
  // Lets it read until nothing more comes.
  void Read() {
    while (!call->ended() && !call->writable()) call->Written();
  }
};

class TraceServiceTest : public testing::Test {
 protected:
  template <typename Request>
  Asked* Ask(const std::string& name, const Request& request) {
    Asked* caller = callers_.emplace_back(std::make_unique<Asked>()).get();
    const Method& method = *table_.Find("/trunkline.control.v1.TraceService/" + name);
    caller->call = std::make_shared<Call>(
        method, std::make_unique<Request>(request), Caller{"local"},
        Call::Exits{.write =
                        [caller](const auto& message) {
                          caller->replies.emplace_back(message.New());
                          caller->replies.back()->CopyFrom(message);
                        },
                    .finish = [caller](const auto& status) { caller->end = status; }});
    handlers_.at("TraceService/" + name)(caller->call);
    return caller;
  }

  const MethodTable table_;
  std::vector<std::unique_ptr<Asked>> callers_;  // outlives the calls
  Handlers handlers_;
};

// --- what is written

class LogWatchTest : public TraceServiceTest {
 protected:
  LogWatchTest() { handlers_ = watches_.MakeHandlers(); }

  void Write(const std::string& phrase, LogLevel level = LogLevel::kInfo,
             LogModule module = LogModule::kNet) {
    phrases_.push_back(phrase);
    feed_.Push(1'500'000'000, {.level = level, .module = module, .phrase = phrases_.back()});
    watches_.OnWoken();
  }
  // The records told so far, "+N" in front of one that N were lost before.
  std::vector<std::string> Told(Asked* caller) {
    caller->Read();
    std::vector<std::string> told;
    for (const auto& reply : std::exchange(caller->replies, {})) {
      const auto& answer = static_cast<const v1::WatchLogsResponse&>(*reply);
      told.push_back((answer.lost() > 0 ? "+" + std::to_string(answer.lost()) + " " : "") +
                     answer.record().message());
    }
    return told;
  }
  static v1::WatchLogsRequest Follow() {
    v1::WatchLogsRequest request;
    request.set_follow(true);
    return request;
  }

  int wakes_ = 0;
  std::deque<std::string> phrases_;
  LogFeed feed_{[this] { ++wakes_; }, /*records_max=*/4};
  LogWatches watches_{feed_};
};

TEST_F(LogWatchTest, TellsWhatIsThereAndEnds) {
  Write("a");
  Write("b");
  Asked* caller = Ask("WatchLogs", v1::WatchLogsRequest());
  EXPECT_THAT(Told(caller), ElementsAre("a", "b"));
  ASSERT_TRUE(caller->end);
  EXPECT_TRUE(caller->end->ok());
  EXPECT_EQ(watches_.watchers(), 0u);
}

// What comes while it reads is for the next one.
TEST_F(LogWatchTest, TheEndIsWhereTheLogWasAtTheBeginning) {
  Write("a");
  Write("b");
  Asked* caller = Ask("WatchLogs", v1::WatchLogsRequest());
  Write("c");
  EXPECT_THAT(Told(caller), ElementsAre("a", "b"));
  EXPECT_TRUE(caller->end);
}

TEST_F(LogWatchTest, FollowsWhatComes) {
  Write("a");
  Asked* caller = Ask("WatchLogs", Follow());
  EXPECT_THAT(Told(caller), ElementsAre("a"));
  Write("b");
  EXPECT_THAT(Told(caller), ElementsAre("b"));
  EXPECT_FALSE(caller->end);
}

TEST_F(LogWatchTest, ATailIsAPartOfThePast) {
  for (const char* phrase : {"a", "b", "c"}) Write(phrase);
  v1::WatchLogsRequest request = Follow();
  request.set_tail(1);
  EXPECT_THAT(Told(Ask("WatchLogs", request)), ElementsAre("c"));
  request.set_tail(0);
  EXPECT_THAT(Told(Ask("WatchLogs", request)), IsEmpty());
  request.set_tail(99);
  EXPECT_THAT(Told(Ask("WatchLogs", request)), ElementsAre("a", "b", "c"));
}

TEST_F(LogWatchTest, LevelsAndModulesLeaveRecordsOut) {
  v1::WatchLogsRequest request = Follow();
  request.set_level(v1::LOG_LEVEL_WARNING);
  request.set_module("conn");
  Asked* caller = Ask("WatchLogs", request);
  Write("other module", LogLevel::kError, LogModule::kNet);
  Write("lower level", LogLevel::kInfo, LogModule::kConn);
  Write("this level", LogLevel::kWarning, LogModule::kConn);
  Write("higher level", LogLevel::kError, LogModule::kConn);
  EXPECT_THAT(Told(caller), ElementsAre("this level", "higher level"));
}

// Four are kept: with four written all are told, with one more one is lost.
TEST_F(LogWatchTest, OneWhoReadsSlowlyIsToldHowManyHeMissed) {
  Asked* caller = Ask("WatchLogs", Follow());
  Write("first");  // on its way
  for (const char* phrase : {"a", "b", "c", "d"}) Write(phrase);
  EXPECT_THAT(Told(caller), ElementsAre("first", "a", "b", "c", "d"));
  Write("second");
  for (const char* phrase : {"e", "f", "g", "h", "i"}) Write(phrase);
  EXPECT_THAT(Told(caller), ElementsAre("second", "+1 f", "g", "h", "i"));
  Write("j");
  EXPECT_THAT(Told(caller), ElementsAre("j"));
}

TEST_F(LogWatchTest, ControlIsWokenOnlyForWatches) {
  Write("a");
  EXPECT_EQ(wakes_, 0);
  Asked* caller = Ask("WatchLogs", Follow());
  Told(caller);
  Write("b");
  EXPECT_EQ(wakes_, 1);
}

TEST_F(LogWatchTest, WhatGrpcSaysIsNotTold) {
  Asked* caller = Ask("WatchLogs", Follow());
  Write("grpc", LogLevel::kDebug, LogModule::kControl);
  EXPECT_EQ(wakes_, 0);
  EXPECT_THAT(Told(caller), IsEmpty());
  Write("grpc", LogLevel::kDebug, LogModule::kNet);  // nobody's, but it is told
  EXPECT_THAT(Told(caller), ElementsAre("grpc"));
}

TEST_F(LogWatchTest, ARecordIsToldWithAllThatIsInIt) {
  const std::array<LogField, 4> fields = {LogField("id", uint64_t{7}), LogField("peer", "\xff"),
                                          LogField("open", true), LogField("change", -1)};
  feed_.Push(1'700'000'000'250'000'000, {.level = LogLevel::kWarning,
                                         .module = LogModule::kConn,
                                         .phrase = "closed",
                                         .fields = fields});
  Asked* caller = Ask("WatchLogs", v1::WatchLogsRequest());
  ASSERT_EQ(caller->replies.size(), 1u);
  const auto& record = static_cast<const v1::WatchLogsResponse&>(*caller->replies[0]).record();
  EXPECT_EQ(record.time().seconds(), 1'700'000'000);
  EXPECT_EQ(record.time().nanos(), 250'000'000);
  EXPECT_EQ(record.level(), v1::LOG_LEVEL_WARNING);
  EXPECT_EQ(record.module(), "conn");
  EXPECT_EQ(record.fields().at("id"), "7");
  EXPECT_EQ(record.fields().at("peer"), "\uFFFD");
  EXPECT_EQ(record.fields().at("open"), "true");
  EXPECT_EQ(record.fields().at("change"), "-1");
}

TEST_F(LogWatchTest, RefusesALevelThatIsNone) {
  v1::WatchLogsRequest request = Follow();
  request.set_level(static_cast<v1::LogLevel>(100));
  EXPECT_EQ(Ask("WatchLogs", request)->reason(), "INVALID_FIELD");
}

TEST_F(LogWatchTest, RefusesWhatItCannotDo) {
  v1::WatchLogsRequest request = Follow();
  request.set_module("nothing");
  EXPECT_EQ(Ask("WatchLogs", request)->reason(), "INVALID_FIELD");
  for (size_t i = 0; i < LogWatches::kWatchersMax; ++i) {
    EXPECT_EQ(Ask("WatchLogs", Follow())->reason(), "under way");
  }
  EXPECT_EQ(Ask("WatchLogs", Follow())->reason(), "TOO_MANY_WATCHERS");
  callers_[1]->call->Gone(absl::CancelledError());
  EXPECT_EQ(watches_.watchers(), LogWatches::kWatchersMax - 1);
  EXPECT_EQ(Ask("WatchLogs", Follow())->reason(), "under way");
}

// --- from which level on

class LogLevelTest : public TraceServiceTest {
 protected:
  LogLevelTest() : levels_({.clock = [this] { return now_; }, .wall_clock = [] { return 5000; }}) {
    handlers_ = levels_.MakeHandlers();
  }
  ~LogLevelTest() override { SetLogLevels(LogLevel::kInfo); }

  Asked* Set(const std::string& module, v1::LogLevel level,
             std::optional<int64_t> ttl_milliseconds = std::nullopt) {
    v1::SetLogLevelRequest request;
    request.set_module(module);
    request.set_level(level);
    if (ttl_milliseconds) {
      request.mutable_ttl()->set_seconds(*ttl_milliseconds / 1000);
      request.mutable_ttl()->set_nanos(static_cast<int32_t>(*ttl_milliseconds % 1000) * 1'000'000);
    }
    return Ask("SetLogLevel", request);
  }
  v1::LogLevels::Module Get(const std::string& name) {
    const Asked* caller = Ask("GetLogLevels", v1::GetLogLevelsRequest());
    for (const auto& module : static_cast<const v1::LogLevels&>(*caller->replies.at(0)).modules()) {
      if (module.module() == name) return module;
    }
    ADD_FAILURE() << name;
    return {};
  }

  Time now_{1'000'000'000};
  LogLevels levels_;
};

TEST_F(LogLevelTest, TellsAllModulesInOrder) {
  const Asked* caller = Ask("GetLogLevels", v1::GetLogLevelsRequest());
  std::vector<std::string> names;
  for (const auto& module : static_cast<const v1::LogLevels&>(*caller->replies.at(0)).modules()) {
    names.push_back(module.module());
    EXPECT_EQ(module.level(), v1::LOG_LEVEL_INFO);
    EXPECT_FALSE(module.overridden());
  }
  EXPECT_EQ(names.size(), kLogModules);
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
}

TEST_F(LogLevelTest, SetsOneOrAll) {
  Set("net", v1::LOG_LEVEL_DEBUG);
  EXPECT_EQ(GetLogLevel(LogModule::kNet), LogLevel::kDebug);
  EXPECT_EQ(GetLogLevel(LogModule::kConn), LogLevel::kInfo);
  EXPECT_EQ(Get("net").level(), v1::LOG_LEVEL_DEBUG);
  EXPECT_EQ(Get("net").configured_level(), v1::LOG_LEVEL_INFO);
  EXPECT_TRUE(Get("net").overridden());
  EXPECT_FALSE(Get("net").has_expire_time());
  Set("", v1::LOG_LEVEL_OFF);
  EXPECT_EQ(GetLogLevel(LogModule::kConn), LogLevel::kOff);
  Set("", v1::LOG_LEVEL_UNSPECIFIED);
  EXPECT_EQ(GetLogLevel(LogModule::kNet), LogLevel::kInfo);
  EXPECT_FALSE(Get("net").overridden());
}

TEST_F(LogLevelTest, GoesBackWhenItsTimeIsOver) {
  Set("net", v1::LOG_LEVEL_TRACE, 1500);
  EXPECT_EQ(levels_.due(), now_ + Milliseconds(1500));
  EXPECT_EQ(Get("net").expire_time().seconds(), 6);
  EXPECT_EQ(Get("net").expire_time().nanos(), 500'000'000);
  levels_.OnTime(now_ + Milliseconds(1499));
  EXPECT_EQ(GetLogLevel(LogModule::kNet), LogLevel::kTrace);
  levels_.OnTime(levels_.due());
  EXPECT_EQ(GetLogLevel(LogModule::kNet), LogLevel::kInfo);
  EXPECT_EQ(levels_.due(), kNever);
}

// Back to what is configured then, not to what was before.
TEST_F(LogLevelTest, AReloadChangesWhatItGoesBackTo) {
  Set("net", v1::LOG_LEVEL_TRACE, 1000);
  SetLogLevels(LogLevel::kError);
  levels_.OnConfigured();
  EXPECT_EQ(GetLogLevel(LogModule::kNet), LogLevel::kTrace);
  EXPECT_EQ(GetLogLevel(LogModule::kConn), LogLevel::kError);
  levels_.OnTime(levels_.due());
  EXPECT_EQ(GetLogLevel(LogModule::kNet), LogLevel::kError);
}

TEST_F(LogLevelTest, TheLastCallCounts) {
  Set("net", v1::LOG_LEVEL_TRACE, 1000);
  Set("net", v1::LOG_LEVEL_DEBUG);
  EXPECT_EQ(levels_.due(), kNever);
  EXPECT_EQ(GetLogLevel(LogModule::kNet), LogLevel::kDebug);
}

TEST_F(LogLevelTest, RefusesWhatIsNone) {
  EXPECT_EQ(Set("nothing", v1::LOG_LEVEL_DEBUG)->reason(), "INVALID_FIELD");
  EXPECT_EQ(Set("net", static_cast<v1::LogLevel>(7))->reason(), "INVALID_FIELD");
  EXPECT_EQ(Set("net", v1::LOG_LEVEL_DEBUG, 0)->reason(), "INVALID_FIELD");
  EXPECT_EQ(Set("net", v1::LOG_LEVEL_DEBUG, -5000)->reason(), "INVALID_FIELD");
  EXPECT_EQ(Set("net", v1::LOG_LEVEL_DEBUG, 24 * 3'600'000 + 1)->reason(), "INVALID_FIELD");
  EXPECT_EQ(GetLogLevel(LogModule::kNet), LogLevel::kInfo);
  EXPECT_EQ(Set("net", v1::LOG_LEVEL_DEBUG, 24 * 3'600'000)->reason(), "");
}

}  // namespace
}  // namespace trunkline::api
