#include "router/sasl/session.h"

#include <sasl/sasl.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "router/base/check.h"
#include "router/base/secret.h"
#include "router/sasl/auxprop.h"
#include "router/sasl/kerberos.h"
#include "router/sasl/library.h"
#include "router/sasl/mechanisms.h"
#include "router/sasl/options.h"

namespace trunkline::sasl {
namespace {

constexpr char kService[] = "amqp";
// Bytes of a name, and of what was wrong, that logs show.
constexpr size_t kShownNameBytes = 64;
constexpr size_t kShownDetailBytes = 256;

using Procedure = int (*)();
template <typename F>
Procedure AsProcedure(F* function) {
  return reinterpret_cast<Procedure>(reinterpret_cast<void*>(function));
}

// A text for the log, whatever it is.
std::string Shown(std::string_view text, size_t bytes_max = kShownNameBytes) {
  std::string shown(text.substr(0, bytes_max));
  for (char& c : shown) {
    if (!absl::ascii_isprint(static_cast<unsigned char>(c))) c = '?';
  }
  if (text.size() > bytes_max) shown += "...";
  return shown;
}

std::string HostName() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0 || name[0] == '\0') return "localhost";
  return name.data();
}

Verdict VerdictOf(int result) {
  switch (result) {
    case SASL_OK:
      return Verdict::kOk;
    case SASL_CONTINUE:
      return Verdict::kContinue;
    case SASL_FAIL:
    case SASL_NOMEM:
    case SASL_BUFOVER:
    case SASL_NOMECH:
    case SASL_BADPARAM:
    case SASL_NOTINIT:
    case SASL_UNAVAIL:
    case SASL_CONFIGERR:
    case SASL_INTERACT:
      return Verdict::kError;
    default:
      return Verdict::kDenied;
  }
}

// No security layer: its integrity and secrecy are TLS's. Which mechanisms there are was decided
// before.
constexpr sasl_security_properties_t kSecurity = {
    .min_ssf = 0,
    .max_ssf = 0,
    .maxbufsize = 0,
    .security_flags = SASL_SEC_NOANONYMOUS,
    .property_names = nullptr,
    .property_values = nullptr,
};

// The view of `text` that libsasl2 wants; null if there is none.
const char* DataOf(const std::optional<std::string>& text) {
  return text.has_value() ? text->data() : nullptr;
}
unsigned SizeOf(const std::optional<std::string>& text) {
  return text.has_value() ? static_cast<unsigned>(text->size()) : 0;
}

// What both ends have of libsasl2. Callbacks name the object, so it stays where it is.
class CyrusSession : public Session {
 public:
  ~CyrusSession() override { Dispose(); }

 protected:
  // Ends the exchange for libsasl2, which may call back for the last time.
  void Dispose() {
    if (connection_ != nullptr) sasl_dispose(&connection_);
  }
  // What libsasl2 answered.
  Answer AnswerOf(int result, const char* out, unsigned size) const {
    Answer answer;
    answer.verdict = VerdictOf(result);
    if (out != nullptr) {
      answer.bytes.emplace().reserve(kOutOfObject);  // may be a password: moved, not copied
      answer.bytes->assign(out, size);
    }
    if (answer.verdict == Verdict::kError) {
      answer.detail = Shown(connection_ != nullptr ? sasl_errdetail(connection_)
                                                   : sasl_errstring(result, nullptr, nullptr),
                            kShownDetailBytes);
    }
    return answer;
  }

  sasl_conn_t* connection_ = nullptr;
};

// --- the accepting end

class ServerSession : public CyrusSession {
 public:
  explicit ServerSession(ServerOptions options)
      : mechanism_(std::move(options.mechanism)), host_(HostName()) {
    settings_.users = std::move(options.users);
    settings_.auxprop_plugins = kAuxpropName;
    if (!settings_.users->sasldb_file().empty()) settings_.auxprop_plugins.insert(0, "sasldb ");
    callbacks_ = {{
        {SASL_CB_GETOPT, AsProcedure(&GetOption), &settings_},
        {SASL_CB_CANON_USER, AsProcedure(&TakeName), &settings_},
        {SASL_CB_LOG, AsProcedure(&TakeReason), &settings_},
        {SASL_CB_LIST_END, nullptr, nullptr},
        {SASL_CB_LIST_END, nullptr, nullptr},
    }};
    // Else libsasl2 compares with the password itself.
    if (settings_.users->has_verifiers()) {
      callbacks_[3] = {SASL_CB_SERVER_USERDB_CHECKPASS, AsProcedure(&CheckPassword), &settings_};
    }
  }

