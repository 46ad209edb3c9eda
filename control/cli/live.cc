#include "control/cli/live.h"

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "control/cli/follow.h"
#include "control/cli/output.h"
#include "control/cli/values.h"
#include "control/config/resource.h"
#include "control/config/schema.h"
#include "control/config/text.h"
#include "google/protobuf/util/time_util.h"
#include "proto/trunkline/control/v1/router_service.pb.h"
#include "proto/trunkline/control/v1/trace_service.pb.h"
#include "router/base/status.h"

namespace trunkline::cli {
namespace {

using config::Concat;
using config::Quote;
using google::protobuf::Message;

// How much of the past is told without --limit.
constexpr uint32_t kBacklog = 50;
// All of the past: the router keeps no more.
constexpr uint32_t kWholeBacklog = 4096;

std::string TimeOf(const google::protobuf::Timestamp& time) {
  return google::protobuf::util::TimeUtil::ToString(time);
}

// "a", "\"two words\"": so that it is seen where a value ends.
std::string InQuotes(const std::string& value) {
  const bool is_plain = value.find_first_of(" =\"\\\n") == std::string::npos;
  if (is_plain) return value;
  return Concat("\"", absl::StrReplaceAll(value, {{"\\", "\\\\"}, {"\"", "\\\""}}), "\"");
}

// " a=1 b=\"2 3\"", in order of names, without what is empty, and without values that a text before
// them, `said`, ends with.
template <typename Map>
std::string FieldsOf(const Map& fields, std::string_view said = "") {
  const std::map<std::string, std::string> ordered(fields.begin(), fields.end());
  std::string text;
  for (const auto& [name, value] : ordered) {
    if (value.empty() || said == value || said.ends_with(Concat(" ", value))) continue;
    absl::StrAppend(&text, " ", name, "=", InQuotes(value));
  }
  return text;
}

void PrintLine(const Session& session, const std::string& text) {
  std::string line = Printable(text);
  std::replace(line.begin(), line.end(), '\n', ' ');
  session.Print(line + "\n");
}

// What was missed, where something was.
void NoteMissed(const Session& session, uint64_t dropped, uint64_t limited) {
  if (dropped > 0) session.Note(Concat("trunkctl: ", dropped, " more were not read in time\n"));
  if (limited > 0) session.Note(Concat("trunkctl: ", limited, " more were above the rate\n"));
}

// The bytes of a body that were asked for, as text where they are one.
std::string BodyOf(const v1::TappedMessage& sample) {
  return sample.body().empty() ? "" : Concat(" body=\"", absl::CHexEscape(sample.body()), "\"");
}

absl::StatusOr<v1::LogLevel> LevelOf(const std::string& word) {
  const auto& type = *v1::LogLevel_descriptor();
  if (const auto* found = config::FindByShortName(type, word)) {
    return static_cast<v1::LogLevel>(found->number());
  }
  return absl::InvalidArgumentError(Concat(Quote(word), " is no level; there are ",
                                           absl::StrJoin(config::ShortNames(type), ", ")));
}

absl::Status PrintLevels(const Session& session, const v1::LogLevels& levels) {
  TL_ASSIGN_OR_RETURN(const bool json, WantsJson(session));
  if (json) {
    session.Print(JsonOf(levels));
    return absl::OkStatus();
  }
  Table table({"MODULE", "LEVEL", "CONFIGURED", "UNTIL"});
  for (const v1::LogLevels::Module& module : levels.modules()) {
    std::string until = "-";
    if (module.overridden()) {
      until = module.has_expire_time() ? TimeOf(module.expire_time()) : "the end of the process";
    }
    table.Add({module.module(), CellOf(module, "level", 0), CellOf(module, "configured_level", 0),
               until});
  }
  session.Print(table.Text(!session.arguments().Has("no-headers")));
  return absl::OkStatus();
}

// The listener or connector of this name.
absl::Status MustBeThere(Session& session, const std::string& name) {
  TL_ASSIGN_OR_RETURN(const Listed* listed, session.FindListed(name.substr(0, name.find('/'))));
  const auto request = listed->get->NewRequest();
  config::SetText(*request, "name", name);
  return session.Call(listed->get->key(), *request, *listed->get->NewReply());
}

}  // namespace

absl::Status Events(Session& session) {
  TL_ASSIGN_OR_RETURN(const bool json, WantsJson(session));
  TL_ASSIGN_OR_RETURN(const uint64_t limit,
                      NumberOf(session.arguments(), "limit", kBacklog, {.max = UINT32_MAX}));
  v1::WatchEventsRequest request;
  request.set_filter(session.arguments().Get("filter"));
  request.set_backlog(static_cast<uint32_t>(limit));
  v1::WatchEventsResponse reply;
  const auto tell = [&] {
    // The first bookmark stands behind the past.
    if (!reply.has_happened()) return session.arguments().Has("watch");
    const v1::Event& event = reply.happened();
    if (json) {
      session.Print(JsonOf(event, Layout::kOneLine));
    } else {
      PrintLine(session, Concat(TimeOf(event.time()), " ", event.type(), " ", event.subject(), ": ",
                                event.message(), FieldsOf(event.fields(), event.message())));
    }
    return true;
  };
  // What is kept then has all happened since.
  const auto anew = [&] { request.set_backlog(kWholeBacklog); };
  return Follow(session, {"RouterService/WatchEvents", request, reply}, tell, anew);
}

absl::Status Logs(Session& session) {
  TL_ASSIGN_OR_RETURN(const bool json, WantsJson(session));
  v1::WatchLogsRequest request;
  if (session.arguments().Has("level")) {
    TL_ASSIGN_OR_RETURN(const v1::LogLevel level, LevelOf(session.arguments().Get("level")));
    request.set_level(level);
  }
  request.set_module(session.arguments().Get("module"));
  request.set_follow(session.arguments().Has("follow") || session.arguments().Has("watch"));
  if (session.arguments().Has("limit")) {
    TL_ASSIGN_OR_RETURN(const uint64_t tail,
                        NumberOf(session.arguments(), "limit", 0, {.max = UINT32_MAX}));
    request.set_tail(static_cast<uint32_t>(tail));
  }
  v1::WatchLogsResponse reply;
  return session.Stream("TraceService/WatchLogs", request, reply, [&] {
    NoteMissed(session, reply.lost(), 0);
    if (!reply.has_record()) return true;
    const v1::LogRecord& record = reply.record();
    if (json) {
      session.Print(JsonOf(record, Layout::kOneLine));
    } else {
      PrintLine(session,
                Concat(TimeOf(record.time()), " ", CellOf(record, "level", 0), " ", record.module(),
                       " \"", record.message(), "\"", FieldsOf(record.fields())));
    }
    return true;
  });
}

absl::Status Tap(Session& session) {
  if (session.words().size() > 1) return absl::InvalidArgumentError("give one ADDRESS");
  TL_ASSIGN_OR_RETURN(const bool json, WantsJson(session));
  v1::TapMessagesRequest request;
  if (!session.words().empty()) request.set_address(session.words()[0]);
  TL_ASSIGN_OR_RETURN(const uint64_t limit, NumberOf(session.arguments(), "limit", 0));
  request.set_limit(limit);
  TL_ASSIGN_OR_RETURN(const uint64_t body_bytes,
                      NumberOf(session.arguments(), "body-bytes", 0, {.max = UINT32_MAX}));
  request.set_body_bytes(static_cast<uint32_t>(body_bytes));
  v1::TapMessagesResponse reply;
  return session.Stream("TraceService/TapMessages", request, reply, [&] {
    NoteMissed(session, reply.dropped(), reply.limited());
    if (!reply.has_sample()) return true;
    const v1::TappedMessage& sample = reply.sample();
    if (json) {
      session.Print(JsonOf(sample, Layout::kOneLine));
      return true;
    }
    PrintLine(session, Concat(TimeOf(sample.time()), " ", sample.address(), " ", sample.size(),
                              " bytes from ", sample.from(), " to ",
                              sample.to().empty() ? "nobody" : absl::StrJoin(sample.to(), ","),
                              FieldsOf(sample.header()), FieldsOf(sample.properties()),
                              FieldsOf(sample.application_properties()), BodyOf(sample)));
    return true;
  });
}

absl::Status Frames(Session& session) {
  if (session.words().size() != 1) {
    return absl::InvalidArgumentError("give a connection's number, or listeners/ID, connectors/ID");
  }
  TL_ASSIGN_OR_RETURN(const bool json, WantsJson(session));
  v1::TraceFramesRequest request;
  const std::string& word = session.words()[0];
  if (word.starts_with("listeners/") || word.starts_with("connectors/")) {
    // One that comes later could be meant; more likely it is a slip, and would wait for ever.
    TL_RETURN_IF_ERROR(MustBeThere(session, word));
    request.set_owner(word);
  } else {
    request.set_connection(word.starts_with("connections/") ? word : "connections/" + word);
  }
  TL_ASSIGN_OR_RETURN(const uint64_t limit, NumberOf(session.arguments(), "limit", 0));
  request.set_limit(limit);
  v1::TraceFramesResponse reply;
  return session.Stream("TraceService/TraceFrames", request, reply, [&] {
    NoteMissed(session, reply.dropped(), reply.limited());
    if (!reply.has_frame()) return true;
    const v1::TracedFrame& frame = reply.frame();
    if (json) {
      session.Print(JsonOf(frame, Layout::kOneLine));
    } else {
      PrintLine(session, Concat(TimeOf(frame.time()), " ", frame.connection(),
                                frame.outgoing() ? " -> " : " <- ", frame.text()));
    }
    return true;
  });
}

absl::Status ListLevels(Session& session) {
  v1::LogLevels levels;
  TL_RETURN_IF_ERROR(session.Call("TraceService/GetLogLevels", v1::GetLogLevelsRequest(), levels));
  return PrintLevels(session, levels);
}

absl::Status SetLevel(Session& session) {
  const std::vector<std::string>& words = session.words();
  if (words.size() != 2) {
    return absl::InvalidArgumentError("give MODULE (or all) and LEVEL (or configured)");
  }
  v1::SetLogLevelRequest request;
  if (words[0] != "all") request.set_module(words[0]);
  if (words[1] != "configured") {
    TL_ASSIGN_OR_RETURN(const v1::LogLevel level, LevelOf(words[1]));
    request.set_level(level);
  }
  if (session.arguments().Has("for")) {
    const auto duration = config::ParseDuration(session.arguments().Get("for"));
    if (!duration) return absl::InvalidArgumentError("--for: is not a duration such as 10m");
    *request.mutable_ttl() = *duration;
  }
  v1::LogLevels levels;
  TL_RETURN_IF_ERROR(session.Call("TraceService/SetLogLevel", request, levels));
  return PrintLevels(session, levels);
}

}  // namespace trunkline::cli
