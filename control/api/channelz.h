#pragma once

#include <vector>

#include "control/api/desk.h"
#include "control/api/method_table.h"

namespace trunkline::api {

// What gRPC's library knows of its own connections (grpc.channelz.v1): peers, streams, keepalives,
// the last bytes. Operators may see it, as other callers' addresses are among it.

std::vector<MethodTable::Foreign> ChannelzMethods();
Handlers MakeChannelzHandlers();

}  // namespace trunkline::api
