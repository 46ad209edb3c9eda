// Requests of any content, in any order, to all methods of all kinds of resources. Whatever they
// ask for: each is answered, what is there is valid, what the file says is untouched, and one who
// watches knows what is there.
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "control/config/validate.h"
#include "crud_world.h"
#include "google/protobuf/util/message_differencer.h"
#include "input.h"

namespace trunkline::api {
namespace {

using google::protobuf::Message;
using google::protobuf::util::MessageDifferencer;

constexpr int kStepsMax = 32;

config::Document File() {
  config::Document file;
  v1::Listener& listener = file.listeners["f"];
  listener.set_name("listeners/f");
  listener.mutable_spec()->set_port(1);
  v1::TlsProfile& profile = file.tls_profiles["f"];
  profile.set_name("tlsProfiles/f");
  profile.mutable_spec()->set_ca_file("/f");
  return file;
}

// One who watches a kind, and what he knows: the resource by its name.
struct Observer {
  const Kind* kind = nullptr;
  std::shared_ptr<TestCall> call;
  size_t read = 0;
  std::map<std::string, const Message*> knows;

  void Read() {
    call->Read();
    TL_CHECK(!call->end.has_value()) << *call->end;
    for (; read < call->replies.size(); ++read) {
      const Message& reply = *call->replies[read];
      for (const char* event : {"added", "modified"}) {
        if (!HasMessage(reply, event)) continue;
        const Message& resource = MessageOf(reply, event);
        knows[config::NameOf(resource)] = &resource;
      }
      if (HasMessage(reply, "deleted")) knows.erase(config::NameOf(MessageOf(reply, "deleted")));
    }
  }
};

class Run {
 public:
  Run() : world_(File()), file_(world_.store.file()) {
    for (const Kind& kind : world_.kinds) {
      Observer observer;
      observer.kind = &kind;
      observer.call = world_.Do(*kind.watch, kind.watch->NewRequest());
      observers_.push_back(std::move(observer));
      for (const Method* method :
           {kind.create, kind.get, kind.list, kind.update, kind.remove, kind.watch}) {
        methods_.push_back(method);
      }
    }
  }
  ~Run() {
    for (const auto& call : calls_) End(call);
    for (const Observer& observer : observers_) End(observer.call);
    TL_CHECK(world_.crud.watchers() == 0u);
  }

  void Step(fuzz::Input& input) {
    const Method& method = *methods_[input.Byte() % methods_.size()];
    auto request = method.NewRequest();
    const std::string_view bytes = input.Text();
    if (!request->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
    const auto call = world_.Do(method, std::move(request));
    TL_CHECK(call->end.has_value() || method.streams) << method.path;
    if (!call->end.has_value()) calls_.push_back(call);
    world_.now = world_.now + kSecond;
    world_.crud.Tick(world_.now);
  }

  void Check() {
    const config::Document& there = world_.store.effective();
    const auto problems = config::Validate(there);
    TL_CHECK(problems.empty()) << problems[0].path << ": " << problems[0].text;
    for (Observer& observer : observers_) {
      observer.Read();
      const config::Collection& collection = *observer.kind->collection;
      TL_CHECK(observer.knows.size() == collection.Size(there)) << collection.name();
      for (const std::string& id : collection.Ids(there)) {
        const Message& resource = *collection.Find(there, id);
        const auto known = observer.knows.find(config::ResourceName(collection.name(), id));
        TL_CHECK(known != observer.knows.end()) << id;
        TL_CHECK(config::EtagOf(*known->second) == config::EtagOf(resource)) << id;
      }
      collection.ForEach(file_, [&](const std::string& id, const Message& resource) {
        TL_CHECK(MessageDifferencer::Equals(*collection.Find(there, id), resource)) << id;
      });
    }
  }

 private:
  static void End(const std::shared_ptr<TestCall>& call) {
    if (const auto alive = call->call.lock()) alive->Gone(absl::CancelledError("gone"));
  }

  CrudWorld world_;
  const config::Document file_;
  std::vector<const Method*> methods_;
  std::vector<Observer> observers_;
  std::vector<std::shared_ptr<TestCall>> calls_;
};

}  // namespace
}  // namespace trunkline::api

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace trunkline;
  fuzz::Input input(bytes, size);
  api::Run run;
  for (int step = 0; step < api::kStepsMax && !input.empty(); ++step) run.Step(input);
  run.Check();
  return 0;
}
