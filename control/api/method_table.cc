#include "control/api/method_table.h"

#include "control/config/file_source.h"
#include "control/config/text.h"
#include "proto/trunkline/control/v1/address_service.pb.h"
#include "proto/trunkline/control/v1/connection_service.pb.h"
#include "proto/trunkline/control/v1/connector_service.pb.h"
#include "proto/trunkline/control/v1/listener_service.pb.h"
#include "proto/trunkline/control/v1/router_service.pb.h"
#include "proto/trunkline/control/v1/stats_service.pb.h"
#include "proto/trunkline/control/v1/tls_service.pb.h"
#include "proto/trunkline/control/v1/trace_service.pb.h"
#include "proto/trunkline/control/v1/user_service.pb.h"
#include "router/base/check.h"

namespace trunkline::api {
namespace {

using config::Concat;
using google::protobuf::Descriptor;
using google::protobuf::Message;
using google::protobuf::MessageFactory;

std::unique_ptr<Message> New(const Descriptor* type) {
  return std::unique_ptr<Message>(MessageFactory::generated_factory()->GetPrototype(type)->New());
}

size_t RequestBytesMax(const Method& method) {
  if (method.descriptor->input_type() == v1::ValidateConfigRequest::descriptor()) {
    return config::kConfigBytesMax + kQuestionBytesMax;
  }
  return method.mutates && !method.streams ? kChangeBytesMax : kQuestionBytesMax;
}

// `role` is that of a method without options.
Method MethodOf(const google::protobuf::MethodDescriptor& descriptor, v1::AccessRole role) {
  const v1::MethodRules& rules = descriptor.options().GetExtension(v1::method);
  const google::protobuf::ServiceDescriptor& service = *descriptor.service();
  Method method;
  method.descriptor = &descriptor;
  method.path = Concat("/", service.full_name(), "/", descriptor.name());
  method.service = service.name();
  method.name = descriptor.name();
  method.role = rules.role() == v1::ACCESS_ROLE_UNSPECIFIED ? role : rules.role();
  method.mutates = rules.mutates();
  method.streams = descriptor.server_streaming();
  method.request_bytes_max = RequestBytesMax(method);
  TL_CHECK(method.role != v1::ACCESS_ROLE_UNSPECIFIED) << method.path << " has no role";
  TL_CHECK(!descriptor.client_streaming()) << method.path << " takes many requests";
  return method;
}

}  // namespace

std::unique_ptr<Message> Method::NewRequest() const { return New(descriptor->input_type()); }

std::unique_ptr<Message> Method::NewReply() const { return New(descriptor->output_type()); }

// A message of each: what nothing refers to is not part of a program.
std::vector<const google::protobuf::FileDescriptor*> ServiceFiles() {
  return {
      v1::GetAddressRequest::descriptor()->file(),   v1::GetConnectionRequest::descriptor()->file(),
      v1::GetConnectorRequest::descriptor()->file(), v1::GetListenerRequest::descriptor()->file(),
      v1::GetLogLevelsRequest::descriptor()->file(), v1::GetRouterRequest::descriptor()->file(),
      v1::GetStatsRequest::descriptor()->file(),     v1::GetTlsProfileRequest::descriptor()->file(),
      v1::GetUserStoreRequest::descriptor()->file()};
}

MethodTable::MethodTable(const std::vector<const google::protobuf::FileDescriptor*>& files,
                         const std::vector<Foreign>& foreign) {
  for (const auto* file : files) Add(*file, v1::ACCESS_ROLE_UNSPECIFIED);
  for (const Foreign& each : foreign) Add(*each.file, each.role);
  // Only then: they no longer move.
  for (const Method& method : methods_) by_path_[method.path] = &method;
}

void MethodTable::Add(const google::protobuf::FileDescriptor& file, v1::AccessRole role) {
  for (int i = 0; i < file.service_count(); ++i) {
    const google::protobuf::ServiceDescriptor& service = *file.service(i);
    for (int k = 0; k < service.method_count(); ++k) {
      methods_.push_back(MethodOf(*service.method(k), role));
    }
  }
}

const Method* MethodTable::Find(std::string_view path) const {
  const auto found = by_path_.find(path);
  return found == by_path_.end() ? nullptr : found->second;
}

}  // namespace trunkline::api
