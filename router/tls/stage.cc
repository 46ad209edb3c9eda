#include "router/tls/stage.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "router/tls/identity.h"
#include "router/tls/openssl.h"

namespace trunkline::tls {
namespace {

// Plaintext of one record, by the protocol.
constexpr size_t kRecordMax = 16384;
// More than any cipher adds to a record: header, explicit nonce, MAC, padding, content type.
constexpr size_t kRecordOverheadMax = 128;
// A record cut short because `out` ends has at least this much plaintext, or waits for the next
// Write: many small records cost more than one more call.
constexpr size_t kCutRecordMin = 2048;
// Plaintext of the record made when `out` has hardly any room; what does not fit waits inside.
constexpr size_t kTinyRoomRecord = 1024;
// Output that Read may leave behind. A handshake needs a few KiB; a peer that makes us answer more
// than this without a Write in between is up to no good.
constexpr size_t kPendingMax = 256u << 10;
// TLS 1.3 records under one key of ours: well below what AES-GCM bears (2^24.5, RFC 8446 5.5).
constexpr uint64_t kRecordsPerKey = 1u << 20;
// A peer that starts with this speaks AMQP where TLS is due.
constexpr std::string_view kPlaintextAmqp = "AMQP";

// OpenSSL names the alerts it receives by reasons from here on.
constexpr int kAlertReasons = SSL_AD_REASON_OFFSET;

// Text of the thread's oldest error, which says more than OpenSSL's own where we know more.
std::string ErrorText() {
  const unsigned long error = ERR_peek_error();
  const int reason = ERR_GET_LIB(error) == ERR_LIB_SSL ? ERR_GET_REASON(error) : 0;
  if (reason >= kAlertReasons) {
    TakeError();
    return absl::StrCat("the peer refused: ", SSL_alert_desc_string_long(reason - kAlertReasons));
  }
  if (reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE) {
    TakeError();
    return "the peer showed no certificate";
  }
  return TakeError();
}

// `code`: an X509_V_ERR.
HandshakeResult ResultOf(int code) {
  switch (code) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return HandshakeResult::kExpired;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
      return HandshakeResult::kUnknownCa;
    default:
      return HandshakeResult::kOther;
  }
}

}  // namespace

// The OpenSSL session and the memory that its BIO reads from and writes to.
struct TlsStage::Session {
  // The spans of the Read or Write that is being served; empty between calls.
  const uint8_t* in = nullptr;
  size_t in_left = 0;
  uint8_t* out = nullptr;
  size_t out_left = 0;

  // Output that found no room in `out`: the part from pending_sent on.
  std::string pending;
  size_t pending_sent = 0;
  bool pending_too_long = false;

  bool server = false;
  bool verifies = false;  // a certificate that the peer shows
  bool shutdown_sent = false;
  uint64_t records_sent = 0;  // with application data
  // First bytes from the peer, to tell plaintext from broken TLS.
  char first[kPlaintextAmqp.size()] = {};
  size_t first_size = 0;
  std::string wanted_name;      // client: the name that the certificate must have
  std::string verify_error;     // why the peer's certificate was refused
  int verify_code = X509_V_OK;  // likewise

  Owned<SSL> ssl;  // last, so that its BIO goes before what the BIO points to

  size_t Take(uint8_t* to, size_t size);
  void Append(const uint8_t* from, size_t size);
  void MovePending();
  bool StartedAsPlaintext() const { return std::string_view(first, first_size) == kPlaintextAmqp; }

  static const BIO_METHOD* Method();
  static int OnBioRead(BIO* bio, char* to, size_t size, size_t* done);
  static int OnBioWrite(BIO* bio, const char* from, size_t size, size_t* done);
  static long OnBioControl(BIO* bio, int command, long number, void* pointer);
  static int OnBioCreate(BIO* bio);
  static int OnVerify(int ok, X509_STORE_CTX* store_context);
};

size_t TlsStage::Session::Take(uint8_t* to, size_t size) {
  const size_t count = std::min(size, in_left);
  std::memcpy(to, in, count);
  if (first_size < sizeof(first)) {
    const size_t head = std::min(count, sizeof(first) - first_size);
    std::memcpy(first + first_size, in, head);
    first_size += head;
  }
  in += count;
  in_left -= count;
  return count;
}

void TlsStage::Session::Append(const uint8_t* from, size_t size) {
  const size_t direct = pending.empty() ? std::min(size, out_left) : 0;
  if (direct > 0) {
    std::memcpy(out, from, direct);
    out += direct;
    out_left -= direct;
  }
  pending.append(reinterpret_cast<const char*>(from) + direct, size - direct);
}

