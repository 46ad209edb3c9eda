#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/legacy/sections.h"
#include "google/protobuf/message.h"

namespace trunkline::legacy {

// Where attributes go: "listeners[amqp]" of the document.
struct Target {
  std::string path;
  google::protobuf::Message& message;
};

// Sets the field of the message whose legacy name, in its field options, is `legacy_name`, from the
// attribute. False: there is no such field. A value that the field cannot take is a problem.
bool ReadField(const Section& section, const Attribute& attribute, std::string_view legacy_name,
               const Target& target, Report& report);

// The legacy names of a message's fields.
std::vector<std::string> LegacyNames(const google::protobuf::Descriptor& type);

// yes, true, on; no, false, off; in any case.
std::optional<bool> ParseBool(std::string_view text);

// The words of a list, which blanks or commas separate.
std::vector<std::string> Words(std::string_view text);

// "listener.port", which problems of an attribute begin with.
std::string PathOf(const Section& section, const Attribute& attribute);

}  // namespace trunkline::legacy
