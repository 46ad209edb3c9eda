#include "router/base/secret.h"

#include <string.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstring>

#include "router/base/check.h"

namespace trunkline {

SecretRoom::SecretRoom(size_t size) : size_(size) {
  if (size == 0) return;
  void* const memory =
      ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  TL_CHECK(memory != MAP_FAILED) << "out of memory for a secret";
  ::madvise(memory, size, MADV_DONTDUMP);
  ::madvise(memory, size, MADV_NOHUGEPAGE);  // a first byte would cost 2 MiB
  memory_ = static_cast<char*>(memory);
}

SecretRoom::~SecretRoom() {
  if (memory_ == nullptr) return;
  ::explicit_bzero(memory_, size_);
  ::munmap(memory_, size_);
}

Secret::Secret(std::string_view text) {
  if (text.empty()) return;
  const auto room = std::make_shared<SecretRoom>(text.size());
  std::memcpy(room->data(), text.data(), text.size());
  room_ = room;
}

std::string_view Secret::view() const {
  return room_ == nullptr ? std::string_view() : std::string_view(room_->data(), room_->size());
}

void Wipe(std::string& text) {
  text.resize(text.capacity());  // a longer one may have been there
  ::explicit_bzero(text.data(), text.size());
  text.clear();
}

void Wipe(std::optional<std::string>& text) {
  if (text) Wipe(*text);
}

void MoveBehind(std::string& to, std::string text) {
  if (to.capacity() - to.size() < text.size()) {
    std::string grown;
    grown.reserve(std::max(2 * to.size(), to.size() + text.size()));
    grown += to;
    Wipe(to);
    to.swap(grown);
  }
  to += text;
  Wipe(text);
}

}  // namespace trunkline
