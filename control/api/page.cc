#include "control/api/page.h"

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_split.h"
#include "control/config/error_details.h"
#include "control/config/text.h"
#include "router/base/status.h"

namespace trunkline::api {
namespace {

using config::Concat;
using config::Quote;
using google::protobuf::Message;

constexpr size_t kBindingBytes = 8;

absl::Status Wrong(const std::string& field, const std::string& why) {
  absl::Status status = absl::InvalidArgumentError(Concat(field, ": ", why));
  return config::WithViolations(std::move(status), {{field, why}});
}

// Eight bytes that tell apart what tokens are of: FNV-1a, as no secret depends on it.
std::string BindingOf(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  std::string bytes;
  for (size_t i = 0; i < kBindingBytes; ++i) bytes.push_back(static_cast<char>(hash >> (8 * i)));
  return bytes;
}

}  // namespace

absl::StatusOr<Listing> Listing::Parse(const ListRequest& request,
                                       const google::protobuf::Descriptor& type) {
  Listing listing;
  if (request.page_size < 0) return Wrong("page_size", "must not be negative");
  if (request.page_size > 0) {
    listing.size_ = static_cast<size_t>(std::min<int32_t>(request.page_size, kPageSizeMax));
  }
  TL_ASSIGN_OR_RETURN(listing.filter_, Filter::Parse(request.filter, type));
  TL_RETURN_IF_ERROR(listing.ParseOrder(request.order_by, type));
  listing.binding_ = BindingOf(Concat(type.full_name(), "\n", request.filter.size(), "\n",
                                      request.filter, "\n", request.order_by));
  TL_RETURN_IF_ERROR(listing.ParseToken(request.page_token, type));
  return listing;
}

absl::Status Listing::ParseOrder(std::string_view text, const google::protobuf::Descriptor& type) {
  const std::vector<std::string> parts =
      absl::StrSplit(config::internal::Piece(text), ',', absl::SkipWhitespace());
  if (parts.size() > kOrderFieldsMax) {
    return Wrong("order_by", Concat(parts.size(), " fields are more than ", kOrderFieldsMax));
  }
  for (const std::string& part : parts) {
    const std::vector<std::string> words = absl::StrSplit(part, ' ', absl::SkipWhitespace());
    const bool descending = words.size() == 2 && words[1] == "desc";
    if (words.size() > 2 || (words.size() == 2 && !descending && words[1] != "asc")) {
      return Wrong("order_by", Concat(Quote(part), " is no field with asc or desc behind it"));
    }
    auto path = FieldPath::Parse(words[0], type);
    if (!path.ok()) return Wrong("order_by", std::string(path.status().message()));
    if (!path->IsScalar()) {
      return Wrong("order_by", Concat("values of ", Quote(words[0]), " have no order"));
    }
    orders_.push_back({*std::move(path), descending});
  }
  TL_ASSIGN_OR_RETURN(FieldPath name, FieldPath::Parse("name", type));
  orders_.push_back({std::move(name), false});
  return absl::OkStatus();
}

absl::Status Listing::ParseToken(const std::string& token,
                                 const google::protobuf::Descriptor& type) {
  if (token.empty()) return absl::OkStatus();
  std::string bytes;
  if (token.size() > kPageTokenBytesMax || !absl::WebSafeBase64Unescape(token, &bytes) ||
      bytes.size() < kBindingBytes) {
    return Wrong("page_token", "is none that a listing gave");
  }
  if (bytes.substr(0, kBindingBytes) != binding_) {
    return Wrong("page_token", "is of a listing with another filter or order_by");
  }
  after_.reset(google::protobuf::MessageFactory::generated_factory()->GetPrototype(&type)->New());
  if (!after_->ParseFromString(bytes.substr(kBindingBytes))) {
    return Wrong("page_token", "is none that a listing gave");
  }
  return absl::OkStatus();
}

// A resource with nothing but what the order looks at.
std::string Listing::MakeToken(const Message& last) const {
  const std::unique_ptr<Message> keys(last.New());
  for (const Order& order : orders_) order.path.Copy(last, *keys);
  return absl::WebSafeBase64Escape(binding_ + keys->SerializeAsString());
}

bool Listing::Reads(std::string_view top_field) const {
  return filter_.Reads(top_field) ||
         std::any_of(orders_.begin(), orders_.end(),
                     [&](const Order& order) { return order.path.top().name() == top_field; });
}

Listing::Keys Listing::KeysOf(const Message& message) const {
  Keys keys;
  keys.reserve(orders_.size());
  for (const Order& order : orders_) keys.push_back(order.path.Read(message));
  return keys;
}

bool Listing::Before(const Keys& a, const Keys& b) const {
  for (size_t i = 0; i < orders_.size(); ++i) {
    if (a[i] == b[i]) continue;
    return orders_[i].descending ? b[i] < a[i] : a[i] < b[i];
  }
  return false;
}

Page Listing::Cut(std::vector<std::shared_ptr<const Message>> all) const {
  struct Row {
    Keys keys;
    std::shared_ptr<const Message> message;
  };
  const Keys after = after_ == nullptr ? Keys() : KeysOf(*after_);
  std::vector<Row> rows;
  for (auto& message : all) {
    if (!filter_.Matches(*message)) continue;
    Keys keys = KeysOf(*message);
    if (after_ != nullptr && !Before(after, keys)) continue;
    rows.push_back({std::move(keys), std::move(message)});
  }
  std::sort(rows.begin(), rows.end(),
            [&](const Row& a, const Row& b) { return Before(a.keys, b.keys); });
  Page page;
  for (size_t i = 0; i < std::min(size_, rows.size()); ++i) {
    page.rows.push_back(std::move(rows[i].message));
  }
  if (rows.size() > size_) page.next_page_token = MakeToken(*page.rows.back());
  return page;
}

}  // namespace trunkline::api
