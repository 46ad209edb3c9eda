#include "control/cli/edit.h"

#include <unistd.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_replace.h"
#include "control/cli/apply.h"
#include "control/cli/files.h"
#include "control/cli/output.h"
#include "control/cli/resources.h"
#include "control/cli/router_settings.h"
#include "control/config/error_details.h"
#include "control/config/file_source.h"
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

// The router as a text says it is. FailedPrecondition: what is wrong, a line each.
absl::StatusOr<v1::RouterSpec> ReadRouter(const std::string& text, const std::string& file) {
  std::vector<std::string> sections;
  TL_ASSIGN_OR_RETURN(const v1::ConfigBundle bundle, ReadBundle(text, file, sections));
  const auto document = config::ParsePart(text, file);
  const bool is_alone = sections.empty() || sections == std::vector<std::string>{"router"};
  if (document.ok() && is_alone && bundle.ByteSizeLong() == 0) return document->router;
  return absl::FailedPreconditionError("the text must be of the router alone");
}

// Something being edited as YAML: its file goes when we do, unless it is to be kept.
class Editing {
 public:
  Editing(Session& session, std::string name) : session_(session), name_(std::move(name)) {}
  virtual ~Editing() {
    if (!file_.empty()) ::unlink(file_.c_str());
  }
  Editing(const Editing&) = delete;
  Editing& operator=(const Editing&) = delete;

  absl::Status Run();

 protected:
  // As it is.
  virtual absl::StatusOr<std::string> Open() = 0;
  // Makes it what the text says.
  virtual absl::Status Send(const std::string& text) = 0;

  Session& session_;
  const std::string name_;
  std::string file_;

 private:
  // Ends with what was typed still there.
  absl::Status Keep(absl::Status status);
};

absl::Status Editing::Run() {
  TL_ASSIGN_OR_RETURN(const std::string first, Open());
  std::string before = first;
  TL_ASSIGN_OR_RETURN(file_, MakeTemporaryFile(Head(name_, "") + first, ".yaml"));
  while (true) {
    TL_RETURN_IF_ERROR(EditFile(file_));
    TL_ASSIGN_OR_RETURN(std::string after, ReadText(file_));
    after = WithoutHead(after);
    if (after == first || after.find_first_not_of(" \t\r\n") == after.npos) {
      session_.Print(Concat(name_, " unchanged\n"));
      return absl::OkStatus();
    }
    if (after == before) {
      return Keep(absl::FailedPreconditionError("given up; nothing was changed"));
    }
    const absl::Status status = after.size() > kTextBytesMax
                                    ? absl::FailedPreconditionError("the text is too long")
                                    : Send(after);
    if (status.ok()) return status;
    const bool is_ours = config::ReasonOf(status) == "ETAG_MISMATCH" ||
                         absl::IsUnavailable(status) || absl::IsPermissionDenied(status);
    // Another text would not help.
    if (is_ours) return Keep(status);
    before = after;
    TL_RETURN_IF_ERROR(OverwriteFile(file_, Head(name_, Explain(status)) + after));
  }
}

absl::Status Editing::Keep(absl::Status status) {
  session_.Note(Concat("trunkctl: your text is in ", file_, "\n"));
  file_.clear();
  return status;
}

class ResourceEditing : public Editing {
 public:
  ResourceEditing(Session& session, const Target& target)
      : Editing(session, target.name), kind_(*target.kind), resource_(kind_.get->NewReply()) {}

 private:
  absl::StatusOr<std::string> Open() override;
  absl::Status Send(const std::string& text) override;
  // What the person wants: the resource as the text says. FailedPrecondition.
  absl::StatusOr<std::unique_ptr<Message>> Read(const std::string& text) const;

  const api::Kind& kind_;
  std::unique_ptr<Message> resource_;  // as it was
};

