#include "control/api/reflection.h"

#include <set>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "google/protobuf/descriptor.pb.h"

namespace trunkline::api {
namespace {

using google::protobuf::DescriptorPool;
using google::protobuf::FileDescriptor;
using grpc::reflection::v1::ServerReflectionRequest;
using grpc::reflection::v1::ServerReflectionResponse;

void Fail(absl::StatusCode code, std::string message, ServerReflectionResponse& response) {
  response.mutable_error_response()->set_error_code(static_cast<int>(code));
  response.mutable_error_response()->set_error_message(std::move(message));
}

constexpr size_t kNameBytesMax = 512;

// Of what a request asks about.
std::string_view NameIn(const ServerReflectionRequest& request) {
  switch (request.message_request_case()) {
    case ServerReflectionRequest::kFileByFilename:
      return request.file_by_filename();
    case ServerReflectionRequest::kFileContainingSymbol:
      return request.file_containing_symbol();
    case ServerReflectionRequest::kFileContainingExtension:
      return request.file_containing_extension().containing_type();
    case ServerReflectionRequest::kAllExtensionNumbersOfType:
      return request.all_extension_numbers_of_type();
    default:
      return "";
  }
}

// Imports first, each file once.
void Append(const FileDescriptor* file, std::set<const FileDescriptor*>& seen,
            grpc::reflection::v1::FileDescriptorResponse& answer) {
  if (!seen.insert(file).second) return;
  for (int i = 0; i < file->dependency_count(); ++i) Append(file->dependency(i), seen, answer);
  google::protobuf::FileDescriptorProto proto;
  file->CopyTo(&proto);
  answer.add_file_descriptor_proto(proto.SerializeAsString());
}

}  // namespace

Reflection::Reflection(const std::vector<std::string>& services,
                       const std::vector<const FileDescriptor*>& more)
    : services_(services) {
  for (const FileDescriptor* file : more) AddWithImports(file);
  for (const std::string& service : services_) {
    const auto* found = DescriptorPool::generated_pool()->FindServiceByName(service);
    if (found != nullptr) AddWithImports(found->file());
  }
}

void Reflection::AddWithImports(const FileDescriptor* file) {
  if (!files_.insert(file).second) return;
  for (int i = 0; i < file->dependency_count(); ++i) AddWithImports(file->dependency(i));
}

ServerReflectionResponse Reflection::Answer(const ServerReflectionRequest& request) const {
  ServerReflectionResponse response;
  response.set_valid_host(request.host());
  *response.mutable_original_request() = request;
  if (NameIn(request).size() > kNameBytesMax) {
    Fail(absl::StatusCode::kNotFound, "there is nothing with so long a name", response);
    return response;
  }
  const DescriptorPool& pool = *DescriptorPool::generated_pool();
  switch (request.message_request_case()) {
    case ServerReflectionRequest::kFileByFilename:
      TellFile(pool.FindFileByName(request.file_by_filename()), response);
      break;
    case ServerReflectionRequest::kFileContainingSymbol:
      TellFile(pool.FindFileContainingSymbol(request.file_containing_symbol()), response);
      break;
    case ServerReflectionRequest::kFileContainingExtension: {
      const auto& wanted = request.file_containing_extension();
      const auto* type = pool.FindMessageTypeByName(wanted.containing_type());
      const auto* extension =
          type == nullptr ? nullptr : pool.FindExtensionByNumber(type, wanted.extension_number());
      TellFile(extension == nullptr ? nullptr : extension->file(), response);
      break;
    }
    case ServerReflectionRequest::kAllExtensionNumbersOfType:
      TellExtensions(request.all_extension_numbers_of_type(), response);
      break;
    case ServerReflectionRequest::kListServices:
      response.mutable_list_services_response();
      for (const std::string& service : services_) {
        response.mutable_list_services_response()->add_service()->set_name(service);
      }
      break;
    case ServerReflectionRequest::MESSAGE_REQUEST_NOT_SET:
      Fail(absl::StatusCode::kInvalidArgument, "the request asks nothing that is known", response);
      break;
  }
  return response;
}

void Reflection::TellFile(const FileDescriptor* file, ServerReflectionResponse& response) const {
  if (file == nullptr || !files_.contains(file)) {
    return Fail(absl::StatusCode::kNotFound, "there is no such file, symbol or extension",
                response);
  }
  std::set<const FileDescriptor*> seen;
  Append(file, seen, *response.mutable_file_descriptor_response());
}

void Reflection::TellExtensions(const std::string& type, ServerReflectionResponse& response) const {
  const DescriptorPool& pool = *DescriptorPool::generated_pool();
  const auto* found = pool.FindMessageTypeByName(type);
  if (found == nullptr || !files_.contains(found->file())) {
    return Fail(absl::StatusCode::kNotFound, "there is no such message", response);
  }
  auto& answer = *response.mutable_all_extension_numbers_response();
  answer.set_base_type_name(type);
  std::vector<const google::protobuf::FieldDescriptor*> extensions;
  pool.FindAllExtensions(found, &extensions);
  for (const auto* extension : extensions) {
    if (files_.contains(extension->file())) answer.add_extension_number(extension->number());
  }
}

}  // namespace trunkline::api
