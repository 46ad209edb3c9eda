#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "control/api/field_path.h"
#include "control/api/filter.h"
#include "google/protobuf/message.h"

namespace trunkline::api {

inline constexpr int kPageSizeDefault = 100;
inline constexpr int kPageSizeMax = 1000;  // more is taken for this
inline constexpr size_t kOrderFieldsMax = 5;
// In base64 it may hold an address twice, in a field and in the name; of 4,096 bytes that are no
// UTF-8 they make three times as many.
inline constexpr size_t kPageTokenBytesMax = 48 * 1024;

// What a caller of a List method wants, in the form all of them have.
struct ListRequest {
  int32_t page_size = 0;
  std::string page_token;
  std::string filter;
  std::string order_by;
};

// What a request says that has these fields; `order_by` counts where it names no order.
template <typename Request>
ListRequest ListRequestOf(const Request& request, const char* order_by) {
  return {.page_size = request.page_size(),
          .page_token = request.page_token(),
          .filter = request.filter(),
          .order_by = request.order_by().empty() ? order_by : request.order_by()};
}

// One page.
struct Page {
  std::vector<std::shared_ptr<const google::protobuf::Message>> rows;
  std::string next_page_token;  // empty: it is the last
};

// A listing of resources in pages. A page token says what the last resource of a page was like, as
// far as the order goes, and of which filter and order it is: nothing is kept between pages, and
// resources that come and go meanwhile move no others to a page that is over.
//
// A value. Pure; any thread.
class Listing {
 public:
  // InvalidArgument, with the field: page_size, page_token, filter (INVALID_FILTER), order_by.
  static absl::StatusOr<Listing> Parse(const ListRequest& request,
                                       const google::protobuf::Descriptor& type);

  // Whether the filter or the order look at this field, or into it.
  bool Reads(std::string_view top_field) const;
  // Cuts the page out of `all`, which may be in any order.
  Page Cut(std::vector<std::shared_ptr<const google::protobuf::Message>> all) const;

 private:
  struct Order {
    FieldPath path;
    bool descending = false;
  };
  using Keys = std::vector<Value>;

  Listing() = default;
  absl::Status ParseOrder(std::string_view text, const google::protobuf::Descriptor& type);
  absl::Status ParseToken(const std::string& token, const google::protobuf::Descriptor& type);
  std::string MakeToken(const google::protobuf::Message& last) const;
  Keys KeysOf(const google::protobuf::Message& message) const;
  bool Before(const Keys& a, const Keys& b) const;

  Filter filter_;
  std::vector<Order> orders_;  // the last one is the name, which no two have
  size_t size_ = kPageSizeDefault;
  std::string binding_;  // what tokens of this listing begin with
  std::unique_ptr<google::protobuf::Message>
      after_;  // where the page begins; null: it is the first
};

}  // namespace trunkline::api