void TlsStage::Session::MovePending() {
  if (pending.empty()) return;
  const size_t count = std::min(pending.size() - pending_sent, out_left);
  if (count == 0) return;
  std::memcpy(out, pending.data() + pending_sent, count);
  out += count;
  out_left -= count;
  pending_sent += count;
  if (pending_sent < pending.size()) return;
  std::string().swap(pending);  // gives the memory back: it is rarely needed again
  pending_sent = 0;
}

// The one BIO type of ours: a name and five functions, made at first use and never changed.
const BIO_METHOD* TlsStage::Session::Method() {
  static const BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "span");
    if (made == nullptr) return made;
    BIO_meth_set_read_ex(made, OnBioRead);
    BIO_meth_set_write_ex(made, OnBioWrite);
    BIO_meth_set_ctrl(made, OnBioControl);
    BIO_meth_set_create(made, OnBioCreate);
    return made;
  }();
  return method;
}

int TlsStage::Session::OnBioRead(BIO* bio, char* to, size_t size, size_t* done) {
  auto* session = static_cast<Session*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  *done = session->in_left == 0 ? 0 : session->Take(reinterpret_cast<uint8_t*>(to), size);
  if (*done > 0) return 1;
  BIO_set_retry_read(bio);
  return 0;
}

int TlsStage::Session::OnBioWrite(BIO* bio, const char* from, size_t size, size_t* done) {
  auto* session = static_cast<Session*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  *done = 0;
  if (session->pending.size() + size > kPendingMax) {
    session->pending_too_long = true;
    return 0;
  }
  session->Append(reinterpret_cast<const uint8_t*>(from), size);
  *done = size;
  return 1;
}

long TlsStage::Session::OnBioControl(BIO* /*bio*/, int command, long /*number*/,
                                     void* /*pointer*/) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

int TlsStage::Session::OnBioCreate(BIO* bio) {
  BIO_set_init(bio, 1);
  return 1;
}

// Keeps the first refusal with its place in the chain; OpenSSL itself remembers the reason only.
int TlsStage::Session::OnVerify(int ok, X509_STORE_CTX* store_context) {
  if (ok == 1) return ok;
  const int index = SSL_get_ex_data_X509_STORE_CTX_idx();
  auto* ssl = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store_context, index));
  auto* session = static_cast<Session*>(BIO_get_data(SSL_get_rbio(ssl)));
  if (!session->verify_error.empty()) return ok;
  constexpr size_t kSubjectShown = 256;
  const int error = X509_STORE_CTX_get_error(store_context);
  const X509* certificate = X509_STORE_CTX_get_current_cert(store_context);
  std::string subject;
  if (certificate != nullptr) subject = NameText(X509_get_subject_name(certificate));
  if (subject.size() > kSubjectShown) subject.resize(kSubjectShown);
  session->verify_code = error;
  session->verify_error =
      absl::StrCat("certificate of the peer: ", X509_verify_cert_error_string(error), " at depth ",
                   X509_STORE_CTX_get_error_depth(store_context), " (subject: ", subject, ")");
  if (error == X509_V_ERR_HOSTNAME_MISMATCH || error == X509_V_ERR_IP_ADDRESS_MISMATCH) {
    absl::StrAppend(&session->verify_error, ", wanted: ", session->wanted_name);
  }
  return ok;
}

TlsStage::TlsStage() : session_(std::make_unique<Session>()) {}
TlsStage::~TlsStage() = default;

// Makes the OpenSSL session and its BIO; false, with the state kFailed, if there is no memory.
bool TlsStage::Start(std::shared_ptr<const Context> context) {
  context_ = std::move(context);
  ERR_clear_error();
  session_->ssl.reset(SSL_new(static_cast<SSL_CTX*>(context_->native())));
  BIO* bio = session_->ssl == nullptr ? nullptr : BIO_new(Session::Method());
  if (bio == nullptr) {
    Fail(TakeError());
    return false;
  }
  BIO_set_data(bio, session_.get());
  SSL_set_bio(session_->ssl.get(), bio, bio);
  SSL_set_options(session_->ssl.get(), SSL_OP_CLEANSE_PLAINTEXT);
  return true;
}

void TlsStage::KeepPlaintext() {
  if (session_->ssl != nullptr) SSL_clear_options(session_->ssl.get(), SSL_OP_CLEANSE_PLAINTEXT);
}

