#include "control/cli/commands.h"

#include <algorithm>

#include "absl/strings/str_split.h"
#include "control/cli/apply.h"
#include "control/cli/certs.h"
#include "control/cli/completion.h"
#include "control/cli/configuration.h"
#include "control/cli/contexts.h"
#include "control/cli/doctor.h"
#include "control/cli/edit.h"
#include "control/cli/explain.h"
#include "control/cli/help.h"
#include "control/cli/live.h"
#include "control/cli/manual.h"
#include "control/cli/messages.h"
#include "control/cli/resources.h"
#include "control/cli/router.h"
#include "control/cli/traffic.h"
#include "control/config/text.h"

namespace trunkline::cli {
namespace {

using config::Concat;
using config::internal::Piece;

constexpr std::string_view kFieldsHelp =
    R"(Fields and values are those of trunkline.yaml: port=5671, idle_timeout=1m30s,
sasl_mechanisms=[EXTERNAL,PLAIN], backoff.failed=1s. Names of files start at
this folder, and are of the router's machine.
)";

constexpr std::string_view kWatchHelp =
    R"(With -o json each event is a line of its own, for programs. When the router is
restarted a watch waits for it, and tells anew what is there.
)";

constexpr std::string_view kGetHelp =
    R"(get router: its settings, and where each is from.
-w tells as trunkctl watch does: with -o json each event is a line of its own, for
programs. When the router is restarted it waits for it, and tells anew what is there.
)";

// Of what cannot go on.
constexpr std::string_view kEndsHelp =
    R"(Ends with exit status 6 when the router does.
)";

constexpr std::string_view kSendHelp =
    R"(Without --body and --body-file each line of the standard input is a message. Exit
status 0: all were accepted. --timeout: how long nothing may happen (30s).
-o json: how many there were of each outcome.
)";

constexpr std::string_view kReceiveHelp =
    R"(They are accepted, and nobody else gets them. Without --count until it is
interrupted, or for --timeout nothing has come; exit status 1: fewer than --count
came. -o json: a line for each, -o table: also subject and properties.
)";

constexpr std::string_view kPingHelp =
    R"(Without ADDRESS to itself, through the router and an address that is there only
meanwhile: no other client sees any of it. With ADDRESS to whoever consumes there,
with the temporary address in reply-to: services that answer requests do, and
trunkctl ping ADDRESS --answer, which gives every message back to its reply-to.
--timeout: how long an answer may take (5s). Without --count until it is interrupted.
Exit status 1: nothing was answered.
)";

constexpr std::string_view kBenchHelp =
    R"(Each connection sends to ADDRESS and receives from it. Take one of its own: what
others send there is released, and ends the run. Latency is one way, from when a
message was due. All is done by one thread; what it takes itself is told.
)";

constexpr std::string_view kSessionsHelp =
    R"(Those of the profile, or of all. Numbers are those of trunkctl get connections;
--old -o name tells whom trunkctl certs rotate has left on older certificates.
)";

