#pragma once

#include <string>
#include <vector>

#include "router/tls/bundle.h"

namespace trunkline::certs {

// Whether who dials `host`, a name or an address, takes the certificate for it: by its alternative
// names, as RFC 6125 has it; "*." stands for one label. Case of names does not count.
bool IsNamed(const tls::CertificateInfo& certificate, const std::string& host);

// What those who dial may miss when `next` takes the place of `last`, in words: names that only
// `last` has (it may be empty), and `hosts` that `next` does not name. Pure.
std::vector<std::string> MissingNames(const tls::CertificateInfo& last,
                                      const tls::CertificateInfo& next,
                                      const std::vector<std::string>& hosts);

}  // namespace trunkline::certs
