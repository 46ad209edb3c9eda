#pragma once

#include <string>
#include <string_view>

#include "control/cli/amqp_client.h"

namespace trunkline::cli {

// Messages as they are shown.

bool IsUtf8(std::string_view text);
// In quotes, as JSON has it. What is no UTF-8 is replaced.
std::string JsonQuoted(std::string_view text);
// On one line: what the message has, by the names of its proto-like fields ("subject", "body" or
// "body_base64"); what it has not is left out.
std::string JsonOf(const AmqpMessage& message);
// "k=v k=v".
std::string PropertiesOf(const AmqpMessage& message);

}  // namespace trunkline::cli
