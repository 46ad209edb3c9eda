#pragma once

#include <vector>

#include "control/cli/table.h"
#include "google/protobuf/descriptor.h"

namespace trunkline::cli {

// What people want to see of messages of this type, in this order. Of one that is not known here:
// its plain fields.
const std::vector<Column>& ColumnsOf(const google::protobuf::Descriptor& type);

}  // namespace trunkline::cli
