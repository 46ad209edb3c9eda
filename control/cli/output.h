#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "control/cli/session.h"
#include "control/cli/table.h"
#include "google/protobuf/message.h"

namespace trunkline::cli {

// Messages in the form that --output asks for.
class Output {
 public:
  using Messages = std::vector<const google::protobuf::Message*>;
  enum class Form { kTable, kWide, kJson, kYaml, kCsv, kName, kJsonPath };
  // Whether one was asked for by name, or any number: a program that reads JSON gets a list then.
  enum class Number { kOne, kMany };

  // InvalidArgument: there is no such form.
  static absl::StatusOr<Output> For(const Session& session);

  Form form() const { return form_; }
  // `columns` are those of tables and CSV. `nouns` is how people call them, "listeners". What a
  // terminal would obey is not told to one.
  void Print(const Session& session, const Messages& messages, const std::vector<Column>& columns,
             std::string_view nouns, Number number) const;
  // What is printed where there is no terminal. Of names, each is one line.
  std::string Text(const Session& session, const Messages& messages,
                   const std::vector<Column>& columns, Number number) const;

  bool IsTable() const { return form_ == Form::kTable || form_ == Form::kWide; }
  // Of a table in this form.
  std::vector<std::string> Headers(const std::vector<Column>& columns) const;
  std::vector<std::string> Row(const google::protobuf::Message& message,
                               const std::vector<Column>& columns) const;

 private:
  std::string TableText(const Session& session, const Messages& messages,
                        const std::vector<Column>& columns) const;

  Form form_ = Form::kTable;
  std::string path_;  // of kJsonPath
};

enum class Layout { kLines, kOneLine };
std::string JsonOf(const google::protobuf::Message& message, Layout layout = Layout::kLines);
// As one list.
std::string JsonOfMany(const Output::Messages& messages);

// Of commands that know two forms: JSON, or what people read. InvalidArgument: --output says
// another.
absl::StatusOr<bool> WantsJson(const Session& session);

// What a path says of a message, by the names of its JSON: a line for each value. The part of
// JSONPath that people use: `{.spec.port}`, `.status.bound_addresses[0]`, `[*]`, `.labels.team`.
// InvalidArgument: it is no such path. What is not there gives no line.
absl::StatusOr<std::string> ByJsonPath(const google::protobuf::Message& message,
                                       std::string_view path);

}  // namespace trunkline::cli
