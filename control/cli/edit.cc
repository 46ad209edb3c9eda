#include "control/cli/edit.h"

#include <unistd.h>

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_replace.h"
#include "control/cli/apply.h"
#include "control/cli/files.h"
#include "control/cli/output.h"
#include "control/cli/resources.h"
#include "control/config/error_details.h"
#include "control/config/resource.h"
#include "control/config/text.h"
#include "control/config/yaml_write.h"
#include "google/protobuf/field_mask.pb.h"
#include "router/base/status.h"

namespace trunkline::cli {
namespace {

using config::Concat;
using config::SetText;
using google::protobuf::Message;

constexpr size_t kTextBytesMax = 1 << 20;

// Lines that begin so are ours, and taken away from what is read.
constexpr std::string_view kComment = "#! ";

// What stands above the resource: how this goes, or why it was opened again.
std::string Head(const std::string& name, const std::string& problem) {
  if (problem.empty()) {
    return Concat(kComment, name, ". Save to change it; leave it as it is to change nothing.\n");
  }
  std::string lines = problem.substr(0, problem.find_last_not_of('\n') + 1);
  lines = absl::StrReplaceAll(lines, {{"\n", Concat("\n", kComment)}});
  return Concat(kComment, "This was not done; save it unchanged to give up.\n", kComment, lines,
                "\n");
}

std::string WithoutHead(const std::string& text) {
  std::string kept;
  size_t at = 0;
  while (at < text.size()) {
    const size_t end = std::min(text.find('\n', at), text.size() - 1) + 1;
    const std::string line = text.substr(at, end - at);
    if (!line.starts_with(kComment.substr(0, 2))) kept += line;
    at = end;
  }
  return kept;
}

std::string YamlOf(const api::Kind& kind, const Message& resource) {
  config::Document document;
  kind.collection->Put(document, resource);
  return config::WriteYaml(document);
}

// One resource being edited: its file goes when we do, unless it is to be kept.
class Editing {
 public:
  Editing(Session& session, Target target)
      : session_(session), target_(std::move(target)), resource_(target_.kind->get->NewReply()) {}
  ~Editing() {
    if (!file_.empty()) ::unlink(file_.c_str());
  }
  Editing(const Editing&) = delete;
  Editing& operator=(const Editing&) = delete;

  absl::Status Run();

 private:
  absl::Status Open();
  // What the person wants: the resource as the text says. FailedPrecondition.
  absl::StatusOr<std::unique_ptr<Message>> Read(const std::string& text) const;
  absl::Status Send(const std::string& text);
  // Ends with what was typed still there.
  absl::Status Keep(absl::Status status);

  Session& session_;
  const Target target_;
  std::unique_ptr<Message> resource_;  // as it was
  std::string file_;
};

absl::Status Editing::Open() {
  const auto request = target_.kind->get->NewRequest();
  SetText(*request, "name", target_.name);
  TL_RETURN_IF_ERROR(session_.Call(target_.kind->get->key(), *request, *resource_));
  if (config::SourceOf(*resource_) == v1::SOURCE_CONFIG_FILE) {
    session_.Note(
        Concat("trunkctl: ", target_.name,
               " comes from the configuration file, so the router will refuse changes\n"));
  }
  return absl::OkStatus();
}

absl::Status Editing::Run() {
  // A wrong option is said before anything is typed.
  TL_RETURN_IF_ERROR(ReadAllowExpired(session_, *target_.kind->update->NewRequest()));
  TL_RETURN_IF_ERROR(Open());
  const std::string first = YamlOf(*target_.kind, *resource_);
  std::string before = first;
  TL_ASSIGN_OR_RETURN(file_, MakeTemporaryFile(Head(target_.name, "") + first, ".yaml"));
  while (true) {
    TL_RETURN_IF_ERROR(EditFile(file_));
    TL_ASSIGN_OR_RETURN(std::string after, ReadText(file_));
    after = WithoutHead(after);
    if (after == first || after.find_first_not_of(" \t\r\n") == after.npos) {
      session_.Print(Concat(target_.name, " unchanged\n"));
      return absl::OkStatus();
    }
    if (after == before) {
      return Keep(absl::FailedPreconditionError("given up; nothing was changed"));
    }
    const absl::Status status = Send(after);
    if (status.ok()) return status;
    const bool is_ours = config::ReasonOf(status) == "ETAG_MISMATCH" ||
                         absl::IsUnavailable(status) || absl::IsPermissionDenied(status);
    // Another text would not help.
    if (is_ours) return Keep(status);
    before = after;
    TL_RETURN_IF_ERROR(OverwriteFile(file_, Head(target_.name, Explain(status)) + after));
  }
}

absl::StatusOr<std::unique_ptr<Message>> Editing::Read(const std::string& text) const {
  if (text.size() > kTextBytesMax) return absl::FailedPreconditionError("the text is too long");
  std::vector<std::string> passed_over;
  TL_ASSIGN_OR_RETURN(const v1::ConfigBundle bundle, ReadBundle(text, file_, passed_over));
  const auto* const field =
      bundle.GetDescriptor()->FindFieldByName(target_.kind->collection->section());
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  bundle.GetReflection()->ListFields(bundle, &fields);
  const bool is_one = fields.size() == 1 && fields.front() == field && passed_over.empty() &&
                      bundle.GetReflection()->FieldSize(bundle, field) == 1;
  if (is_one) {
    const Message& resource = bundle.GetReflection()->GetRepeatedMessage(bundle, field, 0);
    if (config::NameOf(resource) == target_.name) {
      std::unique_ptr<Message> copy(resource.New());
      copy->CopyFrom(resource);
      return copy;
    }
  }
  return absl::FailedPreconditionError(
      Concat("the text must be of ", target_.name, " alone; names cannot be changed"));
}

absl::Status Editing::Send(const std::string& text) {
  TL_ASSIGN_OR_RETURN(const std::unique_ptr<Message> wanted, Read(text));
  const auto request = target_.kind->update->NewRequest();
  Message& resource = api::MutableMessageOf(*request, target_.kind->field);
  resource.CopyFrom(*wanted);
  SetText(resource, "etag", config::EtagOf(*resource_));
  auto& mask =
      static_cast<google::protobuf::FieldMask&>(api::MutableMessageOf(*request, "update_mask"));
  for (const char* intent : config::kIntentFields) mask.add_paths(intent);
  SetFlag(*request, "validate_only", session_.arguments().Has("dry-run"));
  TL_RETURN_IF_ERROR(ReadAllowExpired(session_, *request));
  const auto reply = target_.kind->update->NewReply();
  TL_RETURN_IF_ERROR(session_.Call(target_.kind->update->key(), *request, *reply));
  session_.Print(Done(session_, target_.name, "changed", *reply));
  return absl::OkStatus();
}

absl::Status Editing::Keep(absl::Status status) {
  session_.Note(Concat("trunkctl: your text is in ", file_, "\n"));
  file_.clear();
  return status;
}

}  // namespace

absl::Status Edit(Session& session) {
  TL_ASSIGN_OR_RETURN(Target target, TargetOf(session, "KIND ID"));
  if (session.words().size() != 2) return absl::InvalidArgumentError("give KIND ID");
  return Editing(session, std::move(target)).Run();
}

}  // namespace trunkline::cli
