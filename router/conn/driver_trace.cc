#include <algorithm>
#include <array>
#include <utility>

#include "router/conn/driver_impl.h"

// Frames of a connection, for those who want to see them.
namespace trunkline::conn {

void Driver::Impl::TraceFrames(FrameTrace::Source source,
                               std::vector<std::shared_ptr<FrameQueue>> queues) {
  if (queues.empty()) return trace_.reset();
  if (trace_ == nullptr) trace_ = std::make_unique<FrameTrace>(source, said_ ? PlainBytes() : 0);
  trace_->SetQueues(std::move(queues));
}

// The next `n` bytes of plaintext leave.
void Driver::Impl::TraceWritten(size_t n) {
  std::array<iovec, 64> parts;
  const int count = GatherPlain(parts.data(), static_cast<int>(parts.size()));
  for (int i = 0; i < count && n > 0; ++i) {
    const size_t size = std::min(parts[i].iov_len, n);
    trace_->Written({static_cast<const char*>(parts[i].iov_base), size});
    n -= size;
  }
}

}  // namespace trunkline::conn
