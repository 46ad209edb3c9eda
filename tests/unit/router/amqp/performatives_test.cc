#include "router/amqp/performatives.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "router/amqp/codec.h"
#include "tests/unit/router/amqp/bodies.h"
#include "tests/unit/router/amqp/encoded.h"

namespace trunkline::amqp {
namespace {

using testing::HasSubstr;

TEST(Performatives, OpenKeepsEveryFieldOverARoundTrip) {
  const auto open = ParseOpen(Encoded(FullOpen()));
  ASSERT_TRUE(open.ok()) << open.status();
  ExpectEqual(*open, FullOpen());
}

TEST(Performatives, AttachKeepsEveryFieldOverARoundTrip) {
  const auto attach = ParseAttach(Encoded(FullAttach()));
  ASSERT_TRUE(attach.ok()) << attach.status();
  ExpectEqual(*attach, FullAttach());
}

TEST(Performatives, FlowKeepsEveryFieldOverARoundTrip) {
  Flow flow;
  ASSERT_TRUE(ParseFlow(Encoded(FullFlow()), flow));
  ExpectEqual(flow, FullFlow());
}

TEST(Performatives, TransferKeepsEveryFieldOverARoundTrip) {
  const Transfer full = FullTransfer("0123456789abcdef0123456789abcdef");
  const std::string body = Encoded(full) + "payload";
  EXPECT_LE(body.size(), kTransferBytesMax + full.state.size() + 7);
  Transfer transfer;
  std::string_view payload;
  ASSERT_TRUE(ParseTransfer(body, transfer, payload));
  ExpectEqual(transfer, full);
  EXPECT_EQ(payload, "payload");
}

TEST(Performatives, DispositionKeepsEveryFieldOverARoundTrip) {
  Disposition full;
  full.role = Role::kReceiver;
  full.first = 5;
  full.last = 0xffffffff;
  full.settled = true;
  full.state_kind = OutcomeKind::kRejected;
  const std::string state = EncodeRejected({"amqp:not-found", std::string(300, 'd'), SmallMap()});
  full.batchable = true;
  for (const std::string_view raw : {std::string_view(state), RawOutcome(full.state_kind)}) {
    full.state = raw;
    const std::string body = Encoded(full);
    Disposition disposition;
    ASSERT_TRUE(ParseDisposition(body, disposition));
    EXPECT_EQ(disposition.role, full.role);
    EXPECT_EQ(disposition.first, full.first);
    EXPECT_EQ(disposition.last, full.last);
    EXPECT_EQ(disposition.settled, full.settled);
    EXPECT_EQ(disposition.state_kind, full.state_kind);
    EXPECT_EQ(disposition.state, raw);
    EXPECT_EQ(disposition.batchable, full.batchable);
  }
}

TEST(Performatives, ErrorsKeepEveryFieldOverARoundTrip) {
  const Condition error{"amqp:connection:forced", "going down", SmallMap()};
  const auto detach = ParseDetach(Encoded(Detach{.handle = 9, .closed = true, .error = error}));
  const auto end = ParseEnd(Encoded(End{error}));
  const auto close = ParseClose(Encoded(Close{error}));
  ASSERT_TRUE(detach.ok() && end.ok() && close.ok());
  EXPECT_EQ(detach->handle, 9u);
  EXPECT_TRUE(detach->closed);
  EXPECT_EQ(detach->error, error);
  EXPECT_EQ(end->error, error);
  EXPECT_EQ(close->error, error);
}

TEST(Performatives, BeginKeepsEveryFieldOverARoundTrip) {
  const auto begin = ParseBegin(Encoded(Begin{.remote_channel = 0,
                                              .next_outgoing_id = 0xfffffffe,
                                              .incoming_window = 2,
                                              .outgoing_window = 3,
                                              .handle_max = 4}));
  ASSERT_TRUE(begin.ok()) << begin.status();
  EXPECT_EQ(begin->remote_channel, 0);
  EXPECT_EQ(begin->next_outgoing_id, 0xfffffffeu);
  EXPECT_EQ(begin->incoming_window, 2u);
  EXPECT_EQ(begin->outgoing_window, 3u);
  EXPECT_EQ(begin->handle_max, 4u);
}

TEST(Performatives, DefaultsSurviveARoundTrip) {
  const auto open = ParseOpen(Encoded(Open()));
  ASSERT_TRUE(open.ok());
  ExpectEqual(*open, Open());
  const auto attach = ParseAttach(Encoded(Attach()));
  ASSERT_TRUE(attach.ok());
  ExpectEqual(*attach, Attach());
  Flow flow = FullFlow();
  ASSERT_TRUE(ParseFlow(Encoded(Flow()), flow));
  ExpectEqual(flow, Flow());
  const std::string tag(32, 't');
  Transfer transfer = FullTransfer(tag);
  std::string_view payload = "old";
  ASSERT_TRUE(ParseTransfer(Encoded(Transfer()), transfer, payload));
  ExpectEqual(transfer, Transfer());
  EXPECT_EQ(payload, "");
  Disposition disposition;
  disposition.last = 3;
  ASSERT_TRUE(ParseDisposition(Encoded(Disposition()), disposition));
  EXPECT_EQ(disposition.last, std::nullopt);
  EXPECT_EQ(disposition.state_kind, OutcomeKind::kNone);
  EXPECT_FALSE(ParseEnd(Encoded(End()))->error);
}

TEST(Performatives, WriteTheBytesOfTheSpecification) {
  Open open;
  open.container_id = "a";
  EXPECT_EQ(Encoded(open), Bytes({0x00, 0x53, 0x10, 0xc0, 4, 1, 0xa1, 1, 'a'}));
  EXPECT_EQ(Encoded(Begin{.incoming_window = 100, .outgoing_window = 256}),
            Bytes({0x00, 0x53, 0x11, 0xc0, 10, 4, 0x40, 0x43, 0x52, 100, 0x70, 0, 0, 1, 0}));
  EXPECT_EQ(Encoded(Flow{.next_incoming_id = 1,
                         .incoming_window = 2,
                         .next_outgoing_id = 3,
                         .outgoing_window = 4}),
            Bytes({0x00, 0x53, 0x13, 0xc0, 9, 4, 0x52, 1, 0x52, 2, 0x52, 3, 0x52, 4}));
  EXPECT_EQ(Encoded(Flow{.handle = 0, .delivery_count = 1, .link_credit = 250}),
            Bytes({0x00, 0x53, 0x13, 0xc0, 13, 10, 0x40, 0x43, 0x43, 0x43, 0x43, 0x52, 1, 0x52, 250,
                   0x40, 0x42, 0x42}));
  EXPECT_EQ(Encoded(Transfer{.delivery_id = 1, .delivery_tag = "x", .message_format = 0}),
            Bytes({0x00, 0x53, 0x14, 0xc0, 8, 4, 0x43, 0x52, 1, 0xa0, 1, 'x', 0x43}));
  EXPECT_EQ(Encoded(Transfer{.handle = 2, .more = true}),
            Bytes({0x00, 0x53, 0x14, 0xc0, 8, 6, 0x52, 2, 0x40, 0x40, 0x40, 0x40, 0x41}));
  EXPECT_EQ(Encoded(Disposition{
                .role = Role::kReceiver, .settled = true, .state_kind = OutcomeKind::kAccepted}),
            Bytes({0x00, 0x53, 0x15, 0xc0, 9, 5, 0x41, 0x43, 0x40, 0x41, 0x00, 0x53, 0x24, 0x45}));
  EXPECT_EQ(Encoded(Detach{.handle = 1, .closed = true, .error = {"a:b", "", ""}}),
            Bytes({0x00, 0x53, 0x16, 0xc0, 15, 3,    0x52, 1,   0x41, 0x00,
                   0x53, 0x1d, 0xc0, 6,    1,  0xa3, 3,    'a', ':',  'b'}));
  EXPECT_EQ(Encoded(Close()), Bytes({0x00, 0x53, 0x18, 0x45}));
}

TEST(Performatives, AttachWritesATargetWithOneBareCapability) {
  Attach attach;
  attach.name = "n";
  attach.target.present = true;
  attach.target.address = "q";
  attach.target.capabilities = {"c"};
  attach.target.capabilities_single = true;
  EXPECT_EQ(Encoded(attach),
            Bytes({0x00, 0x53, 0x12, 0xc0, 28,   7,    0xa1, 1,    'n',  0x43, 0x42,
                   0x50, 2,    0x50, 0,    0x40, 0x00, 0x53, 0x29, 0xc0, 12,   7,
                   0xa1, 1,    'q',  0x40, 0x40, 0x40, 0x40, 0x40, 0xa3, 1,    'c'}));
}

TEST(Performatives, CoordinatorIsATargetOnly) {
  Attach attach;
  attach.target.present = true;
  attach.target.coordinator = true;
  attach.target.capabilities = {"amqp:local-transactions"};
  const auto parsed = ParseAttach(Encoded(attach));
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->target, attach.target);

