#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "gtest/gtest.h"
#include "router/tls/stage.h"
#include "tests/unit/router/tls/test_certs.h"

namespace trunkline::tls::test {

inline absl::Span<const uint8_t> Bytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

inline std::shared_ptr<const Context> MustBuild(const Bundle& bundle,
                                                const ContextOptions& options = {}) {
  auto context = Context::Build(bundle, options);
  EXPECT_TRUE(context.ok()) << context.status();
  return context.ok() ? *context : nullptr;
}

// A bundle with certificate and key, trusting `authority` if there is one.
inline Bundle BundleOf(const TestCert& own, const TestAuthority* authority = nullptr) {
  return {.certificate_pem = own.Pem(),
          .private_key_pem = own.key().Pem(),
          .ca_pem = authority == nullptr ? "" : authority->Pem()};
}

// All that the stage has to say, taken in spans of `step` bytes.
inline std::string TakeOutput(TlsStage& stage, size_t step = 32768) {
  std::string wire;
  std::string buffer(step, '\0');
  for (int turns = 0; stage.HasOutput() && turns < 1'000'000; ++turns) {
    const auto done = stage.Write({}, {reinterpret_cast<uint8_t*>(buffer.data()), buffer.size()});
    wire.append(buffer, 0, done.produced);
  }
  return wire;
}

// Gives the stage ciphertext in pieces; returns the plaintext that came out.
inline std::string Give(TlsStage& stage, std::string_view wire, size_t piece = 1u << 20,
                        size_t room = 32768) {
  std::string plain;
  std::string buffer(room, '\0');
  const absl::Span<uint8_t> out(reinterpret_cast<uint8_t*>(buffer.data()), buffer.size());
  while (!wire.empty() || stage.HasPlaintext()) {
    const auto done = stage.Read(Bytes(wire.substr(0, piece)), out);
    plain.append(buffer, 0, done.produced);
    wire.remove_prefix(done.consumed);
    if (done.consumed == 0 && done.produced == 0) {
      ADD_FAILURE() << "the stage makes no progress";
      break;
    }
  }
  return plain;
}

// Encrypts all of `plain`, in spans of `step` bytes.
inline std::string Seal(TlsStage& stage, std::string_view plain, size_t step = 32768) {
  std::string wire;
  std::string buffer(step, '\0');
  while (!plain.empty() || stage.HasOutput()) {
    const auto done =
        stage.Write(Bytes(plain), {reinterpret_cast<uint8_t*>(buffer.data()), buffer.size()});
    wire.append(buffer, 0, done.produced);
    plain.remove_prefix(done.consumed);
    if (done.consumed == 0 && done.produced == 0) {
      ADD_FAILURE() << "the stage makes no progress";
      break;
    }
  }
  return wire;
}

// What a pair of sessions starts from.
struct PairOptions {
  std::shared_ptr<const Context> server;
  std::shared_ptr<const Context> client;
  ClientAuth client_auth = ClientAuth::kNone;
  ClientOptions client_options{.server_name = "server.example"};
};

// A server and a client session with nothing but memory between them.
struct Pair {
  explicit Pair(const PairOptions& options)
      : server(TlsStage::Server(options.server, {.client_auth = options.client_auth})),
        client(TlsStage::Client(options.client, options.client_options)) {}

  // Carries bytes both ways until both are silent.
  void Exchange(size_t piece = 1u << 20) {
    while (client->HasOutput() || server->HasOutput()) {
      to_server = TakeOutput(*client);
      client_wire += to_server;
      server_plain += Give(*server, to_server, piece);
      const std::string to_client = TakeOutput(*server);
      server_wire += to_client;
      client_plain += Give(*client, to_client, piece);
    }
  }
  bool BothOpen() const {
    return server->state() == TlsStage::State::kOpen && client->state() == TlsStage::State::kOpen;
  }

  std::unique_ptr<TlsStage> server;
  std::unique_ptr<TlsStage> client;
  std::string to_server;
  std::string client_wire;  // all that each has sent
  std::string server_wire;
  std::string client_plain;  // all that each has received
  std::string server_plain;
};

}  // namespace trunkline::tls::test
