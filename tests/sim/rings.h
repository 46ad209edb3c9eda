#pragma once

#include <cstddef>
#include <deque>
#include <utility>
#include <vector>

#include "router/core/envelope.h"
#include "router/core/ids.h"

namespace trunkline::sim {

// Mail from one shard to another: first in, first out, of bounded size. What does not fit stays
// with the sender, in order.
struct Ring {
  std::deque<core::Envelope> mail;
  bool late = false;  // nothing arrives for the time being
};

// The rings of all ordered pairs of shards.
class Rings {
 public:
  Rings(size_t shards, size_t capacity)
      : shards_(shards), capacity_(capacity), rings_(shards * shards) {}

  Ring& Between(core::ShardId from, core::ShardId to) { return rings_[from * shards_ + to]; }
  size_t shards() const { return shards_; }

  // Takes from the front of `mail` what there is room for. True if anything was taken.
  bool Post(core::ShardId from, core::ShardId to, std::vector<core::Envelope>& mail) {
    Ring& ring = Between(from, to);
    size_t n = 0;
    while (n < mail.size() && ring.mail.size() < capacity_)
      ring.mail.push_back(std::move(mail[n++]));
    mail.erase(mail.begin(), mail.begin() + static_cast<ptrdiff_t>(n));
    return n > 0;
  }
  bool HasRoom(core::ShardId from, core::ShardId to) {
    return Between(from, to).mail.size() < capacity_;
  }

  size_t mail() const {
    size_t n = 0;
    for (const Ring& ring : rings_) n += ring.mail.size();
    return n;
  }

 private:
  const size_t shards_;
  const size_t capacity_;
  std::vector<Ring> rings_;
};

}  // namespace trunkline::sim
