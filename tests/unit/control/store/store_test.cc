#include "control/store/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <filesystem>
#include <fstream>
#include <optional>

#include "control/config/error_details.h"
#include "control/store/users_edit.h"
#include "tests/unit/control/store/failing_folder.h"
#include "tests/unit/control/store/store_fixture.h"

namespace trunkline::store {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

namespace fs = std::filesystem;

TEST_F(StoreTest, HasAChangeInForceAndOnTheDiskWhenItIsDone) {
  ASSERT_TRUE(Open().ok());
  Port port;
  port.Free();
  const auto outcome = Mutate(Put("a", port.number()));
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_TRUE(outcome->persisted);
  EXPECT_THAT(changed_, ElementsAre("listeners/a"));
  EXPECT_TRUE(Listens(port.number()));
  const v1::Listener made = store_->effective().listeners.at("a");
  EXPECT_EQ(made.source(), v1::SOURCE_API);
  EXPECT_EQ(made.generation(), 1);
  EXPECT_THAT(made.uid(), SizeIs(36));
  End();
  EXPECT_FALSE(Listens(port.number()));
  ASSERT_TRUE(Open().ok());
  EXPECT_TRUE(Listens(port.number()));
  EXPECT_EQ(store_->effective().listeners.at("a").SerializeAsString(), made.SerializeAsString());
}

// What is kept can be read again, and takes room on a disk that others need.
TEST_F(StoreTest, RefusesAStateThatIsTooLarge) {
  const auto size = [this] { return fs::file_size(folder_ + "/state/state.json"); };
  ASSERT_TRUE(Open().ok());
  ASSERT_TRUE(Mutate(Put("a", 0)).ok());
  const size_t with_one = size();
  ASSERT_TRUE(Mutate(Put("b", 0)).ok());
  const size_t with_two = size();
  ASSERT_TRUE(Mutate(Remove("b")).ok());
  for (const size_t bytes_max : {with_two, with_two - 1}) {
    End();
    state_bytes_max_ = bytes_max;
    ASSERT_TRUE(Open().ok());
    const bool fits = bytes_max == with_two;
    for (const Store::Mode mode : {Store::Mode::kValidate, Store::Mode::kApply}) {
      const absl::Status status = Mutate(Put("b", 0), mode).status();
      EXPECT_EQ(status.code(), fits ? absl::StatusCode::kOk : absl::StatusCode::kResourceExhausted);
      EXPECT_EQ(config::ReasonOf(status), fits ? "" : "STATE_TOO_LARGE");
    }
    EXPECT_EQ(size(), fits ? with_two : with_one);
    EXPECT_THAT(store_->made().listeners, SizeIs(fits ? 2 : 1));
    ASSERT_TRUE(Mutate(Remove("b")).ok());
  }
  EXPECT_LT(Store::Options().state_bytes_max, kStateBytesMax) << "all of it can be read again";
}

TEST_F(StoreTest, LeavesEverythingAsItWasWhenThePortIsTaken) {
  ASSERT_TRUE(Open().ok());
  Port free;
  free.Free();
  ASSERT_TRUE(Mutate(Put("a", free.number())).ok());
  const Port taken;
  const auto outcome = Mutate(Put("a", taken.number()));
  EXPECT_EQ(outcome.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(config::ReasonOf(outcome.status()), "PORT_IN_USE");
  EXPECT_EQ(store_->made().listeners.at("a").spec().port(), free.number());
  EXPECT_TRUE(Listens(free.number()));
  EXPECT_THAT(changed_, SizeIs(1));
  End();
  ASSERT_TRUE(Open().ok());
  EXPECT_EQ(store_->made().listeners.at("a").spec().port(), free.number());
}

TEST_F(StoreTest, ExchangesPortsWhileAnotherListenerHasNone) {
  uint32_t ports[3];
  {
    const Port m, n, a;
    for (int i = 0; const Port* port : {&m, &n, &a}) ports[i++] = port->number();
  }
  const auto write = [this](uint32_t m, uint32_t n) {
    Write("listeners:\n  - {name: m, host: 127.0.0.1, port: " + std::to_string(m) +
          "}\n  - {name: n, host: 127.0.0.1, port: " + std::to_string(n) + "}\n");
  };
  write(ports[0], ports[1]);
  ASSERT_TRUE(Open().ok());
  ASSERT_TRUE(Mutate(Put("a", ports[2])).ok());
  End();
  Port taken(ports[2]);
  ASSERT_TRUE(Open().ok());
  EXPECT_TRUE(store_->failures().contains("listeners[a]"));
  write(ports[1], ports[0]);
  ASSERT_TRUE(Reload().ok());
  EXPECT_THAT(store_->failures(), SizeIs(1));
  taken.Free();
  EXPECT_THAT(Retry(), ElementsAre("listeners[a]"));
  for (const uint32_t port : ports) EXPECT_TRUE(Listens(port));
}

TEST_F(StoreTest, LeavesEverythingAsItWasWhenTheDiskRefuses) {
  ASSERT_TRUE(Open().ok());
  Port port;
  port.Free();
  fs::create_directory(folder_ + "/state/state.json.new");
  const auto outcome = Mutate(Put("a", port.number()));
  EXPECT_EQ(config::ReasonOf(outcome.status()), "STATE_NOT_WRITTEN");
  EXPECT_FALSE(Listens(port.number()));
  EXPECT_TRUE(store_->made().listeners.empty());
  EXPECT_EQ(store_->writes().failed, 1u);
  fs::remove(folder_ + "/state/state.json.new");
  EXPECT_TRUE(Mutate(Put("a", port.number())).ok());
  EXPECT_EQ(store_->writes().failed, 1u);
  EXPECT_EQ(store_->writes().ok, 1u);
}

// The process can write no file beyond so many bytes while this is there, as on a disk that is
// full.
class FullDisk {
 public:
  explicit FullDisk(rlim_t bytes) : handler_(::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit less = {bytes, before_.rlim_max};
    EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &less), 0);
  }
  ~FullDisk() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    ::signal(SIGXFSZ, handler_);
  }

 private:
  void (*handler_)(int);
  rlimit before_{};
};

