// What may reach the plugin for Kerberos, and what may not. Logins with tickets need a KDC: those
// are in tests/integration/kerberos_test.py.
#include "router/sasl/kerberos.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "router/sasl/library.h"
#include "router/sasl/mechanisms.h"
#include "router/sasl/session.h"

namespace trunkline::sasl {
namespace {

using testing::HasSubstr;

const std::string kKerberos("\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02", 11);
const std::string kSpnego("\x06\x06\x2b\x06\x01\x05\x05\x02", 8);
const std::string kRequest("\x01\x00", 2);

// A first token of `mechanism` with `size` bytes behind the frame, which are `begin` and filling.
std::string Token(const std::string& mechanism, const std::string& begin, size_t size) {
  std::string body = mechanism + begin;
  body.resize(size, 'x');
  std::string token = "\x60";
  if (size >= 0x100) {
    token += '\x82';
    token += static_cast<char>(size >> 8);
  } else if (size >= 0x80) {
    token += '\x81';
  }
  token += static_cast<char>(size & 0xff);
  return token + body;
}

TEST(KerberosRequest, IsToldByItsFrame) {
  for (const size_t size : {13, 14, 0x7f, 0x80, 0xff, 0x100, 700, 0xffff}) {
    EXPECT_TRUE(IsKerberosRequest(Token(kKerberos, kRequest, size))) << size;
  }
}

TEST(KerberosRequest, IsNotTruncatedAnywhereNorFollowedByMore) {
  for (const size_t size : {20, 0x90, 300}) {
    const std::string token = Token(kKerberos, kRequest, size);
    for (size_t end = 0; end < token.size(); ++end) {
      EXPECT_FALSE(IsKerberosRequest(token.substr(0, end))) << size << ' ' << end;
    }
    EXPECT_FALSE(IsKerberosRequest(token + 'x')) << size;
  }
}

TEST(KerberosRequest, IsNotDamagedInItsFrame) {
  const std::string token = Token(kKerberos, kRequest, 300);
  for (size_t at = 0; at < 4 + kKerberos.size() + kRequest.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = token;
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << bit));
      EXPECT_FALSE(IsKerberosRequest(damaged)) << at << ' ' << bit;
    }
  }
}

TEST(KerberosRequest, IsNothingElse) {
  const std::string iakerb("\x06\x06\x2b\x06\x01\x05\x02\x05", 8);
  EXPECT_FALSE(IsKerberosRequest(Token(kSpnego, "", 60)));
  EXPECT_FALSE(IsKerberosRequest(Token(iakerb, kRequest, 60)));
  EXPECT_FALSE(IsKerberosRequest(Token(kKerberos, std::string("\x03\x00", 2), 60))) << "an error";
  EXPECT_FALSE(IsKerberosRequest("NTLMSSP"));
  EXPECT_FALSE(IsKerberosRequest("\x6e\x82" + std::string(300, 'x'))) << "without a frame";
  const std::string body = kKerberos + kRequest;
  EXPECT_FALSE(IsKerberosRequest("\x60\x81\x0d" + body)) << "sizes have one form";
  EXPECT_FALSE(IsKerberosRequest(std::string("\x60\x82\x00\x0d", 4) + body));
  EXPECT_FALSE(IsKerberosRequest("\x60\x80" + body + std::string(2, '\0')));
}

std::unique_ptr<Session> Server() {
  return Session::Server({.mechanism = std::string(kGssapi), .users = nullptr});
}

TEST(Tickets, DenyWhatIsNoRequestBeforeThePluginSeesIt) {
  for (const std::string& first : {std::string(), std::string("x"), Token(kSpnego, "", 60)}) {
    const Answer answer = Server()->Step(first);
    EXPECT_EQ(answer.verdict, Verdict::kDenied);
    EXPECT_EQ(answer.detail, "not a request of Kerberos");
  }
}

TEST(Tickets, AskAClientThatSaysNothingOnce) {
  const auto server = Server();
  const Answer answer = server->Step(std::nullopt);
  EXPECT_EQ(answer.verdict, Verdict::kContinue);
  EXPECT_EQ(answer.bytes, "");
  EXPECT_EQ(server->Step(std::string()).verdict, Verdict::kDenied);
}

TEST(Tickets, MayEndAnywhere) {
  Server();
  Server()->Step(std::nullopt);
}

TEST(Mechanisms, SayWhySpnegoIsNotSpoken) {
  EXPECT_THAT(std::string(Objection("GSS-SPNEGO")), HasSubstr("assertion"));
  EXPECT_EQ(Objection(kGssapi), "");
}

}  // namespace
}  // namespace trunkline::sasl
