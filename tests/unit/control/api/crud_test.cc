#include "control/api/crud.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "crud_world.h"
#include "proto/trunkline/control/v1/listener_service.pb.h"

namespace trunkline::api {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class OfEveryKind : public ::testing::TestWithParam<Sample> {
 protected:
  World world_{GetParam()};
};
INSTANTIATE_TEST_SUITE_P(Crud, OfEveryKind, ::testing::ValuesIn(kSamples), KindName);

// --- what goes well

TEST_P(OfEveryKind, LiveFromCreateToDelete) {
  const auto call = world_.Do("create", "$f_id: 'n' $f { spec { $spec } }");
  ASSERT_TRUE(call->status().ok()) << call->status();
  EXPECT_EQ(ImpactOf(*call), v1::IMPACT_NEW_CONNECTIONS);
  EXPECT_TRUE(FlagOf(call->reply(), "persisted"));
  const auto& made = MessageOf(call->reply(), world_.own().field);
  EXPECT_EQ(config::NameOf(made), world_.Fill("$c/n"));
  EXPECT_EQ(config::SourceOf(made), v1::SOURCE_API);
  EXPECT_TRUE(IsUuid(config::TextOf(made, "uid")));

  const auto got = world_.Do("get", "name: '$c/n'");
  ASSERT_TRUE(got->status().ok());
  EXPECT_EQ(got->reply().DebugString(), made.DebugString());

  const auto changed = world_.Changed("update", "$f { name: '$c/n' spec { $other } }");
  EXPECT_NE(config::EtagOf(*changed), config::EtagOf(made));
  EXPECT_EQ(config::TextOf(*changed, "uid"), config::TextOf(made, "uid"));

  const auto gone =
      world_.Changed("delete", "name: '$c/n' etag: '" + config::EtagOf(*changed) + "'");
  EXPECT_EQ(config::EtagOf(*gone), config::EtagOf(*changed));  // as it was
  EXPECT_THAT(world_.Ids(), ElementsAre("filed"));
  EXPECT_EQ(world_.store.commits, 3);
}

TEST_P(OfEveryKind, AreNotChangedByWhatIsEqual) {
  const auto made = world_.Changed("create", "$f_id: 'n' $f { spec { $spec } }");
  for (const auto& [method, request] : std::vector<std::pair<const char*, const char*>>{
           {"create", "$f_id: 'n' $f { spec { $spec } }"},
           {"create", "$f_id: 'n' $f { name: 'x' uid: 'x' generation: 9 spec { $spec } }"},
           {"update", "$f { name: '$c/n' spec { $spec } }"},
           {"update", "$f { name: '$c/n' uid: 'x' } update_mask { paths: 'uid' }"},
           {"update", "$f { name: '$c/n' spec { $spec } } update_mask { paths: '*' }"},
           {"update", "$f { name: '$c/n' spec { $spec } } allow_missing: true"}}) {
    const auto call = world_.Do(method, request);
    ASSERT_TRUE(call->status().ok()) << call->status();
    EXPECT_EQ(ImpactOf(*call), v1::IMPACT_NONE) << request;
    EXPECT_TRUE(FlagOf(call->reply(), "unchanged")) << request;
    EXPECT_EQ(MessageOf(call->reply(), world_.own().field).DebugString(), made->DebugString());
  }
  world_.Changed("create", "$f_id: 'filed' $f { spec { $filed } }");
  world_.Changed("update", "$f { name: '$c/filed' spec { $filed } }");
  EXPECT_EQ(world_.store.commits, 1);
}

TEST_P(OfEveryKind, AreCreatedByUpdateWhereTheyAreMissing) {
  const auto made = world_.Changed(
      "update",
      "$f { name: '$c/n' spec { $spec } } update_mask { paths: 'labels' } allow_missing: true");
  EXPECT_EQ(config::NameOf(*made), world_.Fill("$c/n"));
  EXPECT_TRUE(HasMessage(*made, "spec"));  // the mask does not count
  EXPECT_THAT(world_.Ids(), ElementsAre("filed", "n"));
}

TEST_P(OfEveryKind, MayBeDeletedTwiceIfThatIsSaid) {
  const auto call = world_.Do("delete", "name: '$c/n' allow_missing: true");
  ASSERT_TRUE(call->status().ok());
  EXPECT_FALSE(HasMessage(call->reply(), world_.own().field));
  EXPECT_EQ(ImpactOf(*call), v1::IMPACT_NONE);
}

TEST_P(OfEveryKind, GetIdsThatAreGivenDerivedOrMadeUp) {
  const std::string longest(63, 'a');
  for (const std::string& id :
       {longest, std::string("a"), std::string("q-x"), std::string("0.-9")}) {
    EXPECT_EQ(config::NameOf(*world_.Changed(
                  "create", "$f_id: '" + id + "' $f { spec { $other } } validate_only: true")),
              world_.Fill("$c/" + id));
  }
  const auto derived = world_.Changed("create", "$f { legacy_name: 'A b' spec { $spec } }");
  EXPECT_EQ(config::NameOf(*derived), world_.Fill("$c/q--41-20b"));
  EXPECT_EQ(config::TextOf(*derived, "legacy_name"), "A b");
  // The same again finds it; and so does its name with an update that creates.
  world_.Changed("create", "$f { legacy_name: 'A b' spec { $spec } }");
  world_.Changed("update",
                 "$f { name: '$c/q--41-20b' legacy_name: 'A b' spec { $spec } } "
                 "allow_missing: true");
  EXPECT_THAT(world_.Ids(), SizeIs(2));
  const auto made_up = world_.Changed("create", "$f { spec { $other } }");
  EXPECT_TRUE(config::IsResourceId(config::ResourceId(config::NameOf(*made_up))))
      << config::NameOf(*made_up);
  EXPECT_THAT(world_.Ids(), SizeIs(3));
}

TEST_P(OfEveryKind, AreOnlyLookedAtByValidateOnly) {
  world_.Changed("create", "$f_id: 'there' $f { spec { $spec } }");
  const auto there = world_.Do("get", "name: '$c/there'")->reply().DebugString();
  for (const auto& [method, request] : std::vector<std::pair<const char*, const char*>>{
           {"create", "$f_id: 'n' $f { spec { $other } } validate_only: true"},
           {"update", "$f { name: '$c/there' spec { $other } } validate_only: true"},
           {"delete", "name: '$c/there' validate_only: true"}}) {
    const auto call = world_.Do(method, request);
    ASSERT_TRUE(call->status().ok()) << method << call->status();
    EXPECT_NE(ImpactOf(*call), v1::IMPACT_NONE) << method;
    EXPECT_FALSE(FlagOf(call->reply(), "persisted")) << method;
    EXPECT_FALSE(FlagOf(call->reply(), "unchanged")) << method;
    EXPECT_TRUE(HasMessage(call->reply(), world_.own().field)) << method;
  }
  EXPECT_EQ(world_.store.commits, 1);
  EXPECT_EQ(world_.Do("get", "name: '$c/there'")->reply().DebugString(), there);
}

TEST_P(OfEveryKind, AreListedInPages) {
  for (const char* id : {"b", "a"}) {
    world_.Changed("update", std::string("$f { name: '$c/") + id + "' labels { key: 'id' value: '" +
                                 id + "' } spec { " + (id[0] == 'a' ? "$spec" : "$other") +
                                 " } } allow_missing: true");
  }
  std::vector<std::string> ids;
  std::string token;
  const auto* rows = world_.method("list").descriptor->output_type()->FindFieldByName(
      world_.own().collection->section());
  do {
    const auto call = world_.Do("list", "page_size: 2 page_token: '" + token + "'");
    ASSERT_TRUE(call->status().ok()) << call->status();
    const auto& reply = call->reply();
    for (int i = 0; i < reply.GetReflection()->FieldSize(reply, rows); ++i) {
      const auto& row = reply.GetReflection()->GetRepeatedMessage(reply, rows, i);
      ids.emplace_back(config::ResourceId(config::NameOf(row)));
    }
    token = config::TextOf(reply, "next_page_token");
  } while (!token.empty());
  EXPECT_THAT(ids, ElementsAre("a", "b", "filed"));
  const auto call = world_.Do("list", "filter: 'labels.id = b OR source = config_file'");
  EXPECT_EQ(call->reply().GetReflection()->FieldSize(call->reply(), rows), 2);
}

TEST_P(OfEveryKind, AreWatched) {
  const auto call = world_.Do("watch", "");
  call->Read();
  ASSERT_FALSE(call->end.has_value()) << *call->end;
  world_.Changed("create", "$f_id: 'n' $f { spec { $spec } }");
  call->Read();
  world_.Changed("update", "$f { name: '$c/n' spec { $other } }");
  call->Read();
  world_.Changed("delete", "name: '$c/n'");
  call->Read();
  std::vector<std::string> events;
  for (const auto& reply : call->replies) {
    const auto* event = reply->GetReflection()->GetOneofFieldDescriptor(
        *reply, reply->GetDescriptor()->FindOneofByName("event"));
    ASSERT_NE(event, nullptr);
    const bool has_resource = event->message_type() == &world_.own().collection->type();
    events.push_back(event->name() +
                     (has_resource ? " " + config::NameOf(MessageOf(*reply, event->name())) : ""));
  }
  EXPECT_THAT(events,
              ElementsAre(world_.Fill("added $c/filed"), "synced", world_.Fill("added $c/n"),
                          world_.Fill("modified $c/n"), world_.Fill("deleted $c/n")));
  EXPECT_EQ(world_.crud.watchers(), 1u);
  call->call.lock()->Gone(absl::CancelledError("gone"));
  EXPECT_EQ(world_.crud.watchers(), 0u);
  EXPECT_TRUE(call->call.expired());
}

TEST_P(OfEveryKind, AreWatchedOnFromAToken) {
  const auto first = world_.Do("watch", "");
  first->Read();
  const std::string token = config::TextOf(*first->replies.back(), "resume_token");
  first->call.lock()->Gone(absl::CancelledError("gone"));
  world_.Changed("create", "$f_id: 'n' $f { spec { $spec } }");
  const auto again = world_.Do("watch", "resume_token: '" + token + "'");
  again->Read();
  ASSERT_THAT(again->replies, SizeIs(2));
  EXPECT_TRUE(HasMessage(*again->replies[0], "added"));
  EXPECT_TRUE(HasMessage(*again->replies[1], "synced"));
}

// --- request_id

TEST_P(OfEveryKind, AreMadeOnceByOneRequestId) {
  const char* request = "$f { spec { $spec } } request_id: '$uuid'";  // without an id
  const auto first = world_.Changed("create", request);
  const auto second = world_.Changed("create", request);
  EXPECT_EQ(first->DebugString(), second->DebugString());
  EXPECT_THAT(world_.Ids(), SizeIs(2));
  // It is another caller's, another method's, another call's: for the last it is an error.
  EXPECT_TRUE(
      world_.Do("create", "$f { spec { $other } } request_id: '$uuid'", "cn:b")->status().ok());
  EXPECT_TRUE(world_.Do("delete", "name: '" + config::NameOf(*first) + "' request_id: '$uuid'")
                  ->status()
                  .ok());
  const absl::Status status =
      world_.Do("create", "$f { spec { $other } } request_id: '$uuid'")->status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_EQ(config::ReasonOf(status), "REQUEST_ID_REUSED");
}

TEST_P(OfEveryKind, AnswerTheSameCallTwiceWhileItIsUnderWay) {
  world_.store.Hold();
  const auto first = world_.Do("create", "$f { spec { $spec } } request_id: '$uuid'");
  const auto second = world_.Do("create", "$f { spec { $spec } } request_id: '$uuid'");
  EXPECT_FALSE(first->end || second->end);
  world_.store.Release();
  ASSERT_TRUE(first->status().ok() && second->status().ok());
  EXPECT_EQ(first->reply().DebugString(), second->reply().DebugString());
  EXPECT_EQ(world_.store.commits, 1);
}

TEST_P(OfEveryKind, AreTriedAgainAfterAFailure) {
  world_.store.disk_is_full = true;
  const char* request = "$f { spec { $spec } } request_id: '$uuid'";
  EXPECT_TRUE(absl::IsUnavailable(world_.Do("create", request)->status()));
  world_.store.disk_is_full = false;
  world_.Changed("create", request);
  EXPECT_EQ(world_.store.commits, 1);
}

TEST_P(OfEveryKind, ForgetRequestIdsAfterTenMinutes) {
  const char* request = "$f_id: 'n' $f { spec { $spec } } request_id: '$uuid'";
  const auto made = world_.Changed("create", request);
  world_.Changed("update", "$f { name: '$c/n' spec { $other } }");
  world_.now = world_.now + kMinute * 10 - Duration{1};
  EXPECT_EQ(world_.Changed("create", request)->DebugString(), made->DebugString());
  world_.now = world_.now + Duration{1};
  EXPECT_TRUE(absl::IsAlreadyExists(world_.Do("create", request)->status()));
}

TEST_P(OfEveryKind, DoNotUseUpARequestIdByValidateOnly) {
  world_.Changed("create",
                 "$f_id: 'n' $f { spec { $spec } } request_id: '$uuid' "
                 "validate_only: true");
  world_.Changed("create", "$f_id: 'n' $f { spec { $spec } } request_id: '$uuid'");
  EXPECT_EQ(world_.store.commits, 1);
}

TEST_P(OfEveryKind, AreDecidedWhenTheirTurnComes) {
  const auto made = world_.Changed("create", "$f_id: 'n' $f { spec { $spec } }");
  const std::string etag = config::EtagOf(*made);
  world_.store.Hold();
  const std::string request = "$f { name: '$c/n' etag: '" + etag + "' labels { key: 'a' value: '";
  const auto first = world_.Do("update", request + "1' } }");
  const auto second = world_.Do("update", request + "2' } }");
  world_.store.Release();
  EXPECT_TRUE(first->status().ok()) << first->status();
  EXPECT_TRUE(absl::IsAborted(second->status())) << second->status();
}

TEST_P(OfEveryKind, AreMadeThoughTheCallerHasGone) {
  world_.store.Hold();
  const auto call = world_.Do("create", "$f_id: 'n' $f { spec { $spec } }");
  call->call.lock()->Gone(absl::CancelledError("gone"));
  world_.store.Release();
  EXPECT_THAT(world_.Ids(), ElementsAre("filed", "n"));
  EXPECT_THAT(call->replies, IsEmpty());
  EXPECT_TRUE(call->call.expired());
}

// --- status

TEST(Status, IsInAnswersAndFiltersAndNeverTakenFromCallers) {
  World world;
  const auto made = world.Changed(
      "create", "$f_id: 'a' $f { spec { port: 5002 } status { state: STATE_DRAINING } }");
  EXPECT_EQ(static_cast<v1::Listener&>(*made).status().state(),
            v1::ListenerStatus::STATE_LISTENING);
  const auto listed = world.Do("list", "filter: 'status.state = listening'");
  const auto& reply = static_cast<const v1::ListListenersResponse&>(listed->reply());
  ASSERT_EQ(reply.listeners_size(), 1);
  EXPECT_EQ(reply.listeners(0).name(), "listeners/a");
  EXPECT_FALSE(world.store.made().listeners.at("a").has_status());
}

TEST(Status, IsWatched) {
  World world;
  const auto call = world.Do("watch", "filter: 'status.state = failed'");
  call->Read();
  EXPECT_THAT(call->replies, SizeIs(2));  // "filed" has an odd port; synced
  world.crud.StatusChanged("listeners/filed");
  world.crud.StatusChanged("listeners/none");
  world.crud.StatusChanged("nothing");
  EXPECT_THAT(call->replies, SizeIs(2));
}

// --- bookmarks

TEST(Bookmarks, ComeAfterThirtySecondsOrAsAskedForOrNever) {
  World world;
  const auto usual = world.Do("watch", "");
  const auto often = world.Do("watch", "heartbeat { seconds: 1 }");
  const auto never = world.Do("watch", "heartbeat {}");
  for (const auto& call : {usual, often, never}) call->Read();
  const auto bookmarks = [](const TestCall& call) {
    int count = 0;
    for (const auto& reply : call.replies) count += HasMessage(*reply, "bookmark") ? 1 : 0;
    return count;
  };
  for (int second = 1; second <= 30; ++second) {
    world.now = world.now + kSecond;
    EXPECT_LE(world.crud.NextDeadline(), world.now);
    world.crud.Tick(world.now);
    for (const auto& call : {usual, often, never}) call->Read();
  }
  EXPECT_EQ(bookmarks(*usual), 1);
  EXPECT_EQ(bookmarks(*often), 30);
  EXPECT_EQ(bookmarks(*never), 0);
}

// --- request ids, by themselves

TEST(RequestIds, AreBounded) {
  World world;
  RequestIds ids({.answers_max = 2});
  int done = 0;
  const Method& method = world.method("create");
  const auto run = [&](const std::string& id) {
    const Call call(method, method.NewRequest(), Caller{"local"},
                    {.write = [](const auto&) {}, .finish = [](const auto&) {}});
    ids.Run(
        call, id, world.now,
        [&](const RequestIds::Done& end) {
          ++done;
          end(RequestIds::Answer(method.NewReply()));
        },
        [](const auto&) {});
  };
  const std::string third = "6f1c2a90-0b1d-4c3e-8f4a-5b6c7d8e9f02";
  run(kUuid);
  run(kOtherUuid);
  EXPECT_EQ(ids.answers(), 2u);
  run(kUuid);
  EXPECT_EQ(done, 2);
  run(third);  // the first is forgotten
  EXPECT_EQ(ids.answers(), 2u);
  run(kOtherUuid);
  EXPECT_EQ(done, 3);
  run(kUuid);
  EXPECT_EQ(done, 4);
}

TEST(RequestIds, AreUuids) {
  EXPECT_TRUE(IsUuid(kUuid));
  EXPECT_TRUE(IsUuid("6F1C2A90-0B1D-4C3E-8F4A-5B6C7D8E9F00"));
  for (const char* text :
       {"", "6f1c2a90-0b1d-4c3e-8f4a-5b6c7d8e9f0", "6f1c2a90-0b1d-4c3e-8f4a-5b6c7d8e9f000",
        "6f1c2a90x0b1d-4c3e-8f4a-5b6c7d8e9f00", "6f1c2a90-0b1d-4c3e-8f4a-5b6c7d8e9f0g",
        "6f1c2a900-b1d-4c3e-8f4a-5b6c7d8e9f00"}) {
    EXPECT_FALSE(IsUuid(text)) << text;
  }
}

TEST(Listeners, SayTheImpactOfAMove) {
  World world;
  ASSERT_TRUE(world.Do("create", "$f_id: 'a' $f { spec { port: 5002 } }")->status().ok());
  EXPECT_EQ(ImpactOf(*world.Do("update", "$f { name: '$c/a' spec { port: 5003 } }")),
            v1::IMPACT_REBIND);
  EXPECT_EQ(ImpactOf(*world.Do("update", "$f { name: '$c/a' spec { max_links: 7 } }")),
            v1::IMPACT_NEW_CONNECTIONS);
}

TEST(Listeners, SayThatTheyHaveChangedWhereNobodyFeelsIt) {
  World world;
  ASSERT_TRUE(
      world.Do("create", "$f_id: 'a' $f { spec { port: 5002 enabled: false } }")->status().ok());
  for (const char* update : {"spec { port: 5003 }", "labels { key: 'a' value: 'b' }"}) {
    const auto call =
        world.Do("update", (std::string("$f { name: '$c/a' ") + update + " }").c_str());
    EXPECT_EQ(ImpactOf(*call), v1::IMPACT_NONE) << update;
    EXPECT_FALSE(FlagOf(call->reply(), "unchanged")) << update;
  }
}

}  // namespace
}  // namespace trunkline::api