std::unique_ptr<TlsStage> TlsStage::Server(std::shared_ptr<const Context> context,
                                           const ServerOptions& options) {
  std::unique_ptr<TlsStage> stage(new TlsStage());
  if (!stage->Start(std::move(context))) return stage;
  Session& session = *stage->session_;
  session.server = true;
  session.verifies = options.client_auth != ClientAuth::kNone;
  if (!stage->context_->has_certificate()) {
    stage->Fail("a server needs a certificate");
    return stage;
  }
  SSL* ssl = session.ssl.get();
  AskForCertificate(ssl, options.client_auth, stage->context_->has_ca(), Session::OnVerify);
  SSL_set_accept_state(ssl);
  return stage;
}

std::unique_ptr<TlsStage> TlsStage::Client(std::shared_ptr<const Context> context,
                                           const ClientOptions& options) {
  std::unique_ptr<TlsStage> stage(new TlsStage());
  if (!stage->Start(std::move(context))) return stage;
  Session& session = *stage->session_;
  session.verifies = options.verify_peer;
  SSL* ssl = session.ssl.get();
  SSL_set_verify(ssl, options.verify_peer ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, Session::OnVerify);
  SSL_set_connect_state(ssl);
  if (stage->SetServerName(options)) stage->Handshake();  // makes the ClientHello
  return stage;
}

// SNI for names, and the identity that the certificate must have. False if that cannot be done.
bool TlsStage::SetServerName(const ClientOptions& options) {
  SSL* ssl = session_->ssl.get();
  const bool verifies = options.verify_peer && options.verify_hostname;
  std::string name = options.server_name;
  if (!name.empty() && name.back() == '.') name.pop_back();  // certificates have no final dot
  if (name.empty()) {
    if (verifies) Fail("no server name to verify");
    return !verifies;
  }
  session_->wanted_name = name;
  X509_VERIFY_PARAM* param = SSL_get0_param(ssl);
  const Owned<ASN1_OCTET_STRING> address(a2i_IPADDRESS(name.c_str()));
  ERR_clear_error();
  int ok = 1;
  if (address != nullptr) {
    if (verifies) ok = X509_VERIFY_PARAM_set1_ip_asc(param, name.c_str());
  } else {
    ok = SSL_set_tlsext_host_name(ssl, name.c_str());
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (ok == 1 && verifies) ok = X509_VERIFY_PARAM_set1_host(param, name.data(), name.size());
  }
  if (ok != 1) Fail(absl::StrCat("server name: ", TakeError()));
  return ok == 1;
}

void TlsStage::Fail(std::string text, HandshakeResult failure) {
  ERR_clear_error();
  state_ = State::kFailed;
  failure_ = failure;
  error_ = std::move(text);
}

// After an OpenSSL call that did not succeed: waits for input, has met the end, or has failed.
void TlsStage::Judge(int result) {
  const int error = SSL_get_error(session_->ssl.get(), result);
  if (error == SSL_ERROR_WANT_READ) return;
  if (error == SSL_ERROR_ZERO_RETURN) {
    state_ = State::kPeerClosed;
  } else if (session_->pending_too_long) {
    Fail("the peer makes us answer without end");
  } else if (state_ == State::kHandshake && session_->StartedAsPlaintext()) {
    Fail(session_->server ? "plaintext AMQP on a TLS port"
                          : "the peer speaks plaintext AMQP, not TLS",
         HandshakeResult::kProtocol);
  } else if (!session_->verify_error.empty()) {
    Fail(session_->verify_error, ResultOf(session_->verify_code));
  } else {
    const bool bare = ERR_GET_REASON(ERR_peek_error()) == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE;
    Fail(ErrorText(), bare ? HandshakeResult::kNoClientCertificate : HandshakeResult::kProtocol);
  }
}

void TlsStage::Handshake() {
  const int result = SSL_do_handshake(session_->ssl.get());
  if (result == 1) {
    state_ = State::kOpen;
  } else {
    Judge(result);
  }
}

TlsStage::Step TlsStage::Read(absl::Span<const uint8_t> in, absl::Span<uint8_t> out) {
  // What follows a failure or close_notify means nothing.
  if (state_ == State::kFailed || state_ == State::kPeerClosed) return {in.size(), 0};
  Session& session = *session_;
  SSL* ssl = session.ssl.get();
  session.in = in.data();
  session.in_left = in.size();
  if (state_ == State::kHandshake && !in.empty()) Handshake();
  // Whatever else this thread did with OpenSSL: a call that only waits is judged by the queue.
  ERR_clear_error();
  Step step;
  while (state_ == State::kOpen && step.produced < out.size() &&
         (session.in_left > 0 || SSL_pending(ssl) > 0)) {
    size_t count = 0;
    const int result =
        SSL_read_ex(ssl, out.data() + step.produced, out.size() - step.produced, &count);
    step.produced += count;
    if (result == 1) continue;
    Judge(result);
  }
  if (state_ == State::kFailed || state_ == State::kPeerClosed) session.in_left = 0;
  step.consumed = in.size() - session.in_left;
  session.in = nullptr;
  session.in_left = 0;
  return step;
}

