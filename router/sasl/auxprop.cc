#include "router/sasl/auxprop.h"

#include <sasl/sasl.h>
#include <sasl/saslplug.h>

#include <string_view>

#include "router/sasl/options.h"

namespace trunkline::sasl {
namespace {

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

// Gives the password of `user`. A sasldb, if there is one, was asked before: what it gave stays.
int Lookup(void*, sasl_server_params_t* sparams, unsigned flags, const char* user, unsigned size) {
  if (sparams == nullptr || user == nullptr) return SASL_BADPARAM;
  if ((flags & SASL_AUXPROP_AUTHZID) != 0) return SASL_OK;  // that has no properties
  const Users* users = UsersOf(sparams);
  if (users == nullptr) return SASL_NOUSER;
  const propval* wanted = sparams->utils->prop_get(sparams->propctx);
  for (; wanted != nullptr && wanted->name != nullptr; ++wanted) {
    if (std::string_view(wanted->name) != SASL_AUX_PASSWORD) continue;
    if (wanted->values != nullptr && (flags & SASL_AUXPROP_OVERRIDE) == 0) continue;
    const std::string_view password = users->PasswordOf({user, size});
    return sparams->utils->prop_set(sparams->propctx, wanted->name, password.data(),
                                    static_cast<int>(password.size()));
  }
  return SASL_OK;
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
