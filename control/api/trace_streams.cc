#include "control/api/trace_streams.h"

#include <deque>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "control/api/authorize.h"
#include "control/api/edit.h"
#include "control/config/characters.h"
#include "control/config/collection.h"
#include "control/config/error_details.h"
#include "control/config/text.h"
#include "router/base/log.h"
#include "router/base/status.h"

namespace trunkline::api {
namespace {

constexpr LogModule kLogModule = LogModule::kControl;

using config::Concat;

constexpr int64_t kRetryMilliseconds = 1000;
constexpr uint32_t kTapRateDefault = 100;
constexpr uint32_t kTapRateMax = 1'000;
constexpr uint32_t kFrameRateDefault = 1'000;
constexpr uint32_t kFrameRateMax = 10'000;
constexpr uint32_t kBodyBytesMax = 64 * 1024;
constexpr std::string_view kConnectionPrefix = "connections/";

absl::Status WrongField(const std::string& field, const std::string& description) {
  return config::WithViolations(
      config::WithReason(absl::InvalidArgumentError(Concat(field, ": ", description)),
                         "INVALID_FIELD"),
      {{field, description}});
}

absl::Status TooMany(size_t count, std::string_view what, std::string_view reason) {
  absl::Status status =
      absl::ResourceExhaustedError(Concat("there are ", count, " ", what, " already"));
  return config::WithReason(config::WithRetry(std::move(status), kRetryMilliseconds), reason);
}

absl::StatusOr<uint32_t> RateOf(uint32_t given, uint32_t absent, uint32_t max) {
  if (given <= max) return given == 0 ? absent : given;
  return WrongField("per_second", Concat(given, " is not in 1..", max));
}

std::string NameOf(const LinkId& link) {
  return Concat(kConnectionPrefix, link.connection, "/links/", link.link);
}

void SetTime(int64_t milliseconds, google::protobuf::Timestamp& time) {
  time.set_seconds(milliseconds / 1000);
  time.set_nanos(static_cast<int32_t>(milliseconds % 1000) * 1'000'000);
}

using TextMap = google::protobuf::Map<std::string, std::string>;

void Fill(const MessageSample::Fields& fields, TextMap& map) {
  for (const auto& [key, value] : fields) map[config::ToUtf8(key)] = config::ToUtf8(value);
}

void Fill(const MessageSample& sample, v1::TappedMessage& message) {
  message.set_address(config::ToUtf8(sample.address));
  message.set_from(NameOf(sample.from));
  for (const LinkId& link : sample.to) message.add_to(NameOf(link));
  message.set_copies(sample.copies);
  message.set_size(sample.size);
  message.set_complete(sample.complete);
  message.set_settled(sample.settled);
  message.set_message_format(sample.message_format);
  Fill(sample.header, *message.mutable_header());
  Fill(sample.delivery_annotations, *message.mutable_delivery_annotations());
  Fill(sample.message_annotations, *message.mutable_message_annotations());
  Fill(sample.properties, *message.mutable_properties());
  Fill(sample.application_properties, *message.mutable_application_properties());
  message.set_body(sample.body);
  message.set_cut(sample.cut);
}

absl::StatusOr<TapSpec> SpecOf(const Call& call) {
  const auto& request = call.As<v1::TapMessagesRequest>();
  if (request.body_bytes() > 0) {
    Method as_admin = call.method();
    as_admin.role = v1::ACCESS_ROLE_ADMIN;
    TL_RETURN_IF_ERROR(Authorize(call.caller().identity, call.caller().role, as_admin));
  }
  if (request.body_bytes() > kBodyBytesMax) {
    return WrongField("body_bytes", Concat(request.body_bytes(), " is not in 0..", kBodyBytesMax));
  }
  TapSpec spec;
  spec.address = request.address();
  spec.one_in = request.one_in() == 0 ? 1 : request.one_in();
  TL_ASSIGN_OR_RETURN(spec.per_second, RateOf(request.per_second(), kTapRateDefault, kTapRateMax));
  spec.body_bytes = request.body_bytes();
  return spec;
}

absl::StatusOr<FrameTraceSpec> SpecOf(const v1::TraceFramesRequest& request,
                                      const config::Document& document) {
  FrameTraceSpec spec;
  TL_ASSIGN_OR_RETURN(spec.per_second,
                      RateOf(request.per_second(), kFrameRateDefault, kFrameRateMax));
  if (request.connection().empty() == request.owner().empty()) {
    return WrongField("connection", "either this or owner has to be given");
  }
  if (!request.connection().empty()) {
    const std::string& name = request.connection();
    const bool is_name =
        name.starts_with(kConnectionPrefix) &&
        absl::SimpleAtoi(name.substr(kConnectionPrefix.size()), &spec.connection) &&
        spec.connection != 0;
    if (!is_name) return WrongField("connection", "is no \"connections/{n}\"");
    return spec;
  }
  for (const std::string_view kind : {config::kListeners, config::kConnectors}) {
    const std::string prefix = config::ResourceName(kind, "");
    if (!request.owner().starts_with(prefix)) continue;
    spec.owner = request.owner().substr(prefix.size());
    spec.inbound = prefix.starts_with(config::kListeners);
    if (spec.owner.empty()) break;
    const config::Collection& collection = *config::CollectionOfName(prefix);
    if (collection.Find(document, spec.owner) != nullptr) return spec;
    return NotFound(collection, spec.owner, collection.Ids(document));
  }
  return WrongField("owner", "is neither \"listeners/{id}\" nor \"connectors/{id}\"");
}

}  // namespace

// One call: what was taken from the router and is not written yet.
class TraceStreams::Stream {
 public:
  Stream(std::shared_ptr<Call> call, uint64_t number, uint64_t limit)
      : call_(std::move(call)), number_(number), left_(limit == 0 ? UINT64_MAX : limit) {}
  virtual ~Stream() = default;
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  Call& call() const { return *call_; }
  const std::shared_ptr<Call>& shared_call() const { return call_; }
  uint64_t number() const { return number_; }
  // Nothing more is to be told.
  bool IsOver() const { return left_ == 0; }

