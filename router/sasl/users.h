#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "router/base/secret.h"
#include "router/sasl/scram_keys.h"

namespace trunkline::sasl {

// A user as a file names it.
struct Credential {
  std::string name;
  std::string password;  // without NUL; wiped by whoever takes it
};

// What a server can keep of a user's password to hold logins by SCRAM and PLAIN against: of each
// hash, stored key and server key. A secret: who has it can try passwords.
struct Verifier {
  static constexpr size_t kKeyBytes = size_t{ScramHash::kCount} * 2 * ScramKeys::kHashBytesMax;

  std::string name;
  Secret keys;  // kKeyBytes
};

// Who may log in, by name and password: read into memory, or looked up in a sasldb at each login;
// or by name and verifier.
// Immutable, so that it can be replaced while exchanges that began with it go on; only the keys of
// SCRAM are put down as they are made, as making them takes a millisecond and more.
//
// Trying names tells nobody who exists. A name that there is not has a password, salts and keys
// too, which nobody can know and which stay. What a login by SCRAM costs before the server's first
// message depends on how many there were, not on whose name it is: as long as somebody in memory
// has no keys of its hash, each makes those of one user, its own if they are wanting, or else the
// next one's; from then on it makes none. With a sasldb, each login makes keys. Not hidden: how
// many users there are, or have another password (a slow login for each), and what a look into a
// sasldb takes.
//
// Bound: 128 bytes for each user and hash that is used.
//
// Made by control, shared by the exchanges that use it. Thread: any.
class Users {
 public:
  // Longest name that is looked up, with its realm.
  static constexpr size_t kNameBytesMax = 255;

  // `realm` may be empty. The passwords are overwritten where they were. Who is in `before`, which
  // may be null, with the same password keeps what keys there are; salts are the same as there.
  static std::shared_ptr<const Users> FromCredentials(std::string realm,
                                                      std::vector<Credential>& credentials,
                                                      const Users* before = nullptr);
  static std::shared_ptr<const Users> FromSasldb(std::string realm, std::string file);
  // Users whose passwords nobody knows: by mechanisms that need one, nobody of them can log in.
  // `salt_key` is the one that the verifiers were made with.
  static std::shared_ptr<const Users> FromVerifiers(std::string realm, Secret salt_key,
                                                    const std::vector<Verifier>& verifiers);
  // What verifiers of one store are made with, so that all salts are the store's own.
  static Secret MakeSaltKey();
  // Empty: the system's OpenSSL refuses a hash. Takes some milliseconds.
  static Secret MakeKeys(const Secret& salt_key, std::string_view name, std::string_view password);

  // What names without "@" mean behind it: "admin" and "admin@realm" are the same.
  const std::string& realm() const { return realm_; }
  // Empty: the users are in memory.
  const std::string& sasldb_file() const { return sasldb_file_; }
  size_t size() const { return users_.size(); }

  // The password of `name`, with or without the realm; of a name that there is not, one that
  // nobody can know.
  std::string_view PasswordOf(std::string_view name) const;

  // Salt and keys of `name` for the server's side of SCRAM, as libsasl2 reads them. By `password`
  // if there is one, which a sasldb gave; else by that of the user in memory. Whoever takes it
  // wipes it. nullopt: the system's OpenSSL refuses the hash.
  std::optional<std::string> ScramTextOf(std::string_view name, const ScramHash& hash,
                                         std::optional<std::string_view> password) const;
  // Whether PLAIN is to ask Check, as there are no passwords to compare with.
  bool has_verifiers() const { return has_verifiers_; }
  // Whether the password is that of `name`. Takes a millisecond, also for a name there is not.
  bool Check(std::string_view name, std::string_view password) const;
  // How often keys were made.
  uint64_t keys_made() const { return keys_made_.load(std::memory_order_relaxed); }

 private:
  struct User {
    std::string name;
    size_t begin = 0;  // of the password, in passwords_
    size_t size = 0;
  };

  explicit Users(std::string realm);

  void TakeOver(const Users& before);
  std::string_view WithoutRealm(std::string_view name) const;
  std::optional<size_t> Find(std::string_view name) const;
  std::string_view Password(const User& user) const;
  bool KeysOf(std::optional<size_t> user, const ScramHash& hash, ScramKeys& keys) const;
  bool Make(std::string_view name, std::string_view password, const ScramHash& hash,
            ScramKeys& keys) const;

  const std::string realm_;
  std::string sasldb_file_;
  bool has_verifiers_ = false;
  std::vector<User> users_;
  absl::flat_hash_map<std::string, size_t> numbers_;  // by name, in users_
  Secret passwords_;
  Secret decoy_;  // password and keys of who does not exist
  Secret salt_key_;
  // Each is filled by the threads that log in.
  std::array<std::unique_ptr<ScramKeyTable>, ScramHash::kCount> keys_;
  mutable std::atomic<uint64_t> keys_made_{0};
};

}  // namespace trunkline::sasl
