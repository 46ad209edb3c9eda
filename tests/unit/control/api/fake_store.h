#pragma once

#include <deque>
#include <functional>
#include <utility>
#include <vector>

#include "control/api/resource_store.h"
#include "control/config/error_details.h"
#include "control/config/validate.h"
#include "control/store/layers.h"
#include "router/base/random.h"

namespace trunkline::api {

// The store without router, files and disk: layers, stamps and rules are the real ones.
class FakeStore : public ResourceStore {
 public:
  explicit FakeStore(config::Document file = {}) : file_(std::move(file)) {
    store::StampLayer({}, {.source = v1::SOURCE_CONFIG_FILE, .now = 1000}, file_);
    effective_ = file_;
  }

  const config::Document& file() const override { return file_; }
  const config::Document& effective() const override { return effective_; }
  const config::Document& made() const { return made_; }
  std::string PlaceOf(const config::Collection&, const std::string& id) const override {
    return "/etc/t.yaml:" + std::to_string(id.size());
  }
  std::string PlaceOf(const std::string& path) const override {
    return "/etc/t.yaml:" + std::to_string(path.size());
  }

  void Mutate(Change change, How how, Done done) override {
    changes_.push_back([this, change = std::move(change), how, done = std::move(done)] {
      Run(change, how.mode, done);
    });
    if (!holds_) Release();
  }

  // Changes wait until Release, as for a disk.
  void Hold() { holds_ = true; }
  void Release() {
    holds_ = false;
    while (!changes_.empty()) {
      const auto change = std::move(changes_.front());
      changes_.pop_front();
      change();
    }
  }

  std::function<void(const std::vector<store::Difference>&)> changed;
  int commits = 0;
  bool disk_is_full = false;

 private:
  void Run(const Change& change, Mode mode, const Done& done) {
    config::Document made = made_;
    if (absl::Status status = change(made); !status.ok()) return done(std::move(status));
    store::StampLayer(made_, {.now = ++now_, .random = &random_}, made);
    Outcome outcome{.differences = store::Differences(made_, made), .persisted = true};
    if (outcome.differences.empty() && made.built_in_users == made_.built_in_users &&
        made.router.SerializeAsString() == made_.router.SerializeAsString()) {
      return done(std::move(outcome));
    }
    std::vector<config::Problem> problems;
    config::Document both = store::Merge(file_, made, problems);
    for (config::Problem& each : config::Validate(both)) problems.push_back(std::move(each));
    if (!problems.empty()) return done(config::StatusOf(problems));
    if (mode == Mode::kValidate) {
      outcome.persisted = false;
      return done(std::move(outcome));
    }
    if (disk_is_full) return done(absl::UnavailableError("no space"));
    made_ = std::move(made);
    effective_ = std::move(both);
    ++commits;
    if (changed) changed(outcome.differences);
    done(std::move(outcome));
  }

  config::Document file_;
  config::Document made_;
  config::Document effective_;
  std::deque<std::function<void()>> changes_;
  bool holds_ = false;
  int64_t now_ = 1'000'000;
  Random random_{3};
};

}  // namespace trunkline::api
