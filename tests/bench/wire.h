#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

// Just enough AMQP encoding and decoding for load generators: frames built once and patched, frames
// read by offset. Trusts its peer; never for production.
namespace trunkline::bench {

inline void PutU32(char* at, uint32_t n) {
  n = __builtin_bswap32(n);
  std::memcpy(at, &n, 4);
}
inline uint32_t GetU32(const char* at) {
  uint32_t n;
  std::memcpy(&n, at, 4);
  return __builtin_bswap32(n);
}
inline std::string Be32(uint32_t n) {
  std::string text(4, '\0');
  PutU32(text.data(), n);
  return text;
}

// Encoded values.
inline std::string Null() { return "\x40"; }
inline std::string Bool(bool value) { return value ? "\x41" : "\x42"; }
inline std::string UInt(uint32_t n) { return "\x70" + Be32(n); }
inline std::string UByte(uint8_t n) { return std::string("\x50") + static_cast<char>(n); }
inline std::string UShort(uint16_t n) {
  return std::string("\x60") + static_cast<char>(n >> 8) + static_cast<char>(n);
}
inline std::string Str(std::string_view text) {
  return std::string("\xa1") + static_cast<char>(text.size()) + std::string(text);
}
inline std::string Sym(std::string_view text) {
  return std::string("\xa3") + static_cast<char>(text.size()) + std::string(text);
}
inline std::string Bin(std::string_view bytes) {
  return std::string("\xa0") + static_cast<char>(bytes.size()) + std::string(bytes);
}
inline std::string List(const std::vector<std::string>& items) {
  std::string body;
  for (const std::string& item : items) body += item;
  return "\xd0" + Be32(static_cast<uint32_t>(body.size() + 4)) +
         Be32(static_cast<uint32_t>(items.size())) + body;
}
inline std::string Described(uint8_t code, const std::vector<std::string>& fields) {
  return std::string("\0\x53", 2) + static_cast<char>(code) + List(fields);
}
inline std::string Frame(std::string_view body, uint8_t type = 0) {
  std::string head = Be32(static_cast<uint32_t>(body.size() + 8));
  return head + std::string("\x02", 1) + static_cast<char>(type) + std::string("\0\0", 2) +
         std::string(body);
}

inline constexpr std::string_view kAmqpHeader{"AMQP\0\1\0\0", 8};
inline constexpr std::string_view kSaslHeader{"AMQP\3\1\0\0", 8};

enum Code : uint8_t {
  kOpen = 0x10,
  kBegin = 0x11,
  kAttach = 0x12,
  kFlow = 0x13,
  kTransfer = 0x14,
  kDisposition = 0x15,
  kDetach = 0x16,
  kEnd = 0x17,
  kClose = 0x18,
  kMechanisms = 0x40,
  kInit = 0x41,
  kChallenge = 0x42,
  kResponse = 0x43,
  kOutcome = 0x44,
};

// Reads the fields of a performative one after the other.
class Fields {
 public:
  // `body` begins behind the frame header.
  explicit Fields(const char* body) {
    const auto list = static_cast<uint8_t>(body[3]);
    const char* items = body + 4;
    if (list == 0x45) {
      at_ = end_ = items;
    } else if (list == 0xc0) {
      count_ = static_cast<uint8_t>(items[1]);
      end_ = items + 1 + static_cast<uint8_t>(items[0]);
      at_ = items + 2;
    } else {
      count_ = GetU32(items + 4);
      end_ = items + 4 + GetU32(items);
      at_ = items + 8;
    }
  }
  // Next field as a number; `absent` for null or a list that is shorter. Booleans are 0 and 1.
  uint32_t Number(uint32_t absent = 0) {
    if (count_ == 0) return absent;
    --count_;
    const auto type = static_cast<uint8_t>(*at_++);
    switch (type) {
      case 0x40:
        return absent;
      case 0x41:
        return 1;
      case 0x42:
        return 0;
      case 0x43:
      case 0x44:
        return 0;
      case 0x50:
      case 0x52:
      case 0x53:
      case 0x56:
        return static_cast<uint8_t>(*at_++);
      case 0x60:
        at_ += 2;
        return static_cast<uint32_t>(static_cast<uint8_t>(at_[-2]) << 8 |
                                     static_cast<uint8_t>(at_[-1]));
      case 0x70:
        at_ += 4;
        return GetU32(at_ - 4);
      default:
        SkipRest(type);
        return absent;
    }
  }
  const char* end() const { return end_; }

 private:
  void SkipRest(uint8_t type) {
    switch (type >> 4) {
      case 0xa:
      case 0xc:
      case 0xe:
        at_ += 1 + static_cast<uint8_t>(*at_);
        break;
      case 0xb:
      case 0xd:
      case 0xf:
        at_ += 4 + GetU32(at_);
        break;
      case 0x8:
        at_ += 8;
        break;
      default:
        count_ = 0;  // described: nothing behind it is asked for
    }
  }

  const char* at_;
  const char* end_;
  uint32_t count_ = 0;
};

inline uint8_t CodeOf(const char* body) { return static_cast<uint8_t>(body[2]); }

// `idle_ms`: the idle time-out that we ask to be kept; 0: none.
inline std::string OpenFrame(std::string_view container, uint32_t max_frame, uint32_t idle_ms = 0) {
  return Frame(Described(kOpen, {Str(container), Str("localhost"), UInt(max_frame), UShort(16),
                                 idle_ms == 0 ? Null() : UInt(idle_ms)}));
}
inline std::string BeginFrame() {
  return Frame(Described(kBegin, {Null(), UInt(0), UInt(1u << 30), UInt(1u << 30)}));
}
// `receiver`: we receive from `address`, else we send to it.
inline std::string AttachFrame(bool receiver, uint32_t handle, std::string_view name,
                               std::string_view address, bool settled) {
  const std::string node = Described(receiver ? 0x28 : 0x29, {Str(address)});
  const std::string other = Described(receiver ? 0x29 : 0x28, {});
  return Frame(Described(kAttach, {Str(name), UInt(handle), Bool(receiver), UByte(settled ? 1 : 0),
                                   UByte(0), receiver ? node : other, receiver ? other : node,
                                   Null(), Null(), receiver ? Null() : UInt(0)}));
}
inline std::string FlowFrame(uint32_t next_incoming, uint32_t handle, uint32_t delivery_count,
                             uint32_t credit) {
  return Frame(Described(kFlow, {UInt(next_incoming), UInt(1u << 30), UInt(0), UInt(1u << 30),
                                 UInt(handle), UInt(delivery_count), UInt(credit)}));
}
// Of the session alone; asks for one in return.
inline std::string EchoFrame(uint32_t next_outgoing) {
  return Frame(Described(kFlow, {UInt(0), UInt(1u << 30), UInt(next_outgoing), UInt(1u << 30),
                                 Null(), Null(), Null(), Null(), Bool(false), Bool(true)}));
}
inline std::string AcceptedFrame(uint32_t first, uint32_t last) {
  return Frame(Described(kDisposition,
                         {Bool(true), UInt(first), UInt(last), Bool(true), Described(0x24, {})}));
}

}  // namespace trunkline::bench
