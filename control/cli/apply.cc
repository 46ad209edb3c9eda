#include "control/cli/apply.h"

#include <filesystem>
#include <map>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "control/cli/files.h"
#include "control/cli/output.h"
#include "control/cli/views.h"
#include "control/config/collection.h"
#include "control/config/error_details.h"
#include "control/config/file_source.h"
#include "control/config/resource.h"
#include "control/config/schema.h"
#include "control/config/text.h"
#include "google/protobuf/util/json_util.h"
#include "proto/google/rpc/status.pb.h"
#include "router/base/status.h"

namespace trunkline::cli {
namespace {

using config::Concat;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using Response = v1::ApplyConfigResponse;

v1::ConfigBundle BundleOf(const config::Document& document) {
  v1::ConfigBundle bundle;
  for (const config::Collection& collection : config::Collections()) {
    const FieldDescriptor* const field =
        bundle.GetDescriptor()->FindFieldByName(collection.section());
    collection.ForEach(document, [&](const std::string&, const Message& resource) {
      bundle.GetReflection()->AddMessage(&bundle, field)->CopyFrom(resource);
    });
  }
  return bundle;
}

// The first of them that went wrong decides what the exit status is.
absl::Status FailureOf(const Response& reply) {
  size_t failed = 0;
  absl::Status first;
  for (const Response::Result& result : reply.results()) {
    if (result.status().code() == 0) continue;
    if (failed++ > 0) continue;
    first = absl::Status(static_cast<absl::StatusCode>(result.status().code()),
                         result.status().message());
    for (const auto& detail : result.status().details()) {
      first.SetPayload(detail.type_url(), absl::Cord(detail.value()));
    }
  }
  if (failed == 0) return absl::OkStatus();
  absl::Status all(first.code(), Concat("nothing was changed: ", Count(failed, "resource"),
                                        failed == 1 ? " is" : " are", " refused"));
  return config::WithReason(all, config::ReasonOf(first));
}

std::string ActionOf(const Response::Result& result) {
  if (result.status().code() != 0) return "refused";
  switch (result.action()) {
    case Response::ACTION_CREATED:
      return "created";
    case Response::ACTION_UPDATED:
      return "changed";
    case Response::ACTION_DELETED:
      return "deleted";
    default:
      return "unchanged";
  }
}

// "2 created, 1 changed".
std::string Summary(const Response& reply) {
  std::map<std::string, size_t> counts;
  for (const Response::Result& result : reply.results()) ++counts[ActionOf(result)];
  std::vector<std::string> parts;
  for (const char* action : {"created", "changed", "deleted", "unchanged"}) {
    if (counts.contains(action)) parts.push_back(Concat(counts[action], " ", action));
  }
  return parts.empty() ? "nothing to do" : absl::StrJoin(parts, ", ");
}

void PrintResults(const Session& session, const Response& reply) {
  Table table({"NAME", "ACTION", "IMPACT"});
  for (const Response::Result& result : reply.results()) {
    table.Add({result.name(), ActionOf(result), CellOf(result, "impact", 0)});
  }
  if (table.size() > 0) {
    session.Print(table.Text(!session.arguments().Has("no-headers"), session.colours()));
  }
  for (const Response::Result& result : reply.results()) {
    if (result.status().code() == 0) continue;
    session.Note(Concat("trunkctl: ", Printable(result.name()), ": ",
                        Printable(result.status().message()), "\n"));
  }
}

absl::StatusOr<v1::ConfigBundle> ReadJson(std::string_view text, const std::string& file) {
  v1::ConfigBundle bundle;
  const auto status = google::protobuf::util::JsonStringToMessage(
      google::protobuf::StringPiece(text.data(), text.size()), &bundle);
  if (status.ok()) return bundle;
  return absl::FailedPreconditionError(
      Concat(file, ": ", std::string(status.message().data(), status.message().size())));
}

// As those of a trunkline.yaml, names of files start at the folder of the bundle.
void ResolveFiles(const std::string& file, v1::ConfigBundle& bundle) {
  const std::filesystem::path folder =
      std::filesystem::absolute(file).lexically_normal().parent_path();
  for (const config::Collection& collection : config::Collections()) {
    const FieldDescriptor* const field =
        bundle.GetDescriptor()->FindFieldByName(collection.section());
    for (int i = 0; i < bundle.GetReflection()->FieldSize(bundle, field); ++i) {
      Message* const resource = bundle.GetReflection()->MutableRepeatedMessage(&bundle, field, i);
      const FieldDescriptor* const spec = resource->GetDescriptor()->FindFieldByName("spec");
      if (!resource->GetReflection()->HasField(*resource, spec)) continue;
      config::ResolveFiles(folder, *resource->GetReflection()->MutableMessage(resource, spec));
    }
  }
}

// Whether a text has a key `spec`, as resources of a bundle do and those of a trunkline.yaml do
// not.
bool HasSpec(std::string_view text) {
  constexpr std::string_view kKey = "\"spec\"";
  for (size_t at = text.find(kKey); at != text.npos; at = text.find(kKey, at + 1)) {
    const size_t behind = text.find_first_not_of(" \t\r\n", at + kKey.size());
    if (behind != text.npos && text[behind] == ':') return true;
  }
  return false;
}

// "listeners/amqp": ids alone are those of a trunkline.yaml.
bool HasWholeNames(const v1::ConfigBundle& bundle) {
  for (const config::Collection& collection : config::Collections()) {
    const FieldDescriptor* const field =
        bundle.GetDescriptor()->FindFieldByName(collection.section());
    for (int i = 0; i < bundle.GetReflection()->FieldSize(bundle, field); ++i) {
      const Message& resource = bundle.GetReflection()->GetRepeatedMessage(bundle, field, i);
      if (config::NameOf(resource).find('/') == std::string::npos) return false;
    }
  }
  return true;
}

// Sections of a file that only a router's own file has.
void PassOver(const config::Document& document, std::vector<std::string>& passed_over) {
  const std::pair<const char*, const Message*> sections[] = {
      {"router", &document.router}, {"log", &document.log}, {"control", &document.control}};
  for (const auto& [name, section] : sections) {
    if (section->ByteSizeLong() > 0) passed_over.emplace_back(name);
  }
  if (document.metrics) passed_over.emplace_back("metrics");
}

}  // namespace

absl::StatusOr<v1::ConfigBundle> ReadBundle(std::string_view text, const std::string& file,
                                            std::vector<std::string>& passed_over) {
  const size_t start = text.find_first_not_of(" \t\r\n");
  if (start != text.npos && text[start] == '{') {
    auto bundle = ReadJson(text, file);
    if (HasSpec(text) || (bundle.ok() && HasWholeNames(*bundle))) {
      if (bundle.ok()) ResolveFiles(file, *bundle);
      return bundle;
    }
    // JSON is YAML.
  }
  const std::filesystem::path folder =
      std::filesystem::absolute(std::filesystem::path(file)).lexically_normal();
  auto document = config::ParsePart(text, folder.string());
  if (!document.ok()) {
    // Said of the file as it was named, in lines that end where others do.
    const std::string problems =
        absl::StrReplaceAll(document.status().message(), {{folder.string(), file}});
    return absl::FailedPreconditionError(
        config::internal::Piece(problems.substr(0, problems.find_last_not_of('\n') + 1)));
  }
  PassOver(*document, passed_over);
  return BundleOf(*document);
}

absl::Status ApplyFiles(Session& session) {
  const std::vector<std::string> files = session.arguments().GetAll("file");
  if (files.empty() || !session.words().empty()) {
    return absl::InvalidArgumentError("give -f FILE; - is the standard input");
  }
  v1::ApplyConfigRequest request;
  std::vector<std::string> passed_over;
  for (const std::string& file : files) {
    TL_ASSIGN_OR_RETURN(const std::string text, ReadText(file));
    TL_ASSIGN_OR_RETURN(const v1::ConfigBundle bundle,
                        ReadBundle(text, file == "-" ? "standard input" : file, passed_over));
    request.mutable_bundle()->MergeFrom(bundle);
  }
  if (!passed_over.empty()) {
    session.Note(Concat("trunkctl: passed over, as only a router's own file has it: ",
                        absl::StrJoin(passed_over, ", "), "\n"));
  }
  request.set_prune(session.arguments().Has("prune"));
  request.set_validate_only(session.arguments().Has("dry-run"));
  request.set_allow_expired(session.arguments().Has("allow-expired"));
  Response reply;
  TL_RETURN_IF_ERROR(session.Call("RouterService/ApplyConfig", request, reply));
  PrintResults(session, reply);
  TL_RETURN_IF_ERROR(FailureOf(reply));
  session.Print(Concat(request.validate_only() ? "would be: " : "", Summary(reply), "\n"));
  return absl::OkStatus();
}

}  // namespace trunkline::cli
