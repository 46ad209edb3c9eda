#include "control/api/channelz.h"

#include <grpc/grpc.h>
#include <grpc/support/alloc.h>

#include <memory>
#include <string>

#include "control/config/error_details.h"
#include "google/protobuf/util/json_util.h"
#include "proto/grpc/channelz/v1/channelz.pb.h"
#include "router/base/log.h"

namespace trunkline::api {
namespace {

constexpr LogModule kLogModule = LogModule::kControl;

namespace channelz = grpc::channelz::v1;

// What the library answers: JSON of the reply, or null where there is nothing of that number.
struct FreeText {
  void operator()(char* text) const { gpr_free(text); }
};
using Text = std::unique_ptr<char, FreeText>;

void Answer(Call& call, Text json) {
  if (json == nullptr) {
    return call.Finish(config::WithReason(
        absl::NotFoundError("there is nothing of that number, or no more"), "NOT_FOUND"));
  }
  const auto reply = call.method().NewReply();
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;
  const auto read = google::protobuf::util::JsonStringToMessage(json.get(), reply.get(), options);
  if (read.ok()) return call.Reply(*reply);
  TL_LOG(error, "channelz", {"error", read.ToString()});
  call.Finish(absl::InternalError("the library's answer cannot be read"));
}

// The first number in the request that is less than 0: the library would end the process.
const google::protobuf::FieldDescriptor* NegativeIn(const google::protobuf::Message& request) {
  const google::protobuf::Descriptor& type = *request.GetDescriptor();
  for (int i = 0; i < type.field_count(); ++i) {
    const google::protobuf::FieldDescriptor* field = type.field(i);
    const bool is_number = field->cpp_type() == google::protobuf::FieldDescriptor::CPPTYPE_INT64;
    if (is_number && request.GetReflection()->GetInt64(request, field) < 0) return field;
  }
  return nullptr;
}

// A handler that asks the library by the request.
template <typename Request, typename Ask>
Handler HandlerOf(Ask ask) {
  return [ask](std::shared_ptr<Call> call) {
    const auto& request = call->As<Request>();
    if (const auto* wrong = NegativeIn(request)) {
      return call->Finish(config::WithViolations(
          config::WithReason(absl::InvalidArgumentError("a number is less than 0"),
                             "INVALID_FIELD"),
          {{wrong->name(), "is less than 0"}}));
    }
    Answer(*call, Text(ask(request)));
  };
}

}  // namespace

std::vector<MethodTable::Foreign> ChannelzMethods() {
  return {{channelz::GetServersRequest::descriptor()->file(), v1::ACCESS_ROLE_OPERATOR}};
}

Handlers MakeChannelzHandlers() {
  Handlers handlers;
  handlers["Channelz/GetTopChannels"] = HandlerOf<channelz::GetTopChannelsRequest>(
      [](const auto& r) { return grpc_channelz_get_top_channels(r.start_channel_id()); });
  handlers["Channelz/GetServers"] = HandlerOf<channelz::GetServersRequest>(
      [](const auto& r) { return grpc_channelz_get_servers(r.start_server_id()); });
  handlers["Channelz/GetServer"] = HandlerOf<channelz::GetServerRequest>(
      [](const auto& r) { return grpc_channelz_get_server(r.server_id()); });
  handlers["Channelz/GetServerSockets"] =
      HandlerOf<channelz::GetServerSocketsRequest>([](const auto& r) {
        return grpc_channelz_get_server_sockets(r.server_id(), r.start_socket_id(),
                                                r.max_results());
      });
  handlers["Channelz/GetChannel"] = HandlerOf<channelz::GetChannelRequest>(
      [](const auto& r) { return grpc_channelz_get_channel(r.channel_id()); });
  handlers["Channelz/GetSubchannel"] = HandlerOf<channelz::GetSubchannelRequest>(
      [](const auto& r) { return grpc_channelz_get_subchannel(r.subchannel_id()); });
  handlers["Channelz/GetSocket"] = HandlerOf<channelz::GetSocketRequest>(
      [](const auto& r) { return grpc_channelz_get_socket(r.socket_id()); });
  return handlers;
}

}  // namespace trunkline::api
