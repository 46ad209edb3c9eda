#include "router/base/log_format.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <ctime>

namespace trunkline {
namespace {

constexpr char kHex[] = "0123456789abcdef";

// One character of a text; `bytes` is 0 at a byte that is not UTF-8.
struct Character {
  size_t bytes = 0;
  uint32_t code = 0;
};

Character Decode(std::string_view text) {
  const uint8_t first = static_cast<uint8_t>(text[0]);
  if (first < 0x80) return {1, first};
  const size_t bytes = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < bytes) return {};
  uint32_t code = first & (0xff >> (bytes + 1));
  for (size_t i = 1; i < bytes; ++i) {
    const uint8_t next = static_cast<uint8_t>(text[i]);
    if ((next & 0xc0) != 0x80) return {};
    code = code << 6 | (next & 0x3f);
  }
  constexpr uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code >= 0xd800 && code <= 0xdfff;
  if (code < kLeast[bytes] || code > 0x10ffff || surrogate) return {};
  return {bytes, code};
}

// Control characters, and what some readers take for the end of a line or for the order to write
// backwards.
bool IsUnsafe(uint32_t code) {
  return code < 0x20 || (code >= 0x7f && code < 0xa0) || (code >= 0x2028 && code <= 0x202e) ||
         (code >= 0x2066 && code <= 0x2069);
}

void AppendEscape(uint32_t code, std::string& out) {
  out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) out += kHex[code >> shift & 15];
}

void AppendQuoted(LogFormat format, std::string_view text, std::string& out) {
  out += '"';
  while (!text.empty()) {
    const Character character = Decode(text);
    if (character.bytes == 0) {
      const uint8_t byte = static_cast<uint8_t>(text[0]);
      if (format == LogFormat::kJson) {
        out += "\\ufffd";
      } else {
        out += {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
      }
    } else if (character.code == '"' || character.code == '\\') {
      out += {'\\', text[0]};
    } else if (character.code == '\n') {
      out += "\\n";
    } else if (IsUnsafe(character.code)) {
      AppendEscape(character.code, out);
    } else {
      out += text.substr(0, character.bytes);
    }
    text.remove_prefix(std::max<size_t>(character.bytes, 1));
  }
  out += '"';
}

bool IsPlain(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return c > ' ' && c < 0x7f && c != '"' && c != '\\' && c != '=';
  });
}

template <typename T>
void AppendNumber(T number, std::string& out) {
  std::array<char, 32> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  out.append(digits.data(), end);
}

// Appends a value in one of the formats; called by std::visit.
struct ValueAppender {
  LogFormat format;
  std::string& out;

  void operator()(int64_t value) const { AppendNumber(value, out); }
  void operator()(uint64_t value) const { AppendNumber(value, out); }
  void operator()(bool value) const { out += value ? "true" : "false"; }
  void operator()(double value) const {
    if (format == LogFormat::kJson && !std::isfinite(value)) {
      out += "null";
    } else {
      AppendNumber(value, out);
    }
  }
  void operator()(std::string_view value) const {
    if (format == LogFormat::kText && IsPlain(value)) {
      out += value;
    } else {
      AppendQuoted(format, value, out);
    }
  }
};

void AppendText(const LogRecord& record, std::string& out) {
  out += ' ';
  out += LogLevelName(record.level);
  out += ' ';
  out += LogModuleName(record.module);
  out += ' ';
  AppendQuoted(LogFormat::kText, record.phrase, out);
  for (const LogField& field : record.fields) {
    out += ' ';
    out += field.key;
    out += '=';
    std::visit(ValueAppender{LogFormat::kText, out}, field.value);
  }
}

void AppendJson(const LogRecord& record, std::string& out) {
  out += R"(,"level":")";
  out += LogLevelName(record.level);
  out += R"(","module":")";
  out += LogModuleName(record.module);
  out += R"(","message":)";
  AppendQuoted(LogFormat::kJson, record.phrase, out);
  for (const LogField& field : record.fields) {
    out += ',';
    AppendQuoted(LogFormat::kJson, field.key, out);
    out += ':';
    std::visit(ValueAppender{LogFormat::kJson, out}, field.value);
  }
  out += '}';
}

}  // namespace

void AppendLogLine(LogFormat format, int64_t unix_ns, const LogRecord& record, std::string& out) {
  if (format == LogFormat::kText) {
    AppendTimestamp(unix_ns, out);
    AppendText(record, out);
  } else {
    out += R"({"time":")";
    AppendTimestamp(unix_ns, out);
    out += '"';
    AppendJson(record, out);
  }
  out += '\n';
}

void AppendTimestamp(int64_t unix_ns, std::string& out) {
  constexpr int64_t kSecondNs = 1'000'000'000;
  int64_t seconds = unix_ns / kSecondNs;
  int64_t rest = unix_ns % kSecondNs;
  if (rest < 0) {
    rest += kSecondNs;
    --seconds;
  }
  const time_t time = static_cast<time_t>(seconds);
  std::tm utc{};
  gmtime_r(&time, &utc);
  std::array<char, 64> text;
  const int n = std::snprintf(text.data(), text.size(), "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ",
                              utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour,
                              utc.tm_min, utc.tm_sec, static_cast<int>(rest / 1000));
  out.append(text.data(), static_cast<size_t>(n));
}

}  // namespace trunkline
