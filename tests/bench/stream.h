#pragma once

#include <openssl/ssl.h>

#include <cstdint>
#include <string>

// A TCP connection of a load generator, plain or TLS, non-blocking after Connect.
namespace trunkline::bench {

class Stream {
 public:
  // Connects (blocking) and, with a context, shakes hands. Ends the process on failure.
  static Stream Connect(const std::string& host, int port, SSL_CTX* tls);

  // Bytes moved; 0: would block; -1: the connection is gone.
  long Write(const char* bytes, size_t n);
  long Read(char* bytes, size_t n);
  void Close();
  int fd() const { return fd_; }

 private:
  int fd_ = -1;
  SSL* ssl_ = nullptr;
};

// Client context: TLS 1.3, verifying against `ca_file`.
SSL_CTX* ClientContext(const std::string& ca_file);

// Nanoseconds on a processor, and waiting for one: the latter shows who else is on the machine.
struct CpuTime {
  uint64_t used = 0;
  uint64_t waited = 0;
};
// Of all threads of a process; of the calling thread.
CpuTime ProcessCpu(int pid);
CpuTime ThreadCpu();

// Resident memory in bytes.
uint64_t ProcessRssBytes(int pid);
uint64_t NowNs();
[[noreturn]] void Die(const std::string& why);

}  // namespace trunkline::bench
