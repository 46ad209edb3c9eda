#include "control/cli/message_text.h"

#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "control/cli/output.h"
#include "control/config/characters.h"
#include "control/config/text.h"
#include "google/protobuf/wrappers.pb.h"

namespace trunkline::cli {

bool IsUtf8(std::string_view text) { return config::ToUtf8(text) == text; }

std::string JsonQuoted(std::string_view text) {
  google::protobuf::StringValue value;
  value.set_value(config::ToUtf8(text));
  std::string quoted = JsonOf(value, Layout::kOneLine);
  quoted.pop_back();  // the end of the line
  return quoted;
}

std::string JsonOf(const AmqpMessage& message) {
  std::string text = "{";
  const auto add = [&text](std::string_view name, const std::string& json) {
    absl::StrAppend(&text, text.size() > 1 ? "," : "", "\"", config::internal::Piece(name),
                    "\":", json);
  };
  const std::pair<const char*, const std::string&> texts[] = {
      {"id", message.id},
      {"to", message.to},
      {"subject", message.subject},
      {"reply_to", message.reply_to},
      {"correlation_id", message.correlation_id},
      {"content_type", message.content_type}};
  for (const auto& [name, value] : texts) {
    if (!value.empty()) add(name, JsonQuoted(value));
  }
  if (message.durable) add("durable", "true");
  if (message.ttl_ms > 0) add("ttl_ms", absl::StrCat(message.ttl_ms));
  if (message.delivery_count > 0) add("delivery_count", absl::StrCat(message.delivery_count));
  if (!message.properties.empty()) {
    std::string properties;
    for (const auto& [name, value] : message.properties) {
      absl::StrAppend(&properties, properties.empty() ? "" : ",", JsonQuoted(name), ":",
                      JsonQuoted(value));
    }
    add("properties", config::Concat("{", properties, "}"));
  }
  const bool is_text = IsUtf8(message.body);
  add(is_text ? "body" : "body_base64",
      is_text ? JsonQuoted(message.body)
              : config::Concat("\"", absl::Base64Escape(message.body), "\""));
  return text + "}\n";
}

std::string PropertiesOf(const AmqpMessage& message) {
  std::string text;
  for (const auto& [name, value] : message.properties) {
    absl::StrAppend(&text, text.empty() ? "" : " ", name, "=", value);
  }
  return text;
}

}  // namespace trunkline::cli
