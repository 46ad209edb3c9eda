#pragma once

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tests/bench/stream.h"

// The client's side of SCRAM-SHA-256. Trusts its peer; never for production.
namespace trunkline::bench {

inline constexpr std::string_view kScram = "SCRAM-SHA-256";

// Clients with the same password. Keys are made once for each salt, so that it is the router that
// is measured.
class ScramClients {
 public:
  explicit ScramClients(std::string password) : password_(std::move(password)) {}

  static std::string First(std::string_view user) { return "n,," + Bare(user); }

  // The answer to `challenge`, "r=NONCE,s=SALT,i=ROUNDS".
  std::string Last(std::string_view user, const std::string& challenge) {
    const std::string nonce = challenge.substr(0, challenge.find(",s="));
    const size_t salt_at = nonce.size() + 3;
    const size_t rounds_at = challenge.find(",i=", salt_at);
    const Keys& keys = KeysFor(challenge.substr(salt_at, rounds_at - salt_at),
                               std::atoi(challenge.c_str() + rounds_at + 3));
    const std::string last = "c=biws," + nonce;
    std::string proof = Hmac(keys.stored, Bare(user) + "," + challenge + "," + last);
    for (size_t i = 0; i < proof.size(); ++i) proof[i] ^= keys.client[i];
    std::string text(4 * ((proof.size() + 2) / 3) + 1, '\0');
    text.resize(static_cast<size_t>(
        EVP_EncodeBlock(Bytes(text), Bytes(proof), static_cast<int>(proof.size()))));
    return last + ",p=" + text;
  }

 private:
  struct Keys {
    std::string client;
    std::string stored;
  };

  static unsigned char* Bytes(std::string& text) {
    return reinterpret_cast<unsigned char*>(text.data());
  }
  static std::string Bare(std::string_view user) {
    return "n=" + std::string(user) + ",r=rOprNGfwEbeRWgbNEkqO";
  }
  static std::string Hmac(const std::string& key, std::string text) {
    std::string code(32, '\0');
    HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), Bytes(text), text.size(),
         Bytes(code), nullptr);
    return code;
  }

  const Keys& KeysFor(std::string salt, int rounds) {
    const auto [found, added] = keys_.try_emplace(salt);
    if (!added) return found->second;
    std::string raw(salt.size(), '\0');
    const int size = EVP_DecodeBlock(Bytes(raw), Bytes(salt), static_cast<int>(salt.size()));
    if (size < 0) Die("not a salt: " + salt);
    const auto padding = static_cast<size_t>(salt.ends_with("==") ? 2 : salt.ends_with("="));
    std::string salted(32, '\0');
    PKCS5_PBKDF2_HMAC(password_.data(), static_cast<int>(password_.size()), Bytes(raw),
                      size - static_cast<int>(padding), rounds, EVP_sha256(), 32, Bytes(salted));
    found->second.client = Hmac(salted, "Client Key");
    found->second.stored.resize(32);
    EVP_Digest(found->second.client.data(), 32, Bytes(found->second.stored), nullptr, EVP_sha256(),
               nullptr);
    return found->second;
  }

  const std::string password_;
  std::map<std::string, Keys> keys_;  // by salt
};

}  // namespace trunkline::bench
