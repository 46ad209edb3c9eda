#include "control/legacy/users.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_join.h"
#include "control/config/text.h"
#include "control/legacy/attributes.h"

namespace trunkline::legacy {
namespace {

using config::Concat;

// Where Cyrus SASL looks by itself, and what Dispatch calls itself there.
constexpr std::string_view kDirectory = "/etc/sasl2";
constexpr std::string_view kName = "qdrouterd";

}  // namespace

const SaslUsers* UserFinder::Find() {
  if (!std::exchange(looked_, true)) users_ = Look();
  return users_ ? &*users_ : nullptr;
}

std::optional<SaslUsers> UserFinder::Look() {
  const Attribute* const directory = RouterAttribute("saslConfigDir");
  std::string file(directory == nullptr ? kDirectory : std::string_view(directory->value));
  if (!file.ends_with('/')) file.push_back('/');
  file += Concat(Name(), ".conf");
  const absl::StatusOr<std::string> text = read_(file);
  if (text.ok()) return Parse(file, *text);
  // Without users there is nothing to say unless they were announced.
  if (directory == nullptr && absl::IsNotFound(text.status())) return std::nullopt;
  report_.problems.push_back(About(std::string(text.status().message())));
  return std::nullopt;
}

std::optional<SaslUsers> UserFinder::Parse(const std::string& file, std::string_view text) {
  absl::StatusOr<SaslConf> conf = ParseSaslConf(text);
  if (!conf.ok()) {
    report_.problems.push_back(About(Concat(file, ": ", conf.status().message())));
    return std::nullopt;
  }
  if (!conf->ignored.empty()) {
    constexpr size_t kShownBytesMax = 200;
    report_.warnings.push_back(About(Concat(
        file,
        ": has no effect: ", config::Shorten(absl::StrJoin(conf->ignored, ", "), kShownBytesMax))));
  }
  return SaslUsers{config::ResourceName(config::kUserStores, config::DeriveId(Name())), file,
                   *std::move(conf)};
}

void UserFinder::AddStore(config::Document& document) {
  if (!users_ ||
      std::none_of(document.listeners.begin(), document.listeners.end(), [&](const auto& entry) {
        return entry.second.spec().user_store() == users_->store;
      })) {
    return;
  }
  const std::string id(config::ResourceId(users_->store));
  v1::UserStore& store = document.user_stores[id];
  store.set_name(users_->store);
  if (id != Name()) store.set_legacy_name(Name());
  store.mutable_spec()->set_sasldb_file(users_->conf.sasldb_file);
  const std::string path = Concat("user_stores[", id, "]");
  report_.positions[path] = About("").at;
  report_.names[path] = "router.saslConfigDir";
}

const Attribute* UserFinder::RouterAttribute(std::string_view name) const {
  return router_ == nullptr ? nullptr : router_->Find(name);
}

std::string UserFinder::Name() const {
  const Attribute* const name = RouterAttribute("saslConfigName");
  return name == nullptr ? std::string(kName) : name->value;
}

config::Problem UserFinder::About(std::string text) const {
  const Attribute* const directory = RouterAttribute("saslConfigDir");
  const config::Position nowhere;
  return {directory != nullptr ? directory->value_at
          : router_ != nullptr ? router_->at
                               : nowhere,
          "router.saslConfigDir", std::move(text)};
}

}  // namespace trunkline::legacy
