#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "router/base/secret.h"

namespace trunkline::sasl {

// A user as a file names it.
struct Credential {
  std::string name;
  std::string password;  // without NUL; wiped by whoever takes it
};

// Who may log in, by name and password: read into memory, or looked up in a sasldb at each login.
// Immutable, so that it can be replaced while exchanges that began with it go on.
//
// Made by control, shared by the exchanges that use it. Thread: any.
class Users {
 public:
  // Longest name that is looked up, with its realm.
  static constexpr size_t kNameBytesMax = 255;

  // `realm` may be empty. The passwords are overwritten where they were.
  static std::shared_ptr<const Users> FromCredentials(std::string realm,
                                                      std::vector<Credential>& credentials);
  static std::shared_ptr<const Users> FromSasldb(std::string realm, std::string file);

  // What names without "@" mean behind it: "admin" and "admin@realm" are the same.
  const std::string& realm() const { return realm_; }
  // Empty: the users are in memory.
  const std::string& sasldb_file() const { return sasldb_file_; }
  size_t size() const { return places_.size(); }

  // The password of `name`, with or without the realm; of a name that there is not, one that
  // nobody can know: all that follows is the same for both, so trying tells nobody who exists.
  std::string_view PasswordOf(std::string_view name) const;

 private:
  struct Place {
    size_t begin = 0;
    size_t size = 0;
  };

  Users() = default;
  void MakeDecoy();

  std::string realm_;
  std::string sasldb_file_;
  absl::flat_hash_map<std::string, Place> places_;  // in passwords_
  Secret passwords_;
  Secret decoy_;
};

}  // namespace trunkline::sasl
