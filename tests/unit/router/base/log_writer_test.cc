#include "router/base/log_writer.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <map>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"

namespace trunkline {
namespace {

constexpr LogModule kLogModule = LogModule::kNet;
constexpr int64_t kSecondNs = 1'000'000'000;

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::SizeIs;
using testing::UnorderedElementsAre;

// A pipe whose reading end collects lines.
class Pipe {
 public:
  Pipe() {
    int ends[2];
    EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
    read_ = ends[0];
    write_ = ends[1];
  }
  ~Pipe() {
    CloseWriter();
    CloseReader();
  }
  int writer() const { return write_; }
  void CloseWriter() {
    if (write_ >= 0) close(write_);
    write_ = -1;
  }
  void CloseReader() {
    if (read_ >= 0) close(read_);
    read_ = -1;
  }
  // Makes it full, with one line. Who writes to it from here on waits.
  void Fill() {
    fcntl(write_, F_SETFL, O_NONBLOCK);
    const std::string page(4096, '.');
    while (write(write_, page.data(), page.size()) > 0) continue;
    while (write(write_, ".", 1) > 0) continue;
    fcntl(write_, F_SETFL, 0);
  }
  // Everything up to the end; the writer has to be closed by then.
  std::vector<std::string> ReadAll() {
    std::string all;
    char bytes[4096];
    for (ssize_t n; (n = read(read_, bytes, sizeof(bytes))) > 0;) all.append(bytes, n);
    all.erase(0, all.find_first_not_of('.'));
    return Split(all);
  }

 private:
  static std::vector<std::string> Split(const std::string& all) {
    std::vector<std::string> lines;
    std::istringstream stream(all);
    for (std::string line; std::getline(stream, line);) lines.push_back(line);
    return lines;
  }

  int read_ = -1;
  int write_ = -1;
};

// A clock that stands until it is set.
struct Clock {
  std::atomic<int64_t> now_ns{0};
  std::function<int64_t()> Function() {
    return [this] { return now_ns.load(); };
  }
};

class LogWriterTest : public testing::Test {
 protected:
  // Logs in `log` to a writer with `options`; returns what came out in the end.
  template <typename F>
  std::vector<std::string> Run(LogWriter::Options options, F log) {
    options.fd = pipe_.writer();
    options.clock = clock_.Function();
    {
      LogWriter writer(options);
      SetLogSink(&writer);
      log(writer);
      SetLogSink(nullptr);
    }
    pipe_.CloseWriter();
    return pipe_.ReadAll();
  }

