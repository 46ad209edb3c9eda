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

// Long text is cut, at the start of a UTF-8 character.
inline std::string Shorten(std::string_view text, size_t bytes_max) {
  if (text.size() <= bytes_max) return std::string(text);
  size_t end = bytes_max;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return Concat(text.substr(0, end), "…");
}

// The text in quotes, for messages, shortened.
inline std::string Quote(std::string_view text) {
  constexpr size_t kShownBytesMax = 60;
  return Concat("\"", Shorten(text, kShownBytesMax), "\"");
}

}  // namespace trunkline::config
