#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/config/document.h"
#include "router/base/secret.h"
#include "router/sasl/users.h"

namespace trunkline::users {

inline constexpr size_t kUsersMax = 10'000;
inline constexpr size_t kPasswordBytesMax = 1024;

// A user store, read and ready for the router.
struct Store {
  std::shared_ptr<const sasl::Users> users;
  // Differs, for all practical purposes, if what is read would differ: from names, sizes, times and
  // inodes, not from what is in the files.
  uint64_t stamp = 0;
  std::vector<std::string> warnings;  // the field first
};

// Reads and checks. InvalidArgument, FailedPrecondition: what is wrong, the field of the store
// first; never what is in a file. `before`, which may be null, is what was read last: if nothing
// differs, that is the answer; else users whose password is the same keep the keys they have.
absl::StatusOr<Store> LoadStore(const v1::UserStoreSpec& spec, const Store* before = nullptr);

// The same of a built-in store, whose users may be null: none have been made.
Store LoadBuiltIn(const v1::UserStoreSpec& spec, const config::BuiltInUsers* users);

// The stamp that LoadStore would give; cheap. 0: it cannot be looked at.
uint64_t StampOf(const v1::UserStoreSpec& spec);

// The password in `file`, as in a directory of users; `field` begins the error.
absl::StatusOr<Secret> ReadPassword(const std::string& field, const std::string& file);

}  // namespace trunkline::users
