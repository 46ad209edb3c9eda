#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "router/base/log.h"

namespace trunkline {

// How a record looks, as one line that ends in a newline whatever the record contains. Text:
//   2026-11-22T10:52:14.062852Z info net "lane up" peer=a lane=3
// where a value is quoted unless it is plain, and JSON:
//   {"time":"2026-11-22T10:52:14.062852Z","level":"info","module":"net","message":"lane up",...}
// Control characters are escaped in both, so nobody can forge a line or reach the terminal; bytes
// that are not UTF-8 become \xHH in text and U+FFFD in JSON.
enum class LogFormat : uint8_t { kText, kJson };

// Appends the line to `out`. `unix_ns`: when it was logged, nanoseconds since 1970, UTC.
void AppendLogLine(LogFormat format, int64_t unix_ns, const LogRecord& record, std::string& out);

// "2026-11-22T10:52:14.062852Z".
void AppendTimestamp(int64_t unix_ns, std::string& out);

}  // namespace trunkline
