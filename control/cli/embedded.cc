#include "control/cli/embedded.h"

// The bytes of FILE, between NAME_begin and NAME_end.
#define EMBED(NAME, FILE)                                                     \
  asm(".section .rodata\n" #NAME "_begin: .incbin \"" FILE "\"\n" #NAME       \
      "_end: .byte 0\n"                                                       \
      ".previous\n");                                                         \
  extern "C" __attribute__((visibility("hidden"))) const char NAME##_begin[]; \
  extern "C" __attribute__((visibility("hidden"))) const char NAME##_end[]

EMBED(trunkline_manual, TRUNKLINE_MANUAL);
EMBED(trunkline_bash, TRUNKLINE_CLI "/completion.bash");
EMBED(trunkline_zsh, TRUNKLINE_CLI "/completion.zsh");

namespace trunkline::cli {
namespace {

std::string_view Between(const char* begin, const char* end) {
  return {begin, static_cast<size_t>(end - begin)};
}

}  // namespace

std::string_view ManualBytes() { return Between(trunkline_manual_begin, trunkline_manual_end); }
std::string_view BashScript() { return Between(trunkline_bash_begin, trunkline_bash_end); }
std::string_view ZshScript() { return Between(trunkline_zsh_begin, trunkline_zsh_end); }

}  // namespace trunkline::cli
