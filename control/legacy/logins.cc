#include "control/legacy/logins.h"

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_join.h"
#include "control/config/text.h"
#include "control/legacy/attributes.h"
#include "router/sasl/mechanisms.h"

namespace trunkline::legacy {
namespace {

using config::Concat;

constexpr std::string_view kAnonymous = "ANONYMOUS";
constexpr std::string_view kExternal = "EXTERNAL";

bool Contains(const std::vector<std::string>& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

bool HasPassword(std::string_view mechanism) {
  return Contains(sasl::PasswordMechanisms(), mechanism);
}

// Decides for one listener. Short-lived; owns nothing.
class LoginReader {
 public:
  LoginReader(const Section& section, const std::function<const SaslUsers*()>& users,
              v1::ListenerSpec& spec, Report& report)
      : section_(section),
        named_(section.Find("saslMechanisms")),
        users_of_(users),
        spec_(spec),
        report_(report) {}

  void Read();

 private:
  // The mechanisms that are to be offered; nothing: those that are possible.
  std::vector<std::string> Wanted();
  // Why `mechanism` cannot be offered; empty: it can.
  std::string Lacks(const std::string& mechanism) const;
  void Offer(std::vector<std::string> mechanisms);
  void UseStore(bool plaintext);
  void Warn(std::string text) {
    const config::Position at = named_ == nullptr ? section_.at : named_->value_at;
    report_.warnings.push_back({at, Concat(section_.name, ".saslMechanisms"), std::move(text)});
  }
  void Fail(std::string text) {
    const config::Position at = named_ == nullptr ? section_.at : named_->value_at;
    report_.problems.push_back({at, Concat(section_.name, ".saslMechanisms"), std::move(text)});
  }
  bool HasTls() const { return !spec_.tls_profile().empty(); }

  const Section& section_;
  const Attribute* const named_;
  const std::function<const SaslUsers*()>& users_of_;
  const SaslUsers* users_ = nullptr;
  v1::ListenerSpec& spec_;
  Report& report_;
};

void LoginReader::Read() {
  std::vector<std::string> wanted = Wanted();
  const bool password = std::any_of(wanted.begin(), wanted.end(), HasPassword);
  if (users_ == nullptr && password) users_ = users_of_();
  spec_.clear_sasl_mechanisms();
  // Dispatch asks for certificates, and then of everybody, where EXTERNAL is named.
  if (HasTls() && named_ != nullptr && Contains(wanted, kExternal)) {
    spec_.set_tls_client_auth(v1::TLS_CLIENT_AUTH_REQUIRE);
  }
  if (!wanted.empty()) return Offer(std::move(wanted));
  if (users_ != nullptr) UseStore(true);
}

std::vector<std::string> LoginReader::Wanted() {
  std::vector<std::string> wanted;
  const auto want = [&](const std::string& word) {
    const std::string mechanism = absl::AsciiStrToUpper(word);
    if (!Contains(wanted, mechanism)) wanted.push_back(mechanism);
  };
  if (named_ != nullptr) {
    for (const std::string& word : spec_.sasl_mechanisms()) want(word);
    return wanted;
  }
  users_ = users_of_();
  if (users_ == nullptr || !users_->conf.mechanisms) return wanted;
  for (const std::string& word : *users_->conf.mechanisms) {
    // Without being named, EXTERNAL asks nobody for a certificate.
    if (word != kExternal) want(word);
  }
  if (wanted.empty()) Fail(Concat("the mech_list of ", users_->file, " leaves nothing to offer"));
  return wanted;
}

std::string LoginReader::Lacks(const std::string& mechanism) const {
  if (mechanism == kAnonymous) return "";
  if (mechanism == kExternal) return HasTls() ? "" : "there is no sslProfile";
  if (users_ == nullptr) {
    return "there are no users: saslConfigDir of the router says where they are";
  }
  const auto& listed = users_->conf.mechanisms;
  if (listed && !Contains(*listed, mechanism)) {
    return Concat("it is not in the mech_list of ", users_->file);
  }
  return "";
}

void LoginReader::Offer(std::vector<std::string> mechanisms) {
  bool password = false;
  bool plaintext = false;
  for (std::string& mechanism : mechanisms) {
    if (mechanism != kAnonymous && mechanism != kExternal && !HasPassword(mechanism)) {
      Fail(Concat(config::Quote(mechanism), " is not spoken; known are ", kAnonymous, ", ",
                  kExternal, ", ", absl::StrJoin(sasl::PasswordMechanisms(), ", ")));
      continue;
    }
    if (const std::string why = Lacks(mechanism); !why.empty()) {
      Warn(Concat(mechanism, " is not offered: ", why));
      continue;
    }
    password = password || HasPassword(mechanism);
    plaintext = plaintext || sasl::IsPlaintext(mechanism);
    spec_.add_sasl_mechanisms(std::move(mechanism));
  }
  if (spec_.sasl_mechanisms().empty()) Fail("none of these can be offered");
  if (password) UseStore(plaintext);
}

void LoginReader::UseStore(bool plaintext) {
  spec_.set_user_store(users_->store);
  if (!plaintext || HasTls()) return;
  spec_.set_allow_insecure_plain(true);
  Warn("PLAIN without TLS: passwords go over the network for everybody to read");
}

}  // namespace

void ReadLogins(const Section& section, const std::function<const SaslUsers*()>& users,
                v1::ListenerSpec& spec, Report& report) {
  LoginReader(section, users, spec, report).Read();
}

}  // namespace trunkline::legacy
