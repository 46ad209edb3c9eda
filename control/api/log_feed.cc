#include "control/api/log_feed.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "control/config/characters.h"
#include "control/config/text.h"

namespace trunkline::api {
namespace {

constexpr int64_t kSecondNs = 1'000'000'000;

// gRPC speaks of what it does (server.cc); what is said of this would be told by gRPC.
bool IsOfGrpc(const LogRecord& record) {
  return record.module == LogModule::kControl && record.phrase == "grpc";
}

struct ToText {
  std::string operator()(bool value) const { return value ? "true" : "false"; }
  std::string operator()(std::string_view value) const { return config::ToUtf8(value); }
  template <typename Number>
  std::string operator()(Number value) const {
    return config::Concat(value);
  }
};

std::shared_ptr<const v1::LogRecord> ToProto(int64_t unix_ns, const LogRecord& record) {
  auto told = std::make_shared<v1::LogRecord>();
  told->mutable_time()->set_seconds(unix_ns / kSecondNs);
  told->mutable_time()->set_nanos(static_cast<int32_t>(unix_ns % kSecondNs));
  told->set_level(api::ToProto(record.level));
  told->set_module(std::string(LogModuleName(record.module)));
  told->set_message(config::ToUtf8(record.phrase));
  for (const LogField& field : record.fields) {
    (*told->mutable_fields())[std::string(field.key)] = std::visit(ToText(), field.value);
  }
  return told;
}

}  // namespace

v1::LogLevel ToProto(LogLevel level) {
  // In the same order, behind UNSPECIFIED.
  return static_cast<v1::LogLevel>(static_cast<int>(level) + 1);
}

void LogFeed::Push(int64_t unix_ns, const LogRecord& record) {
  if (IsOfGrpc(record)) return;
  auto told = ToProto(unix_ns, record);
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    ring_.push_back(std::move(told));
    ++next_;
    if (ring_.size() > records_max_) ring_.pop_front();
    wake = std::exchange(wake_wanted_, false);
  }
  if (wake) wake_();
}

LogFeed::Batch LogFeed::Read(uint64_t from, size_t records_max) const {
  const std::lock_guard lock(mutex_);
  const uint64_t oldest = next_ - ring_.size();
  Batch batch;
  batch.first = std::clamp(from, oldest, next_);
  const auto begin = ring_.begin() + static_cast<ptrdiff_t>(batch.first - oldest);
  const size_t count = std::min<size_t>(next_ - batch.first, records_max);
  batch.records.assign(begin, begin + static_cast<ptrdiff_t>(count));
  return batch;
}

uint64_t LogFeed::oldest() const {
  const std::lock_guard lock(mutex_);
  return next_ - ring_.size();
}

uint64_t LogFeed::next() const {
  const std::lock_guard lock(mutex_);
  return next_;
}

void LogFeed::WakeAtNext() {
  const std::lock_guard lock(mutex_);
  wake_wanted_ = true;
}

}  // namespace trunkline::api
