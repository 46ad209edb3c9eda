// Any bytes through the door to Proton's codec: what it takes is written in one way only, and
// nothing that it does reaches us as an exception.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "router/amqp/value.h"
#include "router/base/check.h"

namespace trunkline::amqp {
namespace {

void RoundTripValue(std::string_view raw) {
  const absl::StatusOr<proton::value> value = DecodeValue(raw);
  if (!value.ok()) return;
  const absl::StatusOr<std::string> written = EncodeValue(*value);
  if (!written.ok() || written->size() > kValueBytesMax) return;
  const absl::StatusOr<proton::value> again = DecodeValue(*written);
  TL_CHECK(again.ok()) << again.status();
  const absl::StatusOr<std::string> twice = EncodeValue(*again);
  TL_CHECK(twice.ok() && *twice == *written);
}

void RoundTripMap(std::string_view raw) {
  const absl::StatusOr<PlainMap> map = DecodeMap(raw);
  if (!map.ok()) return;
  const absl::StatusOr<std::string> written = EncodeMap(*map);
  TL_CHECK(written.ok()) << written.status();
  const absl::StatusOr<PlainMap> again = DecodeMap(*written);
  TL_CHECK(again.ok()) << again.status();
  TL_CHECK(again->size() == map->size());
  const absl::StatusOr<std::string> twice = EncodeMap(*again);
  TL_CHECK(twice.ok() && *twice == *written);
}

}  // namespace
}  // namespace trunkline::amqp

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const std::string_view raw(reinterpret_cast<const char*>(bytes), size);
  trunkline::amqp::RoundTripValue(raw);
  trunkline::amqp::RoundTripMap(raw);
  return 0;
}
