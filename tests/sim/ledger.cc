#include "tests/sim/ledger.h"

#include "absl/strings/str_cat.h"

namespace trunkline::sim {

AddressKind KindOf(const std::string& address) {
  if (address.starts_with("near")) return {.treatment = core::Treatment::kClosest};
  if (address.starts_with("fan")) return {.treatment = core::Treatment::kMulticast};
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

std::string Describe(const Message& message) {
  return absl::StrCat("message ", message.id, " (producer ", message.producer, ", number ",
                      message.sequence, ", ", message.bytes.size(), " bytes, to ", message.address,
                      ")");
}

}  // namespace trunkline::sim
