#pragma once

#include <proton/condition.h>
#include <proton/connection.h>
#include <proton/connection_driver.h>
#include <proton/delivery.h>
#include <proton/disposition.h>
#include <proton/link.h>
#include <proton/session.h>
#include <proton/terminus.h>
#include <proton/transport.h>

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "router/base/random.h"
#include "tests/unit/router/amqp/engine_pair.h"

namespace trunkline::amqp::testing {

// Proton's engine as the peer of ours, in memory. Opens what the peer opens; what else happens on
// an event is the test's.
class ProtonPeer {
 public:
  struct Received {
    std::string body;
    bool settled = false;
    bool aborted = false;
  };

  explicit ProtonPeer(bool server, uint32_t max_frame = 0) {
    pn_connection_driver_init(&driver_, nullptr, nullptr);
    pn_transport_t* transport = driver_.transport;
    if (server) pn_transport_set_server(transport);
    if (max_frame != 0) pn_transport_set_max_frame(transport, max_frame);
    pn_connection_set_container(driver_.connection, "proton");
  }
  ~ProtonPeer() { pn_connection_driver_destroy(&driver_); }
  ProtonPeer(const ProtonPeer&) = delete;
  ProtonPeer& operator=(const ProtonPeer&) = delete;

  pn_connection_t* connection() { return driver_.connection; }
  pn_transport_t* transport() { return driver_.transport; }

  void Feed(std::string_view bytes) {
    while (!bytes.empty()) {
      const pn_rwbytes_t room = pn_connection_driver_read_buffer(&driver_);
      if (room.size == 0) return;
      const size_t n = std::min(room.size, bytes.size());
      bytes.copy(room.start, n);
      pn_connection_driver_read_done(&driver_, n);
      bytes.remove_prefix(n);
      Dispatch();
    }
  }
  std::string Take() {
    Dispatch();
    std::string bytes;
    while (true) {
      const pn_bytes_t some = pn_connection_driver_write_buffer(&driver_);
      if (some.size == 0) return bytes;
      bytes.append(some.start, some.size);
      pn_connection_driver_write_done(&driver_, some.size);
      Dispatch();
    }
  }
  // Our condition at the transport, as Proton names it; empty if there is none.
  std::string TransportError() {
    pn_condition_t* condition = pn_transport_condition(driver_.transport);
    if (!pn_condition_is_set(condition)) return "";
    return std::string(pn_condition_get_name(condition)) + ": " +
           (pn_condition_get_description(condition) == nullptr
                ? ""
                : pn_condition_get_description(condition));
  }

  // Sends a whole message on `link`.
  pn_delivery_t* Send(pn_link_t* link, std::string_view body, bool settled) {
    const std::string tag = std::to_string(++tags_);
    pn_delivery_t* delivery = pn_delivery(link, pn_dtag(tag.data(), tag.size()));
    pn_link_send(link, body.data(), body.size());
    pn_link_advance(link);
    if (settled) pn_delivery_settle(delivery);
    return delivery;
  }
  pn_link_t* OpenLink(bool sender, const std::string& name) {
    if (session_ == nullptr) {
      session_ = pn_session(driver_.connection);
      pn_session_open(session_);
    }
    pn_link_t* link =
        sender ? pn_sender(session_, name.c_str()) : pn_receiver(session_, name.c_str());
    pn_terminus_set_address(sender ? pn_link_target(link) : pn_link_source(link), "q");
    pn_link_open(link);
    return link;
  }

  std::vector<Received> received;
  std::map<pn_event_type_t, int> counts;
  std::vector<pn_link_t*> links;  // that the peer opened
  // Called for each delivery that is complete; settles and accepts by default.
  std::function<void(pn_delivery_t*)> on_delivery = [](pn_delivery_t* delivery) {
    pn_delivery_update(delivery, PN_ACCEPTED);
    pn_delivery_settle(delivery);
  };
  std::function<void(pn_delivery_t*)> on_update = [](pn_delivery_t*) {};

