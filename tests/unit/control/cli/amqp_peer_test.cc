#include "control/cli/amqp_peer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <fstream>

namespace trunkline::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(AmqpUrl, HasHostAndPort) {
  const struct {
    const char* url;
    const char* host;
    uint16_t port;
    bool tls;
    const char* whole;
  } rows[] = {
      {"amqp://east", "east", 5672, false, "amqp://east:5672"},
      {"amqps://east", "east", 5671, true, "amqps://east:5671"},
      {"amqps://east:5672/", "east", 5672, true, "amqps://east:5672"},
      {"amqp://127.0.0.1:1", "127.0.0.1", 1, false, "amqp://127.0.0.1:1"},
      {"amqp://[::1]", "::1", 5672, false, "amqp://[::1]:5672"},
      {"amqps://[::1]", "::1", 5671, true, "amqps://[::1]:5671"},
      {"amqps://[fe80::1]:65535", "fe80::1", 65535, true, "amqps://[fe80::1]:65535"},
  };
  for (const auto& row : rows) {
    const auto peer = ParseAmqpUrl(row.url);
    ASSERT_TRUE(peer.ok()) << peer.status();
    EXPECT_EQ(peer->host, row.host);
    EXPECT_EQ(peer->port, row.port);
    EXPECT_EQ(peer->tls, row.tls);
    EXPECT_EQ(UrlOf(*peer), row.whole);
  }
}

TEST(AmqpUrl, IsRefusedWhereItIsNone) {
  for (const char* url : {"",
                          "amqp",
                          "amqp:",
                          "amqp://",
                          "amqps://",
                          "amqp:///",
                          "amqp://:5672",
                          "http://east",
                          "AMQP://east",
                          "amqp://east:",
                          "amqp://east:0",
                          "amqp://east:65536",
                          "amqp://east:-1",
                          "amqp://east:+1",
                          "amqp://east:1x",
                          "amqp://east/queue",
                          "amqp://east?x",
                          "amqp://east#x",
                          "amqp://ea st",
                          "amqp://east\n",
                          "amqp://[::1",
                          "amqp://[]",
                          "amqp://[::1]x",
                          "amqp://[::1]:",
                          "amqp://::1",
                          "amqp://east:1:2"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParseAmqpUrl(url).status())) << url;
  }
}

TEST(AmqpUrl, IsReadableWhereverItIsCutOff) {
  const std::string whole = "amqps://[::1]:5671";
  for (size_t size = 0; size < whole.size(); ++size) {
    const auto peer = ParseAmqpUrl(whole.substr(0, size));
    if (!peer.ok()) continue;
    EXPECT_EQ(peer->host, "::1") << size;
  }
}

TEST(AmqpUrl, NeverShowsAPassword) {
  const auto peer = ParseAmqpUrl("amqp://guest:secret@east");
  EXPECT_TRUE(absl::IsInvalidArgument(peer.status()));
  EXPECT_THAT(std::string(peer.status().message()), HasSubstr("--password-file"));
  EXPECT_THAT(std::string(peer.status().message()), Not(HasSubstr("secret")));
}

TEST(AmqpUrl, IsOfTheHostThatHasTheApi) {
  EXPECT_EQ(DefaultAmqpUrl("unix:///run/trunkline/control.sock"), "amqp://127.0.0.1:5672");
  EXPECT_EQ(DefaultAmqpUrl("east:9443"), "amqps://east");
  EXPECT_EQ(DefaultAmqpUrl("[::1]:9443"), "amqps://[::1]");
}

// A folder with a password in it, and command lines.
class AmqpPeerTest : public testing::Test {
 protected:
  AmqpPeerTest() {
    char folder[] = "/tmp/trunkline-peer-XXXXXX";
    folder_ = ::mkdtemp(folder);
    ::unsetenv("TRUNKLINE_AMQP_URL");
    ::unsetenv("TRUNKLINE_AMQP_PASSWORD");
    Write("password", "geheim\n");
  }
  ~AmqpPeerTest() override {
    ::unlink(PathOf("password").c_str());
    ::rmdir(folder_.c_str());
    ::unsetenv("TRUNKLINE_AMQP_URL");
    ::unsetenv("TRUNKLINE_AMQP_PASSWORD");
  }
  std::string PathOf(const std::string& name) const { return folder_ + "/" + name; }
  void Write(const std::string& name, const std::string& text) {
    std::ofstream(PathOf(name)) << text;
  }
  absl::StatusOr<AmqpPeer> Find(std::vector<std::string> words) {
    words.insert(words.begin(), {"send", "orders", "--endpoint", "/nowhere.sock"});
    std::vector<const char*> pointers;
    for (const std::string& word : words) pointers.push_back(word.c_str());
    const auto arguments = Arguments::Parse(pointers);
    if (!arguments.ok()) return arguments.status();
    return FindAmqpPeer(Session(*arguments, 1));
  }
  std::string Problem(const std::vector<std::string>& words) {
    return std::string(Find(words).status().message());
  }

