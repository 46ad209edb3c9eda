#include "control/api/reflection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <set>

#include "google/protobuf/descriptor.pb.h"
#include "proto/google/rpc/error_details.pb.h"
#include "proto/trunkline/control/v1/router_service.pb.h"

namespace trunkline::api {
namespace {

using grpc::reflection::v1::ServerReflectionRequest;
using grpc::reflection::v1::ServerReflectionResponse;
using testing::Contains;
using testing::ElementsAre;
using testing::UnorderedElementsAre;

constexpr char kService[] = "trunkline.control.v1.RouterService";
constexpr char kFile[] = "trunkline/control/v1/router_service.proto";

class ReflectionTest : public testing::Test {
 protected:
  // Refers to a message of the file, so that it is part of the program.
  ReflectionTest()
      : reflection_(
            {control::v1::GetVersionRequest::descriptor()->file()->service(0)->full_name()}) {}

  ServerReflectionResponse BySymbol(const std::string& symbol) {
    ServerReflectionRequest request;
    request.set_file_containing_symbol(symbol);
    return reflection_.Answer(request);
  }
  ServerReflectionResponse ByFile(const std::string& name) {
    ServerReflectionRequest request;
    request.set_file_by_filename(name);
    return reflection_.Answer(request);
  }
  static std::vector<std::string> Files(const ServerReflectionResponse& response) {
    std::vector<std::string> names;
    for (const auto& bytes : response.file_descriptor_response().file_descriptor_proto()) {
      google::protobuf::FileDescriptorProto file;
      EXPECT_TRUE(file.ParseFromString(bytes));
      names.push_back(file.name());
    }
    return names;
  }
  static int Error(const ServerReflectionResponse& response) {
    return response.error_response().error_code();
  }

  const Reflection reflection_;
};

TEST_F(ReflectionTest, ListsServices) {
  ServerReflectionRequest request;
  request.set_host("here");
  request.set_list_services("*");
  const auto response = reflection_.Answer(request);
  ASSERT_EQ(response.list_services_response().service_size(), 1);
  EXPECT_EQ(response.list_services_response().service(0).name(), kService);
  EXPECT_EQ(response.valid_host(), "here");
  EXPECT_EQ(response.original_request().list_services(), "*");
}

// A client builds the descriptors in the order they come.
TEST_F(ReflectionTest, TellsAFileBehindItsImports) {
  const auto response = BySymbol(kService);
  google::protobuf::DescriptorPool pool;
  for (const auto& bytes : response.file_descriptor_response().file_descriptor_proto()) {
    google::protobuf::FileDescriptorProto file;
    ASSERT_TRUE(file.ParseFromString(bytes));
    ASSERT_NE(pool.BuildFile(file), nullptr) << file.name();
  }
  ASSERT_NE(pool.FindServiceByName(kService), nullptr);
  EXPECT_EQ(Files(response).back(), kFile);
  EXPECT_EQ(Files(response), Files(ByFile(kFile)));
}

TEST_F(ReflectionTest, FindsMethodsMessagesAndEnumValues) {
  for (const char* symbol :
       {"trunkline.control.v1.RouterService.GetVersion", "trunkline.control.v1.Listener",
        "trunkline.control.v1.ROLE_NORMAL", "google.protobuf.Timestamp"}) {
    EXPECT_TRUE(BySymbol(symbol).has_file_descriptor_response()) << symbol;
  }
}

TEST_F(ReflectionTest, TellsNothingOfTheRestOfTheProgram) {
  EXPECT_EQ(Error(BySymbol("grpc.reflection.v1.ServerReflection")), 5);
  EXPECT_EQ(Error(ByFile("grpc/reflection/v1/reflection.proto")), 5);
  EXPECT_EQ(Error(BySymbol("no.such.Symbol")), 5);
  EXPECT_EQ(Error(BySymbol("")), 5);
  EXPECT_EQ(Error(ByFile("../../etc/passwd")), 5);
}

TEST_F(ReflectionTest, TellsWhatErrorsAreMadeOf) {
  EXPECT_EQ(Error(BySymbol("google.rpc.ErrorInfo")), 5);
  const Reflection more({kService}, {google::rpc::ErrorInfo::descriptor()->file()});
  ServerReflectionRequest request;
  request.set_file_containing_symbol("google.rpc.ErrorInfo");
  EXPECT_TRUE(more.Answer(request).has_file_descriptor_response());
}

TEST_F(ReflectionTest, TellsExtensions) {
  ServerReflectionRequest request;
  request.set_all_extension_numbers_of_type("google.protobuf.FieldOptions");
  auto response = reflection_.Answer(request);
  EXPECT_THAT(response.all_extension_numbers_response().extension_number(), ElementsAre(51210));
  request.mutable_file_containing_extension()->set_containing_type("google.protobuf.MethodOptions");
  request.mutable_file_containing_extension()->set_extension_number(51211);
  response = reflection_.Answer(request);
  EXPECT_EQ(Files(response).back(), "trunkline/control/v1/options.proto");
  request.mutable_file_containing_extension()->set_extension_number(1);
  EXPECT_EQ(Error(reflection_.Answer(request)), 5);
  request.mutable_file_containing_extension()->set_containing_type("nobody");
  EXPECT_EQ(Error(reflection_.Answer(request)), 5);
  request.set_all_extension_numbers_of_type("nobody");
  EXPECT_EQ(Error(reflection_.Answer(request)), 5);
}

// Protobuf looks for what is in front of each dot, and needs half a minute for these.
TEST_F(ReflectionTest, AnswersALongNameAtOnce) {
  const std::string dots(200'000, '.');
  const auto began = std::chrono::steady_clock::now();
  EXPECT_EQ(Error(BySymbol(dots)), 5);
  EXPECT_EQ(Error(ByFile(dots)), 5);
  ServerReflectionRequest request;
  request.set_all_extension_numbers_of_type(dots);
  EXPECT_EQ(Error(reflection_.Answer(request)), 5);
  request.mutable_file_containing_extension()->set_containing_type(dots);
  EXPECT_EQ(Error(reflection_.Answer(request)), 5);
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(5));
}

TEST_F(ReflectionTest, AnEmptyQuestionIsAnError) { EXPECT_EQ(Error(reflection_.Answer({})), 3); }

}  // namespace
}  // namespace trunkline::api
