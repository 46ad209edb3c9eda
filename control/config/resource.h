#pragma once

#include <string>
#include <vector>

#include "control/config/problem.h"
#include "google/protobuf/message.h"
#include "proto/trunkline/control/v1/common.pb.h"
#include "router/base/random.h"

namespace trunkline {
namespace v1 = control::v1;
}

namespace trunkline::config {

// What every resource carries about itself (proto: common.proto), without its type. All take
// resources: messages with the option `resource`. Pure.

// A text field of this name; REQUIRES: the type has it.
const std::string& TextOf(const google::protobuf::Message& message, const char* field);
const std::string& NameOf(const google::protobuf::Message& resource);
const std::string& EtagOf(const google::protobuf::Message& resource);
v1::Source SourceOf(const google::protobuf::Message& resource);
void SetText(google::protobuf::Message& message, const char* field, std::string text);
// The name by which qdrouterd.conf and AMQP management know it: legacy_name, or else the id.
std::string LegacyNameOf(const google::protobuf::Message& resource);

// What the caller gave of it: legacy_name, labels and spec; all else is the router's.
inline constexpr const char* kIntentFields[] = {"legacy_name", "labels", "spec"};

// Whether both say the same in those fields.
bool SameIntent(const google::protobuf::Message& a, const google::protobuf::Message& b);
// A random UUID (version 4).
std::string MakeUuid(Random& random);

inline constexpr int kLabelsMax = 64;
inline constexpr size_t kLabelKeyBytesMax = 63;
inline constexpr size_t kLabelValueBytesMax = 255;
inline constexpr size_t kLegacyNameBytesMax = 1024;
// Holds legacy_name and labels against their rules. Paths start at `path`.
void CheckWords(const google::protobuf::Message& resource, const std::string& path,
                std::vector<Problem>& problems);

}  // namespace trunkline::config
