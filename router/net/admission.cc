#include "router/net/admission.h"

#include <sys/resource.h>

#include "router/base/log.h"
#include "router/net/listen.h"

namespace trunkline::net {
namespace {

constexpr LogModule kLogModule = LogModule::kNet;
// Descriptors of the process itself: logs, pollers, listeners, resolver, control.
constexpr uint64_t kOwnDescriptors = 32;
// Of refusals, per second.
constexpr uint32_t kLogLines = 1;

uint64_t RaiseDescriptorLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
  const rlim_t before = limit.rlim_cur;
  limit.rlim_cur = limit.rlim_max;
  // Where the kernel does not grant it, things stay as they are.
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) return before;
  return limit.rlim_cur;
}

const char* TextOf(Refusal why) {
  switch (why) {
    case Refusal::kListenerFull:
      return "the listener has its max_connections";
    case Refusal::kRouterFull:
      return "the router has its max_connections";
    case Refusal::kUnopened:
      return "too many connections of this address are not open";
    case Refusal::kDescriptors:
      return "file descriptors are running out";
    case Refusal::kSystem:
      return "the process is out of file descriptors";
  }
  return "";
}

}  // namespace

Admission::Admission(boost::asio::io_context& io, uint32_t router_max)
    : places_(router_max, SocketsFor(RaiseDescriptorLimit())),
      quota_(io, kLogLines, [](uint64_t kept_back) {
        TL_LOG(warning, "more were refused", {"connections", kept_back});
      }) {}

Admission::~Admission() = default;

std::optional<Refusal> Admission::Refuse(const ListenerSpec& listener, const sockaddr_storage& peer,
                                         Places::InUse in_use) {
  const PeerHost host = PeerHost::Of(peer);
  if (const auto why = places_.Refuse(listener, host, in_use)) {
    Note(*why, listener.name, AddressText(peer));
    return why;
  }
  places_.Enter(listener.name, host);
  return std::nullopt;
}

void Admission::TurnedAway() { Note(Refusal::kSystem, "", ""); }

void Admission::Note(Refusal why, const std::string& listener, const std::string& peer) {
  refused_[static_cast<size_t>(why)].Add();
  if (!quota_.Take()) return;
  TL_LOG(warning, "accept refused", {"listener", listener}, {"peer", peer}, {"error", TextOf(why)});
}

uint64_t SocketsFor(uint64_t descriptors) {
  const uint64_t most = descriptors - descriptors / 20;
  return most > kOwnDescriptors ? most - kOwnDescriptors : 1;
}

}  // namespace trunkline::net
