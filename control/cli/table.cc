#include "control/cli/table.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_join.h"
#include "control/config/document.h"
#include "control/config/schema.h"
#include "control/config/text.h"
#include "google/protobuf/timestamp.pb.h"
#include "google/protobuf/util/time_util.h"

namespace trunkline::cli {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

constexpr char kNothing[] = "-";

size_t Characters(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

// What a word says of how somebody is: the colour of cells below STATE and the like.
std::string_view ColourOf(std::string_view cell) {
  constexpr struct {
    std::string_view word;
    std::string_view colour;
  } kWords[] = {{"listening", "\033[32m"}, {"open", "\033[32m"},     {"good", "\033[32m"},
                {"created", "\033[32m"},   {"failed", "\033[31m"},   {"bad", "\033[31m"},
                {"deleted", "\033[31m"},   {"refused", "\033[31m"},  {"connecting", "\033[33m"},
                {"backoff", "\033[33m"},   {"draining", "\033[33m"}, {"pending", "\033[33m"},
                {"warning", "\033[33m"},   {"changed", "\033[33m"},  {"modified", "\033[33m"},
                {"added", "\033[32m"}};
  for (const auto& [word, colour] : kWords) {
    if (cell == word) return colour;
  }
  return "";
}

bool IsColoured(std::string_view header) {
  return header == "STATE" || header == "ACTION" || header == "EVENT" || header == "RESULT";
}

std::string CsvCell(const std::string& cell) {
  if (cell.find_first_of(",\"\r\n") == std::string::npos) return cell;
  std::string quoted = "\"";
  for (const char c : cell) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + "\"";
}

// Reads cells out of messages. Short-lived.
class Cells {
 public:
  Cells(int64_t now, Reader reader) : now_(now), reader_(reader) {}
  // Empty: there is no value.
  std::string Of(const Message& message, std::string_view path) const;

 private:
  std::string Value(const Message& message, const FieldDescriptor& field, int index) const;
  std::string InnerValue(const Message& inner, const FieldDescriptor& field) const;
  std::string Text(const FieldDescriptor& field, const std::string& text) const;

  const int64_t now_;
  const Reader reader_;
};

std::string Cells::Of(const Message& message, std::string_view path) const {
  const size_t dot = path.find('.');
  const FieldDescriptor* const field =
      message.GetDescriptor()->FindFieldByName(std::string(path.substr(0, dot)));
  if (field == nullptr) return "";
  const Reflection& reflection = *message.GetReflection();
  const bool ends = dot == std::string_view::npos;
  if (!field->is_repeated()) {
    return ends ? Value(message, *field, -1)
                : Of(reflection.GetMessage(message, field), path.substr(dot + 1));
  }
  std::vector<std::string> cells;
  for (int i = 0; i < reflection.FieldSize(message, field); ++i) {
    cells.push_back(
        ends ? Value(message, *field, i)
             : Of(reflection.GetRepeatedMessage(message, field, i), path.substr(dot + 1)));
  }
  return absl::StrJoin(cells, ",");
}

// Of element `index`; -1: the field is not repeated.
std::string Cells::Value(const Message& message, const FieldDescriptor& field, int index) const {
  const Reflection& reflection = *message.GetReflection();
  const bool many = index >= 0;
  if (!many && field.has_presence() && !reflection.HasField(message, &field)) {
    return config::RulesOf(field).default_value();
  }
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL: {
      const bool flag = many ? reflection.GetRepeatedBool(message, &field, index)
                             : reflection.GetBool(message, &field);
      return flag ? "yes" : "no";
    }
    case FieldDescriptor::CPPTYPE_INT32:
      return absl::StrCat(many ? reflection.GetRepeatedInt32(message, &field, index)
                               : reflection.GetInt32(message, &field));
    case FieldDescriptor::CPPTYPE_INT64:
      return absl::StrCat(many ? reflection.GetRepeatedInt64(message, &field, index)
                               : reflection.GetInt64(message, &field));
    case FieldDescriptor::CPPTYPE_UINT32:
      return absl::StrCat(many ? reflection.GetRepeatedUInt32(message, &field, index)
                               : reflection.GetUInt32(message, &field));
    case FieldDescriptor::CPPTYPE_UINT64:
      return absl::StrCat(many ? reflection.GetRepeatedUInt64(message, &field, index)
                               : reflection.GetUInt64(message, &field));
    case FieldDescriptor::CPPTYPE_ENUM: {
      const auto& value = many ? *reflection.GetRepeatedEnum(message, &field, index)
                               : *reflection.GetEnum(message, &field);
      return value.number() == 0 ? config::RulesOf(field).default_value()
                                 : config::ShortName(value);
    }
    case FieldDescriptor::CPPTYPE_STRING:
      return Text(field, many ? reflection.GetRepeatedString(message, &field, index)
                              : reflection.GetString(message, &field));
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return InnerValue(many ? reflection.GetRepeatedMessage(message, &field, index)
                             : reflection.GetMessage(message, &field),
                        field);
    default:
      return "";
  }
}

std::string Cells::InnerValue(const Message& inner, const FieldDescriptor& field) const {
  if (config::IsDuration(field)) {
    return config::FormatDuration(
        config::ToMilliseconds(static_cast<const google::protobuf::Duration&>(inner)));
  }
  if (field.is_map()) {
    const auto& entry = *inner.GetDescriptor();
    return config::Concat(Value(inner, *entry.map_key(), -1), "=",
                          Value(inner, *entry.map_value(), -1));
  }
  if (const auto* time = dynamic_cast<const google::protobuf::Timestamp*>(&inner)) {
    if (reader_ == Reader::kProgram) return google::protobuf::util::TimeUtil::ToString(*time);
    // Other clocks may be a little ahead.
    const int64_t age = now_ - time->seconds();
    return age < -2 ? "in " + Age(-age) : Age(age);
  }
  return "";
}

std::string Cells::Text(const FieldDescriptor& field, const std::string& text) const {
  const bool is_name = field.name() == "name" || !config::RulesOf(field).reference().empty();
  const std::string_view id = is_name ? config::ResourceId(text) : text;
  // Of what belongs to others ("connections/1/links/2") the whole name says which it is.
  return id.find('/') == id.npos ? std::string(id) : text;
}

}  // namespace

