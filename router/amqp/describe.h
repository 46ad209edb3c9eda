#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace trunkline::amqp {

// AMQP for people: values, frames and messages as text of bounded length. Takes any bytes; what is
// malformed is said to be so. Never on the way of a message that nobody looks at.

// The encoded value at the front of `encoded`, as text of about `bytes_max` bytes: true, 17,
// "text", :symbol, 0x00ff, [list], {"key"=value}, @source(40) [address="orders"]. What is beyond is
// "...".
std::string DescribeValue(std::string_view encoded, size_t bytes_max);

// The body of a frame: "@attach(18) [name="a", handle=0, role=true]", of a transfer followed by the
// number of its payload's bytes, "(64)". `whole` is the size of the body, of which `first` are the
// first bytes. Secrets of SASL frames (responses, challenges) are said to be hidden.
std::string DescribeFrame(std::string_view first, size_t whole);

using TextFields = std::vector<std::pair<std::string, std::string>>;

// The sections of a message as text.
struct MessageText {
  TextFields header;
  TextFields delivery_annotations;
  TextFields message_annotations;
  TextFields properties;
  TextFields application_properties;
  std::string_view body;  // the sections of the body as they are encoded, as far as they were given
  // Something is not told: a text or a section was too long, or the message is malformed there.
  bool cut = false;
};
// Fields of a section, and bytes of each value, at most.
inline constexpr size_t kDescribedFieldsMax = 64;
inline constexpr size_t kDescribedValueMax = 256;

// `first` are the first bytes of a message.
MessageText DescribeMessage(std::string_view first);

}  // namespace trunkline::amqp
