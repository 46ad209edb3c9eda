#include "control/api/watches.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_replace.h"
#include "control/api/heartbeat.h"
#include "control/config/resource.h"
#include "google/protobuf/descriptor.h"
#include "router/base/check.h"
#include "router/base/status.h"

namespace trunkline::api {
namespace {

using google::protobuf::Message;

// Fields of every Watch answer, in the order of WatchEvent::Kind.
constexpr std::array<const char*, 5> kEventFields = {"added", "modified", "deleted", "bookmark",
                                                     "synced"};

absl::StatusOr<WatchHub::Wish> WishOf(const Kind& kind, const Message& request) {
  WatchHub::Wish wish;
  wish.filter_text = config::TextOf(request, "filter");
  wish.resume_token = config::TextOf(request, "resume_token");
  TL_ASSIGN_OR_RETURN(wish.heartbeat, HeartbeatOf(request));
  TL_ASSIGN_OR_RETURN(wish.filter, Filter::Parse(wish.filter_text, kind.collection->type()));
  return wish;
}

}  // namespace

// One kind: its hub, and the answers that were made last, as many watchers get the same.
struct Watches::Served {
  struct Answer {
    std::shared_ptr<const Message> resource;
    std::unique_ptr<Message> message;
  };

  explicit Served(std::string epoch, WatchHub::Options options) : hub(std::move(epoch), options) {}

  // The message of an event. Good until the next one is made.
  const Message& AnswerTo(const Method& method, const WatchEvent& event) {
    Answer& answer = answers[static_cast<size_t>(event.kind)];
    if (answer.message == nullptr || answer.resource != event.resource) {
      answer.message = method.NewReply();
      answer.resource = event.resource;
      Message& part =
          MutableMessageOf(*answer.message, kEventFields[static_cast<size_t>(event.kind)]);
      if (event.resource != nullptr) part.CopyFrom(*event.resource);
    }
    config::SetText(*answer.message, "resume_token", event.resume_token);
    return *answer.message;
  }

  WatchHub hub;
  std::array<Answer, kEventFields.size()> answers;  // by WatchEvent::Kind
};

Watches::Watches(const std::vector<Kind>& kinds, Random& random, WatchHub::Options options) {
  for (const Kind& kind : kinds) {
    std::string epoch = absl::StrReplaceAll(config::MakeUuid(random), {{"-", ""}});
    served_[kind.collection] = std::make_unique<Served>(std::move(epoch), options);
  }
}

Watches::~Watches() = default;

Watches::Served& Watches::Of(const config::Collection& collection) const {
  const auto found = served_.find(&collection);
  TL_CHECK(found != served_.end()) << collection.name();
  return *found->second;
}

void Watches::Put(const config::Collection& collection, std::shared_ptr<const Message> resource,
                  Time now) {
  const std::string& name = config::NameOf(*resource);
  Of(collection).hub.Put(name, std::move(resource), now);
}

void Watches::Erase(const config::Collection& collection, const std::string& id, Time now) {
  Of(collection).hub.Erase(config::ResourceName(collection.name(), id), now);
}

void Watches::Serve(const Kind& kind, std::shared_ptr<Call> call,
                    const std::function<Time()>& clock) {
  Served& served = Of(*kind.collection);
  auto wish = WishOf(kind, call->request());
  if (!wish.ok()) return call->Finish(wish.status());
  WatchHub::Exits exits;
  exits.writable = [call] { return call->writable(); };
  exits.write = [&served, call](const WatchEvent& event) {
    call->Write(served.AnswerTo(call->method(), event));
  };
  exits.finish = [call](const absl::Status& status) { call->Finish(status); };
  const auto id = served.hub.Watch(*std::move(wish), std::move(exits), clock());
  if (!id.ok()) return call->Finish(id.status());
  // The hub holds the call, the call the hub's number alone.
  call->OnWritable([&served, clock, id = *id] { served.hub.Ready(id, clock()); });
  call->OnGone([&served, id = *id] { served.hub.Leave(id); });
  served.hub.Ready(*id, clock());
}

void Watches::Tick(Time now) {
  for (const auto& [collection, served] : served_) served->hub.Tick(now);
}

Time Watches::NextDeadline() const {
  Time next = kNever;
  for (const auto& [collection, served] : served_)
    next = std::min(next, served->hub.NextDeadline());
  return next;
}

size_t Watches::watchers() const {
  size_t count = 0;
  for (const auto& [collection, served] : served_) count += served->hub.watchers();
  return count;
}

}  // namespace trunkline::api
