#include "router/sasl/users.h"

#include <random>
#include <utility>

#include "absl/strings/str_cat.h"

namespace trunkline::sasl {

std::shared_ptr<const Users> Users::FromCredentials(std::string realm,
                                                    std::vector<Credential>& credentials) {
  std::shared_ptr<Users> users(new Users());
  users->realm_ = std::move(realm);
  size_t bytes = 0;
  for (const Credential& credential : credentials) bytes += credential.password.size();
  std::string all;
  all.reserve(bytes);  // or growing would leave copies behind
  for (Credential& credential : credentials) {
    users->places_[credential.name] = {all.size(), credential.password.size()};
    all += credential.password;
    Wipe(credential.password);
  }
  users->passwords_ = Secret(all);
  Wipe(all);
  users->MakeDecoy();
  return users;
}

std::shared_ptr<const Users> Users::FromSasldb(std::string realm, std::string file) {
  std::shared_ptr<Users> users(new Users());
  users->realm_ = std::move(realm);
  users->sasldb_file_ = std::move(file);
  users->MakeDecoy();
  return users;
}

void Users::MakeDecoy() {
  std::random_device device;
  std::string text;
  for (int i = 0; i < 8; ++i) absl::StrAppend(&text, absl::Hex(device(), absl::kZeroPad8));
  decoy_ = Secret(text);
  Wipe(text);
}

std::string_view Users::PasswordOf(std::string_view name) const {
  auto found = places_.find(absl::string_view(name.data(), name.size()));
  const std::string suffix = absl::StrCat("@", realm_);
  if (found == places_.end() && !realm_.empty() && name.ends_with(suffix)) {
    name.remove_suffix(suffix.size());
    found = places_.find(absl::string_view(name.data(), name.size()));
  }
  if (found == places_.end()) return decoy_.view();
  return passwords_.view().substr(found->second.begin, found->second.size);
}

}  // namespace trunkline::sasl
