#include "control/cli/output.h"

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "control/cli/values.h"
#include "control/config/collection.h"
#include "control/config/resource.h"
#include "control/config/text.h"
#include "control/config/yaml_write.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/util/json_util.h"
#include "google/protobuf/util/type_resolver_util.h"
#include "router/base/status.h"

namespace trunkline::cli {
namespace {

using config::Concat;
using config::Quote;
using google::protobuf::Message;
using google::protobuf::Value;

constexpr std::string_view kJsonPathPrefix = "jsonpath=";
constexpr char kTypeUrl[] = "type.googleapis.com";

struct FormName {
  std::string_view name;
  Output::Form form;
};
constexpr FormName kForms[] = {{"table", Output::Form::kTable}, {"wide", Output::Form::kWide},
                               {"json", Output::Form::kJson},   {"yaml", Output::Form::kYaml},
                               {"csv", Output::Form::kCsv},     {"name", Output::Form::kName}};

// A document of resources is one that `trunkctl apply` takes; others are lists of their fields.
std::string YamlOf(const Output::Messages& messages) {
  config::Document document;
  std::string text;
  for (const Message* message : messages) {
    const config::Collection* const collection = config::FindCollection(*message->GetDescriptor());
    if (collection != nullptr) {
      collection->Put(document, *message);
      continue;
    }
    std::string lines = config::WriteYaml(*message, 2);
    if (lines.size() > 1) lines[0] = '-';
    text += lines;
  }
  return text.empty() ? config::WriteYaml(document) : text;
}

// Maps in the order of their keys: the same message is the same text, today and tomorrow.
std::string OrderedBytesOf(const Message& message) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream out(&stream);
    out.SetSerializationDeterministic(true);
    message.SerializePartialToCodedStream(&out);
  }
  return bytes;
}

// One line, whatever others have put into the name.
std::string NameLine(const Message& resource) {
  std::string line = Printable(config::NameOf(resource));
  std::replace(line.begin(), line.end(), '\n', '?');
  return line + "\n";
}

// A step of a path: a name, an index, or all elements.
struct Step {
  std::string name;
  int index = -1;  // -1: not by index; -2: all
};

absl::Status BadPath(std::string_view path) {
  return absl::InvalidArgumentError(
      Concat("--output: ", Quote(path), " is no path such as {.spec.port} or {.a.b[0].c[*]}"));
}

absl::StatusOr<std::vector<Step>> StepsOf(std::string_view path) {
  const std::string_view whole = path;
  if (path.starts_with('{') && path.ends_with('}')) path = path.substr(1, path.size() - 2);
  if (path.starts_with('$')) path.remove_prefix(1);
  std::vector<Step> steps;
  while (!path.empty()) {
    if (path.front() == '.') {
      const std::string_view name = path.substr(1, path.find_first_of(".[", 1) - 1);
      if (name.empty()) return BadPath(whole);
      steps.push_back({std::string(name)});
      path.remove_prefix(1 + name.size());
    } else if (const size_t end = path.find(']'); path.front() == '[' && end != path.npos) {
      const std::string_view inside = path.substr(1, end - 1);
      Step step;
      if (inside == "*") {
        step.index = -2;
      } else if (!absl::SimpleAtoi(config::internal::Piece(inside), &step.index) ||
                 step.index < 0) {
        return BadPath(whole);
      }
      steps.push_back(step);
      path.remove_prefix(end + 1);
    } else {
      return BadPath(whole);
    }
  }
  if (steps.empty()) return BadPath(whole);
  return steps;
}

std::string TextOf(const Value& value) {
  switch (value.kind_case()) {
    case Value::kStringValue:
      return value.string_value();
    case Value::kNumberValue:
      return config::NumberText(value.number_value());
    case Value::kBoolValue:
      return value.bool_value() ? "true" : "false";
    default: {
      const std::string json = JsonOf(value, Layout::kOneLine);
      return json.substr(0, json.find_last_not_of('\n') + 1);
    }
  }
}

void Follow(const Value& value, absl::Span<const Step> steps, std::string& text) {
  if (steps.empty()) {
    absl::StrAppend(&text, TextOf(value), "\n");
    return;
  }
  const Step& step = steps.front();
  const absl::Span<const Step> rest = steps.subspan(1);
  if (!step.name.empty()) {
    const auto found = value.struct_value().fields().find(step.name);
    if (found != value.struct_value().fields().end()) Follow(found->second, rest, text);
    return;
  }
  const auto& elements = value.list_value().values();
  for (int i = 0; i < elements.size(); ++i) {
    if (step.index == -2 || step.index == i) Follow(elements[i], rest, text);
  }
}

}  // namespace

