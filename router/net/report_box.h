#pragma once

#include <algorithm>
#include <atomic>
#include <memory>
#include <utility>
#include <vector>

#include "router/net/mail.h"

namespace trunkline::net {

// What workers tell the pilot, on its way. Without a lock: a worker never waits for a thread that
// holds one and has lost its processor.
//
// Bound: a worker puts in one batch per turn.
class ReportBox {
 public:
  using Batch = std::vector<Report>;

  ReportBox() = default;
  ~ReportBox() { Take(); }
  ReportBox(const ReportBox&) = delete;
  ReportBox& operator=(const ReportBox&) = delete;

  // True if the box was empty: the pilot has to be told. Any thread.
  bool Put(Batch batch) {
    Node* older = newest_.load(std::memory_order_relaxed);
    auto* const node = new Node{std::move(batch), older};
    while (!newest_.compare_exchange_weak(older, node, std::memory_order_release,
                                          std::memory_order_relaxed)) {
      node->older = older;
    }
    return older == nullptr;  // the node may be gone by now
  }

  // All that is in it, those of a worker in their order. Thread: the pilot's.
  std::vector<Batch> Take() {
    std::vector<Batch> batches;
    std::unique_ptr<Node> node(newest_.exchange(nullptr, std::memory_order_acquire));
    while (node != nullptr) {
      batches.push_back(std::move(node->batch));
      node.reset(std::exchange(node->older, nullptr));
    }
    std::reverse(batches.begin(), batches.end());
    return batches;
  }

 private:
  struct Node {
    Batch batch;
    Node* older = nullptr;
  };

  std::atomic<Node*> newest_{nullptr};
};

}  // namespace trunkline::net
