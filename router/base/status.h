#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

// Leaves the function with the status of `expression` unless that is OK:
//   TL_RETURN_IF_ERROR(Validate(spec));
#define TL_RETURN_IF_ERROR(expression)                                                   \
  do {                                                                                   \
    if (::absl::Status tl_status = (expression); __builtin_expect(!tl_status.ok(), 0)) { \
      return tl_status;                                                                  \
    }                                                                                    \
  } while (false)

// Assigns the value of a StatusOr to `target`, which may be a declaration, or leaves the function
// with its status:
//   TL_ASSIGN_OR_RETURN(auto context, Context::Build(bundle));
#define TL_ASSIGN_OR_RETURN(target, expression) \
  TL_ASSIGN_OR_RETURN_NAMED_(TL_STATUS_NAME_(tl_statusor_, __LINE__), target, expression)

#define TL_STATUS_NAME_(prefix, line) TL_STATUS_NAME_PASTE_(prefix, line)
#define TL_STATUS_NAME_PASTE_(prefix, line) prefix##line
#define TL_ASSIGN_OR_RETURN_NAMED_(name, target, expression) \
  auto name = (expression);                                  \
  if (__builtin_expect(!name.ok(), 0)) return name.status(); \
  target = *std::move(name)
