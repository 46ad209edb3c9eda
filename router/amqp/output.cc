#include "router/amqp/output.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace trunkline::amqp {
namespace {

// Slots for slices that are kept while the output is empty.
constexpr size_t kSlotsKept = 4;
// Slices that are gone before the list is moved up.
constexpr uint32_t kGoneMax = 64;

}  // namespace

Output::~Output() { Clear(); }

void Output::Append(std::string_view bytes) {
  while (!bytes.empty()) {
    if (block_ == nullptr || block_->room() == 0) NextBlock();
    const uint32_t n = static_cast<uint32_t>(std::min<size_t>(bytes.size(), block_->room()));
    std::memcpy(block_->tail(), bytes.data(), n);
    Commit(n);
    bytes.remove_prefix(n);
  }
}

void Output::Append(const Slice& slice) {
  if (slice.size() < kShareMin) return Append(slice.view());
  Seal();
  sealed_.push_back(slice);
  bytes_ += slice.size();
}

int Output::Gather(struct iovec* out, int max) const {
  int n = 0;
  for (size_t i = head_; i < sealed_.size() && n < max; ++i) {
    out[n++] = {const_cast<uint8_t*>(sealed_[i].data()), sealed_[i].size()};
  }
  if (open_bytes() > 0 && n < max) out[n++] = {block_->bytes + open_, open_bytes()};
  return n;
}

void Output::Consume(uint64_t n) {
  TL_CHECK(n <= bytes_) << n << " of " << bytes_;
  bytes_ -= n;
  if (bytes_ == 0) return Clear();
  while (head_ < sealed_.size() && n >= sealed_[head_].size()) {
    n -= sealed_[head_].size();
    sealed_[head_++] = Slice();
  }
  if (head_ < sealed_.size()) {
    sealed_[head_].RemovePrefix(static_cast<uint32_t>(n));
  } else {
    open_ += static_cast<uint32_t>(n);
  }
  if (head_ == sealed_.size() || head_ > kGoneMax) {
    sealed_.erase(sealed_.begin(), sealed_.begin() + head_);
    head_ = 0;
  }
}

void Output::Seal() {
  if (open_bytes() == 0) return;
  sealed_.push_back(Slice(block_, block_->bytes + open_, open_bytes()));
  open_ = block_->used;
}

void Output::NextBlock() {
  Seal();
  if (block_ != nullptr) BlockPool::Unref(block_);
  block_ = pool_.Take();
  open_ = 0;
}

void Output::Clear() {
  sealed_.clear();
  if (sealed_.capacity() > kSlotsKept) sealed_.shrink_to_fit();
  head_ = 0;
  if (block_ != nullptr) BlockPool::Unref(std::exchange(block_, nullptr));
  bytes_ = 0;
}

}  // namespace trunkline::amqp
