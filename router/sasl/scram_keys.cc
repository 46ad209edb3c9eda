#include "router/sasl/scram_keys.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#include <cstring>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "router/base/check.h"

namespace trunkline::sasl {
namespace {

constexpr size_t kSaltBytes = 16;
constexpr size_t kPlaceBytes = 2 * ScramKeys::kHashBytesMax;  // of a user in a table

constexpr std::array<ScramHash, ScramHash::kCount> kHashes = {{
    {.mechanism = "SCRAM-SHA-1", .digest = "SHA1", .bytes = 20},
    {.mechanism = "SCRAM-SHA-224", .digest = "SHA224", .bytes = 28},
    {.mechanism = "SCRAM-SHA-256", .digest = "SHA256", .bytes = 32},
    {.mechanism = "SCRAM-SHA-384", .digest = "SHA384", .bytes = 48},
    {.mechanism = "SCRAM-SHA-512", .digest = "SHA512", .bytes = 64},
}};

unsigned char* Unsigned(char* bytes) { return reinterpret_cast<unsigned char*>(bytes); }
const unsigned char* Unsigned(const char* bytes) {
  return reinterpret_cast<const unsigned char*>(bytes);
}

bool Hmac(const EVP_MD* digest, std::string_view key, std::string_view text, char* out) {
  return ::HMAC(digest, key.data(), static_cast<int>(key.size()), Unsigned(text.data()),
                text.size(), Unsigned(out), nullptr) != nullptr;
}

void AppendBase64(std::string_view bytes, std::string& text) {
  std::string escaped = absl::Base64Escape(absl::string_view(bytes.data(), bytes.size()));
  text += escaped;
  Wipe(escaped);
}

}  // namespace

ScramKeys::~ScramKeys() {
  ::explicit_bzero(stored.data(), stored.size());
  ::explicit_bzero(server.data(), server.size());
}

const ScramHash* ScramHash::Of(std::string_view mechanism) {
  for (const ScramHash& hash : kHashes) {
    if (hash.mechanism == mechanism) return &hash;
  }
  return nullptr;
}

size_t ScramHash::number() const { return static_cast<size_t>(this - kHashes.data()); }
const ScramHash& ScramHash::At(size_t number) { return kHashes.at(number); }

std::string ScramHash::Salt(std::string_view key, std::string_view name) const {
  std::array<char, 32> code{};
  const std::string text = absl::StrCat(absl::string_view(mechanism.data(), mechanism.size()), " ",
                                        absl::string_view(name.data(), name.size()));
  TL_CHECK(Hmac(::EVP_sha256(), key, text, code.data())) << "OpenSSL has no HMAC of SHA-256";
  return std::string(code.data(), kSaltBytes);
}

bool ScramHash::MakeKeys(std::string_view password, std::string_view salt, ScramKeys& keys) const {
  const EVP_MD* const algorithm = ::EVP_get_digestbyname(digest);
  if (algorithm == nullptr) return false;
  std::array<char, ScramKeys::kHashBytesMax> salted{};
  std::array<char, ScramKeys::kHashBytesMax> client{};
  const std::string_view key(salted.data(), bytes);
  const bool made =
      ::PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()), Unsigned(salt.data()),
                          static_cast<int>(salt.size()), kIterations, algorithm,
                          static_cast<int>(bytes), Unsigned(salted.data())) == 1 &&
      Hmac(algorithm, key, "Client Key", client.data()) &&
      Hmac(algorithm, key, "Server Key", keys.server.data()) &&
      ::EVP_Digest(client.data(), bytes, Unsigned(keys.stored.data()), nullptr, algorithm,
                   nullptr) == 1;
  ::explicit_bzero(salted.data(), salted.size());
  ::explicit_bzero(client.data(), client.size());
  return made;
}

bool ScramHash::SameStored(const ScramKeys& a, const ScramKeys& b) const {
  return ::CRYPTO_memcmp(a.stored.data(), b.stored.data(), bytes) == 0;
}

std::string ScramHash::Text(std::string_view salt, const ScramKeys& keys) const {
  std::string text;
  text.reserve(320);  // or growing would leave copies behind
  absl::StrAppend(&text, absl::string_view(mechanism.data(), mechanism.size()), "$", kIterations,
                  ":");
  AppendBase64(salt, text);
  text += '$';
  AppendBase64({keys.stored.data(), bytes}, text);
  text += ':';
  AppendBase64({keys.server.data(), bytes}, text);
  return text;
}

std::optional<size_t> ScramKeyTable::TakeTurn(std::optional<size_t> user) {
  const std::lock_guard lock(mutex_);
  if (user.has_value() && !made_[*user]) return user;
  if (left_ == 0) return std::nullopt;
  while (made_[next_]) next_ = (next_ + 1) % made_.size();
  const size_t turn = next_;
  next_ = (next_ + 1) % made_.size();  // several threads at a time make those of several users
  return turn;
}

void ScramKeyTable::Put(size_t user, const ScramKeys& keys) {
  const std::lock_guard lock(mutex_);
  if (made_[user]) return;
  if (!room_.has_value()) room_.emplace(made_.size() * kPlaceBytes);
  char* const place = room_->data() + user * kPlaceBytes;
  std::memcpy(place, keys.stored.data(), keys.stored.size());
  std::memcpy(place + keys.stored.size(), keys.server.data(), keys.server.size());
  made_[user] = true;
  --left_;
}

bool ScramKeyTable::Get(size_t user, ScramKeys& keys) const {
  const std::lock_guard lock(mutex_);
  if (!made_[user]) return false;
  const char* const place = room_->data() + user * kPlaceBytes;
  std::memcpy(keys.stored.data(), place, keys.stored.size());
  std::memcpy(keys.server.data(), place + keys.stored.size(), keys.server.size());
  return true;
}

}  // namespace trunkline::sasl
