#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "proto/trunkline/control/v1/address.pb.h"
#include "proto/trunkline/control/v1/connector.pb.h"
#include "proto/trunkline/control/v1/control.pb.h"
#include "proto/trunkline/control/v1/listener.pb.h"
#include "proto/trunkline/control/v1/metrics.pb.h"
#include "proto/trunkline/control/v1/router.pb.h"
#include "proto/trunkline/control/v1/tls.pb.h"
#include "proto/trunkline/control/v1/user_store.pb.h"
#include "router/base/secret.h"

namespace trunkline {
namespace v1 = control::v1;
}

namespace trunkline::config {

// Collections of resource names, "listeners/amqp".
inline constexpr std::string_view kListeners = "listeners";
inline constexpr std::string_view kConnectors = "connectors";
inline constexpr std::string_view kTlsProfiles = "tlsProfiles";
inline constexpr std::string_view kUserStores = "userStores";
inline constexpr std::string_view kAddresses = "addresses";

// A certificate that was given over the API, in no file (proto: InlineCertificate). PEM.
struct InlineCertificate {
  std::string certificate;
  Secret private_key;
  std::string ca;  // empty: that of the profile
};

// Users that were made over the API, without their passwords (proto: StoredUsers).
struct BuiltInUser {
  Secret keys;          // sasl::Verifier
  int64_t created = 0;  // milliseconds since 1970
  int64_t updated = 0;
};
struct BuiltInUsers {
  Secret salt_key;
  std::map<std::string, BuiltInUser> users;  // by name
};

// What should exist: all resources of one router, by kind and id. A value; says nothing about
// whether it is valid (validate.h).
struct Document {
  v1::RouterSpec router;
  v1::LogSpec log;
  v1::ControlSpec control;
  std::optional<v1::MetricsSpec> metrics;  // the section is there
  std::map<std::string, v1::Listener> listeners;
  std::map<std::string, v1::Connector> connectors;
  std::map<std::string, v1::TlsProfile> tls_profiles;
  std::map<std::string, v1::UserStore> user_stores;
  std::map<std::string, v1::Address> addresses;
  // Of TLS profiles, by id; null nowhere. No part of any resource.
  std::map<std::string, std::shared_ptr<const InlineCertificate>> inline_certificates;
  // Of built-in user stores, likewise.
  std::map<std::string, std::shared_ptr<const BuiltInUsers>> built_in_users;
};

// The one that was given to a TLS profile; null: none was.
const InlineCertificate* InlineOf(const Document& document, const std::string& profile);
// Those of a built-in user store; null: there are none yet.
const BuiltInUsers* BuiltInUsersOf(const Document& document, const std::string& store);
// Whether the TLS profile of this id has a certificate of its own, and authorities to verify peers
// with. False if there is none of this id.
bool HasCertificate(const Document& document, const std::string& profile);
bool HasAuthorities(const Document& document, const std::string& profile);

// What a router is without a configuration: listeners for clients of this machine, on port 5672
// of 127.0.0.1 (listeners/amqp) and of ::1 (listeners/amqp-ipv6), anonymous.
Document DefaultDocument();

// "listeners", "amqp" → "listeners/amqp".
std::string ResourceName(std::string_view collection, std::string_view id);
// "listeners/amqp" → "amqp"; a name without a collection is its own id.
std::string_view ResourceId(std::string_view name);

inline constexpr size_t kIdBytesMax = 63;
// Whether `id` may be the id of a resource: 1 to kIdBytesMax of a-z, 0-9, "." and "-", letter or
// digit at both ends.
bool IsResourceId(std::string_view id);
// Makes an id from any text, reversibly: the text itself if it is one and does not start with "q-",
// else "q-" and each byte outside a-z, 0-9 as "-hh". May be longer than an id that people choose.
std::string DeriveId(std::string_view text);

}  // namespace trunkline::config
