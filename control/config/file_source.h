#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "control/config/document.h"
#include "control/config/problem.h"
#include "google/protobuf/message.h"

namespace trunkline::config {

inline constexpr size_t kConfigBytesMax = 1 << 20;

// A document as read from a file, and where its fields stand there, for problems that are found
// later.
struct FileDocument {
  Document document;
  Positions positions;
  std::vector<Problem> warnings;  // what works, but not as it may be meant
};

// Reads and validates a trunkline.yaml. Names of files in it are made to start at the folder of
// `file`. InvalidArgument: all problems, as FormatProblems writes them. Pure.
absl::StatusOr<FileDocument> ParseDocument(std::string_view text, const std::string& file);

// As ParseDocument, of a text that is a part of a configuration: what it names may be elsewhere, so
// nothing but its form is checked. Pure.
absl::StatusOr<Document> ParsePart(std::string_view text, const std::string& file);

// All that ParseDocument would complain about, with places; none: it would take the text. Pure.
std::vector<Problem> FindProblems(std::string_view text);

// As ParseDocument, of a file of at most kConfigBytesMax.
absl::StatusOr<FileDocument> LoadDocument(const std::string& file);

// Makes the names of files in a spec or section start at `folder`. Pure.
void ResolveFiles(const std::filesystem::path& folder, google::protobuf::Message& message);

}  // namespace trunkline::config
