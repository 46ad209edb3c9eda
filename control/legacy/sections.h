#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "control/config/problem.h"

namespace trunkline::legacy {

// What reading found, in any of its steps.
struct Report {
  std::vector<config::Problem> problems;
  std::vector<config::Problem> warnings;
  // Where the fields of the document stand, by their paths there: "listeners[amqp].port".
  config::Positions positions;
  // What the file calls them, likewise: "listener.port".
  std::map<std::string, std::string> names;
};

// "idleTimeoutSeconds: 60".
struct Attribute {
  std::string name;     // in camelCase, however it is written
  std::string value;    // empty if the value is no plain text
  bool is_text = true;  // else a map or list
  config::Position at;
  config::Position value_at;
};

// "listener {", its attributes, "}". Each attribute is there once.
struct Section {
  std::string name;
  config::Position at;
  std::vector<Attribute> attributes;

  const Attribute* Find(std::string_view attribute) const;
};

// Whether `text` is a qdrouterd.conf, in either of its forms, rather than a trunkline.yaml: by the
// first line that is neither empty nor a comment. "WORD {" opens a section, "[" the JSON form.
bool IsLegacyText(std::string_view text);

// The sections of a qdrouterd.conf, in their order. What is no section or attribute is a problem
// and left out; problems never hold what stands in the text, as that may be a password. Pure.
std::vector<Section> ReadSections(std::string_view text, Report& report);

}  // namespace trunkline::legacy
