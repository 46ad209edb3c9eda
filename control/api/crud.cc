#include "control/api/crud.h"

#include <utility>

#include "control/api/page.h"
#include "control/api/password_files.h"
#include "control/config/error_details.h"
#include "control/config/resource.h"
#include "control/config/text.h"
#include "router/base/status.h"

namespace trunkline::api {
namespace {

using config::Concat;
using google::protobuf::Message;

// What the store says of the resource of this request is said of the request:
// "listeners[amqp].port" → "listener.spec.port". What is said of others stays as it is.
absl::Status InRequest(const absl::Status& status, const Scope& scope, const std::string& id) {
  std::vector<config::FieldViolation> violations = config::ViolationsOf(status);
  if (violations.empty()) return status;
  const std::string own = Concat(scope.collection->section(), "[", id, "]");
  std::string text;
  for (config::FieldViolation& each : violations) {
    if (each.field.starts_with(own)) {
      const std::string rest = each.field.substr(own.size());
      const bool of_spec = rest.starts_with('.') && rest != ".name";
      each.field = Concat(scope.field, of_spec ? ".spec" : "", rest);
    }
    absl::StrAppend(&text, text.empty() ? "" : "; ", each.field, ": ", each.description);
  }
  absl::Status changed(status.code(), text);
  status.ForEachPayload(
      [&](absl::string_view url, const absl::Cord& payload) { changed.SetPayload(url, payload); });
  return config::WithViolations(std::move(changed), violations);
}

absl::Status Required(const std::string& field) {
  return config::WithViolations(absl::InvalidArgumentError(Concat(field, ": is required")),
                                {{field, "is required"}});
}

// Not every kind has certificates.
bool AllowsExpired(const Message& request) {
  constexpr char kField[] = "allow_expired";
  return request.GetDescriptor()->FindFieldByName(kField) != nullptr && FlagOf(request, kField);
}

// A resource that belongs to somebody else, who keeps it while it is used.
std::shared_ptr<const Message> Borrowed(const Message& resource) {
  return {std::shared_ptr<const Message>(), &resource};
}

}  // namespace

Crud::Crud(ResourceStore& store, const MethodTable& methods, Random& random, Hooks hooks,
           WatchHub::Options watching)
    : store_(store),
      random_(random),
      hooks_(std::move(hooks)),
      kinds_(FindKinds(methods)),
      watches_(kinds_, random, watching) {}

Handlers Crud::MakeHandlers() {
  Handlers handlers;
  for (const Kind& kind : kinds_) {
    const Kind* const of = &kind;
    handlers[kind.create->key()] = [this, of](auto call) { Create(*of, call); };
    handlers[kind.get->key()] = [this, of](auto call) { Get(*of, *call); };
    handlers[kind.list->key()] = [this, of](auto call) { List(*of, *call); };
    handlers[kind.update->key()] = [this, of](auto call) { Update(*of, call); };
    handlers[kind.remove->key()] = [this, of](auto call) { Delete(*of, call); };
    handlers[kind.watch->key()] = [this, of](auto call) {
      watches_.Serve(*of, std::move(call), hooks_.clock);
    };
  }
  return handlers;
}

void Crud::Begin() {
  for (const Kind& kind : kinds_) {
    kind.collection->ForEach(store_.effective(), [&](const std::string&, const Message& resource) {
      watches_.Put(*kind.collection, Seen(resource), hooks_.clock());
    });
  }
}

void Crud::Changed(const std::vector<store::Difference>& differences) {
  for (const store::Difference& each : differences) {
    if (each.after == nullptr) {
      watches_.Erase(*each.collection, each.id, hooks_.clock());
    } else {
      watches_.Put(*each.collection, Seen(*each.after), hooks_.clock());
    }
  }
}

void Crud::StatusChanged(const std::string& name) {
  const config::Collection* collection = config::CollectionOfName(name);
  if (collection == nullptr) return;
  const Message* resource = collection->Find(store_.effective(), config::ResourceId(name));
  if (resource != nullptr) watches_.Put(*collection, Seen(*resource), hooks_.clock());
}

std::shared_ptr<Message> Crud::Seen(const Message& resource) const {
  std::shared_ptr<Message> seen(resource.New());
  seen->CopyFrom(resource);
  if (hooks_.fill_status) hooks_.fill_status(*seen);
  return seen;
}

Scope Crud::ScopeOf(const Kind& kind) const {
  Scope scope;
  scope.collection = kind.collection;
  scope.field = kind.field;
  scope.place_of = [this, collection = kind.collection](const std::string& id) {
    return store_.PlaceOf(*collection, id);
  };
  return scope;
}

void Crud::Get(const Kind& kind, Call& call) {
  const auto id = IdOf(*kind.collection, config::TextOf(call.request(), "name"), "name");
  if (!id.ok()) return call.Finish(id.status());
  const Message* found = kind.collection->Find(store_.effective(), *id);
  if (found == nullptr) {
    return call.Finish(NotFound(*kind.collection, *id, kind.collection->Ids(store_.effective())));
  }
  call.Reply(*Seen(*found));
}

void Crud::List(const Kind& kind, Call& call) {
  const Message& request = call.request();
  const auto listing = Listing::Parse({.page_size = NumberOf(request, "page_size"),
                                       .page_token = config::TextOf(request, "page_token"),
                                       .filter = config::TextOf(request, "filter"),
                                       .order_by = config::TextOf(request, "order_by")},
                                      kind.collection->type());
  if (!listing.ok()) return call.Finish(listing.status());
  // Only who asks for it waits until the status of all of them is known.
  const bool by_status = listing->Reads("status");
  std::vector<std::shared_ptr<const Message>> all;
  kind.collection->ForEach(store_.effective(), [&](const std::string&, const Message& resource) {
    all.push_back(by_status ? Seen(resource) : Borrowed(resource));
  });
  const Page page = listing->Cut(std::move(all));
  const std::unique_ptr<Message> reply = call.method().NewReply();
  const auto* field = reply->GetDescriptor()->FindFieldByName(kind.collection->section());
  for (const auto& row : page.rows) {
    Message& added = *reply->GetReflection()->AddMessage(reply.get(), field);
    added.CopyFrom(*row);
    if (!by_status && hooks_.fill_status) hooks_.fill_status(added);
  }
  config::SetText(*reply, "next_page_token", page.next_page_token);
  call.Reply(*reply);
}

void Crud::Create(const Kind& kind, const std::shared_ptr<Call>& call) {
  if (!HasMessage(call->request(), kind.field)) return call->Finish(Required(kind.field));
  const Message& given = MessageOf(call->request(), kind.field);
  const auto id = ChooseId(ScopeOf(kind), given,
                           config::TextOf(call->request(), kind.id_field.c_str()), random_);
  if (!id.ok()) return call->Finish(id.status());
  Run(call, {&kind, *id, [this, &kind, call, id = *id](config::Document& made) {
               Draft draft(store_.file(), made);
               return api::Create(ScopeOf(kind), id, MessageOf(call->request(), kind.field), draft);
             }});
}

void Crud::Update(const Kind& kind, const std::shared_ptr<Call>& call) {
  const Message& request = call->request();
  if (!HasMessage(request, kind.field)) return call->Finish(Required(kind.field));
  const std::string& name = config::NameOf(MessageOf(request, kind.field));
  const auto id = IdOf(*kind.collection, name, kind.field + ".name");
  if (!id.ok()) return call->Finish(id.status());
  Run(call, {&kind, *id, [this, &kind, call, id = *id](config::Document& made) {
               api::Update update;
               update.given = &MessageOf(call->request(), kind.field);
               update.mask.CopyFrom(MessageOf(call->request(), "update_mask"));
               update.allow_missing = FlagOf(call->request(), "allow_missing");
               Draft draft(store_.file(), made);
               return Apply(ScopeOf(kind), id, update, draft);
             }});
}

void Crud::Delete(const Kind& kind, const std::shared_ptr<Call>& call) {
  const Message& request = call->request();
  const auto id = IdOf(*kind.collection, config::TextOf(request, "name"), "name");
  if (!id.ok()) return call->Finish(id.status());
  const api::Delete wanted = {.etag = config::TextOf(request, "etag"),
                              .allow_missing = FlagOf(request, "allow_missing")};
  Run(call, {&kind, *id, [this, &kind, wanted, id = *id](config::Document& made) {
               Draft draft(store_.file(), made);
               return Remove(ScopeOf(kind), id, wanted, draft);
             }});
}

void Crud::Run(const std::shared_ptr<Call>& call, Task task) {
  if (task.kind->collection->name() == config::kConnectors) {
    task.edit = WithPasswordFileChecked(call, task.id, std::move(task.edit));
  }
  const bool validates = FlagOf(call->request(), "validate_only");
  const std::string id = validates ? "" : config::TextOf(call->request(), "request_id");
  request_ids_.Run(
      *call, id, hooks_.clock(),
      [this, call, task = std::move(task)](RequestIds::Done done) {
        Mutate(*call, task, std::move(done));
      },
      RequestIds::AnswerTo(call));
}

void Crud::Mutate(const Call& call, const Task& task, const RequestIds::Done& done) {
  const bool validates = FlagOf(call.request(), "validate_only");
  const Method* const method = &call.method();
  store_.Mutate(task.edit,
                {validates ? ResourceStore::Mode::kValidate : ResourceStore::Mode::kApply,
                 AllowsExpired(call.request())},
                [this, task, method, done](const absl::StatusOr<ResourceStore::Outcome>& outcome) {
                  if (outcome.ok()) return done(AnswerTo(*method, task, *outcome));
                  done(InRequest(outcome.status(), ScopeOf(*task.kind), task.id));
                });
}

std::shared_ptr<const Message> Crud::AnswerTo(const Method& method, const Task& task,
                                              const ResourceStore::Outcome& outcome) const {
  std::shared_ptr<Message> answer = method.NewReply();
  v1::Impact impact = v1::IMPACT_NONE;
  bool unchanged = true;
  const Message* resource = task.kind->collection->Find(store_.effective(), task.id);
  for (const store::Difference& each : outcome.differences) {
    if (each.collection != task.kind->collection || each.id != task.id) continue;
    resource = each.after != nullptr ? each.after.get() : each.before.get();
    impact = store::ImpactOf(each);
    unchanged = false;
  }
  const auto& reflection = *answer->GetReflection();
  if (resource != nullptr) {
    Message& seen = MutableMessageOf(*answer, task.kind->field);
    seen.CopyFrom(*resource);
    if (hooks_.fill_status) hooks_.fill_status(seen);
  }
  const google::protobuf::Descriptor& type = *answer->GetDescriptor();
  reflection.SetEnumValue(answer.get(), type.FindFieldByName("impact"), impact);
  reflection.SetBool(answer.get(), type.FindFieldByName("persisted"), outcome.persisted);
  reflection.SetBool(answer.get(), type.FindFieldByName("unchanged"), unchanged);
  return answer;
}

}  // namespace trunkline::api
