#pragma once

#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>
#include <variant>

#include "tests/bench/stream.h"

namespace trunkline::bench {

// Command line of a load generator: --name VALUE into the variable of that name; --name alone for a
// bool.
class Flags {
 public:
  using Target = std::variant<bool*, int*, uint32_t*, uint64_t*, double*, std::string*>;

  explicit Flags(std::map<std::string, Target> targets) : targets_(std::move(targets)) {}

  // Ends the process on what it does not know.
  void Parse(int argc, char** argv) {
    for (int i = 1; i < argc; ++i) {
      const std::string word = argv[i];
      const auto found = targets_.find(word.substr(0, 2) == "--" ? word.substr(2) : "");
      if (found == targets_.end())
        Die(word + ": unknown; the head of the source lists the options");
      if (bool** flag = std::get_if<bool*>(&found->second)) {
        **flag = true;
        continue;
      }
      if (++i == argc) Die(word + ": needs a value");
      std::visit([&](auto* target) { Set(argv[i], *target); }, found->second);
    }
  }

 private:
  static void Set(const char*, bool&) {}
  static void Set(const char* text, int& target) { target = std::atoi(text); }
  static void Set(const char* text, uint32_t& target) {
    target = static_cast<uint32_t>(std::strtoul(text, nullptr, 10));
  }
  static void Set(const char* text, uint64_t& target) { target = std::strtoull(text, nullptr, 10); }
  static void Set(const char* text, double& target) { target = std::atof(text); }
  static void Set(const char* text, std::string& target) { target = text; }

  std::map<std::string, Target> targets_;
};

}  // namespace trunkline::bench
