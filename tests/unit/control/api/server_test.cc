#include "control/api/server.h"

#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <future>
#include <thread>

#include "control/config/error_details.h"
#include "proto/google/rpc/error_details.pb.h"
#include "proto/google/rpc/status.pb.h"
#include "proto/grpc/health/v1/health.pb.h"
#include "proto/grpc/reflection/v1/reflection.pb.h"
#include "proto/trunkline/control/v1/router_service.pb.h"

namespace trunkline::api {
namespace {

using testing::ElementsAre;

constexpr char kGetVersion[] = "/trunkline.control.v1.RouterService/GetVersion";
constexpr char kDrain[] = "/trunkline.control.v1.RouterService/Drain";
constexpr char kReflection[] = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
constexpr auto kPatience = std::chrono::seconds(60);

std::chrono::system_clock::time_point Soon() {
  return std::chrono::system_clock::now() + kPatience;
}

std::string ReasonOf(const grpc::Status& status) {
  google::rpc::Status rpc;
  google::rpc::ErrorInfo info;
  if (!rpc.ParseFromString(status.error_details()) || rpc.details_size() == 0 ||
      !rpc.details(0).UnpackTo(&info) || rpc.code() != status.error_code()) {
    return "";
  }
  return info.reason();
}

// A server on a socket; the test's thread is control.
class ServerTest : public testing::Test {
 protected:
  ServerTest() {
    char path[] = "/tmp/trunkline-server-XXXXXX";
    root_ = ::mkdtemp(path);
    handlers_["RouterService/GetVersion"] = [this](auto call) { held_.push_back(std::move(call)); };
    handlers_["RouterService/Drain"] = handlers_["RouterService/GetVersion"];
  }
  ~ServerTest() override {
    held_.clear();
    server_ = nullptr;
    std::filesystem::remove_all(root_);
  }

  void Start(Server::Options options = {}) {
    options.socket_paths = {(root_ / "s").string()};
    auto server = Server::Start(std::move(options), handlers_, methods_, [this] { woken_ = true; });
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  std::shared_ptr<grpc::Channel> Connect() const {
    return grpc::CreateChannel("unix:" + (root_ / "s").string(),
                               grpc::InsecureChannelCredentials());
  }

  // Does control's work until `done`.
  void RunUntil(const std::function<bool()>& done) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (!done()) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline);
      if (woken_.exchange(false)) server_->RunPosted();
      std::this_thread::yield();
    }
  }

  // A call with one answer, made on a thread of its own while control works.
  template <typename Request, typename Reply>
  grpc::Status Ask(const std::string& path, const Request& request, Reply& reply,
                   std::chrono::system_clock::time_point deadline = Soon()) {
    auto asked = std::async(std::launch::async, [&] {
      grpc::ClientContext context;
      context.set_deadline(deadline);
      grpc::CompletionQueue queue;
      grpc::TemplatedGenericStub<Request, Reply> stub(Connect());
      auto reader = stub.PrepareUnaryCall(&context, path, request, &queue);
      grpc::Status status;
      reader->StartCall();
      reader->Finish(&reply, &status, this);
      void* tag;
      bool ok;
      queue.Next(&tag, &ok);
      return status;
    });
    RunUntil([&] { return asked.wait_for(std::chrono::seconds(0)) == std::future_status::ready; });
    return asked.get();
  }
  grpc::Status GetVersion(std::chrono::system_clock::time_point deadline = Soon()) {
    v1::GetVersionResponse reply;
    const grpc::Status status = Ask(kGetVersion, v1::GetVersionRequest(), reply, deadline);
    version_ = reply.version();
    return status;
  }
  void Answer(const std::string& version) {
    handlers_["RouterService/GetVersion"] = [version](auto call) {
      v1::GetVersionResponse reply;
      reply.set_version(version);
      call->Reply(reply);
    };
  }

  const MethodTable methods_;
  std::filesystem::path root_;
  Handlers handlers_;
  std::vector<std::shared_ptr<Call>> held_;  // calls that nobody has answered
  std::atomic<bool> woken_ = false;
  std::string version_;
  std::unique_ptr<Server> server_;
};

// A stream of answers to one client.
class Stream {
 public:
  enum class Sends { kItsRequest, kNothing };
  Stream(std::shared_ptr<grpc::Channel> channel, const std::string& path,
         Sends sends = Sends::kItsRequest)
      : stub_(std::move(channel)) {
    context_.set_deadline(Soon());
    stream_ = stub_.PrepareCall(&context_, path, &queue_);
    stream_->StartCall(this);
    Wait();
    if (sends == Sends::kNothing) return;
    stream_->WriteLast(v1::DrainRequest(), grpc::WriteOptions(), this);
    Wait();
  }
  ~Stream() {
    queue_.Shutdown();
    void* tag;
    bool ok;
    while (queue_.Next(&tag, &ok)) continue;
  }

