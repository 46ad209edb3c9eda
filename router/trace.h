#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "router/base/time.h"

namespace trunkline {

// What a running router lets others see of messages and frames, in plain values.

// Which messages are to be sampled when they are forwarded.
struct TapSpec {
  std::string address;        // a pattern as of address settings; empty: all
  uint32_t one_in = 1;        // of those that match, counted by each worker; at least 1
  uint32_t per_second = 100;  // samples of each worker; at least 1
  uint32_t body_bytes = 0;    // of each, at most
};

struct LinkId {
  uint64_t connection = 0;
  uint64_t link = 0;
};

// A message when it was forwarded.
struct MessageSample {
  using Fields = std::vector<std::pair<std::string, std::string>>;

  Time at;  // of the turn; as of ControlLoop::Now
  LinkId from;
  std::string address;  // that it was sent to; empty: none
  std::vector<LinkId> to;
  uint32_t copies = 0;  // how many get it; `to` names the first of them
  uint64_t size = 0;    // bytes, as far as it had come
  uint32_t message_format = 0;
  bool complete = false;  // all of it had come
  bool settled = false;   // it was sent settled
  Fields header;
  Fields delivery_annotations;
  Fields message_annotations;
  Fields properties;
  Fields application_properties;
  std::string body;  // its first bytes, as encoded
  bool cut = false;  // something of the fields is not told
};

// Which frames are to be told: of one connection, or of all of a listener or connector.
struct FrameTraceSpec {
  uint64_t connection = 0;      // 0: of any
  std::string owner;            // empty: of any. One of the two is given
  bool inbound = true;          // the owner is a listener
  uint32_t per_second = 1'000;  // of each worker; at least 1
};

struct TracedFrame {
  Time at;
  uint64_t connection = 0;
  bool outgoing = false;
  std::string text;
};

// What has come since the last look.
template <typename T>
struct Samples {
  std::vector<T> samples;
  uint64_t dropped = 0;  // so far: there was no room for them
  uint64_t limited = 0;  // so far: beyond per_second
};

}  // namespace trunkline