Table::Table(std::vector<std::string> headers) : widths_(headers.size()) {
  rows_.push_back(std::move(headers));
}

void Table::Add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }

void Table::Widen(size_t column, size_t characters) {
  widths_[column] = std::max(widths_[column], characters);
}

std::vector<size_t> Table::Widths(bool with_headers) const {
  std::vector<size_t> widths = widths_;
  for (size_t i = with_headers ? 0 : 1; i < rows_.size(); ++i) {
    for (size_t j = 0; j < widths.size(); ++j) {
      widths[j] = std::max(widths[j], Characters(rows_[i][j]));
    }
  }
  return widths;
}

std::string Table::Next(bool with_headers, Colours colours) {
  with_headers = with_headers && !std::exchange(headers_told_, true);
  std::string text = Text(with_headers, colours);
  widths_ = Widths(with_headers);
  rows_.resize(1);
  return text;
}

std::string Table::Text(bool with_headers, Colours colours) const {
  const std::vector<std::string>& headers = rows_.front();
  const std::vector<size_t> widths = Widths(with_headers);
  std::string text;
  for (size_t i = with_headers ? 0 : 1; i < rows_.size(); ++i) {
    size_t blanks = 0;
    for (size_t j = 0; j < widths.size(); ++j) {
      const std::string& cell = rows_[i][j];
      const std::string_view colour =
          i > 0 && colours == Colours::kOn && IsColoured(headers[j]) ? ColourOf(cell) : "";
      if (cell.empty()) {
        blanks += widths[j] + 2;
        continue;
      }
      text.append(blanks, ' ');
      text += config::Concat(colour, cell, colour.empty() ? "" : "\033[0m");
      blanks = widths[j] - Characters(cell) + 2;
    }
    text += '\n';
  }
  return text;
}

std::string Table::Csv(bool with_headers) const {
  std::string text;
  for (size_t i = with_headers ? 0 : 1; i < rows_.size(); ++i) {
    for (size_t j = 0; j < rows_[i].size(); ++j) {
      text += (j == 0 ? "" : ",") + CsvCell(rows_[i][j]);
    }
    text += '\n';
  }
  return text;
}

std::string CellOf(const Message& message, std::string_view path, int64_t now, Reader reader) {
  std::string cell = Cells(now, reader).Of(message, path);
  if (reader == Reader::kProgram) return cell;
  if (cell.empty()) return kNothing;
  std::replace(cell.begin(), cell.end(), '\n', ' ');
  return Printable(cell);
}

std::string Printable(std::string_view text) {
  std::string printable;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    // The second half of control characters, U+0080 to U+009F, is 0xC2 and one of these.
    const bool is_wide =
        c == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0;
    if (is_wide) ++i;
    printable += is_wide || (c < 0x20 && c != '\n') || c == 0x7F ? '?' : text[i];
  }
  return printable;
}

std::string Age(int64_t seconds) {
  seconds = std::max<int64_t>(seconds, 0);
  if (seconds < 120) return absl::StrCat(seconds, "s");
  if (seconds < 120 * 60) return absl::StrCat(seconds / 60, "m");
  if (seconds < 48 * 3600) return absl::StrCat(seconds / 3600, "h");
  return absl::StrCat(seconds / 86400, "d");
}

}  // namespace trunkline::cli
