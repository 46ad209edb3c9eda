#include "router/sasl/auxprop.h"

#include <sasl/sasl.h>
#include <sasl/saslplug.h>

#include <optional>
#include <string>
#include <string_view>

#include "router/sasl/options.h"

namespace trunkline::sasl {
namespace {

constexpr char kPassword[] = SASL_AUX_PASSWORD;
// What mechanisms of SCRAM ask for besides, and no other.
constexpr char kScramKeys[] = "*authPassword";

// The users of the session that `sparams` belongs to. That its callback for names has the settings
// as context is known here; that for options is libsasl2's own when asked for in this way.
const Users* UsersOf(sasl_server_params_t* sparams) {
  sasl_callback_ft procedure = nullptr;
  void* context = nullptr;
  if (sparams->utils->getcallback(sparams->utils->conn, SASL_CB_CANON_USER, &procedure, &context) !=
      SASL_OK) {
    return nullptr;
  }
  return context == nullptr ? nullptr : static_cast<const ServerSettings*>(context)->users.get();
}

const propval* Find(const propval* wanted, std::string_view name) {
  for (; wanted != nullptr && wanted->name != nullptr; ++wanted) {
    if (wanted->name == name) return wanted;
  }
  return nullptr;
}

// The hash of the mechanism that asks; null if it is none of SCRAM.
const ScramHash* HashOf(sasl_server_params_t* sparams) {
  const void* name = nullptr;
  if (sasl_getprop(sparams->utils->conn, SASL_MECHNAME, &name) != SASL_OK || name == nullptr) {
    return nullptr;
  }
  return ScramHash::Of(static_cast<const char*>(name));
}

// Gives keys, and no password: libsasl2 would prefer it and make keys of its own at every login.
int GiveKeys(sasl_server_params_t* sparams, const Users& users, std::string_view name) {
  const ScramHash* const hash = HashOf(sparams);
  if (hash == nullptr) return SASL_NOMECH;
  const propval* const password = Find(sparams->utils->prop_get(sparams->propctx), kPassword);
  const bool given = password != nullptr && password->values != nullptr &&
                     password->values[0] != nullptr && *password->values[0] != '\0';
  std::optional<std::string> text = users.ScramTextOf(
      name, *hash, given ? std::optional<std::string_view>(password->values[0]) : std::nullopt);
  if (!text.has_value()) return SASL_FAIL;
  sparams->utils->prop_erase(sparams->propctx, kPassword);
  sparams->utils->prop_erase(sparams->propctx, kScramKeys);
  const int result = sparams->utils->prop_set(sparams->propctx, kScramKeys, text->data(),
                                              static_cast<int>(text->size()));
  Wipe(*text);
  return result;
}

// Gives what is known of `user`. A sasldb, if there is one, was asked before: its password counts.
int Lookup(void*, sasl_server_params_t* sparams, unsigned flags, const char* user, unsigned size) {
  if (sparams == nullptr || user == nullptr) return SASL_BADPARAM;
  if ((flags & SASL_AUXPROP_AUTHZID) != 0) return SASL_OK;  // that has no properties
  const Users* users = UsersOf(sparams);
  if (users == nullptr) return SASL_NOUSER;
  const propval* const wanted = sparams->utils->prop_get(sparams->propctx);
  if (Find(wanted, kScramKeys) != nullptr) return GiveKeys(sparams, *users, {user, size});
  const propval* const password = Find(wanted, kPassword);
  if (password == nullptr) return SASL_OK;
  if (password->values != nullptr && (flags & SASL_AUXPROP_OVERRIDE) == 0) return SASL_OK;
  const std::string_view text = users->PasswordOf({user, size});
  return sparams->utils->prop_set(sparams->propctx, kPassword, text.data(),
                                  static_cast<int>(text.size()));
}

int Initialise(const sasl_utils_t*, int max_version, int* out_version, sasl_auxprop_plug_t** plugin,
               const char*) {
  if (max_version < SASL_AUXPROP_PLUG_VERSION) return SASL_BADVERS;
  static char name[] = "trunkline";
  static sasl_auxprop_plug_t plug = {
      .features = 0,
      .spare_int1 = 0,
      .glob_context = nullptr,
      .auxprop_free = nullptr,
      .auxprop_lookup = &Lookup,
      .name = name,
      .auxprop_store = nullptr,
  };
  static_assert(sizeof name == sizeof kAuxpropName);
  *out_version = SASL_AUXPROP_PLUG_VERSION;
  *plugin = &plug;
  return SASL_OK;
}

}  // namespace

int AddAuxprop() { return sasl_auxprop_add_plugin(kAuxpropName, &Initialise); }

}  // namespace trunkline::sasl
