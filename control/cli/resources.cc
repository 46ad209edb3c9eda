#include "control/cli/resources.h"

#include <time.h>

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "control/cli/table.h"
#include "control/config/schema.h"
#include "control/config/text.h"
#include "control/config/yaml_proto.h"
#include "control/config/yaml_tree.h"
#include "control/config/yaml_write.h"
#include "google/protobuf/field_mask.pb.h"
#include "google/protobuf/util/json_util.h"
#include "router/base/status.h"

namespace trunkline::cli {
namespace {

using api::Kind;
using config::Concat;
using config::Quote;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr int kPageSize = 1000;

// What people want to see of each kind first; `wide` has more.
struct View {
  std::string_view collection;
  std::vector<Column> columns;
  std::vector<Column> wide;
};

const std::vector<View>& Views() {
  static const auto* const views = new std::vector<View>{
      {"listeners",
       {{"NAME", "name"},
        {"STATE", "status.state"},
        {"ADDRESS", "status.bound_addresses"},
        {"TLS", "spec.tls_profile"},
        {"CONNECTIONS", "status.active_connections"},
        {"SOURCE", "source"},
        {"AGE", "create_time"}},
       {{"ACCEPTED", "status.accepted_total"},
        {"ROLE", "spec.role"},
        {"USERS", "spec.user_store"},
        {"ERROR", "status.last_error.message"}}},
      {"connectors",
       {{"NAME", "name"},
        {"STATE", "status.state"},
        {"HOST", "spec.host"},
        {"TLS", "spec.tls_profile"},
        {"REMOTE", "status.remote_container"},
        {"SOURCE", "source"},
        {"AGE", "create_time"}},
       {{"ATTEMPTS", "status.attempts"},
        {"ROLE", "spec.role"},
        {"USER", "spec.sasl_user"},
        {"ERROR", "status.last_error.message"}}},
      {"tlsProfiles",
       {{"NAME", "name"},
        {"SUBJECT", "status.active.subject"},
        {"REVISION", "status.active.ordinal"},
        {"SOURCE", "source"},
        {"AGE", "create_time"}},
       {{"FINGERPRINT", "status.active.fingerprint"},
        {"ERROR", "status.last_reload_error.message"}}},
      {"userStores",
       {{"NAME", "name"},
        {"USERS", "status.users"},
        {"REALM", "spec.realm"},
        {"SOURCE", "source"},
        {"AGE", "create_time"}},
       {{"ERROR", "status.last_reload_error.message"}}},
      {"addresses",
       {{"NAME", "name"},
        {"PREFIX", "spec.prefix"},
        {"PATTERN", "spec.pattern"},
        {"DISTRIBUTION", "spec.distribution"},
        {"SOURCE", "source"},
        {"AGE", "create_time"}},
       {{"WAYPOINT", "spec.waypoint"}, {"FALLBACK", "spec.enable_fallback"}}},
  };
  return *views;
}

void SetText(Message& message, const std::string& field, std::string text) {
  message.GetReflection()->SetString(&message, message.GetDescriptor()->FindFieldByName(field),
                                     std::move(text));
}

void SetFlag(Message& message, const std::string& field, bool flag) {
  message.GetReflection()->SetBool(&message, message.GetDescriptor()->FindFieldByName(field), flag);
}

std::string TextOf(const Message& message, const std::string& field) {
  return message.GetReflection()->GetString(message,
                                            message.GetDescriptor()->FindFieldByName(field));
}

std::string NameFor(const Kind& kind, const std::string& word) {
  const std::string prefix = kind.collection->name() + "/";
  return word.starts_with(prefix) ? word : prefix + word;
}

std::string JsonOf(const Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.preserve_proto_field_names = true;
  std::string text;
  const auto status = google::protobuf::util::MessageToJsonString(message, &text, options);
  return status.ok() ? text : status.ToString() + "\n";
}

// Writes resources in the form that --output asks for.
class Printer {
 public:
  static absl::StatusOr<Printer> For(const Session& session, const Kind& kind);

  std::string Text(const std::vector<std::unique_ptr<Message>>& resources, bool with_headers) const;

 private:
  enum class Form { kTable, kWide, kJson, kYaml, kName };
  Printer(const Kind& kind, Form form) : kind_(&kind), form_(form) {}
  std::string TableText(const std::vector<std::unique_ptr<Message>>& resources,
                        bool with_headers) const;
  std::string JsonText(const std::vector<std::unique_ptr<Message>>& resources) const;
  std::string YamlText(const std::vector<std::unique_ptr<Message>>& resources) const;

