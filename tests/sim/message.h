#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace trunkline::sim {

// A message of the simulation: optional sections in front, then the bare message (properties, data)
// that has to arrive untouched. The data names the message: magic, id, producer, sequence, length,
// then bytes that look random and are given by the id.
struct MessageShape {
  uint32_t id = 0;
  uint32_t producer = 0;
  uint32_t sequence = 0;
  uint32_t body_bytes = 0;  // behind the name
  std::optional<std::string> to;
  bool header = false;
  bool annotations = false;  // message annotations of the user's
};

// Encoded, and where its bare message begins.
struct EncodedMessage {
  std::string bytes;
  size_t bare = 0;
};
EncodedMessage Encode(const MessageShape& shape);

// Where the bare message begins in the first bytes of a message; none: more bytes are needed, or
// they are not a message (then `size()` is never reached by more, and the id is never found).
std::optional<size_t> FindBare(std::string_view bytes);

// The id in the first bytes of a bare message; none: as above.
std::optional<uint32_t> FindId(std::string_view bare);

}  // namespace trunkline::sim
