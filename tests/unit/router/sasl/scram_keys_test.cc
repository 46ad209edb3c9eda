#include "router/sasl/scram_keys.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <set>

#include "absl/strings/escaping.h"
#include "router/sasl/mechanisms.h"

namespace trunkline::sasl {
namespace {

std::string FromBase64(const std::string& text) {
  std::string bytes;
  EXPECT_TRUE(absl::Base64Unescape(text, &bytes)) << text;
  return bytes;
}

std::string Hmac(const ScramHash& hash, const std::array<char, 64>& key, const std::string& text) {
  std::string code(hash.bytes, '\0');
  ::HMAC(::EVP_get_digestbyname(hash.digest), key.data(), static_cast<int>(hash.bytes),
         reinterpret_cast<const unsigned char*>(text.data()), text.size(),
         reinterpret_cast<unsigned char*>(code.data()), nullptr);
  return code;
}

std::string Digest(const ScramHash& hash, const std::string& text) {
  std::string code(hash.bytes, '\0');
  ::EVP_Digest(text.data(), text.size(), reinterpret_cast<unsigned char*>(code.data()), nullptr,
               ::EVP_get_digestbyname(hash.digest), nullptr);
  return code;
}

// An exchange as a standard shows it, of the user "user" with the password "pencil".
struct Example {
  std::string mechanism;
  std::string salt;
  std::string messages;  // client-first-bare, server-first, client-final without proof
  std::string proof;
  std::string signature;
};

class Standard : public testing::TestWithParam<Example> {};

TEST_P(Standard, IsWhatTheKeysAreFor) {
  const Example& example = GetParam();
  const ScramHash& hash = *ScramHash::Of(example.mechanism);
  ScramKeys keys;
  ASSERT_TRUE(hash.MakeKeys("pencil", FromBase64(example.salt), keys));
  EXPECT_EQ(Hmac(hash, keys.server, example.messages), FromBase64(example.signature));
  std::string client_key = FromBase64(example.proof);
  const std::string mask = Hmac(hash, keys.stored, example.messages);
  for (size_t i = 0; i < client_key.size(); ++i) client_key[i] ^= mask[i];
  EXPECT_EQ(Digest(hash, client_key), std::string(keys.stored.data(), hash.bytes));
}

INSTANTIATE_TEST_SUITE_P(
    Scram, Standard,
    testing::Values(
        Example{.mechanism = "SCRAM-SHA-1",  // RFC 5802
                .salt = "QSXCR+Q6sek8bf92",
                .messages = "n=user,r=fyko+d2lbbFgONRv9qkxdawL,"
                            "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,"
                            "i=4096,c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j",
                .proof = "v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
                .signature = "rmF9pqV8S7suAoZWja4dJRkFsKQ="},
        Example{.mechanism = "SCRAM-SHA-256",  // RFC 7677
                .salt = "W22ZaJ0SNY7soEsUEjb6gQ==",
                .messages = "n=user,r=rOprNGfwEbeRWgbNEkqO,"
                            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
                            "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,"
                            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
                .proof = "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
                .signature = "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="}),
    [](const auto& info) { return info.param.mechanism == "SCRAM-SHA-1" ? "Sha1" : "Sha256"; });

TEST(ScramHash, IsThereForEachMechanismOfScram) {
  std::set<size_t> numbers;
  for (const std::string& mechanism : PasswordMechanisms()) {
    const ScramHash* const hash = ScramHash::Of(mechanism);
    EXPECT_EQ(hash != nullptr, mechanism.starts_with("SCRAM-")) << mechanism;
    if (hash == nullptr) continue;
    EXPECT_EQ(hash->mechanism, mechanism);
    EXPECT_LT(hash->number(), ScramHash::kCount);
    EXPECT_TRUE(numbers.insert(hash->number()).second);
  }
  EXPECT_EQ(numbers.size(), ScramHash::kCount);
  for (const char* other : {"", "SCRAM-SHA-", "SCRAM-SHA-2566", "SCRAM-SHA-256-PLUS"}) {
    EXPECT_EQ(ScramHash::Of(other), nullptr) << other;
  }
}

TEST(ScramHash, SaltsEachNameHashAndSecretAnew) {
  const ScramHash& sha256 = *ScramHash::Of("SCRAM-SHA-256");
  const std::string salt = sha256.Salt("key", "admin");
  EXPECT_EQ(salt.size(), 16u);
  EXPECT_EQ(salt, sha256.Salt("key", "admin"));
  EXPECT_NE(salt, sha256.Salt("key", "admin "));
  EXPECT_NE(salt, sha256.Salt("key2", "admin"));
  EXPECT_NE(salt, ScramHash::Of("SCRAM-SHA-1")->Salt("key", "admin"));
}

TEST(ScramHash, WritesWhatLibsasl2Reads) {
  const ScramHash& sha1 = *ScramHash::Of("SCRAM-SHA-1");
  ScramKeys keys;
  keys.stored.fill('a');
  keys.server.fill('b');
  EXPECT_EQ(sha1.Text("0123456789abcdef", keys),
            "SCRAM-SHA-1$4096:MDEyMzQ1Njc4OWFiY2RlZg==$YWFhYWFhYWFhYWFhYWFhYWFhYWE=:"
            "YmJiYmJiYmJiYmJiYmJiYmJiYmI=");
}

ScramKeys Keys(char c) {
  ScramKeys keys;
  keys.stored.fill(c);
  keys.server.fill(c);
  return keys;
}

TEST(ScramKeyTable, GivesATurnToEachUserOnce) {
  ScramKeyTable table(3);
  EXPECT_EQ(table.TakeTurn(2), 2u) << "who comes and has none: its own";
  table.Put(2, Keys('2'));
  EXPECT_EQ(table.TakeTurn(2), 0u) << "who has some: the next one's";
  table.Put(0, Keys('0'));
  EXPECT_EQ(table.TakeTurn(std::nullopt), 1u) << "nobody: likewise";
  table.Put(1, Keys('1'));
  for (const std::optional<size_t> user : {std::optional<size_t>(), std::optional<size_t>(1)}) {
    EXPECT_EQ(table.TakeTurn(user), std::nullopt);
  }
}

TEST(ScramKeyTable, GivesATurnToEveryLoginWhileKeysAreWanting) {
  ScramKeyTable table(2);
  EXPECT_EQ(table.TakeTurn(std::nullopt), 0u);
  EXPECT_EQ(table.TakeTurn(std::nullopt), 1u) << "at the same time";
  EXPECT_EQ(table.TakeTurn(std::nullopt), 0u) << "nobody has finished";
  table.Put(0, Keys('0'));
  EXPECT_EQ(table.TakeTurn(std::nullopt), 1u);
}

TEST(ScramKeyTable, KeepsTheFirstKeys) {
  ScramKeyTable table(2);
  ScramKeys keys;
  EXPECT_FALSE(table.Get(1, keys));
  table.Put(1, Keys('1'));
  table.Put(1, Keys('x'));
  EXPECT_FALSE(table.Get(0, keys));
  ASSERT_TRUE(table.Get(1, keys));
  EXPECT_EQ(keys.stored, Keys('1').stored);
  EXPECT_EQ(keys.server, Keys('1').server);
}

TEST(ScramKeyTable, OfNobodyHasNoTurns) {
  EXPECT_EQ(ScramKeyTable(0).TakeTurn(std::nullopt), std::nullopt);
}

}  // namespace
}  // namespace trunkline::sasl
