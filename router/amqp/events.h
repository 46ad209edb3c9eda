#pragma once

#include <cstdint>
#include <string_view>

#include "router/amqp/performatives.h"
#include "router/amqp/types.h"
#include "router/base/payload.h"

namespace trunkline::amqp {

// A link of one engine, either direction; used again after the link is gone on both sides.
using LinkIndex = uint32_t;

enum class EventKind : uint8_t {
  kNone,
  kOpened,    // `open`: the peer's. The engine has answered or been answered
  kAttached,  // `attach`: the peer's. New unless `answer`: answer it with Engine::AnswerAttach, and
              // Detach if it is refused
  kDetached,  // `error`, `closed`: once for each link that was reported or started. Answer it with
              // Detach unless `answer` or `implied`; with those the link is gone
  kTransfer,  // one frame of a delivery
  kDisposition,  // one delivery: `delivery_user`, `outcome`, `settled`
  kLinkFlow,     // `credit`, `drain`, `echo`: of either direction
  kWritable,     // a session window opened: links of `session` that were blocked may send
  kEnded,        // a session is gone, `error`; its links were reported kDetached before
  kClosed,       // `error`: the peer closed. The engine has answered. Sessions and links go with it
  kFailed,       // `error`: protocol violation or time-out; close is queued, nothing more will be
                 // read. Sessions and links go with it
};

// What an Engine reports, one at a time. Pointers and views are valid until the next call of Next.
// Fields that do not belong to `kind` are left as they were.
struct Event {
  EventKind kind = EventKind::kNone;
  uint16_t session = 0;
  LinkIndex link = 0;
  Role role =
      Role::kReceiver;     // ours on that link or delivery: kReceiver = we receive the messages
  uint64_t link_user = 0;  // as set by Engine::SetUser

  // kTransfer. `first` opens a delivery; its user is what Engine::SetDeliveryUser says then.
  // kDisposition uses delivery, delivery_user, settled and outcome.
  bool first = false;
  bool more = false;
  bool aborted = false;
  bool settled = false;
  uint32_t delivery = 0;  // delivery-id, of the session
  uint64_t delivery_user = 0;
  uint32_t message_format = 0;
  std::string_view tag;
  Slice payload;
  const Outcome* outcome = nullptr;

  // kLinkFlow: credit that is left after this flow; of a link on which we receive, with what was
  // granted and is not announced yet.
  uint32_t credit = 0;
  bool drain = false;
  bool echo = false;

  bool answer = false;   // kAttached, kDetached: the peer answers us
  bool closed = false;   // kDetached
  bool implied = false;  // kDetached: the session ended, or the engine detached the link for a
                         // mistake of the peer
  const Open* open = nullptr;
  const Attach* attach = nullptr;
  const Condition* error = nullptr;  // where named above: set, and empty if there is none
};

}  // namespace trunkline::amqp
