#include "control/config/schema.h"

#include <algorithm>
#include <array>
#include <limits>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "control/config/text.h"

namespace trunkline::config {
namespace {

struct Unit {
  std::string_view name;
  int64_t milliseconds;
};
constexpr std::array<Unit, 4> kUnits = {{{"h", 3'600'000}, {"m", 60'000}, {"s", 1000}, {"ms", 1}}};

// More digits than any duration needs; what fits into them times an hour fits into 64 bits.
constexpr size_t kDurationDigitsMax = 12;

// RouteContainer → ROUTE_CONTAINER: the prefix that values of an enum have.
std::string UpperSnake(std::string_view name) {
  std::string upper;
  for (char c : name) {
    if (absl::ascii_isupper(c) && !upper.empty()) upper.push_back('_');
    upper.push_back(absl::ascii_toupper(c));
  }
  return upper;
}

// Takes the characters at the front of `text` that are, or are not, digits.
std::string_view Take(std::string_view& text, bool digits) {
  size_t n = 0;
  while (n < text.size() && absl::ascii_isdigit(text[n]) == digits) ++n;
  const std::string_view taken = text.substr(0, n);
  text.remove_prefix(n);
  return taken;
}

bool ParseNumber(std::string_view text, int64_t& number) {
  return absl::SimpleAtoi(internal::Piece(text), &number);
}

}  // namespace

const v1::FieldRules& RulesOf(const google::protobuf::FieldDescriptor& field) {
  return field.options().GetExtension(v1::rules);
}

bool IsDuration(const google::protobuf::FieldDescriptor& field) {
  return field.cpp_type() == google::protobuf::FieldDescriptor::CPPTYPE_MESSAGE &&
         field.message_type() == google::protobuf::Duration::descriptor();
}

std::string ShortName(const google::protobuf::EnumValueDescriptor& value) {
  const std::string prefix = UpperSnake(value.type()->name()) + "_";
  std::string_view name = value.name();
  if (name.starts_with(prefix)) name.remove_prefix(prefix.size());
  return absl::AsciiStrToLower(internal::Piece(name));
}

std::vector<std::string> ShortNames(const google::protobuf::EnumDescriptor& type) {
  std::vector<std::string> names;
  for (int i = 0; i < type.value_count(); ++i) {
    if (type.value(i)->number() != 0) names.push_back(ShortName(*type.value(i)));
  }
  return names;
}

const google::protobuf::EnumValueDescriptor* FindByShortName(
    const google::protobuf::EnumDescriptor& type, std::string_view name) {
  for (int i = 0; i < type.value_count(); ++i) {
    if (type.value(i)->number() != 0 && ShortName(*type.value(i)) == name) return type.value(i);
  }
  return nullptr;
}

std::optional<google::protobuf::Duration> ParseDuration(std::string_view text) {
  int64_t total = 0;
  size_t next_unit = 0;
  if (text.empty()) return std::nullopt;
  while (!text.empty()) {
    const std::string_view digits = Take(text, true);
    const std::string_view name = Take(text, false);
    const auto unit = std::find_if(kUnits.begin() + next_unit, kUnits.end(),
                                   [&](const Unit& u) { return u.name == name; });
    int64_t number = 0;
    if (unit == kUnits.end() || digits.empty() || digits.size() > kDurationDigitsMax ||
        !ParseNumber(digits, number)) {
      return std::nullopt;
    }
    total += number * unit->milliseconds;
    next_unit = static_cast<size_t>(unit - kUnits.begin()) + 1;
  }
  google::protobuf::Duration duration;
  duration.set_seconds(total / 1000);
  duration.set_nanos(static_cast<int32_t>(total % 1000) * 1'000'000);
  return duration;
}

std::string FormatDuration(int64_t milliseconds) {
  if (milliseconds == 0) return "0s";
  std::string text = milliseconds < 0 ? "-" : "";
  int64_t rest = std::abs(milliseconds);
  for (const Unit& unit : kUnits) {
    if (rest / unit.milliseconds > 0) text += Concat(rest / unit.milliseconds, unit.name);
    rest %= unit.milliseconds;
  }
  return text;
}

int64_t ToMilliseconds(const google::protobuf::Duration& duration) {
  constexpr int64_t kSecondsMax = std::numeric_limits<int64_t>::max() / 1000 - 1;
  const int64_t seconds = std::clamp(duration.seconds(), -kSecondsMax, kSecondsMax);
  return seconds * 1000 + duration.nanos() / 1'000'000;
}

std::optional<HostPort> ParseHostPort(std::string_view text) {
  HostPort result;
  std::string_view port;
  const bool bracketed = text.starts_with('[');
  const size_t host_end = bracketed ? text.find(']') : text.find(':');
  if (bracketed && host_end == std::string_view::npos) return std::nullopt;
  if (host_end == std::string_view::npos) {
    result.host = std::string(text);
  } else {
    result.host = std::string(text.substr(bracketed ? 1 : 0, host_end - (bracketed ? 1 : 0)));
    port = text.substr(bracketed ? host_end + 1 : host_end);
  }
  if (result.host.empty()) return std::nullopt;
  if (port.empty()) return result;
  int64_t number = 0;
  const bool digits = port.size() > 1 && port.size() <= 6 &&
                      std::all_of(port.begin() + 1, port.end(),
                                  [](unsigned char c) { return absl::ascii_isdigit(c); });
  if (port.front() != ':' || !digits || !ParseNumber(port.substr(1), number)) return std::nullopt;
  if (number < 1 || number > std::numeric_limits<uint16_t>::max()) return std::nullopt;
  result.port = static_cast<uint16_t>(number);
  return result;
}

}  // namespace trunkline::config
