#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace trunkline {

// Text that must not be seen: a password. Immutable; copies share it. It lies in pages of its own
// that core dumps leave out, and is overwritten when the last copy goes. Not for logs, errors or
// anything else that leaves the process.
//
// Thread: any.
class Secret {
 public:
  Secret() = default;  // empty
  explicit Secret(std::string_view text);

  std::string_view view() const;
  bool empty() const { return pages_ == nullptr; }
  bool operator==(const Secret& other) const { return view() == other.view(); }

 private:
  class Pages;
  std::shared_ptr<const Pages> pages_;  // null: empty
};

// Overwrites `text`, then empties it. What it was copied or moved from is not its business.
void Wipe(std::string& text);

}  // namespace trunkline
