#include "control/config/collection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "google/protobuf/descriptor.h"
#include "proto/trunkline/control/v1/options.pb.h"

namespace trunkline::config {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(Collections, AreAllResourcesThatThereAre) {
  std::vector<std::string> names;
  for (const Collection& each : Collections()) names.push_back(each.name());
  EXPECT_THAT(names, ElementsAre(kListeners, kConnectors, kTlsProfiles, kUserStores, kAddresses));
}

TEST(Collections, AreFoundByNameAndTypeAndResource) {
  for (const Collection& each : Collections()) {
    EXPECT_EQ(FindCollection(each.name()), &each);
    EXPECT_EQ(FindCollection(each.type()), &each);
    EXPECT_EQ(CollectionOfName(ResourceName(each.name(), "x")), &each);
  }
  EXPECT_EQ(FindCollection("pipes"), nullptr);
  EXPECT_EQ(FindCollection(*v1::ListenerSpec::descriptor()), nullptr);
  EXPECT_EQ(CollectionOfName("listeners"), nullptr);
  EXPECT_EQ(CollectionOfName(""), nullptr);
  EXPECT_EQ(FindCollection("tlsProfiles")->title(), "TLS profile");
  EXPECT_EQ(FindCollection("tlsProfiles")->section(), "tls_profiles");
}

TEST(Collections, PutFindAndEraseEveryKind) {
  for (const Collection& each : Collections()) {
    Document document;
    const std::unique_ptr<google::protobuf::Message> resource(each.prototype().New());
    const auto* name = each.type().FindFieldByName("name");
    for (const char* id : {"b", "a", "b"}) {
      resource->GetReflection()->SetString(resource.get(), name, ResourceName(each.name(), id));
      each.Put(document, *resource);
    }
    EXPECT_EQ(each.Size(document), 2u);
    EXPECT_THAT(each.Ids(document), ElementsAre("a", "b"));
    ASSERT_NE(each.Find(document, "a"), nullptr);
    EXPECT_EQ(each.Find(document, "a")->GetReflection()->GetString(*each.Find(document, "a"), name),
              ResourceName(each.name(), "a"));
    EXPECT_EQ(each.Find(document, "c"), nullptr);
    EXPECT_TRUE(each.Erase(document, "a"));
    EXPECT_FALSE(each.Erase(document, "a"));
    EXPECT_THAT(each.Ids(document), ElementsAre("b"));
    EXPECT_TRUE(each.Erase(document, "b"));
    EXPECT_THAT(each.Ids(document), IsEmpty());
  }
}

}  // namespace
}  // namespace trunkline::config
