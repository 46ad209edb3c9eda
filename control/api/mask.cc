#include "control/api/mask.h"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "control/api/field_path.h"
#include "control/config/error_details.h"
#include "control/config/resource.h"
#include "control/config/schema.h"
#include "control/config/text.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/util/field_mask_util.h"
#include "router/base/status.h"

namespace trunkline::api {
namespace {

using config::Concat;
using google::protobuf::FieldDescriptor;
using google::protobuf::FieldMask;
using google::protobuf::Message;
using google::protobuf::util::FieldMaskUtil;

bool IsIntent(const FieldDescriptor& field) {
  return std::find(std::begin(config::kIntentFields), std::end(config::kIntentFields),
                   field.name()) != std::end(config::kIntentFields);
}

// Paths of the fields that are set in `message`: of messages of ours each field by itself.
void AddSetPaths(const Message& message, const std::string& prefix, FieldMask& mask) {
  std::vector<const FieldDescriptor*> set;
  message.GetReflection()->ListFields(message, &set);
  for (const FieldDescriptor* field : set) {
    const std::string path = prefix + field->name();
    const bool is_whole = field->is_repeated() || !ValuesOf(*field).empty();
    if (is_whole) {
      mask.add_paths(path);
    } else {
      AddSetPaths(message.GetReflection()->GetMessage(message, field), path + ".", mask);
    }
  }
}

// What a mask comes to.
struct Changes {
  FieldMask fields;
  std::set<std::string> labels;  // keys
};

// Sorts the paths of `mask`. One that would do no more than make empty messages around a field that
// is not given is dropped.
absl::Status Sort(const FieldMask& mask, const Message& given, const Message& resource,
                  Changes& changes) {
  std::vector<config::FieldViolation> violations;
  for (const std::string& text : mask.paths()) {
    const auto path = FieldPath::Parse(text, *given.GetDescriptor());
    if (!path.ok()) {
      violations.push_back({"update_mask", std::string(path.status().message())});
    } else if (path->is_entry()) {
      changes.labels.insert(path->key());
    } else if (path->IsSet(given) || path->HasOwner(resource)) {
      changes.fields.add_paths(text);
    }
  }
  if (violations.empty()) return absl::OkStatus();
  absl::Status status =
      absl::InvalidArgumentError(Concat("update_mask: ", violations.front().description));
  return config::WithViolations(std::move(status), violations);
}

// Makes one label as it is in `given`; there it may be none.
void CopyLabel(const std::string& key, const Message& given, Message& resource) {
  const FieldDescriptor* field = given.GetDescriptor()->FindFieldByName("labels");
  const auto& reflection = *given.GetReflection();
  const auto find = [&](const Message& message) {
    int i = reflection.FieldSize(message, field) - 1;
    while (i >= 0 &&
           config::TextOf(reflection.GetRepeatedMessage(message, field, i), "key") != key) {
      --i;
    }
    return i;
  };
  if (const int old = find(resource); old >= 0) {
    reflection.SwapElements(&resource, field, old, reflection.FieldSize(resource, field) - 1);
    reflection.RemoveLast(&resource, field);
  }
  if (const int added = find(given); added >= 0) {
    reflection.AddMessage(&resource, field)
        ->CopyFrom(reflection.GetRepeatedMessage(given, field, added));
  }
}

// The paths of `mask` that lead into what a caller may give.
FieldMask OfIntent(const FieldMask& mask, const google::protobuf::Descriptor& type) {
  FieldMask kept;
  for (const std::string& path : mask.paths()) {
    if (IsIntent(*type.FindFieldByName(path.substr(0, path.find('.'))))) kept.add_paths(path);
  }
  return kept;
}

}  // namespace

absl::Status ApplyMask(const FieldMask& mask, const Message& given, Message& resource) {
  if (mask.paths_size() > kMaskPathsMax) {
    const std::string why = Concat(mask.paths_size(), " paths are more than ", kMaskPathsMax);
    absl::Status status = absl::InvalidArgumentError(Concat("update_mask: ", why));
    return config::WithViolations(std::move(status), {{"update_mask", why}});
  }
  Changes changes;
  if (mask.paths().empty()) {
    AddSetPaths(given, "", changes.fields);
  } else if (std::find(mask.paths().begin(), mask.paths().end(), "*") != mask.paths().end()) {
    for (const char* field : config::kIntentFields) {
      if (given.GetDescriptor()->FindFieldByName(field) != nullptr) changes.fields.add_paths(field);
    }
  } else {
    TL_RETURN_IF_ERROR(Sort(mask, given, resource, changes));
  }
  FieldMaskUtil::MergeOptions options;
  options.set_replace_message_fields(true);
  options.set_replace_repeated_fields(true);
  const FieldMask fields = OfIntent(changes.fields, *given.GetDescriptor());
  FieldMaskUtil::MergeMessageTo(given, fields, options, &resource);
  for (const std::string& key : changes.labels) CopyLabel(key, given, resource);
  return absl::OkStatus();
}

}  // namespace trunkline::api