  ~ServerSession() override { Dispose(); }

  Answer Step(const std::optional<std::string>& input) override;
  Answer Finish(const std::optional<std::string>&) override { return {}; }

 protected:
  ServerSettings settings_;

 private:
  static int GetOption(void* context, const char* plugin, const char* option, const char** result,
                       unsigned* size);
  static int TakeName(sasl_conn_t*, void* context, const char* name, unsigned name_size,
                      unsigned flags, const char* realm, char* out, unsigned out_max,
                      unsigned* out_size);
  static int TakeReason(void* context, int level, const char* text);
  static int CheckPassword(sasl_conn_t*, void* context, const char* user, const char* password,
                           unsigned password_size, propctx*);
  int Begin();

  const std::string mechanism_;
  const std::string host_;
  std::array<sasl_callback_t, 5> callbacks_;
};

Answer ServerSession::Step(const std::optional<std::string>& input) {
  const char* out = nullptr;
  unsigned size = 0;
  int result = SASL_OK;
  if (connection_ == nullptr) {
    result = Begin();
    // Where the server speaks first, some clients send an empty response all the same.
    const bool nothing = input.has_value() && input->empty() && mechanism_.ends_with("-MD5");
    const std::optional<std::string> none;
    const std::optional<std::string>& begin = nothing ? none : input;
    if (result == SASL_OK) {
      result = sasl_server_start(connection_, mechanism_.c_str(), DataOf(begin), SizeOf(begin),
                                 &out, &size);
    }
  } else {
    result = sasl_server_step(connection_, DataOf(input), SizeOf(input), &out, &size);
  }
  Answer answer = AnswerOf(result, out, size);
  answer.user = Shown(settings_.name);
  if (answer.verdict == Verdict::kContinue && !answer.bytes.has_value()) answer.bytes.emplace();
  if (answer.verdict != Verdict::kOk) return answer;
  if (answer.bytes.has_value() && answer.bytes->empty()) answer.bytes.reset();
  const void* user = nullptr;
  if (sasl_getprop(connection_, SASL_USERNAME, &user) != SASL_OK || user == nullptr) return {};
  answer.user = static_cast<const char*>(user);
  return answer;
}

int ServerSession::Begin() {
  if (!Load().ok()) return SASL_NOTINIT;
  const std::string& realm = settings_.users->realm();
  // With a name of the host none is looked up.
  const int result = sasl_server_new(kService, realm.empty() ? host_.c_str() : realm.c_str(),
                                     realm.empty() ? nullptr : realm.c_str(), nullptr, nullptr,
                                     callbacks_.data(), SASL_SUCCESS_DATA, &connection_);
  if (result != SASL_OK) return result;
  return sasl_setprop(connection_, SASL_SEC_PROPS, &kSecurity);
}

int ServerSession::GetOption(void* context, const char*, const char* option, const char** result,
                             unsigned* size) {
  const ServerSettings& settings = *static_cast<const ServerSettings*>(context);
  const std::string_view name = option;
  const char* value = nullptr;
  if (name == "auxprop_plugin") value = settings.auxprop_plugins.c_str();
  if (name == "pwcheck_method") value = "auxprop";
  if (name == "auto_transition") value = "no";
  if (name == "log_level") value = "0";
  if (name == "sasldb_path") value = settings.users->sasldb_file().c_str();
  if (name == "canon_user_plugin") value = "INTERNAL";
  if (name == "scram_iteration_counter") value = "4096";
  if (value == nullptr) return SASL_FAIL;
  *result = value;
  if (size != nullptr) *size = static_cast<unsigned>(std::strlen(value));
  return SASL_OK;
}

