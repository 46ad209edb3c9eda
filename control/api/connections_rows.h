#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "control/api/method_table.h"
#include "control/api/observing.h"
#include "proto/trunkline/control/v1/connection_service.pb.h"
#include "router/observe.h"
#include "router/snapshot.h"

namespace trunkline::api {

// Connections and links as the API tells them, and their names. Pure. What peers say is told as
// UTF-8, whatever it is.

v1::Connection ToProto(const ConnectionState& state, const WallClock& clock);
// As it is when it opens: what can change is left out.
v1::Connection ToProto(const ConnectionUp& event, const WallClock& clock);
v1::Link ToProto(const LinkState& state, const WallClock& clock);

std::string ConnectionName(uint64_t id);
std::string LinkName(uint64_t connection, uint64_t link);

// What names say. InvalidArgument, with the field: they are none.
absl::StatusOr<uint64_t> ParseConnectionName(std::string_view name, const char* field);
struct LinkId {
  uint64_t connection = 0;
  uint64_t link = 0;
};
absl::StatusOr<LinkId> ParseLinkName(std::string_view name, const char* field);
// "connections/-" is 0.
absl::StatusOr<uint64_t> ParseParent(std::string_view parent, const char* field);

}  // namespace trunkline::api
