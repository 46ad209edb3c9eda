#include "control/users/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace trunkline::users {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class StoreTest : public testing::Test {
 protected:
  StoreTest() {
    char path[] = "/tmp/trunkline-users-XXXXXX";
    root_ = ::mkdtemp(path);
    std::filesystem::create_directory(root_ / "users");
    spec_.set_directory((root_ / "users").string());
  }
  ~StoreTest() override { std::filesystem::remove_all(root_); }

  void Write(const std::string& name, const std::string& text) {
    std::ofstream(root_ / "users" / name, std::ios::binary) << text;
    ::chmod((root_ / "users" / name).c_str(), 0600);
  }
  std::string Error() {
    const auto store = LoadStore(spec_);
    return std::string(store.status().message());
  }
  std::string PasswordOf(const std::string& name) {
    const auto store = LoadStore(spec_);
    EXPECT_TRUE(store.ok()) << store.status();
    return store.ok() ? std::string((*store).users->PasswordOf(name)) : "";
  }

  std::filesystem::path root_;
  v1::UserStoreSpec spec_;
};

TEST_F(StoreTest, AFileIsAUser) {
  Write("admin", "sesame");
  Write("jo", "line end\n");
  Write("windows", "line end\r\n");
  Write("two", "lines\n\n");
  EXPECT_EQ(PasswordOf("admin"), "sesame");
  EXPECT_EQ(PasswordOf("jo"), "line end");
  EXPECT_EQ(PasswordOf("windows"), "line end");
  EXPECT_EQ(PasswordOf("two"), "lines\n");
  EXPECT_THAT(LoadStore(spec_)->warnings, IsEmpty());
}

TEST_F(StoreTest, NamesHaveTheRealmOrNot) {
  spec_.set_realm("r");
  Write("admin", "sesame");
  Write("jo@x", "other");
  EXPECT_EQ(PasswordOf("admin"), "sesame");
  EXPECT_EQ(PasswordOf("admin@r"), "sesame");
  EXPECT_EQ(PasswordOf("jo@x"), "other");
  for (const char* unknown : {"admin@x", "admin@r@r", "jo", "@r", "", "nobody"}) {
    const std::string decoy = PasswordOf(unknown);
    EXPECT_EQ(decoy.size(), 64u) << unknown;
    EXPECT_NE(decoy, PasswordOf("somebody else")) << "another store, another decoy";
  }
}

TEST_F(StoreTest, ThatIsTheSameIsNotReadAgain) {
  Write("admin", "sesame");
  const auto before = LoadStore(spec_);
  ASSERT_TRUE(before.ok()) << before.status();
  EXPECT_EQ(LoadStore(spec_, &*before)->users, before->users);
  Write("jo", "other");
  const auto after = LoadStore(spec_, &*before);
  ASSERT_TRUE(after.ok()) << after.status();
  EXPECT_NE(after->users, before->users);
  EXPECT_EQ(after->users->PasswordOf("jo"), "other");
  EXPECT_NE(LoadStore(spec_)->users, after->users) << "nothing before";
}

TEST_F(StoreTest, KeepsTheKeysOfPasswordsThatStay) {
  const sasl::ScramHash& hash = *sasl::ScramHash::Of("SCRAM-SHA-256");
  const auto text = [&](const Store& store, const char* name) {
    return store.users->ScramTextOf(name, hash, std::nullopt);
  };
  Write("admin", "sesame");
  Write("jo", "other");
  const auto before = LoadStore(spec_);
  ASSERT_TRUE(before.ok()) << before.status();
  const auto admin = text(*before, "admin");
  const auto jo = text(*before, "jo");
  Write("jo", "another");
  const auto after = LoadStore(spec_, &*before);
  ASSERT_TRUE(after.ok()) << after.status();
  EXPECT_NE(text(*after, "jo"), jo);
  EXPECT_EQ(text(*after, "admin"), admin);
  EXPECT_EQ(after->users->keys_made(), 1u);
}

TEST_F(StoreTest, IsReadAsASecretIsMounted) {
  const auto users = root_ / "users";
  std::filesystem::create_directory(users / "..2024_1");
  std::ofstream(users / "..2024_1" / "admin") << "first";
  std::filesystem::create_directory_symlink("..2024_1", users / "..data");
  std::filesystem::create_symlink("..data/admin", users / "admin");
  EXPECT_EQ(PasswordOf("admin"), "first");
  const uint64_t before = StampOf(spec_);
  std::filesystem::create_directory(users / "..2024_2");
  std::ofstream(users / "..2024_2" / "admin") << "again";
  std::filesystem::create_directory_symlink("..2024_2", users / "..data_tmp");
  EXPECT_EQ(StampOf(spec_), before) << "not swapped yet";
  std::filesystem::rename(users / "..data_tmp", users / "..data");
  EXPECT_NE(StampOf(spec_), before);
  EXPECT_EQ(PasswordOf("admin"), "again");
}