  std::string folder_;
};

TEST_F(AmqpPeerTest, IsAnonymousHereUnlessItIsSaid) {
  const auto peer = Find({});
  ASSERT_TRUE(peer.ok()) << peer.status();
  EXPECT_EQ(UrlOf(*peer), "amqp://127.0.0.1:5672");
  EXPECT_EQ(peer->mechanisms, "ANONYMOUS");
  EXPECT_EQ(peer->open_timeout_ms, 30'000);
  ::setenv("TRUNKLINE_AMQP_URL", "amqp://east", 1);
  EXPECT_EQ(UrlOf(*Find({})), "amqp://east:5672");
  EXPECT_EQ(UrlOf(*Find({"--url", "amqp://west"})), "amqp://west:5672");
}

TEST_F(AmqpPeerTest, HasFiveSecondsToOpenAtLeast) {
  EXPECT_EQ(Find({"--timeout", "1ms"})->open_timeout_ms, 5'000);
  EXPECT_EQ(Find({"--timeout", "5s1ms"})->open_timeout_ms, 5'001);
  EXPECT_TRUE(absl::IsInvalidArgument(Find({"--timeout", "5"}).status()));
}

TEST_F(AmqpPeerTest, LogsInWithAPasswordFromAFileOrTheEnvironment) {
  const auto peer = Find({"--user", "alice", "--password-file", PathOf("password")});
  ASSERT_TRUE(peer.ok()) << peer.status();
  EXPECT_EQ(peer->user, "alice");
  EXPECT_EQ(peer->password, "geheim");
  EXPECT_THAT(peer->mechanisms, HasSubstr("SCRAM-SHA-256"));
  EXPECT_THAT(peer->mechanisms, Not(HasSubstr("ANONYMOUS")));
  ::setenv("TRUNKLINE_AMQP_PASSWORD", "other", 1);
  EXPECT_EQ(Find({"--user", "alice"})->password, "other");
  EXPECT_EQ(Find({"--user", "alice", "--password-file", PathOf("password")})->password, "geheim");
  EXPECT_EQ(Find({"--user", "alice", "--sasl-mechanisms", "PLAIN,GSSAPI"})->mechanisms,
            "PLAIN GSSAPI");
}

TEST_F(AmqpPeerTest, SaysWhatAPasswordLacks) {
  EXPECT_THAT(Problem({"--user", "alice"}), HasSubstr("--password-file"));
  EXPECT_THAT(Problem({"--password-file", PathOf("password")}), HasSubstr("--user"));
  EXPECT_THAT(Problem({"--user", "alice", "--password-file", PathOf("none")}), HasSubstr("none"));
  Write("password", std::string(4097, 'x'));
  EXPECT_THAT(Problem({"--user", "alice", "--password-file", PathOf("password")}),
              Not(HasSubstr("xxx")));
  EXPECT_FALSE(Find({"--user", "alice", "--password-file", PathOf("password")}).ok());
  Write("password", std::string(4096, 'x'));
  EXPECT_TRUE(Find({"--user", "alice", "--password-file", PathOf("password")}).ok());
}

TEST_F(AmqpPeerTest, HasCertificatesForTlsAlone) {
  const std::string file = PathOf("password");  // any that can be read
  EXPECT_THAT(Problem({"--ca-file", file}), HasSubstr("amqps://"));
  const auto peer = Find({"--url", "amqps://east", "--ca-file", file, "--certificate-file", file,
                          "--private-key-file", file});
  ASSERT_TRUE(peer.ok()) << peer.status();
  EXPECT_EQ(peer->mechanisms, "EXTERNAL");
  EXPECT_THAT(Problem({"--url", "amqps://east", "--ca-file", file, "--certificate-file", file}),
              HasSubstr("--private-key-file"));
  EXPECT_THAT(Problem({"--url", "amqps://east", "--ca-file", PathOf("none")}),
              HasSubstr("No such file"));
}

}  // namespace
}  // namespace trunkline::cli
