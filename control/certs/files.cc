#include "control/certs/files.h"

#include <sys/stat.h>

#include "absl/hash/hash.h"
#include "absl/strings/str_cat.h"
#include "control/config/file_watch.h"
#include "control/config/read_file.h"
#include "router/base/status.h"

namespace trunkline::certs {
namespace {

// What a field names, or nothing if it is empty.
absl::StatusOr<std::string> ReadField(const char* field, const std::string& file,
                                      size_t bytes_max) {
  if (file.empty()) return std::string();
  absl::StatusOr<std::string> bytes = config::ReadFile(file, bytes_max);
  if (!bytes.ok()) {
    return tls::WithFault(
        absl::InvalidArgumentError(absl::StrCat(field, ": ", bytes.status().message())),
        "FILE_UNREADABLE");
  }
  if (bytes->empty()) return absl::InvalidArgumentError(absl::StrCat(field, ": ", file, ": empty"));
  return bytes;
}

// Editors end a file with a line end, which is no part of a password.
void CutLineEnd(std::string& password) {
  if (password.ends_with('\n')) password.pop_back();
  if (password.ends_with('\r')) password.pop_back();
}

}  // namespace

absl::StatusOr<tls::Bundle> ReadBundle(const v1::TlsProfileSpec& profile,
                                       const config::InlineCertificate* given) {
  tls::Bundle bundle;
  if (given != nullptr) {
    bundle.certificate_pem = given->certificate;
    bundle.private_key_pem = std::string(given->private_key.view());
    bundle.ca_pem = given->ca;
  } else {
    TL_ASSIGN_OR_RETURN(bundle.certificate_pem,
                        ReadField("certificate_file", profile.certificate_file(), kPemBytesMax));
    TL_ASSIGN_OR_RETURN(bundle.private_key_pem,
                        ReadField("private_key_file", profile.private_key_file(), kPemBytesMax));
  }
  TL_ASSIGN_OR_RETURN(bundle.password,
                      ReadField("password_file", profile.password_file(), kPasswordBytesMax));
  CutLineEnd(bundle.password);
  if (bundle.ca_pem.empty()) {
    TL_ASSIGN_OR_RETURN(bundle.ca_pem, ReadField("ca_file", profile.ca_file(), kPemBytesMax));
  }
  TL_ASSIGN_OR_RETURN(bundle.crl_pem, ReadField("crl_file", profile.crl_file(), kPemBytesMax));
  return bundle;
}

uint64_t StampOf(const v1::TlsProfileSpec& profile) {
  uint64_t stamp = 0;
  for (const std::string* file :
       {&profile.certificate_file(), &profile.private_key_file(), &profile.ca_file(),
        &profile.password_file(), &profile.crl_file()}) {
    stamp = absl::HashOf(stamp, *file, file->empty() ? 0 : config::StampOfFile(*file));
  }
  return stamp;
}

std::string KeyExposure(const std::string& private_key_file) {
  struct stat about {};
  if (private_key_file.empty() || ::stat(private_key_file.c_str(), &about) != 0) return "";
  if ((about.st_mode & S_IROTH) == 0) return "";
  return absl::StrCat(private_key_file, " is readable by every user");
}

}  // namespace trunkline::certs
