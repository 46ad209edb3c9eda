#pragma once

#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace trunkline::config {
namespace internal {

inline absl::string_view Piece(std::string_view text) { return {text.data(), text.size()}; }
template <typename T>
const T& Piece(const T& part) {
  return part;
}

}  // namespace internal

// absl::StrCat, which also takes std::string_view: Debian's absl has a string_view of its own.
template <typename... T>
std::string Concat(const T&... parts) {
  return absl::StrCat(internal::Piece(parts)...);
}

// std::string_view of an absl::string_view, such as a status message.
inline std::string_view View(absl::string_view text) { return {text.data(), text.size()}; }

// The text in quotes, for messages; long text is cut, at the start of a UTF-8 character.
inline std::string Quote(std::string_view text) {
  constexpr size_t kShownBytesMax = 60;
  if (text.size() <= kShownBytesMax) return Concat("\"", text, "\"");
  size_t end = kShownBytesMax;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return Concat("\"", text.substr(0, end), "…\"");
}

}  // namespace trunkline::config
