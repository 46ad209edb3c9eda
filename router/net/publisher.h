#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "router/core/address.h"
#include "router/core/stats.h"
#include "router/mesh/directory.h"
#include "router/mesh/publication.h"
#include "router/mesh/table_builder.h"
#include "router/net/mail.h"
#include "router/net/mailbox.h"
#include "router/net/stuck_log.h"
#include "router/net/view.h"

namespace trunkline::net {

// The writer of Views: collects what changes the workers' world, publishes it as one value, then
// answers the consumers that it made reachable, and frees Views that nobody reads any more.
//
// Owned by the Pilot; outlives the workers. Thread: the pilot's.
class Publisher {
 public:
  Publisher(std::shared_ptr<const core::AddressSettings> settings, size_t workers,
            uint64_t hash_seed);
  Publisher(const Publisher&) = delete;
  Publisher& operator=(const Publisher&) = delete;

  // The View in force; the first one is there from the beginning, for all workers to start with.
  const View* newest() const { return views_.rbegin()->second.get(); }
  // Of the workers, in their order.
  void AddReader(Mailbox& mailbox) { mailboxes_.push_back(&mailbox); }

  // --- changes; they take effect with the next Publish
  void Take(ShardNotices&& notices);
  void SetSettings(std::shared_ptr<const core::AddressSettings> settings);
  void SetTls(const std::string& profile, TlsInForce tls);
  void RemoveTls(const std::string& profile);
  bool HasTls(const std::string& profile) const { return tls_.contains(profile); }
  void SetUsers(const std::string& store, std::shared_ptr<const sasl::Users> users);
  void RemoveUsers(const std::string& store);
  bool HasUsers(const std::string& store) const { return users_.contains(store); }
  void SetLookers(Lookers lookers);
  // Somebody looks at the frames of this very connection.
  bool IsTraced(uint64_t connection) const;

  // Puts a new View into every slot if anything changed; then, and only then, says to the consumers
  // that they can be reached. Returns the version in force.
  uint64_t Publish();

  // That have consumers, as published last. Any thread.
  const core::Gauge& addresses() const { return addresses_; }

  void Take(const ViewLeft& left);
  // Whether all workers go by `version` or a newer one; and who does not, of those.
  bool InForce(uint64_t version) const { return publication_.InForce(version); }
  core::ShardId Laggard(uint64_t version) const { return publication_.Laggards(version).front(); }

 private:
  void MakeView();
  void Refuse(core::OutLinkRef link);
  void FreeViews();

  std::vector<Mailbox*> mailboxes_;
  mesh::Directory directory_;
  mesh::TableBuilder builder_;
  mesh::Publication publication_;
  std::shared_ptr<const core::AddressSettings> settings_;
  TlsProfiles tls_;
  UserStores users_;
  Lookers lookers_;
  bool changed_ = false;  // settings, certificates, users or lookers
  std::vector<core::OutLinkRef> ready_;
  core::Gauge addresses_;
  StuckLog stuck_log_;
  std::map<uint64_t, std::unique_ptr<const View>> views_;
};

}  // namespace trunkline::net
