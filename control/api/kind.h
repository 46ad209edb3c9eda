#pragma once

#include <string>
#include <vector>

#include "control/api/method_table.h"
#include "control/config/collection.h"
#include "google/protobuf/message.h"

namespace trunkline::api {

// A kind of resource, and the methods and fields by which callers handle it. All kinds have the
// same, by the same names (proto: *_service.proto), so what handles them knows no type of theirs.
struct Kind {
  const config::Collection* collection = nullptr;
  std::string field;     // of the resource, in requests and answers: "tls_profile"
  std::string id_field;  // of the id, in a Create request: "tls_profile_id"
  const Method* create = nullptr;
  const Method* get = nullptr;
  const Method* list = nullptr;
  const Method* update = nullptr;
  const Method* remove = nullptr;
  const Method* watch = nullptr;

  // "TLS_PROFILE", of which reasons are made.
  std::string Word() const { return WordOf(*collection); }
  static std::string WordOf(const config::Collection& collection);
};

// Every collection, in their order. TL_CHECKs that each has its methods: a mistake of ours.
std::vector<Kind> FindKinds(const MethodTable& methods);

// Fields of requests and answers, by name. REQUIRES: the message has the field, of this type.
bool FlagOf(const google::protobuf::Message& message, const char* field);
int32_t NumberOf(const google::protobuf::Message& message, const char* field);
bool HasMessage(const google::protobuf::Message& message, const std::string& field);
const google::protobuf::Message& MessageOf(const google::protobuf::Message& message,
                                           const std::string& field);
google::protobuf::Message& MutableMessageOf(google::protobuf::Message& message,
                                            const std::string& field);

}  // namespace trunkline::api
