#include "control/store/state_format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "absl/strings/escaping.h"
#include "router/sasl/users.h"

namespace trunkline::store {
namespace {

using ::testing::EndsWith;

constexpr char kPrivateKey[] = "MIGHAgEAMBMGByqGSM49";
constexpr char kSaltKey[] = "pinchofsaltandpepper";

std::string UserKeys() { return std::string(sasl::Verifier::kKeyBytes, 'k'); }

// With everything in it that nobody may see.
std::string WithSecrets() {
  config::Document made;
  v1::Listener& listener = made.listeners["l"];
  listener.set_name("listeners/l");
  listener.mutable_spec()->set_port(5671);
  made.inline_certificates["t"] = std::make_shared<const config::InlineCertificate>(
      config::InlineCertificate{"certificate", Secret(kPrivateKey), "ca"});
  auto users = std::make_shared<config::BuiltInUsers>();
  users->salt_key = Secret(kSaltKey);
  users->users["alice"].keys = Secret(UserKeys());
  made.built_in_users["u"] = users;
  return std::string(EncodeState(made)->view());
}

// Empty: it is a state.
std::string ErrorOf(const std::string& bytes) {
  return std::string(DecodeState(bytes).status().message());
}

// Whether a part of it is there, as it is or in the form that JSON has for bytes.
bool Tells(const std::string& text, const std::string& secret) {
  constexpr size_t kPart = 6;
  const std::string forms[] = {secret, absl::Base64Escape(secret)};
  for (const std::string& form : forms) {
    for (size_t at = 0; at + kPart <= form.size(); ++at) {
      if (text.find(form.substr(at, kPart)) != std::string::npos) return true;
    }
  }
  return false;
}

TEST(StateFormat, RefusesWhatHasNoFormInJson) {
  config::Document made;
  made.listeners["l"].mutable_spec()->mutable_idle_timeout()->set_nanos(1'500'000'000);
  EXPECT_EQ(EncodeState(made).status().code(), absl::StatusCode::kInternal);
}

// A disk, an editor, somebody who sends the file to somebody else.
TEST(StateFormat, DamageIsToldWithoutSecrets) {
  const std::string good = WithSecrets();
  ASSERT_EQ(ErrorOf(good), "");
  size_t refused = 0;
  const auto check = [&](const std::string& bytes, size_t at) {
    const std::string error = ErrorOf(bytes);
    refused += error.empty() ? 0 : 1;
    for (const std::string& secret :
         {std::string(kPrivateKey), std::string(kSaltKey), UserKeys()}) {
      ASSERT_FALSE(Tells(error, secret)) << "at " << at << ": " << error;
    }
  };
  for (size_t at = 0; at < good.size(); ++at) {
    for (const char damage : std::string("\"\\:,[x\xff")) {
      std::string bytes = good;
      bytes[at] = damage;
      check(bytes, at);
    }
    check(good.substr(0, at) + good.substr(at + 1), at);
    check(good.substr(0, at), at);
  }
  EXPECT_GT(refused, good.size());
}

TEST(StateFormat, DamageIsToldWithItsPlace) {
  EXPECT_THAT(ErrorOf("{\n  \"format\": 1,\n  \"bundle\": {,}\n}"), EndsWith("line 3"));
  EXPECT_THAT(
      ErrorOf("{\"format\": 1, \"bundle\": {\"listeners\": [{\"spec\": {\"port\": \"x\"}}]}}"),
      EndsWith("bundle.listeners[0].spec.port"));
  EXPECT_THAT(ErrorOf("{\"format\": 1, \"bundle\": {\"listeners\": [{\"colour\": 1}]}}"),
              EndsWith("bundle.listeners[0]"));
}

// It may have anything in it.
TEST(StateFormat, AStateOfANewerTrunkdIsToldAsSuch) {
  for (const char* more :
       {"", ", \"colour\": {\"a\": [1]}", ", \"bundle\": [2]",
        ", \"bundle\": {\"listeners\": [{\"spec\": {\"role\": \"ROLE_NEW\"}}]}"}) {
    const auto status = DecodeState("{\"format\": 2" + std::string(more) + "}").status();
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << more << ": " << status;
  }
}

TEST(StateFormat, WhatIsOfNoFormatIsNoState) {
  for (const char* bytes : {"", "{}", "{\"format\": 0}", "{\"format\": 1, \"colour\": 2}",
                            "{\"format\": 2, \"bundle\": ", "[2]", "{\"format\": 1e99}"}) {
    EXPECT_EQ(DecodeState(bytes).status().code(), absl::StatusCode::kDataLoss) << bytes;
  }
}

}  // namespace
}  // namespace trunkline::store
