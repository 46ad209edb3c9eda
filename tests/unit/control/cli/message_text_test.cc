#include "control/cli/message_text.h"

#include <gtest/gtest.h>

namespace trunkline::cli {
namespace {

TEST(MessageText, TellsWhatAMessageHas) {
  EXPECT_EQ(JsonOf(AmqpMessage{.body = "x"}), "{\"body\":\"x\"}\n");
  const AmqpMessage message{.body = "a \"b\"\n\t\\",
                            .to = "orders",
                            .subject = "greeting",
                            .reply_to = "here",
                            .id = "1",
                            .correlation_id = "2",
                            .content_type = "text/plain",
                            .properties = {{"k", "v"}, {"n", "1"}},
                            .ttl_ms = 5,
                            .delivery_count = 3,
                            .durable = true};
  EXPECT_EQ(JsonOf(message),
            "{\"id\":\"1\",\"to\":\"orders\",\"subject\":\"greeting\",\"reply_to\":\"here\","
            "\"correlation_id\":\"2\",\"content_type\":\"text/plain\",\"durable\":true,"
            "\"ttl_ms\":5,\"delivery_count\":3,\"properties\":{\"k\":\"v\",\"n\":\"1\"},"
            "\"body\":\"a \\\"b\\\"\\n\\t\\\\\"}\n");
  EXPECT_EQ(PropertiesOf(message), "k=v n=1");
}

TEST(MessageText, IsValidWhateverPeersSend) {
  EXPECT_EQ(JsonOf(AmqpMessage{.body = "\xff\x00z"}), "{\"body_base64\":\"/w==\"}\n");
  EXPECT_EQ(JsonOf(AmqpMessage{.body = "ü", .subject = "\xff"}),
            "{\"subject\":\"\xEF\xBF\xBD\",\"body\":\"ü\"}\n");
  EXPECT_EQ(JsonQuoted(std::string("a\0b", 3)), "\"a\\u0000b\"");
  EXPECT_TRUE(IsUtf8("ü"));
  EXPECT_FALSE(IsUtf8("\xc3"));
}

}  // namespace
}  // namespace trunkline::cli
