#include "control/config/validate.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string>

#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "control/config/rules.h"
#include "control/config/schema.h"
#include "control/config/text.h"
#include "control/config/translate.h"
#include "control/config/validate_control.h"
#include "router/base/log.h"
#include "router/sasl/mechanisms.h"

namespace trunkline::config {
namespace {

constexpr std::string_view kAnonymous = "ANONYMOUS";
constexpr std::string_view kExternal = "EXTERNAL";

// What a worker needs, so that some of its links may hold all they may and others go on.
constexpr uint64_t kBudgetPerWorkerMin = 16u << 20;

// As many as the router's table of patterns takes.
constexpr size_t kPatternTokensMax = 128;

// A prefix p is the pattern p/#. Separators at either end do not count, as for the router.
std::vector<std::string> PatternTokens(const v1::AddressSpec& spec) {
  const bool is_prefix = !spec.prefix().empty();
  std::string_view text = is_prefix ? spec.prefix() : spec.pattern();
  while (text.starts_with('.') || text.starts_with('/')) text.remove_prefix(1);
  while (text.ends_with('.') || text.ends_with('/')) text.remove_suffix(1);
  if (text.empty()) return {};
  std::vector<std::string> tokens = absl::StrSplit(internal::Piece(text), absl::ByAnyChar("./"));
  if (is_prefix) tokens.push_back("#");
  return tokens;
}

bool IsIpv6Address(std::string_view host) {
  in6_addr address;
  const std::string plain(host.substr(0, host.find('%')));  // fe80::1%eth0
  return ::inet_pton(AF_INET6, plain.c_str(), &address) == 1;
}

// Resources in the order in which they came to be as they are, and then of their ids: where two
// cannot stand side by side, the younger one is to blame.
template <typename Resource>
auto ByAge(const std::map<std::string, Resource>& resources) {
  std::vector<const std::pair<const std::string, Resource>*> all;
  for (const auto& each : resources) all.push_back(&each);
  std::stable_sort(all.begin(), all.end(), [](const auto* a, const auto* b) {
    const auto& left = a->second.update_time();
    const auto& right = b->second.update_time();
    return std::pair(left.seconds(), left.nanos()) < std::pair(right.seconds(), right.nanos());
  });
  return all;
}

// Why `host` is neither a name nor an address; empty if it may be one.
std::string WrongHost(std::string_view host) {
  if (host.find_first_of(" /@*[]") != std::string_view::npos) {
    return Concat(Quote(host), " is no name or address");
  }
  if (host.find(':') == std::string_view::npos || IsIpv6Address(host)) return "";
  return Concat(Quote(host), " is no name or address; the port is a field of its own");
}

// How one end of a connection may prove who it is, and what it lacks otherwise.
struct Means {
  bool certificate = false;
  std::string_view certificate_needs;
  bool password = false;
  std::string_view password_needs;
  bool hidden = false;  // passwords may go over the wire as they are
  bool digests = true;  // passwords themselves are known, as the mechanisms of MD5 need them
};

bool IsBuiltIn(const Document& document, const std::string& store) {
  const auto found = document.user_stores.find(store);
  return found != document.user_stores.end() && found->second.spec().built_in();
}

bool IsPasswordMechanism(const std::string& name) {
  const std::vector<std::string>& all = sasl::PasswordMechanisms();
  return std::find(all.begin(), all.end(), name) != all.end();
}

// Collects the problems of one document.
class Validator {
 public:
  explicit Validator(const Document& document) : document_(document) {}

  std::vector<Problem> Run();

