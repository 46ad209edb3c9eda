#include "control/cli/table.h"

#include <algorithm>

#include "absl/strings/str_join.h"
#include "control/config/document.h"
#include "control/config/schema.h"
#include "control/config/text.h"
#include "google/protobuf/timestamp.pb.h"

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

std::string TextCell(const FieldDescriptor& field, const std::string& text) {
  const bool is_name = field.name() == "name" || !config::RulesOf(field).reference().empty();
  if (text.empty()) return kNothing;
  return is_name ? std::string(config::ResourceId(text)) : text;
}

std::string OneCell(const Message& message, const FieldDescriptor& field, int64_t now) {
  const Reflection& reflection = *message.GetReflection();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL:
      return reflection.GetBool(message, &field) ? "yes" : "no";
    case FieldDescriptor::CPPTYPE_INT32:
      return absl::StrCat(reflection.GetInt32(message, &field));
    case FieldDescriptor::CPPTYPE_INT64:
      return absl::StrCat(reflection.GetInt64(message, &field));
    case FieldDescriptor::CPPTYPE_UINT32:
      return absl::StrCat(reflection.GetUInt32(message, &field));
    case FieldDescriptor::CPPTYPE_UINT64:
      return absl::StrCat(reflection.GetUInt64(message, &field));
    case FieldDescriptor::CPPTYPE_ENUM: {
      const auto& value = *reflection.GetEnum(message, &field);
      return value.number() == 0 ? kNothing : config::ShortName(value);
    }
    case FieldDescriptor::CPPTYPE_STRING:
      return TextCell(field, reflection.GetString(message, &field));
    case FieldDescriptor::CPPTYPE_MESSAGE: {
      if (!reflection.HasField(message, &field)) return kNothing;
      const Message& inner = reflection.GetMessage(message, &field);
      if (config::IsDuration(field)) {
        return config::FormatDuration(
            config::ToMilliseconds(static_cast<const google::protobuf::Duration&>(inner)));
      }
      if (const auto* time = dynamic_cast<const google::protobuf::Timestamp*>(&inner)) {
        return Age(now - time->seconds());
      }
      return kNothing;
    }
    default:
      return kNothing;
  }
}

std::string ListCell(const Message& message, const FieldDescriptor& field) {
  std::vector<std::string> cells;
  for (int i = 0; i < message.GetReflection()->FieldSize(message, &field); ++i) {
    cells.push_back(message.GetReflection()->GetRepeatedString(message, &field, i));
  }
  return cells.empty() ? kNothing : absl::StrJoin(cells, ",");
}

}  // namespace

Table::Table(std::vector<std::string> headers) { rows_.push_back(std::move(headers)); }

void Table::Add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }

std::string Table::Text(bool with_headers) const {
  std::vector<size_t> widths(rows_.front().size());
  for (size_t i = with_headers ? 0 : 1; i < rows_.size(); ++i) {
    for (size_t j = 0; j < widths.size(); ++j) {
      widths[j] = std::max(widths[j], Characters(rows_[i][j]));
    }
  }
  std::string text;
  for (size_t i = with_headers ? 0 : 1; i < rows_.size(); ++i) {
    std::string line;
    for (size_t j = 0; j < widths.size(); ++j) {
      line += rows_[i][j];
      line.append(widths[j] - Characters(rows_[i][j]) + 2, ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

std::string CellOf(const Message& message, std::string_view path, int64_t now) {
  const size_t dot = path.find('.');
  const FieldDescriptor* const field =
      message.GetDescriptor()->FindFieldByName(std::string(path.substr(0, dot)));
  if (field == nullptr) return kNothing;
  if (dot == std::string_view::npos) {
    return field->is_repeated() ? ListCell(message, *field) : OneCell(message, *field, now);
  }
  return CellOf(message.GetReflection()->GetMessage(message, field), path.substr(dot + 1), now);
}

std::string Age(int64_t seconds) {
  seconds = std::max<int64_t>(seconds, 0);
  if (seconds < 120) return absl::StrCat(seconds, "s");
  if (seconds < 120 * 60) return absl::StrCat(seconds / 60, "m");
  if (seconds < 48 * 3600) return absl::StrCat(seconds / 3600, "h");
  return absl::StrCat(seconds / 86400, "d");
}

}  // namespace trunkline::cli
