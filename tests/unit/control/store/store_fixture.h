#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <condition_variable>
#include <deque>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "control/store/store.h"

namespace trunkline::store {

// A port of this machine that nobody else has while this is there.
class Port {
 public:
  explicit Port(uint32_t number = 0) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    const int on = 1;
    ::setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    address_.sin_port = htons(static_cast<uint16_t>(number));
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(fd_, reinterpret_cast<sockaddr*>(&address_), sizeof address_), 0);
    EXPECT_EQ(::listen(fd_, 1), 0);
    socklen_t size = sizeof address_;
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address_), &size);
  }
  ~Port() { Free(); }
  uint32_t number() const { return ntohs(address_.sin_port); }
  void Free() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  int fd_;
  sockaddr_in address_{};
};

inline bool Listens(uint32_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(port));
  const bool connected = ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  ::close(fd);
  return connected;
}

// A store with a real router and a real disk; this thread is control's.
class StoreTest : public ::testing::Test {
 protected:
  StoreTest() {
    std::string folder = ::testing::TempDir() + "storeXXXXXX";
    EXPECT_NE(::mkdtemp(folder.data()), nullptr);
    folder_ = folder;
    Write("listeners: []\n");
  }
  ~StoreTest() override {
    End();
    std::filesystem::remove_all(folder_);
  }

  void Write(const std::string& yaml) { std::ofstream(folder_ + "/trunkline.yaml") << yaml; }

  absl::Status Open() {
    auto store =
        Store::Open({.file = folder_ + "/trunkline.yaml",
                     .state_directory = folder_ + "/state",
                     .state_bytes_max = state_bytes_max_},
                    {.post = [this](std::function<void()> function) { Post(std::move(function)); },
                     .now = [this] { return ++now_; },
                     .random = random_});
    if (!store.ok()) return store.status();
    store_ = *std::move(store);
    router_ = *Router::Start({.id = "router"}, [] {});
    const auto changed = [this](const std::vector<Difference>& differences) {
      for (const Difference& each : differences) {
        changed_.push_back(each.collection->name() + "/" + each.id);
      }
    };
    EXPECT_THAT(store_->Start(*router_, changed), ::testing::IsEmpty());
    return absl::OkStatus();
  }
  void End() {
    store_.reset();
    router_.reset();
  }

  absl::StatusOr<Store::Outcome> Mutate(Store::Change change,
                                        Store::Mode mode = Store::Mode::kApply) {
    std::optional<absl::StatusOr<Store::Outcome>> answer;
    store_->Mutate(std::move(change), mode,
                   [&](absl::StatusOr<Store::Outcome> outcome) { answer = std::move(outcome); });
    RunUntil([&] { return answer.has_value(); });
    return *std::move(answer);
  }
  static Store::Change Put(const std::string& id, uint32_t port, const std::string& tls = "") {
    return [=](config::Document& made) {
      v1::Listener& listener = made.listeners[id];
      listener.set_name("listeners/" + id);
      listener.mutable_spec()->set_host("127.0.0.1");
      listener.mutable_spec()->set_port(port);
      listener.mutable_spec()->set_tls_profile(tls);
      return absl::OkStatus();
    };
  }
  static Store::Change Remove(const std::string& id) {
    return [=](config::Document& made) {
      made.listeners.erase(id);
      return absl::OkStatus();
    };
  }
  std::vector<std::string> Retry() {
    std::optional<std::vector<std::string>> changed;
    store_->Retry([&](const std::vector<std::string>& paths) { changed = paths; });
    RunUntil([&] { return changed.has_value(); });
    return *changed;
  }
  absl::StatusOr<Store::Reloaded> Reload() {
    std::optional<absl::StatusOr<Store::Reloaded>> answer;
    store_->Reload([](const Configuration&, const std::string&) { return absl::OkStatus(); },
                   [&](auto reloaded) { answer = std::move(reloaded); });
    RunUntil([&] { return answer.has_value(); });
    return *std::move(answer);
  }

  void Post(std::function<void()> function) {
    const std::lock_guard lock(mutex_);
    posted_.push_back(std::move(function));
    arrived_.notify_one();
  }
  template <typename Done>
  void RunUntil(Done done) {
    while (!done()) {
      std::unique_lock lock(mutex_);
      arrived_.wait(lock, [this] { return !posted_.empty(); });
      const std::function<void()> next = std::move(posted_.front());
      posted_.pop_front();
      lock.unlock();
      next();
    }
  }

  std::string folder_;
  size_t state_bytes_max_ = Store::Options().state_bytes_max;
  int64_t now_ = 1'000'000;
  Random random_{1};
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<std::function<void()>> posted_;
  std::vector<std::string> changed_;
  std::unique_ptr<Router> router_;
  std::unique_ptr<Store> store_;
};

}  // namespace trunkline::store
