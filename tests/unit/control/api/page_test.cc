#include "control/api/page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "absl/strings/escaping.h"
#include "control/config/collection.h"
#include "control/config/error_details.h"
#include "control/config/resource.h"
#include "proto/trunkline/control/v1/listener.pb.h"

namespace trunkline::api {
namespace {

namespace v1 = control::v1;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using Rows = std::vector<std::shared_ptr<const google::protobuf::Message>>;

std::shared_ptr<const v1::Listener> Named(const std::string& id, uint32_t port,
                                          const std::string& team = "") {
  auto listener = std::make_shared<v1::Listener>();
  listener->set_name("listeners/" + id);
  listener->mutable_spec()->set_port(port);
  if (!team.empty()) (*listener->mutable_labels())["team"] = team;
  return listener;
}

Listing Parsed(const ListRequest& request) {
  auto listing = Listing::Parse(request, *v1::Listener::descriptor());
  EXPECT_TRUE(listing.ok()) << listing.status();
  return *std::move(listing);
}

std::vector<std::string> Names(const Rows& rows) {
  std::vector<std::string> names;
  for (const auto& row : rows) names.push_back(config::NameOf(*row).substr(10));
  return names;
}

// All pages one after the other; `between` may change what is there.
std::vector<std::string> Walk(
    ListRequest request, Rows& all, const std::function<void()>& between = [] {}) {
  std::vector<std::string> names;
  for (int pages = 0; pages < 100; ++pages) {
    const Page page = Parsed(request).Cut(all);
    for (const std::string& name : Names(page.rows)) names.push_back(name);
    request.page_token = page.next_page_token;
    if (request.page_token.empty()) return names;
    EXPECT_EQ(page.rows.size(), static_cast<size_t>(request.page_size));
    between();
  }
  ADD_FAILURE() << "it does not end";
  return names;
}

std::string WrongField(const ListRequest& request) {
  const auto listing = Listing::Parse(request, *v1::Listener::descriptor());
  EXPECT_FALSE(listing.ok());
  if (listing.ok()) return "";
  EXPECT_TRUE(absl::IsInvalidArgument(listing.status()));
  const auto violations = config::ViolationsOf(listing.status());
  return violations.size() == 1 ? violations[0].field : "";
}

TEST(Listings, AreInOrderOfNames) {
  Rows all = {Named("c", 1), Named("a", 3), Named("b", 2)};
  EXPECT_THAT(Walk({.page_size = 10}, all), ElementsAre("a", "b", "c"));
  for (int32_t size : {1, 2, 3}) {
    EXPECT_THAT(Walk({.page_size = size}, all), ElementsAre("a", "b", "c")) << size;
  }
}

TEST(Listings, AreInTheOrderThatIsAskedFor) {
  Rows all = {Named("a", 2, "x"), Named("b", 1, "y"), Named("c", 2), Named("d", 1, "x")};
  for (int32_t size : {1, 2, 3, 10}) {
    EXPECT_THAT(Walk({.page_size = size, .order_by = "spec.port"}, all),
                ElementsAre("b", "d", "a", "c"));
    EXPECT_THAT(Walk({.page_size = size, .order_by = "spec.port desc"}, all),
                ElementsAre("a", "c", "b", "d"));
    EXPECT_THAT(Walk({.page_size = size, .order_by = "labels.team, spec.port desc"}, all),
                ElementsAre("c", "a", "d", "b"));
    EXPECT_THAT(Walk({.page_size = size, .order_by = "name desc"}, all),
                ElementsAre("d", "c", "b", "a"));
  }
}

TEST(Listings, TellWhatIsThereThroughoutOnceWhateverComesAndGoes) {
  Rows all = {Named("b", 1), Named("d", 1), Named("f", 1), Named("h", 1)};
  int step = 0;
  const auto names = Walk({.page_size = 1}, all, [&] {
    if (step++ == 0) {
      all.erase(all.begin());        // the one that the next page begins behind
      all.push_back(Named("a", 1));  // before it
      all.push_back(Named("e", 1));  // behind it
    }
  });
  EXPECT_THAT(names, ElementsAre("b", "d", "e", "f", "h"));
}

TEST(Listings, HoldWhatTheFilterTakes) {
  Rows all = {Named("a", 1), Named("b", 2), Named("c", 2)};
  EXPECT_THAT(Walk({.page_size = 1, .filter = "spec.port = 2"}, all), ElementsAre("b", "c"));
  EXPECT_THAT(Walk({.page_size = 1, .filter = "spec.port = 9"}, all), IsEmpty());
}

TEST(Listings, KnowTheSizesOfTheirPages) {
  Rows all;
  for (int i = 0; i < kPageSizeMax + 1; ++i) {
    all.push_back(Named(std::string(1, 'a') + std::to_string(10000 + i), 1));
  }
  EXPECT_EQ(Parsed({}).Cut(all).rows.size(), static_cast<size_t>(kPageSizeDefault));
  EXPECT_EQ(Parsed({.page_size = kPageSizeMax}).Cut(all).rows.size(), 1000u);
  EXPECT_EQ(Parsed({.page_size = kPageSizeMax + 1}).Cut(all).rows.size(), 1000u);
  EXPECT_EQ(WrongField({.page_size = -1}), "page_size");
  all.pop_back();
  EXPECT_EQ(Parsed({.page_size = kPageSizeMax}).Cut(all).next_page_token, "");
}

TEST(Listings, TakeTheirOwnTokensAlone) {
  Rows all = {Named("a", 1), Named("b", 1)};
  const std::string token = Parsed({.page_size = 1}).Cut(all).next_page_token;
  EXPECT_THAT(Names(Parsed({.page_size = 7, .page_token = token}).Cut(all).rows), ElementsAre("b"));
  EXPECT_EQ(WrongField({.page_token = token, .filter = "spec.port = 1"}), "page_token");
  EXPECT_EQ(WrongField({.page_token = token, .order_by = "spec.port"}), "page_token");
  EXPECT_EQ(WrongField({.page_token = "no token"}), "page_token");
  EXPECT_EQ(WrongField({.page_token = std::string(kPageTokenBytesMax + 1, 'A')}), "page_token");
  const auto other = config::FindCollection("connectors");
  EXPECT_FALSE(Listing::Parse({.page_token = token}, other->type()).ok());
}

TEST(Listings, TakeTheLongestTokenTheyGive) {
  const std::string longest(3 * 4096, 'a');
  auto first = std::make_shared<v1::Listener>(*Named(longest, 1));
  first->mutable_spec()->set_host(longest);
  const Rows all = {first, Named("b", 1)};
  const std::string order = "spec.host desc";
  const std::string token = Parsed({.page_size = 1, .order_by = order}).Cut(all).next_page_token;
  EXPECT_GT(token.size(), 32u << 10);
  const Page page = Parsed({.page_token = token, .order_by = order}).Cut(all);
  EXPECT_THAT(Names(page.rows), ElementsAre("b"));
}

TEST(Listings, StandTokensThatAreCutOrBent) {
  Rows all = {Named("a", 1, "x"), Named("b", 1, "y")};
  const ListRequest request = {.page_size = 1, .order_by = "labels.team desc,spec.port"};
  const std::string token = Parsed(request).Cut(all).next_page_token;
  for (size_t end = 1; end < token.size(); ++end) {
    ListRequest cut = request;
    cut.page_token = token.substr(0, end);
    const auto listing = Listing::Parse(cut, *v1::Listener::descriptor());
    if (listing.ok()) listing->Cut(all);  // cut where a field ends
  }
  std::string bytes;
  ASSERT_TRUE(absl::WebSafeBase64Unescape(token, &bytes));
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string bent = bytes;
    bent[i] = static_cast<char>(bent[i] ^ 0x5a);
    ListRequest other = request;
    other.page_token = absl::WebSafeBase64Escape(bent);
    const auto listing = Listing::Parse(other, *v1::Listener::descriptor());
    if (listing.ok()) listing->Cut(all);
    EXPECT_FALSE(i < 8 && listing.ok()) << i;
  }
}

TEST(Listings, RefuseOrdersThatAreNone) {
  for (const char* order : {"spec.prt", "spec.port up", "spec.port desc asc", "labels", "spec",
                            "spec.sasl_mechanisms", "name,name,name,name,name,name"}) {
    EXPECT_EQ(WrongField({.order_by = order}), "order_by") << order;
  }
  Parsed({.order_by = "name asc , spec.port,spec.host,generation,create_time desc"});
}

TEST(Listings, KnowWhatTheyRead) {
  EXPECT_TRUE(Parsed({.filter = "status.state = failed"}).Reads("status"));
  EXPECT_TRUE(Parsed({.order_by = "status.active_connections desc"}).Reads("status"));
  EXPECT_FALSE(Parsed({.filter = "spec.port = 1"}).Reads("status"));
}

}  // namespace
}  // namespace trunkline::api