// Refuses what cannot be a name before anything is looked up; libsasl2 adds the realm, but to the
// name of a ticket, whose own realm the plugin cuts off where it is the default one.
int ServerSession::TakeName(sasl_conn_t*, void* context, const char* name, unsigned name_size,
                            unsigned flags, const char*, char* out, unsigned out_max,
                            unsigned* out_size) {
  ServerSettings& settings = *static_cast<ServerSettings*>(context);
  std::string text(name, name_size);
  const bool blank =
      std::all_of(text.begin(), text.end(), [](unsigned char c) { return absl::ascii_isspace(c); });
  const bool control =
      std::any_of(text.begin(), text.end(), [](unsigned char c) { return absl::ascii_iscntrl(c); });
  const bool by_ticket = !settings.ticket_realm.empty();
  if (by_ticket && text.find('@') == std::string::npos) text += "@" + settings.ticket_realm;
  if ((flags & SASL_CU_AUTHID) != 0) settings.name = text;
  if (blank || control || text.size() > Users::kNameBytesMax || text.size() >= out_max) {
    if (!by_ticket || (flags & SASL_CU_AUTHID) != 0) return SASL_BADAUTH;
    // Of whom a ticket's owner wants to be, the plugin loses memory when told no; nobody is "?".
    text = "?";
  }
  std::memmove(out, text.data(), text.size());
  out[text.size()] = '\0';
  *out_size = static_cast<unsigned>(text.size());
  return SASL_OK;
}

// Of a ticket that is not taken this is the only place where it is said why. What is logged about
// passwords is nobody's business.
int ServerSession::TakeReason(void* context, int level, const char* text) {
  ServerSettings& settings = *static_cast<ServerSettings*>(context);
  const bool by_ticket = !settings.ticket_realm.empty();
  if (by_ticket && level == SASL_LOG_FAIL && text != nullptr) settings.reason = text;
  return SASL_OK;
}

// A password that came as it is. Where this says no, libsasl2 compares it with what nobody knows.
int ServerSession::CheckPassword(sasl_conn_t*, void* context, const char* user,
                                 const char* password, unsigned password_size, propctx*) {
  const ServerSettings& settings = *static_cast<const ServerSettings*>(context);
  if (user == nullptr || password == nullptr) return SASL_BADPARAM;
  return settings.users->Check(user, {password, password_size}) ? SASL_OK : SASL_BADAUTH;
}

// By a ticket of Kerberos: neither a store of users nor its realm is asked.
class TicketSession final : public ServerSession {
 public:
  explicit TicketSession(std::string mechanism)
      : ServerSession({.mechanism = std::move(mechanism), .users = Nobody()}) {}

  Answer Step(const std::optional<std::string>& input) override;

 private:
  static std::shared_ptr<const Users> Nobody() {
    std::vector<Credential> none;
    return Users::FromCredentials("", none);
  }

  Answer Examine(const std::optional<std::string>& input);

  bool begun_ = false;  // the plugin has seen the request
};

Answer TicketSession::Step(const std::optional<std::string>& input) {
  const bool first = !begun_;
  if (first) {
    Answer answer = Examine(input);
    if (answer.verdict != Verdict::kOk) return answer;
    begun_ = true;
  }
  Answer answer = ServerSession::Step(input);
  // Behind the request nothing of ours is needed: what is wrong is what the peer says.
  if (answer.verdict == Verdict::kError && !first) answer.verdict = Verdict::kDenied;
  if (answer.verdict == Verdict::kDenied && !settings_.reason.empty()) {
    answer.detail = Shown(settings_.reason, kShownDetailBytes);
  }
  return answer;
}

// What the plugin must not see, or cannot do without; kOk: nothing.
Answer TicketSession::Examine(const std::optional<std::string>& input) {
  Answer answer;
  if (!input.has_value()) {  // the client has to begin; an empty challenge tells it so
    answer.verdict = Verdict::kContinue;
    answer.bytes.emplace();
    return answer;
  }
  if (!IsKerberosRequest(*input)) {
    answer.verdict = Verdict::kDenied;
    answer.detail = "not a request of Kerberos";
    return answer;
  }
  absl::StatusOr<std::string> realm = DefaultRealm();
  if (!realm.ok()) {
    answer.detail = std::string(realm.status().message());
    return answer;
  }
  settings_.ticket_realm = *std::move(realm);
  answer.verdict = Verdict::kOk;
  return answer;
}

// --- the connecting end