bool TlsStage::HasPlaintext() const {
  return state_ == State::kOpen && SSL_pending(session_->ssl.get()) > 0;
}

// Plaintext of the next record, given what is left to send and the room for it; 0: wait for more
// room. `first` is true if the Write has produced nothing yet.
size_t TlsStage::NextRecord(size_t left, size_t room, bool first) {
  const size_t wanted = std::min(left, kRecordMax);
  if (room >= wanted + kRecordOverheadMax) return wanted;
  if (room >= kCutRecordMin + kRecordOverheadMax) return room - kRecordOverheadMax;
  return first ? std::min(wanted, kTinyRoomRecord) : 0;
}

// One record into `out`, as far as there is room.
bool TlsStage::WriteRecord(absl::Span<const uint8_t> plaintext) {
  SSL* ssl = session_->ssl.get();
  if (++session_->records_sent % kRecordsPerKey == 0 && SSL_version(ssl) == TLS1_3_VERSION) {
    SSL_key_update(ssl, SSL_KEY_UPDATE_NOT_REQUESTED);
  }
  size_t count = 0;
  const int result = SSL_write_ex(ssl, plaintext.data(), plaintext.size(), &count);
  if (result == 1) return true;
  Judge(result);
  // There is never anything to wait for when we write.
  if (state_ != State::kFailed) Fail("a record could not be written");
  return false;
}

TlsStage::Step TlsStage::Write(absl::Span<const uint8_t> in, absl::Span<uint8_t> out) {
  Session& session = *session_;
  session.out = out.data();
  session.out_left = out.size();
  session.MovePending();
  Step step;
  while ((state_ == State::kOpen || state_ == State::kPeerClosed) && !session.shutdown_sent &&
         step.consumed < in.size() && session.out_left > 0) {
    const size_t size =
        NextRecord(in.size() - step.consumed, session.out_left, session.out_left == out.size());
    if (size == 0 || !WriteRecord(in.subspan(step.consumed, size))) break;
    step.consumed += size;
  }
  step.produced = out.size() - session.out_left;
  session.out = nullptr;
  session.out_left = 0;
  return step;
}

bool TlsStage::HasOutput() const { return !session_->pending.empty(); }

void TlsStage::Shutdown() {
  if (session_->shutdown_sent) return;
  session_->shutdown_sent = true;
  if (state_ != State::kOpen && state_ != State::kPeerClosed) return;
  SSL_shutdown(session_->ssl.get());  // the result only says whether the peer has closed as well
  ERR_clear_error();
}

PeerInfo TlsStage::peer() const {
  PeerInfo info;
  SSL* ssl = session_->ssl.get();
  if (ssl == nullptr || !SSL_is_init_finished(ssl)) return info;
  info.protocol = SSL_get_version(ssl);
  info.cipher = SSL_get_cipher_name(ssl);
  info.cipher_bits = SSL_get_cipher_bits(ssl, nullptr);
  if (session_->server) {
    const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    if (name != nullptr) info.sni = name;
  }
  const X509* certificate = SSL_get0_peer_certificate(ssl);
  if (certificate == nullptr) return info;
  info.subject = NameText(X509_get_subject_name(certificate));
  info.certificate_verified = session_->verifies && SSL_get_verify_result(ssl) == X509_V_OK;
  // An identity that anybody can claim is none.
  if (info.certificate_verified) {
    info.user_id = UserId(certificate, context_->options().uid_format);
  }
  return info;
}

std::string TlsStage::PeerCertificatePem() const {
  X509* const certificate =
      session_->ssl == nullptr ? nullptr : SSL_get0_peer_certificate(session_->ssl.get());
  if (certificate == nullptr) return {};
  const std::unique_ptr<BIO, decltype(&BIO_free)> memory(BIO_new(BIO_s_mem()), &BIO_free);
  char* text = nullptr;
  if (memory == nullptr || PEM_write_bio_X509(memory.get(), certificate) != 1) return {};
  const long size = BIO_get_mem_data(memory.get(), &text);
  return std::string(text, static_cast<size_t>(size));
}

}  // namespace trunkline::tls
