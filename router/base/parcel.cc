#include "router/base/parcel.h"

#include <utility>

#include "router/base/check.h"

namespace trunkline {

Parcel::Parcel(Parcel&& other) noexcept
    : first_(std::exchange(other.first_, {})),
      rest_(std::move(other.rest_)),
      bytes_(std::exchange(other.bytes_, 0)) {}

Parcel& Parcel::operator=(Parcel&& other) noexcept {
  TL_DCHECK(empty());
  first_ = std::exchange(other.first_, {});
  rest_ = std::move(other.rest_);
  bytes_ = std::exchange(other.bytes_, 0);
  return *this;
}

Parcel::~Parcel() { TL_DCHECK(empty()) << "a parcel ends with references in it"; }

Parcel Parcel::Pack(Payload&& payload) {
  Parcel parcel;
  payload.TakeSlices([&parcel](Slice&& slice) {
    const uint8_t* data = slice.data();
    const uint32_t size = slice.size();
    const Part part{slice.Release(), data, size};
    if (parcel.bytes_ == 0) {
      parcel.first_ = part;
    } else {
      if (parcel.rest_ == nullptr) parcel.rest_ = std::make_unique<std::vector<Part>>();
      parcel.rest_->push_back(part);
    }
    parcel.bytes_ += size;
  });
  return parcel;
}

template <typename Make>
Payload Parcel::Empty(Make make) {
  Payload payload;
  if (bytes_ == 0) return payload;
  payload.Append(make(first_));
  if (rest_ != nullptr) {
    for (const Part& part : *rest_) payload.Append(make(part));
    rest_.reset();
  }
  first_ = {};
  bytes_ = 0;
  return payload;
}

Payload Parcel::Unpack(BlockPool& mine) {
  return Empty([&mine](const Part& part) {
    Block* block = part.block != nullptr ? mine.Borrow(part.block) : nullptr;
    return Slice::Adopt(block, part.data, part.size);
  });
}

Payload Parcel::TakeBack() {
  return Empty([](const Part& part) { return Slice::Adopt(part.block, part.data, part.size); });
}

}  // namespace trunkline
