#include "router/net/publisher.h"

#include <algorithm>
#include <utility>

namespace trunkline::net {

Publisher::Publisher(std::shared_ptr<const core::AddressSettings> settings, size_t workers,
                     uint64_t hash_seed)
    : directory_(settings),
      builder_(hash_seed),
      publication_(workers),
      settings_(std::move(settings)) {
  MakeView();
  for (size_t i = 0; i < workers; ++i) {
    publication_.Left(static_cast<core::ShardId>(i), 0, newest()->version);
  }
}

void Publisher::Take(ShardNotices&& notices) {
  const auto take = Overload{[this](const core::ConsumerUp& up) {
                               if (directory_.Up(up)) {
                                 ready_.push_back(up.link);
                               } else {
                                 Refuse(up.link);
                               }
                             },
                             [this](const core::ConsumerDown& down) { directory_.Down(down); },
                             [this](const core::ConsumerSwitched& one) { directory_.Switch(one); },
                             [this](const core::LinkStuck& stuck) { stuck_log_.Take(stuck); }};
  for (const core::Notice& notice : notices.notices) std::visit(take, notice);
}

void Publisher::SetSettings(std::shared_ptr<const core::AddressSettings> settings) {
  settings_ = settings;
  changed_ = true;
  for (const core::OutLinkRef link : directory_.SetSettings(std::move(settings))) Refuse(link);
}

void Publisher::Refuse(core::OutLinkRef link) {
  mailboxes_[link.shard]->Post(
      core::Envelope(core::LinkRefused{link.link,
                                       {.name = std::string(amqp::condition::kNotFound),
                                        .description = "Node not found",
                                        .info = {}}}));
}

void Publisher::SetTls(const std::string& profile, TlsInForce tls) {
  tls_[profile] = std::move(tls);
  changed_ = true;
}

void Publisher::RemoveTls(const std::string& profile) { changed_ |= tls_.erase(profile) > 0; }

void Publisher::SetUsers(const std::string& store, std::shared_ptr<const sasl::Users> users) {
  users_[store] = std::move(users);
  changed_ = true;
}

void Publisher::RemoveUsers(const std::string& store) { changed_ |= users_.erase(store) > 0; }

void Publisher::SetLookers(Lookers lookers) {
  lookers_ = std::move(lookers);
  changed_ = true;
}

bool Publisher::IsTraced(uint64_t connection) const {
  if (lookers_.frames == nullptr) return false;
  return std::any_of(lookers_.frames->begin(), lookers_.frames->end(),
                     [&](const conn::FrameWish& wish) { return wish.connection == connection; });
}

uint64_t Publisher::Publish() {
  changed_ |= builder_.Update(directory_);
  addresses_.Add(static_cast<int64_t>(directory_.addresses()) - addresses_.Get());
  if (std::exchange(changed_, false)) {
    MakeView();
    for (size_t i = 0; i < mailboxes_.size(); ++i) {
      if (const View* unread = mailboxes_[i]->Publish(newest()); unread != nullptr) {
        publication_.Unread(static_cast<core::ShardId>(i), unread->version);
      }
    }
    FreeViews();
  }
  for (const core::OutLinkRef link : ready_) {
    mailboxes_[link.shard]->Post(core::Envelope(core::LinkReady{link.link}));
  }
  ready_.clear();
  return publication_.newest();
}

void Publisher::MakeView() {
  const uint64_t version = publication_.Publish();
  views_[version] = std::make_unique<const View>(View{.version = version,
                                                      .routes = builder_.table(),
                                                      .settings = settings_,
                                                      .tls = tls_,
                                                      .users = users_,
                                                      .lookers = lookers_});
}

void Publisher::Take(const ViewLeft& left) {
  publication_.Left(left.shard, left.left, left.adopted);
  FreeViews();
}

void Publisher::FreeViews() {
  for (const uint64_t version : publication_.TakeFree()) views_.erase(version);
}

}  // namespace trunkline::net