TEST_F(StoreTest, LeavesEverythingAsItWasWhenTheDiskIsFull) {
  ASSERT_TRUE(Open().ok());
  Port port;
  port.Free();
  ASSERT_TRUE(Mutate(Put("kept", 0)).ok());
  std::optional<FullDisk> full(64);
  const auto outcome = Mutate(Put("a", port.number()));
  full.reset();
  EXPECT_EQ(outcome.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(config::ReasonOf(outcome.status()), "STATE_NOT_WRITTEN");
  EXPECT_THAT(std::string(outcome.status().message()), HasSubstr("nothing was changed"));
  EXPECT_THAT(std::string(outcome.status().message()), HasSubstr("with room for it"));
  EXPECT_FALSE(Listens(port.number()));
  EXPECT_FALSE(fs::exists(folder_ + "/state/state.json.new")) << "it would fill the disk";
  EXPECT_THAT(store_->effective().listeners, SizeIs(1));
  EXPECT_THAT(changed_, ElementsAre("listeners/kept"));
  End();
  ASSERT_TRUE(Open().ok());
  EXPECT_THAT(store_->made().listeners, SizeIs(1));
  EXPECT_TRUE(Mutate(Put("a", port.number())).ok());
  EXPECT_TRUE(Listens(port.number()));
}

TEST_F(StoreTest, LeavesEverythingAsItWasWhenTheFolderOfTheStateIsNotWritten) {
  ASSERT_TRUE(Open().ok());
  Port port;
  port.Free();
  ASSERT_TRUE(Mutate(Put("kept", 0)).ok());
  std::optional<FailingFolder> failing(1);
  const auto outcome = Mutate(Put("a", port.number()));
  failing.reset();
  EXPECT_EQ(config::ReasonOf(outcome.status()), "STATE_NOT_WRITTEN");
  EXPECT_THAT(std::string(outcome.status().message()), HasSubstr("nothing was changed"));
  EXPECT_FALSE(Listens(port.number()));
  EXPECT_THAT(store_->made().listeners, SizeIs(1));
  EXPECT_THAT(changed_, ElementsAre("listeners/kept"));
  End();
  ASSERT_TRUE(Open().ok());
  EXPECT_THAT(store_->made().listeners, SizeIs(1));
}

TEST_F(StoreTest, SaysThatTheDiskMayHaveWhatIsNotInForce) {
  ASSERT_TRUE(Open().ok());
  Port port;
  port.Free();
  ASSERT_TRUE(Mutate(Put("kept", 0)).ok());
  std::optional<FailingFolder> failing(2);
  const auto outcome = Mutate(Put("a", port.number()));
  failing.reset();
  EXPECT_EQ(outcome.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(config::ReasonOf(outcome.status()), "STATE_UNCERTAIN");
  EXPECT_THAT(std::string(outcome.status().message()), HasSubstr("it may be on the disk"));
  EXPECT_FALSE(Listens(port.number()));
  EXPECT_THAT(store_->made().listeners, SizeIs(1));
  EXPECT_THAT(changed_, ElementsAre("listeners/kept"));
  EXPECT_EQ(store_->writes().failed, 1u);
  EXPECT_TRUE(Mutate(Put("b", port.number())).ok());
  End();
  ASSERT_TRUE(Open().ok());
  EXPECT_THAT(store_->made().listeners, SizeIs(2));
  EXPECT_EQ(store_->made().listeners.count("a"), 0u);
}

TEST_F(StoreTest, SaysWhichFieldIsWrong) {
  ASSERT_TRUE(Open().ok());
  const auto outcome = Mutate(Put("a", 70'000));
  EXPECT_EQ(outcome.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(config::ViolationsOf(outcome.status()), SizeIs(1));
  EXPECT_EQ(config::ViolationsOf(outcome.status())[0].field, "listeners[a].port");
  EXPECT_FALSE(Mutate(Put("a", 0, "tlsProfiles/none")).ok());
}

TEST_F(StoreTest, DoesNothingWhereItIsOnlyAsked) {
  ASSERT_TRUE(Open().ok());
  Port port;
  port.Free();
  const auto outcome = Mutate(Put("a", port.number()), Store::Mode::kValidate);
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  ASSERT_THAT(outcome->differences, SizeIs(1));
  EXPECT_EQ(ImpactOf(outcome->differences[0]), v1::IMPACT_NEW_CONNECTIONS);
  EXPECT_FALSE(Listens(port.number()));
  EXPECT_TRUE(store_->effective().listeners.empty());
  const Port taken;
  EXPECT_EQ(config::ReasonOf(Mutate(Put("a", taken.number()), Store::Mode::kValidate).status()),
            "PORT_IN_USE");
}

TEST_F(StoreTest, ChangesNothingForAnEqualSpec) {
  ASSERT_TRUE(Open().ok());
  ASSERT_TRUE(Mutate(Put("a", 0)).ok());
  const std::string etag = store_->made().listeners.at("a").etag();
  const auto outcome = Mutate(Put("a", 0));
  ASSERT_TRUE(outcome.ok());
  EXPECT_THAT(outcome->differences, IsEmpty());
  EXPECT_EQ(store_->made().listeners.at("a").etag(), etag);
}

TEST_F(StoreTest, MakesChangesInTheOrderTheyWereAskedFor) {
  ASSERT_TRUE(Open().ok());
  std::vector<std::string> ended;
  for (const std::string& id : std::vector<std::string>{"a", "b", "c"}) {
    store_->Mutate(Put(id, 0), Store::Mode::kApply, [&ended, id](auto outcome) {
      EXPECT_TRUE(outcome.ok()) << outcome.status();
      ended.push_back(id);
    });
  }
  RunUntil([&] { return ended.size() == 3; });
  EXPECT_THAT(ended, ElementsAre("a", "b", "c"));
  EXPECT_THAT(store_->made().listeners, SizeIs(3));
}

TEST_F(StoreTest, TakesAFileThatGivesOnePortToAnother) {
  Port port;
  port.Free();
  const std::string number = std::to_string(port.number());
  Write("listeners:\n- {name: a, host: 127.0.0.1, port: " + number + "}\n");
  ASSERT_TRUE(Open().ok());
  Write("listeners:\n- {name: b, host: 127.0.0.1, port: " + number + "}\n");
  const auto reloaded = Reload();
  ASSERT_TRUE(reloaded.ok()) << reloaded.status();
  EXPECT_THAT(changed_, ElementsAre("listeners/a", "listeners/b"));
  EXPECT_TRUE(Listens(port.number()));
}

TEST_F(StoreTest, ChangesNothingForABadFile) {
  Port port;
  port.Free();
  Write("listeners:\n- {name: a, host: 127.0.0.1, port: " + std::to_string(port.number()) + "}\n");
  ASSERT_TRUE(Open().ok());
  const Port taken;
  for (const std::string& bad : {std::string("listeners: [{name: a, port: x}]\n"),
                                 "listeners:\n- {name: b, host: 127.0.0.1, port: " +
                                     std::to_string(taken.number()) + "}\n"}) {
    Write(bad);
    EXPECT_FALSE(Reload().ok());
    EXPECT_TRUE(Listens(port.number()));
    EXPECT_THAT(store_->effective().listeners, SizeIs(1));
  }
  EXPECT_THAT(changed_, IsEmpty());
}

TEST_F(StoreTest, RefusesANameThatIsInTheFileAndMadeOverTheApi) {
  ASSERT_TRUE(Open().ok());
  ASSERT_TRUE(Mutate(Put("a", 0)).ok());
  Write("listeners:\n- name: a\n  port: 0\n");
  const auto reloaded = Reload();
  EXPECT_THAT(std::string(reloaded.status().message()), HasSubstr("trunkline.yaml:2:"));
  EXPECT_THAT(std::string(reloaded.status().message()), HasSubstr("made over the API"));
  End();
  EXPECT_THAT(std::string(Open().message()), HasSubstr("made over the API"));
}

TEST_F(StoreTest, CountsTheGenerationsOfTheFilesResources) {
  Write("listeners:\n- name: a\n  host: 127.0.0.1\n  port: 0\n");
  ASSERT_TRUE(Open().ok());
  EXPECT_EQ(store_->effective().listeners.at("a").generation(), 1);
  EXPECT_EQ(store_->effective().listeners.at("a").source(), v1::SOURCE_CONFIG_FILE);
  Write("listeners:\n- name: a\n  host: 127.0.0.1\n  port: 0\n  link_capacity: 7\n");
  ASSERT_TRUE(Reload().ok());
  EXPECT_EQ(store_->effective().listeners.at("a").generation(), 2);
}

// --- users of built-in stores

config::Document BuiltIn(config::Document made) {
  v1::UserStore& store = made.user_stores["built"];
  store.set_name("userStores/built");
  store.mutable_spec()->set_built_in(true);
  return made;
}

TEST_F(StoreTest, UsersCountAtOnceAndAreThereAfterARestart) {
  ASSERT_TRUE(Open().ok());
  const auto put = [](config::Document& made) {
    made = BuiltIn(made);
    return PutUser(made, "built", "alice", Secret("sesame"), 7);
  };
  const auto outcome = Mutate(put);
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_TRUE(outcome->persisted);
  const auto check = [&] {
    const auto& users = store_->in_force().stores.at("built").users;
    return users->Check("alice", "sesame") && !users->Check("alice", "other");
  };
  EXPECT_TRUE(check());
  End();
  ASSERT_TRUE(Open().ok());
  EXPECT_TRUE(check());
  EXPECT_EQ(store_->made().built_in_users.at("built")->users.at("alice").created, 7);

  std::ifstream state(folder_ + "/state/state.json");
  const std::string text((std::istreambuf_iterator<char>(state)), {});
  EXPECT_THAT(text, HasSubstr("alice"));
  EXPECT_THAT(text, testing::Not(HasSubstr("sesame")));
}

TEST_F(StoreTest, AChangeOfUsersAloneIsAChange) {
  ASSERT_TRUE(Open().ok());
  ASSERT_TRUE(Mutate([](config::Document& made) {
                made = BuiltIn(made);
                return absl::OkStatus();
              }).ok());
  const auto before = store_->in_force().stores.at("built").stamp;
  ASSERT_TRUE(Mutate([](config::Document& made) {
                return PutUser(made, "built", "alice", Secret("sesame"), 7);
              }).ok());
  EXPECT_NE(store_->in_force().stores.at("built").stamp, before);
  EXPECT_TRUE(store_->in_force().stores.at("built").users->Check("alice", "sesame"));
  ASSERT_TRUE(Mutate([](config::Document& made) {
                EXPECT_TRUE(RemoveUser(made, "built", "alice"));
                EXPECT_FALSE(RemoveUser(made, "built", "alice"));
                return absl::OkStatus();
              }).ok());
  EXPECT_FALSE(store_->in_force().stores.at("built").users->Check("alice", "sesame"));
}

TEST_F(StoreTest, UsersGoWithTheirStore) {
  ASSERT_TRUE(Open().ok());
  ASSERT_TRUE(Mutate([](config::Document& made) {
                made = BuiltIn(made);
                return PutUser(made, "built", "alice", Secret("sesame"), 7);
              }).ok());
  ASSERT_TRUE(Mutate([](config::Document& made) {
                made.user_stores.clear();
                return absl::OkStatus();
              }).ok());
  EXPECT_THAT(store_->made().built_in_users, IsEmpty());
}

TEST_F(StoreTest, UsersOfAStoreOfTheFileStayWhenItIsReadAgain) {
  const std::string yaml = "listeners: []\nuser_stores: [{name: built, built_in: true}]\n";
  Write(yaml);
  ASSERT_TRUE(Open().ok());
  ASSERT_TRUE(Mutate([](config::Document& made) {
                return PutUser(made, "built", "alice", Secret("sesame"), 7);
              }).ok());
  Write(yaml + "addresses: [{name: a, prefix: a}]\n");
  ASSERT_TRUE(Reload().ok());
  EXPECT_TRUE(store_->in_force().stores.at("built").users->Check("alice", "sesame"));
}

TEST_F(StoreTest, FollowsUsersWhileAChangeIsBeingKept) {
  fs::create_directory(folder_ + "/users");
  std::ofstream(folder_ + "/users/alice") << "sesame";
  Write("listeners: []\nuser_stores: [{name: clients, directory: users}]\n");
  ASSERT_TRUE(Open().ok());
  const auto users = [&] { return store_->in_force().stores.at("clients").users->size(); };
  std::optional<absl::StatusOr<Store::Outcome>> answer;
  store_->Mutate(Put("a", 0), Store::Mode::kApply, [&](auto outcome) { answer = outcome; });
  std::ofstream(folder_ + "/users/bob") << "sesame";
  store_->FollowUsers();
  store_->FollowUsers();
  ASSERT_FALSE(answer.has_value());
  RunUntil([&] { return answer.has_value(); });
  ASSERT_TRUE(answer->ok()) << answer->status();
  EXPECT_EQ(users(), 2u) << "the change brought back those from before it";
  fs::remove(folder_ + "/users/bob");
  store_->FollowUsers();
  EXPECT_EQ(users(), 1u) << "nothing is being kept: at once";
}

// --- what cannot be put in force at the start

TEST_F(StoreTest, StartsWithoutAPortThatIsTakenAndTriesAgain) {
  uint32_t number = 0;
  {
    Port port;
    number = port.number();
  }
  ASSERT_TRUE(Open().ok());
  ASSERT_TRUE(Mutate(Put("amqp", number)).ok());
  End();
  std::optional<Port> other(number);
  ASSERT_TRUE(Open().ok());
  ASSERT_TRUE(store_->failures().contains("listeners[amqp]"));
  EXPECT_THAT(Retry(), IsEmpty()) << "it is as before";
  Port port;
  const uint32_t free = port.number();
  port.Free();
  const auto changed = Mutate(Put("second", free));
  EXPECT_TRUE(changed.ok()) << changed.status();
  EXPECT_TRUE(Reload().ok());
  other.reset();
  EXPECT_THAT(Retry(), ElementsAre("listeners[amqp]"));
  EXPECT_THAT(store_->failures(), IsEmpty());
  EXPECT_TRUE(Listens(number));
}

TEST_F(StoreTest, StartsWithoutAFileThatIsMissingAndTriesAgain) {
  const std::string users = folder_ + "/users";
  const auto write = [&] {
    fs::create_directory(users);
    std::ofstream(users + "/alice") << "sesame";
  };
  const auto put_store = [&](config::Document& made) {
    v1::UserStore& store = made.user_stores["clients"];
    store.set_name("userStores/clients");
    store.mutable_spec()->set_directory(users);
    v1::Listener& listener = made.listeners["amqp"];
    listener.set_name("listeners/amqp");
    listener.mutable_spec()->set_host("127.0.0.1");
    listener.mutable_spec()->set_port(0);
    listener.mutable_spec()->set_user_store("userStores/clients");
    return absl::OkStatus();
  };
  write();
  ASSERT_TRUE(Open().ok());
  const auto outcome = Mutate(put_store);
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  End();
  fs::remove_all(users);
  ASSERT_TRUE(Open().ok());
  ASSERT_TRUE(store_->failures().contains("user_stores[clients]"));
  EXPECT_THAT(store_->failures().at("user_stores[clients]").message(), HasSubstr("No such file"));
  EXPECT_TRUE(store_->failures().contains("listeners[amqp]")) << "it needs the users";
  EXPECT_TRUE(store_->effective().user_stores.contains("clients"));

  Port port;
  const uint32_t number = port.number();
  port.Free();
  ASSERT_TRUE(Mutate(Put("other", number)).ok()) << "others are not kept from changing";
  EXPECT_TRUE(Listens(number));
  ASSERT_TRUE(Reload().ok());
  EXPECT_TRUE(store_->failures().contains("user_stores[clients]"));

  write();
  EXPECT_THAT(Retry(), ElementsAre("listeners[amqp]", "user_stores[clients]"));
  EXPECT_THAT(store_->failures(), IsEmpty());
}

TEST_F(StoreTest, RefusesToChangeWhatLacksItsFileUnlessThatIsMended) {
  const std::string users = folder_ + "/users";
  fs::create_directory(users);
  std::ofstream(users + "/alice") << "sesame";
  const auto put = [&](const std::string& realm) {
    return [=](config::Document& made) {
      v1::UserStore& store = made.user_stores["clients"];
      store.set_name("userStores/clients");
      store.mutable_spec()->set_directory(users);
      store.mutable_spec()->set_realm(realm);
      return absl::OkStatus();
    };
  };
  ASSERT_TRUE(Open().ok());
  ASSERT_TRUE(Mutate(put("one")).ok());
  End();
  fs::remove_all(users);
  ASSERT_TRUE(Open().ok());
  EXPECT_FALSE(Mutate(put("two")).ok());
  const auto gone = Mutate([](config::Document& made) {
    made.user_stores.clear();
    return absl::OkStatus();
  });
  EXPECT_TRUE(gone.ok()) << gone.status();
  EXPECT_THAT(store_->failures(), IsEmpty());
}

}  // namespace
}  // namespace trunkline::store
