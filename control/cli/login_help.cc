#include "control/cli/amqp_client.h"
#include "control/cli/messages.h"
#include "control/config/text.h"

namespace trunkline::cli {

std::string LoginHelp() {
  return config::Concat(
      R"(Without --url: $TRUNKLINE_AMQP_URL, else amqp://127.0.0.1:5672, or amqps:// of the
host whose API the context in use reaches by TCP. amqps:// always verifies the
peer's certificate and that it is for the name in the URL; without --ca-file by
the authorities of this machine. $TRUNKLINE_AMQP_PASSWORD stands for
--password-file. A password never goes over the wire as it is without TLS.

SASL mechanisms here: )",
      LoginMechanisms(), R"(.
Without --sasl-mechanisms: with --user those of a password, with a certificate
EXTERNAL, else ANONYMOUS.
)");
}

}  // namespace trunkline::cli
