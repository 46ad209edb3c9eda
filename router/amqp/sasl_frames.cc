#include "absl/status/status.h"
#include "router/amqp/codec.h"
#include "router/amqp/performatives.h"
#include "router/amqp/performatives_fields.h"

// Part 5, section 5.3.3: the bodies of SASL frames.
namespace trunkline::amqp {

absl::StatusOr<SaslMechanisms> ParseSaslMechanisms(std::string_view body) {
  SaslMechanisms mechanisms;
  FieldReader fields("sasl-mechanisms", Descriptor::kSaslMechanisms, body);
  fields.SymbolsRequired("sasl-server-mechanisms", mechanisms.mechanisms);
  return fields.FinishBody(std::move(mechanisms));
}

absl::StatusOr<SaslInit> ParseSaslInit(std::string_view body) {
  SaslInit init;
  FieldReader fields("sasl-init", Descriptor::kSaslInit, body);
  fields.Symbol("mechanism", init.mechanism, Need::kMandatory);
  fields.Binary("initial-response", init.initial_response);
  fields.String("hostname", init.hostname);
  return fields.FinishBody(std::move(init));
}

absl::StatusOr<std::string> ParseSaslChallenge(std::string_view body) {
  std::string challenge;
  FieldReader fields("sasl-challenge", Descriptor::kSaslChallenge, body);
  fields.Binary("challenge", challenge);
  return fields.FinishBody(std::move(challenge));
}

absl::StatusOr<std::string> ParseSaslResponse(std::string_view body) {
  std::string response;
  response.reserve(kOutOfObject);  // may be a password
  FieldReader fields("sasl-response", Descriptor::kSaslResponse, body);
  fields.Binary("response", response);
  return fields.FinishBody(std::move(response));
}

absl::StatusOr<SaslOutcome> ParseSaslOutcome(std::string_view body) {
  SaslOutcome outcome;
  FieldReader fields("sasl-outcome", Descriptor::kSaslOutcome, body);
  fields.Choice8("code", outcome.code, SaslCode::kSysTemp, Need::kMandatory);
  fields.Binary("additional-data", outcome.additional_data);
  return fields.FinishBody(std::move(outcome));
}

void Encode(const SaslMechanisms& mechanisms, std::string& out) {
  std::string array;
  WriteSymbols(array, mechanisms.mechanisms);
  ListWriter fields(out, Number(Descriptor::kSaslMechanisms));
  fields.Raw(array);  // an array even when it is empty: the field is mandatory
  fields.Close();
}

void Encode(const SaslInit& init, std::string& out) {
  ListWriter fields(out, Number(Descriptor::kSaslInit));
  fields.Symbol(init.mechanism);
  fields.Binary(init.initial_response);
  fields.String(init.hostname);
  fields.Close();
}

void EncodeSaslChallenge(std::string_view challenge, std::string& out) {
  ListWriter fields(out, Number(Descriptor::kSaslChallenge));
  fields.Binary(std::string(challenge));
  fields.Close();
}

void EncodeSaslResponse(std::string_view response, std::string& out) {
  ListWriter fields(out, Number(Descriptor::kSaslResponse));
  std::optional<std::string> bytes(response);
  fields.Binary(bytes);
  Wipe(bytes);
  fields.Close();
}

void Encode(const SaslOutcome& outcome, std::string& out) {
  ListWriter fields(out, Number(Descriptor::kSaslOutcome));
  fields.Ubyte(static_cast<uint8_t>(outcome.code));
  fields.Binary(outcome.additional_data);
  fields.Close();
}

}  // namespace trunkline::amqp