class ClientSession final : public CyrusSession {
 public:
  explicit ClientSession(ClientOptions options) : options_(std::move(options)) {
    callbacks_ = {{
        {SASL_CB_USER, AsProcedure(&GiveName), this},
        {SASL_CB_AUTHNAME, AsProcedure(&GiveName), this},
        {SASL_CB_PASS, AsProcedure(&GivePassword), this},
        {SASL_CB_GETREALM, AsProcedure(&ChooseRealm), this},
        {SASL_CB_LIST_END, nullptr, nullptr},
    }};
  }
  ~ClientSession() override {
    Dispose();
    if (!secret_.empty()) ::explicit_bzero(secret_.data(), secret_.size());
  }

  Answer Step(const std::optional<std::string>& input) override;
  Answer Finish(const std::optional<std::string>& data) override;

 private:
  static int GiveName(void* context, int id, const char** result, unsigned* size);
  static int GivePassword(sasl_conn_t*, void* context, int id, sasl_secret_t** secret);
  static int ChooseRealm(void* context, int id, const char** realms, const char** result);
  int Begin();

  const ClientOptions options_;
  std::array<sasl_callback_t, 5> callbacks_;
  std::vector<unsigned char> secret_;  // a sasl_secret_t
  bool complete_ = false;              // the mechanism is content
};

Answer ClientSession::Step(const std::optional<std::string>& input) {
  const char* out = nullptr;
  unsigned size = 0;
  int result = SASL_OK;
  if (connection_ == nullptr) {
    result = Begin();
    const char* chosen = nullptr;
    if (result == SASL_OK) {
      result =
          sasl_client_start(connection_, options_.mechanism.c_str(), nullptr, &out, &size, &chosen);
    }
  } else {
    result = sasl_client_step(connection_, DataOf(input), SizeOf(input), nullptr, &out, &size);
  }
  complete_ = result == SASL_OK;
  Answer answer = AnswerOf(result, out, size);
  // Whether it is over is the server's to say.
  if (answer.verdict == Verdict::kOk) answer.verdict = Verdict::kContinue;
  return answer;
}

Answer ClientSession::Finish(const std::optional<std::string>& data) {
  Answer answer;
  answer.verdict = Verdict::kDenied;
  if (!complete_ && data.has_value()) {
    const Answer last = Step(data);
    if (last.verdict != Verdict::kContinue) return last;
  }
  if (complete_) answer.verdict = Verdict::kOk;
  return answer;
}

int ClientSession::Begin() {
  if (!Load().ok()) return SASL_NOTINIT;
  const int result = sasl_client_new(kService, options_.host.c_str(), nullptr, nullptr,
                                     callbacks_.data(), SASL_SUCCESS_DATA, &connection_);
  if (result != SASL_OK) return result;
  return sasl_setprop(connection_, SASL_SEC_PROPS, &kSecurity);
}

int ClientSession::GiveName(void* context, int id, const char** result, unsigned* size) {
  const ClientSession& session = *static_cast<const ClientSession*>(context);
  *result = id == SASL_CB_AUTHNAME ? session.options_.user.c_str() : "";
  if (size != nullptr) *size = static_cast<unsigned>(std::strlen(*result));
  return SASL_OK;
}

int ClientSession::GivePassword(sasl_conn_t*, void* context, int, sasl_secret_t** secret) {
  ClientSession& session = *static_cast<ClientSession*>(context);
  const std::string_view password = session.options_.password.view();
  session.secret_.assign(sizeof(sasl_secret_t) + password.size(), 0);
  auto* const filled = reinterpret_cast<sasl_secret_t*>(session.secret_.data());
  filled->len = password.size();
  std::copy(password.begin(), password.end(),
            session.secret_.begin() + offsetof(sasl_secret_t, data));
  *secret = filled;
  return SASL_OK;
}

int ClientSession::ChooseRealm(void*, int, const char** realms, const char** result) {
  *result = realms != nullptr && realms[0] != nullptr ? realms[0] : "";
  return SASL_OK;
}

}  // namespace

std::unique_ptr<Session> Session::Server(ServerOptions options) {
  if (options.mechanism == kGssapi) {
    return std::make_unique<TicketSession>(std::move(options.mechanism));
  }
  TL_CHECK(options.users != nullptr);
  return std::make_unique<ServerSession>(std::move(options));
}

std::unique_ptr<Session> Session::Client(ClientOptions options) {
  return std::make_unique<ClientSession>(std::move(options));
}

}  // namespace trunkline::sasl
