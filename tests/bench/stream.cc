#include "tests/bench/stream.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace trunkline::bench {

void Die(const std::string& why) {
  std::fprintf(stderr, "load generator: %s\n", why.c_str());
  std::exit(1);
}

Stream Stream::Connect(const std::string& host, int port, SSL_CTX* tls) {
  Stream stream;
  stream.fd_ = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  if (inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1) Die("not an IPv4 address: " + host);
  if (connect(stream.fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    Die("cannot connect to " + host + ":" + std::to_string(port) + ": " + std::strerror(errno));
  }
  const int one = 1;
  setsockopt(stream.fd_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (tls != nullptr) {
    stream.ssl_ = SSL_new(tls);
    SSL_set_fd(stream.ssl_, stream.fd_);
    SSL_set_tlsext_host_name(stream.ssl_, "localhost");
    if (SSL_connect(stream.ssl_) != 1) {
      Die(std::string("TLS handshake: ") + ERR_error_string(ERR_get_error(), nullptr));
    }
  }
  fcntl(stream.fd_, F_SETFL, fcntl(stream.fd_, F_GETFL) | O_NONBLOCK);
  return stream;
}

long Stream::Write(const char* bytes, size_t n) {
  if (ssl_ != nullptr) {
    size_t done = 0;
    if (SSL_write_ex(ssl_, bytes, n, &done) == 1) return static_cast<long>(done);
    const int error = SSL_get_error(ssl_, 0);
    return error == SSL_ERROR_WANT_WRITE || error == SSL_ERROR_WANT_READ ? 0 : -1;
  }
  const ssize_t done = send(fd_, bytes, n, MSG_NOSIGNAL);
  return done >= 0 ? done : (errno == EAGAIN ? 0 : -1);
}

long Stream::Read(char* bytes, size_t n) {
  if (ssl_ != nullptr) {
    size_t total = 0;
    while (total < n) {
      size_t done = 0;
      if (SSL_read_ex(ssl_, bytes + total, n - total, &done) != 1) {
        const int error = SSL_get_error(ssl_, 0);
        if (total > 0) break;
        return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? 0 : -1;
      }
      total += done;
    }
    return static_cast<long>(total);
  }
  const ssize_t done = recv(fd_, bytes, n, 0);
  if (done > 0) return done;
  return done < 0 && errno == EAGAIN ? 0 : -1;
}

void Stream::Close() {
  if (ssl_ != nullptr) SSL_free(ssl_);
  if (fd_ >= 0) close(fd_);
  ssl_ = nullptr;
  fd_ = -1;
}

SSL_CTX* ClientContext(const std::string& ca_file) {
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
  SSL_CTX_set_ciphersuites(context, "TLS_AES_256_GCM_SHA384");
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  if (SSL_CTX_load_verify_locations(context, ca_file.c_str(), nullptr) != 1) {
    Die("cannot read CA file " + ca_file);
  }
  return context;
}

namespace {

CpuTime ReadSchedstat(const std::string& path) {
  std::FILE* file = std::fopen(path.c_str(), "r");
  if (file == nullptr) return {};
  unsigned long long used = 0;
  unsigned long long waited = 0;
  const bool read = std::fscanf(file, "%llu %llu", &used, &waited) == 2;
  std::fclose(file);
  return read ? CpuTime{used, waited} : CpuTime{};
}

}  // namespace

CpuTime ProcessCpu(int pid) {
  const std::string tasks = "/proc/" + std::to_string(pid) + "/task";
  DIR* dir = opendir(tasks.c_str());
  if (dir == nullptr) Die("no process " + std::to_string(pid));
  CpuTime sum;
  while (const dirent* entry = readdir(dir)) {
    if (entry->d_name[0] == '.') continue;
    const CpuTime time = ReadSchedstat(tasks + "/" + entry->d_name + "/schedstat");
    sum.used += time.used;
    sum.waited += time.waited;
  }
  closedir(dir);
  return sum;
}

CpuTime ThreadCpu() { return ReadSchedstat("/proc/thread-self/schedstat"); }

uint64_t ProcessRssBytes(int pid) {
  std::FILE* file = std::fopen(("/proc/" + std::to_string(pid) + "/statm").c_str(), "r");
  if (file == nullptr) Die("no process " + std::to_string(pid));
  unsigned long long size = 0;
  unsigned long long resident = 0;
  if (std::fscanf(file, "%llu %llu", &size, &resident) != 2) Die("cannot read statm");
  std::fclose(file);
  return resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

uint64_t NowNs() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

}  // namespace trunkline::bench
