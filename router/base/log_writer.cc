#include "router/base/log_writer.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "router/base/check.h"
#include "router/base/spsc_ring.h"
#include "router/base/thread.h"

namespace trunkline {
namespace {

constexpr int64_t kSecondNs = 1'000'000'000;
constexpr size_t kBatchBytes = 64 * 1024;
constexpr size_t kWriteBytes = 4096;  // what a pipe takes at once when it takes anything
constexpr int kPollMs = 100;
constexpr int kPollsBeforeGivingUp = 10;

int64_t WallClock() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

LogWriter::Options Complete(LogWriter::Options options) {
  if (!options.clock) options.clock = WallClock;
  return options;
}

}  // namespace

// A record with its texts. Made in place, because it refers to itself.
struct LogWriter::Cell {
  Cell(const LogRecord& record, int64_t now_ns, uint64_t place);
  Cell(const Cell&) = delete;
  Cell& operator=(const Cell&) = delete;

  std::string_view Keep(std::string_view value);
  LogRecord record() const {
    return {level, module, phrase, absl::MakeConstSpan(fields.data(), field_count)};
  }

  int64_t unix_ns;
  uint64_t place;  // among the records of all threads
  LogLevel level;
  LogModule module;
  uint16_t field_count = 0;
  uint16_t text_bytes = 0;
  std::string_view phrase;
  std::array<LogField, kLogFieldsMax> fields;
  std::array<char, 600> text;
};

LogWriter::Cell::Cell(const LogRecord& record, int64_t now_ns, uint64_t where)
    : unix_ns(now_ns),
      place(where),
      level(record.level),
      module(record.module),
      phrase(record.phrase) {
  for (const LogField& field : record.fields.subspan(0, kLogFieldsMax)) {
    LogField& copy = fields[field_count++];
    copy = field;
    if (auto* value = std::get_if<std::string_view>(&copy.value)) *value = Keep(*value);
  }
}

std::string_view LogWriter::Cell::Keep(std::string_view value) {
  constexpr std::string_view kCut = "...";
  const size_t room = text.size() - text_bytes;
  char* place = text.data() + text_bytes;
  if (value.size() <= room) {
    std::memcpy(place, value.data(), value.size());
    text_bytes += value.size();
    return {place, value.size()};
  }
  if (room < kCut.size()) return kCut;
  size_t kept = room - kCut.size();
  while (kept > 0 && (value[kept] & 0xc0) == 0x80) --kept;  // whole characters only
  std::memcpy(place, value.data(), kept);
  std::memcpy(place + kept, kCut.data(), kCut.size());
  text_bytes += kept + kCut.size();
  return {place, kept + kCut.size()};
}

// The records of one thread on their way to the writer. Owned by both sides.
struct LogWriter::Ring {
  Ring(const LogWriter* w, size_t records) : writer(w), cells(records) {}

