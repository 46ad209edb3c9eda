#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "google/protobuf/message.h"

namespace trunkline::cli {

// Rows as people read them: columns as wide as their widest cell, two blanks apart, none behind
// the last. Columns are counted in characters of UTF-8.
class Table {
 public:
  explicit Table(std::vector<std::string> headers);
  void Add(std::vector<std::string> row);
  std::string Text(bool with_headers) const;

 private:
  std::vector<std::vector<std::string>> rows_;  // the first are the headers
};

// A column of messages: what it is called, and the path of the field that it shows,
// "spec.tls_profile".
struct Column {
  std::string_view header;
  std::string_view path;
};

// The value of a field as people read it: "-" if it is not set, enums by their short names, lists
// with commas, references and names by their ids, times as ages at `now` (seconds since 1970).
std::string CellOf(const google::protobuf::Message& message, std::string_view path, int64_t now);

// "45s", "12m", "3h", "5d".
std::string Age(int64_t seconds);

}  // namespace trunkline::cli