  std::string source;
  WriteString(source, "n");
  source += Bytes({0x43, 0x42, 0x40, 0x40, 0x00, 0x53, 0x30, 0x45});
  std::string body = Bytes({0x00, 0x53, 0x12});
  WriteListHeader(body, source.size(), 6);
  EXPECT_THAT(std::string(ParseAttach(body + source).status().message()),
              HasSubstr("attach.source: unknown type"));
}

// A transfer with every mix of legal encodings of its descriptor, list and integers.
TEST(Performatives, TransferIsReadInEveryLegalEncoding) {
  const std::string name = "amqp:transfer:list";
  const std::vector<std::string> descriptors = {
      Bytes({0x00, 0x53, 0x14}), Bytes({0x00, 0x80, 0, 0, 0, 0, 0, 0, 0, 0x14}),
      Bytes({0x00, 0xa3, 18}) + name, Bytes({0x00, 0xb3, 0, 0, 0, 18}) + name};
  const std::vector<std::string> handles = {Bytes({0x43}), Bytes({0x52, 0}),
                                            Bytes({0x70, 0, 0, 0, 0})};
  const std::vector<std::string> tags = {Bytes({0xa0, 1, 't'}), Bytes({0xb0, 0, 0, 0, 1, 't'})};
  const std::vector<std::string> truths = {Bytes({0x41}), Bytes({0x56, 1})};
  for (const std::string& descriptor : descriptors) {
    for (const std::string& handle : handles) {
      for (const std::string& tag : tags) {
        for (const std::string& truth : truths) {
          const std::string fields = handle + Bytes({0x40}) + tag + Bytes({0x40}) + truth + truth;
          const auto bytes = static_cast<int>(fields.size());
          const std::string small = Bytes({0xc0, bytes + 1, 6});
          const std::string large = Bytes({0xd0, 0, 0, 0, bytes + 4, 0, 0, 0, 6});
          for (const std::string& header : {small, large}) {
            ParseExactly(descriptor + header + fields + "rest", [](std::string_view body) {
              Transfer transfer;
              std::string_view payload;
              ASSERT_TRUE(ParseTransfer(body, transfer, payload));
              EXPECT_EQ(PeekDescriptor(body).value(), Descriptor::kTransfer);
              EXPECT_EQ(transfer.handle, 0u);
              EXPECT_EQ(transfer.delivery_id, std::nullopt);
              EXPECT_EQ(transfer.delivery_tag, "t");
              EXPECT_EQ(transfer.settled, true);
              EXPECT_TRUE(transfer.more);
              EXPECT_EQ(payload, "rest");
            });
          }
        }
      }
    }
  }
}

TEST(Performatives, DispositionIsReadWithEveryFormOfAState) {
  const auto with_state = [](const std::string& state) {
    const std::string fields = Bytes({0x41, 0x43, 0x40, 0x41}) + state;
    return Bytes({0x00, 0x53, 0x15, 0xc0, static_cast<int>(fields.size()) + 1, 5}) + fields;
  };
  const std::vector<std::pair<std::string, OutcomeKind>> states = {
      {Bytes({0x40}), OutcomeKind::kNone},
      {Bytes({0x00, 0x53, 0x24, 0x45}), OutcomeKind::kAccepted},
      {Bytes({0x00, 0x53, 0x24, 0xc0, 1, 0}), OutcomeKind::kAccepted},
      {Bytes({0x00, 0x80, 0, 0, 0, 0, 0, 0, 0, 0x26, 0xd0, 0, 0, 0, 4, 0, 0, 0, 0}),
       OutcomeKind::kReleased},
      {Bytes({0x00, 0xa3, 18}) + "amqp:modified:list" + Bytes({0xc0, 2, 1, 0x41}),
       OutcomeKind::kModified},
      {Bytes({0x00, 0x53, 0x23, 0xc0, 3, 2, 0x43, 0x44}), OutcomeKind::kReceived},
      {Bytes({0x00, 0x53, 0x33, 0xc0, 4, 1, 0xa0, 1, 'x'}), OutcomeKind::kDeclared},
      {Bytes({0x00, 0x53, 0x34, 0xc0, 4, 1, 0xa0, 1, 'x'}), OutcomeKind::kTransactional},
      {Bytes({0x00, 0xa3, 3, 'x', ':', 'y', 0x41}), OutcomeKind::kUnknown},
  };
  for (const auto& [state, kind] : states) {
    const std::string body = with_state(state);
    Disposition disposition;
    ASSERT_TRUE(ParseDisposition(body, disposition)) << static_cast<int>(kind);
    EXPECT_EQ(disposition.state_kind, kind);
    EXPECT_EQ(disposition.state, kind == OutcomeKind::kNone ? "" : state);
    EXPECT_EQ(OutcomeKindOf(disposition.state), kind);
    Disposition unused;
    const std::string short_body = body.substr(0, body.size() - 1);
    EXPECT_FALSE(ParseDisposition(short_body, unused));
  }
  Disposition unused;
  EXPECT_FALSE(ParseDisposition(with_state(Bytes({0x00, 0x53, 0x24, 0x41})), unused));
  EXPECT_FALSE(ParseDisposition(with_state(Bytes({0x45})), unused));
}

TEST(Performatives, ATagOf32BytesIsWrittenAndOneOf33IsRead) {
  const std::string tag(kDeliveryTagBytesMax, 't');
  Transfer transfer;
  std::string_view payload;
  const std::string body = Encoded(Transfer{.delivery_tag = tag});
  ASSERT_TRUE(ParseTransfer(body, transfer, payload));
  EXPECT_EQ(transfer.delivery_tag, tag);
  const std::string longer =
      Bytes({0x00, 0x53, 0x14, 0xc0, 38, 3, 0x43, 0x40, 0xa0, 33}) + tag + "t";
  ASSERT_TRUE(ParseTransfer(longer + "p", transfer, payload));
  EXPECT_EQ(transfer.delivery_tag->size(), 33u);
}

TEST(Performatives, ATransferWithALargeStateIsWrittenAsALargeList) {
  const std::string state = EncodeRejected({"x:y", std::string(300, 'd'), ""});
  const std::string body = Encoded(Transfer{.handle = 1, .state = state, .aborted = true});
  EXPECT_EQ(body[3], '\xd0');
  Transfer transfer;
  std::string_view payload;
  ASSERT_TRUE(ParseTransfer(body, transfer, payload));
  EXPECT_EQ(transfer.state, state);
  EXPECT_TRUE(transfer.aborted);
  EXPECT_EQ(payload, "");
}

TEST(Performatives, DescriptorIsPeekedInEveryEncoding) {
  EXPECT_EQ(PeekDescriptor(Bytes({0x00, 0x53, 0x10})).value(), Descriptor::kOpen);
  EXPECT_EQ(PeekDescriptor(Bytes({0x00, 0x53, 0x18})).value(), Descriptor::kClose);
  EXPECT_EQ(PeekDescriptor(Bytes({0x00, 0x53, 0x44})).value(), Descriptor::kSaslOutcome);
  EXPECT_EQ(PeekDescriptor(Bytes({0x00, 0xa3, 14}) + "amqp:flow:list").status().code(),
            absl::StatusCode::kOk);
  EXPECT_FALSE(PeekDescriptor(Bytes({0x00, 0x53, 0x19})).ok());
  EXPECT_FALSE(PeekDescriptor(Bytes({0x00, 0x53, 0x0f})).ok());
  EXPECT_FALSE(PeekDescriptor(Bytes({0x00, 0x53, 0x90})).ok());
  EXPECT_FALSE(PeekDescriptor(Bytes({0x00, 0x53})).ok());
  EXPECT_FALSE(PeekDescriptor("").ok());
}

TEST(Outcomes, ModifiedKeepsItsFieldsAndBecomesDeliveryFailed) {
  const std::string annotations = SmallMap();
  const std::string given = Bytes({0x00, 0x53, 0x27, 0xc0, 12, 3, 0x42, 0x41}) + annotations;
  EXPECT_EQ(ModifiedDeliveryFailed(given),
            Bytes({0x00, 0x53, 0x27, 0xc0, 12, 3, 0x41, 0x41}) + annotations);
  const std::string plain = Bytes({0x00, 0x53, 0x27, 0xc0, 2, 1, 0x41});
  EXPECT_EQ(ModifiedDeliveryFailed(""), plain);
  EXPECT_EQ(ModifiedDeliveryFailed(RawOutcome(OutcomeKind::kModified)), plain);
  EXPECT_EQ(ModifiedDeliveryFailed("garbage"), plain);
}

TEST(Outcomes, RejectedCarriesItsError) {
  EXPECT_EQ(EncodeRejected({"a:b", "c", ""}),
            Bytes({0x00, 0x53, 0x25, 0xc0, 15,  1,   0x00, 0x53, 0x1d, 0xc0,
                   9,    2,    0xa3, 3,    'a', ':', 'b',  0xa1, 1,    'c'}));
  EXPECT_EQ(EncodeRejected({}), RawOutcome(OutcomeKind::kRejected));
}

}  // namespace
}  // namespace trunkline::amqp
