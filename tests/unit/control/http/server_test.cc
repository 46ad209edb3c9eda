#include "control/http/server.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <future>
#include <memory>

#include "tests/unit/router/base/scarcity.h"
#include "tests/unit/router/tls/test_certs.h"

namespace trunkline::http {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// A client that says what a test makes it say.
class Client {
 public:
  explicit Client(const Server& server) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    const std::string& address = server.addresses().front();
    sockaddr_in peer{};
    peer.sin_family = AF_INET;
    peer.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    peer.sin_port = htons(static_cast<uint16_t>(std::stoi(address.substr(address.find(':') + 1))));
    const timeval patience{.tv_sec = 30};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    EXPECT_EQ(::connect(fd_, reinterpret_cast<sockaddr*>(&peer), sizeof peer), 0);
  }
  ~Client() { ::close(fd_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void Say(const std::string& text) { (void)::send(fd_, text.data(), text.size(), MSG_NOSIGNAL); }
  // Until the server ends.
  std::string HearAll() {
    std::string text;
    while (Hear(text)) continue;
    return text;
  }
  // Until `end` has come, or the server ends.
  std::string HearUntil(const std::string& end) {
    std::string text;
    while (text.find(end) == std::string::npos && Hear(text)) continue;
    return text;
  }
  // One answer to `request`, on a connection that may stay.
  std::string Ask(const std::string& request) {
    Say(request);
    return HearUntil("(end)");
  }

 private:
  bool Hear(std::string& text) {
    char bytes[4096];
    const ssize_t n = ::recv(fd_, bytes, sizeof bytes, 0);
    if (n > 0) text.append(bytes, static_cast<size_t>(n));
    return n > 0;
  }

  const int fd_;
};

constexpr char kGet[] = "GET /a?b HTTP/1.1\r\nHost: x\r\nAccept: text/x\r\n\r\n";

// A server whose answers say what was asked for.
class ServerTest : public ::testing::Test {
 protected:
  void Start(Server::Options options = {}) {
    auto server = Server::Listen(options);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    server_->Serve(
        [](const Request& request) {
          const unsigned status = request.path == "/a" ? 200 : 404;
          const std::string body = request.path == "/long" ? std::string(5000, 'x') : "";
          return Response{.status = status,
                          .body = std::string(request.path) + " as " + std::string(request.accept) +
                                  body + "(end)"};
        },
        stats_);
  }

  // Who is hung up on may hear of it before it is counted: the server's thread goes on meanwhile.
  void AwaitCount(const Counter& counter, uint64_t count) {
    for (int turns = 0; counter.Get() != count && turns < 10'000; ++turns) {
      std::promise<void> turned;
      server_->Post([&] { turned.set_value(); });
      turned.get_future().wait();
    }
    EXPECT_EQ(counter.Get(), count);
  }

  Server::Stats stats_;
  std::unique_ptr<Server> server_;
};

TEST_F(ServerTest, AnswersOneRequestAfterTheOther) {
  Start();
  Client client(*server_);
  for (int i = 0; i < 3; ++i) {
    const std::string answer = client.Ask(kGet);
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(answer, HasSubstr("Content-Type: text/plain; charset=utf-8\r\n"));
    EXPECT_THAT(answer, EndsWith("\r\n\r\n/a as text/x(end)"));
  }
  EXPECT_THAT(client.Ask("GET /b HTTP/1.1\r\nHost: x\r\n\r\n"),
              StartsWith("HTTP/1.1 404 Not Found\r\n"));
  EXPECT_EQ(stats_.answers[2].Get(), 3u);
  EXPECT_EQ(stats_.answers[4].Get(), 1u);
  EXPECT_EQ(stats_.connections.Get(), 1u);
}

TEST_F(ServerTest, TakesTheWholeUrlForAPath) {
  Start();
  Client client(*server_);
  const std::pair<const char*, const char*> targets[] = {
      {"http://host:80/a", "/a as (end)"}, {"HTTPS://[::1]/a?b=/c", "/a as (end)"},
      {"http://host", "/ as (end)"},       {"http://host?/a", "/ as (end)"},
      {"/a://b", "/a://b as (end)"},       {"a", "a as (end)"}};
  for (const auto& [target, answer] : targets) {
    EXPECT_THAT(client.Ask(std::string("GET ") + target + " HTTP/1.1\r\nHost: x\r\n\r\n"),
                EndsWith(std::string("\r\n\r\n") + answer));
  }
}

TEST_F(ServerTest, AnswersRequestsThatCameTogether) {
  Start();
  Client client(*server_);
  client.Say(std::string(kGet) + "GET /b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(client.HearAll(), EndsWith("/b as (end)"));
  EXPECT_EQ(stats_.answers[2].Get(), 1u);
}

TEST_F(ServerTest, SaysTheSameToHeadWithoutTheBody) {
  Start();
  Client client(*server_);
  client.Say("HEAD /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  const std::string answer = client.HearAll();
  EXPECT_THAT(answer, HasSubstr("Content-Length: 11\r\n"));
  EXPECT_THAT(answer, EndsWith("\r\n\r\n"));
}

TEST_F(ServerTest, SpeaksTheOlderVersionToo) {
  Start();
  Client client(*server_);
  client.Say("GET /a HTTP/1.0\r\n\r\n");
  EXPECT_THAT(client.HearAll(), StartsWith("HTTP/1.0 200 OK\r\n"));
}

TEST_F(ServerTest, PacksLongAnswersForThoseWhoTakeIt) {
  Start();
  const std::string packing = "\r\nHost: x\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n";
  Client client(*server_);
  client.Say("GET /long HTTP/1.1" + packing);
  const std::string answer = client.HearAll();
  EXPECT_THAT(answer, HasSubstr("Content-Encoding: gzip\r\n"));
  EXPECT_LT(answer.size(), 1000u);
  Client other(*server_);
  other.Say("GET /a HTTP/1.1" + packing);
  EXPECT_THAT(other.HearAll(), Not(HasSubstr("Content-Encoding")));
}

struct Refused {
  const char* request;
  const char* status;
};

class Refusals : public ServerTest, public ::testing::WithParamInterface<Refused> {};

TEST_P(Refusals, AreToldAndEndTheConnection) {
  Start();
  Client client(*server_);
  client.Say(GetParam().request);
  EXPECT_THAT(client.HearAll(), StartsWith(std::string("HTTP/1.1 ") + GetParam().status));
}

INSTANTIATE_TEST_SUITE_P(
    All, Refusals,
    ::testing::Values(
        Refused{"POST /a HTTP/1.1\r\nContent-Length: 0\r\n\r\n", "405 Method Not Allowed\r\n"},
        Refused{"DELETE /a HTTP/1.1\r\n\r\n", "405"}, Refused{"BREW /a HTTP/1.1\r\n\r\n", "405"},
        Refused{"GET /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", "413"},
        Refused{"GET /a HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\nExpect: "
                "100-continue\r\n\r\n",
                "413"},
        Refused{
            "GET /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            "413"},
        Refused{"GET /a HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n", "400 Bad Request\r\n"},
        Refused{"GET /a HTTP/1.1\r\nX: y\r\n\r\n", "400"},
        Refused{"GET /a HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", "400"},
        Refused{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "400"}, Refused{"AMQP\x01\x01\x02\r\n", "400"},
        Refused{"GET\r\n\r\n", "400"},
        Refused{"GET /a HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n", "400"}));

// A request whose head is so long: by one long line, or by many short ones.
std::string LongHead(size_t bytes) {
  const std::string before = "GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX: ";
  const std::string after = "\r\n\r\n";
  return before + std::string(bytes - before.size() - after.size(), 'x') + after;
}

std::string ManyFields(size_t bytes) {
  std::string head = "GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n";
  while (head.size() + 20 < bytes) head += "A: b\r\n";
  return head + "A: " + std::string(bytes - head.size() - 7, 'b') + "\r\n\r\n";
}

TEST_F(ServerTest, TakesAHeadAtItsLimitAndNoneBeyond) {
  Start();
  const auto answer = [this](const std::string& request) {
    Client client(*server_);
    client.Say(request);
    return client.HearAll();
  };
  for (const auto& head : {LongHead, ManyFields}) {
    EXPECT_EQ(head(Server::kHeadBytesMax).size(), Server::kHeadBytesMax);
    EXPECT_THAT(answer(head(Server::kHeadBytesMax)), StartsWith("HTTP/1.1 200"));
    EXPECT_THAT(answer(head(Server::kHeadBytesMax + 1)), StartsWith("HTTP/1.1 431"));
  }
}

TEST_F(ServerTest, StandsARequestThatEndsAnywhere) {
  Start();
  const std::string whole = kGet;
  for (size_t end = 0; end < whole.size(); ++end) {
    Client client(*server_);
    client.Say(whole.substr(0, end));
  }
  Client client(*server_);
  EXPECT_THAT(client.Ask(kGet), StartsWith("HTTP/1.1 200"));
}

TEST_F(ServerTest, HangsUpOnThoseWhoTrickle) {
  Start({.request_time = Milliseconds(50)});
  Client silent(*server_);
  EXPECT_EQ(silent.HearAll(), "");
  Client slow(*server_);
  slow.Say("GET /a HTT");
  EXPECT_EQ(slow.HearAll(), "");
}

TEST_F(ServerTest, HangsUpOnThoseWhoStayQuiet) {
  Start({.idle_time = Milliseconds(50)});
  Client client(*server_);
  client.Ask(kGet);
  EXPECT_EQ(client.HearAll(), "");
}

TEST_F(ServerTest, GivesOneMoreThePlaceOfTheQuietest) {
  Start({.connections_max = 2});
  Client quietest(*server_);
  quietest.Ask(kGet);
  Client second(*server_);
  second.Ask(kGet);
  EXPECT_EQ(stats_.displaced.Get(), 0u);
  quietest.Ask(kGet);  // so it is not the quietest any more
  Client third(*server_);
  EXPECT_THAT(third.Ask(kGet), StartsWith("HTTP/1.1 200"));
  EXPECT_EQ(second.HearAll(), "");
  EXPECT_THAT(quietest.Ask(kGet), StartsWith("HTTP/1.1 200"));
  EXPECT_EQ(stats_.displaced.Get(), 1u);
}

TEST_F(ServerTest, RunsWhatIsPostedBeforeWhatIsAskedLater) {
  Start();
  std::promise<void> ran;
  server_->Post([&] { ran.set_value(); });
  EXPECT_EQ(ran.get_future().wait_for(std::chrono::seconds(30)), std::future_status::ready);
}

TEST_F(ServerTest, EndsWithConnectionsOpen) {
  Start();
  Client served(*server_);
  served.Ask(kGet);
  Client silent(*server_);
  server_.reset();
  EXPECT_EQ(served.HearAll(), "");
  EXPECT_EQ(silent.HearAll(), "");
}

// What a server of TLS needs; what is said inside is up to tests with a client that speaks it.
ServerTls SomeTls() {
  const tls::test::TestCerts certs;
  auto context = tls::Context::Build(
      {.certificate_pem = certs.server.Pem(), .private_key_pem = certs.server.key().Pem()}, {});
  EXPECT_TRUE(context.ok()) << context.status();
  return {.context = *context};
}

TEST_F(ServerTest, HangsUpOnThoseWhoDoNotShakeHandsInTime) {
  Start({.request_time = Milliseconds(50), .tls = SomeTls()});
  Client silent(*server_);
  EXPECT_EQ(silent.HearAll(), "");
  Client slow(*server_);
  slow.Say("\x16\x03\x01");
  EXPECT_EQ(slow.HearAll(), "");
  AwaitCount(stats_.handshakes_failed, 2);
  EXPECT_EQ(stats_.handshakes.Get(), 0u);
}

TEST_F(ServerTest, AnswersNobodyInPlainWhereTlsIsSpoken) {
  Start({.tls = SomeTls()});
  Client plain(*server_);
  plain.Say(kGet);
  EXPECT_THAT(plain.HearAll(), Not(HasSubstr("HTTP")));
  AwaitCount(stats_.handshakes_failed, 1);
}

TEST_F(ServerTest, EndsInTheMiddleOfHandshakes) {
  Start({.tls = SomeTls()});
  Client silent(*server_);
  Client slow(*server_);
  slow.Say("\x16\x03\x01");
  server_.reset();
  EXPECT_EQ(silent.HearAll(), "");
  EXPECT_EQ(slow.HearAll(), "");
}

TEST(Listen, TellsWhereItDoesAndWhyNot) {
  auto first = Server::Listen({});
  ASSERT_TRUE(first.ok());
  const std::string address = (*first)->addresses().front();
  EXPECT_THAT(address, StartsWith("127.0.0.1:"));
  const auto port = static_cast<uint16_t>(std::stoi(address.substr(address.find(':') + 1)));
  const auto second = Server::Listen({.port = port});
  EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(std::string(second.status().message()),
            "cannot listen on 127.0.0.1 port " + std::to_string(port) + ": Address already in use");
}

TEST(Listen, TellsWhatTheSystemLacks) {
  {
    const NoThreads threads;
    EXPECT_TRUE(absl::IsResourceExhausted(Server::Listen({}).status()));
  }
  for (const size_t left : {0, 1, 2, 3}) {
    const AllDescriptors taken(left);
    EXPECT_FALSE(Server::Listen({}).ok()) << left;
  }
  EXPECT_TRUE(Server::Listen({}).ok());
}

}  // namespace
}  // namespace trunkline::http