  bool Read(v1::DrainResponse& reply) {
    stream_->Read(&reply, this);
    return Wait();
  }
  grpc::Status Finish() {
    grpc::Status status;
    stream_->Finish(&status, this);
    Wait();
    return status;
  }
  void Cancel() { context_.TryCancel(); }

 private:
  bool Wait() {
    void* tag;
    bool ok = false;
    queue_.Next(&tag, &ok);
    return ok;
  }

  grpc::TemplatedGenericStub<v1::DrainRequest, v1::DrainResponse> stub_;
  grpc::CompletionQueue queue_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientAsyncReaderWriter<v1::DrainRequest, v1::DrainResponse>> stream_;
};

TEST_F(ServerTest, AnswersACall) {
  Answer("1.2.3");
  Start();
  const grpc::Status status = GetVersion();
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(version_, "1.2.3");
}

TEST_F(ServerTest, WhoComesOverTheSocketIsAnAdmin) {
  Caller caller;
  handlers_["RouterService/GetVersion"] = [&](auto call) {
    caller = call->caller();
    call->Reply(v1::GetVersionResponse());
  };
  Start();
  EXPECT_TRUE(GetVersion().ok());
  EXPECT_EQ(caller.identity, "local");
  EXPECT_EQ(caller.role, v1::ACCESS_ROLE_ADMIN);
  EXPECT_EQ(caller.peer.substr(0, 5), "unix:");
}

TEST_F(ServerTest, ACallThatNobodyAnswersFails) {
  handlers_["RouterService/GetVersion"] = [](auto) {};
  Start();
  const grpc::Status status = GetVersion();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INTERNAL);
  EXPECT_EQ(ReasonOf(status), "INTERNAL");
}

TEST_F(ServerTest, ErrorsCarryTheirDetails) {
  handlers_["RouterService/GetVersion"] = [](auto call) {
    call->Finish(config::WithReason(absl::FailedPreconditionError("taken"), "PORT_IN_USE"));
  };
  Start();
  const grpc::Status status = GetVersion();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(status.error_message(), "taken");
  EXPECT_EQ(ReasonOf(status), "PORT_IN_USE");
}

TEST_F(ServerTest, RefusesWhatItDoesNotKnow) {
  Start();
  v1::GetVersionResponse reply;
  const std::pair<const char*, const char*> cases[] = {
      {"/trunkline.control.v1.RouterService/GetConfig", "METHOD_NOT_SERVED"},
      {"/trunkline.control.v1.RouterService/Nothing", "METHOD_UNKNOWN"},
      {"/nobody/knows", "METHOD_UNKNOWN"},
      {"/", "METHOD_UNKNOWN"}};
  for (const auto& [path, reason] : cases) {
    const grpc::Status status = Ask(path, v1::GetVersionRequest(), reply);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED) << path;
    EXPECT_EQ(ReasonOf(status), reason) << path;
  }
  EXPECT_EQ(server_->refused(Refused::kMethod), 3u);
}

TEST_F(ServerTest, RefusesBytesThatAreNoRequest) {
  handlers_["RouterService/ValidateConfig"] = [](auto) { FAIL(); };
  Start();
  // Field 1 of this one is a message, of ValidateConfigRequest it is text that must be UTF-8.
  v1::ValidateConfigResponse wrong;
  wrong.add_problems()->set_line(200);
  v1::ValidateConfigResponse reply;
  const grpc::Status status =
      Ask("/trunkline.control.v1.RouterService/ValidateConfig", wrong, reply);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(ReasonOf(status), "MALFORMED_REQUEST");
}

// The bytes are those of a field that nobody knows; its tag and its length are four of them.
TEST_F(ServerTest, ARequestIsAtMostSoLong) {
  size_t unknown = 1;
  handlers_["RouterService/GetVersion"] = [&](auto call) {
    unknown = call->request().ByteSizeLong();
    call->Reply(v1::GetVersionResponse());
  };
  Start();
  const auto ask = [&](size_t bytes) {
    v1::GetVersionRequest request;
    request.GetReflection()->MutableUnknownFields(&request)->AddLengthDelimited(
        15, std::string(bytes - 4, 'x'));
    EXPECT_EQ(request.ByteSizeLong(), bytes);
    v1::GetVersionResponse reply;
    return Ask(kGetVersion, request, reply);
  };
  EXPECT_TRUE(ask(64 << 10).ok());
  EXPECT_EQ(unknown, 0u);  // and it is not kept
  for (const size_t bytes : {(64 << 10) + 1, 1 << 20}) {
    const grpc::Status status = ask(bytes);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
    EXPECT_EQ(ReasonOf(status), "REQUEST_TOO_LARGE");
  }
  EXPECT_EQ(server_->refused(Refused::kRequest), 2u);
}

