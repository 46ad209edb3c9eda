#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/api/kind.h"
#include "control/api/method_table.h"
#include "control/cli/arguments.h"
#include "control/cli/channel.h"
#include "control/cli/table.h"
#include "router/base/status.h"

namespace trunkline::cli {

// What `get` and `watch` know: resources of every kind, and whatever else the API can list.
struct Listed {
  std::string word;   // "tls_profiles", "connections"
  std::string title;  // "TLS profiles", "connections"
  const google::protobuf::Descriptor* type = nullptr;
  const api::Method* list = nullptr;
  const api::Method* get = nullptr;    // null: they cannot be asked for one by one
  const api::Method* watch = nullptr;  // null: they cannot be watched
  std::string prefix;                  // of names, "tlsProfiles/"
  // They belong to others, "connections/": whose they are is asked for with the list.
  std::string parent_prefix;
};

// Of a listing; the most that there may be.
inline constexpr int kPageSize = 1000;

// What a command works with: its arguments, the router at the other end, and where it writes.
class Session {
 public:
  // `words` is how many of the arguments are the name of the command.
  Session(const Arguments& arguments, size_t words);

  const Arguments& arguments() const { return arguments_; }
  // Behind the name of the command.
  const std::vector<std::string>& words() const { return words_; }

  // Which router is meant, and how it is reached. InvalidArgument, and what reading the contexts
  // gives.
  absl::StatusOr<Endpoint> FindEndpoint() const;
  // As Channel's, of the router that is meant.
  absl::Status Call(const std::string& method, const google::protobuf::Message& request,
                    google::protobuf::Message& reply);
  // A listing with all of its pages in one `reply`.
  template <typename Request, typename Reply>
  absl::Status CallForAll(const std::string& method, Request request, Reply& reply) {
    request.set_page_size(kPageSize);
    do {
      Reply page;
      TL_RETURN_IF_ERROR(Call(method, request, page));
      reply.MergeFrom(page);
      request.set_page_token(page.next_page_token());
    } while (!request.page_token().empty());
    return absl::OkStatus();
  }
  absl::Status Stream(const std::string& method, const google::protobuf::Message& request,
                      google::protobuf::Message& reply, const std::function<bool()>& each);

  const std::vector<api::Kind>& kinds() const { return kinds_; }
  const api::MethodTable& methods() const { return methods_; }
  // "listeners", "listener", "tls-profile": however people write a kind. InvalidArgument: none.
  absl::StatusOr<const api::Kind*> FindKind(std::string_view word) const;
  // Likewise, of all that can be listed.
  absl::StatusOr<const Listed*> FindListed(std::string_view word) const;
  const std::vector<Listed>& listed() const { return listed_; }

  // Standard output. Where it cannot be written the process ends, with exit status 1.
  void Print(std::string_view text) const;
  // Standard error: what is no part of what was asked for.
  void Note(std::string_view text) const;
  // A line of something that takes a while: at a terminal it takes the place of the one before.
  // Ends with `last`.
  enum class Line { kNext, kLast };
  void Progress(std::string_view text, Line line) const;
  // Whether standard output is a person's terminal that wants colours.
  Table::Colours colours() const;

 private:
  absl::Status Connect();

  const Arguments arguments_;
  const std::vector<std::string> words_;
  const api::MethodTable methods_;
  const std::vector<api::Kind> kinds_;
  const std::vector<Listed> listed_;
  std::unique_ptr<Channel> channel_;  // once it is needed
};

// The exit status of trunkctl for how a command ended (trunkctl --help).
int ExitStatusOf(const absl::Status& status);

// Whether a router said so: its errors have reasons, those of the command line have none.
bool IsFromRouter(const absl::Status& status);

// An error as people read it: the text, then a line for each field or condition that it names.
std::string Explain(const absl::Status& status);

// "1 problem", "2 problems".
std::string Count(size_t count, std::string_view one);

// The value of a variable of the environment; empty: there is none.
std::string Environment(const char* name);

}  // namespace trunkline::cli
