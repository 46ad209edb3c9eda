#pragma once

#include <boost/asio/steady_timer.hpp>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "router/net/listener.h"
#include "router/specs.h"

namespace trunkline::net {

// The listeners of the router by name, and the places that are held for those to come: so that a
// change of several listeners happens as a whole or not at all, even where one takes another's
// port.
//
// Owned by the Pilot. Thread: the pilot's.
class Listeners {
 public:
  using Done = Listener::Done;

  Listeners(boost::asio::io_context& io, Listener::Hooks hooks);
  ~Listeners();
  Listeners(const Listeners&) = delete;
  Listeners& operator=(const Listeners&) = delete;

  // Opens the sockets that Apply of this spec needs, so that it cannot fail; without effect on who
  // is served, but that of `leaving`, listeners that are going to be removed or moved, those in the
  // way no longer listen. Kept until Apply or DropHeld. FailedPrecondition: cannot listen there.
  void Hold(const ListenerSpec& spec, const std::vector<std::string>& leaving, Done done);
  // What is held is given up, and who made room listens again; one that cannot tries again every
  // second. Also the end of a change that was applied.
  void DropHeld();
  // New or changed. Holds the place first where that has not been done.
  void Apply(const ListenerSpec& spec, Done done);
  // False: there is none of this name.
  bool Remove(const std::string& name);
  // Names of those that were there.
  std::vector<std::string> Clear();

  // The first whose spec is such; empty: none.
  template <typename Predicate>
  std::string FindName(Predicate predicate) const {
    for (const auto& [name, listener] : listeners_) {
      if (predicate(listener->spec())) return name;
    }
    return {};
  }

 private:
  // Shared with what waits for a name to be resolved.
  using Shared = std::shared_ptr<Listener>;

  Shared FindOrMake(const std::string& name);
  void RetryLater();
  bool LeaveRoom(const ListenAddress& where, const std::vector<std::string>& leaving);

  boost::asio::io_context& io_;
  const Listener::Hooks hooks_;
  std::map<std::string, Shared> listeners_;
  std::map<std::string, Shared> held_;
  boost::asio::steady_timer retry_;
};

}  // namespace trunkline::net