TEST_F(ServerTest, AReflectionQuestionIsAtMostSoLong) {
  Start();
  const auto ask = [&](size_t bytes) {
    grpc::reflection::v1::ServerReflectionRequest request;
    request.set_host(std::string(bytes - 4, 'x'));
    EXPECT_EQ(request.ByteSizeLong(), bytes);
    grpc::reflection::v1::ServerReflectionResponse reply;
    return Ask(kReflection, request, reply);
  };
  EXPECT_TRUE(ask(64 << 10).ok());
  EXPECT_EQ(ReasonOf(ask((64 << 10) + 1)), "REQUEST_TOO_LARGE");
}

TEST_F(ServerTest, ACallThatTakesTooLongIsEnded) {
  Start({.call_limit = Milliseconds(50)});
  const grpc::Status status = GetVersion();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_EQ(ReasonOf(status), "CALL_LIMIT");
  EXPECT_TRUE(held_[0]->ended());
}

// The places are there again, each after the one before.
TEST_F(ServerTest, ACallWithoutARequestIsEnded) {
  Answer("1.2.3");
  Start({.limits = {.calls_max = 1, .streams_max = 1}, .call_limit = Milliseconds(50)});
  for (const char* path : {kGetVersion, kGetVersion, kDrain, kReflection, kDrain}) {
    grpc::Status status;
    RunUntil([&] {
      Stream silent(Connect(), path, Stream::Sends::kNothing);
      status = silent.Finish();
      return ReasonOf(status) != "TOO_MANY_CALLS";
    });
    EXPECT_EQ(status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED) << path;
    EXPECT_EQ(ReasonOf(status), "CALL_LIMIT") << path;
  }
  RunUntil([&] { return GetVersion().ok(); });
}

TEST_F(ServerTest, AStreamWithItsRequestMayTakeLonger) {
  Start({.call_limit = Milliseconds(50)});
  Stream stream(Connect(), kDrain);
  RunUntil([&] { return held_.size() == 1; });
  for (int i = 0; i < 2; ++i) {
    Stream later(Connect(), kDrain, Stream::Sends::kNothing);
    EXPECT_EQ(ReasonOf(later.Finish()), "CALL_LIMIT");
    server_->RunPosted();
  }
  EXPECT_FALSE(held_[0]->ended());
  held_[0]->Finish(absl::OkStatus());
  EXPECT_TRUE(stream.Finish().ok());
}

TEST_F(ServerTest, TheCallersDeadlineEndsItsCall) {
  Start();
  const grpc::Status status =
      GetVersion(std::chrono::system_clock::now() + std::chrono::milliseconds(100));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  RunUntil([&] { return held_.size() == 1 && held_[0]->ended(); });
}

TEST_F(ServerTest, ThereAreOnlySoManyCallsAtATime) {
  Start({.limits = {.calls_max = 1, .streams_max = 1}});
  Stream first(Connect(), kDrain);
  RunUntil([&] { return held_.size() == 1; });
  Stream second(Connect(), kDrain);
  v1::DrainResponse reply;
  EXPECT_FALSE(second.Read(reply));
  const grpc::Status status = second.Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(ReasonOf(status), "TOO_MANY_CALLS");
  EXPECT_FALSE(held_[0]->ended());
  held_[0]->Finish(absl::OkStatus());
  EXPECT_TRUE(first.Finish().ok());
  // The place is free when gRPC is done with the first.
  RunUntil([&] {
    held_.clear();
    const uint64_t refused = server_->refused(Refused::kRoom);
    Stream third(Connect(), kDrain);
    RunUntil([&] { return !held_.empty() || server_->refused(Refused::kRoom) > refused; });
    return !held_.empty();
  });
}

TEST_F(ServerTest, AStreamIsWrittenAsFastAsItIsTaken) {
  Start();
  auto read = std::async(std::launch::async, [&] {
    Stream stream(Connect(), kDrain);
    v1::DrainResponse reply;
    std::vector<uint32_t> seen;
    while (stream.Read(reply)) seen.push_back(reply.connections());
    EXPECT_TRUE(stream.Finish().ok());
    return seen;
  });
  RunUntil([&] { return !held_.empty(); });
  auto call = std::exchange(held_, {})[0];
  v1::DrainResponse reply;
  for (uint32_t i = 0; i < 5; ++i) {
    RunUntil([&] { return call->writable(); });
    reply.set_connections(i);
    call->Write(reply);
  }
  call->Finish(absl::OkStatus());
  EXPECT_THAT(read.get(), ElementsAre(0, 1, 2, 3, 4));
}

