#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"
#include "proto/trunkline/control/v1/options.pb.h"

namespace trunkline {
namespace v1 = control::v1;
}

namespace trunkline::api {

// The longest request: of a change that is answered once; and of everything else, which has no use
// for more, and of which streams keep it for as long as they live. ValidateConfig takes a file.
inline constexpr size_t kChangeBytesMax = 4 << 20;
inline constexpr size_t kQuestionBytesMax = 64 << 10;

// A method of the API as its descriptor and its options (proto: MethodRules) say.
struct Method {
  const google::protobuf::MethodDescriptor* descriptor = nullptr;
  std::string path;     // "/trunkline.control.v1.ListenerService/GetListener"
  std::string service;  // "ListenerService"
  std::string name;     // "GetListener"
  v1::AccessRole role = v1::ACCESS_ROLE_UNSPECIFIED;  // the least that may call it
  bool mutates = false;
  bool streams = false;  // many answers
  size_t request_bytes_max = kQuestionBytesMax;

  // What its handler is found by, "ListenerService/GetListener".
  std::string key() const { return service + "/" + name; }
  std::unique_ptr<google::protobuf::Message> NewRequest() const;
  std::unique_ptr<google::protobuf::Message> NewReply() const;
};

// The files of trunkline.control.v1 with services in them.
std::vector<const google::protobuf::FileDescriptor*> ServiceFiles();

// All methods of the services in some files, made from the descriptors: what is declared there is
// known here, with or without a handler. Immutable; any thread.
class MethodTable {
 public:
  // A file of others: all of its methods are for this role, and change nothing.
  struct Foreign {
    const google::protobuf::FileDescriptor* file = nullptr;
    v1::AccessRole role = v1::ACCESS_ROLE_UNSPECIFIED;
  };

  // TL_CHECKs that every method has a role and takes one request: a mistake of ours.
  explicit MethodTable(
      const std::vector<const google::protobuf::FileDescriptor*>& files = ServiceFiles(),
      const std::vector<Foreign>& foreign = {});
  MethodTable(const MethodTable&) = delete;
  MethodTable& operator=(const MethodTable&) = delete;

  const Method* Find(std::string_view path) const;  // null: there is none
  const std::vector<Method>& methods() const { return methods_; }

 private:
  void Add(const google::protobuf::FileDescriptor& file, v1::AccessRole role);

  std::vector<Method> methods_;
  std::map<std::string, const Method*, std::less<>> by_path_;
};

}  // namespace trunkline::api
