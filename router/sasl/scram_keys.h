#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "router/base/secret.h"

namespace trunkline::sasl {

// What a SCRAM server keeps of a password (RFC 5802): as many bytes of each as its hash has.
// Secrets; overwritten at their end.
struct ScramKeys {
  static constexpr size_t kHashBytesMax = 64;

  ScramKeys() = default;
  ScramKeys(const ScramKeys&) = default;
  ScramKeys& operator=(const ScramKeys&) = default;
  ~ScramKeys();

  std::array<char, kHashBytesMax> stored{};
  std::array<char, kHashBytesMax> server{};
};

// A hash of SCRAM, and what it is to the server.
struct ScramHash {
  static constexpr size_t kCount = 5;
  static constexpr int kIterations = 4096;

  // Null: that is no mechanism of SCRAM.
  static const ScramHash* Of(std::string_view mechanism);

  // Below kCount, for tables; and the one of that number.
  size_t number() const;
  static const ScramHash& At(size_t number);

  // The salt of `name`, by a secret key: the same each time, and nobody else's.
  std::string Salt(std::string_view key, std::string_view name) const;
  // False: the system's OpenSSL refuses. Takes a millisecond or more: that is its purpose.
  bool MakeKeys(std::string_view password, std::string_view salt, ScramKeys& keys) const;
  // Salt and keys as libsasl2 reads them, "SCRAM-SHA-256$4096:SALT$STORED:SERVER". Whoever takes it
  // wipes it.
  std::string Text(std::string_view salt, const ScramKeys& keys) const;

  // Whether the stored keys are the same; takes as long where they are not.
  bool SameStored(const ScramKeys& a, const ScramKeys& b) const;

  std::string_view mechanism;
  const char* digest;  // OpenSSL's name
  size_t bytes;
};

// The keys of one hash for all users of a store, who have numbers from 0 on.
//
// Owned by Users. Thread: any. The mutex guards the table; nobody hashes with it.
class ScramKeyTable {
 public:
  explicit ScramKeyTable(size_t users) : made_(users), left_(users) {}

  // Whose keys a login as `user` (nullopt: as nobody) has to make: its own if there are none, else
  // those of the next who has none. nullopt: everybody has keys.
  std::optional<size_t> TakeTurn(std::optional<size_t> user);
  // The first keys of a user stay.
  void Put(size_t user, const ScramKeys& keys);
  // False: there are none.
  bool Get(size_t user, ScramKeys& keys) const;

 private:
  mutable std::mutex mutex_;  // of all that follows; one that the thread sanitizer knows
  std::vector<bool> made_;
  size_t left_;                     // how many have none
  size_t next_ = 0;                 // who may be the next that has none
  std::optional<SecretRoom> room_;  // from the first Put on
};

}  // namespace trunkline::sasl
