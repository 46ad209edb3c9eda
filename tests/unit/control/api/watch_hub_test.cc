#include "control/api/watch_hub.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "control/config/error_details.h"
#include "control/config/resource.h"
#include "proto/trunkline/control/v1/listener.pb.h"
#include "router/base/random.h"

namespace trunkline::api {
namespace {

namespace v1 = control::v1;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using Kind = WatchEvent::Kind;

constexpr Time kStart{1'000'000'000'000};

std::shared_ptr<const v1::Listener> Listener(const std::string& name, uint32_t port) {
  auto listener = std::make_shared<v1::Listener>();
  listener->set_name(name);
  listener->mutable_spec()->set_port(port);
  return listener;
}

// One who watches. What he is told is written down: "+a:1", "~a:2", "-a:2", "!" (a bookmark),
// "=" (synced).
class Watcher {
 public:
  Watcher(WatchHub& hub, WatchHub::Wish wish) : hub_(hub) { Begin(std::move(wish)); }
  ~Watcher() { hub_.Leave(id_); }
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

  static WatchHub::Wish Wish(const std::string& filter = "", const std::string& token = "",
                             Duration heartbeat = {}) {
    WatchHub::Wish wish;
    wish.filter = *Filter::Parse(filter, *v1::Listener::descriptor());
    wish.filter_text = filter;
    wish.resume_token = token;
    wish.heartbeat = heartbeat;
    return wish;
  }
  explicit Watcher(WatchHub& hub, const std::string& filter = "", const std::string& token = "")
      : Watcher(hub, Wish(filter, token)) {
    Read(kAll);
  }

  // Leaves, and goes on from the last token; without one, from the beginning.
  void Resume(const std::string& filter) {
    hub_.Leave(id_);
    patience_ = 0;
    if (token_.empty()) knows_.clear();
    resumed_ = true;
    Begin(Wish(filter, token_));
  }

  static constexpr int kAll = 1 << 30;
  // Reads so many events more, now and later.
  Watcher& Read(int events, Time now = kStart) {
    patience_ = events;
    hub_.Ready(id_, now);
    return *this;
  }
  std::vector<std::string> Told() { return std::exchange(told_, {}); }
  const std::map<std::string, uint32_t>& knows() const { return knows_; }
  const std::string& token() const { return token_; }
  const std::optional<absl::Status>& end() const { return end_; }
  WatchHub::WatcherId id() const { return id_; }
  const google::protobuf::Message* last() const { return last_.get(); }

 private:
  void Begin(WatchHub::Wish wish) {
    WatchHub::Exits exits;
    exits.writable = [this] { return patience_ > 0; };
    exits.write = [this](const WatchEvent& event) { Write(event); };
    exits.finish = [this](const absl::Status& status) { end_ = status; };
    auto id = hub_.Watch(std::move(wish), std::move(exits), kStart);
    if (id.ok()) {
      id_ = *id;
    } else {
      end_ = id.status();
    }
  }
  void Write(const WatchEvent& event) {
    EXPECT_GT(patience_, 0);
    --patience_;
    token_ = event.resume_token;
    last_ = event.resource;
    if (event.kind == Kind::kBookmark) return told_.push_back("!");
    if (event.kind == Kind::kSynced) return told_.push_back("=");
    const auto& listener = static_cast<const v1::Listener&>(*event.resource);
    const char* sign = event.kind == Kind::kAdded ? "+" : event.kind == Kind::kModified ? "~" : "-";
    told_.push_back(sign + listener.name() + ":" + std::to_string(listener.spec().port()));
    EXPECT_TRUE(resumed_ || knows_.contains(listener.name()) == (event.kind != Kind::kAdded))
        << told_.back();
    if (event.kind == Kind::kDeleted) {
      knows_.erase(listener.name());
    } else {
      knows_[listener.name()] = listener.spec().port();
    }
  }

