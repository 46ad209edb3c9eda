#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_replace.h"
#include "control/api/crud.h"
#include "control/config/resource.h"
#include "fake_store.h"
#include "google/protobuf/text_format.h"
#include "router/base/check.h"

namespace trunkline::api {

// A call, and what was answered. Reads a stream as long as its patience lasts.
struct TestCall {
  std::vector<std::unique_ptr<google::protobuf::Message>> replies;
  std::optional<absl::Status> end;
  int patience = 1 << 30;
  std::weak_ptr<Call> call;

  absl::Status status() const { return end ? *end : absl::UnknownError("under way"); }
  const google::protobuf::Message& reply() const { return *replies.at(0); }

  // What was written has left, and more may come.
  void Read() {
    while (const auto alive = call.lock()) {
      if (patience == 0 || alive->ended() || alive->writable()) return;
      --patience;
      alive->Written();
    }
  }
};

// Handlers over a store, and callers of them.
class CrudWorld {
 public:
  explicit CrudWorld(config::Document file = {}, WatchHub::Options watching = {})
      : store(std::move(file)),
        crud(store, methods, random_, {.clock = [this] { return now; }, .fill_status = FillStatus},
             watching),
        kinds(FindKinds(methods)),
        handlers_(crud.MakeHandlers()) {
    store.changed = [this](const auto& differences) { crud.Changed(differences); };
    crud.Begin();
  }

  std::shared_ptr<TestCall> Do(const Method& method,
                               std::unique_ptr<google::protobuf::Message> request,
                               const std::string& identity = "local",
                               v1::AccessRole role = v1::ACCESS_ROLE_ADMIN) {
    auto result = std::make_shared<TestCall>();
    Call::Exits exits;
    exits.write = [result](const google::protobuf::Message& reply) {
      result->replies.emplace_back(reply.New());
      result->replies.back()->CopyFrom(reply);
    };
    exits.finish = [result](const absl::Status& status) { result->end = status; };
    auto call = std::make_shared<Call>(method, std::move(request), Caller{identity, role}, exits);
    result->call = call;
    const auto handler = handlers_.find(method.key());
    TL_CHECK(handler != handlers_.end()) << method.key();
    handler->second(std::move(call));
    return result;
  }

  const Kind& kind(std::string_view collection) const {
    for (const Kind& each : kinds) {
      if (each.collection->name() == collection) return each;
    }
    TL_CHECK(false) << std::string(collection);
    return kinds.front();
  }

  // Declared in the order they are made in.
  MethodTable methods;
  FakeStore store;
  Time now{1'000'000'000'000};

 private:
  // Only listeners have a status here: those of even ports listen.
  static void FillStatus(google::protobuf::Message& resource) {
    auto* listener = dynamic_cast<v1::Listener*>(&resource);
    if (listener == nullptr) return;
    listener->mutable_status()->set_state(listener->spec().port() % 2 == 0
                                              ? v1::ListenerStatus::STATE_LISTENING
                                              : v1::ListenerStatus::STATE_FAILED);
  }
  Random random_{11};

 public:
  Crud crud;
  std::vector<Kind> kinds;

 private:
  Handlers handlers_;
};

inline constexpr char kUuid[] = "6f1c2a90-0b1d-4c3e-8f4a-5b6c7d8e9f00";
inline constexpr char kOtherUuid[] = "6f1c2a90-0b1d-4c3e-8f4a-5b6c7d8e9f01";

// Specs of one kind: one of the file, two that differ, one that breaks a rule.
struct Sample {
  const char* collection;
  const char* filed;
  const char* spec;
  const char* other;
  const char* bad;
  const char* bad_field;  // in the spec
};
inline const Sample kSamples[] = {
    {"listeners", "port: 5001", "port: 5002", "port: 5004", "port: 70000", "port"},
    {"connectors", "host: 'a'", "host: 'b'", "host: 'c'", "host: 'b' port: 0", "port"},
    {"tlsProfiles", "ca_file: '/a'", "ca_file: '/b'", "ca_file: '/c'",
     "ca_file: '/b' uid_format: 'nnnnnnnnnn'", "uid_format"},
    {"userStores", "directory: '/a'", "directory: '/b'", "directory: '/c'",
     "directory: '/b' realm: '\\n'", "realm"},
    {"addresses", "prefix: 'a'", "prefix: 'b'", "prefix: 'c'", "prefix: 'b' ingress_phase: 10",
     "ingress_phase"},
};

// A world in which the file has one resource of each kind, "filed", and requests are written as
// text: $f is the field of the resource, $c the collection, $spec and the like of the sample.
class World : public CrudWorld {
 public:
  explicit World(const Sample& sample) : CrudWorld(File()), sample_(sample) {}
  World() : World(kSamples[0]) {}

  const Kind& own() const { return kind(sample_.collection); }
  std::string Fill(const std::string& text) const {
    return absl::StrReplaceAll(text, {{"$filed", sample_.filed},
                                      {"$spec", sample_.spec},
                                      {"$other", sample_.other},
                                      {"$badfield", sample_.bad_field},
                                      {"$bad", sample_.bad},
                                      {"$f", own().field},
                                      {"$c", sample_.collection},
                                      {"$W", own().Word()},
                                      {"$uuid", kUuid}});
  }
  // `what`: "create", "get", "list", "update", "delete", "watch".
  const Method& method(std::string_view what) const {
    const Kind& kind = own();
    return what == "create"   ? *kind.create
           : what == "get"    ? *kind.get
           : what == "list"   ? *kind.list
           : what == "update" ? *kind.update
           : what == "delete" ? *kind.remove
                              : *kind.watch;
  }
  std::shared_ptr<TestCall> Do(std::string_view what, const std::string& text,
                               const std::string& identity = "local") {
    auto request = method(what).NewRequest();
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(Fill(text), request.get()))
        << Fill(text);
    return CrudWorld::Do(method(what), std::move(request), identity);
  }
  // The resource in the answer to a change that goes well.
  std::unique_ptr<google::protobuf::Message> Changed(std::string_view what,
                                                     const std::string& text) {
    const auto call = Do(what, text);
    EXPECT_TRUE(call->status().ok()) << Fill(text) << call->status();
    std::unique_ptr<google::protobuf::Message> resource(own().collection->prototype().New());
    if (call->status().ok() && !call->replies.empty()) {
      resource->CopyFrom(MessageOf(call->reply(), own().field));
    }
    return resource;
  }
  std::vector<std::string> Ids() const { return own().collection->Ids(store.effective()); }

 private:
  static config::Document File() {
    config::Document file;
    for (const Sample& sample : kSamples) {
      const config::Collection* collection = config::FindCollection(sample.collection);
      std::unique_ptr<google::protobuf::Message> resource(collection->prototype().New());
      TL_CHECK(google::protobuf::TextFormat::ParseFromString(
          "name: '" + std::string(sample.collection) + "/filed' spec {" + sample.filed + "}",
          resource.get()));
      collection->Put(file, *resource);
    }
    return file;
  }
  const Sample& sample_;
};

inline v1::Impact ImpactOf(const TestCall& call) {
  const auto& reply = call.reply();
  return static_cast<v1::Impact>(
      reply.GetReflection()->GetEnumValue(reply, reply.GetDescriptor()->FindFieldByName("impact")));
}

inline std::string KindName(const ::testing::TestParamInfo<Sample>& info) {
  return info.param.collection;
}

}  // namespace trunkline::api
