#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/api/filter.h"
#include "google/protobuf/message.h"
#include "router/base/time.h"

namespace trunkline::api {

// What one who watches is told.
struct WatchEvent {
  enum class Kind { kAdded, kModified, kDeleted, kBookmark, kSynced };
  Kind kind = Kind::kAdded;
  std::shared_ptr<const google::protobuf::Message> resource;  // null of a bookmark and of synced
  uint64_t change = 0;       // which one it is; the same number, kind and resource: the same event
  std::string resume_token;  // empty: before Synced nothing can be resumed
};

// Tells those who watch a collection what is there and what changes.
//
// There is one log for all of them, in which every resource stands once, at its last change; so one
// who does not keep up is told the last state of each alone, costs no more memory than another, and
// nobody waits for it. What is deleted stays in the log until `deleted_max` others are, or the last
// of them take `deleted_bytes_max`: who has not heard of it by then is cut off
// (RESOURCE_EXHAUSTED), and whoever wants to go on from before it must begin anew (OUT_OF_RANGE).
// Resources are shared, never copied; per watcher there is one bit for each, whether he knows of
// it.
//
// One who resumes ends with what is there, but of what has changed since it is not always known
// whether he was told of it. He may be told `modified` of one that is new to him, and with a
// filter, or of one that came and went several times, `deleted` of one he does not know.
//
// Time is a parameter. Thread: control.
class WatchHub {
 public:
  struct Options {
    size_t deleted_max = 8192;
    size_t deleted_bytes_max = 16u << 20;  // more than one resource has
    size_t watchers_max = 2000;
  };
  // `epoch` differs from that of every other hub, of processes before this one too. Letters and
  // digits.
  explicit WatchHub(std::string epoch) : WatchHub(std::move(epoch), Options()) {}
  WatchHub(std::string epoch, Options options);
  ~WatchHub();
  WatchHub(const WatchHub&) = delete;
  WatchHub& operator=(const WatchHub&) = delete;

  // --- what is there. A resource that is the very same is no change.
  void Put(const std::string& name, std::shared_ptr<const google::protobuf::Message> resource,
           Time now);
  void Erase(const std::string& name, Time now);

  // --- who watches
  struct Wish {
    Filter filter;
    std::string filter_text;
    std::string resume_token;  // empty: from the beginning
    Duration heartbeat;        // 0: no bookmarks
  };
  // How events leave.
  struct Exits {
    std::function<bool()> writable;                          // whether one may be written now
    std::function<void(const WatchEvent& event)> write;      // REQUIRES: writable()
    std::function<void(const absl::Status& status)> finish;  // the end; the watcher is gone then
  };
  using WatcherId = uint64_t;
  // Nothing is written before Ready. OutOfRange (RESUME_TOKEN_EXPIRED); InvalidArgument: the token
  // is of another filter; ResourceExhausted (TOO_MANY_WATCHERS).
  absl::StatusOr<WatcherId> Watch(Wish wish, Exits exits, Time now);
  // Exits::writable has become true. A watcher that is gone is no error, nor for Leave.
  void Ready(WatcherId id, Time now);
  void Leave(WatcherId id);

  // Writes bookmarks to those who have heard nothing for their heartbeat.
  void Tick(Time now);
  // When Tick has something to do; kNever: nobody waits for a bookmark.
  Time NextDeadline() const;

  size_t watchers() const { return watchers_.size(); }
  size_t resources() const { return entries_.size() - deleted_.size(); }
  size_t deleted() const { return deleted_.size(); }
  size_t deleted_bytes() const { return deleted_bytes_; }

 private:
  // A resource, or what is left of one that was deleted.
  struct Entry {
    std::shared_ptr<const google::protobuf::Message> resource;  // as it is, or was last
    size_t bit = 0;                                             // in Watcher::told
    uint64_t created = 0;  // the change that added it, as far back as is known
    // Where it was deleted and added anew: when. Equal: it was not, or there are tokens from
    // between of some who were not told of the deletion.
    uint64_t gone = 0;
    uint64_t added = 0;
    uint64_t changed = 0;
    bool deleted = false;
  };
  struct Watcher;

  static size_t BytesOf(const Entry& entry);
  void Log(Entry& entry);
  void Forget(uint64_t change);
  void PumpAll(Time now);
  void Pump(const std::shared_ptr<Watcher>& watcher, Time now);
  bool Next(Watcher& watcher, WatchEvent& event);
  bool NextListed(Watcher& watcher, WatchEvent& event);
  bool NextChanged(Watcher& watcher, WatchEvent& event);
  static bool Tell(Watcher& watcher, const Entry& entry, WatchEvent& event);
  std::string Token(const Watcher& watcher) const;
  bool EverybodyHasHeard(uint64_t change) const;
  absl::Status Resume(Watcher& watcher);

  const std::string epoch_;
  const Options options_;
  std::map<std::string, Entry> entries_;     // by name; deleted ones too
  std::map<uint64_t, Entry*> log_;           // by their last change
  std::map<uint64_t, std::string> deleted_;  // by the change that deleted them
  size_t deleted_bytes_ = 0;                 // of all of them
  std::vector<size_t> free_bits_;
  uint64_t last_change_ = 0;
  uint64_t forgotten_ = 0;  // of what was deleted: the last change that is not in the log any more
  std::map<WatcherId, std::shared_ptr<Watcher>> watchers_;
  WatcherId last_watcher_ = 0;
};

}  // namespace trunkline::api
