#include "router/sasl/mechanisms.h"

namespace trunkline::sasl {

const std::vector<std::string>& PasswordMechanisms() {
  static const auto* const mechanisms = new std::vector<std::string>{
      "SCRAM-SHA-512", "SCRAM-SHA-384", "SCRAM-SHA-256", "SCRAM-SHA-224", "SCRAM-SHA-1",
      "DIGEST-MD5",    "CRAM-MD5",      "PLAIN",         "LOGIN"};
  return *mechanisms;
}

bool IsPlaintext(std::string_view mechanism) {
  return mechanism == "PLAIN" || mechanism == "LOGIN";
}

std::string_view Objection(std::string_view mechanism) {
  if (mechanism == "GSS-SPNEGO") {
    return "a client with a ticket could end the router by an assertion of libsasl2's plugin; "
           "GSSAPI is Kerberos without that";
  }
  return {};
}

}  // namespace trunkline::sasl
