#include <utility>

#include "absl/strings/str_cat.h"
#include "router/amqp/codec.h"
#include "router/amqp/engine.h"
#include "router/amqp/sasl.h"

// From bytes to events: framing, and which session a frame is for.
namespace trunkline::amqp {
namespace {

// Reports that an idle engine keeps room for.
constexpr size_t kReportsKept = 8;

std::string_view Text(const absl::Status& status) {
  return {status.message().data(), status.message().size()};
}

// doff and type of a frame without extended header, and what every transfer starts with.
constexpr uint32_t kUsualDoffAndType = 0x0200;
constexpr uint32_t kTransferStart = 0x005314;

}  // namespace

// --- input

void Engine::SetInput(const Slice& input, Time now) {
  NoteTime(now);
  if (!input.empty()) last_input_ = now;
  context_.input = input;
  size_ = input.size();
  at_ = failed_ || close_received_ ? size_ : 0;
  needs_ = kFrameHeaderBytes;
}

uint32_t Engine::Consumed() const { return at_; }

uint32_t Engine::FrameNeeds() const { return needs_; }

void Engine::InputEnded() {
  if (close_received_ || failed_ || context_.failing) return;
  if (close_sent_) {
    gave_up_ = true;
    return;
  }
  context_.Fail(Fault::kHangUp, condition::kFramingError, "connection aborted");
}

bool Engine::Next(Event& event) {
  if (event.payload.block() != nullptr) event.payload = Slice();
  for (;;) {
    if (context_.pending) {
      if (context_.walking != nullptr && !context_.failing) [[likely]] {
        if (context_.walking->NextOfDisposition(event)) return true;
        context_.walking = nullptr;
      }
      if (NextPending(event)) return true;
    }
    if (NextUsual(event)) return true;
    const Step step = NextFrame(event);
    if (step == Step::kEvent) return true;
    if (step == Step::kNoFrame && !context_.pending) break;
  }
  context_.input = Slice();
  size_ = at_;
  return false;
}

// The next frame, if it is a whole delivery without anything unusual. False, with nothing changed,
// if it is not: NextFrame looks at it again.
inline bool Engine::NextUsual(Event& event) {
  const uint32_t left = size_ - at_;
  if (left < kFrameHeaderBytes + UsualTransfer::kReadable) return false;
  const uint8_t* start = context_.input.data() + at_;
  const uint64_t header = LoadBe64(start);
  const uint32_t size = static_cast<uint32_t>(header >> 32);
  if (size > left || size > context_.frame_bytes_max || size <= kFrameHeaderBytes) return false;
  if ((header >> 16 & 0xffff) != kUsualDoffAndType) return false;
  const uint32_t channel = channels_.Find(static_cast<uint16_t>(header));
  if (channel == NumberMap::kNone) return false;
  Session& session = *sessions_[channel];
  if (!session.OnUsualTransfer(start + kFrameHeaderBytes, size - kFrameHeaderBytes, event)) {
    return false;
  }
  at_ += size;
  ++frames_in_;
  return true;
}

Engine::Step Engine::NextFrame(Event& event) {
  Frame frame;
  if (!ReadFrame(frame)) return Step::kNoFrame;
  return OnFrame(frame, event) ? Step::kEvent : Step::kNothing;
}

// The next whole frame. False if there is none, or if the connection has just failed.
inline bool Engine::ReadFrame(Frame& frame) {
  if (!header_received_ && !ReadHeader()) return false;
  if (size_ - at_ < kFrameHeaderBytes) return false;
  const uint8_t* start = context_.input.data() + at_;
  const uint64_t header = LoadBe64(start);
  const uint32_t size = static_cast<uint32_t>(header >> 32);
  uint32_t body = kFrameHeaderBytes;
  if (size < body || size > context_.frame_bytes_max) [[unlikely]] {
    context_.Fail(size < body ? Fault::kFraming : Fault::kFrameSize, condition::kFramingError,
                  absl::StrCat("frame of ", size, " bytes"));
    return false;
  }
  needs_ = size;
  if (size_ - at_ < size) return false;
  if ((header >> 16 & 0xffff) != kUsualDoffAndType) [[unlikely]] {
    body = BodyOffset(header);
    if (body == 0) return false;
  }
  frame.channel = static_cast<uint16_t>(header);
  frame.body = {reinterpret_cast<const char*>(start) + body, size - body};
  at_ += size;
  ++frames_in_;
  needs_ = kFrameHeaderBytes;
  return true;
}

// Where the body of a frame with an extended header starts; 0 if the header is wrong.
uint32_t Engine::BodyOffset(uint64_t header) {
  const uint32_t size = static_cast<uint32_t>(header >> 32);
  const uint32_t body = static_cast<uint32_t>(header >> 24 & 0xff) * 4;
  const uint32_t type = static_cast<uint32_t>(header >> 16 & 0xff);
  if (body >= kFrameHeaderBytes && body <= size && type == 0) return body;
  context_.Fail(Fault::kFraming, condition::kFramingError,
                absl::StrCat("frame with doff ", body / 4, " and type ", type));
  return 0;
}

// Ours is the answer to any: some clients wait for it before they open.
bool Engine::ReadHeader() {
  if (size_ - at_ < kAmqpHeader.size()) return false;
  WriteHeader();
  if (context_.input.view().substr(at_, kAmqpHeader.size()) != kAmqpHeader) {
    // Our header says what we speak; frames would not be understood.
    context_.frames.Stop();
    close_sent_ = true;
    context_.Fail(Fault::kFraming, condition::kNotImplemented, "not an AMQP 1.0 header");
    return false;
  }
  at_ += kAmqpHeader.size();
  header_received_ = true;
  return true;
}

// --- what came of earlier frames and commands

bool Engine::NextPending(Event& event) {
  if (context_.failing) return ReportFailure(event);
  std::vector<Report>& reports = context_.reports;
  while (reports_done_ < reports.size()) {
    const Report report = reports[reports_done_];
    const bool told = NextReport(report, event);
    const bool more = report.kind == ReportKind::kOver && told && event.kind != EventKind::kEnded;
    if (!more) ++reports_done_;
    if (told) return true;
  }
  reports.clear();
  if (reports.capacity() > kReportsKept) reports.shrink_to_fit();
  reports_done_ = 0;
  context_.pending = false;
  return false;
}

bool Engine::NextReport(const Report& report, Event& event) {
  if (report.kind == ReportKind::kFlow || report.kind == ReportKind::kDetach) {
    Link* link = context_.Find(report.id);
    if (link == nullptr) return false;
    return report.kind == ReportKind::kFlow ? link->session->ReportFlow(*link, event)
                                            : link->session->ReportDetach(*link, event);
  }
  const uint16_t channel = static_cast<uint16_t>(report.id);
  Session* session = SessionAt(channel);
  if (session == nullptr) return false;
  if (report.kind == ReportKind::kWritable) {
    event.kind = EventKind::kWritable;
    event.session = channel;
    return !session->ended();
  }
  if (!session->NextOfOver(event)) return false;
  if (event.kind == EventKind::kEnded) DropSession(channel);
  return true;
}

// The rest of the input is dropped, whatever it says.
bool Engine::ReportFailure(Event& event) {
  at_ = size_;
  if (failed_ || close_received_) {
    context_.pending = false;
    return false;
  }
  WriteClose(context_.failure);
  failed_ = true;
  event.kind = EventKind::kFailed;
  event.error = &context_.failure;
  return true;
}

// --- frames

inline bool Engine::OnFrame(const Frame& frame, Event& event) {
  const bool transfer =
      frame.body.size() >= 4 && open_received_ &&
      LoadBe32(reinterpret_cast<const uint8_t*>(frame.body.data())) >> 8 == kTransferStart;
  return transfer ? OnTransfer(frame, event) : OnOtherFrame(frame, event);
}

inline bool Engine::OnTransfer(const Frame& frame, Event& event) {
  Session* session = SessionOnChannel(frame.channel);
  if (session == nullptr || session->ended()) return false;
  TransferFrame transfer;
  if (!ReadTransfer(frame.body, transfer)) return FailDecode("transfer");
  return session->OnTransfer(transfer, event);
}

bool Engine::OnOtherFrame(const Frame& frame, Event& event) {
  if (frame.body.empty()) return false;  // a heartbeat
  const absl::StatusOr<Descriptor> descriptor = PeekDescriptor(frame.body);
  if (!descriptor.ok() || *descriptor > Descriptor::kClose) return FailDecode("performative");
  if (open_received_ == (*descriptor == Descriptor::kOpen)) {
    context_.Fail(Fault::kRules, condition::kIllegalState,
                  open_received_ ? "second open" : "open is not first");
    return false;
  }
  switch (*descriptor) {
    case Descriptor::kTransfer:  // with an unusual descriptor
      return OnTransfer(frame, event);
    case Descriptor::kFlow:
      return OnFlow(frame, event);
    case Descriptor::kDisposition:
      return OnDisposition(frame);
    default:
      return OnRareFrame(*descriptor, frame, event);
  }
}

Session* Engine::FailChannel(uint16_t channel) {
  if (channel > channel_max_) {
    context_.Fail(Fault::kSessions, condition::kFramingError,
                  absl::StrCat("channel ", channel, " is above ", channel_max_));
  } else {
    context_.Fail(Fault::kRules, condition::kNotAllowed,
                  absl::StrCat("no session on channel ", channel));
  }
  return nullptr;
}

bool Engine::OnFlow(const Frame& frame, Event& event) {
  Session* session = SessionOnChannel(frame.channel);
  if (session == nullptr || session->ended()) return false;
  Flow flow;
  if (!ParseFlow(frame.body, flow)) return FailDecode("flow");
  return session->OnFlow(flow, event);
}

// Its deliveries are reported one by one.
bool Engine::OnDisposition(const Frame& frame) {
  Session* session = SessionOnChannel(frame.channel);
  if (session == nullptr || session->ended()) return false;
  Disposition disposition;
  if (!ParseDisposition(frame.body, disposition)) return FailDecode("disposition");
  session->OnDisposition(disposition);
  return false;
}

bool Engine::OnRareFrame(Descriptor descriptor, const Frame& frame, Event& event) {
  if (descriptor == Descriptor::kOpen) return OnOpen(frame.body, event);
  if (descriptor == Descriptor::kClose) return OnClose(frame.body, event);
  if (descriptor == Descriptor::kBegin) return OnBegin(frame);
  Session* session = SessionOnChannel(frame.channel);
  if (session == nullptr) return false;
  if (descriptor == Descriptor::kEnd) {
    absl::StatusOr<End> end = ParseEnd(frame.body);
    if (!end.ok()) return FailDecode(Text(end.status()));
    channels_.Erase(frame.channel);
    session->OnEnd(*end);
    return false;
  }
  if (session->ended()) return false;
  if (descriptor == Descriptor::kAttach) {
    absl::StatusOr<Attach> attach = ParseAttach(frame.body);
    if (!attach.ok()) return FailDecode(Text(attach.status()));
    return session->OnAttach(*std::move(attach), event);
  }
  absl::StatusOr<amqp::Detach> detach = ParseDetach(frame.body);
  if (!detach.ok()) return FailDecode(Text(detach.status()));
  return session->OnDetach(*std::move(detach), event);
}

bool Engine::OnOpen(std::string_view body, Event& event) {
  absl::StatusOr<Open> open = ParseOpen(body);
  if (!open.ok()) return FailDecode(Text(open.status()));
  open_received_ = true;
  remote_open_ = *std::move(open);
  WriteOpen();
  if (remote_open_.container_id.size() > kContainerIdBytesMax) {
    context_.Fail(Fault::kContainerId, condition::kInvalidField,
                  absl::StrCat("container-id: longer than ", kContainerIdBytesMax, " bytes"));
    return false;
  }
  if (remote_open_.max_frame_size < kFrameBytesMin) {
    context_.Fail(Fault::kRules, condition::kInvalidField,
                  absl::StrCat("max-frame-size: ", remote_open_.max_frame_size, " is below ",
                               kFrameBytesMin));
    return false;
  }
  context_.frames.set_frame_bytes_max(remote_open_.max_frame_size);
  SetHeartbeat(remote_open_.idle_time_out);
  event.kind = EventKind::kOpened;
  event.open = &remote_open_;
  return true;
}

bool Engine::OnClose(std::string_view body, Event& event) {
  absl::StatusOr<amqp::Close> close = ParseClose(body);
  if (!close.ok()) return FailDecode(Text(close.status()));
  WriteClose({});
  close_received_ = true;
  at_ = size_;
  event.kind = EventKind::kClosed;
  context_.SetError(event, close->error);
  return true;
}

bool Engine::OnBegin(const Frame& frame) {
  absl::StatusOr<Begin> begin = ParseBegin(frame.body);
  if (!begin.ok()) return FailDecode(Text(begin.status()));
  if (frame.channel > channel_max_) return SessionOnChannel(frame.channel) != nullptr;
  if (channels_.Find(frame.channel) != NumberMap::kNone) {
    context_.Fail(Fault::kRules, condition::kNotAllowed,
                  absl::StrCat("channel ", frame.channel, " is in use"));
    return false;
  }
  const bool answer = begin->remote_channel.has_value();
  Session* session = answer ? SessionAt(*begin->remote_channel) : NewSession();
  if (session == nullptr || session->begun()) {
    context_.Fail(answer ? Fault::kRules : Fault::kSessions,
                  answer ? condition::kInvalidField : condition::kResourceLimitExceeded,
                  answer ? "remote-channel: no session waits there" : "no channel is left");
    return false;
  }
  channels_.Set(frame.channel, session->channel());
  session->OnBegin(*begin, frame.channel);
  if (!answer) session->WriteBegin();
  return false;
}

bool Engine::FailDecode(std::string_view what) {
  context_.Fail(Fault::kMalformed, condition::kDecodeError, what);
  return false;
}

}  // namespace trunkline::amqp
