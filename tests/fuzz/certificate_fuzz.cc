// Any text as PEM files: certificates, a private key, revocation lists. What is accepted can be
// described and made a context of; what is not is told by field, and no error of OpenSSL is left
// behind for somebody else to find.
//
// Input: which parts of a bundle follow, and whether they are PEM or DER to be wrapped as PEM; each
// part with its length in two bytes in front.
#include <openssl/err.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "router/base/check.h"
#include "router/tls/bundle.h"
#include "router/tls/context.h"
#include "tests/fuzz/input.h"

namespace trunkline::tls {
namespace {

constexpr uint8_t kDer = 1;
constexpr uint8_t kKey = 2;
constexpr uint8_t kCa = 4;
constexpr uint8_t kCrl = 8;
constexpr int64_t kNow = 1'800'000'000;

std::string Part(fuzz::Input& input, bool der, absl::string_view label) {
  const size_t high = input.Byte();
  const std::string_view bytes = input.Take(high << 8 | input.Byte());
  if (!der) return std::string(bytes);
  return absl::StrCat("-----BEGIN ", label, "-----\n",
                      absl::Base64Escape({bytes.data(), bytes.size()}), "\n-----END ", label,
                      "-----\n");
}

void CheckInfos(const std::vector<CertificateInfo>& infos) {
  TL_CHECK(!infos.empty());
  for (const CertificateInfo& info : infos) {
    TL_CHECK(info.sha256.size() == 64);
    TL_CHECK(!info.key_type.empty());
  }
}

void Play(fuzz::Input input) {
  const uint8_t options = input.Byte();
  const bool der = (options & kDer) != 0;
  Bundle bundle;
  bundle.certificate_pem = Part(input, der, "CERTIFICATE");
  if ((options & kKey) != 0) bundle.private_key_pem = Part(input, der, "PRIVATE KEY");
  if ((options & kCa) != 0) bundle.ca_pem = Part(input, der, "CERTIFICATE");
  if ((options & kCrl) != 0) bundle.crl_pem = Part(input, der, "X509 CRL");
  bundle.password = "secret";
  const auto infos = Inspect(bundle.certificate_pem);
  if (infos.ok()) CheckInfos(*infos);
  const absl::Status checked = Check(bundle, kNow);
  // As the daemon does; but without authorities of its own a context reads those of the system,
  // which takes long.
  absl::Status built;
  if (checked.ok() && !bundle.ca_pem.empty()) {
    built = Context::Build(bundle, {.uid_format = "2"}).status();
  }
  if (checked.ok()) TL_CHECK(infos.ok() || bundle.certificate_pem.empty());
  for (const absl::Status& status : {infos.status(), checked, built}) {
    TL_CHECK(status.ok() || absl::StrContains(status.message(), ": ")) << status;
    TL_CHECK(!absl::StrContains(status.message(), bundle.password)) << status;
  }
  TL_CHECK(ERR_peek_error() == 0) << "an error of OpenSSL was left behind";
}

}  // namespace
}  // namespace trunkline::tls

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  trunkline::tls::Play(trunkline::fuzz::Input(data, size));
  return 0;
}
