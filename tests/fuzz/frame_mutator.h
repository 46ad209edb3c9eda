#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace trunkline::fuzz {

// Changes what an AMQP peer says so that most of it stays what frames look like: one frame is left
// out, said twice, moved, put on another channel or given another body; one field of a performative
// gets a value that is at a limit, of another type or missing. Lengths are set right again, as a
// parser that stops at the first wrong length shows little. What is no frame is kept as it is.
//
// `mutate` changes bytes in any way (libFuzzer's own mutations): it gets a buffer, the size of what
// is in it and the most that it may become, and returns the size that it has then.
using MutateBytes = size_t (*)(uint8_t* data, size_t size, size_t size_max);
std::string MutateFrames(std::string_view frames, size_t size_max, uint32_t seed,
                         MutateBytes mutate);

}  // namespace trunkline::fuzz
