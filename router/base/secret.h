#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace trunkline {

// Room for what must not be seen and comes about later: zero bytes in pages of their own, which
// core dumps leave out and which take no memory before they are written. Overwritten at its end.
//
// Thread: the owner's, one at a time.
class SecretRoom {
 public:
  explicit SecretRoom(size_t size);  // may be 0
  ~SecretRoom();
  SecretRoom(const SecretRoom&) = delete;
  SecretRoom& operator=(const SecretRoom&) = delete;

  char* data() { return memory_; }
  const char* data() const { return memory_; }
  size_t size() const { return size_; }

 private:
  char* memory_ = nullptr;
  const size_t size_;
};

// Text that must not be seen: a password. Immutable; copies share it. It lies in a SecretRoom and
// is overwritten when the last copy goes. Not for logs, errors or anything else that leaves the
// process.
//
// Thread: any.
class Secret {
 public:
  Secret() = default;  // empty
  explicit Secret(std::string_view text);

  std::string_view view() const;
  bool empty() const { return room_ == nullptr; }
  bool operator==(const Secret& other) const { return view() == other.view(); }

 private:
  std::shared_ptr<const SecretRoom> room_;  // null: empty
};

// Overwrites `text`, then empties it. What it was copied or moved from is not its business.
void Wipe(std::string& text);
void Wipe(std::optional<std::string>& text);
// With this capacity a string lies outside of its object, so that moving it leaves no copy behind.
inline constexpr size_t kOutOfObject = 64;
// Appends `text` to `to` and leaves no copy: neither of `text` nor of what had to move for it.
void MoveBehind(std::string& to, std::string text);

}  // namespace trunkline
