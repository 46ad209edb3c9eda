#include "router/base/payload.h"

#include <algorithm>
#include <cstdlib>

namespace trunkline {

BlockPool::~BlockPool() {
  TL_CHECK(bytes_in_use_ == 0) << bytes_in_use_ << " bytes of slices outlive their pool";
  Trim();
}

Block* BlockPool::Take(uint32_t capacity) {
  Block* block;
  if (capacity == kBlockBytes && !free_.empty()) {
    block = free_.back();
    free_.pop_back();
  } else {
    void* memory = std::malloc(sizeof(Block) + capacity);
    TL_CHECK(memory != nullptr) << "out of memory for " << capacity << " bytes";
    block = static_cast<Block*>(memory);
    block->pool = this;
    block->capacity = capacity;
  }
  block->refs = 1;
  block->used = 0;
  bytes_in_use_ += capacity;
  return block;
}

void BlockPool::Return(Block* block) {
  bytes_in_use_ -= block->capacity;
  if (block->capacity == kBlockBytes && free_.size() < kFreeMax) {
    free_.push_back(block);
  } else {
    std::free(block);
  }
}

void BlockPool::Trim() {
  for (Block* block : free_) std::free(block);
  free_.clear();
  free_.shrink_to_fit();
}

void Payload::RemovePrefix(uint64_t n) {
  TL_DCHECK(n <= bytes_);
  bytes_ -= n;
  size_t whole = 0;
  while (n > 0 && n >= slices_[whole].size()) n -= slices_[whole++].size();
  if (n > 0) slices_[whole].RemovePrefix(static_cast<uint32_t>(n));
  slices_.erase(slices_.begin(), slices_.begin() + whole);
}

std::string_view Payload::Prefix(size_t max, std::string& scratch) const {
  if (slices_.empty()) return {};
  const size_t want = std::min<uint64_t>(max, bytes_);
  if (slices_[0].size() >= want) return slices_[0].view().substr(0, want);
  scratch.clear();
  for (const Slice& slice : slices_) {
    scratch.append(slice.view().substr(0, want - scratch.size()));
    if (scratch.size() == want) break;
  }
  return scratch;
}

std::string Payload::ToString() const {
  std::string text;
  text.reserve(bytes_);
  for (const Slice& slice : slices_) text.append(slice.view());
  return text;
}

void Payload::Compact(BlockPool& pool) {
  if (bytes_ == 0 || bytes_ > kCompactMax) return;
  if (slices_.size() == 1 && slices_[0].block() != nullptr &&
      slices_[0].block()->capacity <= kCompactMax) {
    return;
  }
  Block* block = pool.Take(static_cast<uint32_t>(bytes_));
  for (const Slice& slice : slices_) {
    std::memcpy(block->tail(), slice.data(), slice.size());
    block->used += slice.size();
  }
  slices_.clear();
  slices_.push_back(Slice(block, block->bytes, block->used));
  BlockPool::Unref(block);
}

}  // namespace trunkline
