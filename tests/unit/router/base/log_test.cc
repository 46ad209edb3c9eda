#include "router/base/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "router/base/log_format.h"

namespace trunkline {
namespace {

constexpr LogModule kLogModule = LogModule::kNet;

using testing::ElementsAre;
using testing::IsEmpty;

// Keeps the lines, at time zero.
class Lines : public LogSink {
 public:
  explicit Lines(LogFormat format = LogFormat::kText) : format_(format) { SetLogSink(this); }
  ~Lines() override {
    SetLogSink(nullptr);
    SetLogLevels(LogLevel::kInfo);
  }
  void Write(const LogRecord& record) override {
    std::string line;
    AppendLogLine(format_, 0, record, line);
    lines.push_back(line.substr(0, line.size() - 1));
  }
  std::vector<std::string> lines;

 private:
  LogFormat format_;
};

#define ZERO "1970-01-01T00:00:00.000000Z"

TEST(Log, GoesNowhereWithoutASink) { TL_LOG(error, "nobody listens", {"n", 1}); }

TEST(Log, WritesAPhraseAndFields) {
  Lines sink;
  const std::string peer = "a";
  TL_LOG(info, "lane up", {"peer", peer}, {"lane", 3}, {"bytes", uint64_t{1} << 63});
  TL_LOG(warning, "no fields");
  EXPECT_THAT(sink.lines,
              ElementsAre(ZERO R"( info net "lane up" peer=a lane=3 bytes=9223372036854775808)",
                          ZERO R"( warning net "no fields")"));
}

TEST(Log, TakesEveryKindOfValue) {
  Lines sink;
  const char* text = "c string";
  TL_LOG(info, "x", {"i", int16_t{-7}}, {"u", uint8_t{200}}, {"d", 0.25}, {"t", true}, {"f", false},
         {"c", text}, {"v", std::string_view("v")});
  EXPECT_THAT(
      sink.lines,
      ElementsAre(ZERO R"( info net "x" i=-7 u=200 d=0.25 t=true f=false c="c string" v=v)"));
}

TEST(Log, KeepsWhatItsModuleAllows) {
  Lines sink;
  TL_LOG(debug, "below the default");
  SetLogLevel(LogModule::kConn, LogLevel::kTrace);
  TL_LOG(debug, "another module");
  SetLogLevel(LogModule::kNet, LogLevel::kDebug);
  TL_LOG(debug, "at the level");
  TL_LOG(trace, "below it");
  SetLogLevel(LogModule::kNet, LogLevel::kOff);
  TL_LOG(error, "off");
  EXPECT_THAT(sink.lines, ElementsAre(ZERO R"( debug net "at the level")"));
  EXPECT_EQ(GetLogLevel(LogModule::kConn), LogLevel::kTrace);
}

TEST(Log, DoesNotEvaluateTheFieldsOfARecordThatIsOff) {
  Lines sink;
  int evaluated = 0;
  TL_LOG(debug, "x", {"n", ++evaluated});
  EXPECT_EQ(evaluated, 0);
  TL_LOG(info, "x", {"n", ++evaluated});
  EXPECT_EQ(evaluated, 1);
}

TEST(Log, LeavesOutFieldsBeyondTheLimit) {
  Lines sink;
  TL_LOG(info, "x", {"a", 1}, {"b", 1}, {"c", 1}, {"d", 1}, {"e", 1}, {"f", 1}, {"g", 1}, {"h", 1},
         {"i", 1}, {"j", 1}, {"k", 1}, {"l", 1}, {"m", 1}, {"n", 1}, {"o", 1}, {"p", 1}, {"q", 1});
  EXPECT_THAT(sink.lines,
              ElementsAre(ZERO R"( info net "x" a=1 b=1 c=1 d=1 e=1 f=1 g=1 h=1 i=1 j=1 k=1 l=1)"
                               R"( m=1 n=1 o=1 p=1)"));
}

TEST(Log, KnowsItsNames) {
  for (size_t i = 0; i < kLogModules; ++i) {
    const LogModule module = static_cast<LogModule>(i);
    EXPECT_EQ(ParseLogModule(LogModuleName(module)), module);
  }
  for (LogLevel level : {LogLevel::kTrace, LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarning,
                         LogLevel::kError, LogLevel::kOff}) {
    EXPECT_EQ(ParseLogLevel(LogLevelName(level)), level);
  }
  EXPECT_EQ(ParseLogLevel("loud"), std::nullopt);
  EXPECT_EQ(ParseLogModule(""), std::nullopt);
}

std::string Value(LogFormat format, LogField field) {
  std::string line;
  AppendLogLine(format, 0, {.phrase = "x", .fields = {&field, 1}}, line);
  const std::string before = format == LogFormat::kText ? "v=" : "\"v\":";
  return line.substr(line.find(before) + before.size());
}
std::string Text(std::string_view text) { return Value(LogFormat::kText, {"v", text}); }
std::string Json(std::string_view text) { return Value(LogFormat::kJson, {"v", text}); }

TEST(LogFormat, QuotesWhatIsNotPlain) {
  EXPECT_EQ(Text("amqp://host:5672/a"), "amqp://host:5672/a\n");
  EXPECT_EQ(Text(""), "\"\"\n");
  EXPECT_EQ(Text("a b"), "\"a b\"\n");
  EXPECT_EQ(Text("a=b"), "\"a=b\"\n");
  EXPECT_EQ(Text("a\"b\\c"), "\"a\\\"b\\\\c\"\n");
  EXPECT_EQ(Text("\xc3\xa9"), "\"\xc3\xa9\"\n");
}

TEST(LogFormat, LetsNobodyForgeALine) {
  for (const auto& format : {Text, Json}) {
    const std::string line = format("x\n2026 info \r\x1b[31m\x7f\xc2\x9b\xe2\x80\xae");
    EXPECT_EQ(line.find('\n'), line.size() - 1);
    EXPECT_THAT(line, testing::StartsWith(R"("x\n2026 info \u000d\u001b[31m\u007f\u009b\u202e")"));
  }
  EXPECT_EQ(Text(std::string_view("\0", 1)), "\"\\u0000\"\n");
}

TEST(LogFormat, MarksBytesThatAreNotUtf8) {
  struct Case {
    const char* bytes;
    const char* text;
  };
  for (const Case& c :
       {Case{"\xff", "\\xff"}, Case{"\xc0\x80", "\\xc0\\x80"}, Case{"\xe2\x82", "\\xe2\\x82"},
        Case{"\xed\xa0\x80", "\\xed\\xa0\\x80"}, Case{"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},
        Case{"\xe0\x80\x80", "\\xe0\\x80\\x80"}, Case{"\xc3", "\\xc3"}}) {
    EXPECT_EQ(Text(c.bytes), "\"" + std::string(c.text) + "\"\n");
  }
  EXPECT_EQ(Json("a\xff"
                 "b\xf0\x9f\x98\x80"),
            "\"a\\ufffdb\xf0\x9f\x98\x80\"}\n");
}

TEST(LogFormat, IsValidJsonForNumbersThatJsonDoesNotHave) {
  EXPECT_EQ(Value(LogFormat::kJson, {"v", std::nan("")}), "null}\n");
  EXPECT_EQ(Value(LogFormat::kJson, {"v", std::numeric_limits<double>::infinity()}), "null}\n");
  EXPECT_EQ(Value(LogFormat::kJson, {"v", 1e300}), "1e+300}\n");
  EXPECT_EQ(Value(LogFormat::kJson, {"v", std::numeric_limits<int64_t>::min()}),
            "-9223372036854775808}\n");
}

TEST(LogFormat, WritesJsonObjects) {
  Lines sink(LogFormat::kJson);
  TL_LOG(error, "lane down", {"peer", "b \"x\""}, {"lane", 1});
  EXPECT_THAT(sink.lines, ElementsAre(R"({"time":")" ZERO R"(","level":"error","module":"net",)"
                                      R"("message":"lane down","peer":"b \"x\"","lane":1})"));
}

TEST(LogFormat, WritesTimesInUtcToTheMicrosecond) {
  const auto text = [](int64_t ns) {
    std::string out;
    AppendTimestamp(ns, out);
    return out;
  };
  EXPECT_EQ(text(1'795'344'734'062'852'999), "2026-11-22T10:52:14.062852Z");
  EXPECT_EQ(text(951'782'400'000'000'000), "2000-02-29T00:00:00.000000Z");
  EXPECT_EQ(text(-1), "1969-12-31T23:59:59.999999Z");
}

}  // namespace
}  // namespace trunkline