  virtual bool IsTap() const = 0;
  // Whose end is its end; 0: nobody's.
  virtual uint64_t connection() const { return 0; }
  virtual void OnConnectionGone(uint64_t connection) = 0;
  // An answer without a sample: it has begun.
  virtual void WriteBegun() = 0;
  // The next answer; false: there is none now.
  virtual bool WriteNext(const Hooks& hooks) = 0;

 protected:
  void CountOne() { --left_; }

 private:
  const std::shared_ptr<Call> call_;
  const uint64_t number_;
  uint64_t left_;
};

namespace {

// What both kinds do with what they take.
template <typename Sample>
class Backlog {
 public:
  explicit Backlog(uint32_t per_second) : per_second_(per_second) {}

  // REQUIRES: empty().
  void Add(Samples<Sample>&& taken) {
    dropped_ += taken.dropped - dropped_seen_;
    limited_ += taken.limited - limited_seen_;
    dropped_seen_ = taken.dropped;
    limited_seen_ = taken.limited;
    for (Sample& sample : taken.samples) {
      if (Allows(sample.at)) {
        samples_.push_back(std::move(sample));
      } else {
        ++limited_;
      }
    }
  }
  bool empty() const { return samples_.empty(); }
  Sample Pop() {
    Sample sample = std::move(samples_.front());
    samples_.pop_front();
    return sample;
  }
  // Since they were asked for last.
  uint64_t TakeDropped() { return std::exchange(dropped_, 0); }
  uint64_t TakeLimited() { return std::exchange(limited_, 0); }

 private:
  // Workers keep the limit each for itself; together they may not exceed it either.
  bool Allows(Time at) {
    if (count_ == 0 || at - second_ >= kSecond) {
      second_ = at;
      count_ = 0;
    }
    return ++count_ <= per_second_;
  }

