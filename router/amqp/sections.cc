#include "router/amqp/sections.h"

#include <algorithm>

#include "router/amqp/codec.h"

namespace trunkline::amqp {
namespace {

constexpr std::string_view kRouterKeyPrefix = "x-opt-qd.";
constexpr uint8_t kPriorityMax = 9;
// A symbolic descriptor longer than any that exists is that of a section nobody knows.
constexpr size_t kDescriptorNameMax = 64;

// One section of a message, complete in the prefix.
struct Section {
  uint64_t descriptor = 0;
  uint32_t bytes = 0;  // of the whole section
  Reader value;        // the list or map, nothing behind it
};

enum class Step : uint8_t {
  kFound,
  kNone,  // the message ends here, or goes on with something that is not looked at
  kMore,
  kMalformed,
};

// Reads the descriptor at the front of `rest`; `bytes` is set to what it takes.
Step ReadDescriptor(std::string_view rest, uint64_t& found, size_t& bytes) {
  const auto* at = reinterpret_cast<const uint8_t*>(rest.data());
  if (rest.empty() || at[0] != code::kDescribed) return rest.empty() ? Step::kMore : Step::kNone;
  if (rest.size() < 3) return Step::kMore;
  switch (at[1]) {
    case code::kUlongSmall:
      found = at[2];
      bytes = 3;
      return Step::kFound;
    case code::kUlong:
      bytes = 10;
      if (rest.size() < bytes) return Step::kMore;
      found = LoadBe64(at + 2);
      return Step::kFound;
    case code::kSymbol8:
      bytes = 3u + at[2];
      break;
    case code::kSymbol32:
      if (rest.size() < 6) return Step::kMore;
      bytes = 6u + size_t{LoadBe32(at + 2)};
      break;
    default:
      return Step::kNone;
  }
  const size_t name = at[1] == code::kSymbol8 ? 3 : 6;
  if (bytes - name > kDescriptorNameMax) return Step::kNone;
  if (rest.size() < bytes) return Step::kMore;
  found = DescriptorOf(rest.substr(name, bytes - name));
  return Step::kFound;
}

bool IsValueOf(uint64_t found, uint8_t format) {
  if (found == descriptor::kHeader || found == descriptor::kProperties) {
    return format == code::kList0 || format == code::kList8 || format == code::kList32;
  }
  return format == code::kMap8 || format == code::kMap32;
}

// Finds the section at the front of `rest` if it is one of first..last. One in front of `first` is
// out of place: were it let through, dropping the annotations before it would make it count.
Step FindSection(std::string_view rest, uint64_t first, uint64_t last, Section& section) {
  size_t header = 0;
  const Step step = ReadDescriptor(rest, section.descriptor, header);
  if (step != Step::kFound) return step;
  if (section.descriptor < descriptor::kHeader || section.descriptor > last) return Step::kNone;
  if (section.descriptor < first) return Step::kMalformed;
  if (rest.size() == header) return Step::kMore;
  const std::string_view value = rest.substr(header);
  const auto* at = reinterpret_cast<const uint8_t*>(value.data());
  if (!IsValueOf(section.descriptor, at[0])) return Step::kMalformed;
  size_t size = 1;
  if (at[0] == code::kList8 || at[0] == code::kMap8) {
    if (value.size() < 2) return Step::kMore;
    size = 2u + at[1];
  } else if (at[0] != code::kList0) {
    if (value.size() < 5) return Step::kMore;
    size = 5u + size_t{LoadBe32(at + 1)};
  }
  if (value.size() < size) return Step::kMore;
  section.value = Reader(value.substr(0, size));
  section.bytes = static_cast<uint32_t>(header + size);
  return Step::kFound;
}

bool ReadHeader(Reader value, Sections& sections) {
  Reader items;
  uint32_t count;
  if (!value.List(items, count)) return false;
  ListReader fields(items, count);
  if (!fields.Skip()) return false;  // durable
  uint8_t priority = 0;
  if (!fields.Next()) return true;
  if (fields.items().Ubyte(priority)) {
    sections.priority = std::min(priority, kPriorityMax);
    return true;
  }
  return fields.items().Skip();  // of another type: as if it were absent
}

bool ReadProperties(Reader value, Sections& sections) {
  Reader items;
  uint32_t count;
  if (!value.List(items, count)) return false;
  ListReader fields(items, count);
  if (!fields.Skip() || !fields.Binary(sections.user_id)) return false;
  if (!fields.Next()) return true;
  return fields.items().String(sections.to.emplace());
}

bool ReadTrace(Reader value, std::vector<std::string>& trace) {
  Reader items;
  uint32_t count;
  if (!value.List(items, count) || count > RouterAnnotations::kTraceMax) return false;
  trace.clear();
  for (uint32_t i = 0; i < count; ++i) {
    std::string_view node;
    if (!items.String(node)) return false;
    trace.emplace_back(node);
  }
  return items.AtEnd();
}

bool ReadText(Reader value, std::optional<std::string>& text) {
  std::string_view view;
  if (!value.String(view)) return false;
  text.emplace(view);
  return true;
}

// Takes one router annotation; `name` is its key without the prefix. False: of a wrong type.
bool ReadRouterAnnotation(std::string_view name, Reader value, RouterAnnotations& router) {
  if (name == "to") return ReadText(value, router.to);
  if (name == "ingress") return ReadText(value, router.ingress);
  if (name == "trace") return ReadTrace(value, router.trace);
  int32_t number = 0;
  if (name == "phase") {
    if (!value.Int(number) || number < 0 || number > RouterAnnotations::kPhaseMax) return false;
    router.phase = number;
  } else if (name == "stream") {
    if (!value.Int(number)) return false;
    router.stream = number != 0;
  }
  return true;
}

// The user's pairs: one view as long as they lie side by side, which they do unless somebody put
// some behind the router's.
class UserPairs {
 public:
  void Add(std::string_view pair) {
    count_ += 2;
    if (joined_.empty()) {
      if (view_.empty()) {
        view_ = pair;
        return;
      }
      if (view_.data() + view_.size() == pair.data()) {
        view_ = {view_.data(), view_.size() + pair.size()};
        return;
      }
      joined_ = view_;
    }
    joined_.append(pair);
  }