 private:
  void Dispatch() {
    for (pn_event_t* event; (event = pn_connection_driver_next_event(&driver_)) != nullptr;) {
      ++counts[pn_event_type(event)];
      Handle(event);
    }
  }
  void Handle(pn_event_t* event) {
    switch (pn_event_type(event)) {
      case PN_CONNECTION_REMOTE_OPEN:
        pn_connection_open(pn_event_connection(event));
        break;
      case PN_CONNECTION_REMOTE_CLOSE:
        pn_connection_close(pn_event_connection(event));
        break;
      case PN_SESSION_REMOTE_OPEN:
        pn_session_open(pn_event_session(event));
        break;
      case PN_SESSION_REMOTE_CLOSE:
        pn_session_close(pn_event_session(event));
        break;
      case PN_LINK_REMOTE_OPEN: {
        pn_link_t* link = pn_event_link(event);
        if (pn_link_state(link) & PN_LOCAL_UNINIT) {
          pn_terminus_copy(pn_link_source(link), pn_link_remote_source(link));
          pn_terminus_copy(pn_link_target(link), pn_link_remote_target(link));
          pn_link_open(link);
        }
        links.push_back(link);
        break;
      }
      case PN_LINK_REMOTE_CLOSE:
        pn_link_close(pn_event_link(event));
        break;
      case PN_DELIVERY:
        OnDelivery(pn_event_delivery(event));
        break;
      default:
        break;
    }
  }
  void OnDelivery(pn_delivery_t* delivery) {
    pn_link_t* link = pn_delivery_link(delivery);
    if (pn_link_is_sender(link)) {
      if (pn_delivery_updated(delivery)) on_update(delivery);
      return;
    }
    if (pn_delivery_aborted(delivery)) {
      received.push_back({.aborted = true});
      partial_.erase(link);
      pn_delivery_settle(delivery);
      return;
    }
    if (!pn_delivery_readable(delivery) && !pn_delivery_updated(delivery)) return;
    if (pn_delivery_readable(delivery)) {
      std::string& body = partial_[link];
      char room[5000];
      for (ssize_t n; (n = pn_link_recv(link, room, sizeof(room))) > 0;) {
        body.append(room, static_cast<size_t>(n));
      }
      if (pn_delivery_partial(delivery)) return;
      received.push_back({.body = std::move(body), .settled = pn_delivery_settled(delivery)});
      partial_.erase(link);
      pn_link_advance(link);
      on_delivery(delivery);
    } else {
      on_update(delivery);
    }
  }

  pn_connection_driver_t driver_;
  pn_session_t* session_ = nullptr;
  std::map<pn_link_t*, std::string> partial_;
  int tags_ = 0;
};

// Our engine and Proton's, joined by a wire that cuts the bytes anywhere.
struct OraclePair {
  explicit OraclePair(bool ours_initiates, uint64_t seed = 1,
                      EngineOptions options = {.container_id = "ours"}, uint32_t proton_frame = 0)
      : ours((options.initiate = ours_initiates, std::move(options))),
        proton(ours_initiates, proton_frame),
        random(seed) {
    if (!ours_initiates) pn_connection_open(proton.connection());
    Run();
  }
  void Run() {
    for (int quiet = 0; quiet < 2;) {
      ours.Poll();
      const std::string to_proton = ours.Take();
      Cut(to_proton, [&](std::string_view bytes) { proton.Feed(bytes); });
      const std::string to_ours = proton.Take();
      Cut(to_ours, [&](std::string_view bytes) { ours.Feed(bytes); });
      quiet = to_proton.empty() && to_ours.empty() ? quiet + 1 : 0;
    }
    EXPECT_EQ(proton.TransportError(), "");
  }
  template <typename Sink>
  void Cut(std::string_view bytes, Sink sink) {
    while (!bytes.empty()) {
      const size_t n = std::min<size_t>(bytes.size(), 1 + random.Below(piece_max));
      sink(bytes.substr(0, n));
      bytes.remove_prefix(n);
    }
  }
  // A link from us to Proton, with credit.
  LinkIndex Sender(int credit) {
    if (session == kNoSession) session = ours.engine.BeginSession();
    const LinkIndex link =
        ours.engine.StartLink(session, SenderAttach("out" + std::to_string(++names)));
    Run();
    pn_link_flow(proton.links.back(), credit);
    Run();
    return link;
  }
  // A link from Proton to us, with credit.
  pn_link_t* Receiver(uint32_t credit) {
    pn_link_t* link = proton.OpenLink(true, "in" + std::to_string(++names));
    Run();
    ours.engine.Grant(ours.Last(EventKind::kAttached).link, credit);
    Run();
    return link;
  }
  // Sends all of `text`, however often the window closes.
  void SendAll(LinkIndex link, Outgoing outgoing, std::string text) {
    SendResult result;
    while ((result = ours.Send(link, outgoing, text)) == SendResult::kBlocked) {
      outgoing = ours.last_sent;
      text = ours.unsent;
      Run();
    }
    EXPECT_EQ(result, SendResult::kSent);
  }

  Node ours;
  ProtonPeer proton;
  Random random;
  size_t piece_max = 100;
  uint16_t session = kNoSession;
  int names = 0;
};

}  // namespace trunkline::amqp::testing