absl::StatusOr<std::string> ResourceEditing::Open() {
  // A wrong option is said before anything is typed.
  TL_RETURN_IF_ERROR(ReadAllowExpired(session_, *kind_.update->NewRequest()));
  const auto request = kind_.get->NewRequest();
  SetText(*request, "name", name_);
  TL_RETURN_IF_ERROR(session_.Call(kind_.get->key(), *request, *resource_));
  if (config::SourceOf(*resource_) == v1::SOURCE_CONFIG_FILE) {
    session_.Note(
        Concat("trunkctl: ", name_,
               " comes from the configuration file, so the router will refuse changes\n"));
  }
  return YamlOf(kind_, *resource_);
}

absl::StatusOr<std::unique_ptr<Message>> ResourceEditing::Read(const std::string& text) const {
  std::vector<std::string> passed_over;
  TL_ASSIGN_OR_RETURN(const v1::ConfigBundle bundle, ReadBundle(text, file_, passed_over));
  const auto* const field = bundle.GetDescriptor()->FindFieldByName(kind_.collection->section());
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  bundle.GetReflection()->ListFields(bundle, &fields);
  const bool is_one = fields.size() == 1 && fields.front() == field && passed_over.empty() &&
                      bundle.GetReflection()->FieldSize(bundle, field) == 1;
  if (is_one) {
    const Message& resource = bundle.GetReflection()->GetRepeatedMessage(bundle, field, 0);
    if (config::NameOf(resource) == name_) {
      std::unique_ptr<Message> copy(resource.New());
      copy->CopyFrom(resource);
      return copy;
    }
  }
  return absl::FailedPreconditionError(
      Concat("the text must be of ", name_, " alone; names cannot be changed"));
}

absl::Status ResourceEditing::Send(const std::string& text) {
  TL_ASSIGN_OR_RETURN(const std::unique_ptr<Message> wanted, Read(text));
  const auto request = kind_.update->NewRequest();
  Message& resource = api::MutableMessageOf(*request, kind_.field);
  resource.CopyFrom(*wanted);
  SetText(resource, "etag", config::EtagOf(*resource_));
  auto& mask =
      static_cast<google::protobuf::FieldMask&>(api::MutableMessageOf(*request, "update_mask"));
  for (const char* intent : config::kIntentFields) mask.add_paths(intent);
  SetFlag(*request, "validate_only", session_.arguments().Has("dry-run"));
  TL_RETURN_IF_ERROR(ReadAllowExpired(session_, *request));
  const auto reply = kind_.update->NewReply();
  TL_RETURN_IF_ERROR(session_.Call(kind_.update->key(), *request, *reply));
  session_.Print(Done(session_, name_, "changed", *reply));
  return absl::OkStatus();
}

class RouterEditing : public Editing {
 public:
  explicit RouterEditing(Session& session) : Editing(session, std::string(kRouter)) {}

 private:
  absl::StatusOr<std::string> Open() override;
  absl::Status Send(const std::string& text) override;

  v1::Router router_;  // as it was
};

absl::StatusOr<std::string> RouterEditing::Open() {
  v1::UpdateRouterRequest request;
  TL_RETURN_IF_ERROR(ReadAllowExpired(session_, request));
  TL_RETURN_IF_ERROR(session_.Call("RouterService/GetRouter", v1::GetRouterRequest(), router_));
  config::Document document;
  document.router = router_.spec();
  const std::string text = config::WriteYaml(document);
  return text.empty() ? "router: {}\n" : text;
}

absl::Status RouterEditing::Send(const std::string& text) {
  v1::UpdateRouterRequest request;
  TL_ASSIGN_OR_RETURN(*request.mutable_router()->mutable_spec(), ReadRouter(text, file_));
  request.mutable_router()->set_etag(router_.etag());
  request.mutable_update_mask()->add_paths("spec");
  return UpdateRouter(session_, request);
}

}  // namespace

absl::Status Edit(Session& session) {
  if (IsRouter(session) && session.words().size() == 1) return RouterEditing(session).Run();
  TL_ASSIGN_OR_RETURN(const Target target, TargetOf(session, "KIND ID"));
  if (session.words().size() != 2) return absl::InvalidArgumentError("give KIND ID");
  return ResourceEditing(session, target).Run();
}

}  // namespace trunkline::cli
