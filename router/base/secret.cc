#include "router/base/secret.h"

#include <string.h>
#include <sys/mman.h>

#include <cstring>

#include "router/base/check.h"

namespace trunkline {

// Whole pages of memory with the text at their start.
class Secret::Pages {
 public:
  explicit Pages(std::string_view text)
      : memory_(::mmap(nullptr, text.size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                       -1, 0)),
        size_(text.size()) {
    TL_CHECK(memory_ != MAP_FAILED) << "out of memory for a secret";
    ::madvise(memory_, size_, MADV_DONTDUMP);
    std::memcpy(memory_, text.data(), size_);
  }
  ~Pages() {
    ::explicit_bzero(memory_, size_);
    ::munmap(memory_, size_);
  }
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;

  std::string_view view() const { return {static_cast<const char*>(memory_), size_}; }

 private:
  void* const memory_;
  const size_t size_;
};

Secret::Secret(std::string_view text) {
  if (!text.empty()) pages_ = std::make_shared<const Pages>(text);
}

std::string_view Secret::view() const {
  return pages_ == nullptr ? std::string_view() : pages_->view();
}

void Wipe(std::string& text) {
  text.resize(text.capacity());  // a longer one may have been there
  ::explicit_bzero(text.data(), text.size());
  text.clear();
}

}  // namespace trunkline
