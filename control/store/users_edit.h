#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "control/config/document.h"
#include "router/base/secret.h"

namespace trunkline::store {

// Of all built-in stores together: each takes memory of its own that core dumps leave out.
inline constexpr size_t kBuiltInUsersMax = 5'000;

// Changes of the users of built-in stores, in the layer of what was made over the API. Names of
// stores are ids; that they are built in is the caller's to know. Pure, but for salts.

// Makes the user, or gives it another password. `now` is in milliseconds since 1970.
// ResourceExhausted (TOO_MANY_USERS): kBuiltInUsersMax; Internal: the system's OpenSSL refuses.
// Takes some milliseconds.
absl::Status PutUser(config::Document& made, const std::string& store, const std::string& name,
                     const Secret& password, int64_t now);
// False: there was none.
bool RemoveUser(config::Document& made, const std::string& store, const std::string& name);

}  // namespace trunkline::store
