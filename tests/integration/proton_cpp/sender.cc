// Sends messages "0", "1" and so on, and says how they ended: sender URL ADDRESS COUNT [presettled]
//
// Prints "accepted=N rejected=N released=N settled=N"; ends with status 1 if the connection fails.
// Pre-settled are all but the last, whose outcome says that all have arrived: the library forgets
// what it has not yet sent when a connection is closed.

#include <cstdlib>
#include <exception>
#include <iostream>
#include <proton/connection.hpp>
#include <proton/container.hpp>
#include <proton/error_condition.hpp>
#include <proton/message.hpp>
#include <proton/messaging_handler.hpp>
#include <proton/sender.hpp>
#include <proton/tracker.hpp>
#include <proton/transport.hpp>
#include <string>
#include <utility>

namespace {

// One connection with one sending link. Thread: the container's.
class Sender : public proton::messaging_handler {
 public:
  Sender(std::string url, std::string address, int count, bool presettled)
      : url_(std::move(url)),
        address_(std::move(address)),
        count_(count),
        presettled_(presettled) {}

  void on_container_start(proton::container& container) override { container.connect(url_); }

  void on_connection_open(proton::connection& connection) override {
    connection.open_sender(address_);
  }

  void on_sendable(proton::sender& sender) override {
    while (sent_ < count_ && sender.credit() > 0) {
      proton::tracker tracker = sender.send(proton::message(std::to_string(sent_)));
      ++sent_;
      if (!presettled_ || sent_ == count_) continue;
      tracker.settle();
      ++settled_;
    }
  }

  void on_tracker_accept(proton::tracker&) override { ++accepted_; }
  void on_tracker_reject(proton::tracker&) override { ++rejected_; }
  void on_tracker_release(proton::tracker&) override { ++released_; }
  void on_tracker_settle(proton::tracker& tracker) override {
    ++settled_;
    CloseWhenDone(tracker.connection());
  }
  void on_transport_error(proton::transport& transport) override {
    std::cerr << transport.error().what() << "\n";
    failed_ = true;
  }

  int Report() const {
    std::cout << "accepted=" << accepted_ << " rejected=" << rejected_ << " released=" << released_
              << " settled=" << settled_ << std::endl;
    return failed_ ? EXIT_FAILURE : EXIT_SUCCESS;
  }

 private:
  void CloseWhenDone(proton::connection connection) {
    if (settled_ == count_) connection.close();
  }

  const std::string url_;
  const std::string address_;
  const int count_;
  const bool presettled_;
  int sent_ = 0;
  int accepted_ = 0;
  int rejected_ = 0;
  int released_ = 0;
  int settled_ = 0;
  bool failed_ = false;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::cerr << "usage: sender URL ADDRESS COUNT [presettled]\n";
    return EXIT_FAILURE;
  }
  try {
    Sender sender(argv[1], argv[2], std::atoi(argv[3]), argc > 4);
    proton::container(sender).run();
    return sender.Report();
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return EXIT_FAILURE;
  }
}
