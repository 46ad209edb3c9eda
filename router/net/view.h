#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "router/conn/frame_trace.h"
#include "router/core/address.h"
#include "router/core/route_table.h"
#include "router/core/tap.h"
#include "router/sasl/users.h"
#include "router/tls/context.h"

namespace trunkline::net {

// What a TLS profile is: see Router::SetTls.
struct TlsInForce {
  std::shared_ptr<const tls::Context> context;
  uint64_t revision = 0;
};
// By profile name.
using TlsProfiles = absl::flat_hash_map<std::string, TlsInForce>;
// Users by store name.
using UserStores = absl::flat_hash_map<std::string, std::shared_ptr<const sasl::Users>>;

// Who looks at messages and frames. Null: nobody does.
struct Lookers {
  std::shared_ptr<const core::TapSet> taps;
  std::shared_ptr<const conn::FrameWishes> frames;
};

// All that a worker knows of the world, published as one value: a worker holds exactly one View for
// a whole turn, so routes, settings, certificates and users never tear.
//
// Made by the pilot, never changed after it was published, freed by the pilot when no worker reads
// it any more: a worker never destroys a large table.
struct View {
  uint64_t version = 0;
  core::RouteTable routes;
  std::shared_ptr<const core::AddressSettings> settings;
  TlsProfiles tls;
  UserStores users;
  Lookers lookers;
};

}  // namespace trunkline::net
