#include "control/store/state_format.h"

#include <memory>

#include "control/config/collection.h"
#include "control/config/text.h"
#include "google/protobuf/util/json_util.h"
#include "proto/trunkline/control/v1/state.pb.h"
#include "router/base/check.h"

namespace trunkline::store {
namespace {

constexpr int kFormat = 1;

// What a library made of them meanwhile is not ours to overwrite.
void WipeKeys(v1::State& state) {
  for (auto& [id, kept] : *state.mutable_inline_certificates()) Wipe(*kept.mutable_private_key());
}

}  // namespace

std::string EncodeState(const config::Document& made) {
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
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.preserve_proto_field_names = true;
  std::string bytes;
  const auto status = google::protobuf::util::MessageToJsonString(state, &bytes, options);
  TL_CHECK(status.ok()) << status.ToString();  // every message of ours has a form in JSON
  WipeKeys(state);
  return bytes;
}

absl::StatusOr<config::Document> DecodeState(const std::string& bytes) {
  v1::State state;
  const auto status = google::protobuf::util::JsonStringToMessage(bytes, &state);
  if (state.format() > kFormat) {
    return absl::FailedPreconditionError("was written by a newer version of trunkd");
  }
  if (!status.ok() || state.format() != kFormat) {
    return absl::DataLossError(config::Concat("is no state of trunkd: ", status.ToString()));
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
  WipeKeys(state);
  return made;
}

}  // namespace trunkline::store
