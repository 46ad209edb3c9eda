#include "control/api/config_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "control/config/error_details.h"
#include "fake_store.h"
#include "google/protobuf/text_format.h"

namespace trunkline::api {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Response = v1::ApplyConfigResponse;

class ApplyConfigTest : public ::testing::Test {
 protected:
  // The answer to a request that is written as text.
  absl::StatusOr<Response> Apply(const std::string& text) {
    const Method* method = methods_.Find("/trunkline.control.v1.RouterService/ApplyConfig");
    auto request = method->NewRequest();
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, request.get())) << text;
    absl::StatusOr<Response> answer = absl::UnknownError("under way");
    Call::Exits exits;
    exits.write = [&](const auto& reply) { answer.emplace().CopyFrom(reply); };
    exits.finish = [&](const absl::Status& status) {
      if (!status.ok()) answer = status;
    };
    handlers_.at(method->key())(
        std::make_shared<Call>(*method, std::move(request), Caller{"local"}, exits));
    return answer;
  }
  // "listeners/a CREATED" or "listeners/a NOT_FOUND", of each result.
  static std::vector<std::string> Told(const absl::StatusOr<Response>& answer) {
    std::vector<std::string> told;
    if (!answer.ok()) return {answer.status().ToString()};
    for (const Response::Result& each : answer->results()) {
      const auto code = static_cast<absl::StatusCode>(each.status().code());
      told.push_back(each.name() + " " +
                     (code == absl::StatusCode::kOk
                          ? Response::Action_Name(each.action()).substr(sizeof("ACTION"))
                          : absl::StatusCodeToString(code)));
    }
    return told;
  }

  const MethodTable methods_;
  FakeStore store_;
  ConfigService service_{store_, methods_, [] { return Time{1}; }};
  Handlers handlers_ = service_.MakeHandlers();
};

TEST_F(ApplyConfigTest, TakesResourcesThatNameEachOther) {
  const auto made =
      Apply(R"pb(bundle {
                   listeners {
                     name: "listeners/l"
                     spec { port: 5002 tls_profile: "tlsProfiles/p" user_store: "userStores/s" }
                   }
                   connectors {
                     name: "connectors/c"
                     spec { host: "h" tls_profile: "tlsProfiles/p" }
                   }
                   tls_profiles {
                     name: "tlsProfiles/p"
                     spec { certificate_file: "/a" private_key_file: "/b" }
                   }
                   user_stores {
                     name: "userStores/s"
                     spec { directory: "/a" }
                   }
                 })pb");
  EXPECT_THAT(Told(made), ElementsAre("connectors/c CREATED", "listeners/l CREATED",
                                      "tlsProfiles/p CREATED", "userStores/s CREATED"));
  ASSERT_TRUE(made.ok() && made->applied());
  const auto gone = Apply("prune: true");
  EXPECT_THAT(Told(gone), ElementsAre("connectors/c DELETED", "listeners/l DELETED",
                                      "tlsProfiles/p DELETED", "userStores/s DELETED"));
  EXPECT_TRUE(gone->applied());
}

// One that is refused may be mended by others.
TEST_F(ApplyConfigTest, TriesAgainWhatWasRefused) {
  const std::string request = R"pb(
    request_id: "6f1c2a90-0b1d-4c3e-8f4a-5b6c7d8e9f00"
    bundle {
      listeners {
        name: "listeners/l"
        spec { port: 5002 tls_profile: "tlsProfiles/p" }
      }
    })pb";
  const auto refused = Apply(request);
  EXPECT_THAT(Told(refused), ElementsAre("listeners/l NOT_FOUND"));
  EXPECT_FALSE(refused->applied());
  ASSERT_TRUE(Apply("bundle { tls_profiles { name: 'tlsProfiles/p' "
                    "spec { certificate_file: '/a' private_key_file: '/b' } } }")
                  ->applied());
  const auto made = Apply(request);
  EXPECT_THAT(Told(made), ElementsAre("listeners/l CREATED"));
  EXPECT_TRUE(made->applied());
  EXPECT_THAT(Told(Apply(request)), ElementsAre("listeners/l CREATED")) << "the answer of the last";
  EXPECT_EQ(store_.commits, 2);
}

// Thousands of wrong references would take minutes, and control would stand meanwhile.
TEST_F(ApplyConfigTest, HelpsTheFirstOfThoseThatNameWhatIsNotThere) {
  std::string bundle = "tls_profiles { name: 'tlsProfiles/profile' spec { ca_file: '/a' } }";
  for (int i = 1000; i < 1030; ++i) {
    const std::string number = std::to_string(i);
    bundle += " listeners { name: 'listeners/l" + number + "' spec { port: " + number +
              " tls_profile: 'tlsProfiles/profil' } }";
  }
  const auto refused = Apply("bundle { " + bundle + " }");
  ASSERT_TRUE(refused.ok()) << refused.status();
  for (const Response::Result& each : refused->results()) {
    const bool helps = absl::StrContains(each.status().message(), "did you mean \"profile\"?");
    const bool is_there = each.name() == "tlsProfiles/profile";
    EXPECT_EQ(each.status().code() == 0, is_there) << each.status().message();
    EXPECT_EQ(helps, each.name() < "listeners/l1020") << each.name();
  }
}

}  // namespace
}  // namespace trunkline::api