  const uint32_t per_second_;
  std::deque<Sample> samples_;
  uint64_t dropped_ = 0;
  uint64_t limited_ = 0;
  uint64_t dropped_seen_ = 0;
  uint64_t limited_seen_ = 0;
  Time second_;
  uint32_t count_ = 0;
};

// Milliseconds since 1970 of a time on the router's clock.
int64_t WallTime(const TraceStreams::Hooks& hooks, Time at) {
  return hooks.wall_clock() - (hooks.clock() - at).milliseconds();
}

}  // namespace

class TraceStreams::TapStream final : public Stream {
 public:
  TapStream(std::shared_ptr<Call> call, uint64_t number, const TapSpec& spec)
      : Stream(call, number, call->As<v1::TapMessagesRequest>().limit()),
        backlog_(spec.per_second) {}

  bool IsTap() const override { return true; }
  void OnConnectionGone(uint64_t) override {}
  void WriteBegun() override { call().Write(v1::TapMessagesResponse()); }
  bool WriteNext(const Hooks& hooks) override {
    if (backlog_.empty()) backlog_.Add(hooks.take_samples(number()));
    if (backlog_.empty()) return false;
    const MessageSample sample = backlog_.Pop();
    v1::TapMessagesResponse answer;
    SetTime(WallTime(hooks, sample.at), *answer.mutable_sample()->mutable_time());
    Fill(sample, *answer.mutable_sample());
    answer.set_dropped(backlog_.TakeDropped());
    answer.set_limited(backlog_.TakeLimited());
    call().Write(answer);
    CountOne();
    return true;
  }

 private:
  Backlog<MessageSample> backlog_;
};

class TraceStreams::FrameStream final : public Stream {
 public:
  FrameStream(std::shared_ptr<Call> call, uint64_t number, const FrameTraceSpec& spec)
      : Stream(call, number, call->As<v1::TraceFramesRequest>().limit()),
        connection_(spec.connection),
        backlog_(spec.per_second) {}

  bool IsTap() const override { return false; }
  uint64_t connection() const override { return connection_; }
  void OnConnectionGone(uint64_t connection) override { gone_ |= connection == connection_; }
  void WriteBegun() override { call().Write(v1::TraceFramesResponse()); }
  bool WriteNext(const Hooks& hooks) override {
    if (backlog_.empty()) backlog_.Add(hooks.take_frames(number()));
    if (backlog_.empty()) {
      // Its last frames came before it was said to be gone.
      if (gone_) call().Finish(absl::OkStatus());
      return false;
    }
    const trunkline::TracedFrame frame = backlog_.Pop();
    v1::TraceFramesResponse answer;
    SetTime(WallTime(hooks, frame.at), *answer.mutable_frame()->mutable_time());
    answer.mutable_frame()->set_connection(Concat(kConnectionPrefix, frame.connection));
    answer.mutable_frame()->set_outgoing(frame.outgoing);
    answer.mutable_frame()->set_text(config::ToUtf8(frame.text));
    answer.set_dropped(backlog_.TakeDropped());
    answer.set_limited(backlog_.TakeLimited());
    call().Write(answer);
    CountOne();
    return true;
  }

