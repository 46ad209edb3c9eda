#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "control/cli/certs.h"
#include "control/cli/follow.h"
#include "control/cli/output.h"
#include "control/cli/resources.h"
#include "control/cli/router_settings.h"
#include "control/cli/views.h"
#include "control/config/resource.h"
#include "control/config/text.h"
#include "proto/trunkline/control/v1/tls_service.pb.h"
#include "router/base/status.h"

// What is there, and what changes.
namespace trunkline::cli {
namespace {

using config::Concat;
using config::Quote;
using config::SetText;
using config::TextOf;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

std::vector<const Message*> Pointers(const std::vector<std::unique_ptr<Message>>& owned) {
  std::vector<const Message*> pointers;
  for (const auto& message : owned) pointers.push_back(message.get());
  return pointers;
}

// "amqp", "listeners/amqp" → "listeners/amqp"; of what belongs to others the whole name is given.
std::string FullName(const Listed& listed, const std::string& word) {
  const bool is_whole = word.starts_with(listed.prefix) || !listed.parent_prefix.empty();
  return is_whole ? word : listed.prefix + word;
}

absl::Status GetSome(Session& session, const Listed& listed, const Output& output) {
  if (listed.get == nullptr) {
    return absl::InvalidArgumentError(Concat(listed.title, " are only listed"));
  }
  std::vector<std::unique_ptr<Message>> found;
  for (size_t i = 1; i < session.words().size(); ++i) {
    const auto request = listed.get->NewRequest();
    SetText(*request, "name", FullName(listed, session.words()[i]));
    auto one = listed.get->NewReply();
    TL_RETURN_IF_ERROR(session.Call(listed.get->key(), *request, *one));
    found.push_back(std::move(one));
  }
  output.Print(session, Pointers(found), ColumnsOf(*listed.type), listed.title,
               session.words().size() == 2 ? Output::Number::kOne : Output::Number::kMany);
  return absl::OkStatus();
}

absl::StatusOr<size_t> LimitOf(const Arguments& arguments) {
  size_t limit = 0;
  const std::string text = arguments.Get("limit", "0");
  if (absl::SimpleAtoi(text, &limit)) return limit;
  return absl::InvalidArgumentError(Concat("--limit: ", Quote(text), " is not a whole number"));
}

// Options that are fields of the request; not every list has all of them.
absl::Status ReadOptions(const Session& session, const Listed& listed, Message& request) {
  const std::pair<const char*, const char*> options[] = {{"filter", "filter"},
                                                         {"order-by", "order_by"}};
  for (const auto& [option, field] : options) {
    if (!session.arguments().Has(option)) continue;
    if (request.GetDescriptor()->FindFieldByName(field) == nullptr) {
      return absl::InvalidArgumentError(Concat("--", option, ": is nothing for ", listed.title));
    }
    SetText(request, field, session.arguments().Get(option));
  }
  return absl::OkStatus();
}

// Of a word that says whose they are, "service" or "tlsProfiles/service"; empty: anybody's.
absl::Status SetParent(const Listed& listed, const std::string& word, Message& request) {
  if (listed.parent_prefix.empty()) return absl::OkStatus();
  if (word.empty() && listed.word == "users") {
    return absl::InvalidArgumentError("give the store that they are of: get users STORE");
  }
  const bool is_whole = word.starts_with(listed.parent_prefix);
  const std::string id = word.empty() ? "-" : word;
  SetText(request, "parent", is_whole ? word : listed.parent_prefix + id);
  return absl::OkStatus();
}

// Whether a word behind the kind says whose they are; otherwise it is the name of one.
bool SaysWhose(const Listed& listed, std::string_view word) {
  if (listed.parent_prefix.empty()) return false;
  if (word.starts_with(listed.parent_prefix)) word.remove_prefix(listed.parent_prefix.size());
  return word.find('/') == word.npos;
}

// All that `request` asks for, page by page.
absl::Status ListAll(Session& session, const Listed& listed, const Output& output,
                     Message& request) {
  TL_ASSIGN_OR_RETURN(const size_t limit, LimitOf(session.arguments()));
  TL_RETURN_IF_ERROR(ReadOptions(session, listed, request));
  request.GetReflection()->SetInt32(&request, request.GetDescriptor()->FindFieldByName("page_size"),
                                    kPageSize);
  std::vector<std::unique_ptr<Message>> found;
  std::string page;
  do {
    const auto reply = listed.list->NewReply();
    TL_RETURN_IF_ERROR(session.Call(listed.list->key(), request, *reply));
    const FieldDescriptor* const list = reply->GetDescriptor()->field(0);
    const int count = reply->GetReflection()->FieldSize(*reply, list);
    for (int i = 0; i < count; ++i) {
      const Message& one = reply->GetReflection()->GetRepeatedMessage(*reply, list, i);
      found.emplace_back(one.New())->CopyFrom(one);
    }
    page = TextOf(*reply, "next_page_token");
    SetText(request, "page_token", page);
  } while (!page.empty() && (limit == 0 || found.size() < limit));
  if (limit != 0 && found.size() > limit) found.resize(limit);
  output.Print(session, Pointers(found), ColumnsOf(*listed.type), listed.title,
               Output::Number::kMany);
  return absl::OkStatus();
}

// Tells the events of a watch. Those that come before everything has been told are one table.
class Watcher {
 public:
  Watcher(Session& session, const Listed& listed, const Output& output)
      : session_(session),
        listed_(listed),
        output_(output),
        columns_(ColumnsOf(*listed.type)),
        reply_(listed.watch->NewReply()),
        table_(WithFirst("EVENT", output.Headers(columns_))) {
    // What comes later is to stand below what is there.
    table_.Widen(0, std::string_view("modified").size());
  }