 private:
  void CheckRouter();
  void CheckLog();
  void CheckMetrics();
  void CheckListener(const std::string& path, const v1::ListenerSpec& spec);
  bool CheckTls(const std::string& path, const std::string& name, v1::TlsClientAuth client_auth);
  void CheckHost(const std::string& path, const std::string& host);
  void CheckPortsApart();
  void CheckConnector(const std::string& path, const v1::ConnectorSpec& spec);
  void CheckLogin(const std::string& path, const v1::ListenerSpec& spec, bool asks_certificate);
  void CheckTlsProfile(const std::string& path, const v1::TlsProfileSpec& spec);
  void CheckUserStore(const std::string& path, const v1::UserStoreSpec& spec);
  void CheckAddress(const std::string& path, const v1::AddressSpec& spec);
  void CheckPatternsApart();
  void CheckName(const std::string& path, std::string_view collection, const std::string& id,
                 const std::string& name);
  // The profile that `name` refers to; null if there is none, which is a problem unless empty.
  const v1::TlsProfileSpec* FindProfile(const std::string& path, const std::string& name);
  void CheckMechanisms(const std::string& path,
                       const google::protobuf::RepeatedPtrField<std::string>& mechanisms,
                       const Means& means);
  std::string WrongMechanism(const std::string& mechanism, const Means& means) const;
  // As DidYouMean, of the ids of resources. Beyond what is shown nobody reads hints, and each looks
  // at all of them: a large file may have thousands of wrong references.
  template <typename Resources>
  std::string HintFor(std::string_view id, const Resources& resources) const {
    if (problems_.size() >= kProblemsShownMax) return "";
    std::vector<std::string> known;
    for (const auto& [known_id, resource] : resources) known.push_back(known_id);
    return DidYouMean(id, known);
  }
  void Fail(const std::string& path, std::string_view field, std::string text,
            std::string reason = "") {
    problems_.push_back(
        {{}, field.empty() ? path : Concat(path, ".", field), std::move(text), std::move(reason)});
  }

