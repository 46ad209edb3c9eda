#include "control/cli/session.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "control/cli/contexts.h"
#include "control/config/error_details.h"
#include "control/config/problem.h"
#include "control/config/schema.h"
#include "control/config/text.h"
#include "router/base/status.h"

namespace trunkline::cli {
namespace {

using config::Concat;
using config::Quote;

constexpr char kSystemSocket[] = "/run/trunkline/control.sock";
constexpr int64_t kTimeoutMs = 30'000;

// Where a trunkd of this machine listens that was told nothing else.
std::string DefaultEndpoint() {
  const std::string folder = Environment("XDG_RUNTIME_DIR");
  const std::string own = folder + "/trunkline/control.sock";
  const bool is_own =
      ::access(kSystemSocket, F_OK) != 0 && !folder.empty() && ::access(own.c_str(), F_OK) == 0;
  return "unix://" + (is_own ? own : kSystemSocket);
}

// "tlsProfiles", "tls_profile" and "TLS-Profiles" are one word.
std::string Fold(std::string_view word) {
  std::string folded;
  for (const char c : word) {
    if (c != '-' && c != '_' && c != ' ')
      folded += absl::ascii_tolower(static_cast<unsigned char>(c));
  }
  return folded;
}

bool IsKind(const api::Kind& kind, const std::string& folded) {
  return folded == Fold(kind.collection->name()) || folded == Fold(kind.field) ||
         (folded == "tls" && kind.field == "tls_profile");
}

// "connection" of "connections", "address" of "addresses".
std::string Singular(const std::string& word) {
  return word.ends_with("sses") ? word.substr(0, word.size() - 2) : word.substr(0, word.size() - 1);
}

// What belongs to others.
constexpr struct {
  const char* word;
  const char* title;
  const char* parent_prefix;
} kOwned[] = {{"links", "links", "connections/"},
              {"users", "users", "userStores/"},
              {"tls_sessions", "TLS sessions", "tlsProfiles/"}};

// "/trunkline.control.v1.ListenerService/ListListeners" and what belongs to it, if it is such a
// method: its answer is a list, and a token for the next page.
bool Describe(const api::Method& list, const api::MethodTable& methods, Listed& listed) {
  const google::protobuf::Descriptor& reply = *list.descriptor->output_type();
  const bool is_list = list.name.starts_with("List") && reply.field_count() > 0 &&
                       reply.field(0)->is_repeated() && reply.field(0)->message_type() != nullptr &&
                       reply.FindFieldByName("next_page_token") != nullptr;
  if (!is_list) return false;
  listed.word = reply.field(0)->name();
  listed.title = listed.word;
  listed.type = reply.field(0)->message_type();
  listed.list = &list;
  listed.prefix = listed.word + "/";
  const std::string service = list.path.substr(0, list.path.rfind('/') + 1);
  listed.get = methods.Find(service + "Get" + listed.type->name());
  listed.watch = methods.Find(service + "Watch" + list.name.substr(4));
  if (const config::Collection* collection = config::FindCollection(*listed.type)) {
    listed.prefix = collection->name() + "/";
    listed.title = Concat(collection->title(), collection->title().ends_with('s') ? "es" : "s");
  }
  for (const auto& [word, title, parent_prefix] : kOwned) {
    if (listed.word != word) continue;
    listed.title = title;
    listed.parent_prefix = parent_prefix;
  }
  return true;
}

std::vector<Listed> FindAllListed(const api::MethodTable& methods) {
  std::vector<Listed> all;
  for (const api::Method& method : methods.methods()) {
    Listed listed;
    if (Describe(method, methods, listed)) all.push_back(std::move(listed));
  }
  return all;
}

absl::Status NoKind(std::string_view word, std::vector<std::string> names) {
  // As they are written here, and not in files.
  for (std::string& name : names) absl::StrReplaceAll({{"_", "-"}}, &name);
  std::string hint = config::DidYouMean(word, names);
  if (hint.empty()) {
    hint = "; there are";
    for (const std::string& name : names) absl::StrAppend(&hint, " ", name);
  }
  return absl::InvalidArgumentError(Concat("no kind of resource ", Quote(word), hint));
}

absl::StatusOr<int64_t> TimeoutOf(const Arguments& arguments) {
  if (!arguments.Has("timeout")) return kTimeoutMs;
  const std::string text = arguments.Get("timeout");
  const auto duration = config::ParseDuration(text);
  if (duration) return config::ToMilliseconds(*duration);
  return absl::InvalidArgumentError(
      Concat("--timeout: ", Quote(text), " is not a duration such as 30s or 1m"));
}

std::vector<std::string> Behind(const std::vector<std::string>& words, size_t count) {
  return {words.begin() + static_cast<ptrdiff_t>(std::min(count, words.size())), words.end()};
}

// Whether nobody has answered, going by the reason of an error that says so: a router that stops is
// as good as gone, and so is an AMQP peer that closes the connection. Other reasons are answers.
bool IsUnreachable(const std::string& reason) {
  return reason.empty() || reason == "STOPPING" || reason.starts_with("amqp:");
}

}  // namespace

Session::Session(const Arguments& arguments, size_t words)
    : arguments_(arguments),
      words_(Behind(arguments.words(), words)),
      kinds_(api::FindKinds(methods_)),
      listed_(FindAllListed(methods_)) {}

absl::StatusOr<Endpoint> Session::FindEndpoint() const {
  Endpoint endpoint;
  endpoint.address = arguments_.Get("endpoint");
  if (endpoint.address.empty() && !arguments_.Has("context")) {
    endpoint.address = Environment("TRUNKLINE_ENDPOINT");
  }
  if (endpoint.address.empty()) {
    TL_ASSIGN_OR_RETURN(endpoint, EndpointOfContext(arguments_.Get("context")));
  }
  if (endpoint.address.empty()) endpoint.address = DefaultEndpoint();
  if (endpoint.address.starts_with('/')) endpoint.address.insert(0, "unix://");
  const struct {
    const char* option;
    const char* variable;
    std::string& value;
  } files[] = {{"tls-cert", "TRUNKLINE_TLS_CERT", endpoint.tls_certificate},
               {"tls-key", "TRUNKLINE_TLS_KEY", endpoint.tls_key},
               {"tls-ca", "TRUNKLINE_TLS_CA", endpoint.tls_ca},
               {"tls-name", "TRUNKLINE_TLS_NAME", endpoint.tls_server_name}};
  for (const auto& [option, variable, value] : files) {
    // What a context says goes before the environment: it belongs to its endpoint.
    if (value.empty()) value = Environment(variable);
    if (arguments_.Has(option)) value = arguments_.Get(option);
  }
  TL_RETURN_IF_ERROR(CheckEndpoint(endpoint));
  return endpoint;
}

absl::Status Session::Connect() {
  if (channel_ != nullptr) return absl::OkStatus();
  TL_ASSIGN_OR_RETURN(const int64_t timeout, TimeoutOf(arguments_));
  TL_ASSIGN_OR_RETURN(const Endpoint endpoint, FindEndpoint());
  TL_ASSIGN_OR_RETURN(channel_, Channel::Open(endpoint));
  channel_->SetTimeout(timeout);
  if (arguments_.Has("verbose")) {
    channel_->SetTrace([this](std::string_view line) { Note(line); });
  }
  return absl::OkStatus();
}

absl::Status Session::Call(const std::string& method, const google::protobuf::Message& request,
                           google::protobuf::Message& reply) {
  TL_RETURN_IF_ERROR(Connect());
  return channel_->Call(method, request, reply);
}

absl::Status Session::Stream(const std::string& method, const google::protobuf::Message& request,
                             google::protobuf::Message& reply, const std::function<bool()>& each) {
  TL_RETURN_IF_ERROR(Connect());
  return channel_->Stream(method, request, reply, each);
}

absl::StatusOr<const api::Kind*> Session::FindKind(std::string_view word) const {
  const std::string folded = Fold(word);
  std::vector<std::string> names;
  for (const api::Kind& kind : kinds_) {
    if (IsKind(kind, folded)) return &kind;
    names.push_back(kind.collection->section());
  }
  return NoKind(word, std::move(names));
}

absl::StatusOr<const Listed*> Session::FindListed(std::string_view word) const {
  const std::string folded = Fold(word);
  std::vector<std::string> names;
  for (const Listed& listed : listed_) {
    const std::string own = Fold(listed.word);
    const bool is_tls = folded == "tls" && own == "tlsprofiles";
    if (folded == own || folded == Singular(own) || is_tls) return &listed;
    names.push_back(listed.word);
  }
  return NoKind(word, std::move(names));
}

void Session::Print(std::string_view text) const {
  const bool is_told = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  if (is_told && std::fflush(stdout) == 0) return;
  Note(Concat("trunkctl: the standard output cannot be written: ", std::strerror(errno), "\n"));
  // At once: what comes is lost, and messages that are received go to others.
  std::_Exit(1);
}

void Session::Note(std::string_view text) const {
  std::fwrite(text.data(), 1, text.size(), stderr);
}

void Session::Progress(std::string_view text, Line line) const {
  const bool takes_its_place = ::isatty(STDOUT_FILENO) == 1;
  // To the left edge, and away with what was there.
  Print(Concat(takes_its_place ? "\r\033[K" : "", text,
               takes_its_place && line == Line::kNext ? "" : "\n"));
}

Table::Colours Session::colours() const {
  const bool wanted = ::isatty(STDOUT_FILENO) == 1 && Environment("NO_COLOR").empty() &&
                      Environment("TERM") != "dumb";
  return wanted ? Table::Colours::kOn : Table::Colours::kOff;
}

int ExitStatusOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return 0;
    case absl::StatusCode::kNotFound:
      return IsFromRouter(status) ? 3 : 1;  // a file of ours is another matter
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kAlreadyExists:
      return 4;
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnauthenticated:
      return IsFromRouter(status) ? 5 : 1;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
      return IsUnreachable(config::ReasonOf(status)) ? 6 : 1;
    default:
      return 1;
  }
}

bool IsFromRouter(const absl::Status& status) { return !config::ReasonOf(status).empty(); }

std::string Explain(const absl::Status& status) {
  const std::vector<config::FieldViolation> violations = config::ViolationsOf(status);
  // One is what the text says; of several it would be a long line of all.
  const bool listed = violations.size() > 1;
  std::string text = Concat("trunkctl: ", listed ? Concat(violations.size(), " fields are wrong")
                                                 : Printable(config::View(status.message())));
  if (const std::string reason = config::ReasonOf(status); !reason.empty()) {
    absl::StrAppend(&text, " (", reason, ")");
  }
  for (const config::FieldViolation& violation : violations) {
    if (!listed) break;
    absl::StrAppend(&text, "\n  ", Printable(violation.field), ": ",
                    Printable(violation.description));
  }
  // What is a field of requests is an option here.
  return absl::StrReplaceAll(text, {{"; allow_expired takes", "; --allow-expired takes"}}) + "\n";
}

std::string Count(size_t count, std::string_view one) {
  return Concat(count, " ", one, count == 1 ? "" : "s");
}

std::string Environment(const char* name) {
  const char* const value = ::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace trunkline::cli
