#include "tests/sim/ledger.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace trunkline::sim {

AddressKind KindOf(const std::string& address) {
  if (address.starts_with("fan")) return {.multicast = true};
  if (address.starts_with("safe")) return {.fallback = true};
  return {};
}

const std::vector<std::string>& Addresses() {
  static const auto* const kAddresses = new std::vector<std::string>{
      "near.0", "near.1", "work.0", "work.1", "fan.0", "fan.1", "safe.0", "safe.1"};
  return *kAddresses;
}

ProducerLink& Ledger::AddProducer() {
  ProducerLink& link = producers_.emplace_back();
  link.id = static_cast<uint32_t>(producers_.size() - 1);
  return link;
}

ConsumerLink& Ledger::AddConsumer() {
  ConsumerLink& link = consumers_.emplace_back();
  link.id = static_cast<uint32_t>(consumers_.size() - 1);
  return link;
}

Message& Ledger::AddMessage(ProducerLink& producer) {
  Message& message = messages_.emplace_back();
  message.id = static_cast<uint32_t>(messages_.size() - 1);
  message.producer = producer.id;
  message.sequence = producer.next_sequence++;
  return message;
}

void Ledger::AddDeparture(core::AddressKey key, core::ShardId shard, uint64_t version) {
  departures_.push_back(
      {.key = std::move(key), .shard = shard, .version = version, .adopted_at = {}});
}

void Ledger::Adopted(core::ShardId shard, uint64_t version) {
  const uint64_t now = Tick();
  for (Departure& departure : departures_) {
    if (departure.version > version) continue;
    if (departure.adopted_at.size() <= shard) departure.adopted_at.resize(shard + 1);
    if (departure.adopted_at[shard] == 0) departure.adopted_at[shard] = now;
  }
}

bool Ledger::MayComeBack(const std::string& address, core::ShardId shard, uint64_t moment) const {
  const core::LocalIdentity me{.router_id = "R"};
  const core::AddressKey normal = core::MakeKey(address, '0', me);
  const core::AddressKey fallback = core::MakeKey(address, 'F', me);
  size_t known = 0;
  for (const Departure& departure : departures_) {
    if (departure.shard == shard) continue;
    if (departure.key != normal && departure.key != fallback) continue;
    ++known;
    const bool adopted = shard < departure.adopted_at.size() && departure.adopted_at[shard] != 0;
    if (!adopted || departure.adopted_at[shard] >= moment) return true;
  }
  size_t gone = 0;
  for (const ConsumerLink& consumer : consumers_) {
    gone += !consumer.alive && consumer.address == address && consumer.shard != shard;
  }
  return gone > known;
}

bool Ledger::HasConsumer(const std::string& address) const {
  for (const ConsumerLink& consumer : consumers_) {
    if (consumer.alive && consumer.address == address) return true;
  }
  return false;
}

std::string Ledger::SomeAddress(Random& random) const {
  if (random.Below(100) < 10) {
    std::vector<const ConsumerLink*> made;
    for (const ConsumerLink& consumer : consumers_) {
      if (consumer.dynamic && consumer.attached && consumer.alive) made.push_back(&consumer);
    }
    if (!made.empty()) return made[random.Below(made.size())]->address;
  }
  return Addresses()[random.Below(Addresses().size())];
}

std::string Describe(const Message& message) {
  return absl::StrCat("message ", message.id, " (producer ", message.producer, ", number ",
                      message.sequence, ", ", message.bytes.size(), " bytes, to ", message.address,
                      ")");
}

}  // namespace trunkline::sim
