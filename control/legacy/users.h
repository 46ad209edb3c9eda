#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "control/config/document.h"
#include "control/legacy/logins.h"
#include "control/legacy/sections.h"

namespace trunkline::legacy {

// The bytes of a file, or why there are none.
using FileReader = std::function<absl::StatusOr<std::string>(const std::string& file)>;

// Finds the users that a qdrouterd.conf leads to: saslConfigDir and saslConfigName of its router
// lead to a file of Cyrus SASL, and that one to a sasldb. Looks only when it is asked, as most
// configurations have no users. Short-lived.
class UserFinder {
 public:
  // `router` may be null; it, `read` and `report` outlive this.
  UserFinder(const Section* router, const FileReader& read, Report& report)
      : router_(router), read_(read), report_(report) {}

  // Null: there are none, which is told as a problem if saslConfigDir says that there are.
  const SaslUsers* Find();
  // Adds the user store, if a listener of the document names it.
  void AddStore(config::Document& document);

 private:
  std::optional<SaslUsers> Look();
  std::optional<SaslUsers> Parse(const std::string& file, std::string_view text);
  const Attribute* RouterAttribute(std::string_view name) const;
  // "qdrouterd"
  std::string Name() const;
  config::Problem About(std::string text) const;

  const Section* const router_;
  const FileReader& read_;
  Report& report_;
  bool looked_ = false;
  std::optional<SaslUsers> users_;
};

}  // namespace trunkline::legacy
