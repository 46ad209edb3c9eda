#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "router/core/route_table.h"
#include "router/mesh/directory.h"

namespace trunkline::mesh {

// Makes the route table out of the directory, by what changed in it: each changed address costs its
// own route and one path of the table, however many of its consumers came or went.
//
// A route keeps its id as long as its address has consumers; then the id is given to another one.
// The directory and the builder belong together from their beginning to their end.
//
// Thread: the pilot's.
class TableBuilder {
 public:
  // See RouteTable: the same seed, the same table.
  explicit TableBuilder(uint64_t hash_seed = 0);

  // Takes the changes of `directory`. True if there is a table other than before.
  bool Update(Directory& directory);

  // The newest table; copying it is cheap.
  const core::RouteTable& table() const { return table_; }

  // Ids are below this number.
  uint32_t id_limit() const { return id_limit_; }

 private:
  uint32_t IdFor(std::string_view key);

  core::RouteTable table_;
  std::vector<uint32_t> free_ids_;
  uint32_t id_limit_ = 0;
};

}  // namespace trunkline::mesh