  Pipe pipe_;
  Clock clock_;
};

TEST_F(LogWriterTest, WritesWhatWasLoggedBeforeItsEnd) {
  const auto lines = Run({}, [&](LogWriter&) {
    clock_.now_ns = kSecondNs;
    TL_LOG(info, "lane up", {"peer", std::string("a")});
    TL_LOG(error, "lane down", {"peer", std::string("b")});
  });
  EXPECT_THAT(lines, ElementsAre(R"(1970-01-01T00:00:01.000000Z info net "lane up" peer=a)",
                                 R"(1970-01-01T00:00:01.000000Z error net "lane down" peer=b)"));
}

TEST_F(LogWriterTest, HasWrittenEverythingWhenFlushReturns) {
  Pipe second;
  const auto lines = Run({.format = LogFormat::kJson}, [&](LogWriter& writer) {
    TL_LOG(info, "first");
    writer.Flush();
    writer.SetOutput(::dup(second.writer()));
    second.CloseWriter();
    TL_LOG(info, "second");
    writer.Flush();
    writer.Flush();  // with nothing to do
  });
  EXPECT_THAT(lines, ElementsAre(HasSubstr(R"("message":"first")")));
  EXPECT_THAT(second.ReadAll(), ElementsAre(HasSubstr(R"("message":"second")")));
}

TEST_F(LogWriterTest, ClosesAnOutputThatItDoesNotNeedAnyMore) {
  Pipe second;
  Pipe third;
  Run({}, [&](LogWriter& writer) {
    writer.SetOutput(::dup(second.writer()));
    second.CloseWriter();
    writer.SetOutput(::dup(third.writer()));
    third.CloseWriter();
    TL_LOG(info, "here");
    writer.Flush();
    // They end, so nobody has the other end any more.
    EXPECT_THAT(second.ReadAll(), ::testing::IsEmpty());
  });
  EXPECT_THAT(third.ReadAll(), ElementsAre(HasSubstr("here")));
}

// With a record in hand that it cannot get rid of.
TEST_F(LogWriterTest, LeavesAnOutputThatTakesNothing) {
  Pipe first;
  Pipe last;
  pipe_.Fill();
  const auto lines = Run({}, [&](LogWriter& writer) {
    writer.SetOutput(::dup(first.writer()));
    first.CloseWriter();
    TL_LOG(info, "before");
    writer.Flush();
    writer.SetOutput(::dup(pipe_.writer()));
    TL_LOG(info, "stuck");
    EXPECT_THAT(first.ReadAll(), SizeIs(1));  // it ends when the full one has its place
    writer.SetOutput(::dup(last.writer()));
    last.CloseWriter();
  });
  EXPECT_THAT(lines, ::testing::IsEmpty());
  EXPECT_THAT(last.ReadAll(), ElementsAre(HasSubstr("stuck")));
}

TEST_F(LogWriterTest, SuppressesRepetitionsWithinASecondAndTellsHowMany) {
  const auto lines = Run({.repeats_per_second = 2}, [&](LogWriter&) {
    for (int i = 0; i < 5; ++i) TL_LOG(info, "again", {"i", i});
    TL_LOG(info, "another phrase");
    clock_.now_ns = kSecondNs;
    TL_LOG(info, "again", {"i", 5});
  });
  EXPECT_THAT(
      lines,
      ElementsAre(EndsWith("i=0"), EndsWith("i=1"), EndsWith("\"another phrase\""),
                  EndsWith(R"(warning log "records suppressed" module=net phrase=again count=3)"),
                  EndsWith("i=5")));
}

TEST_F(LogWriterTest, TellsAnObserverWhatIsWritten) {
  std::vector<std::string> observed;
  const auto observer = [&](int64_t unix_ns, const LogRecord& record) {
    observed.push_back(absl::StrCat(unix_ns, " ", std::string(LogModuleName(record.module)), " ",
                                    std::string(record.phrase), " ", record.fields.size()));
  };
  Run({.repeats_per_second = 1, .observer = observer}, [&](LogWriter&) {
    for (int i = 0; i < 3; ++i) TL_LOG(info, "again", {"i", i});
    clock_.now_ns = 2 * kSecondNs;
    TL_LOG(debug, "switched off");
    TL_LOG(info, "once");
  });
  EXPECT_THAT(observed, UnorderedElementsAre("0 net again 1", "1000000000 log records suppressed 3",
                                             "2000000000 net once 0"));
}

TEST_F(LogWriterTest, CountsRecordsByLevelWrittenOrSuppressed) {
  Run({.repeats_per_second = 1}, [&](LogWriter& writer) {
    for (int i = 0; i < 3; ++i) TL_LOG(warning, "again");
    TL_LOG(error, "once");
    writer.Flush();
    EXPECT_EQ(writer.taken(LogLevel::kWarning), 3u);
    EXPECT_EQ(writer.taken(LogLevel::kError), 1u);
    EXPECT_EQ(writer.taken(LogLevel::kInfo), 0u);
  });
}

TEST_F(LogWriterTest, WritesAsManyRepetitionsAsAllowed) {
  const auto lines = Run({.repeats_per_second = 3}, [&](LogWriter&) {
    for (int second = 0; second < 3; ++second) {
      clock_.now_ns = second * kSecondNs;
      for (int i = 0; i < 3; ++i) TL_LOG(info, "again");
    }
  });
  EXPECT_THAT(lines, SizeIs(9));
}

TEST_F(LogWriterTest, TellsAtTheEndWhatItSuppressed) {
  const auto lines = Run({.repeats_per_second = 1}, [&](LogWriter&) {
    TL_LOG(info, "again");
    TL_LOG(info, "again");
  });
  EXPECT_THAT(lines, ElementsAre(EndsWith("again\""), EndsWith("phrase=again count=1")));
}

TEST_F(LogWriterTest, DoesNotSuppressWhatWasAskedForByLevel) {
  SetLogLevels(LogLevel::kDebug);
  const auto lines = Run({.repeats_per_second = 1}, [&](LogWriter&) {
    for (int i = 0; i < 4; ++i) TL_LOG(debug, "again");
  });
  SetLogLevels(LogLevel::kInfo);
  EXPECT_THAT(lines, SizeIs(4));
}

TEST_F(LogWriterTest, GoesOnWhenTheClockIsSetBack) {
  const auto lines = Run({.repeats_per_second = 1}, [&](LogWriter& writer) {
    clock_.now_ns = 3600 * kSecondNs;
    TL_LOG(info, "again", {"i", 0});
    writer.Flush();
    clock_.now_ns = 0;
    TL_LOG(info, "again", {"i", 1});
  });
  EXPECT_THAT(lines, ElementsAre(EndsWith("i=0"), EndsWith("i=1")));
}

TEST_F(LogWriterTest, CutsTextThatDoesNotFit) {
  const std::string euros = [] {
    std::string text;
    for (int i = 0; i < 300; ++i) text += "\xe2\x82\xac";
    return text;
  }();
  const auto lines = Run({}, [&](LogWriter&) {
    TL_LOG(info, "long", {"a", std::string(400, 'a')}, {"b", euros}, {"c", "c"}, {"n", 7});
  });
  ASSERT_THAT(lines, SizeIs(1));
  EXPECT_THAT(lines[0], HasSubstr(" a=" + std::string(400, 'a') + " b=\"\xe2\x82\xac"));
  EXPECT_THAT(lines[0], HasSubstr("\xe2\x82\xac...\" c="));
  EXPECT_THAT(lines[0], EndsWith(" n=7"));
  EXPECT_THAT(lines[0], Not(HasSubstr("\\x")));
}

// Nobody reads: the writer waits, who logs does not.
TEST_F(LogWriterTest, DropsAndCountsWhatDoesNotFitIntoTheRing) {
  pipe_.Fill();
  std::thread reader;
  std::vector<std::string> lines;
  constexpr int kRecords = 1000;
  {
    LogWriter writer({.fd = pipe_.writer(), .ring_records = 4, .repeats_per_second = 0});
    SetLogSink(&writer);
    for (int i = 0; i < kRecords; ++i) TL_LOG(info, "record", {"i", i});
    reader = std::thread([&] { lines = pipe_.ReadAll(); });
    writer.Flush();
    EXPECT_GE(writer.dropped(), kRecords - 8u);
    SetLogSink(nullptr);
  }
  pipe_.CloseWriter();
  reader.join();
  int written = 0;
  int dropped = 0;
  for (const std::string& line : lines) {
    const size_t count = line.find("\"records dropped\" count=");
    if (count != std::string::npos) dropped += std::stoi(line.substr(count + 24));
    if (line.find("\"record\"") != std::string::npos) ++written;
  }
  EXPECT_EQ(written + dropped, kRecords);
  EXPECT_LE(written, 8);
}

// Each waits for the one before; the writer may be anywhere in its pass over their rings.
TEST_F(LogWriterTest, KeepsTheOrderOfRecordsOfAllThreads) {
  constexpr int kRecords = 200;
  pipe_.Fill();
  std::thread reader;
  std::vector<std::string> lines;
  {
    LogWriter writer({.fd = pipe_.writer(), .repeats_per_second = 0, .clock = clock_.Function()});
    SetLogSink(&writer);
    reader = std::thread([&] { lines = pipe_.ReadAll(); });
    for (int i = 0; i < kRecords; i += 2) {
      TL_LOG(info, "x", {"i", i});
      std::thread([i] { TL_LOG(info, "x", {"i", i + 1}); }).join();
    }
    SetLogSink(nullptr);
  }
  pipe_.CloseWriter();
  reader.join();
  ASSERT_THAT(lines, SizeIs(kRecords));
  for (int i = 0; i < kRecords; ++i) EXPECT_THAT(lines[i], EndsWith(absl::StrCat(" i=", i)));
}

TEST_F(LogWriterTest, GivesUpAtItsEndWhenTheOutputTakesNothing) {
  pipe_.Fill();
  LogWriter writer({.fd = pipe_.writer()});
  SetLogSink(&writer);
  TL_LOG(info, "nobody reads this");
  SetLogSink(nullptr);
}

TEST_F(LogWriterTest, CountsWhatABrokenOutputDoesNotTake) {
  pipe_.CloseReader();
  for (int fd : {-1, 9999, pipe_.writer()}) {
    LogWriter writer({.fd = fd});
    SetLogSink(&writer);
    TL_LOG(info, "lost");
    TL_LOG(info, "lost");
    writer.Flush();
    SetLogSink(nullptr);
    EXPECT_EQ(writer.dropped(), 2u) << fd;
  }
}

TEST_F(LogWriterTest, TakesTheRecordsOfThreadsThatHaveEnded) {
  const auto lines = Run({.repeats_per_second = 0}, [&](LogWriter&) {
    for (int i = 0; i < 50; ++i) std::thread([i] { TL_LOG(info, "x", {"i", i}); }).join();
  });
  ASSERT_THAT(lines, SizeIs(50));
}

TEST_F(LogWriterTest, LosesNothingOfManyThreads) {
  constexpr int kThreads = 8;
  constexpr int kRecords = 2000;
  std::thread reader;
  std::vector<std::string> lines;
  {
    LogWriter writer({.fd = pipe_.writer(), .ring_records = kRecords, .repeats_per_second = 0});
    reader = std::thread([&] { lines = pipe_.ReadAll(); });
    SetLogSink(&writer);
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([t] {
        for (int i = 0; i < kRecords; ++i) TL_LOG(info, "x", {"t", t}, {"i", i});
      });
    }
    for (std::thread& thread : threads) thread.join();
    SetLogSink(nullptr);
  }
  pipe_.CloseWriter();
  reader.join();
  ASSERT_THAT(lines, SizeIs(kThreads * kRecords));
  std::map<std::string, int> next;  // by thread
  for (const std::string& line : lines) {
    const size_t t = line.find(" t=");
    const size_t i = line.find(" i=");
    const std::string thread = line.substr(t, i - t);
    ASSERT_EQ(std::stoi(line.substr(i + 3)), next[thread]++) << line;
  }
}

}  // namespace
}  // namespace trunkline
