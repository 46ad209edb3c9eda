// Cost of the frame bodies that come with every message, and of looking into a message's prefix.
#include <benchmark/benchmark.h>

#include <string>

#include "router/amqp/performatives.h"
#include "router/amqp/sections.h"

namespace trunkline::amqp {
namespace {

std::string TransferBody(size_t message_bytes) {
  Transfer transfer;
  transfer.handle = 0;
  transfer.delivery_id = 70'000;
  transfer.delivery_tag = std::string_view("\1\2\3\4\5\6\7\0", 8);
  transfer.message_format = 0;
  transfer.settled = false;
  std::string body(kTransferBytesMax, '\0');
  body.resize(EncodeTransfer(transfer, reinterpret_cast<uint8_t*>(body.data())));
  return body + std::string("\0\x53\x75\xa0\x40", 5) + std::string(message_bytes, 'x');
}

void BM_ParseTransfer(benchmark::State& state) {
  const std::string body = TransferBody(64);
  for (auto _ : state) {
    Transfer transfer;
    std::string_view payload;
    benchmark::DoNotOptimize(ParseTransfer(body, transfer, payload));
    benchmark::DoNotOptimize(payload);
  }
}
BENCHMARK(BM_ParseTransfer);

void BM_EncodeTransfer(benchmark::State& state) {
  Transfer transfer;
  transfer.delivery_tag = std::string_view("\1\2\3\4\5\6\7\0", 8);
  transfer.message_format = 0;
  transfer.settled = false;
  uint32_t id = 0;
  uint8_t out[kTransferBytesMax];
  for (auto _ : state) {
    transfer.delivery_id = ++id;
    benchmark::DoNotOptimize(EncodeTransfer(transfer, out));
    benchmark::ClobberMemory();
  }
}
BENCHMARK(BM_EncodeTransfer);

void BM_ParseDisposition(benchmark::State& state) {
  Disposition disposition;
  disposition.role = Role::kReceiver;
  disposition.first = 70'000;
  disposition.last = 70'063;
  disposition.settled = true;
  disposition.state_kind = OutcomeKind::kAccepted;
  disposition.state = RawOutcome(OutcomeKind::kAccepted);
  std::string body;
  Encode(disposition, body);
  for (auto _ : state) {
    Disposition parsed;
    benchmark::DoNotOptimize(ParseDisposition(body, parsed));
  }
}
BENCHMARK(BM_ParseDisposition);

void BM_ScanPlainMessage(benchmark::State& state) {
  const std::string message = std::string("\0\x53\x75\xa0\x40", 5) + std::string(64, 'x');
  for (auto _ : state) {
    Sections sections;
    benchmark::DoNotOptimize(Scan(message, true, Depth::kAnnotations, sections));
  }
}
BENCHMARK(BM_ScanPlainMessage);

void BM_ScanHeaderAndAnnotations(benchmark::State& state) {
  const std::string header("\0\x53\x70\xc0\x04\x02\x41\x50\x04", 9);
  const std::string annotations("\0\x53\x72\xc1\x09\x02\xa3\x03x-a\xa1\x01y", 13);
  const std::string message =
      header + annotations + std::string("\0\x53\x75\xa0\x40", 5) + std::string(64, 'x');
  for (auto _ : state) {
    Sections sections;
    benchmark::DoNotOptimize(Scan(message, true, Depth::kAnnotations, sections));
  }
}
BENCHMARK(BM_ScanHeaderAndAnnotations);

}  // namespace
}  // namespace trunkline::amqp
