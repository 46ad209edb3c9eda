// Receives messages: receiver URL ADDRESS COUNT [accept|reject|release]
//
// Prints "ready" once its link is attached, then, after COUNT messages, "received=N presettled=N
// in_order=0|1": in order if the bodies are "0", "1", and so on. Ends with status 1 if the
// connection fails.

#include <cstdlib>
#include <exception>
#include <iostream>
#include <proton/connection.hpp>
#include <proton/container.hpp>
#include <proton/delivery.hpp>
#include <proton/error_condition.hpp>
#include <proton/message.hpp>
#include <proton/messaging_handler.hpp>
#include <proton/receiver.hpp>
#include <proton/receiver_options.hpp>
#include <proton/transport.hpp>
#include <proton/value.hpp>
#include <string>
#include <utility>

namespace {

// One connection with one receiving link. Thread: the container's.
class Receiver : public proton::messaging_handler {
 public:
  Receiver(std::string url, std::string address, int count, std::string outcome)
      : url_(std::move(url)),
        address_(std::move(address)),
        count_(count),
        outcome_(std::move(outcome)) {}

  void on_container_start(proton::container& container) override { container.connect(url_); }

  void on_connection_open(proton::connection& connection) override {
    connection.open_receiver(address_,
                             proton::receiver_options().auto_accept(false).credit_window(100));
  }

  void on_receiver_open(proton::receiver&) override { std::cout << "ready" << std::endl; }

  void on_message(proton::delivery& delivery, proton::message& message) override {
    if (received_ == count_) return;
    in_order_ = in_order_ && proton::get<std::string>(message.body()) == std::to_string(received_);
    ++received_;
    if (delivery.settled()) ++presettled_;
    Settle(delivery);
    if (received_ == count_) delivery.connection().close();
  }

  void on_transport_error(proton::transport& transport) override {
    std::cerr << transport.error().what() << "\n";
    failed_ = true;
  }

  int Report() const {
    std::cout << "received=" << received_ << " presettled=" << presettled_
              << " in_order=" << in_order_ << std::endl;
    return failed_ ? EXIT_FAILURE : EXIT_SUCCESS;
  }

 private:
  void Settle(proton::delivery& delivery) {
    if (outcome_ == "reject") {
      delivery.reject();
    } else if (outcome_ == "release") {
      delivery.release();
    } else {
      delivery.accept();
    }
  }

  const std::string url_;
  const std::string address_;
  const int count_;
  const std::string outcome_;
  int received_ = 0;
  int presettled_ = 0;
  bool in_order_ = true;
  bool failed_ = false;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::cerr << "usage: receiver URL ADDRESS COUNT [accept|reject|release]\n";
    return EXIT_FAILURE;
  }
  try {
    Receiver receiver(argv[1], argv[2], std::atoi(argv[3]), argc > 4 ? argv[4] : "accept");
    proton::container(receiver).run();
    return receiver.Report();
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return EXIT_FAILURE;
  }
}
