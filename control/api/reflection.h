#pragma once

#include <set>
#include <string>
#include <vector>

#include "google/protobuf/descriptor.h"
#include "proto/grpc/reflection/v1/reflection.pb.h"

namespace trunkline::api {

// What a client learns of services and messages: answers of grpc.reflection.v1, which in v1alpha
// have the same form. Tells everything that the services speak of, nothing else of this program.
// Names above 512 bytes are not looked for: Protobuf takes seconds for a hundred thousand dots.
//
// Immutable; any thread.
class Reflection {
 public:
  // Full names of services, whose descriptors are in the generated pool; and what else is told: the
  // details of errors, which clients look up.
  explicit Reflection(const std::vector<std::string>& services,
                      const std::vector<const google::protobuf::FileDescriptor*>& more = {});

  grpc::reflection::v1::ServerReflectionResponse Answer(
      const grpc::reflection::v1::ServerReflectionRequest& request) const;

 private:
  void AddWithImports(const google::protobuf::FileDescriptor* file);
  // The file and those it imports, unless it is one that is not told of.
  void TellFile(const google::protobuf::FileDescriptor* file,
                grpc::reflection::v1::ServerReflectionResponse& response) const;
  void TellExtensions(const std::string& type,
                      grpc::reflection::v1::ServerReflectionResponse& response) const;

  std::vector<std::string> services_;
  std::set<const google::protobuf::FileDescriptor*> files_;
};

}  // namespace trunkline::api