  void MoveTo(Sections& sections) {
    sections.user_annotation_count = count_;
    sections.user_annotations = view_;
    if (joined_.empty()) return;
    sections.joined_user_annotations = std::make_shared<const std::string>(std::move(joined_));
    sections.user_annotations = *sections.joined_user_annotations;
  }

 private:
  std::string_view view_;
  std::string joined_;
  uint32_t count_ = 0;
};

bool ReadMessageAnnotations(Reader value, Sections& sections) {
  Reader items;
  uint32_t count;
  if (!value.Map(items, count)) return false;
  UserPairs user;
  for (uint32_t i = 0; i < count; i += 2) {
    const std::string_view from_key = items.rest();
    std::string_view key;
    std::string_view raw;
    if (!items.Symbol(key) && !items.Skip()) return false;
    if (!items.Raw(raw)) return false;
    if (!key.starts_with(kRouterKeyPrefix)) {
      user.Add(from_key.substr(0, from_key.size() - items.left()));
      continue;
    }
    sections.router.any = true;
    const std::string_view name = key.substr(kRouterKeyPrefix.size());
    if (!ReadRouterAnnotation(name, Reader(raw), sections.router)) sections.bad_field = key;
  }
  user.MoveTo(sections);
  return items.AtEnd();
}

// Notes where the section lies that ends at `end` and reads what is asked of it.
bool ReadSection(const Section& section, uint32_t end, Sections& sections) {
  if (section.descriptor == descriptor::kProperties) {
    return ReadProperties(section.value, sections);
  }
  sections.bare_offset = end;
  if (section.descriptor == descriptor::kMessageAnnotations) {
    sections.message_annotations_bytes = section.bytes;
    return ReadMessageAnnotations(section.value, sections);
  }
  sections.message_annotations_offset = end;
  if (section.descriptor == descriptor::kHeader) {
    sections.header_bytes = section.bytes;
    return ReadHeader(section.value, sections);
  }
  sections.delivery_annotations_bytes = section.bytes;
  return true;
}

}  // namespace

ScanResult ScanSections(std::string_view prefix, bool whole, Depth depth, Sections& sections) {
  if (sections.used) sections = Sections();
  sections.used = true;
  const auto last = static_cast<uint64_t>(depth);
  uint64_t next = descriptor::kHeader;
  uint32_t offset = 0;
  while (!whole || offset < prefix.size()) {
    Section section;
    const Step step = FindSection(prefix.substr(offset), next, last, section);
    if (step == Step::kNone) break;
    if (step == Step::kMore && !whole) return ScanResult::kMore;
    if (step != Step::kFound) return ScanResult::kMalformed;
    offset += section.bytes;
    next = section.descriptor + 1;
    if (!ReadSection(section, offset, sections)) return ScanResult::kMalformed;
  }
  return sections.bad_field.empty() ? ScanResult::kOk : ScanResult::kBadRouterAnnotation;
}

}  // namespace trunkline::amqp
