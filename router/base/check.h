#pragma once

#include <sstream>
#include <string>

namespace trunkline::internal {

// Collects the text behind a failed check; its destructor prints it to stderr and aborts.
class CheckFailure {
 public:
  CheckFailure(const char* file, int line, const char* condition);
  [[noreturn]] ~CheckFailure();
  std::ostream& stream() { return text_; }

 private:
  std::ostringstream text_;
};

struct Voidify {
  void operator&(std::ostream&) const {}
};

}  // namespace trunkline::internal

// Says that we are wrong, never that a peer is: on in production, ends the process. Takes a
// message: TL_CHECK(open > 0) << "settled twice: " << ref;
#define TL_CHECK(condition)                         \
  __builtin_expect(static_cast<bool>(condition), 1) \
      ? (void)0                                     \
      : ::trunkline::internal::Voidify() &          \
            ::trunkline::internal::CheckFailure(__FILE__, __LINE__, #condition).stream()

// As TL_CHECK, in debug and sanitizer builds only: for the hot path.
#ifdef NDEBUG
#define TL_DCHECK(condition) TL_CHECK(true || (condition))
#else
#define TL_DCHECK(condition) TL_CHECK(condition)
#endif
