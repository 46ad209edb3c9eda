#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "router/metrics.h"
#include "router/observe.h"
#include "router/specs.h"
#include "router/trace.h"

namespace trunkline::tls {
class Context;
}
namespace trunkline::sasl {
class Users;
}

namespace trunkline {

// The data plane, seen by control: takes specs, gives events. Owns the pilot and the workers.
//
// Thread: one, the control thread's, for every method but Counters, Metrics and ConnectionsByTls,
// which are for any. Destruction stops and joins all threads.
class Router {
 public:
  // Called on the pilot's thread after events were queued; must only wake the control thread.
  using Wake = std::function<void()>;

  // Events that wait for TakeEvents. What happens to connections beyond them is not told one by
  // one: EventsLost.
  static constexpr size_t kEventsMax = 65536;
  // InvalidArgument: `spec` is not within its limits. `events_max` is smaller in tests.
  static absl::StatusOr<std::unique_ptr<Router>> Start(const RouterSpec& spec, Wake wake,
                                                       size_t events_max = kEventsMax);
  ~Router();
  Router(const Router&) = delete;
  Router& operator=(const Router&) = delete;

  // Each returns when the change is in force or has failed; a failure leaves everything as it was,
  // but for one: what all workers have to take up (addresses, TLS, settings of the router) returns
  // DeadlineExceeded when one of them has not done so after 2 s. That change is made all the same:
  // the laggard takes it up with its next turn, before it reads anything that was sent later.
  // Giving the same again is harmless and waits again.
  //
  // FailedPrecondition: cannot bind; the TLS profile is in use; the router is draining or stopped.
  // NotFound: unknown TLS profile, nothing of that name. AlreadyExists: two addresses have one
  // pattern. A listener and a connector may have the same name. The name of a listener's host may
  // have to be looked up: that takes as long as the system's name service does.
  absl::Status Apply(const ListenerSpec& spec);
  // Opens the sockets that Apply of this spec will need, so that it then cannot fail for want of
  // them; nothing is served by it yet. `leaving` are listeners that are going to be removed or
  // moved by the same change: those in the way of the port no longer listen. For a change of
  // several resources that has to happen as a whole or not at all.
  absl::Status Hold(const ListenerSpec& spec, const std::vector<std::string>& leaving);
  // Ends such a change, made or not: what is held and was not applied is given up, and listeners
  // that are still there listen again.
  void DropHeld();
  absl::Status Apply(const ConnectorSpec& spec);
  absl::Status Apply(const std::vector<AddressSpec>& addresses);  // replaces all
  // Who is connected stays, whatever max_connections is by now. A default_distribution counts as
  // a changed address does.
  absl::Status Apply(const RouterSettings& settings);
  // Those that were applied last.
  const RouterSettings& settings() const;
  absl::Status RemoveListener(const std::string& name);
  absl::Status RemoveConnector(const std::string& name);
  // Handshakes whose first byte comes or goes after the return of this call use `context`, also of
  // connections that were accepted before; connections that are there keep theirs. `revision` is a
  // number of the caller's by which it is known in ConnectionUp and TlsConnections; larger than
  // those of this profile that are in force or in use.
  absl::Status SetTls(const std::string& profile, std::shared_ptr<const tls::Context> context,
                      uint64_t revision);
  // Ends the connections that were made with older revisions of a profile: in order, with
  // amqp:connection:forced, so that clients come again. Returns how many there are. NotFound: there
  // is no such profile.
  absl::StatusOr<size_t> RetireTls(const TlsRetirement& retirement);
  // Refused while a listener or connector names it. Live connections go on; one that was accepted
  // just before its listener turned to another profile may be closed.
  absl::Status RemoveTls(const std::string& profile);

  // Logins that begin after the return of this call are held against `users`.
  absl::Status SetUsers(const std::string& store, std::shared_ptr<const sasl::Users> users);
  // Refused while a listener names it.
  absl::Status RemoveUsers(const std::string& store);

  std::vector<RouterEvent> TakeEvents();

  // Looks at connections and links. Returns the number of the request at once; the answer is an
  // event, Observed. Workers look at a few in each turn, so it takes longer the more there are.
  // ResourceExhausted: kObservationsMax are under way. FailedPrecondition: the router is stopped.
  static constexpr size_t kObservationsMax = 16;
  absl::StatusOr<uint64_t> Observe(const ObserveWish& wish);
  // Ends a connection: AMQP close with amqp:connection:forced. Ends a link of a connection, if it
  // is there: AMQP detach with amqp:link:detach-forced. What is asked by Observe later is seen as
  // it is after that. NotFound: there is no such connection.
  absl::Status CloseConnection(uint64_t connection, const std::string& description);
  absl::Status CloseLink(uint64_t connection, uint64_t link, const std::string& description);
  // Stops what flows over a link of a connection, if it is there, or lets it flow again: a producer
  // has no credit, a consumer is sent nothing that was not begun. Other consumers of its address
  // get its messages a moment later, when all workers know. The rest as CloseLink.
  absl::Status SwitchLink(uint64_t connection, uint64_t link, LinkSwitch to);
  // What the address settings in force say about an address; see AddressResolution.
  AddressResolution Resolve(const std::string& address) const;

  // Read atomics, and wait for nobody.
  RouterCounters Counters() const;
  RouterMetrics Metrics() const;
  // Those in force are in it, and others while they have connections. In order. Any thread.
  std::vector<TlsConnections> ConnectionsByTls() const;
  // RouterCounters::longest_turn is that of turns from here on.
  void RestartLongestTurn();

  // Lets others look at messages, or at frames, from the return of this call on. What they see is
  // taken by the number that is returned, when `wake` was called. Bounded: what is not taken is
  // dropped, and counted. InvalidArgument: no such pattern; NotFound: no such connection. As Apply
  // for the rest.
  absl::StatusOr<uint64_t> OpenTap(const TapSpec& spec);
  absl::StatusOr<uint64_t> OpenFrameTrace(const FrameTraceSpec& spec);
  // Whether there is this connection, open or not: its ConnectionDown has not happened yet. False:
  // the router is stopped.
  bool IsThere(uint64_t connection);
  Samples<MessageSample> TakeSamples(uint64_t tap);
  Samples<TracedFrame> TakeFrames(uint64_t trace);
  // Of a tap or a frame trace. Nothing of it is left soon.
  void StopLooking(uint64_t number);

  // Stops accepting and dialling, gives no more credit, lets unsettled deliveries finish for at
  // most `limit`, then closes every connection with amqp:connection:forced and reports Drained.
  void Drain(Duration limit);
  // Closes everything at once and joins all threads. A name that is being looked up is waited for:
  // the system's resolver cannot be interrupted. It gives up by its own configuration (resolv.conf:
  // by default after 5 s per try and name server); numeric hosts never come to it.
  void Stop();

 private:
  Router();
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace trunkline