 private:
  const uint64_t connection_;  // 0: any
  Backlog<trunkline::TracedFrame> backlog_;
  bool gone_ = false;
};

TraceStreams::TraceStreams(Hooks hooks) : hooks_(std::move(hooks)) {}
TraceStreams::~TraceStreams() = default;

Handlers TraceStreams::MakeHandlers() {
  Handlers handlers;
  handlers["TraceService/TapMessages"] = [this](const auto& call) { OpenTap(call); };
  handlers["TraceService/TraceFrames"] = [this](const auto& call) { OpenFrames(call); };
  return handlers;
}

void TraceStreams::OpenTap(const std::shared_ptr<Call>& call) {
  const auto spec = SpecOf(*call);
  if (!spec.ok()) return call->Finish(spec.status());
  if (Count(/*taps=*/true) >= kTapsMax) {
    return call->Finish(TooMany(kTapsMax, "taps", "TOO_MANY_TAPS"));
  }
  const auto number = hooks_.open_tap(*spec);
  if (absl::IsInvalidArgument(number.status())) {
    return call->Finish(WrongField("address", std::string(number.status().message())));
  }
  if (!number.ok()) return call->Finish(number.status());
  TL_LOG(info, "messages are looked at", {"identity", call->caller().identity},
         {"address", spec->address}, {"body_bytes", spec->body_bytes});
  Begin(std::make_shared<TapStream>(call, *number, *spec));
}

void TraceStreams::OpenFrames(const std::shared_ptr<Call>& call) {
  const auto spec = SpecOf(call->As<v1::TraceFramesRequest>(), hooks_.document());
  if (!spec.ok()) return call->Finish(spec.status());
  if (Count(/*taps=*/false) >= kFrameTracesMax) {
    return call->Finish(TooMany(kFrameTracesMax, "frame traces", "TOO_MANY_TRACES"));
  }
  const auto number = hooks_.open_frames(*spec);
  if (absl::IsNotFound(number.status())) {
    return call->Finish(
        config::WithReason(number.status(), "CONNECTION_NOT_FOUND",
                           {{"name", Concat(kConnectionPrefix, spec->connection)}}));
  }
  if (!number.ok()) return call->Finish(number.status());
  TL_LOG(info, "frames are looked at", {"identity", call->caller().identity},
         {"connection", spec->connection}, {"owner", spec->owner});
  Begin(std::make_shared<FrameStream>(call, *number, *spec));
}

void TraceStreams::Begin(std::shared_ptr<Stream> stream) {
  // The stream holds the call, the call no more than a weak reference to the stream.
  const std::weak_ptr<Stream> self = stream;
  stream->call().OnWritable([this, self] {
    if (const auto alive = self.lock()) Pump(*alive);
  });
  stream->call().OnGone([this, self] {
    if (const auto alive = self.lock()) Remove(*alive);
  });
  streams_.push_back(stream);
  stream->WriteBegun();
}

void TraceStreams::OnWoken() {
  // Streams go while they are told.
  for (auto next = streams_.begin(); next != streams_.end();) {
    const std::shared_ptr<Stream> stream = *next++;
    Pump(*stream);
  }
}

void TraceStreams::OnConnectionGone(uint64_t connection) {
  for (auto next = streams_.begin(); next != streams_.end();) {
    const std::shared_ptr<Stream> stream = *next++;
    stream->OnConnectionGone(connection);
    Pump(*stream);
  }
}

void TraceStreams::OnEventsLost() {
  std::set<uint64_t> gone;
  for (const auto& stream : streams_) {
    const uint64_t connection = stream->connection();
    if (connection != 0 && !hooks_.is_there(connection)) gone.insert(connection);
  }
  for (const uint64_t connection : gone) OnConnectionGone(connection);
}

// Writes what can be written. The stream may be gone on return.
void TraceStreams::Pump(Stream& stream) {
  const std::shared_ptr<Call> call = stream.shared_call();
  while (call->writable() && !stream.IsOver() && stream.WriteNext(hooks_)) continue;
  if (stream.IsOver() && call->writable()) call->Finish(absl::OkStatus());
  if (call->ended()) Remove(stream);
}

void TraceStreams::Remove(const Stream& stream) {
  for (auto each = streams_.begin(); each != streams_.end(); ++each) {
    if (each->get() != &stream) continue;
    const uint64_t number = stream.number();
    streams_.erase(each);
    return hooks_.stop(number);
  }
}

size_t TraceStreams::Count(bool taps) const {
  size_t count = 0;
  for (const auto& stream : streams_) count += stream->IsTap() == taps ? 1 : 0;
  return count;
}

}  // namespace trunkline::api
