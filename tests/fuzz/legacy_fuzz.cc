// Any text as qdrouterd.conf, and behind a line "---" the file of Cyrus SASL that it leads to:
// problems are told with the file, warnings with their place, no password is shown, and what has no
// problem is valid.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "control/config/validate.h"
#include "control/legacy/qdrouterd_conf.h"
#include "control/legacy/sections.h"
#include "router/base/check.h"

namespace trunkline::legacy {
namespace {

constexpr char kFile[] = "/etc/t/q.conf";
constexpr std::string_view kSaslBegins = "\n---\n";
// Inputs may have it as a password; it is no word of the grammar, nor part of one.
constexpr std::string_view kPassword = "geheim";

bool HoldsPassword(std::string_view text) { return text.find(kPassword) != std::string_view::npos; }

// The word stands there as a password alone, so that whoever shows it shows a password.
bool HasPasswordOnly(const std::vector<Section>& sections) {
  bool has = false;
  for (const Section& section : sections) {
    if (HoldsPassword(section.name)) return false;
    for (const Attribute& attribute : section.attributes) {
      const bool secret = attribute.name == "password" || attribute.name == "saslPassword";
      if (HoldsPassword(attribute.name)) return false;
      if (!HoldsPassword(attribute.value)) continue;
      if (!secret) return false;
      has = true;
    }
  }
  return has;
}

void CheckDocument(const config::FileDocument& parsed) {
  TL_CHECK(config::Validate(parsed.document).empty());
  for (const config::Problem& warning : parsed.warnings) {
    TL_CHECK(!warning.text.empty() && !warning.path.empty());
  }
  for (const auto& [id, listener] : parsed.document.listeners) {
    TL_CHECK(listener.legacy_name().empty() || config::DeriveId(listener.legacy_name()) == id);
    TL_CHECK(listener.spec().has_initial_handshake_timeout());
  }
}

}  // namespace
}  // namespace trunkline::legacy

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace trunkline::legacy;
  const std::string_view input(reinterpret_cast<const char*>(bytes), size);
  const size_t cut = input.find(kSaslBegins);
  const std::string_view text = input.substr(0, cut);
  const auto read = [&](const std::string& file) -> absl::StatusOr<std::string> {
    if (cut == std::string_view::npos) return absl::NotFoundError(file);
    return std::string(input.substr(cut + kSaslBegins.size()));
  };
  (void)IsLegacyText(text);
  const auto parsed = ParseQdrouterdConf(text, kFile, read);
  if (parsed.ok()) {
    CheckDocument(*parsed);
    return 0;
  }
  const std::string_view message(parsed.status().message().data(),
                                 parsed.status().message().size());
  TL_CHECK(absl::IsInvalidArgument(parsed.status()));
  TL_CHECK(message.starts_with(kFile)) << message;
  Report report;
  const bool secret = HasPasswordOnly(ReadSections(text, report)) &&
                      (cut == std::string_view::npos || !HoldsPassword(input.substr(cut)));
  TL_CHECK(!secret || !HoldsPassword(message)) << message;
  return 0;
}
