#include "control/legacy/translator.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_join.h"
#include "control/config/resource.h"
#include "control/config/text.h"
#include "control/legacy/log_section.h"
#include "control/legacy/logins.h"
#include "control/legacy/vocabulary.h"
#include "router/sasl/mechanisms.h"

namespace trunkline::legacy {
namespace {

using config::Concat;
using config::Quote;

constexpr std::string_view kFilePrefix = "file:";

const std::vector<std::string>& KnownSections() {
  static const auto* const known = new std::vector<std::string>{
      "router", "log", "policy", "sslProfile", "address", "listener", "connector"};
  return *known;
}

const Section* FirstOf(const std::vector<Section>& sections, std::string_view name) {
  const auto found = std::find_if(sections.begin(), sections.end(),
                                  [&](const Section& section) { return section.name == name; });
  return found == sections.end() ? nullptr : &*found;
}

std::string_view ValueOf(const Section& section, std::string_view name,
                         std::string_view otherwise) {
  const Attribute* const attribute = section.Find(name);
  return attribute == nullptr ? otherwise : std::string_view(attribute->value);
}

// What Dispatch calls a listener or connector without a name: "listener/0.0.0.0:5672".
std::string HostAndPort(const Section& section, std::string_view default_host) {
  return Concat(section.name, "/", ValueOf(section, "host", default_host), ":",
                ValueOf(section, "port", "amqp"));
}

// "[::1]" → "::1".
void StripBrackets(std::string& host) {
  if (!host.starts_with('[') || !host.ends_with(']')) return;
  host = host.substr(1, host.size() - 2);
}

}  // namespace

const Translator::Kind Translator::kListener = {config::kListeners, "listeners"};
const Translator::Kind Translator::kConnector = {config::kConnectors, "connectors"};
const Translator::Kind Translator::kProfile = {config::kTlsProfiles, "tls_profiles"};
const Translator::Kind Translator::kAddress = {config::kAddresses, "addresses"};

Translator::Translator(std::vector<Section>& sections, const FileReader& read, Report& report)
    : sections_(sections), report_(report), users_(FirstOf(sections, "router"), read, report) {}

config::Document Translator::Run() {
  for (Section& section : sections_) UseCurrentNames(section);
  CheckSections();
  for (const Section* section : All("router")) ReadRouter(*section);
  for (const Section* section : All("log")) {
    ReadAttributes(*section, {"log", document_.log}, {"module", "enable", "outputFile"});
    ReadLog(*section, document_.log, report_);
  }
  for (const Section* section : All("sslProfile")) ReadProfile(*section);
  // Those with a name first: the others are named by what they match, where that is still free.
  std::vector<const Section*> addresses = All("address");
  std::stable_partition(addresses.begin(), addresses.end(),
                        [](const Section* section) { return section->Find("name") != nullptr; });
  for (const Section* section : addresses) ReadAddress(*section);
  for (const Section* section : All("listener")) ReadListener(*section);
  for (const Section* section : All("connector")) ReadConnector(*section);
  const Section* const policy = FirstOf(sections_, "policy");
  if (policy != nullptr) ReadPolicy(*policy);
  users_.AddStore(document_);
  return std::move(document_);
}

void Translator::UseCurrentNames(Section& section) {
  for (Attribute& attribute : section.attributes) {
    const std::string current(CurrentName(section.name, attribute.name));
    if (current == attribute.name) continue;
    if (section.Find(current) != nullptr) {
      Fail(section, attribute, Concat("is the old name of ", current, ", which is set as well"));
      continue;
    }
    report_.warnings.push_back(
        {attribute.at, PathOf(section, attribute), Concat("has long been called ", current)});
    attribute.name = current;
  }
}

void Translator::CheckSections() {
  const std::vector<std::string>& known = KnownSections();
  for (const Section& section : sections_) {
    if (std::find(known.begin(), known.end(), section.name) != known.end()) continue;
    const Gap* const gap = FindGap(section.name, "");
    report_.problems.push_back({section.at, section.name,
                                gap != nullptr ? std::string(gap->text)
                                               : Concat("unknown section; known are ",
                                                        absl::StrJoin(KnownSections(), ", "))});
  }
  CheckOnce("router");
  CheckOnce("policy");
}

void Translator::CheckOnce(std::string_view name) {
  const std::vector<const Section*> all = All(name);
  for (size_t i = 1; i < all.size(); ++i) {
    report_.problems.push_back(
        {all[i]->at, all[i]->name, Concat("is there twice, first on line ", all[0]->at.line)});
  }
}

std::vector<const Section*> Translator::All(std::string_view name) const {
  std::vector<const Section*> all;
  for (const Section& section : sections_) {
    if (section.name == name) all.push_back(&section);
  }
  return all;
}

void Translator::ReadRouter(const Section& section) {
  ReadAttributes(section, {"router", document_.router},
                 {"mode", "saslConfigDir", "saslConfigName"});
  const Attribute* const mode = section.Find("mode");
  if (mode == nullptr || mode->value == "standalone") return;
  if (mode->value == "interior") {
    return Warn(section, *mode, "works as standalone: connections between routers are not there");
  }
  const std::string_view why = RefusedValue("mode", mode->value);
  Fail(section, *mode,
       why.empty() ? Concat(Quote(mode->value), " is not one of standalone, interior, edge")
                   : Concat(mode->value, ": ", why));
}

// What Dispatch's policy limits, the router, its listeners and its connectors limit here.
void Translator::ReadPolicy(const Section& section) {
  std::vector<Target> targets = {{"router", document_.router}};
  for (auto& [id, listener] : document_.listeners) {
    targets.push_back(TargetOf(kListener, listener));
  }
  for (auto& [id, connector] : document_.connectors) {
    targets.push_back(TargetOf(kConnector, connector));
  }
  for (const Attribute& attribute : section.attributes) {
    if (attribute.name == "name" || TellGap(section, attribute)) continue;
    bool known = attribute.name == "maxMessageSize";  // also where there is nothing to limit
    const size_t problems = report_.problems.size();
    for (const Target& target : targets) {
      known |= ReadField(section, attribute, PathOf(section, attribute), target, report_);
      if (report_.problems.size() > problems) break;  // once says it all
    }
    if (!known) TellUnknown(section, attribute, {"maxConnections", "maxMessageSize"});
  }
}

void Translator::ReadProfile(const Section& section) {
  profiles_.emplace(ValueOf(section, "name", ""));
  v1::TlsProfile* const profile = Add(section, kProfile, "", document_.tls_profiles);
  if (profile == nullptr) return;
  const Target target = TargetOf(kProfile, *profile);
  ReadAttributes(section, target, {"password", "passwordFile", "protocols"});
  ReadProtocols(section, target.path, *profile->mutable_spec());
  const Attribute* const password = section.Find("password");
  if (const Attribute* const file = section.Find("passwordFile")) {
    Warn(section, *file,
         password == nullptr ? "has long been written password: file:NAME"
                             : "has no effect, as password is set as well");
    ReadField(section, *file, "password", target, report_);
  }
  if (password != nullptr) ReadPassword(section, *password, target);
}

// "TLSv1.2 TLSv1.3": the oldest and the newest; TLS 1.0 and 1.1 are spoken by nobody here.
void Translator::ReadProtocols(const Section& section, const std::string& path,
                               v1::TlsProfileSpec& spec) {
  const Attribute* const attribute = section.Find("protocols");
  if (attribute == nullptr) return;
  for (const std::string_view field : {"protocols_min", "protocols_max"}) {
    report_.positions[Concat(path, ".", field)] = attribute->value_at;
    report_.names[Concat(path, ".", field)] = PathOf(section, *attribute);
  }
  bool old = false;
  std::optional<v1::TlsVersion> oldest;
  std::optional<v1::TlsVersion> newest;
  for (const std::string& word : Words(attribute->value)) {
    if (word == "TLSv1" || word == "TLSv1.1") {
      old = true;
      continue;
    }
    if (word != "TLSv1.2" && word != "TLSv1.3") {
      Fail(section, *attribute, Concat(Quote(word), " is not one of TLSv1.2, TLSv1.3"));
      return;
    }
    const v1::TlsVersion version =
        word == "TLSv1.2" ? v1::TLS_VERSION_TLS12 : v1::TLS_VERSION_TLS13;
    oldest = std::min(version, oldest.value_or(version));
    newest = std::max(version, newest.value_or(version));
  }
  if (!oldest) return Fail(section, *attribute, "names none of TLSv1.2, TLSv1.3");
  if (old) Warn(section, *attribute, "TLSv1 and TLSv1.1 are not spoken");
  spec.set_protocols_min(*oldest);
  spec.set_protocols_max(*newest);
}

void Translator::ReadPassword(const Section& section, const Attribute& attribute,
                              const Target& target) {
  if (!attribute.value.starts_with(kFilePrefix) || attribute.value.size() == kFilePrefix.size()) {
    return Fail(section, attribute,
                "passwords are read from files only, not from here or the environment: put it into "
                "a file that only the router may read, and write file:NAME");
  }
  Attribute file = attribute;
  file.value = attribute.value.substr(kFilePrefix.size());
  ReadField(section, file, attribute.name, target, report_);
}

void Translator::ReadAddress(const Section& section) {
  std::string match(ValueOf(section, "prefix", ValueOf(section, "pattern", "")));
  const bool named = section.Find("name") != nullptr;
  if (!named && match.empty()) {
    report_.problems.push_back({section.at, section.name, "needs a prefix or a pattern"});
    return;
  }
  if (!named && document_.addresses.contains(config::DeriveId(match))) {
    match = Concat("address/", match);
  }
  v1::Address* const address = Add(section, kAddress, match, document_.addresses);
  if (address == nullptr) return;
  if (!named) address->clear_legacy_name();
  ReadAttributes(section, TargetOf(kAddress, *address), {});
}

void Translator::ReadListener(const Section& section) {
  if (IsSet(section, "http")) return ReadHttpListener(section);
  v1::Listener* const listener =
      Add(section, kListener, HostAndPort(section, ""), document_.listeners);
  if (listener == nullptr) return;
  v1::ListenerSpec& spec = *listener->mutable_spec();
  // Dispatch waits for ever unless it is told otherwise.
  spec.mutable_initial_handshake_timeout()->Clear();
  ReadAttributes(section, TargetOf(kListener, *listener),
                 {"http", "requireSsl", "requireEncryption"});
  StripBrackets(*spec.mutable_host());
  CheckProfile(section);
  RequireTls(section, spec.tls_profile());
  ReadLogins(
      section, [this] { return users_.Find(); }, spec, report_);
}

// One with http: yes and websockets: no becomes the place of metrics and probes.
void Translator::ReadHttpListener(const Section& section) {
  const Attribute& http = *section.Find("http");
  const auto fail = [&](std::string text) {
    report_.problems.push_back({http.at, PathOf(section, http), std::move(text)});
  };
  if (section.Find("websockets") == nullptr || IsSet(section, "websockets")) {
    return fail(
        "WebSocket listeners are not there: with websockets: no it serves metrics and probes, "
        "else take this listener out");
  }
  if (document_.metrics) {
    return fail(Concat("metrics and probes are served at one place, here by the listener on line ",
                       report_.positions["metrics"].line));
  }
  v1::MetricsSpec& spec = document_.metrics.emplace();
  spec.set_legacy(v1::LEGACY_METRICS_QDR);  // whoever reads such a listener knows no other names
  report_.positions["metrics"] = section.at;
  report_.names["metrics"] = section.name;
  report_.names["metrics.port"] = Concat(section.name, ".port");  // also of one that has none
  ReadHttpAttributes(section, spec);
  CheckProfile(section);
  RequireTls(section, spec.tls_profile());
  if (!IsSet(section, "authenticatePeer")) return;
  const Attribute& authenticate = *section.Find("authenticatePeer");
  if (spec.tls_profile().empty()) {
    return Fail(section, authenticate,
                "needs an sslProfile, as clients of metrics are known by certificates alone");
  }
  spec.set_tls_client_auth(v1::TLS_CLIENT_AUTH_REQUIRE);
  report_.positions["metrics.tls_client_auth"] = authenticate.value_at;
  report_.names["metrics.tls_client_auth"] = PathOf(section, authenticate);
}

void Translator::ReadHttpAttributes(const Section& section, v1::MetricsSpec& spec) {
  constexpr uint32_t kAmqpPort = 5672;  // of a listener without a port, whatever it serves
  const Target target = {"metrics", spec};
  const std::initializer_list<std::string_view> switches = {"healthz", "metrics"};
  const Attribute* const root = section.Find("httpRootDir");
  if (root != nullptr && root->value != "invalid") {
    Fail(section, *root, "files are not served: take this line out, or write invalid");
  }
  spec.set_port(kAmqpPort);
  std::vector<std::string> own = LegacyNames(*v1::MetricsSpec::descriptor());
  own.insert(own.end(), {"authenticatePeer", "socketAddressFamily"});
  Section rest = section;
  std::erase_if(rest.attributes, [&](const Attribute& attribute) {
    return std::find(own.begin(), own.end(), attribute.name) == own.end() &&
           TellAmqpAlone(section, attribute);
  });
  ReadAttributes(rest, target,
                 {"http", "websockets", "httpRootDir", "healthz", "metrics", "authenticatePeer",
                  "requireSsl", "requireEncryption", "socketAddressFamily"});
  for (const std::string_view name : switches) {
    const Attribute* const attribute = section.Find(name);
    if (attribute != nullptr) ReadField(section, *attribute, name, target, report_);
  }
  StripBrackets(*spec.mutable_host());
  const Attribute* const family = section.Find("socketAddressFamily");
  const bool is_ipv4 = family != nullptr && family->value == "IPv4";
  if (family != nullptr && !is_ipv4 && family->value != "IPv6") {
    Fail(section, *family, Concat(Quote(family->value), " is not one of IPv4, IPv6"));
  } else if (family != nullptr && !spec.host().empty()) {
    Warn(section, *family, "has no effect beside a host: write an address to choose");
  }
  if (spec.host().empty()) spec.set_host(is_ipv4 ? "0.0.0.0" : "::");
}

bool Translator::TellAmqpAlone(const Section& section, const Attribute& attribute) {
  v1::ListenerSpec passed_over;
  Report report;
  if (!ReadField(section, attribute, attribute.name, {section.name, passed_over}, report)) {
    return false;
  }
  for (config::Problem& problem : report.problems) report_.problems.push_back(std::move(problem));
  const bool is_default = attribute.name == "role" && attribute.value == "normal";
  if (report.problems.empty() && !is_default) {
    Warn(section, attribute, "has no effect: no AMQP is spoken on a listener with http: yes");
  }
  return true;
}

// With a profile, TLS is what every client must speak here; Dispatch can leave it to them.
void Translator::RequireTls(const Section& section, const std::string& tls_profile) {
  const Attribute* const require = section.Find("requireSsl");
  const bool ssl = IsSet(section, "requireSsl");
  const bool encryption = IsSet(section, "requireEncryption");
  const Attribute* const profile = section.Find("sslProfile");
  if (profile == nullptr) {
    if (!ssl && !encryption) return;
    const Attribute* const asked = ssl ? require : section.Find("requireEncryption");
    return Fail(section, *asked, "needs an sslProfile");
  }
  if (ssl || encryption || tls_profile.empty()) return;
  if (require != nullptr) {
    return Fail(section, *require,
                "TLS and plain connections on one port are not there: write yes, and have another "
                "listener for plain ones");
  }
  Warn(section, *profile,
       "every client must speak TLS; Dispatch serves others on the same port unless requireSsl "
       "is yes");
}

bool Translator::IsSet(const Section& section, std::string_view name) {
  const Attribute* const attribute = section.Find(name);
  if (attribute == nullptr) return false;
  const std::optional<bool> flag = ParseBool(attribute->value);
  if (!flag) Fail(section, *attribute, Concat(Quote(attribute->value), " is not yes or no"));
  return flag.value_or(true);
}

void Translator::ReadConnector(const Section& section) {
  constexpr std::string_view kHost = "127.0.0.1";
  v1::Connector* const connector =
      Add(section, kConnector, HostAndPort(section, kHost), document_.connectors);
  if (connector == nullptr) return;
  v1::ConnectorSpec& spec = *connector->mutable_spec();
  const Target target = TargetOf(kConnector, *connector);
  spec.set_host(std::string(kHost));
  ReadAttributes(section, target, {"saslPassword"});
  StripBrackets(*spec.mutable_host());
  CheckProfile(section);
  const Attribute* const verify = section.Find("verifyHostname");
  if (verify != nullptr && spec.tls_profile().empty()) {
    Warn(section, *verify, "has no effect without an sslProfile");
    spec.clear_verify_hostname();
  }
  if (const Attribute* const password = section.Find("saslPassword")) {
    ReadPassword(section, *password, target);
  }
  ReadClientLogin(section, spec);
}

void Translator::ReadClientLogin(const Section& section, v1::ConnectorSpec& spec) {
  bool plaintext = spec.sasl_mechanisms().empty();
  for (std::string& mechanism : *spec.mutable_sasl_mechanisms()) {
    mechanism = absl::AsciiStrToUpper(mechanism);
    plaintext = plaintext || sasl::IsPlaintext(mechanism);
  }
  const Attribute* const user = section.Find("saslUsername");
  if (user == nullptr || !plaintext || !spec.tls_profile().empty()) return;
  spec.set_allow_insecure_plain(true);
  Warn(section, *user, "PLAIN without TLS: the password goes over the network for all to read");
}

void Translator::CheckProfile(const Section& section) {
  const Attribute* const attribute = section.Find("sslProfile");
  if (attribute == nullptr || profiles_.contains(attribute->value)) return;
  Fail(section, *attribute,
       Concat("there is no sslProfile ", Quote(attribute->value),
              HintFor(attribute->value, {profiles_.begin(), profiles_.end()})));
}

void Translator::ReadAttributes(const Section& section, const Target& target, Names passed) {
  for (const Attribute& attribute : section.attributes) {
    if (attribute.value.find("${") != std::string::npos) {
      Warn(section, attribute, "${…} stands for itself: nothing is put in its place");
    }
    if (attribute.name == "name") continue;
    if (std::find(passed.begin(), passed.end(), attribute.name) != passed.end()) continue;
    if (TellGap(section, attribute)) continue;
    if (ReadField(section, attribute, attribute.name, target, report_)) continue;
    std::vector<std::string> known = LegacyNames(*target.message.GetDescriptor());
    known.insert(known.end(), passed.begin(), passed.end());
    TellUnknown(section, attribute, known);
  }
}

bool Translator::TellGap(const Section& section, const Attribute& attribute) {
  const Gap* const gap = FindGap(section.name, attribute.name);
  if (gap == nullptr) return false;
  const std::optional<bool> flag = ParseBool(attribute.value);
  const bool harmless =
      attribute.is_text && !gap->harmless.empty() &&
      (attribute.value == gap->harmless || (flag && flag == ParseBool(gap->harmless)));
  if (harmless) return true;
  auto& told = gap->verdict == Gap::Verdict::kRefused ? report_.problems : report_.warnings;
  told.push_back({attribute.at, PathOf(section, attribute), std::string(gap->text)});
  return true;
}

void Translator::TellUnknown(const Section& section, const Attribute& attribute,
                             const std::vector<std::string>& known) {
  report_.problems.push_back({attribute.at, PathOf(section, attribute),
                              Concat("unknown attribute", HintFor(attribute.name, known))});
}

// Beyond what is shown nobody reads hints, and a large file may have many wrong words.
std::string Translator::HintFor(std::string_view word,
                                const std::vector<std::string>& known) const {
  if (report_.problems.size() >= config::kProblemsShownMax) return "";
  return config::DidYouMean(word, known);
}

template <typename Resource>
Target Translator::TargetOf(const Kind& kind, Resource& resource) {
  return {Concat(kind.path, "[", config::ResourceId(resource.name()), "]"),
          *resource.mutable_spec()};
}

template <typename Resource>
Resource* Translator::Add(const Section& section, const Kind& kind, const std::string& unnamed,
                          std::map<std::string, Resource>& resources) {
  const Attribute* const named = section.Find("name");
  const std::string& name = named == nullptr ? unnamed : named->value;
  const config::Position at = named == nullptr ? section.at : named->value_at;
  const auto fail = [&](std::string text) {
    report_.problems.push_back({at, Concat(section.name, ".name"), std::move(text)});
    return nullptr;
  };
  if (name.empty()) return fail("is required");
  if (name.size() > config::kLegacyNameBytesMax) {
    return fail(Concat("is longer than ", config::kLegacyNameBytesMax, " bytes"));
  }
  const std::string id = config::DeriveId(name);
  const std::string path = Concat(kind.path, "[", id, "]");
  const auto [place, added] = report_.positions.emplace(path, section.at);
  if (!added)
    return fail(Concat(Quote(name), " is used twice, first on line ", place->second.line));
  report_.names[path] = section.name;
  Resource& resource = resources[id];
  resource.set_name(config::ResourceName(kind.collection, id));
  if (id != name) resource.set_legacy_name(name);
  return &resource;
}

void Translator::Fail(const Section& section, const Attribute& attribute, std::string text) {
  report_.problems.push_back({attribute.value_at, PathOf(section, attribute), std::move(text)});
}

void Translator::Warn(const Section& section, const Attribute& attribute, std::string text) {
  report_.warnings.push_back({attribute.value_at, PathOf(section, attribute), std::move(text)});
}

}  // namespace trunkline::legacy
