#include "control/cli/explain.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "control/cli/embedded.h"
#include "control/cli/router_settings.h"
#include "control/config/problem.h"
#include "control/config/schema.h"
#include "control/config/text.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/descriptor.pb.h"
#include "router/base/check.h"
#include "router/base/status.h"

namespace trunkline::cli {
namespace {

using config::Concat;
using google::protobuf::Descriptor;
using google::protobuf::DescriptorPool;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;

// The descriptors that trunkctl is made of have no comments; these do, and no C++ types.
const DescriptorPool& Manual() {
  static const auto* const pool = [] {
    auto* const made = new DescriptorPool;
    google::protobuf::FileDescriptorSet files;
    const std::string_view bytes = ManualBytes();
    TL_CHECK(files.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) << "no manual";
    for (const auto& file : files.file()) TL_CHECK(made->BuildFile(file) != nullptr) << file.name();
    return made;
  }();
  return *pool;
}

template <typename Described>
std::string CommentOf(const Described& described) {
  google::protobuf::SourceLocation location;
  if (!described.GetSourceLocation(&location)) return "";
  std::string text;
  for (absl::string_view line : absl::StrSplit(location.leading_comments, '\n')) {
    absl::ConsumePrefix(&line, " ");
    absl::StrAppend(&text, line, "\n");
  }
  return text.substr(0, text.find_last_not_of('\n') + 1);
}

// By its name: the manual's pool has a Duration of its own.
bool IsDuration(const FieldDescriptor& field) {
  return field.message_type() != nullptr &&
         field.message_type()->full_name() == "google.protobuf.Duration";
}

std::string TypeOf(const FieldDescriptor& field) {
  std::string type;
  if (IsDuration(field)) {
    type = "duration";
  } else if (field.is_map()) {
    type = "map of text";
  } else if (field.enum_type() != nullptr) {
    type = absl::StrJoin(config::ShortNames(*field.enum_type()), "|");
  } else if (field.message_type() != nullptr) {
    type = field.message_type()->name() == "Timestamp" ? "time" : "map";
  } else if (field.cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
    type = "text";
  } else if (field.cpp_type() == FieldDescriptor::CPPTYPE_BOOL) {
    type = "true|false";
  } else {
    type = "number";
  }
  return field.is_repeated() && !field.is_map() ? Concat("list of ", type) : type;
}

// What the options say of a field, by the same name among the types that trunkctl is made of: in
// the manual's pool they are bytes that nobody has read.
const v1::FieldRules& RulesOf(const FieldDescriptor& field) {
  const auto* const real = DescriptorPool::generated_pool()->FindFieldByName(field.full_name());
  return real == nullptr ? v1::FieldRules::default_instance() : config::RulesOf(*real);
}

std::string Limit(const FieldDescriptor& field, int64_t value) {
  return IsDuration(field) ? config::FormatDuration(value) : absl::StrCat(value);
}

// "number, 0..65535, default 5672".
std::string RulesText(const FieldDescriptor& field) {
  const v1::FieldRules& rules = RulesOf(field);
  std::string text = TypeOf(field);
  const bool counts = field.cpp_type() == FieldDescriptor::CPPTYPE_STRING || field.is_repeated();
  if (rules.has_min() && rules.has_max() && !counts) {
    absl::StrAppend(&text, ", ", Limit(field, rules.min()), "..", Limit(field, rules.max()));
  } else if (rules.has_max()) {
    absl::StrAppend(&text, ", at most ", Limit(field, rules.max()),
                    !counts               ? ""
                    : field.is_repeated() ? " of them"
                                          : " bytes");
  }
  if (!rules.default_value().empty()) absl::StrAppend(&text, ", default ", rules.default_value());
  if (rules.required()) text += ", required";
  if (!rules.reference().empty()) absl::StrAppend(&text, ", one of the ", rules.reference());
  if (!rules.legacy_name().empty()) {
    absl::StrAppend(&text, "; in qdrouterd.conf ", rules.legacy_name());
  }
  return text;
}

void AddIndented(const std::string& text, std::string& out) {
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    absl::StrAppend(&out, line.empty() ? "" : "    ", line, "\n");
  }
}

std::string ExplainType(const std::string& title, const Descriptor& type,
                        const Descriptor& fields) {
  std::string text = Concat(title, "\n");
  AddIndented(CommentOf(type), text);
  size_t width = 0;
  for (int i = 0; i < fields.field_count(); ++i) {
    width = std::max(width, fields.field(i)->name().size());
  }
  text += "\n";
  for (int i = 0; i < fields.field_count(); ++i) {
    const std::string& name = fields.field(i)->name();
    absl::StrAppend(&text, "  ", name, std::string(width - name.size() + 2, ' '),
                    RulesText(*fields.field(i)), "\n");
  }
  return text;
}

std::string ExplainValues(const EnumDescriptor& type) {
  std::string text;
  for (int i = 0; i < type.value_count(); ++i) {
    if (type.value(i)->number() == 0) continue;
    absl::StrAppend(&text, "\n  ", config::ShortName(*type.value(i)), "\n");
    AddIndented(CommentOf(*type.value(i)), text);
  }
  return text;
}

absl::Status NoField(const std::string& name, const Descriptor& type) {
  std::vector<std::string> known;
  for (int i = 0; i < type.field_count(); ++i) known.push_back(type.field(i)->name());
  const std::string hint = config::DidYouMean(name, known);
  return absl::InvalidArgumentError(
      Concat("no field ", config::Quote(name),
             hint.empty() ? Concat("; there are ", absl::StrJoin(known, ", ")) : hint));
}

// Of a comment, on one line.
std::string FirstSentence(const std::string& comment) {
  std::string text = absl::StrReplaceAll(comment, {{"\n", " "}});
  text.resize(std::min(text.find(". "), text.size()));
  if (text.ends_with('.')) text.pop_back();
  return text;
}

}  // namespace

