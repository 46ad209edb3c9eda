#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "control/config/document.h"
#include "router/tls/bundle.h"

namespace trunkline::certs {

// A PEM file holds a few certificates or keys.
inline constexpr size_t kPemBytesMax = 1 << 20;
inline constexpr size_t kPasswordBytesMax = 1024;

// Reads the files that a TLS profile names; what is in `given`, which may be null, counts instead
// of them. InvalidArgument (FILE_UNREADABLE, see tls::FaultOf): the field first, then the file;
// never what is in it.
absl::StatusOr<tls::Bundle> ReadBundle(const v1::TlsProfileSpec& profile,
                                       const config::InlineCertificate* given = nullptr);

// Differs, for all practical purposes, if what ReadBundle reads would; cheap: from sizes, times and
// inodes. Not the same in another process.
uint64_t StampOf(const v1::TlsProfileSpec& profile);

// Why the private key is less private than it should be: "FILE is readable by every user". Empty:
// it is not, or there is no such file.
std::string KeyExposure(const std::string& private_key_file);

}  // namespace trunkline::certs
