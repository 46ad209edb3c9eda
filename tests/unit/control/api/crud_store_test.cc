// Handlers over the real store and a real router.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "control/api/crud.h"
#include "control/config/error_details.h"
#include "google/protobuf/text_format.h"
#include "proto/trunkline/control/v1/listener_service.pb.h"
#include "router/router.h"

namespace trunkline::api {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class CrudOnStore : public ::testing::Test {
 protected:
  CrudOnStore() {
    folder_ = ::testing::TempDir() + "crudXXXXXX";
    EXPECT_NE(::mkdtemp(folder_.data()), nullptr);
    std::ofstream(folder_ + "/t.yaml") << "addresses:\n  - name: filed\n    prefix: filed\n";
    auto opened = store::Store::Open({.file = folder_ + "/t.yaml"},
                                     {.post = [](const std::function<void()>& run) { run(); },
                                      .now = [] { return int64_t{1'000'000}; },
                                      .random = random_});
    EXPECT_TRUE(opened.ok()) << opened.status();
    store_ = *std::move(opened);
    router_ = *Router::Start({.id = "router"}, [] {});
    EXPECT_THAT(store_->Start(*router_, [](const auto&) {}), IsEmpty());
    real_ = std::make_unique<RealStore>(*store_);
    crud_ = std::make_unique<Crud>(*real_, methods_, random_,
                                   Crud::Hooks{.clock = [] { return Time{1}; }});
    handlers_ = crud_->MakeHandlers();
  }
  ~CrudOnStore() override {
    handlers_.clear();
    store_.reset();
    crud_.reset();
    router_.reset();
    std::filesystem::remove_all(folder_);
  }

  // The answer to a call of `method`, "ListenerService/CreateListener".
  template <typename Reply>
  absl::StatusOr<Reply> Do(const std::string& path, const std::string& text) {
    const Method* method = methods_.Find("/trunkline.control.v1." + path);
    auto request = method->NewRequest();
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, request.get())) << text;
    absl::StatusOr<Reply> answer = absl::UnknownError("under way");
    Reply reply;
    Call::Exits exits;
    exits.write = [&](const google::protobuf::Message& written) { reply.CopyFrom(written); };
    exits.finish = [&](const absl::Status& status) {
      answer = status.ok() ? absl::StatusOr<Reply>(reply) : status;
    };
    handlers_.at(method->key())(
        std::make_shared<Call>(*method, std::move(request), Caller{"local"}, exits));
    return answer;
  }

  std::string folder_;
  Random random_{7};
  MethodTable methods_;
  std::unique_ptr<Router> router_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<RealStore> real_;
  std::unique_ptr<Crud> crud_;
  Handlers handlers_;
};

TEST_F(CrudOnStore, ListensWhenCreateReturnsAndNoMoreAfterDelete) {
  const auto made =
      Do<v1::ListenerChange>("ListenerService/CreateListener",
                             "listener_id: 'a' listener { spec { host: '127.0.0.1' port: 0 } }");
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->impact(), v1::IMPACT_NEW_CONNECTIONS);
  EXPECT_FALSE(made->persisted());  // there is no state directory
  EXPECT_THAT(store_->failures(), IsEmpty());
  const auto gone =
      Do<v1::ListenerChange>("ListenerService/DeleteListener",
                             "name: 'listeners/a' etag: '" + made->listener().etag() + "'");
  ASSERT_TRUE(gone.ok()) << gone.status();
  EXPECT_TRUE(absl::IsNotFound(
      Do<v1::Listener>("ListenerService/GetListener", "name: 'listeners/a'").status()));
}

TEST_F(CrudOnStore, RefusesAPortThatSomebodyHas) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(::listen(fd, 1), 0);
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  const std::string request = "listener_id: 'a' listener { spec { host: '127.0.0.1' port: " +
                              std::to_string(ntohs(address.sin_port)) + " } }";
  for (const char* mode : {"", " validate_only: true"}) {
    const auto made = Do<v1::ListenerChange>("ListenerService/CreateListener", request + mode);
    EXPECT_TRUE(absl::IsFailedPrecondition(made.status())) << made.status();
    EXPECT_EQ(config::ReasonOf(made.status()), "PORT_IN_USE");
  }
  EXPECT_THAT(store_->effective().listeners, IsEmpty());
  ::close(fd);
  EXPECT_TRUE(Do<v1::ListenerChange>("ListenerService/CreateListener", request).ok());
}

TEST_F(CrudOnStore, NamesTheFieldOfTheRequest) {
  const auto made =
      Do<v1::ListenerChange>("ListenerService/CreateListener",
                             "listener_id: 'a' listener { spec { host: 'a b' port: 70000 } }");
  EXPECT_TRUE(absl::IsInvalidArgument(made.status()));
  const auto violations = config::ViolationsOf(made.status());
  ASSERT_EQ(violations.size(), 2u) << made.status();
  EXPECT_EQ(violations[0].field, "listener.spec.port");
  EXPECT_EQ(violations[1].field, "listener.spec.host");
}

TEST_F(CrudOnStore, NamesTheFileOfWhatIsReadOnly) {
  const absl::Status status =
      Do<v1::ListenerChange>("AddressService/DeleteAddress", "name: 'addresses/filed'").status();
  EXPECT_EQ(config::ReasonOf(status), "READ_ONLY_SOURCE");
  EXPECT_THAT(std::string(status.message()), HasSubstr(folder_ + "/t.yaml:2; change it there"));
}

TEST_F(CrudOnStore, RefusesFilesThatCannotBeRead) {
  const absl::Status status =
      Do<v1::ListenerChange>(
          "TlsService/CreateTlsProfile",
          "tls_profile_id: 'a' tls_profile { spec { ca_file: '" + folder_ + "/none' } }")
          .status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_EQ(config::ViolationsOf(status).at(0).field, "tls_profile.spec.ca_file") << status;
}

}  // namespace
}  // namespace trunkline::api
