// Any text as what callers write in small grammars: filters, orders, page tokens, masks. What is
// wrong is told with its place; what is read decides, and its opposite decides the opposite.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "control/api/filter.h"
#include "control/api/mask.h"
#include "control/api/page.h"
#include "control/config/characters.h"
#include "control/config/collection.h"
#include "control/config/error_details.h"
#include "control/config/resource.h"
#include "google/protobuf/text_format.h"
#include "router/base/check.h"

namespace trunkline::api {
namespace {

using google::protobuf::Message;
using Rows = std::vector<std::shared_ptr<const Message>>;

// Three listeners: nothing in it; much in it; something else.
const Rows& Listeners() {
  static const Rows rows = [] {
    Rows made;
    for (const char* text :
         {"name: 'listeners/a'",
          "name: 'listeners/b' generation: 3 create_time { seconds: 1767268800 } source: "
          "SOURCE_API "
          "labels { key: 'team' value: 'billing' } spec { host: 'h' port: 5671 require_sasl: true "
          "sasl_mechanisms: 'PLAIN' idle_timeout { seconds: 90 } } "
          "status { state: STATE_LISTENING accepted_total: 17 }",
          "name: 'listeners/c' labels { key: 'team' } spec { port: 0 }"}) {
      auto listener = std::make_shared<v1::Listener>();
      TL_CHECK(google::protobuf::TextFormat::ParseFromString(text, listener.get()));
      made.push_back(std::move(listener));
    }
    return made;
  }();
  return rows;
}

void CheckRefusal(const absl::Status& status, std::string_view field) {
  TL_CHECK(absl::IsInvalidArgument(status)) << status;
  const auto violations = config::ViolationsOf(status);
  TL_CHECK(violations.size() == 1 && violations[0].field == field) << status;
  TL_CHECK(!violations[0].description.empty());
}

void CheckFilter(const std::string& text) {
  const auto& type = *v1::Listener::descriptor();
  const auto filter = Filter::Parse(text, type);
  if (!filter.ok()) return CheckRefusal(filter.status(), "filter");
  const bool is_empty = text.find_first_not_of(" \t\r\n") == std::string::npos;
  const auto opposite = Filter::Parse("NOT (" + text + ")", type);
  const auto again = Filter::Parse("(" + text + ") AND (" + text + ")", type);
  for (const auto& row : Listeners()) {
    const bool matches = filter->Matches(*row);
    TL_CHECK(!is_empty || matches);
    // Where it is at a bound, they are beyond it.
    if (opposite.ok()) TL_CHECK(opposite->Matches(*row) != matches) << text;
    if (again.ok()) TL_CHECK(again->Matches(*row) == matches) << text;
  }
}

// Page by page the same as at once.
void CheckOrder(const std::string& order) {
  ListRequest request{.page_size = 1, .order_by = order};
  const auto all = Listing::Parse({.order_by = order}, *v1::Listener::descriptor());
  if (!all.ok()) return CheckRefusal(all.status(), "order_by");
  for (const auto& row : all->Cut(Listeners()).rows) {
    const auto listing = Listing::Parse(request, *v1::Listener::descriptor());
    TL_CHECK(listing.ok()) << listing.status();
    const Page page = listing->Cut(Listeners());
    TL_CHECK(page.rows.size() == 1 && page.rows[0] == row) << order;
    request.page_token = page.next_page_token;
  }
  TL_CHECK(request.page_token.empty());
}

void CheckToken(const std::string& token) {
  const auto listing = Listing::Parse({.page_token = token}, *v1::Listener::descriptor());
  if (!listing.ok()) return CheckRefusal(listing.status(), "page_token");
  TL_CHECK(listing->Cut(Listeners()).rows.size() <= Listeners().size());
}

void CheckMask(const std::string& path) {
  google::protobuf::FieldMask mask;
  mask.add_paths(path);
  v1::Listener changed = static_cast<const v1::Listener&>(*Listeners()[2]);
  const v1::Listener before = changed;
  const absl::Status status = ApplyMask(mask, *Listeners()[1], changed);
  TL_CHECK(changed.name() == before.name() && !changed.has_status());
  if (status.ok()) return;
  CheckRefusal(status, "update_mask");
  TL_CHECK(config::SameIntent(before, changed));
}

// As it comes through Protobuf, which takes nothing but UTF-8.
bool IsUtf8(std::string text) {
  for (char& c : text) {
    if (config::IsControl(c)) c = ' ';
  }
  return !config::CheckCharacters(text).has_value();
}

}  // namespace
}  // namespace trunkline::api

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace trunkline;
  const std::string text(reinterpret_cast<const char*>(bytes), size);
  if (!api::IsUtf8(text)) return 0;
  api::CheckFilter(text);
  api::CheckOrder(text);
  api::CheckToken(text);
  api::CheckMask(text);
  for (const config::Collection& each : config::Collections()) {
    (void)api::Filter::Parse(text, each.type());
  }
  return 0;
}
