// Any text as trunkline.yaml: problems are told with their place, and what has none can be
// translated, and its addresses be built, as the daemon and the router do.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "control/config/file_source.h"
#include "control/config/schema.h"
#include "control/config/translate.h"
#include "control/config/validate.h"
#include "router/base/check.h"
#include "router/core/address.h"

namespace trunkline::config {
namespace {

constexpr char kFile[] = "/etc/t/f.yaml";

void CheckErrors(const absl::Status& status) {
  const std::string_view text(status.message().data(), status.message().size());
  TL_CHECK(absl::IsInvalidArgument(status));
  TL_CHECK(text.starts_with(kFile)) << text;
}

void CheckHost(const HostPort& host) { TL_CHECK(!host.host.empty()); }

void Translate(const Document& document) {
  for (const auto& [id, listener] : document.listeners) {
    TL_CHECK(ToSpec(listener).name == id);
  }
  for (const auto& [id, connector] : document.connectors) {
    const ConnectorSpec spec = ToSpec(connector, document);
    TL_CHECK(spec.failover.size() == static_cast<size_t>(connector.spec().failover_size()));
    for (const HostPort& host : spec.failover) CheckHost(host);
  }
  for (const auto& [id, profile] : document.tls_profiles) (void)ToContextOptions(profile.spec());
  std::vector<core::AddressSetting> settings;
  for (const auto& [id, address] : document.addresses) {
    const AddressSpec spec = ToSpec(address);
    TL_CHECK(spec.prefix.empty() != spec.pattern.empty());
    core::AddressSetting& setting = settings.emplace_back();
    setting.pattern = spec.prefix.empty() ? spec.pattern : spec.prefix + "/#";
    TL_CHECK(core::NormalisePattern(setting.pattern) == NormalPattern(address.spec()));
  }
  const auto built = core::AddressSettings::Build(settings, core::Treatment::kBalanced);
  TL_CHECK(built.ok()) << built.status();
  TL_CHECK(!ToSpec(document.router, {.host_name = "here", .version = "0"}).id.empty());
  TL_CHECK(DrainTimeout(document.router) >= Duration{});
}

void ParseSmallGrammars(std::string_view text) {
  if (const auto host = ParseHostPort(text)) CheckHost(*host);
  if (const auto duration = ParseDuration(text)) {
    const int64_t milliseconds = ToMilliseconds(*duration);
    const auto again = ParseDuration(FormatDuration(milliseconds));
    TL_CHECK(again && ToMilliseconds(*again) == milliseconds);
  }
  if (IsResourceId(text)) TL_CHECK(ResourceId(ResourceName(kListeners, text)) == text);
  const std::string derived = DeriveId(text);
  TL_CHECK(text.empty() || derived == text || derived.starts_with("q-"));
}

}  // namespace
}  // namespace trunkline::config

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace trunkline::config;
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  if (size < 64) ParseSmallGrammars(text);
  const auto parsed = ParseDocument(text, kFile);
  if (!parsed.ok()) {
    CheckErrors(parsed.status());
  } else {
    TL_CHECK(Validate(parsed->document).empty());
    Translate(parsed->document);
  }
  return 0;
}
