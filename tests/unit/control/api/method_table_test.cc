#include "control/api/method_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <set>

#include "control/api/channelz.h"
#include "google/protobuf/any.pb.h"

namespace trunkline::api {
namespace {

using testing::Contains;
using testing::IsNull;
using testing::NotNull;

TEST(MethodTable, KnowsAMethodByItsPath) {
  const MethodTable table;
  const Method* get = table.Find("/trunkline.control.v1.ListenerService/GetListener");
  ASSERT_THAT(get, NotNull());
  EXPECT_EQ(get->key(), "ListenerService/GetListener");
  EXPECT_EQ(get->role, v1::ACCESS_ROLE_VIEWER);
  EXPECT_FALSE(get->mutates);
  EXPECT_FALSE(get->streams);
  EXPECT_EQ(get->NewRequest()->GetTypeName(), "trunkline.control.v1.GetListenerRequest");
  EXPECT_EQ(get->NewReply()->GetTypeName(), "trunkline.control.v1.Listener");
}

TEST(MethodTable, KnowsStreamsAndChanges) {
  const MethodTable table;
  EXPECT_TRUE(table.Find("/trunkline.control.v1.ListenerService/WatchListeners")->streams);
  EXPECT_TRUE(table.Find("/trunkline.control.v1.RouterService/Shutdown")->mutates);
}

TEST(MethodTable, OnlyChangesAndFilesAreLong) {
  const MethodTable table;
  const auto bytes_max = [&](const std::string& method) {
    return table.Find("/trunkline.control.v1." + method)->request_bytes_max;
  };
  EXPECT_EQ(bytes_max("RouterService/ApplyConfig"), 4u << 20);
  EXPECT_EQ(bytes_max("RouterService/ValidateConfig"), (1u << 20) + (64u << 10));
  EXPECT_EQ(bytes_max("ListenerService/GetListener"), 64u << 10);
  EXPECT_EQ(bytes_max("ListenerService/WatchListeners"), 64u << 10);
  EXPECT_EQ(bytes_max("TraceService/WatchLogs"), 64u << 10);
}

TEST(MethodTable, FindsNothingElse) {
  const MethodTable table;
  for (const char* path : {"", "/", "ListenerService/GetListener", "/GetListener",
                           "/trunkline.control.v1.ListenerService/",
                           "/trunkline.control.v1.ListenerService/getlistener",
                           "/trunkline.control.v1.ListenerService/GetListener/"}) {
    EXPECT_THAT(table.Find(path), IsNull()) << path;
  }
}

TEST(MethodTable, EveryMethodHasARole) {
  const MethodTable table;
  for (const Method& method : table.methods()) {
    EXPECT_GE(method.role, v1::ACCESS_ROLE_VIEWER) << method.path;
    EXPECT_LE(method.role, v1::ACCESS_ROLE_ADMIN) << method.path;
  }
}

// A caller that may only see cannot change anything.
TEST(MethodTable, WhatChangesNeedsMoreThanAViewer) {
  const MethodTable table;
  for (const Method& method : table.methods()) {
    EXPECT_EQ(method.mutates, method.role > v1::ACCESS_ROLE_VIEWER) << method.path;
  }
}

TEST(MethodTable, KnowsEveryServiceThatIsDeclared) {
  std::set<std::string> known;
  const MethodTable table;
  for (const Method& method : table.methods()) known.insert(method.service);
  const auto protos = std::filesystem::path(TRUNKLINE_SOURCE) / "proto/trunkline/control/v1";
  size_t declared = 0;
  for (const auto& entry : std::filesystem::directory_iterator(protos)) {
    std::ifstream file(entry.path());
    for (std::string line; std::getline(file, line);) {
      std::smatch found;
      if (!std::regex_search(line, found, std::regex("^service (\\w+)"))) continue;
      EXPECT_THAT(known, Contains(found[1].str())) << entry.path();
      ++declared;
    }
  }
  EXPECT_EQ(declared, known.size());
}

TEST(MethodTable, GivesMethodsOfOthersARole) {
  const MethodTable table(ServiceFiles(), ChannelzMethods());
  const Method* method = table.Find("/grpc.channelz.v1.Channelz/GetServers");
  ASSERT_THAT(method, NotNull());
  EXPECT_EQ(method->role, v1::ACCESS_ROLE_OPERATOR);
  EXPECT_FALSE(method->mutates);
  const Handlers handlers = MakeChannelzHandlers();
  for (const Method& each : table.methods()) {
    EXPECT_EQ(handlers.contains(each.key()), each.service == "Channelz") << each.path;
  }
}

TEST(MethodTableDeathTest, AMethodWithoutARoleIsAMistake) {
  google::protobuf::FileDescriptorProto file;
  file.set_name("roleless.proto");
  file.add_message_type()->set_name("Nothing");
  auto& method = *file.add_service()->add_method();
  file.mutable_service(0)->set_name("Open");
  method.set_name("Door");
  method.set_input_type("Nothing");
  method.set_output_type("Nothing");
  google::protobuf::DescriptorPool pool;
  const auto* built = pool.BuildFile(file);
  ASSERT_THAT(built, NotNull());
  EXPECT_DEATH(MethodTable({built}), "/Open/Door has no role");
}

}  // namespace
}  // namespace trunkline::api