absl::StatusOr<Output> Output::For(const Session& session) {
  Output output;
  const std::string word = session.arguments().Get("output", "table");
  if (word.starts_with(kJsonPathPrefix)) {
    output.form_ = Form::kJsonPath;
    output.path_ = word.substr(kJsonPathPrefix.size());
    TL_RETURN_IF_ERROR(StepsOf(output.path_).status());
    return output;
  }
  for (const FormName& each : kForms) {
    if (each.name != word) continue;
    output.form_ = each.form;
    return output;
  }
  return absl::InvalidArgumentError(Concat(
      "--output: ", Quote(word), " is not one of table, wide, json, yaml, csv, name, jsonpath=…"));
}

void Output::Print(const Session& session, const Messages& messages,
                   const std::vector<Column>& columns, std::string_view nouns,
                   Number number) const {
  if (messages.empty() && IsTable()) {
    return session.Note(Concat("no ", nouns, "\n"));
  }
  const std::string text = Text(session, messages, columns, number);
  // Programs get texts of others as they are; a terminal would obey them.
  const bool is_seen = !IsTable() && ::isatty(STDOUT_FILENO) == 1;
  session.Print(is_seen ? Printable(text) : text);
}

std::string Output::Text(const Session& session, const Messages& messages,
                         const std::vector<Column>& columns, Number number) const {
  std::string text;
  switch (form_) {
    case Form::kTable:
    case Form::kWide:
    case Form::kCsv:
      return TableText(session, messages, columns);
    case Form::kJson:
      return number == Number::kOne && messages.size() == 1 ? JsonOf(*messages.front())
                                                            : JsonOfMany(messages);
    case Form::kYaml:
      return YamlOf(messages);
    case Form::kName:
      for (const Message* each : messages) text += NameLine(*each);
      return text;
    case Form::kJsonPath:
      for (const Message* each : messages) text += *ByJsonPath(*each, path_);
      return text;
  }
  return text;
}

std::vector<std::string> Output::Headers(const std::vector<Column>& columns) const {
  std::vector<std::string> headers;
  for (const Column& column : columns) {
    if (form_ != Form::kTable || !column.wide) headers.emplace_back(column.header);
  }
  return headers;
}

std::vector<std::string> Output::Row(const Message& message,
                                     const std::vector<Column>& columns) const {
  const int64_t now = ::time(nullptr);
  const Reader reader = form_ == Form::kCsv ? Reader::kProgram : Reader::kPerson;
  std::vector<std::string> row;
  for (const Column& column : columns) {
    if (form_ == Form::kTable && column.wide) continue;
    row.push_back(CellOf(message, column.path, now, reader));
  }
  return row;
}

std::string Output::TableText(const Session& session, const Messages& messages,
                              const std::vector<Column>& columns) const {
  Table table(Headers(columns));
  for (const Message* message : messages) table.Add(Row(*message, columns));
  const bool with_headers = !session.arguments().Has("no-headers");
  return form_ == Form::kCsv ? table.Csv(with_headers)
                             : table.Text(with_headers, session.colours());
}

std::string JsonOf(const Message& message, Layout layout) {
  static auto* const types = google::protobuf::util::NewTypeResolverForDescriptorPool(
      kTypeUrl, google::protobuf::DescriptorPool::generated_pool());
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = layout == Layout::kLines;
  options.preserve_proto_field_names = true;
  std::string text;
  const auto status = google::protobuf::util::BinaryToJsonString(
      types, Concat(kTypeUrl, "/", message.GetDescriptor()->full_name()), OrderedBytesOf(message),
      &text, options);
  if (!status.ok()) return status.ToString() + "\n";
  return text.ends_with('\n') ? text : text + "\n";
}

std::string JsonOfMany(const Output::Messages& messages) {
  if (messages.empty()) return "[]\n";
  std::vector<std::string> texts;
  for (const Message* message : messages) {
    std::string text = JsonOf(*message);
    texts.push_back(text.substr(0, text.find_last_not_of('\n') + 1));
  }
  return Concat("[\n", absl::StrJoin(texts, ",\n"), "\n]\n");
}

absl::StatusOr<bool> WantsJson(const Session& session) {
  TL_RETURN_IF_ERROR(ExpectForm(session.arguments(), "table json"));
  return session.arguments().Get("output") == "json";
}

absl::StatusOr<std::string> ByJsonPath(const Message& message, std::string_view path) {
  TL_ASSIGN_OR_RETURN(const std::vector<Step> steps, StepsOf(path));
  Value value;
  const auto status = google::protobuf::util::JsonStringToMessage(JsonOf(message), &value);
  if (!status.ok()) return absl::InternalError(status.ToString());
  std::string text;
  Follow(value, steps, text);
  return text;
}

}  // namespace trunkline::cli
