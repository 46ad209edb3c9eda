#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "router/base/time.h"
#include "router/specs.h"

namespace trunkline {

namespace tls {
class Context;
}

// What an attempt to connect goes through, in this order.
enum class ProbeStage : uint8_t { kResolve, kConnect, kTls, kSasl, kOpen };

struct ProbeStep {
  ProbeStage stage = ProbeStage::kResolve;
  Duration took;
  std::string error;  // empty: it succeeded
  // What was found out: "cipher", "container_id". Texts of the peer's are bounded and printable.
  std::vector<std::pair<std::string, std::string>> facts;
};

struct ProbeWish {
  ConnectorSpec spec;                       // its first host is tried
  std::shared_ptr<const tls::Context> tls;  // of its profile; null: plaintext
  std::string router_id;                    // shown to the peer as container id
  Duration limit = Seconds(10);             // of all steps together
};

// Tries whether a connector would come to be connected: connects, logs in, opens, closes; no link
// is attached and nothing is routed. Apart from the router: on threads of its own, one for each
// attempt, so that neither a slow peer nor a slow name service is in anybody's way.
//
// Owned by the daemon. Thread: control, but for Done.
class Prober {
 public:
  // One more is refused.
  static constexpr size_t kAtOnceMax = 4;
  // Called once, on the attempt's thread: the steps that were taken, of which only the last may
  // have failed.
  using Done = std::function<void(std::vector<ProbeStep> steps)>;

  Prober();
  // Ends attempts under way, which are still told. A name that is being looked up is waited for.
  ~Prober();
  Prober(const Prober&) = delete;
  Prober& operator=(const Prober&) = delete;

  // ResourceExhausted: there are kAtOnceMax already, or the system has no thread for it.
  absl::Status Begin(ProbeWish wish, Done done);

 private:
  struct Job;
  void Reap();

  int stop_fd_ = -1;
  std::vector<std::unique_ptr<Job>> jobs_;
};

}  // namespace trunkline