constexpr Command kCommands[] = {
    {"Resources", "get", "KIND [ID...]", "output no-headers watch filter order-by limit",
     "lists resources, or shows some", kGetHelp, &Get},
    {"Resources", "watch", "KIND", "output no-headers filter",
     "tells what is there, then what changes", kWatchHelp, &WatchKind},
    {"Resources", "create", "KIND ID [FIELD=VALUE...]", "label allow-expired dry-run", "makes one",
     kFieldsHelp, &Create},
    {"Resources", "set", "KIND ID FIELD=VALUE...", "label etag allow-expired dry-run",
     "changes fields of one",
     R"(FIELD= puts it back to its default. set router FIELD=VALUE...: settings of the router
itself, of which its file says nothing; FIELD= is the file's again.
)",
     &Set},
    {"Resources", "edit", "KIND ID", "allow-expired dry-run",
     "changes one in $VISUAL, $EDITOR or vi",
     R"(Nothing is done where the text stays as it is. What the router refuses is opened
again, with the reason. Who changes it meanwhile is not overwritten. edit router: the
settings of the router itself.
)",
     &Edit},
    {"Resources", "delete", "KIND ID...", "etag ignore-not-found dry-run", "takes some away", "",
     &Delete},
    {"Resources", "apply", "", "file prune allow-expired dry-run no-headers",
     "makes resources what files say, all or none",
     R"(FILE is as trunkline.yaml (or that in JSON), of which the sections of resources count,
or JSON as of the API's ConfigBundle ({"listeners": [{"name": "listeners/amqp",
"spec": {...}}]}). Relative names of files in it start at its folder. -f may stand
there several times; a folder is refused, and so is a FILE with nothing in it.
)",
     &ApplyFiles},
    {"Resources", "explain", "[KIND[.FIELD]]", "", "the manual of a kind or a field", "",
     &ExplainField},
    {"Traffic", "top", "", "limit interval once", "rates, as they change", kEndsHelp, &Top},
    {"Traffic", "explain address", "ADDRESS", "output", "where a message to it would go", "",
     &ResolveAddress},
    {"Traffic", "close", "connection N | link NAME", "reason", "ends a connection or a link",
     R"(Numbers and names are those of trunkctl get connections and get links. Most clients
come again at once.
)",
     &CloseOne},
    {"Traffic", "disable link", "NAME", "", "stops what flows over a link, which stays attached",
     R"(A producer has no more credit. A consumer gets nothing more: other consumers of its
address do, or messages wait for it. Names are those of trunkctl get links. It lasts
until trunkctl enable link, or until the link detaches.
)",
     &DisableLink},
    {"Traffic", "enable link", "NAME", "", "lets messages flow over it again", "", &EnableLink},
    {"Traffic", "test connector", "ID", "no-headers", "tries whether a connector would connect",
     R"(Looks the host up, connects, makes the TLS handshake, logs in and opens, and says
how each went; the connector itself is left alone.
)",
     &TestConnector},
    {"Traffic", "events", "", "output filter watch limit", "what has happened",
     R"(The last 50; --limit: so many; -w: also what comes, from the router as well that
comes back after a restart.
)",
     &Events},
    {"Traffic", "logs", "", "output follow level module limit", "what the router writes to its log",
     kEndsHelp, &Logs},
    {"Traffic", "log-level list", "", "output no-headers", "from which level on modules write", "",
     &ListLevels},
    {"Traffic", "log-level set", "MODULE LEVEL", "output no-headers for", "another level",
     R"(MODULE may be all. LEVEL may be configured: what the configuration says.
)",
     &SetLevel},
    {"Traffic", "tap", "[ADDRESS]", "output limit body-bytes", "messages, as they are forwarded",
     R"(ADDRESS is a pattern, "orders/#". Messages never wait for it: what is not read in
time is not told. Ends with exit status 6 when the router does.
)",
     &Tap},
    {"Traffic", "trace", "N | listeners/ID | connectors/ID", "output limit",
     "AMQP frames of connections", kEndsHelp, &Frames},
    {"Messages", "send", "ADDRESS",
     "url user password-file ca-file certificate-file private-key-file sasl-mechanisms count rate "
     "body body-file subject property ttl durable settled output",
     "sends messages, and says what became of them", kSendHelp, &SendMessages, &LoginHelp},
    {"Messages", "receive", "ADDRESS",
     "url user password-file ca-file certificate-file private-key-file sasl-mechanisms count "
     "credit output no-headers",
     "takes messages, and prints their bodies", kReceiveHelp, &ReceiveMessages, &LoginHelp},
    {"Messages", "ping", "[ADDRESS]",
     "url user password-file ca-file certificate-file private-key-file sasl-mechanisms count "
     "interval answer output",
     "how long a message and its answer take", kPingHelp, &Ping, &LoginHelp},
    {"Messages", "bench", "ADDRESS",
     "url user password-file ca-file certificate-file private-key-file sasl-mechanisms "
     "connections size rate count duration credit settled output",
     "how many messages per second, and how late", kBenchHelp, &Bench, &LoginHelp},
    {"Certificates", "certs list", "[PROFILE...]", "output no-headers",
     "certificates, and connections of each", "", &ListCertificates},
    {"Certificates", "certs sessions", "[PROFILE]", "old output no-headers filter order-by limit",
     "connections, by the certificate they were made with", kSessionsHelp, &ListTlsSessions},
    {"Certificates", "certs rotate", "PROFILE", "cert key ca retire-old allow-expired dry-run",
     "puts another certificate in force",
     R"(Without --cert the profile's files are read again now. With it, what is in the files
named is sent to the router; only for profiles that were made over the API.
)",
     &RotateCertificate},
    {"Certificates", "certs check", "[PROFILE...]", "host no-headers",
     "what expires, and whom it is for",
     R"(Exit status 1: something is bad, or expires within 30 days.
)",
     &CheckCertificates},
    {"Configuration", "config show", "", "", "all that is configured, without secrets", "",
     &ShowConfig},
    {"Configuration", "config check", "FILE", "offline", "what is wrong with a trunkline.yaml",
     R"(The router decides, as it would at a restart; --offline: trunkctl, by the same rules
of its own version.
)",
     &CheckConfig},
    {"Configuration", "config diff", "FILE", "", "what FILE would change",
     R"(Lines with - are in force, lines with + in FILE. Exit status 1: something differs.
)",
     &DiffConfig},
    {"Router", "status", "", "", "the router at a glance", "", &Status},
    {"Router", "doctor", "", "output no-headers", "what is wrong with it, and the way out",
     R"(Exit status 1: something failed. Looks names of connectors up where the router is on
this machine.
)",
     &Doctor},
    {"Router", "drain", "", "", "finishes messages, closes connections",
     R"(--timeout: how long messages under way may take; else router.drain_timeout. The
process stays. Exit status 1: some were given up.
)",
     &DrainRouter},
    {"Router", "shutdown", "", "", "drains, then ends the process",
     R"(--timeout: how long messages under way may take; else router.drain_timeout.
)",
     &Shutdown},
    {"Router", "version", "", "", "of trunkctl and of the router", "", &Version},
    {"This program", "context list", "", "output", "the routers that have names here", "",
     &ListContexts},
    {"This program", "context use", "NAME", "", "talks to this one from here on", "", &UseContext},
    {"This program", "context set", "NAME", "", "remembers --endpoint and --tls-... as NAME", "",
     &SetContext},
    {"This program", "context delete", "NAME", "", "forgets one", "", &DeleteContext},
    {"This program", "completion", "bash|zsh", "", "a script that completes commands", "",
     &PrintCompletion},
    {"This program", "help", "[COMMAND]", "", "explains a command, as --help does", "", &PrintHelp},
    {"This program", "manual", "", "", "the manual page, for man -l -", "", &PrintManual},
};

}  // namespace

absl::Span<const Command> Commands() { return kCommands; }

size_t WordsOf(const Command& command) {
  return 1 + static_cast<size_t>(std::count(command.name.begin(), command.name.end(), ' '));
}

const Command* FindCommand(const std::vector<std::string>& words) {
  const Command* found = nullptr;
  for (const Command& command : kCommands) {
    const std::vector<std::string> name = absl::StrSplit(Piece(command.name), ' ');
    const bool fits =
        name.size() <= words.size() && std::equal(name.begin(), name.end(), words.begin());
    if (fits && (found == nullptr || WordsOf(command) > WordsOf(*found))) found = &command;
  }
  return found;
}

std::vector<std::string> CommandsUnder(std::string_view word) {
  std::vector<std::string> names;
  for (const Command& command : kCommands) {
    if (command.name.starts_with(Concat(word, " "))) names.emplace_back(command.name);
  }
  return names;
}

}  // namespace trunkline::cli
