#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "router/amqp/performatives.h"
#include "router/amqp/types.h"
#include "router/core/shard.h"

namespace trunkline::conn {

// Of an address: each is kept several times over, in tables that all workers share.
inline constexpr size_t kAddressBytesMax = 4096;

// What an attach of a peer means, and how it is answered (spec routing sections 1 and 7.4). Pure.
// `ours` is the role that we get on the link.

// The terminus that decides: the target of what we receive, the source of what we send.
core::AttachRequest ReadAttach(const amqp::Attach& attach, amqp::Role ours, core::LinkToken token);

// What a granted attach is answered with.
struct AttachGrant {
  std::optional<std::string> address;  // of a dynamic terminus
  uint64_t max_message_size = 0;       // 0: no limit
};
// The peer's settle modes and termini come back as they were asked for. Name, handle and role are
// the engine's to fill in.
amqp::Attach GrantAttach(const amqp::Attach& attach, amqp::Role ours, AttachGrant grant);
// The relevant terminus is null: a detach with the reason follows.
amqp::Attach RefuseAttach(const amqp::Attach& attach, amqp::Role ours);

}  // namespace trunkline::conn
