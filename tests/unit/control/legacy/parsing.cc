#include "parsing.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace trunkline::legacy {

absl::StatusOr<config::FileDocument> Parse(std::string_view text) {
  return ParseQdrouterdConf(text, "q.conf",
                            [](const std::string& file) -> absl::StatusOr<std::string> {
                              return absl::NotFoundError(absl::StrCat(file, ": is not there"));
                            });
}

std::string Errors(std::string_view text) { return std::string(Parse(text).status().message()); }

std::string Warnings(std::string_view text) {
  const auto parsed = Parse(text);
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  std::string all;
  if (!parsed.ok()) return all;
  for (const config::Problem& warning : parsed->warnings) {
    absl::StrAppend(&all, warning.at.line, ":", warning.at.column, " ", warning.path, ": ",
                    warning.text, "\n");
  }
  return all;
}

std::string With(const std::string& section, const std::string& line) {
  std::string text = "sslProfile {\nname: tls\ncertFile: /c\nprivateKeyFile: /k\n";
  if (section == "sslProfile") return absl::StrCat(text, line, "\n}\n");
  absl::StrAppend(&text, "}\n", section, " {\n");
  if (section == "listener" || section == "connector") absl::StrAppend(&text, "name: a\n");
  if (section == "log") absl::StrAppend(&text, "module: DEFAULT\n");
  return absl::StrCat(text, line, "\n}\n");
}

}  // namespace trunkline::legacy
