#include "control/api/user_service.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "absl/strings/escaping.h"
#include "control/api/edit.h"
#include "control/config/error_details.h"
#include "control/config/text.h"
#include "control/store/users_edit.h"
#include "google/protobuf/util/time_util.h"
#include "router/base/secret.h"
#include "router/base/status.h"

namespace trunkline::api {
namespace {

using config::Concat;
using google::protobuf::Message;
using google::protobuf::util::TimeUtil;

constexpr std::string_view kUsers = "/users/";
constexpr size_t kNameBytesMax = 255;  // of a login, with its realm
constexpr size_t kPasswordBytesMax = 1024;
constexpr int kPageSizeDefault = 100;
constexpr int kPageSizeMax = 1000;

absl::Status WrongField(const std::string& field, const std::string& description) {
  return config::WithViolations(
      config::WithReason(absl::InvalidArgumentError(Concat(field, ": ", description)),
                         "INVALID_FIELD"),
      {{field, description}});
}

const config::Collection& Stores() { return *config::CollectionOfName("userStores/any"); }

absl::Status CheckPassword(const std::string& password) {
  if (password.empty()) return WrongField("password", "is required");
  if (password.size() > kPasswordBytesMax) {
    return WrongField("password",
                      Concat(password.size(), " bytes are more than ", kPasswordBytesMax));
  }
  if (password.find('\0') != std::string::npos) {
    return WrongField("password", "must not hold a zero byte");
  }
  return absl::OkStatus();
}

bool IsBlankOrControl(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte <= 0x20 || byte == 0x7f;
}

v1::User ToUser(const std::string& store, const std::string& name,
                const config::BuiltInUser& user) {
  v1::User told;
  told.set_name(Concat("userStores/", store, kUsers, name));
  *told.mutable_create_time() = TimeUtil::MillisecondsToTimestamp(user.created);
  *told.mutable_update_time() = TimeUtil::MillisecondsToTimestamp(user.updated);
  return told;
}

}  // namespace

Handlers UserService::MakeHandlers() {
  Handlers handlers;
  handlers["UserService/PutUser"] = [this](auto call) { Put(call); };
  handlers["UserService/ListUsers"] = [this](auto call) { List(*call); };
  handlers["UserService/DeleteUser"] = [this](auto call) { Delete(call); };
  return handlers;
}

absl::Status UserService::CheckStore(const std::string& store) const {
  const config::Document& document = store_.effective();
  const auto found = document.user_stores.find(store);
  if (found == document.user_stores.end()) {
    return NotFound(Stores(), store, Stores().Ids(document));
  }
  if (found->second.spec().built_in()) return absl::OkStatus();
  return config::WithReason(
      absl::FailedPreconditionError(
          Concat(found->second.name(), " is not built in: its users are where its spec says")),
      "NOT_BUILT_IN");
}

absl::StatusOr<UserService::Named> UserService::Find(const std::string& name,
                                                     const std::string& path) const {
  const size_t users = name.find(kUsers);
  if (users == std::string::npos) {
    return WrongField(path, "is not userStores/{store}/users/{user}");
  }
  Named named;
  TL_ASSIGN_OR_RETURN(named.store, IdOf(Stores(), name.substr(0, users), path));
  named.user = name.substr(users + kUsers.size());
  TL_RETURN_IF_ERROR(CheckStore(named.store));
  const std::string& realm = store_.effective().user_stores.at(named.store).spec().realm();
  const size_t size = named.user.size() + (realm.empty() ? 0 : 1 + realm.size());
  if (named.user.empty() || size > kNameBytesMax) {
    return WrongField(path, Concat("a user's name has 1 to ", kNameBytesMax,
                                   " bytes, with the realm of the store"));
  }
  if (std::any_of(named.user.begin(), named.user.end(), IsBlankOrControl)) {
    return WrongField(path, "a user's name holds no blanks and control characters");
  }
  return named;
}

void UserService::Run(const std::shared_ptr<Call>& call, const RequestIds::Act& act) {
  request_ids_.Run(*call, config::TextOf(call->request(), "request_id"), clocks_.now(), act,
                   RequestIds::AnswerTo(call));
}

void UserService::Put(const std::shared_ptr<Call>& call) {
  const auto& request = call->As<v1::PutUserRequest>();
  const absl::StatusOr<Named> named = Find(request.user().name(), "user.name");
  if (!named.ok()) return call->Finish(named.status());
  if (absl::Status status = CheckPassword(request.password()); !status.ok()) {
    return call->Finish(status);
  }
  const Secret password(request.password());
  Run(call, [this, named = *named, password](const RequestIds::Done& done) {
    auto reply = std::make_shared<v1::PutUserResponse>();
    store_.Mutate(
        [this, named, password, reply](config::Document& made) {
          // It may have gone while others were waited for.
          TL_RETURN_IF_ERROR(CheckStore(named.store));
          const auto* users = config::BuiltInUsersOf(made, named.store);
          reply->set_created(users == nullptr || !users->users.contains(named.user));
          TL_RETURN_IF_ERROR(
              store::PutUser(made, named.store, named.user, password, clocks_.wall()));
          users = config::BuiltInUsersOf(made, named.store);
          *reply->mutable_user() = ToUser(named.store, named.user, users->users.at(named.user));
          return absl::OkStatus();
        },
        ResourceStore::Mode::kApply,
        [reply, done](const absl::StatusOr<ResourceStore::Outcome>& outcome) {
          if (!outcome.ok()) return done(outcome.status());
          reply->set_persisted(outcome->persisted);
          done(std::shared_ptr<const Message>(reply));
        });
  });
}

void UserService::List(Call& call) const {
  const auto& request = call.As<v1::ListUsersRequest>();
  const auto store = IdOf(Stores(), request.parent(), "parent");
  if (!store.ok()) return call.Finish(store.status());
  if (absl::Status status = CheckStore(*store); !status.ok()) return call.Finish(status);
  if (request.page_size() < 0) return call.Finish(WrongField("page_size", "is less than 0"));
  std::string last;
  if (!absl::WebSafeBase64Unescape(request.page_token(), &last)) {
    return call.Finish(WrongField("page_token", "is no next_page_token"));
  }
  const int size =
      request.page_size() == 0 ? kPageSizeDefault : std::min(request.page_size(), kPageSizeMax);
  v1::ListUsersResponse reply;
  const config::BuiltInUsers* const users = config::BuiltInUsersOf(store_.effective(), *store);
  if (users != nullptr) {
    auto next = last.empty() ? users->users.begin() : users->users.upper_bound(last);
    for (; next != users->users.end() && reply.users_size() < size; ++next) {
      *reply.add_users() = ToUser(*store, next->first, next->second);
      last = next->first;
    }
    if (next != users->users.end()) reply.set_next_page_token(absl::WebSafeBase64Escape(last));
  }
  call.Reply(reply);
}

void UserService::Delete(const std::shared_ptr<Call>& call) {
  const auto& request = call->As<v1::DeleteUserRequest>();
  const absl::StatusOr<Named> named = Find(request.name(), "name");
  if (!named.ok()) return call->Finish(named.status());
  Run(call,
      [this, named = *named, missing = request.allow_missing()](const RequestIds::Done& done) {
        store_.Mutate(
            [named, missing](config::Document& made) {
              if (store::RemoveUser(made, named.store, named.user) || missing)
                return absl::OkStatus();
              return config::WithReason(
                  absl::NotFoundError(Concat("userStores/", named.store, " has no user ",
                                             config::Quote(named.user))),
                  "USER_NOT_FOUND");
            },
            ResourceStore::Mode::kApply,
            [done](const absl::StatusOr<ResourceStore::Outcome>& outcome) {
              if (!outcome.ok()) return done(outcome.status());
              auto reply = std::make_shared<v1::DeleteUserResponse>();
              reply->set_persisted(outcome->persisted);
              done(std::shared_ptr<const Message>(std::move(reply)));
            });
      });
}

}  // namespace trunkline::api