  // Until it is interrupted. What the router says, and Unavailable if it cannot be reached at
  // first.
  absl::Status Run();

 private:
  static std::vector<std::string> WithFirst(const std::string& first,
                                            std::vector<std::string> rest) {
    rest.insert(rest.begin(), first);
    return rest;
  }
  // What `reply_` says.
  void See();

  Session& session_;
  const Listed& listed_;
  const Output& output_;
  const std::vector<Column>& columns_;
  const std::unique_ptr<Message> reply_;
  Table table_;
  bool synced_ = false;
};

absl::Status Watcher::Run() {
  const auto request = listed_.watch->NewRequest();
  SetText(*request, "filter", session_.arguments().Get("filter"));
  return Follow(
      session_, {listed_.watch->key(), *request, *reply_},
      [this] {
        See();
        return true;
      },
      [] {});
}

void Watcher::See() {
  const auto* const event = reply_->GetDescriptor()->oneof_decl(0);
  const FieldDescriptor* const field =
      reply_->GetReflection()->GetOneofFieldDescriptor(*reply_, event);
  if (field == nullptr) return;
  synced_ |= field->name() == "synced";
  if (output_.form() == Output::Form::kJson) {
    session_.Print(JsonOf(*reply_, Layout::kOneLine));
  } else if (field->message_type() == listed_.type) {
    const Message& resource = reply_->GetReflection()->GetMessage(*reply_, field);
    table_.Add(WithFirst(field->name(), output_.Row(resource, columns_)));
  }
  // Those that are there from the first are one table, with columns that fit.
  if (synced_ && table_.size() > 0) {
    session_.Print(table_.Next(!session_.arguments().Has("no-headers"), session_.colours()));
  }
}

}  // namespace

absl::Status Get(Session& session) {
  if (session.words().empty()) return absl::InvalidArgumentError("give KIND [ID...]");
  if (IsRouter(session)) return GetRouter(session);
  if (session.arguments().Has("watch")) return WatchKind(session);
  TL_ASSIGN_OR_RETURN(const Listed* listed, session.FindListed(session.words()[0]));
  TL_ASSIGN_OR_RETURN(const Output output, Output::For(session));
  const std::string word = session.words().size() > 1 ? session.words()[1] : "";
  if (!word.empty() && !SaysWhose(*listed, word)) return GetSome(session, *listed, output);
  if (session.words().size() > 2) {
    return absl::InvalidArgumentError(
        Concat("give one that they are of, not ", Quote(word), " and others"));
  }
  const auto request = listed->list->NewRequest();
  TL_RETURN_IF_ERROR(SetParent(*listed, word, *request));
  return ListAll(session, *listed, output, *request);
}

absl::Status ListTlsSessions(Session& session) {
  if (session.words().size() > 1) return absl::InvalidArgumentError("give one PROFILE, or none");
  const bool is_old = session.arguments().Has("old");
  if (is_old && session.arguments().Has("filter")) {
    return absl::InvalidArgumentError("--old: goes without --filter; say there: active = false");
  }
  TL_ASSIGN_OR_RETURN(const Listed* listed, session.FindListed("tls_sessions"));
  TL_ASSIGN_OR_RETURN(const Output output, Output::For(session));
  v1::ListTlsSessionsRequest request;
  TL_RETURN_IF_ERROR(
      SetParent(*listed, session.words().empty() ? "" : session.words()[0], request));
  if (is_old) request.set_filter("active = false");
  return ListAll(session, *listed, output, request);
}

absl::Status WatchKind(Session& session) {
  if (session.words().size() != 1) return absl::InvalidArgumentError("give one KIND");
  TL_ASSIGN_OR_RETURN(const Listed* listed, session.FindListed(session.words()[0]));
  if (listed->watch == nullptr) {
    return absl::InvalidArgumentError(Concat(listed->title, " cannot be watched"));
  }
  TL_ASSIGN_OR_RETURN(const Output output, Output::For(session));
  if (!output.IsTable() && output.form() != Output::Form::kJson) {
    return absl::InvalidArgumentError("--output: a watch is told as table, wide or json");
  }
  return Watcher(session, *listed, output).Run();
}

}  // namespace trunkline::cli