  const Document& document_;
  std::vector<Problem> problems_;
};

std::vector<Problem> Validator::Run() {
  CheckRouter();
  CheckLog();
  CheckMetrics();
  ValidateControl(document_, problems_);
  for (const auto& [id, listener] : document_.listeners) {
    const std::string path = Concat("listeners[", id, "]");
    CheckName(path, kListeners, id, listener.name());
    CheckListener(path, listener.spec());
  }
  CheckPortsApart();
  for (const auto& [id, connector] : document_.connectors) {
    const std::string path = Concat("connectors[", id, "]");
    CheckName(path, kConnectors, id, connector.name());
    CheckConnector(path, connector.spec());
  }
  for (const auto& [id, profile] : document_.tls_profiles) {
    const std::string path = Concat("tls_profiles[", id, "]");
    CheckName(path, kTlsProfiles, id, profile.name());
    CheckTlsProfile(path, profile.spec());
  }
  for (const auto& [id, store] : document_.user_stores) {
    const std::string path = Concat("user_stores[", id, "]");
    CheckName(path, kUserStores, id, store.name());
    CheckUserStore(path, store.spec());
  }
  for (const auto& [id, address] : document_.addresses) {
    const std::string path = Concat("addresses[", id, "]");
    CheckName(path, kAddresses, id, address.name());
    CheckAddress(path, address.spec());
  }
  CheckPatternsApart();
  return std::move(problems_);
}

void Validator::CheckRouter() {
  const v1::RouterSpec& spec = document_.router;
  CheckRules(spec, "router", problems_);
  if (spec.id().find(' ') != std::string::npos) Fail("router", "id", "must not hold blanks");
  const uint64_t workers = std::max(spec.workers(), 1u);
  const uint64_t budget = spec.memory_budget_bytes();
  if (budget != 0 && budget < workers * kBudgetPerWorkerMin) {
    Fail("router", "memory_budget_bytes",
         Concat(budget, " is less than ", kBudgetPerWorkerMin, " for each of ", workers,
                " workers; 0 lets the router choose"));
  }
}

void Validator::CheckLog() {
  CheckRules(document_.log, "log", problems_);
  for (const auto& [module, level] : document_.log.levels()) {
    const std::string path = Concat("log.levels.", module);
    if (module != "default" && !ParseLogModule(module)) {
      std::vector<std::string> known = {"default"};
      for (size_t i = 0; i < kLogModules; ++i) {
        known.emplace_back(LogModuleName(static_cast<LogModule>(i)));
      }
      Fail(path, "",
           Concat("is not one of ", absl::StrJoin(known, ", "), DidYouMean(module, known)));
    }
    if (!v1::LogLevel_IsValid(level) || level == v1::LOG_LEVEL_UNSPECIFIED) {
      Fail(path, "", Concat(static_cast<int>(level), " is no value of LogLevel"));
    }
  }
}

void Validator::CheckMetrics() {
  if (!document_.metrics) return;
  CheckRules(*document_.metrics, "metrics", problems_);
  CheckHost("metrics", document_.metrics->host());
  CheckTls("metrics", document_.metrics->tls_profile(), document_.metrics->tls_client_auth());
}

void Validator::CheckListener(const std::string& path, const v1::ListenerSpec& spec) {
  CheckRules(spec, path, problems_);
  CheckHost(path, spec.host());
  CheckLogin(path, spec, CheckTls(path, spec.tls_profile(), spec.tls_client_auth()));
}

// Of what accepts connections; whether clients are asked for a certificate.
bool Validator::CheckTls(const std::string& path, const std::string& name,
                         v1::TlsClientAuth client_auth) {
  const v1::TlsProfileSpec* profile = FindProfile(path, name);
  const bool asks_certificate =
      client_auth == v1::TLS_CLIENT_AUTH_REQUEST || client_auth == v1::TLS_CLIENT_AUTH_REQUIRE;
  const std::string profile_id(ResourceId(name));
  if (profile != nullptr && !HasCertificate(document_, profile_id)) {
    Fail(path, "tls_profile", "the profile has no certificate_file, which a listener needs");
  }
  if (asks_certificate && name.empty()) Fail(path, "tls_client_auth", "needs a tls_profile");
  if (asks_certificate && profile != nullptr && !HasAuthorities(document_, profile_id)) {
    Fail(path, "tls_client_auth", "the TLS profile has no ca_file to verify clients with");
  }
  return asks_certificate;
}

void Validator::CheckLogin(const std::string& path, const v1::ListenerSpec& spec,
                           bool asks_certificate) {
  const std::string store(ResourceId(spec.user_store()));
  if (!store.empty() && (!document_.user_stores.contains(store) ||
                         spec.user_store() != ResourceName(kUserStores, store))) {
    Fail(path, "user_store",
         Concat("there is no user store ", Quote(store), HintFor(store, document_.user_stores)));
  }
  if (spec.allow_insecure_plain() && store.empty()) {
    Fail(path, "allow_insecure_plain", "needs a user_store");
  }
  const Means means = {.certificate = asks_certificate,
                       .certificate_needs = "a tls_profile and tls_client_auth request or require",
                       .password = !store.empty(),
                       .password_needs = "a user_store",
                       .hidden = !spec.tls_profile().empty() || spec.allow_insecure_plain(),
                       .digests = !IsBuiltIn(document_, store)};
  const auto& mechanisms = spec.sasl_mechanisms();
  CheckMechanisms(path, mechanisms, means);
  const bool offers_external =
      asks_certificate &&
      (mechanisms.empty() || std::count(mechanisms.begin(), mechanisms.end(), kExternal) > 0);
  const bool offers_ticket = std::count(mechanisms.begin(), mechanisms.end(), sasl::kGssapi) > 0;
  const bool offers_password =
      means.password && (mechanisms.empty() ||
                         std::any_of(mechanisms.begin(), mechanisms.end(), IsPasswordMechanism));
  if (spec.require_sasl() && !offers_external && !offers_password && !offers_ticket) {
    Fail(path, "require_sasl",
         "nobody could authenticate: it needs a user_store, or EXTERNAL, so a tls_profile and "
         "tls_client_auth, or GSSAPI");
  }
}

void Validator::CheckHost(const std::string& path, const std::string& host) {
  if (std::string wrong = WrongHost(host); !wrong.empty()) Fail(path, "host", std::move(wrong));
}

// Two on one port of one host would fail when they are bound; told here with a name.
void Validator::CheckPortsApart() {
  std::map<std::tuple<std::string, uint32_t, int>, std::string> taken;
  for (const auto* each : ByAge(document_.listeners)) {
    const auto& [id, listener] = *each;
    const v1::ListenerSpec& spec = listener.spec();
    const uint32_t port = spec.has_port() ? spec.port() : ListenerSpec().port;
    if (port == 0 || !IsEnabled(listener)) continue;
    const int family = std::max<int>(spec.socket_family(), v1::SOCKET_FAMILY_ANY);
    const auto [other, added] = taken.emplace(std::tuple(spec.host(), port, family), id);
    if (!added) {
      Fail(Concat("listeners[", id, "]"), "port",
           Concat(port, " of this host is used by listener ", Quote(other->second)), "PORT_IN_USE");
    }
  }
  const MetricsPlace place = ToPlace(document_.metrics);
  for (const auto& [key, id] : taken) {
    const auto& [host, port, family] = key;
    const bool both_everywhere = host.empty() && place.host == "::";
    if (place.enabled && (host == place.host || both_everywhere) && port == place.port) {
      Fail("metrics", "port", Concat(port, " of this host is used by listener ", Quote(id)));
    }
  }
}

void Validator::CheckConnector(const std::string& path, const v1::ConnectorSpec& spec) {
  CheckRules(spec, path, problems_);
  CheckHost(path, spec.host());
  FindProfile(path, spec.tls_profile());
  if (spec.has_verify_hostname() && spec.tls_profile().empty()) {
    Fail(path, "verify_hostname", "needs a tls_profile");
  }
  if (!spec.server_name().empty() && spec.tls_profile().empty()) {
    Fail(path, "server_name", "needs a tls_profile");
  }
  const bool has_certificate =
      HasCertificate(document_, std::string(ResourceId(spec.tls_profile())));
  if (spec.sasl_user().empty() != spec.sasl_password_file().empty()) {
    const bool no_user = spec.sasl_user().empty();
    Fail(path, no_user ? "sasl_password_file" : "sasl_user",
         Concat("needs ", no_user ? "sasl_user" : "sasl_password_file"));
  }
  CheckMechanisms(path, spec.sasl_mechanisms(),
                  {.certificate = has_certificate,
                   .certificate_needs = "a tls_profile with a certificate_file",
                   .password = !spec.sasl_user().empty(),
                   .password_needs = "sasl_user and sasl_password_file",
                   .hidden = !spec.tls_profile().empty() || spec.allow_insecure_plain()});
  for (int i = 0; i < spec.failover_size(); ++i) {
    const auto host = ParseHostPort(spec.failover(i));
    if (host && WrongHost(host->host).empty()) continue;
    Fail(path, Concat("failover[", i, "]"),
         Concat(Quote(spec.failover(i)), " is not host, host:port or [ipv6]:port"));
  }
}

void Validator::CheckTlsProfile(const std::string& path, const v1::TlsProfileSpec& spec) {
  CheckRules(spec, path, problems_);
  if (spec.certificate_file().empty() != spec.private_key_file().empty()) {
    const bool no_key = spec.private_key_file().empty();
    Fail(path, no_key ? "certificate_file" : "private_key_file",
         Concat("needs ", no_key ? "private_key_file" : "certificate_file"));
  }
  if (!spec.password_file().empty() && spec.private_key_file().empty()) {
    Fail(path, "password_file", "needs private_key_file");
  }
  if (!spec.crl_file().empty() && spec.ca_file().empty()) Fail(path, "crl_file", "needs ca_file");
  const bool only_13 = spec.protocols_min() == v1::TLS_VERSION_TLS13;
  const bool only_12 = spec.protocols_max() == v1::TLS_VERSION_TLS12;
  if (only_13 && only_12) Fail(path, "protocols_min", "tls13 is newer than protocols_max tls12");
  if (only_13 && !spec.ciphers().empty()) {
    Fail(path, "ciphers", "are for TLS 1.2, which protocols_min excludes; see cipher_suites");
  }
  if (only_12 && !spec.cipher_suites().empty()) {
    Fail(path, "cipher_suites", "are for TLS 1.3, which protocols_max excludes; see ciphers");
  }
  const size_t bad = spec.uid_format().find_first_not_of("csloun125");
  if (bad != std::string::npos) {
    Fail(path, "uid_format",
         Concat(Quote(spec.uid_format().substr(bad, 1)), " is none of c, s, l, o, u, n, 1, 2, 5"));
  }
}

void Validator::CheckUserStore(const std::string& path, const v1::UserStoreSpec& spec) {
  CheckRules(spec, path, problems_);
  const int kinds = (spec.directory().empty() ? 0 : 1) + (spec.sasldb_file().empty() ? 0 : 1) +
                    (spec.built_in() ? 1 : 0);
  if (kinds != 1) {
    const std::string_view last = spec.built_in() ? "built_in" : "sasldb_file";
    Fail(path, kinds == 0 ? "" : last,
         "exactly one of directory, sasldb_file and built_in must be set");
  }
  if (spec.realm().find_first_of(" @") != std::string::npos) {
    Fail(path, "realm", "must not hold blanks or \"@\"");
  }
}

void Validator::CheckAddress(const std::string& path, const v1::AddressSpec& spec) {
  CheckRules(spec, path, problems_);
  if (spec.prefix().empty() == spec.pattern().empty()) {
    Fail(path, spec.prefix().empty() ? "" : "pattern",
         "exactly one of prefix and pattern must be set");
  }
  const std::string_view field = spec.prefix().empty() ? "pattern" : "prefix";
  std::vector<std::string> tokens = PatternTokens(spec);
  if (tokens.empty() && !(spec.prefix().empty() && spec.pattern().empty())) {
    Fail(path, field, "holds separators only");
  }
  if (tokens.size() > kPatternTokensMax) {
    Fail(path, field, Concat("has more than ", kPatternTokensMax, " tokens"));
  }
  if (!spec.prefix().empty() && !tokens.empty()) {
    tokens.pop_back();
    const auto wild = std::find_if(tokens.begin(), tokens.end(),
                                   [](const std::string& t) { return t == "*" || t == "#"; });
    if (wild != tokens.end()) {
      Fail(path, field, Concat(Quote(*wild), " has no meaning in a prefix; use pattern"));
    }
  }
  const bool has_phase = spec.has_ingress_phase() || spec.has_egress_phase();
  if (spec.waypoint() && has_phase) {
    Fail(path, spec.has_ingress_phase() ? "ingress_phase" : "egress_phase",
         "cannot be set together with waypoint");
  }
  if (spec.enable_fallback() && spec.waypoint()) {
    Fail(path, "enable_fallback", "cannot be set together with waypoint");
  }
  if (spec.enable_fallback() && (spec.ingress_phase() != 0 || spec.egress_phase() != 0)) {
    Fail(path, "enable_fallback", "cannot be set together with a phase other than 0");
  }
}

void Validator::CheckPatternsApart() {
  std::map<std::string, std::string> taken;
  for (const auto* each : ByAge(document_.addresses)) {
    const auto& [id, address] = *each;
    const std::string pattern = NormalPattern(address.spec());
    if (pattern.empty()) continue;
    const auto [other, added] = taken.emplace(pattern, id);
    if (added) continue;
    Fail(Concat("addresses[", id, "]"), address.spec().prefix().empty() ? "pattern" : "prefix",
         Concat("matches the same as address ", Quote(other->second)), "PATTERN_IN_USE");
  }
}

void Validator::CheckName(const std::string& path, std::string_view collection,
                          const std::string& id, const std::string& name) {
  const bool is_derived = id.starts_with("q-");
  if (!IsResourceId(id) && !is_derived) {
    Fail(path, "name",
         Concat(Quote(id),
                " is not 1 to 63 of a-z, 0-9, \".\" and \"-\", with a "
                "letter or digit at both ends"));
  } else if (name != ResourceName(collection, id)) {
    Fail(path, "name", Concat(Quote(name), " is not ", Quote(ResourceName(collection, id))));
  }
}

const v1::TlsProfileSpec* Validator::FindProfile(const std::string& path, const std::string& name) {
  if (name.empty()) return nullptr;
  const std::string id(ResourceId(name));
  const auto found = document_.tls_profiles.find(id);
  if (found != document_.tls_profiles.end() && name == ResourceName(kTlsProfiles, id)) {
    return &found->second.spec();
  }
  Fail(path, "tls_profile",
       Concat("there is no TLS profile ", Quote(id), HintFor(id, document_.tls_profiles)));
  return nullptr;
}

void Validator::CheckMechanisms(const std::string& path,
                                const google::protobuf::RepeatedPtrField<std::string>& mechanisms,
                                const Means& means) {
  std::set<std::string> seen;
  for (int i = 0; i < mechanisms.size(); ++i) {
    const std::string& mechanism = mechanisms[i];
    std::string wrong = WrongMechanism(mechanism, means);
    if (wrong.empty() && !seen.insert(mechanism).second) {
      wrong = Concat(Quote(mechanism), " is there twice");
    }
    if (!wrong.empty()) Fail(path, Concat("sasl_mechanisms[", i, "]"), std::move(wrong));
  }
}

// Why a mechanism cannot be named here; empty: it can.
std::string Validator::WrongMechanism(const std::string& mechanism, const Means& means) const {
  if (mechanism == kAnonymous) return "";
  if (mechanism == kExternal) {
    return means.certificate ? "" : Concat("EXTERNAL needs ", means.certificate_needs);
  }
  if (mechanism == sasl::kGssapi) return "";
  if (const std::string_view objection = sasl::Objection(mechanism); !objection.empty()) {
    return Concat(mechanism, " is not spoken: ", objection);
  }
  if (!IsPasswordMechanism(mechanism)) {
    std::vector<std::string> known = sasl::PasswordMechanisms();
    known.insert(known.begin(), {std::string(kAnonymous), std::string(kExternal)});
    known.emplace_back(sasl::kGssapi);
    return Concat(Quote(mechanism), " is not one of ", absl::StrJoin(known, ", "),
                  DidYouMean(mechanism, known));
  }
  if (!means.password) return Concat(mechanism, " needs ", means.password_needs);
  if (mechanism.ends_with("-MD5") && !means.digests) {
    return Concat(mechanism, " needs the passwords, and a built-in user store keeps none");
  }
  if (sasl::IsPlaintext(mechanism) && !means.hidden) {
    return Concat(mechanism, " needs a tls_profile, or allow_insecure_plain: true");
  }
  return "";
}

}  // namespace

std::vector<Problem> Validate(const Document& document) { return Validator(document).Run(); }

std::string NormalPattern(const v1::AddressSpec& spec) {
  const std::vector<std::string> tokens = PatternTokens(spec);
  std::vector<std::string> normal;
  bool hash = false;  // belongs behind the stars that follow
  for (const std::string& token : tokens) {
    if (token == "#") {
      hash = true;
      continue;
    }
    if (token != "*" && std::exchange(hash, false)) normal.push_back("#");
    normal.push_back(token);
  }
  if (hash) normal.push_back("#");
  return absl::StrJoin(normal, "/");
}

}  // namespace trunkline::config