TEST_F(StoreTest, ItsStampTellsOfEveryChange) {
  Write("admin", "sesame");
  uint64_t last = StampOf(spec_);
  EXPECT_NE(last, 0u);
  EXPECT_EQ(StampOf(spec_), last);
  EXPECT_EQ(LoadStore(spec_)->stamp, last);
  const auto changed = [&] { return std::exchange(last, StampOf(spec_)) != last; };
  Write("admin", "sesame2");
  EXPECT_TRUE(changed());
  Write("jo", "x");
  EXPECT_TRUE(changed());
  std::filesystem::remove(root_ / "users" / "jo");
  EXPECT_TRUE(changed());
  spec_.set_realm("r");
  EXPECT_TRUE(changed());
  std::filesystem::remove_all(root_ / "users");
  EXPECT_EQ(StampOf(spec_), 0u);
}

TEST_F(StoreTest, RefusesWhatIsNoUserAndNeverShowsAPassword) {
  EXPECT_THAT(Error(), HasSubstr("has no users"));
  Write("admin", "");
  EXPECT_THAT(Error(), HasSubstr("admin: holds no password"));
  Write("admin", "\n");
  EXPECT_THAT(Error(), HasSubstr("admin: holds no password"));
  Write("admin", std::string("xyzzy\0y", 7));
  EXPECT_THAT(Error(), HasSubstr("zero byte"));
  EXPECT_THAT(Error(), Not(HasSubstr("xyzzy")));
  Write("admin", "fine");
  Write("bad name", "secret");
  EXPECT_THAT(Error(), HasSubstr("holds blanks"));
  std::filesystem::remove(root_ / "users" / "bad name");
  std::filesystem::create_directory(root_ / "users" / "folder");
  EXPECT_THAT(Error(), HasSubstr("folder: not a file"));
  spec_.set_directory("/nowhere");
  EXPECT_EQ(Error(), "directory: /nowhere: No such file or directory");
}

TEST_F(StoreTest, TakesPasswordsUpToTheLimit) {
  Write("admin", std::string(kPasswordBytesMax, 'x') + "\n");
  EXPECT_EQ(PasswordOf("admin").size(), kPasswordBytesMax);
  Write("admin", std::string(kPasswordBytesMax + 1, 'x'));
  EXPECT_THAT(Error(), HasSubstr("at most 1024 bytes"));
  Write("admin", std::string(kPasswordBytesMax + 9, 'x'));
  EXPECT_THAT(Error(), HasSubstr("larger than"));
}

TEST_F(StoreTest, TakesUsersUpToTheLimit) {
  for (size_t i = 0; i < kUsersMax; ++i) Write("u" + std::to_string(i), "x");
  EXPECT_EQ(LoadStore(spec_)->users->size(), kUsersMax);
  Write("one-more", "x");
  EXPECT_THAT(Error(), HasSubstr("more than 10000 users"));
}

TEST_F(StoreTest, WarnsOfPasswordsThatEveryUserMayRead) {
  Write("admin", "x");
  ::chmod((root_ / "users" / "admin").c_str(), 0644);
  ASSERT_EQ(LoadStore(spec_)->warnings.size(), 1u);
  EXPECT_THAT(LoadStore(spec_)->warnings[0], HasSubstr("readable by every user"));
}

TEST_F(StoreTest, ASasldbIsOnlyLookedAtFromOutside) {
  spec_.clear_directory();
  spec_.set_sasldb_file((root_ / "sasldb2").string());
  EXPECT_THAT(Error(), HasSubstr("sasldb_file: "));
  std::ofstream(root_ / "sasldb2") << "anything";
  const auto store = LoadStore(spec_);
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_EQ(store->users->sasldb_file(), spec_.sasldb_file());
  EXPECT_NE(StampOf(spec_), 0u);
}

TEST_F(StoreTest, APasswordFileIsReadAlike) {
  Write("pw", "sesame\n");
  const auto password = ReadPassword("sasl_password_file", (root_ / "users/pw").string());
  ASSERT_TRUE(password.ok());
  EXPECT_EQ(password->view(), "sesame");
  EXPECT_EQ(*password, Secret("sesame"));
  EXPECT_EQ(ReadPassword("sasl_password_file", "/nowhere").status().message(),
            "sasl_password_file: /nowhere: No such file or directory");
}

}  // namespace
}  // namespace trunkline::users