TEST_F(ServerTest, ACallerThatHangsUpIsNoticed) {
  Start();
  for (int round = 0; round < 20; ++round) {
    auto stream = std::make_unique<Stream>(Connect(), kDrain);
    RunUntil([&] { return !held_.empty(); });
    bool gone = false;
    held_[0]->OnGone([&] { gone = true; });
    stream->Cancel();
    RunUntil([&] { return gone; });
    EXPECT_TRUE(held_[0]->ended());
    EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
    held_.clear();
  }
}

// The first message of a stream is too much for a caller that reads nothing.
TEST_F(ServerTest, ACallerThatDoesNotReadIsWaitedForByNobody) {
  Start();
  Stream stream(Connect(), kDrain);
  RunUntil([&] { return !held_.empty(); });
  v1::DrainResponse reply;
  reply.set_connections(1);
  size_t written = 0;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(300);
  while (std::chrono::steady_clock::now() < deadline) {
    if (woken_.exchange(false)) server_->RunPosted();
    if (!held_[0]->writable()) continue;
    held_[0]->Write(reply);
    ++written;
  }
  EXPECT_GT(written, 1u);
  EXPECT_FALSE(held_[0]->ended());
  held_[0]->Finish(absl::ResourceExhaustedError("too slow"));
  stream.Cancel();
  (void)stream.Finish();
}

TEST_F(ServerTest, EndsCallsWhenItStops) {
  Start();
  Stream stream(Connect(), kDrain);
  RunUntil([&] { return !held_.empty(); });
  server_->Stop(Seconds(10));
  EXPECT_TRUE(held_[0]->ended());
  const grpc::Status status = stream.Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(ReasonOf(status), "STOPPING");
}

TEST_F(ServerTest, StopsWhileCallsComeIn) {
  int answered = 0;
  handlers_["RouterService/GetVersion"] = [&](auto call) {
    ++answered;
    call->Reply(v1::GetVersionResponse());
  };
  Start();
  std::atomic<bool> stopped = false;
  std::vector<std::future<int>> callers;
  for (int i = 0; i < 4; ++i) {
    callers.push_back(std::async(std::launch::async, [&] {
      int made = 0;
      grpc::TemplatedGenericStub<v1::GetVersionRequest, v1::GetVersionResponse> stub(Connect());
      while (!stopped) {
        grpc::ClientContext context;
        context.set_deadline(Soon());
        grpc::CompletionQueue queue;
        v1::GetVersionResponse reply;
        auto reader = stub.PrepareUnaryCall(&context, kGetVersion, {}, &queue);
        grpc::Status status;
        reader->StartCall();
        reader->Finish(&reply, &status, nullptr);
        void* tag;
        bool ok;
        queue.Next(&tag, &ok);
        if (!status.ok()) break;
        ++made;
      }
      return made;
    }));
  }
  RunUntil([&] { return answered >= 100; });
  server_->Stop(Seconds(1));
  stopped = true;
  int made = 0;
  for (auto& caller : callers) made += caller.get();
  // Each caller may miss the answer to its last call.
  EXPECT_GE(made, answered - 4);
  EXPECT_LE(made, answered);
}

TEST_F(ServerTest, HealthSaysWhetherItServes) {
  Start();
  grpc::health::v1::HealthCheckRequest request;
  grpc::health::v1::HealthCheckResponse reply;
  const std::string path = "/grpc.health.v1.Health/Check";
  for (const char* service : {"", "trunkline.control.v1.RouterService"}) {
    request.set_service(service);
    server_->SetServing(true);
    ASSERT_TRUE(Ask(path, request, reply).ok()) << service;
    EXPECT_EQ(reply.status(), grpc::health::v1::HealthCheckResponse::SERVING);
    server_->SetServing(false);
    ASSERT_TRUE(Ask(path, request, reply).ok()) << service;
    EXPECT_EQ(reply.status(), grpc::health::v1::HealthCheckResponse::NOT_SERVING);
  }
  request.set_service("nobody");
  EXPECT_EQ(Ask(path, request, reply).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(ServerTest, TwoCannotHaveOneSocket) {
  Start();
  const std::string taken = server_->socket_path();
  const auto start = [&](std::vector<std::string> paths, bool optional) {
    Server::Options options;
    options.socket_paths = std::move(paths);
    options.socket_optional = optional;
    return Server::Start(std::move(options), handlers_, methods_, [] {});
  };
  EXPECT_EQ(start({taken}, false).status().code(), absl::StatusCode::kFailedPrecondition);
  const auto without = start({taken}, true);
  ASSERT_TRUE(without.ok()) << without.status();
  EXPECT_EQ((*without)->socket_path(), "");
  const auto elsewhere = start({taken, taken + "2"}, true);
  ASSERT_TRUE(elsewhere.ok()) << elsewhere.status();
  EXPECT_EQ((*elsewhere)->socket_path(), taken + "2");
}

}  // namespace
}  // namespace trunkline::api