absl::Status ExplainField(Session& session) {
  if (session.words().size() > 1) return absl::InvalidArgumentError("give KIND or KIND.FIELD");
  if (session.words().empty()) {
    Table table({"KIND", "WHAT IT IS"});
    for (const api::Kind& kind : session.kinds()) {
      const auto* type = Manual().FindMessageTypeByName(kind.collection->type().full_name());
      table.Add({kind.collection->section(), FirstSentence(CommentOf(*type))});
    }
    const auto* type = Manual().FindMessageTypeByName(v1::Router::descriptor()->full_name());
    table.Add({std::string(kRouter), FirstSentence(CommentOf(*type))});
    session.Print(table.Text(true));
    return absl::OkStatus();
  }
  return ExplainKind(session, session.words()[0]);
}

absl::Status ExplainKind(Session& session, const std::string& path) {
  const std::vector<std::string> names = absl::StrSplit(path, '.');
  std::string title(kRouter);
  std::string type_name = v1::Router::descriptor()->full_name();
  if (names[0] != kRouter) {
    TL_ASSIGN_OR_RETURN(const api::Kind* kind, session.FindKind(names[0]));
    title = kind->collection->section();
    type_name = kind->collection->type().full_name();
  }
  const Descriptor* type = Manual().FindMessageTypeByName(type_name);
  const Descriptor* fields = type->FindFieldByName("spec")->message_type();
  for (size_t i = 1; i < names.size(); ++i) {
    if (i == 1 && names[i] == "spec") continue;
    absl::StrAppend(&title, ".", names[i]);
    const FieldDescriptor* field = fields->FindFieldByName(names[i]);
    // What a resource carries about itself, and its status, stand beside the spec.
    if (field == nullptr && i == 1) field = type->FindFieldByName(names[i]);
    if (field == nullptr) return NoField(names[i], *fields);
    if (i + 1 == names.size()) {
      std::string text = Concat(title, ": ", RulesText(*field), "\n");
      AddIndented(CommentOf(*field), text);
      if (field->enum_type() != nullptr) text += ExplainValues(*field->enum_type());
      session.Print(text);
      return absl::OkStatus();
    }
    if (field->message_type() == nullptr) {
      return absl::InvalidArgumentError(Concat(title, " has no fields"));
    }
    fields = field->message_type();
  }
  session.Print(ExplainType(title, *type, *fields));
  return absl::OkStatus();
}

}  // namespace trunkline::cli