  WatchHub& hub_;
  WatchHub::WatcherId id_ = 0;
  int patience_ = 0;
  bool resumed_ = false;  // what it is told may then be of another kind, watch_hub.h says when
  std::vector<std::string> told_;
  std::map<std::string, uint32_t> knows_;
  std::string token_;
  std::shared_ptr<const google::protobuf::Message> last_;
  std::optional<absl::Status> end_;
};

// A hub whose resources are called by letters.
class Hub : public WatchHub {
 public:
  explicit Hub(Options options = {}) : WatchHub("e1", options) {}
  void Put(const std::string& name, uint32_t port) {
    WatchHub::Put(name, Listener(name, port), kStart);
  }
  void Erase(const std::string& name) { WatchHub::Erase(name, kStart); }
};

TEST(Watching, TellsWhatIsThereThenSyncedThenWhatChanges) {
  Hub hub;
  hub.Put("b", 1);
  hub.Put("a", 1);
  Watcher watcher(hub);
  EXPECT_THAT(watcher.Told(), ElementsAre("+a:1", "+b:1", "="));
  hub.Put("c", 1);
  hub.Put("a", 2);
  hub.Erase("b");
  EXPECT_THAT(watcher.Told(), ElementsAre("+c:1", "~a:2", "-b:1"));
  hub.Put("b", 3);
  EXPECT_THAT(watcher.Told(), ElementsAre("+b:3"));
}

TEST(Watching, OfNothingIsSyncedAtOnce) {
  Hub hub;
  EXPECT_THAT(Watcher(hub).Told(), ElementsAre("="));
}

TEST(Watching, TellsNothingOfWhatIsTheSame) {
  Hub hub;
  hub.Put("a", 1);
  Watcher watcher(hub);
  watcher.Told();
  hub.Put("a", 1);
  hub.Erase("b");
  EXPECT_THAT(watcher.Told(), IsEmpty());
}

TEST(Watching, SharesResources) {
  Hub hub;
  const auto resource = Listener("a", 1);
  static_cast<WatchHub&>(hub).Put("a", resource, kStart);
  Watcher one(hub), two(hub);
  one.Read(0);
  hub.WatchHub::Put("b", Listener("b", 1), kStart);
  EXPECT_EQ(two.last(), one.Read(1).last());
}

TEST(Watching, TellsOneWhoIsSlowTheLastStateOfEachAlone) {
  Hub hub;
  hub.Put("a", 1);
  hub.Put("b", 1);
  Watcher slow(hub), fast(hub);
  slow.Read(0).Told();
  fast.Told();
  for (uint32_t port = 2; port < 100; ++port) hub.Put("a", port);
  hub.Put("c", 1);  // comes and goes: he never hears of it
  hub.Erase("b");
  hub.Put("b", 7);  // goes and comes: it is another for him
  hub.Erase("c");
  hub.Put("d", 1);
  hub.Erase("d");
  hub.Put("d", 2);
  EXPECT_EQ(fast.Told().size(), 98u + 7u);
  EXPECT_THAT(slow.Read(Watcher::kAll).Told(), ElementsAre("~a:99", "~b:7", "+d:2"));
  EXPECT_EQ(slow.knows(), fast.knows());
}

TEST(Watching, IsSyncedWithAllThatWasThereHoweverSlow) {
  Hub hub;
  for (const char* name : {"a", "b", "c", "d"}) hub.Put(name, 1);
  Watcher slow(hub, Watcher::Wish());
  slow.Read(1);
  hub.Put("d", 2);  // not told yet
  hub.Put("a", 2);  // told
  hub.Erase("b");   // not told, and never will be
  hub.Put("0", 1);  // came behind him
  std::vector<std::string> told;
  for (int i = 0; i < 20; ++i) {
    for (const std::string& each : slow.Read(1).Told()) told.push_back(each);
  }
  EXPECT_THAT(told, ElementsAre("+a:1", "+c:1", "+d:2", "=", "~d:2", "~a:2", "+0:1"));
}

TEST(Watching, HoldsBackWhatTheFilterDoesNotTake) {
  Hub hub;
  hub.Put("a", 1);
  hub.Put("b", 2);
  Watcher watcher(hub, "spec.port = 2");
  EXPECT_THAT(watcher.Told(), ElementsAre("+b:2", "="));
  hub.Put("a", 3);  // is no concern of his
  hub.Put("a", 2);  // becomes one
  hub.Put("b", 3);  // is one no more
  hub.Put("b", 4);
  hub.Erase("b");
  hub.Erase("a");
  EXPECT_THAT(watcher.Told(), ElementsAre("+a:2", "-b:3", "-a:2"));
}

TEST(Watching, TellsAfterResumeWhatHasChangedSince) {
  Hub hub;
  hub.Put("a", 1);
  hub.Put("b", 1);
  hub.Put("c", 1);
  std::string token;
  std::vector<std::string> told;
  {
    Watcher watcher(hub);
    token = watcher.token();
    hub.Leave(watcher.id());
  }
  hub.Put("b", 2);
  hub.Erase("c");
  hub.Put("c", 3);
  hub.Put("d", 1);
  hub.Erase("a");
  hub.Put("e", 1);
  hub.Erase("e");
  WatchHub::Exits exits;
  exits.writable = [] { return true; };
  exits.finish = [](const absl::Status&) {};
  exits.write = [&](const WatchEvent& event) {
    static const char* kSigns[] = {"+", "~", "-", "!", "="};
    told.push_back(kSigns[static_cast<int>(event.kind)] +
                   (event.resource ? config::NameOf(*event.resource) : ""));
  };
  const auto id = hub.Watch(Watcher::Wish("", token), exits, kStart);
  ASSERT_TRUE(id.ok()) << id.status();
  hub.Ready(*id, kStart);
  EXPECT_THAT(told, ElementsAre("~b", "~c", "+d", "-a", "="));
}

TEST(Watching, AfterResumeKnowsNothingOfWhatWasDeleted) {
  Hub hub;
  hub.Put("a", 1);
  Watcher watcher(hub);
  hub.Erase("a");
  const std::string token = watcher.token();  // he was told
  Watcher before(hub, "", token);
  EXPECT_THAT(before.Told(), ElementsAre("="));
  hub.Put("a", 2);
  EXPECT_THAT(before.Told(), ElementsAre("+a:2"));
  EXPECT_THAT(Watcher(hub, "", token).Told(), ElementsAre("+a:2", "="));
  hub.Put("a", 3);
  EXPECT_THAT(Watcher(hub, "", token).Told(), ElementsAre("+a:3", "="));
}

TEST(Watching, AfterResumeKnowsNothingOfWhatTheFilterDidNotTake) {
  Hub hub;
  hub.Put("a", 1);
  hub.Put("b", 2);
  Watcher watcher(hub, "spec.port = 1");
  EXPECT_THAT(watcher.Told(), ElementsAre("+a:1", "="));
  watcher.Resume("spec.port = 1");
  watcher.Read(Watcher::kAll);
  hub.Put("b", 3);
  hub.Put("b", 1);
  hub.Erase("b");
  hub.Put("a", 2);
  EXPECT_THAT(watcher.Told(), ElementsAre("=", "+b:1", "-b:1", "-a:2"));
  // Of one that changes while he is away it is not known whether the filter took it.
  hub.Leave(watcher.id());
  hub.Put("a", 3);
  watcher.Resume("spec.port = 1");
  EXPECT_THAT(watcher.Read(Watcher::kAll).Told(), ElementsAre("-a:3", "="));
}

TEST(Watching, AfterResumeIsToldOfWhatComesInThePlaceOfADeletedOne) {
  Hub hub({.deleted_max = 1});
  hub.Put("a", 1);
  hub.Put("b", 1);
  Watcher watcher(hub);
  hub.Erase("a");
  Watcher resumed(hub, "", watcher.token());
  EXPECT_THAT(resumed.Told(), ElementsAre("="));
  hub.Put("c", 1);
  hub.Erase("c");  // forgets a
  hub.Put("d", 1);
  EXPECT_THAT(resumed.Told(), ElementsAre("+c:1", "-c:1", "+d:1"));
}

// He reads slowly: of the first deletion he was not told, as it stands in the log no more, though
// his token is from behind it.
TEST(Watching, AfterResumeMissesNoDeletion) {
  Hub hub;
  hub.Put("a", 1);
  hub.Put("b", 1);
  Watcher slow(hub);
  slow.Read(0).Told();
  hub.Erase("a");
  hub.Put("b", 2);
  hub.Put("a", 2);
  EXPECT_THAT(slow.Read(1).Told(), ElementsAre("~b:2"));
  hub.Erase("a");
  slow.Resume("");
  EXPECT_THAT(slow.Read(Watcher::kAll).Told(), ElementsAre("-a:2", "="));
  EXPECT_EQ(slow.knows().size(), 1u);
}

TEST(Watching, RefusesTokensItDoesNotKnow) {
  Hub hub;
  hub.Put("a", 1);
  Watcher watcher(hub);
  const std::string good = watcher.token();
  ASSERT_EQ(good.substr(0, 3), "e1-");
  for (std::string token : {std::string("x"), std::string("e2") + good.substr(2), good + "0",
                            good + "x", good + "-1", good.substr(0, 3)}) {
    const auto end = Watcher(hub, "", token).end();
    ASSERT_TRUE(end.has_value()) << token;
    EXPECT_TRUE(absl::IsOutOfRange(*end)) << token << *end;
    EXPECT_EQ(config::ReasonOf(*end), "RESUME_TOKEN_EXPIRED");
  }
  const auto end = Watcher(hub, "spec.port = 1", good).end();
  ASSERT_TRUE(end.has_value());
  EXPECT_TRUE(absl::IsInvalidArgument(*end));
  EXPECT_EQ(config::ViolationsOf(*end).at(0).field, "resume_token");
}

TEST(Watching, BeforeSyncedHasNoTokenToGoOnFrom) {
  Hub hub;
  hub.Put("a", 1);
  Watcher watcher(hub, Watcher::Wish());
  EXPECT_EQ(watcher.Read(1).token(), "");
  EXPECT_NE(watcher.Read(1).token(), "");
}

TEST(Watching, CutsOffWhoHasNotHeardOfDeletionsThatAreForgotten) {
  constexpr int kDeletedMax = 10;
  Hub hub({.deleted_max = kDeletedMax});
  for (int i = 0; i <= kDeletedMax; ++i) hub.Put(std::string(1, static_cast<char>('a' + i)), 1);
  Watcher fast(hub), slow(hub), early(hub, Watcher::Wish());
  const std::string token = slow.token();
  slow.Read(0);
  for (int i = 0; i < kDeletedMax; ++i) hub.Erase(std::string(1, static_cast<char>('a' + i)));
  EXPECT_EQ(hub.deleted(), 10u);
  EXPECT_FALSE(slow.end().has_value());
  EXPECT_FALSE(Watcher(hub, Watcher::Wish("", token)).end().has_value());  // just in time
  hub.Erase("k");
  EXPECT_EQ(hub.deleted(), 10u);
  for (const Watcher* watcher : {&slow, &early}) {
    ASSERT_TRUE(watcher->end().has_value());
    EXPECT_TRUE(absl::IsResourceExhausted(*watcher->end()));
    EXPECT_EQ(config::ReasonOf(*watcher->end()), "WATCH_TOO_SLOW");
  }
  EXPECT_FALSE(fast.end().has_value());
  EXPECT_THAT(fast.knows(), IsEmpty());
  const auto end = Watcher(hub, Watcher::Wish("", token)).end();
  ASSERT_TRUE(end.has_value());
  EXPECT_EQ(config::ReasonOf(*end), "RESUME_TOKEN_EXPIRED");
}

TEST(Watching, ForgetsDeletionsThatTakeTooMuchRoom) {
  const size_t bytes = Listener("a", 1)->SpaceUsedLong();
  Hub hub({.deleted_bytes_max = 2 * bytes});
  for (const char* name : {"a", "b", "c"}) hub.Put(name, 1);
  Watcher fast(hub), slow(hub);
  slow.Read(0);
  hub.Erase("a");
  hub.Erase("b");
  EXPECT_EQ(hub.deleted_bytes(), 2 * bytes);  // at the limit
  EXPECT_FALSE(slow.end().has_value());
  hub.Erase("c");  // one beyond
  EXPECT_EQ(hub.deleted(), 2u);
  EXPECT_EQ(hub.deleted_bytes(), 2 * bytes);
  ASSERT_TRUE(slow.end().has_value());
  EXPECT_EQ(config::ReasonOf(*slow.end()), "WATCH_TOO_SLOW");
  EXPECT_FALSE(fast.end().has_value());
  EXPECT_THAT(fast.knows(), IsEmpty());
  hub.Put("b", 2);  // there again: nothing is left of its deletion
  EXPECT_EQ(hub.deleted_bytes(), bytes);
  hub.Put("c", 2);
  EXPECT_EQ(hub.deleted_bytes(), 0u);
}

TEST(Watching, HasRoomForSoManyAndNotOneMore) {
  Hub hub({.watchers_max = 2});
  Watcher one(hub), two(hub), three(hub);
  EXPECT_FALSE(two.end().has_value());
  ASSERT_TRUE(three.end().has_value());
  EXPECT_TRUE(absl::IsResourceExhausted(*three.end()));
  EXPECT_EQ(config::ReasonOf(*three.end()), "TOO_MANY_WATCHERS");
  hub.Leave(one.id());
  EXPECT_FALSE(Watcher(hub).end().has_value());
}

TEST(Watching, SendsBookmarksIntoSilence) {
  Hub hub;
  Watcher watcher(hub, Watcher::Wish("", "", kSecond * 10));
  EXPECT_EQ(hub.NextDeadline(), kStart + kSecond * 10);
  watcher.Read(Watcher::kAll, kStart + kSecond);
  EXPECT_THAT(watcher.Told(), ElementsAre("="));
  EXPECT_EQ(hub.NextDeadline(), kStart + kSecond * 11);
  hub.Tick(kStart + kSecond * 11 - Duration{1});
  EXPECT_THAT(watcher.Told(), IsEmpty());
  hub.Tick(kStart + kSecond * 11);
  EXPECT_THAT(watcher.Told(), ElementsAre("!"));
  const std::string token = watcher.token();
  static_cast<WatchHub&>(hub).Put("a", Listener("a", 1), kStart + kSecond * 15);
  EXPECT_EQ(hub.NextDeadline(), kStart + kSecond * 25);
  watcher.Told();
  hub.Tick(kStart + kSecond * 25);
  EXPECT_THAT(watcher.Told(), ElementsAre("!"));
  EXPECT_NE(watcher.token(), token);
  Watcher none(hub, Watcher::Wish());
  hub.Leave(watcher.id());
  EXPECT_EQ(hub.NextDeadline(), kNever);
}

TEST(Watching, MovesTheBookmarkBehindWhatTheFilterHoldsBack) {
  Hub hub({.deleted_max = 2});
  Watcher watcher(hub, Watcher::Wish("spec.port = 1", "", kSecond));
  watcher.Read(Watcher::kAll).Told();
  for (const char* name : {"a", "b", "c", "d"}) {
    hub.Put(name, 2);
    hub.Erase(name);
  }
  EXPECT_FALSE(watcher.end().has_value());
  hub.Tick(kStart + kSecond);
  EXPECT_THAT(watcher.Told(), ElementsAre("!"));
  EXPECT_FALSE(Watcher(hub, "spec.port = 1", watcher.token()).end().has_value());
}

TEST(Watching, SendsNoBookmarkToWhoIsBusyOrNotSynced) {
  Hub hub;
  hub.Put("a", 1);
  Watcher watcher(hub, Watcher::Wish("", "", kSecond));
  watcher.Read(1).Told();
  hub.Tick(kStart + kSecond);
  EXPECT_THAT(watcher.Told(), IsEmpty());
  EXPECT_EQ(hub.NextDeadline(), kStart + kSecond * 2);
}

TEST(Watching, StandsThoseWhoLeaveInTheMiddle) {
  Hub hub;
  Watcher other(hub);
  WatchHub::WatcherId id = 0;
  int told = 0;
  WatchHub::Exits exits;
  exits.writable = [] { return true; };
  exits.finish = [](const absl::Status&) {};
  exits.write = [&](const WatchEvent&) {
    if (++told == 2) hub.Leave(id);
    hub.Leave(other.id());
  };
  id = *hub.Watch(Watcher::Wish(), exits, kStart);
  hub.Ready(id, kStart);
  hub.Put("a", 1);
  hub.Put("b", 1);
  EXPECT_EQ(told, 2);
  EXPECT_EQ(hub.watchers(), 0u);
  hub.Ready(id, kStart);
  hub.Leave(id);
}

// What a thousand see, of whom one reads hardly anything, is what is there; nobody waits for him,
// and the hub holds no more than resources and the deletions it may.
TEST(Watching, OfAThousandWaitsForNobody) {
  constexpr int kWatchers = 1000;
  constexpr size_t kDeletedMax = 200;
  Hub hub({.deleted_max = kDeletedMax});
  Random random(5);
  std::vector<std::unique_ptr<Watcher>> watchers;
  for (int i = 0; i < kWatchers; ++i) watchers.push_back(std::make_unique<Watcher>(hub));
  Watcher& slow = *watchers[500];
  slow.Read(0);
  std::map<std::string, uint32_t> there;
  for (int step = 0; step < 2000; ++step) {
    const std::string name = "r" + std::to_string(random.Below(100));
    if (random.Below(3) == 0) {
      hub.Erase(name);
      there.erase(name);
    } else {
      const uint32_t port = static_cast<uint32_t>(random.Below(65536));
      hub.Put(name, port);
      there[name] = port;
    }
    if (step % 100 == 0) slow.Read(1);
    slow.Read(0);
    EXPECT_LE(hub.deleted(), kDeletedMax);
  }
  EXPECT_FALSE(slow.end().has_value());  // there are not so many names
  for (int i = 0; i < kWatchers; ++i) {
    if (watchers[i].get() == &slow) continue;
    EXPECT_EQ(watchers[i]->knows(), there) << i;
  }
  EXPECT_NE(slow.knows(), there);
  EXPECT_EQ(slow.Read(Watcher::kAll).knows(), there);
  EXPECT_EQ(hub.resources(), there.size());
}

// Watchers that read now and then, come, go and resume, with and without filters: in the end each
// knows what is there for him.
TEST(Watching, EndsWithTheTruthForEveryoneWhateverTheyDo) {
  constexpr char kEven[] = "spec.port = 0 OR spec.port = 2";
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    Random random(seed);
    Hub hub({.deleted_max = 1000});
    std::vector<std::unique_ptr<Watcher>> watchers;
    std::map<std::string, uint32_t> there, even;
    for (int step = 0; step < 300; ++step) {
      const std::string name(1, static_cast<char>('a' + random.Below(6)));
      const uint32_t port = static_cast<uint32_t>(random.Below(4));
      const uint64_t what = random.Below(10);
      if (what < 2) {
        hub.Erase(name);
        there.erase(name);
        even.erase(name);
      } else if (what < 6) {
        hub.Put(name, port);
        there[name] = port;
        even.erase(name);
        if (port == 0 || port == 2) even[name] = port;
      } else if (what < 7 && watchers.size() < 20) {
        watchers.push_back(
            std::make_unique<Watcher>(hub, Watcher::Wish(watchers.size() % 2 == 0 ? "" : kEven)));
      } else if (!watchers.empty()) {
        const size_t i = random.Below(watchers.size());
        if (what == 9) watchers[i]->Resume(i % 2 == 0 ? "" : kEven);
        watchers[i]->Read(static_cast<int>(random.Below(4)));
      }
    }
    for (size_t i = 0; i < watchers.size(); ++i) {
      watchers[i]->Read(Watcher::kAll);
      EXPECT_EQ(watchers[i]->knows(), i % 2 == 0 ? there : even) << "seed " << seed;
    }
  }
}

}  // namespace
}  // namespace trunkline::api
