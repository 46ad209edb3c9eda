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
  enum class Colours { kOff, kOn };

  explicit Table(std::vector<std::string> headers);
  void Add(std::vector<std::string> row);
  size_t size() const { return rows_.size() - 1; }
  std::string Text(bool with_headers, Colours colours = Colours::kOff) const;
  // As Text, of the rows that it has not been asked for yet: for those that come one by one. Their
  // columns are never narrower than before.
  std::string Next(bool with_headers, Colours colours = Colours::kOff);
  // A column is at least so wide.
  void Widen(size_t column, size_t characters);
  // As RFC 4180 has it.
  std::string Csv(bool with_headers) const;

 private:
  std::vector<size_t> Widths(bool with_headers) const;

  std::vector<std::vector<std::string>> rows_;  // the first are the headers
  std::vector<size_t> widths_;                  // that columns have at least
  bool headers_told_ = false;
};

// A column of messages: what it is called, and the path of the field that it shows,
// "spec.tls_profile". Of repeated messages: of each of them.
struct Column {
  std::string_view header;
  std::string_view path;
  bool wide = false;  // only where there is room
};

// How a cell is written: for people as CellOf says; for programs with empty cells for what is not
// set, and times as they are.
enum class Reader { kPerson, kProgram };

// The value of a field: "-" if it is not set and has no default, enums by their short names, lists
// with commas, references and names by their ids, times as ages at `now` (seconds since
// 1970), "in 3d" where they are to come.
std::string CellOf(const google::protobuf::Message& message, std::string_view path, int64_t now,
                   Reader reader = Reader::kPerson);

// Text of others without what a terminal would obey: control characters but line ends become
// "?".
std::string Printable(std::string_view text);

// "45s", "12m", "3h", "5d".
std::string Age(int64_t seconds);

}  // namespace trunkline::cli
