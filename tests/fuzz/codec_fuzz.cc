// Any bytes as one encoded value. Skip is the judge of what a value is: what each typed reader
// takes is what Skip takes, and a value that is written again from what was read is the same value.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "router/amqp/codec.h"
#include "router/base/check.h"

namespace trunkline::amqp {
namespace {

void Write(Reader& reader, std::string& out);

// One scalar that the codec has a reader and a writer for; false if it is none.
bool WriteScalar(Reader& reader, std::string& out) {
  bool boolean = false;
  uint8_t ubyte = 0;
  uint16_t ushort = 0;
  uint32_t uint = 0;
  uint64_t ulong = 0;
  int32_t signed_int = 0;
  std::string_view text;
  if (reader.Null()) return WriteNull(out), true;
  if (reader.Boolean(boolean)) return WriteBoolean(out, boolean), true;
  if (reader.Ubyte(ubyte)) return WriteUbyte(out, ubyte), true;
  if (reader.Ushort(ushort)) return WriteUshort(out, ushort), true;
  if (reader.Uint(uint)) return WriteUint(out, uint), true;
  if (reader.Ulong(ulong)) return WriteUlong(out, ulong), true;
  if (reader.Int(signed_int)) return WriteInt(out, signed_int), true;
  if (reader.Binary(text)) return WriteBinary(out, text), true;
  if (reader.String(text)) return WriteString(out, text), true;
  if (reader.Symbol(text)) return WriteSymbol(out, text), true;
  return false;
}

std::string WriteItems(Reader& items, uint32_t count) {
  std::string written;
  for (uint32_t i = 0; i < count; ++i) Write(items, written);
  TL_CHECK(items.AtEnd());
  return written;
}

void WriteDescribed(Reader& reader, std::string& out) {
  uint64_t descriptor = 0;
  const std::string_view before = reader.rest();
  TL_CHECK(reader.Described(descriptor));
  if (descriptor == descriptor::kUnknown) {
    out.append(before.substr(0, before.size() - reader.left()));
  } else {
    out.push_back(code::kDescribed);
    WriteUlong(out, descriptor);
  }
  Write(reader, out);
}

// One value, well-formed by Skip, in the encoding of the writers.
void Write(Reader& reader, std::string& out) {
  if (reader.Peek() == code::kDescribed) return WriteDescribed(reader, out);
  if (WriteScalar(reader, out)) return;
  Reader items;
  uint32_t count = 0;
  if (reader.List(items, count)) {
    const std::string content = WriteItems(items, count);
    WriteListHeader(out, content.size(), count);
    out.append(content);
    return;
  }
  if (reader.Map(items, count)) {
    const std::string content = WriteItems(items, count);
    WriteMapHeader(out, content.size(), count);
    out.append(content);
    return;
  }
  std::string_view raw;  // an array, or a scalar that frames do not use
  TL_CHECK(reader.Raw(raw));
  out.append(raw);
}

// What each reader of one type takes of any bytes is one whole value.
template <typename... Arguments>
void Try(std::string_view bytes, bool (Reader::*read)(Arguments...), Arguments... arguments) {
  Reader typed(bytes);
  if (!(typed.*read)(arguments...)) return;
  Reader judge(bytes);
  TL_CHECK(judge.Skip() && judge.left() == typed.left());
}

// Those of containers leave what is inside unread: Skip may refuse that, but never goes elsewhere.
void TryContainers(std::string_view bytes) {
  for (bool (Reader::*read)(Reader&, uint32_t&) : {&Reader::List, &Reader::Map}) {
    Reader typed(bytes);
    Reader items;
    uint32_t count = 0;
    if (!(typed.*read)(items, count)) continue;
    TL_CHECK(count <= items.left());
    Reader judge(bytes);
    if (judge.Skip()) TL_CHECK(judge.left() == typed.left());
  }
  Reader reader(bytes);
  ListReader fields;
  uint64_t descriptor = 0;
  if (!reader.Composite(descriptor, fields)) return;
  while (!fields.AtLast() && fields.Skip()) {
  }
  std::vector<std::string> symbols;
  bool single = false;
  Reader multiple(bytes);
  if (multiple.Symbols(symbols, &single)) TL_CHECK(symbols.size() <= Reader::kSymbolsKept);
}

void TryReaders(std::string_view bytes) {
  bool boolean = false;
  uint8_t ubyte = 0;
  uint16_t ushort = 0;
  uint32_t uint = 0;
  uint64_t ulong = 0;
  int32_t signed_int = 0;
  std::string_view text;
  Try<bool&>(bytes, &Reader::Boolean, boolean);
  Try<uint8_t&>(bytes, &Reader::Ubyte, ubyte);
  Try<uint16_t&>(bytes, &Reader::Ushort, ushort);
  Try<uint32_t&>(bytes, &Reader::Uint, uint);
  Try<uint64_t&>(bytes, &Reader::Ulong, ulong);
  Try<int32_t&>(bytes, &Reader::Int, signed_int);
  Try<std::string_view&>(bytes, &Reader::Binary, text);
  Try<std::string_view&>(bytes, &Reader::String, text);
  Try<std::string_view&>(bytes, &Reader::Symbol, text);
  TryContainers(bytes);
}

std::string Rewritten(std::string_view bytes, uint64_t& nodes) {
  Reader reader(bytes);
  std::string written;
  Write(reader, written);
  Reader judge(written);
  nodes = 0;
  TL_CHECK(judge.Skip(nodes) && judge.AtEnd()) << "what was written is no value";
  return written;
}

void RoundTrip(std::string_view bytes) {
  TryReaders(bytes);
  Reader reader(bytes);
  uint64_t nodes = 0;
  if (!reader.Skip(nodes)) return;
  TL_CHECK(nodes > 0);
  const std::string_view value = bytes.substr(0, bytes.size() - reader.left());
  for (size_t cut = 0; cut < value.size(); ++cut) {
    Reader short_of_it(value.substr(0, cut));
    TL_CHECK(!short_of_it.Skip()) << "a value cut at " << cut << " is a value";
  }
  uint64_t nodes_written = 0;
  const std::string written = Rewritten(value, nodes_written);
  TL_CHECK(nodes_written == nodes);
  TL_CHECK(Rewritten(written, nodes_written) == written);
}

}  // namespace
}  // namespace trunkline::amqp

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  trunkline::amqp::RoundTrip({reinterpret_cast<const char*>(bytes), size});
  return 0;
}
