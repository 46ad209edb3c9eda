#pragma once

#include <string>

#include "control/config/document.h"
#include "google/protobuf/message.h"

namespace trunkline::config {

// The opposite of file_source: a document as a trunkline.yaml, which ParseDocument reads as an
// equal document. Of what resources carry about themselves, names, legacy names and labels are
// written; what is not set is left out. Pure.
std::string WriteYaml(const Document& document);

// One message in the same form: its fields that are set, `indent` blanks before each line.
std::string WriteYaml(const google::protobuf::Message& message, int indent = 0);

// A number as YAML and JSON write it, with all its digits: whole numbers up to 2^53 in full,
// others in the shortest form that is read as the same.
std::string NumberText(double number);

}  // namespace trunkline::config
