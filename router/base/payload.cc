#include "router/base/payload.h"

#include <algorithm>
#include <cstdlib>

namespace trunkline {

// The real block and how many references of it are stood for.
struct BlockPool::Proxy : Block {
  Block* origin;
  uint32_t origin_refs;
};

BlockPool::~BlockPool() {
  TL_CHECK(bytes_in_use_ == 0) << bytes_in_use_ << " bytes of slices outlive their pool";
  TL_CHECK(proxies_ == 0) << "slices of another pool outlive the one they are known to";
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
  if (block->capacity == 0) return ReturnProxy(static_cast<Proxy*>(block));
  bytes_in_use_ -= block->capacity;
  if (block->capacity == kBlockBytes && free_.size() < kFreeMax) {
    free_.push_back(block);
  } else {
    std::free(block);
  }
}

Block* BlockPool::Borrow(Block* origin) {
  if (last_proxy_ != nullptr && last_proxy_->origin == origin) {
    ++last_proxy_->refs;
    ++last_proxy_->origin_refs;
    return last_proxy_;
  }
  Proxy* proxy = new Proxy;
  proxy->pool = this;
  proxy->refs = 1;
  proxy->capacity = 0;
  proxy->used = 0;
  proxy->origin = origin;
  proxy->origin_refs = 1;
  ++proxies_;
  last_proxy_ = proxy;
  return proxy;
}

void BlockPool::ReturnProxy(Proxy* proxy) {
  const uint16_t home = proxy->origin->pool->id();
  if (home >= returns_.size()) returns_.resize(home + size_t{1});
  returns_[home].push_back({proxy->origin, proxy->origin_refs});
  if (last_proxy_ == proxy) last_proxy_ = nullptr;
  --proxies_;
  delete proxy;
}

std::vector<BlockReturn> BlockPool::TakeReturns(uint16_t pool) {
  if (returns(pool) == 0) return {};
  return std::exchange(returns_[pool], {});
}

void BlockPool::AcceptReturns(absl::Span<const BlockReturn> returns) {
  for (const BlockReturn& given : returns) {
    given.block->refs -= given.refs - 1;
    Unref(given.block);
  }
}

void BlockPool::Trim() {
  for (Block* block : free_) std::free(block);
  free_.clear();
  free_.shrink_to_fit();
}

void Payload::AppendToList(Slice slice) {
  if (list_ == nullptr) {
    list_ = std::make_unique<List>();
    list_->push_back(std::move(only_));
  }
  bytes_ += slice.size();
  list_->push_back(std::move(slice));
}

// Less than all there is.
void Payload::RemoveFromList(uint64_t n) {
  size_t whole = 0;
  while (n >= (*list_)[whole].size()) n -= (*list_)[whole++].size();
  (*list_)[whole].RemovePrefix(static_cast<uint32_t>(n));
  list_->erase(list_->begin(), list_->begin() + static_cast<ptrdiff_t>(whole));
}

std::string_view Payload::Prefix(size_t max, std::string& scratch) const {
  if (empty()) return {};
  const size_t want = std::min<uint64_t>(max, bytes_);
  const Slice& first = slices().front();
  if (first.size() >= want) return first.view().substr(0, want);
  scratch.clear();
  for (const Slice& slice : slices()) {
    scratch.append(slice.view().substr(0, want - scratch.size()));
    if (scratch.size() == want) break;
  }
  return scratch;
}

std::string Payload::ToString() const {
  std::string text;
  text.reserve(bytes_);
  for (const Slice& slice : slices()) text.append(slice.view());
  return text;
}

void Payload::Compact(BlockPool& pool) {
  if (bytes_ == 0 || bytes_ > kCompactMax) return;
  if (list_ == nullptr && only_.block() != nullptr && only_.block()->capacity != 0 &&
      only_.block()->capacity <= kCompactMax) {
    return;
  }
  Block* block = pool.Take(static_cast<uint32_t>(bytes_));
  for (const Slice& slice : slices()) {
    std::memcpy(block->tail(), slice.data(), slice.size());
    block->used += slice.size();
  }
  list_.reset();
  only_ = Slice(block, block->bytes, block->used);
  BlockPool::Unref(block);
}

}  // namespace trunkline