  const LogWriter* const writer;
  SpscRing<Cell> cells;
  Counter dropped;  // by the thread
  std::atomic<bool> thread_gone{false};
  std::atomic<bool> writer_gone{false};
  uint64_t dropped_told = 0;   // the writer's
  Ring* next = nullptr;        // in new_rings_
  std::shared_ptr<Ring> self;  // keeps it alive while it is there
};

// A thread's end of its ring.
struct LogWriter::ThreadRing {
  ~ThreadRing() {
    if (ring != nullptr) ring->thread_gone.store(true, std::memory_order_release);
  }
  std::shared_ptr<Ring> ring;
};

LogWriter::LogWriter(Options options)
    : options_(Complete(std::move(options))),
      wake_fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      fd_(options_.fd) {
  TL_CHECK(wake_fd_ >= 0) << "eventfd: " << std::strerror(errno);
  // Signals are for the thread that waits for them.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { Run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

LogWriter::~LogWriter() {
  stopping_.store(true);
  Wake();
  thread_.join();
  AdoptNewRings();
  for (const std::shared_ptr<Ring>& ring : rings_) ring->writer_gone.store(true);
  close(wake_fd_);
  TakeOutput();
  if (owns_fd_) close(fd_);
}

void LogWriter::Write(const LogRecord& record) {
  Ring& ring = RingOfThisThread();
  const int64_t now_ns = options_.clock();
  if (!ring.cells.TryEmplace(record, now_ns, places_.fetch_add(1))) ring.dropped.Add();
  if (sleeping_.exchange(false)) Wake();
}

// A ring is for one writer; a thread that has one of another writer (a test before this one) gets
// a fresh one.
LogWriter::Ring& LogWriter::RingOfThisThread() {
  thread_local ThreadRing mine;
  if (mine.ring != nullptr && mine.ring->writer == this &&
      !mine.ring->writer_gone.load(std::memory_order_acquire)) {
    return *mine.ring;
  }
  if (mine.ring != nullptr) mine.ring->thread_gone.store(true, std::memory_order_release);
  mine.ring = std::make_shared<Ring>(this, options_.ring_records);
  mine.ring->self = mine.ring;
  Ring* head = new_rings_.load();
  do {
    mine.ring->next = head;
  } while (!new_rings_.compare_exchange_weak(head, mine.ring.get()));
  return *mine.ring;
}

void LogWriter::Wake() {
  const uint64_t one = 1;
  // Fails only when the counter is at its end: then it is readable anyway.
  (void)!write(wake_fd_, &one, sizeof(one));
}

void LogWriter::SetOutput(int fd) {
  const int untaken = next_fd_.exchange(fd);
  if (untaken >= 0) close(untaken);
}

void LogWriter::Flush() {
  const uint64_t wanted = flushes_wanted_.fetch_add(1) + 1;
  Wake();
  for (uint64_t done = flushes_done_.load(); done < wanted; done = flushes_done_.load()) {
    flushes_done_.wait(done);
  }
}

void LogWriter::Run() {
  BeginThread("tl-log", ThreadClass::kService);
  for (;;) {
    const bool stopping = stopping_.load();
    const uint64_t flushes = flushes_wanted_.load();
    const bool all = Drain();
    if (stopping) TellSuppressed(INT64_MAX);
    WriteOut();
    if (flushes_done_.exchange(flushes) != flushes) flushes_done_.notify_all();
    if (stopping) return;
    if (all) Sleep();
  }
}

void LogWriter::AdoptNewRings() {
  const size_t before = rings_.size();
  for (Ring* ring = new_rings_.exchange(nullptr); ring != nullptr;) {
    Ring* next = ring->next;
    rings_.push_back(std::move(ring->self));
    ring = next;
  }
  std::reverse(rings_.begin() + before, rings_.end());  // the list has the newest first
}

// Takes what is in the rings now, oldest record first. What comes meanwhile is for the next pass:
// records that come before it may be in rings that were looked at already. False: there is more.
bool LogWriter::Drain() {
  // In this order: what was logged before now is in this pass, so a second that is over now has no
  // more records.
  const int64_t now_ns = options_.clock();
  const uint64_t end = places_.load();
  AdoptNewRings();
  for (const std::shared_ptr<Ring>& ring : rings_) {
    // Before the last look into it: what a thread logged comes before its end.
    const bool thread_gone = ring->thread_gone.load(std::memory_order_acquire);
    if (thread_gone && ring->cells.Front() == nullptr) {
      TellDropped(*ring);
      ring->writer_gone.store(true);
    }
  }
  std::erase_if(rings_, [](const std::shared_ptr<Ring>& ring) { return ring->writer_gone.load(); });
  bool all = true;
  for (;;) {
    Ring* oldest = nullptr;
    for (const std::shared_ptr<Ring>& ring : rings_) {
      Cell* front = ring->cells.Front();
      if (front == nullptr) continue;
      if (front->place >= end) {
        all = false;
      } else if (oldest == nullptr || front->place < oldest->cells.Front()->place) {
        oldest = ring.get();
      }
    }
    if (oldest == nullptr) break;
    Take(*oldest);
  }
  for (const std::shared_ptr<Ring>& ring : rings_) TellDropped(*ring);
  if (suppressing_ > 0) TellSuppressed(now_ns);
  return all;
}

void LogWriter::Take(Ring& ring) {
  const Cell& cell = *ring.cells.Front();
  taken_[static_cast<size_t>(cell.level)].Add();
  if (Allows(cell)) Append(cell.unix_ns, cell.record());
  ring.cells.Pop();
  if (out_.size() >= kBatchBytes) WriteOut();
}

// Over as well when the clock was set back.
bool LogWriter::IsOver(const Second& second, int64_t now_ns) {
  return now_ns - kSecondNs >= second.start_ns || now_ns < second.start_ns - kSecondNs;
}

bool LogWriter::Allows(const Cell& cell) {
  if (options_.repeats_per_second == 0 || cell.level < LogLevel::kInfo) return true;
  Second& second = seconds_[{cell.phrase.data(), cell.module}];
  if (IsOver(second, cell.unix_ns)) {
    if (second.suppressed > 0) TellSuppressed(cell.unix_ns);
    second = {.start_ns = cell.unix_ns};
  }
  if (second.written < options_.repeats_per_second) {
    ++second.written;
    return true;
  }
  if (second.suppressed++ == 0) ++suppressing_;
  return false;
}

void LogWriter::TellDropped(Ring& ring) {
  const uint64_t dropped = ring.dropped.Get();
  if (dropped == ring.dropped_told) return;
  const LogField count("count", dropped - ring.dropped_told);
  dropped_.Add(dropped - ring.dropped_told);
  ring.dropped_told = dropped;
  AppendOwn(options_.clock(), "records dropped", {&count, 1});
}

// For every phrase whose second is over at `now_ns`.
void LogWriter::TellSuppressed(int64_t now_ns) {
  for (auto& [phrase, second] : seconds_) {
    if (second.suppressed == 0 || !IsOver(second, now_ns)) continue;
    const std::array<LogField, 3> fields = {LogField("module", LogModuleName(phrase.second)),
                                            LogField("phrase", phrase.first),
                                            LogField("count", second.suppressed)};
    AppendOwn(second.start_ns + kSecondNs, "records suppressed", fields);
    second = {};
    --suppressing_;
  }
}

void LogWriter::AppendOwn(int64_t unix_ns, LogKey phrase, absl::Span<const LogField> fields) {
  Append(unix_ns, {.level = LogLevel::kWarning,
                   .module = LogModule::kLog,
                   .phrase = phrase.text(),
                   .fields = fields});
}

void LogWriter::Append(int64_t unix_ns, const LogRecord& record) {
  AppendLogLine(options_.format, unix_ns, record, out_);
  if (options_.observer) options_.observer(unix_ns, record);
}

void LogWriter::TakeOutput() {
  const int next = next_fd_.exchange(-1);
  if (next < 0) return;
  if (owns_fd_) close(fd_);
  fd_ = next;
  owns_fd_ = true;
}

// In pieces that an output takes without blocking once poll says so, so that one that takes nothing
// cannot keep the process from ending, and can be left for another. Of a line that it took a part
// of the other gets the rest.
void LogWriter::WriteOut() {
  TakeOutput();
  std::string_view left = out_;
  int idle_polls = 0;
  while (!left.empty() && !given_up_) {
    pollfd output{.fd = fd_, .events = POLLOUT, .revents = 0};
    if (output.fd < 0) break;  // which poll would take for "never ready"
    if (poll(&output, 1, kPollMs) <= 0) {
      given_up_ = stopping_.load() && ++idle_polls >= kPollsBeforeGivingUp;
      TakeOutput();
      continue;
    }
    std::string_view piece = left.substr(0, kWriteBytes);
    if (const size_t end = piece.rfind('\n'); end != std::string_view::npos) {
      piece = piece.substr(0, end + 1);
    }
    const ssize_t written = write(output.fd, piece.data(), piece.size());
    if (written > 0) {
      left.remove_prefix(static_cast<size_t>(written));
      idle_polls = 0;
    } else if (errno != EINTR && errno != EAGAIN) {
      break;
    }
  }
  dropped_.Add(static_cast<uint64_t>(std::count(left.begin(), left.end(), '\n')));
  out_.clear();
  if (out_.capacity() > 2 * kBatchBytes) out_.shrink_to_fit();
}

// Until somebody wakes us; with suppressed records to tell, until they are due.
void LogWriter::Sleep() {
  sleeping_.store(true);
  const bool quiet = new_rings_.load() == nullptr &&
                     std::all_of(rings_.begin(), rings_.end(),
                                 [](const auto& ring) { return ring->cells.Empty(); });
  if (quiet) {
    pollfd wake{.fd = wake_fd_, .events = POLLIN, .revents = 0};
    poll(&wake, 1, suppressing_ > 0 ? kPollMs : -1);
  }
  sleeping_.store(false);
  uint64_t wakes;
  // Fails when nobody woke us.
  (void)!read(wake_fd_, &wakes, sizeof(wakes));
}

}  // namespace trunkline
