#include "router/amqp/engine.h"

#include <algorithm>
#include <utility>

#include "router/amqp/sasl.h"

// Life of a connection, commands and output. Input is in engine_input.cc.
namespace trunkline::amqp {
namespace {

// A peer that wants to hear from us more often than this is heard from this often.
constexpr Duration kHeartbeatMin = kMillisecond * 100;
// Slots of the lists of what is due that an idle engine keeps.
constexpr size_t kDueKept = 8;

std::unique_ptr<Open> MakeOpen(EngineOptions& options) {
  auto open = std::make_unique<Open>();
  open->container_id = std::move(options.container_id);
  open->hostname = std::move(options.hostname);
  open->max_frame_size = options.max_frame_size;
  open->channel_max = options.channel_max;
  if (options.idle_timeout > Duration{}) {
    open->idle_time_out = static_cast<uint32_t>((options.idle_timeout / 2).milliseconds());
  }
  open->offered_capabilities = std::move(options.offered_capabilities);
  open->desired_capabilities = std::move(options.desired_capabilities);
  open->properties = std::move(options.properties);
  return open;
}

// Empties a list that is filled again and again; a large one goes.
template <typename T>
void Empty(std::vector<T>& list) {
  list.clear();
  if (list.capacity() > kDueKept) list.shrink_to_fit();
}

}  // namespace

Engine::Engine(EngineOptions options, BlockPool& pool)
    : context_(pool), channel_max_(options.channel_max), idle_timeout_(options.idle_timeout) {
  context_.frame_bytes_max = std::max(options.max_frame_size, kFrameBytesMin);
  context_.window_bytes = options.session_window_bytes;
  context_.handle_max = options.handle_max;
  context_.links_max = options.links_max;
  context_.faults = options.faults;
  local_open_ = MakeOpen(options);
  if (options.initiate) WriteOpen();
}

Engine::~Engine() = default;

// --- connection

void Engine::WriteHeader() {
  if (!header_sent_) output().Append(kAmqpHeader);
  header_sent_ = true;
}

void Engine::WriteOpen() {
  if (local_open_ == nullptr) return;
  WriteHeader();
  context_.frames.Write(0, *local_open_);
  local_open_.reset();
}

void Engine::WriteClose(const Condition& error) {
  if (close_sent_) return;
  WriteOpen();
  WritePending();
  context_.frames.WriteError(0, amqp::Close{error});
  context_.frames.Stop();
  close_sent_ = true;
}

void Engine::Close(const Condition& error) { WriteClose(error); }

bool Engine::IsOpen() const {
  return open_received_ && local_open_ == nullptr && !close_sent_ && !close_received_;
}

bool Engine::IsClosed() const { return close_sent_ && (close_received_ || failed_ || gave_up_); }

const Open& Engine::remote_open() const { return remote_open_; }

Time Engine::Tick(Time now) {
  NoteTime(now);
  if (IsClosed()) return kNever;
  Time deadline = kNever;
  if (idle_timeout_ > Duration{}) {
    if (now - last_input_ >= idle_timeout_) {
      OnSilence();
      return kNever;
    }
    deadline = last_input_ + idle_timeout_;
  }
  if (heartbeat_interval_ > Duration{} && !close_sent_) {
    NoteOutput(now);
    if (now - last_output_ >= heartbeat_interval_) {
      context_.frames.WriteHeartbeat();
      NoteOutput(now);
    }
    deadline = std::min(deadline, last_output_ + heartbeat_interval_);
  }
  return deadline;
}

void Engine::OnSilence() {
  if (close_sent_) {
    gave_up_ = true;
    return;
  }
  silent_ = true;
  context_.Fail(Fault::kIdle, condition::kResourceLimitExceeded, "local-idle-timeout expired");
  WriteClose(context_.failure);
}

// The first time that is known counts as the last input and output.
void Engine::NoteTime(Time now) {
  if (started_) return;
  started_ = true;
  last_input_ = last_output_ = now;
}

void Engine::NoteOutput(Time now) {
  if (frames_at_last_output_ == context_.frames.count()) return;
  frames_at_last_output_ = context_.frames.count();
  last_output_ = now;
}

void Engine::SetHeartbeat(std::optional<uint32_t> remote_milliseconds) {
  if (remote_milliseconds.value_or(0) == 0) return;
  heartbeat_interval_ = std::max(Milliseconds(*remote_milliseconds) / 2, kHeartbeatMin);
}

// --- sessions

Session* Engine::SessionAt(uint16_t channel) {
  return channel < sessions_.size() ? sessions_[channel].get() : nullptr;
}

Session* Engine::NewSession() {
  uint32_t channel = channel_hint_;
  while (channel < sessions_.size() && sessions_[channel] != nullptr) ++channel;
  if (channel > remote_open_.channel_max || channel >= kNoSession) return nullptr;
  channel_hint_ = channel + 1;
  if (channel == sessions_.size()) sessions_.emplace_back();
  sessions_[channel] = std::make_unique<Session>(context_, static_cast<uint16_t>(channel));
  ++sessions_now_;
  return sessions_[channel].get();
}

void Engine::DropSession(uint16_t channel) {
  if (context_.walking == sessions_[channel].get()) context_.walking = nullptr;
  sessions_[channel].reset();
  --sessions_now_;
  channel_hint_ = std::min<uint32_t>(channel_hint_, channel);
  while (!sessions_.empty() && sessions_.back() == nullptr) sessions_.pop_back();
}

uint16_t Engine::BeginSession() {
  if (close_sent_ || close_received_) return kNoSession;
  Session* session = NewSession();
  if (session == nullptr) return kNoSession;
  WriteOpen();
  session->WriteBegin();
  return session->channel();
}

void Engine::EndSession(uint16_t session, const Condition& error) {
  if (Session* found = SessionAt(session)) found->End(error);
}

// --- links

LinkIndex Engine::StartLink(uint16_t session, amqp::Attach attach) {
  Session* found = SessionAt(session);
  return found == nullptr ? kNoLink : found->StartLink(std::move(attach));
}

void Engine::AnswerAttach(LinkIndex link, amqp::Attach attach) {
  if (Link* found = context_.Find(link)) found->session->AnswerAttach(*found, std::move(attach));
}

void Engine::Detach(LinkIndex link, bool closed, const Condition& error) {
  if (Link* found = context_.Find(link)) found->session->Detach(*found, closed, error);
}

void Engine::SetUser(LinkIndex link, uint64_t user) {
  if (Link* found = context_.Find(link)) found->user = user;
}

uint16_t Engine::SessionOf(LinkIndex link) const {
  const Link* found = context_.Find(link);
  return found == nullptr ? kNoSession : found->session->channel();
}

void Engine::Drain(LinkIndex link) {
  if (Link* found = context_.Find(link)) found->session->Drain(*found);
}

void Engine::SetTaken(LinkIndex link, bool taken) {
  Link* found = context_.Find(link);
  if (found == nullptr || found->role != Role::kReceiver || found->detach_sent) return;
  found->taken = taken;
  found->flow_due = true;
  if (found->attach_sent) found->session->QueueFlow(*found);
}

void Engine::Drained(LinkIndex link) {
  Link* found = context_.Find(link);
  if (found == nullptr || found->role != Role::kSender || !found->drain) return;
  found->UseUpCredit();
  found->session->QueueFlow(*found);
}

void Engine::Echo(LinkIndex link) {
  Link* found = context_.Find(link);
  if (found == nullptr) return;
  found->flow_due = true;
  found->session->QueueFlow(*found);
}

// --- deliveries

uint32_t Engine::Credit(LinkIndex link) const {
  const Link* found = context_.Find(link);
  return found == nullptr ? 0 : found->credit;
}

// --- output

void Engine::Flush(Time now) {
  NoteTime(now);
  WritePending();
  NoteOutput(now);
}

// Flows of links go first: they tell about the window of their session as well.
void Engine::WritePending() {
  for (size_t i = 0; i < context_.due_links.size(); ++i) {
    Link* link = context_.Find(context_.due_links[i]);
    if (link != nullptr && link->queued) link->session->WriteFlow(*link);
  }
  if (!context_.due_links.empty()) Empty(context_.due_links);
  for (size_t i = 0; i < context_.due.size(); ++i) {
    if (Session* session = SessionAt(context_.due[i])) session->Flush();
  }
  if (!context_.due.empty()) Empty(context_.due);
}

}  // namespace trunkline::amqp
