#pragma once

#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "router/amqp/types.h"
#include "tests/sim/checkers/conservation.h"
#include "tests/sim/checkers/credit.h"
#include "tests/sim/checkers/order.h"
#include "tests/sim/checkers/settlement.h"

namespace trunkline::sim {

// The checkers that watch what clients see.
struct Checkers {
  Checkers(const Ledger& ledger, Verdict& the_verdict)
      : conservation(ledger, the_verdict),
        order(ledger, the_verdict),
        settlement(ledger, the_verdict),
        credit(ledger, the_verdict),
        verdict(the_verdict) {}

  // The router ended something that did nothing wrong; or an engine did, since the router had.
  void Unexpected(std::string_view what, const amqp::Condition& error) {
    verdict.Fail("protocol",
                 absl::StrCat(std::string(what), ": ", error.name, " ", error.description));
  }

  Conservation conservation;
  Order order;
  Settlement settlement;
  Credit credit;
  Verdict& verdict;
};

}  // namespace trunkline::sim