  const Kind* kind_;
  Form form_;
};

absl::StatusOr<Printer> Printer::For(const Session& session, const Kind& kind) {
  const std::string word = session.arguments().Get("output", "table");
  if (word == "table") return Printer(kind, Form::kTable);
  if (word == "wide") return Printer(kind, Form::kWide);
  if (word == "json") return Printer(kind, Form::kJson);
  if (word == "yaml") return Printer(kind, Form::kYaml);
  if (word == "name") return Printer(kind, Form::kName);
  return absl::InvalidArgumentError(
      Concat("--output: ", Quote(word), " is not one of table, wide, json, yaml, name"));
}

std::string Printer::Text(const std::vector<std::unique_ptr<Message>>& resources,
                          bool with_headers) const {
  std::string text;
  switch (form_) {
    case Form::kTable:
    case Form::kWide:
      return TableText(resources, with_headers);
    case Form::kJson:
      return JsonText(resources);
    case Form::kYaml:
      return YamlText(resources);
    case Form::kName:
      for (const auto& resource : resources) text += TextOf(*resource, "name") + "\n";
      return text;
  }
  return text;
}

std::string Printer::TableText(const std::vector<std::unique_ptr<Message>>& resources,
                               bool with_headers) const {
  std::vector<Column> columns;
  for (const View& view : Views()) {
    if (view.collection != kind_->collection->name()) continue;
    columns = view.columns;
    if (form_ == Form::kWide) {
      columns.insert(columns.end(), view.wide.begin(), view.wide.end());
    }
  }
  std::vector<std::string> headers;
  for (const Column& column : columns) headers.emplace_back(column.header);
  Table table(std::move(headers));
  const int64_t now = ::time(nullptr);
  for (const auto& resource : resources) {
    std::vector<std::string> row;
    for (const Column& column : columns) row.push_back(CellOf(*resource, column.path, now));
    table.Add(std::move(row));
  }
  return table.Text(with_headers);
}

std::string Printer::JsonText(const std::vector<std::unique_ptr<Message>>& resources) const {
  if (resources.size() == 1) return JsonOf(*resources.front());
  std::vector<std::string> texts;
  for (const auto& resource : resources) texts.push_back(JsonOf(*resource));
  return Concat("[\n", absl::StrJoin(texts, ",\n"), "]\n");
}

std::string Printer::YamlText(const std::vector<std::unique_ptr<Message>>& resources) const {
  config::Document document;
  for (const auto& resource : resources) kind_->collection->Put(document, *resource);
  return config::WriteYaml(document);
}

// "port=5671" and the like, as in YAML → `spec`. Names of the fields are added to `paths`.
absl::Status ReadFields(const std::vector<std::string>& words, size_t first, Message& spec,
                        std::vector<std::string>& paths) {
  for (size_t i = first; i < words.size(); ++i) {
    const size_t equals = words[i].find('=');
    if (equals == std::string::npos || equals == 0) {
      return absl::InvalidArgumentError(Concat(Quote(words[i]), " is not FIELD=VALUE"));
    }
    const std::string field = words[i].substr(0, equals);
    std::string value = words[i].substr(equals + 1);
    if (value.empty()) value = "\"\"";
    auto tree = config::ParseYaml(Concat("{", field, ": ", value, "}"));
    if (const auto* problem = std::get_if<config::Problem>(&tree)) {
      return absl::InvalidArgumentError(Concat(words[i], ": ", problem->text));
    }
    config::YamlReport report;
    config::ReadMessage(std::get<config::YamlNode>(tree), "", "", spec, report);
    if (!report.problems.empty()) {
      const config::Problem& problem = report.problems.front();
      return absl::InvalidArgumentError(Concat(problem.path, ": ", problem.text));
    }
    paths.push_back("spec." + field);
  }
  return absl::OkStatus();
}

// "listeners/amqps changed (impact: rebind)".
std::string Done(const Session& session, const std::string& name, std::string_view what,
                 const Message& change) {
  const FieldDescriptor* const field = change.GetDescriptor()->FindFieldByName("impact");
  const auto* const impact = change.GetReflection()->GetEnum(change, field);
  if (impact->number() == v1::IMPACT_NONE) return Concat(name, " unchanged\n");
  const std::string effect =
      impact->number() == 0 ? "" : Concat(" (impact: ", config::ShortName(*impact), ")");
  return Concat(name, " ", session.arguments().Has("dry-run") ? "would be " : "", what, effect,
                "\n");
}

// KIND and ID of create, set and delete.
struct Target {
  const Kind* kind = nullptr;
  std::string name;
};

absl::StatusOr<Target> TargetOf(const Session& session, std::string_view usage) {
  const std::vector<std::string>& words = session.arguments().words();
  if (words.size() < 3) return absl::InvalidArgumentError(Concat("usage: trunkctl ", usage));
  TL_ASSIGN_OR_RETURN(const Kind* kind, session.FindKind(words[1]));
  return Target{kind, NameFor(*kind, words[2])};
}

absl::Status GetSome(Session& session, const Kind& kind, const Printer& printer) {
  const std::vector<std::string>& words = session.arguments().words();
  std::vector<std::unique_ptr<Message>> resources;
  for (size_t i = 2; i < words.size(); ++i) {
    const auto request = kind.get->NewRequest();
    SetText(*request, "name", NameFor(kind, words[i]));
    auto resource = kind.get->NewReply();
    TL_RETURN_IF_ERROR(session.channel().Call(kind.get->key(), *request, *resource));
    resources.push_back(std::move(resource));
  }
  session.Print(printer.Text(resources, !session.arguments().Has("no-headers")));
  return absl::OkStatus();
}

absl::StatusOr<int> LimitOf(const Arguments& arguments) {
  int limit = 0;
  const std::string text = arguments.Get("limit", "0");
  if (absl::SimpleAtoi(text, &limit) && limit >= 0) return limit;
  return absl::InvalidArgumentError(Concat("--limit: ", Quote(text), " is not a whole number"));
}

absl::Status GetAll(Session& session, const Kind& kind, const Printer& printer) {
  TL_ASSIGN_OR_RETURN(const int limit, LimitOf(session.arguments()));
  const auto request = kind.list->NewRequest();
  SetText(*request, "filter", session.arguments().Get("filter"));
  SetText(*request, "order_by", session.arguments().Get("order-by"));
  request->GetReflection()->SetInt32(
      request.get(), request->GetDescriptor()->FindFieldByName("page_size"), kPageSize);
  std::vector<std::unique_ptr<Message>> resources;
  std::string page;
  do {
    const auto reply = kind.list->NewReply();
    TL_RETURN_IF_ERROR(session.channel().Call(kind.list->key(), *request, *reply));
    const FieldDescriptor* const list = reply->GetDescriptor()->field(0);
    const int count = reply->GetReflection()->FieldSize(*reply, list);
    for (int i = 0; i < count; ++i) {
      const Message& resource = reply->GetReflection()->GetRepeatedMessage(*reply, list, i);
      resources.emplace_back(resource.New())->CopyFrom(resource);
    }
    page = TextOf(*reply, "next_page_token");
    SetText(*request, "page_token", page);
  } while (!page.empty() && (limit == 0 || resources.size() < static_cast<size_t>(limit)));
  if (limit != 0 && resources.size() > static_cast<size_t>(limit)) {
    resources.resize(static_cast<size_t>(limit));
  }
  session.Print(printer.Text(resources, !session.arguments().Has("no-headers")));
  return absl::OkStatus();
}

// One line for each event: what happened, and the resource.
absl::Status Watch(Session& session, const Kind& kind, const Printer& printer) {
  const auto request = kind.watch->NewRequest();
  SetText(*request, "filter", session.arguments().Get("filter"));
  const auto reply = kind.watch->NewReply();
  const google::protobuf::OneofDescriptor* const event = reply->GetDescriptor()->oneof_decl(0);
  bool headers = !session.arguments().Has("no-headers");
  return session.channel().Stream(kind.watch->key(), *request, *reply, [&] {
    const FieldDescriptor* const field =
        reply->GetReflection()->GetOneofFieldDescriptor(*reply, event);
    if (field == nullptr || field->message_type() != &kind.collection->type()) return true;
    const Message& resource = reply->GetReflection()->GetMessage(*reply, field);
    std::vector<std::unique_ptr<Message>> one;
    one.emplace_back(resource.New())->CopyFrom(resource);
    if (field->name() == "deleted") {
      session.Print(Concat(TextOf(resource, "name"), " deleted\n"));
    } else {
      session.Print(printer.Text(one, std::exchange(headers, false)));
    }
    return true;
  });
}

}  // namespace

absl::Status Get(Session& session) {
  TL_RETURN_IF_ERROR(session.arguments().Expect(
      "get", {"output", "no-headers", "watch", "filter", "order-by", "limit"}));
  if (session.arguments().words().size() < 2) {
    return absl::InvalidArgumentError("usage: trunkctl get KIND [ID...]");
  }
  TL_ASSIGN_OR_RETURN(const Kind* kind, session.FindKind(session.arguments().words()[1]));
  TL_ASSIGN_OR_RETURN(const Printer printer, Printer::For(session, *kind));
  if (session.arguments().Has("watch")) return Watch(session, *kind, printer);
  if (session.arguments().words().size() > 2) return GetSome(session, *kind, printer);
  return GetAll(session, *kind, printer);
}

absl::Status Create(Session& session) {
  TL_RETURN_IF_ERROR(session.arguments().Expect("create", {"dry-run"}));
  TL_ASSIGN_OR_RETURN(const Target target, TargetOf(session, "create KIND ID [FIELD=VALUE...]"));
  const auto request = target.kind->create->NewRequest();
  Message& resource = api::MutableMessageOf(*request, target.kind->field);
  std::vector<std::string> paths;
  TL_RETURN_IF_ERROR(
      ReadFields(session.arguments().words(), 3, api::MutableMessageOf(resource, "spec"), paths));
  SetText(*request, target.kind->id_field, std::string(config::ResourceId(target.name)));
  SetFlag(*request, "validate_only", session.arguments().Has("dry-run"));
  const auto reply = target.kind->create->NewReply();
  TL_RETURN_IF_ERROR(session.channel().Call(target.kind->create->key(), *request, *reply));
  session.Print(Done(session, target.name, "created", *reply));
  return absl::OkStatus();
}

absl::Status Set(Session& session) {
  TL_RETURN_IF_ERROR(session.arguments().Expect("set", {"dry-run", "etag"}));
  TL_ASSIGN_OR_RETURN(const Target target, TargetOf(session, "set KIND ID FIELD=VALUE..."));
  const auto request = target.kind->update->NewRequest();
  Message& resource = api::MutableMessageOf(*request, target.kind->field);
  std::vector<std::string> paths;
  TL_RETURN_IF_ERROR(
      ReadFields(session.arguments().words(), 3, api::MutableMessageOf(resource, "spec"), paths));
  if (paths.empty())
    return absl::InvalidArgumentError("usage: trunkctl set KIND ID FIELD=VALUE...");
  SetText(resource, "name", target.name);
  SetText(resource, "etag", session.arguments().Get("etag"));
  auto& mask =
      static_cast<google::protobuf::FieldMask&>(api::MutableMessageOf(*request, "update_mask"));
  for (const std::string& path : paths) mask.add_paths(path);
  SetFlag(*request, "validate_only", session.arguments().Has("dry-run"));
  const auto reply = target.kind->update->NewReply();
  TL_RETURN_IF_ERROR(session.channel().Call(target.kind->update->key(), *request, *reply));
  session.Print(Done(session, target.name, "changed", *reply));
  return absl::OkStatus();
}

absl::Status Delete(Session& session) {
  TL_RETURN_IF_ERROR(session.arguments().Expect("delete", {"dry-run", "etag", "ignore-not-found"}));
  TL_ASSIGN_OR_RETURN(const Target first, TargetOf(session, "delete KIND ID..."));
  const std::vector<std::string>& words = session.arguments().words();
  for (size_t i = 2; i < words.size(); ++i) {
    const std::string name = NameFor(*first.kind, words[i]);
    const auto request = first.kind->remove->NewRequest();
    SetText(*request, "name", name);
    SetText(*request, "etag", session.arguments().Get("etag"));
    SetFlag(*request, "allow_missing", session.arguments().Has("ignore-not-found"));
    SetFlag(*request, "validate_only", session.arguments().Has("dry-run"));
    const auto reply = first.kind->remove->NewReply();
    TL_RETURN_IF_ERROR(session.channel().Call(first.kind->remove->key(), *request, *reply));
    const bool was_there = api::HasMessage(*reply, first.kind->field);
    session.Print(was_there ? Done(session, name, "deleted", *reply)
                            : Concat(name, " was not there\n"));
  }
  return absl::OkStatus();
}

}  // namespace trunkline::cli
