#include "router/sasl/users.h"

#include <algorithm>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "router/base/check.h"

namespace trunkline::sasl {
namespace {

// Text that nobody can know, as long as the longest key.
Secret RandomText() {
  std::random_device device;
  std::string text;
  text.reserve(ScramKeys::kHashBytesMax);
  while (text.size() < ScramKeys::kHashBytesMax) {
    absl::StrAppend(&text, absl::Hex(device(), absl::kZeroPad8));
  }
  Secret secret(text);
  Wipe(text);
  return secret;
}

}  // namespace

Users::Users(std::string realm)
    : realm_(std::move(realm)), decoy_(RandomText()), salt_key_(RandomText()) {}

std::shared_ptr<const Users> Users::FromCredentials(std::string realm,
                                                    std::vector<Credential>& credentials,
                                                    const Users* before) {
  std::shared_ptr<Users> users(new Users(std::move(realm)));
  size_t bytes = 0;
  for (const Credential& credential : credentials) bytes += credential.password.size();
  std::string all;
  all.reserve(bytes);  // or growing would leave copies behind
  for (Credential& credential : credentials) {
    const auto [known, added] = users->numbers_.try_emplace(credential.name, users->users_.size());
    if (added) users->users_.push_back({.name = credential.name});
    users->users_[known->second].begin = all.size();
    users->users_[known->second].size = credential.password.size();
    all += credential.password;
    Wipe(credential.password);
  }
  users->passwords_ = Secret(all);
  Wipe(all);
  for (auto& table : users->keys_) table = std::make_unique<ScramKeyTable>(users->size());
  if (before != nullptr) users->TakeOver(*before);
  return users;
}

void Users::TakeOver(const Users& before) {
  decoy_ = before.decoy_;
  salt_key_ = before.salt_key_;
  for (size_t number = 0; number < users_.size(); ++number) {
    const auto known = before.numbers_.find(users_[number].name);
    if (known == before.numbers_.end()) continue;
    if (before.Password(before.users_[known->second]) != Password(users_[number])) continue;
    ScramKeys keys;
    for (size_t hash = 0; hash < keys_.size(); ++hash) {
      if (before.keys_[hash]->Get(known->second, keys)) keys_[hash]->Put(number, keys);
    }
  }
}

std::shared_ptr<const Users> Users::FromSasldb(std::string realm, std::string file) {
  std::shared_ptr<Users> users(new Users(std::move(realm)));
  users->sasldb_file_ = std::move(file);
  return users;
}

std::shared_ptr<const Users> Users::FromVerifiers(std::string realm, Secret salt_key,
                                                  const std::vector<Verifier>& verifiers) {
  std::shared_ptr<Users> users(new Users(std::move(realm)));
  users->has_verifiers_ = true;
  users->salt_key_ = std::move(salt_key);
  for (const Verifier& verifier : verifiers) {
    users->numbers_.emplace(verifier.name, users->users_.size());
    users->users_.push_back({.name = verifier.name});
  }
  for (auto& table : users->keys_) table = std::make_unique<ScramKeyTable>(users->size());
  for (size_t number = 0; number < verifiers.size(); ++number) {
    const std::string_view bytes = verifiers[number].keys.view();
    TL_CHECK(bytes.size() == Verifier::kKeyBytes) << "verifier of " << bytes.size() << " bytes";
    for (size_t hash = 0; hash < ScramHash::kCount; ++hash) {
      ScramKeys keys;
      const char* const begin = bytes.data() + hash * 2 * ScramKeys::kHashBytesMax;
      std::copy_n(begin, keys.stored.size(), keys.stored.begin());
      std::copy_n(begin + keys.stored.size(), keys.server.size(), keys.server.begin());
      users->keys_[hash]->Put(number, keys);
    }
  }
  return users;
}

Secret Users::MakeSaltKey() { return RandomText(); }

Secret Users::MakeKeys(const Secret& salt_key, std::string_view name, std::string_view password) {
  std::string bytes;
  bytes.reserve(Verifier::kKeyBytes);
  bool made = true;
  for (size_t number = 0; number < ScramHash::kCount && made; ++number) {
    const ScramHash& hash = ScramHash::At(number);
    ScramKeys keys;
    made = hash.MakeKeys(password, hash.Salt(salt_key.view(), name), keys);
    bytes.append(keys.stored.data(), keys.stored.size());
    bytes.append(keys.server.data(), keys.server.size());
  }
  Secret secret = made ? Secret(bytes) : Secret();
  Wipe(bytes);
  return secret;
}

bool Users::Check(std::string_view name, std::string_view password) const {
  const ScramHash& hash = *ScramHash::Of("SCRAM-SHA-256");
  const std::optional<size_t> user = Find(name);
  ScramKeys expected;
  ScramKeys given;
  if (!KeysOf(user, hash, expected) ||
      !Make(user.has_value() ? users_[*user].name : WithoutRealm(name), password, hash, given)) {
    return false;
  }
  return user.has_value() && hash.SameStored(expected, given);
}

std::string_view Users::WithoutRealm(std::string_view name) const {
  const std::string suffix = absl::StrCat("@", realm_);
  if (!realm_.empty() && name.ends_with(suffix)) name.remove_suffix(suffix.size());
  return name;
}

std::optional<size_t> Users::Find(std::string_view name) const {
  for (const std::string_view text : {name, WithoutRealm(name)}) {
    const auto found = numbers_.find(absl::string_view(text.data(), text.size()));
    if (found != numbers_.end()) return found->second;
  }
  return std::nullopt;
}

std::string_view Users::Password(const User& user) const {
  // libsasl2 has no empty passwords: it would read on behind it.
  return user.size == 0 ? decoy_.view() : passwords_.view().substr(user.begin, user.size);
}

std::string_view Users::PasswordOf(std::string_view name) const {
  const std::optional<size_t> user = Find(name);
  return user.has_value() ? Password(users_[*user]) : decoy_.view();
}

std::optional<std::string> Users::ScramTextOf(std::string_view name, const ScramHash& hash,
                                              std::optional<std::string_view> password) const {
  const std::optional<size_t> user = Find(name);
  const std::string_view salted = user.has_value() ? users_[*user].name : WithoutRealm(name);
  ScramKeys keys;
  const bool by_password = password.has_value() || !sasldb_file_.empty();
  const bool made = by_password ? Make(salted, password.value_or(decoy_.view()), hash, keys)
                                : KeysOf(user, hash, keys);
  if (!made) return std::nullopt;
  return hash.Text(hash.Salt(salt_key_.view(), salted), keys);
}

// Of a user in memory, or of nobody.
bool Users::KeysOf(std::optional<size_t> user, const ScramHash& hash, ScramKeys& keys) const {
  ScramKeyTable& table = *keys_[hash.number()];
  if (const std::optional<size_t> turn = table.TakeTurn(user)) {
    const User& owner = users_[*turn];
    if (Make(owner.name, Password(owner), hash, keys)) table.Put(*turn, keys);
  }
  if (user.has_value()) return table.Get(*user, keys);
  std::copy_n(decoy_.view().begin(), keys.stored.size(), keys.stored.begin());
  std::copy_n(decoy_.view().begin(), keys.server.size(), keys.server.begin());
  return true;
}

bool Users::Make(std::string_view name, std::string_view password, const ScramHash& hash,
                 ScramKeys& keys) const {
  keys_made_.fetch_add(1, std::memory_order_relaxed);
  return hash.MakeKeys(password, hash.Salt(salt_key_.view(), name), keys);
}

}  // namespace trunkline::sasl
