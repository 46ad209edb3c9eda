#include "control/cli/table.h"

#include <gtest/gtest.h>

#include "proto/trunkline/control/v1/listener.pb.h"
#include "proto/trunkline/control/v1/tls.pb.h"

namespace trunkline::cli {
namespace {

using control::v1::Listener;
using control::v1::TlsProfile;

TEST(Table, ColumnsAreAsWideAsTheirCells) {
  Table table({"NAME", "STATE", "X"});
  table.Add({"ä", "listening", "1"});
  table.Add({"longer", "", ""});
  EXPECT_EQ(table.Text(true),
            "NAME    STATE      X\n"
            "ä       listening  1\n"
            "longer\n");
  EXPECT_EQ(table.Text(false),
            "ä       listening  1\n"
            "longer\n");
}

TEST(Table, ColoursTakeNoRoom) {
  Table table({"STATE", "NAME"});
  table.Add({"failed", "failed"});
  table.Add({"none", "x"});
  EXPECT_EQ(table.Text(true, Table::Colours::kOn),
            "STATE   NAME\n"
            "\033[31mfailed\033[0m  failed\n"
            "none    x\n");
}

TEST(Table, RowsThatComeLaterStandBelowTheOthers) {
  Table table({"A", "B"});
  table.Add({"wide cell", "1"});
  EXPECT_EQ(table.Next(true), "A          B\nwide cell  1\n");
  table.Add({"x", "2"});
  EXPECT_EQ(table.Next(true), "x          2\n");
  table.Add({"wider than cell", "3"});
  EXPECT_EQ(table.Next(true), "wider than cell  3\n");
  table.Add({"x", "4"});
  EXPECT_EQ(table.Next(true), "x                4\n");
  EXPECT_EQ(table.Next(true), "");
}

TEST(Table, ColumnsCanBeWiderThanTheirCells) {
  Table table({"A", "B"});
  table.Widen(0, 4);
  table.Add({"x", "1"});
  EXPECT_EQ(table.Next(true), "A     B\nx     1\n");
}

TEST(Table, CsvQuotesWhatNeedsIt) {
  Table table({"A", "B"});
  table.Add({"a,b", "say \"x\"\n"});
  EXPECT_EQ(table.Csv(true), "A,B\n\"a,b\",\"say \"\"x\"\"\n\"\n");
  EXPECT_EQ(table.Csv(false), "\"a,b\",\"say \"\"x\"\"\n\"\n");
}

TEST(Cell, IsWhatPeopleRead) {
  Listener listener;
  listener.set_name("listeners/amqp");
  listener.mutable_spec()->set_tls_profile("tlsProfiles/service");
  listener.mutable_spec()->add_sasl_mechanisms("PLAIN");
  listener.mutable_spec()->add_sasl_mechanisms("EXTERNAL");
  listener.mutable_status()->set_state(control::v1::ListenerStatus::STATE_LISTENING);
  listener.mutable_create_time()->set_seconds(1000);
  (*listener.mutable_labels())["team"] = "a";
  EXPECT_EQ(CellOf(listener, "name", 0), "amqp");
  EXPECT_EQ(CellOf(listener, "spec.tls_profile", 0), "service");
  EXPECT_EQ(CellOf(listener, "spec.sasl_mechanisms", 0), "PLAIN,EXTERNAL");
  EXPECT_EQ(CellOf(listener, "status.state", 0), "listening");
  EXPECT_EQ(CellOf(listener, "labels", 0), "team=a");
  EXPECT_EQ(CellOf(listener, "create_time", 1090), "90s");
  EXPECT_EQ(CellOf(listener, "create_time", 999), "0s");
  EXPECT_EQ(CellOf(listener, "create_time", 100), "in 15m");
  // What is not set has its default.
  EXPECT_EQ(CellOf(listener, "spec.port", 0), "5672");
  EXPECT_EQ(CellOf(listener, "spec.role", 0), "normal");
  EXPECT_EQ(CellOf(listener, "spec.idle_timeout", 0), "16s");
  EXPECT_EQ(CellOf(listener, "status.last_error.message", 0), "-");
  EXPECT_EQ(CellOf(listener, "no.such.field", 0), "-");
}

TEST(Cell, ForProgramsIsExact) {
  Listener listener;
  EXPECT_EQ(CellOf(listener, "create_time", 5, Reader::kProgram), "");
  listener.mutable_create_time()->set_seconds(0);
  EXPECT_EQ(CellOf(listener, "create_time", 5, Reader::kProgram), "1970-01-01T00:00:00Z");
}

TEST(Cell, OfRepeatedMessagesHasEachOfThem) {
  TlsProfile profile;
  profile.mutable_status()->add_revisions()->set_ordinal(2);
  profile.mutable_status()->add_revisions()->set_ordinal(1);
  EXPECT_EQ(CellOf(profile, "status.revisions.ordinal", 0), "2,1");
}

TEST(Cell, ATerminalDoesNotObeyWhatOthersSay) {
  Listener listener;
  listener.mutable_status()->mutable_last_error()->set_message("a\033[2Jb\nc\x7F\xC2\x9B\xC3\xA4");
  EXPECT_EQ(CellOf(listener, "status.last_error.message", 0), "a?[2Jb c??\xC3\xA4");
  EXPECT_EQ(Printable("a\tb\nc\xC2"), "a?b\nc\xC2");
}

TEST(Age, HasOneUnit) {
  EXPECT_EQ(Age(-5), "0s");
  EXPECT_EQ(Age(119), "119s");
  EXPECT_EQ(Age(120), "2m");
  EXPECT_EQ(Age(7199), "119m");
  EXPECT_EQ(Age(7200), "2h");
  EXPECT_EQ(Age(48 * 3600 - 1), "47h");
  EXPECT_EQ(Age(48 * 3600), "2d");
}

}  // namespace
}  // namespace trunkline::cli
