#pragma once

#include <string>

#include "control/config/collection.h"
#include "control/config/document.h"
#include "control/store/store.h"

namespace trunkline::api {

// What handlers need of the store (store/store.h says what each means), so that a test can stand in
// for it. Thread: control.
class ResourceStore {
 public:
  using Outcome = store::Store::Outcome;
  using Change = store::Store::Change;
  using Mode = store::Store::Mode;
  using How = store::Store::How;
  using Done = store::Store::Done;

  virtual ~ResourceStore() = default;
  virtual const config::Document& file() const = 0;
  virtual const config::Document& effective() const = 0;
  virtual std::string PlaceOf(const config::Collection& collection,
                              const std::string& id) const = 0;
  virtual std::string PlaceOf(const std::string& path) const = 0;
  virtual void Mutate(Change change, How how, Done done) = 0;
};

// The store itself, which outlives us.
class RealStore final : public ResourceStore {
 public:
  explicit RealStore(store::Store& store) : store_(store) {}
  const config::Document& file() const override { return store_.file(); }
  const config::Document& effective() const override { return store_.effective(); }
  std::string PlaceOf(const config::Collection& collection, const std::string& id) const override {
    return store_.PlaceOf(collection, id);
  }
  std::string PlaceOf(const std::string& path) const override { return store_.PlaceOf(path); }
  void Mutate(Change change, How how, Done done) override {
    store_.Mutate(std::move(change), how, std::move(done));
  }

 private:
  store::Store& store_;
};

}  // namespace trunkline::api
