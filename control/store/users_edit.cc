#include "control/store/users_edit.h"

#include <memory>
#include <utility>

#include "control/config/error_details.h"
#include "control/config/text.h"
#include "router/sasl/users.h"

namespace trunkline::store {
namespace {

size_t CountOf(const config::Document& made) {
  size_t count = 0;
  for (const auto& [id, users] : made.built_in_users) count += users->users.size();
  return count;
}

}  // namespace

absl::Status PutUser(config::Document& made, const std::string& store, const std::string& name,
                     const Secret& password, int64_t now) {
  const config::BuiltInUsers* const before = config::BuiltInUsersOf(made, store);
  auto users = std::make_shared<config::BuiltInUsers>(
      before == nullptr ? config::BuiltInUsers{.salt_key = sasl::Users::MakeSaltKey(), .users = {}}
                        : *before);
  const auto [user, added] = users->users.try_emplace(name);
  if (added && CountOf(made) >= kBuiltInUsersMax) {
    return config::WithReason(absl::ResourceExhaustedError(
                                  config::Concat("there are ", kBuiltInUsersMax, " users already")),
                              "TOO_MANY_USERS");
  }
  user->second.keys = sasl::Users::MakeKeys(users->salt_key, name, password.view());
  if (user->second.keys.empty()) {
    return absl::InternalError("the hashes of SCRAM cannot be made on this system");
  }
  if (added) user->second.created = now;
  user->second.updated = now;
  made.built_in_users[store] = std::move(users);
  return absl::OkStatus();
}

bool RemoveUser(config::Document& made, const std::string& store, const std::string& name) {
  const config::BuiltInUsers* const before = config::BuiltInUsersOf(made, store);
  if (before == nullptr || !before->users.contains(name)) return false;
  auto users = std::make_shared<config::BuiltInUsers>(*before);
  users->users.erase(name);
  made.built_in_users[store] = std::move(users);
  return true;
}

}  // namespace trunkline::store
