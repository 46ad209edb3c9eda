#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "google/protobuf/descriptor.h"
#include "google/protobuf/duration.pb.h"
#include "proto/trunkline/control/v1/options.pb.h"
#include "router/specs.h"

namespace trunkline {
namespace v1 = control::v1;
}

namespace trunkline::config {

// How values of the resource protos are written for people, and what their options say: shared by
// reading, validating and translating.

// The rules of a field (options.proto); empty ones if it has none.
const v1::FieldRules& RulesOf(const google::protobuf::FieldDescriptor& field);

bool IsDuration(const google::protobuf::FieldDescriptor& field);

// "ROLE_ROUTE_CONTAINER" of enum Role → "route_container".
std::string ShortName(const google::protobuf::EnumValueDescriptor& value);
// Short names of all values but UNSPECIFIED.
std::vector<std::string> ShortNames(const google::protobuf::EnumDescriptor& type);
// The value with this short name, UNSPECIFIED excluded; null if there is none.
const google::protobuf::EnumValueDescriptor* FindByShortName(
    const google::protobuf::EnumDescriptor& type, std::string_view name);

// "1m30s", "250ms", "0s": whole numbers with the units h, m, s, ms, the largest first, each once.
std::optional<google::protobuf::Duration> ParseDuration(std::string_view text);
std::string FormatDuration(int64_t milliseconds);
// Parts of a millisecond are cut off. Saturates.
int64_t ToMilliseconds(const google::protobuf::Duration& duration);

// "host", "host:port", "[::1]:port", "[::1]"; port 5672 if there is none.
std::optional<HostPort> ParseHostPort(std::string_view text);

}  // namespace trunkline::config
