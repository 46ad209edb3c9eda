#include "control/http/gzip.h"

#include <zlib.h>

#include "control/http/header.h"

namespace trunkline::http {

bool AcceptsGzip(std::string_view accept_encoding) {
  bool any = false;
  for (const Choice& choice : ParseChoices(accept_encoding)) {
    if (choice.name == "gzip" || choice.name == "x-gzip") return choice.quality > 0;
    if (choice.name == "*") any = choice.quality > 0;
  }
  return any;
}

std::optional<std::string> Gzip(std::string_view text) {
  constexpr int kGzipFormat = 15 + 16;
  constexpr int kMemoryLevel = 8;
  z_stream stream{};
  if (deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, kGzipFormat, kMemoryLevel,
                   Z_DEFAULT_STRATEGY) != Z_OK) {
    return std::nullopt;
  }
  std::string out;
  out.resize(deflateBound(&stream, text.size()));
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int result = deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  if (result != Z_STREAM_END) return std::nullopt;
  return out;
}

}  // namespace trunkline::http
