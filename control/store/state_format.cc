#include "control/store/state_format.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "control/config/collection.h"
#include "control/config/text.h"
#include "control/store/layers.h"
#include "google/protobuf/util/json_util.h"
#include "google/protobuf/util/time_util.h"
#include "proto/trunkline/control/v1/state.pb.h"
#include "router/base/secret.h"
#include "router/sasl/users.h"

namespace trunkline::store {
namespace {

using google::protobuf::util::TimeUtil;

constexpr int kFormat = 1;

// What a library made of them meanwhile is not ours to overwrite.
void WipeKeys(v1::State& state) {
  for (auto& [id, kept] : *state.mutable_inline_certificates()) Wipe(*kept.mutable_private_key());
  for (auto& [id, kept] : *state.mutable_users()) {
    Wipe(*kept.mutable_salt_key());
    for (auto& [name, user] : *kept.mutable_users()) Wipe(*user.mutable_keys());
  }
}

void EncodeUsers(const config::BuiltInUsers& users, v1::StoredUsers& kept) {
  kept.set_salt_key(std::string(users.salt_key.view()));
  for (const auto& [name, user] : users.users) {
    v1::StoredUser& stored = (*kept.mutable_users())[name];
    stored.set_keys(std::string(user.keys.view()));
    *stored.mutable_create_time() = TimeUtil::MillisecondsToTimestamp(user.created);
    *stored.mutable_update_time() = TimeUtil::MillisecondsToTimestamp(user.updated);
  }
}

// False: there is what is not set over the API.
bool DecodeRouter(const v1::RouterSpec& kept, v1::RouterSpec& router) {
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  kept.GetReflection()->ListFields(kept, &fields);
  router = kept;
  return std::all_of(fields.begin(), fields.end(),
                     [](const auto* field) { return IsSetOverApi(*field); });
}

// Null: that is not what EncodeUsers makes.
std::shared_ptr<const config::BuiltInUsers> DecodeUsers(const v1::StoredUsers& kept) {
  auto users = std::make_shared<config::BuiltInUsers>();
  users->salt_key = Secret(kept.salt_key());
  for (const auto& [name, user] : kept.users()) {
    if (user.keys().size() != sasl::Verifier::kKeyBytes) return nullptr;
    users->users[name] = {.keys = Secret(user.keys()),
                          .created = TimeUtil::TimestampToMilliseconds(user.create_time()),
                          .updated = TimeUtil::TimestampToMilliseconds(user.update_time())};
  }
  return users;
}

// Where Protobuf found the error, in our words: its own quote what stands there, which may be a
// key. Empty: it cannot be told.
std::string PlaceOf(std::string_view error, std::string_view bytes) {
  // "(bundle.listeners[0].spec.port): …", names of fields alone.
  const size_t path_end = error.find(')');
  if (error.starts_with('(') && path_end != std::string_view::npos) {
    return config::Concat(": ", error.substr(1, path_end - 1));
  }
  // "Expected a value.\n…what stands around it…\n      ^"
  const size_t begin = error.find('\n');
  const size_t end = error.rfind('\n');
  if (begin == end) return "";
  const std::string_view around = error.substr(begin + 1, end - begin - 1);
  const size_t column = error.size() - end - 2;
  const size_t at = bytes.find(around);
  const bool is_once =
      at != std::string_view::npos && bytes.find(around, at + 1) == std::string_view::npos;
  if (!is_once) return "";
  const std::string_view before = bytes.substr(0, at + column);
  return config::Concat(": line ", 1 + std::count(before.begin(), before.end(), '\n'));
}

// The format that a state says it has, also one that has more in it than we know. 0: it says none.
int32_t FormatOf(std::string_view bytes) {
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;
  v1::StateFormat state;
  // What is no JSON has no format.
  (void)google::protobuf::util::JsonStringToMessage({bytes.data(), bytes.size()}, &state, options);
  return state.format();
}

}  // namespace

absl::StatusOr<Secret> EncodeState(const config::Document& made) {
  v1::State state;
  state.set_format(kFormat);
  for (const config::Collection& collection : config::Collections()) {
    const auto* field = state.bundle().GetDescriptor()->FindFieldByName(collection.section());
    collection.ForEach(made, [&](const std::string&, const google::protobuf::Message& resource) {
      v1::ConfigBundle& bundle = *state.mutable_bundle();
      bundle.GetReflection()->AddMessage(&bundle, field)->CopyFrom(resource);
    });
  }
  for (const auto& [id, given] : made.inline_certificates) {
    v1::InlineCertificate& kept = (*state.mutable_inline_certificates())[id];
    kept.set_certificate(given->certificate);
    kept.set_private_key(std::string(given->private_key.view()));
    kept.set_ca(given->ca);
  }
  for (const auto& [id, users] : made.built_in_users) {
    EncodeUsers(*users, (*state.mutable_users())[id]);
  }
  if (made.router.ByteSizeLong() > 0) *state.mutable_router() = made.router;
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.preserve_proto_field_names = true;
  std::string bytes;
  const auto status = google::protobuf::util::MessageToJsonString(state, &bytes, options);
  WipeKeys(state);
  Secret encoded(bytes);
  Wipe(bytes);
  // Not in Protobuf's words: what they quote may be a key.
  if (!status.ok()) return absl::InternalError("the change has no form that could be kept");
  return encoded;
}

absl::StatusOr<config::Document> DecodeState(std::string_view bytes) {
  v1::State state;
  const auto status =
      google::protobuf::util::JsonStringToMessage({bytes.data(), bytes.size()}, &state);
  if (!status.ok() || state.format() != kFormat) {
    const int32_t format = FormatOf(bytes);
    if (format > kFormat) {
      return absl::FailedPreconditionError(
          config::Concat("was written by a newer version of trunkd, in format ", format,
                         "; this one knows ", kFormat, ": start the newer one"));
    }
    const std::string_view error(status.message().data(), status.message().size());
    return absl::DataLossError(
        config::Concat("is no state of trunkd", status.ok() ? ": format" : PlaceOf(error, bytes)));
  }
  config::Document made;
  for (const config::Collection& collection : config::Collections()) {
    const v1::ConfigBundle& bundle = state.bundle();
    const auto* field = bundle.GetDescriptor()->FindFieldByName(collection.section());
    for (int i = 0; i < bundle.GetReflection()->FieldSize(bundle, field); ++i) {
      collection.Put(made, bundle.GetReflection()->GetRepeatedMessage(bundle, field, i));
    }
  }
  for (const auto& [id, kept] : state.inline_certificates()) {
    made.inline_certificates[id] = std::make_shared<const config::InlineCertificate>(
        config::InlineCertificate{kept.certificate(), Secret(kept.private_key()), kept.ca()});
  }
  for (const auto& [id, kept] : state.users()) {
    made.built_in_users[id] = DecodeUsers(kept);
    if (made.built_in_users[id] == nullptr) {
      return absl::DataLossError(config::Concat("is no state of trunkd: users of ", id));
    }
  }
  if (!DecodeRouter(state.router(), made.router)) {
    return absl::DataLossError("is no state of trunkd: router");
  }
  WipeKeys(state);
  return made;
}

}  // namespace trunkline::store
