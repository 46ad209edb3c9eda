// Proton C++ for the interop matrix: client BEHAVIOUR --url URL …
//
// What each behaviour does is told in tests/interop/README.md. The exit status says whether all was
// as it must; why not is on standard error.

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <proton/annotation_key.hpp>
#include <proton/binary.hpp>
#include <proton/codec/vector.hpp>
#include <proton/duration.hpp>
#include <proton/message_id.hpp>
#include <proton/reconnect_options.hpp>
#include <proton/source.hpp>
#include <proton/source_options.hpp>
#include <set>
#include <string>

#include "peer.h"

namespace interop {
namespace {

// Each program runs one behaviour; this is what all of them need.
class Program {
 public:
  explicit Program(const Options& options)
      : options_(options), address_(options.at("address")), peer_(options) {}
  // Runs the behaviour of that name.
  void Run(const std::string& behaviour);

 private:
  void Login(int count);
  void Refused();
  void Presettled();
  void Outcome(const std::string& kind);
  void RequestReply();
  void Anonymous();
  void Body();
  void Kinds();
  void Drain();
  void Links();
  void Multicast();
  void Balanced();
  void Heartbeats();
  void Closed();
  void Reconnect();
  void Unavailable();
  void TooLarge();

  void Exchange(int count);
  size_t size() const { return std::stoul(options_.at("size")); }

  const Options& options_;
  const std::string address_;
  Peer peer_;
};

std::string Text(const proton::message& message) {
  return proton::get<std::string>(message.body());
}

std::vector<proton::message> Numbers(int count) {
  std::vector<proton::message> messages;
  for (int i = 0; i < count; ++i) messages.emplace_back(std::to_string(i));
  return messages;
}

void CheckNumbers(const std::vector<proton::message>& messages, int count) {
  Check(static_cast<int>(messages.size()) == count, "messages: " + std::to_string(messages.size()));
  for (int i = 0; i < count; ++i) Check(Text(messages[i]) == std::to_string(i), "bodies differ");
}

// The body of large messages: byte i is 7 i + i / 256.
proton::binary Pattern(size_t size) {
  proton::binary body(size);
  for (size_t i = 0; i < size; ++i) body[i] = static_cast<uint8_t>(7 * i + (i >> 8));
  return body;
}

void Ready() { std::cout << "ready" << std::endl; }

void Program::Exchange(int count) {
  Incoming& in = peer_.Receive(address_);
  Outgoing& out = peer_.Send(address_);
  peer_.SendAll(out, Numbers(count));
  peer_.Wait([&] { return out.outcomes.size() == static_cast<size_t>(count); }, "the outcomes");
  CheckNumbers(in.messages, count);
  for (const std::string& outcome : out.outcomes) Check(outcome == "accept", outcome);
}

void Program::Login(int count) {
  peer_.Dial();
  Exchange(count);
}

void Program::Refused() {
  peer_.Dial({}, false);
  Check(!peer_.opened(), "connected");
  std::cout << peer_.closed() << std::endl;
}

void Program::Presettled() {
  peer_.Dial();
  Incoming& in = peer_.Receive(address_);
  auto settled = proton::sender_options().delivery_mode(proton::delivery_mode::AT_MOST_ONCE);
  peer_.SendAll(peer_.Send(address_, settled), Numbers(100));
  peer_.Wait([&] { return in.messages.size() == 100; }, "the messages");
  CheckNumbers(in.messages, 100);
  Check(in.settled == 100, "not settled");
}

void Program::Outcome(const std::string& kind) {
  peer_.Dial();
  peer_.Receive(address_).answer = kind;
  Outgoing& out = peer_.Send(address_);
  peer_.SendAll(out, Numbers(1));
  peer_.Wait([&] { return !out.outcomes.empty(); }, "the outcome");
  Check(out.outcomes[0] == kind, "outcome " + out.outcomes[0]);
}

void Program::RequestReply() {
  Peer server(options_);
  server.Dial();
  peer_.Dial();
  Incoming& requests = server.Receive(address_);
  Outgoing& answers = server.Send("");
  Incoming& replies = peer_.Receive("", proton::receiver_options().credit_window(100).source(
                                            proton::source_options().dynamic(true)));
  std::string reply_to;
  peer_.Do([&] { reply_to = replies.link.source().address(); });
  Check(!reply_to.empty(), "no dynamic address");
  std::vector<proton::message> asks = Numbers(10);
  for (proton::message& ask : asks) {
    ask.reply_to(reply_to);
    ask.correlation_id(Text(ask));
  }
  peer_.SendAll(peer_.Send(address_), asks);
  server.Wait([&] { return requests.messages.size() == 10; }, "the requests");
  std::vector<proton::message> said;
  for (const proton::message& request : requests.messages) {
    proton::message answer("answer " + Text(request));
    answer.to(request.reply_to());
    answer.correlation_id(request.correlation_id());
    said.push_back(answer);
  }
  server.SendAll(answers, said);
  peer_.Wait([&] { return replies.messages.size() == 10; }, "the replies");
  for (int i = 0; i < 10; ++i) {
    const proton::message& reply = replies.messages[i];
    Check(Text(reply) == "answer " + std::to_string(i), "replies differ");
    Check(reply.correlation_id() == proton::message_id(std::to_string(i)), "correlation");
  }
}

void Program::Anonymous() {
  peer_.Dial();
  Check(peer_.offers_relay(), "ANONYMOUS-RELAY is not offered");
  Outgoing& out = peer_.Send("");
  for (int i = 0; i < 2; ++i) {
    const std::string to = address_ + "/" + std::to_string(i);
    Incoming& in = peer_.Receive(to);
    proton::message message(to);
    message.to(to);
    peer_.SendAll(out, {message});
    peer_.Wait([&] { return !in.messages.empty(); }, "the message");
    Check(Text(in.messages[0]) == to, "wrong receiver");
  }
}

void Program::Body() {
  peer_.Dial();
  Incoming& in = peer_.Receive(address_);
  Outgoing& out = peer_.Send(address_);
  const proton::binary wanted = Pattern(size());
  proton::message message(wanted);
  message.inferred(true);
  peer_.SendAll(out, {message});
  peer_.Wait([&] { return !out.outcomes.empty(); }, "the outcome");
  Check(out.outcomes[0] == "accept", "outcome " + out.outcomes[0]);
  Check(proton::get<proton::binary>(in.messages[0].body()) == wanted, "bodies differ");
}

// A message with every section that the library lets one write.
proton::message Whole(const proton::value& body, bool inferred) {
  proton::message message(body);
  message.inferred(inferred);
  message.durable(true);
  message.priority(7);
  message.ttl(proton::duration(60000));
  message.id("an id");
  message.user("me");
  message.subject("all");
  message.reply_to("back");
  message.correlation_id(uint64_t{42});
  message.content_type("x/y");
  message.group_id("g");
  message.group_sequence(3);
  message.message_annotations().put(proton::annotation_key("x-opt-a"), "b");
  message.properties().put("text", "ü");
  message.properties().put("number", 7);
  message.properties().put("yes", true);
  message.properties().put("real", 0.5);
  return message;
}

void Program::Kinds() {
  peer_.Dial();
  Incoming& in = peer_.Receive(address_);
  Outgoing& out = peer_.Send(address_);
  const std::vector<proton::value> list = {1, "two", 2.5};
  const std::vector<proton::message> sent = {
      Whole(proton::binary("\x00\x01\xff", "\x00\x01\xff" + 3), true), Whole(list, false),
      Whole(list, true), Whole(proton::value(), false)};
  peer_.SendAll(out, sent);
  peer_.Wait([&] { return in.messages.size() == sent.size(); }, "the messages");
  for (size_t i = 0; i < sent.size(); ++i) {
    const proton::message &got = in.messages[i], &wanted = sent[i];
    Check(to_string(got) == to_string(wanted), to_string(got) + " for " + to_string(wanted));
    Check(got.body() == wanted.body(), "body");
    Check(got.durable() && got.priority() == 7 && got.ttl() == wanted.ttl(), "header");
    Check(got.id() == wanted.id() && got.user() == "me" && got.subject() == "all", "properties");
    Check(got.correlation_id() == wanted.correlation_id(), "correlation");
    Check(got.inferred() == wanted.inferred(), "kind of body");
  }
}

void Program::Drain() {
  peer_.Dial();
  Incoming& in = peer_.Receive(address_, proton::receiver_options().credit_window(0));
  peer_.Do([&] { in.link.add_credit(10); });
  Outgoing& out = peer_.Send(address_);
  peer_.SendAll(out, Numbers(3));
  peer_.Wait([&] { return in.messages.size() == 3; }, "the messages");
  peer_.Do([&] { in.link.drain(); });
  peer_.Wait([&] { return in.drained; }, "the drain");
  peer_.Do([&] { in.link.add_credit(2); });
  peer_.SendAll(out, Numbers(2));
  peer_.Wait([&] { return in.messages.size() == 5; }, "what came after the drain");
}

void Program::Links() {
  peer_.Dial();
  std::vector<Incoming*> in;
  std::vector<Outgoing*> out;
  for (int i = 0; i < 150; ++i) {
    const std::string address = address_ + "/" + std::to_string(i);
    in.push_back(&peer_.Receive(address, proton::receiver_options().credit_window(10), false));
    out.push_back(&peer_.Send(address, {}, false));
  }
  for (int i = 0; i < 150; ++i) peer_.SendAll(*out[i], {proton::message(std::to_string(i))});
  for (int i = 0; i < 150; ++i) {
    peer_.Wait([&] { return in[i]->messages.size() == 1; }, "every message");
    Check(Text(in[i]->messages[0]) == std::to_string(i), "mixed up");
  }
}

void Program::Multicast() {
  peer_.Dial();
  std::vector<Incoming*> in;
  for (int i = 0; i < 3; ++i) in.push_back(&peer_.Receive(address_));
  Outgoing& out = peer_.Send(address_);
  peer_.SendAll(out, Numbers(10));
  peer_.Wait([&] { return out.outcomes.size() == 10; }, "the outcomes");
  for (Incoming* one : in) CheckNumbers(one->messages, 10);
}

void Program::Balanced() {
  peer_.Dial();
  Incoming& one = peer_.Receive(address_);
  Incoming& other = peer_.Receive(address_);
  peer_.SendAll(peer_.Send(address_), Numbers(100));
  peer_.Wait([&] { return one.messages.size() + other.messages.size() >= 100; }, "every message");
  std::set<std::string> bodies;
  for (const Incoming* in : {&one, &other}) {
    Check(!in->messages.empty(), "one got nothing");
    for (const proton::message& message : in->messages) {
      Check(bodies.insert(Text(message)).second, "twice: " + Text(message));
    }
  }
}

void Program::Heartbeats() {
  peer_.Dial();
  Ready();
  std::string told;
  std::getline(std::cin, told);
  Exchange(1);
}

void Program::Closed() {
  peer_.Dial();
  peer_.Receive(address_);
  Ready();
  peer_.Wait([&] { return peer_.closed().find("amqp:") != std::string::npos; }, "the close");
  std::cout << peer_.closed() << std::endl;
}

void Program::Reconnect() {
  auto soon = proton::reconnect_options().delay(proton::duration(50));
  soon.max_delay(proton::duration(200));
  peer_.Dial(proton::connection_options().reconnect(soon));
  Incoming& in = peer_.Receive(address_);
  Outgoing& out = peer_.Send(address_);
  Ready();
  in.opened = out.opened = false;
  peer_.Wait([&] { return peer_.opens() == 2 && in.opened && out.opened; }, "the links again");
  peer_.SendAll(out, Numbers(1));
  peer_.Wait([&] { return in.messages.size() == 1; }, "the message");
}

void Program::Unavailable() {
  peer_.Dial();
  Outgoing& out = peer_.Send(address_);
  peer_.Wait([&] { return !out.error.empty(); }, "the refusal");
  std::cout << "sender " << out.error << std::endl;
  Incoming& in = peer_.Receive(address_);
  peer_.Wait([&] { return !in.error.empty(); }, "the refusal");
  std::cout << "receiver " << in.error << std::endl;
}

void Program::TooLarge() {
  peer_.Dial();
  peer_.Receive(address_);
  Outgoing& out = peer_.Send(address_);
  peer_.SendAll(out, {proton::message(Pattern(size()))});
  peer_.Wait([&] { return !peer_.closed().empty(); }, "the refusal");
  std::cout << (out.outcomes.empty() ? "" : out.outcomes[0]) << " " << peer_.closed() << std::endl;
}

void Program::Run(const std::string& behaviour) {
  if (behaviour == "login") return Login(1);
  if (behaviour == "unsettled") return Login(10000);
  if (behaviour == "accept" || behaviour == "reject") return Outcome(behaviour);
  if (behaviour == "release" || behaviour == "modify") return Outcome(behaviour);
  const std::map<std::string, void (Program::*)()> others = {
      {"refused", &Program::Refused},
      {"presettled", &Program::Presettled},
      {"request_reply", &Program::RequestReply},
      {"anonymous", &Program::Anonymous},
      {"body", &Program::Body},
      {"kinds", &Program::Kinds},
      {"drain", &Program::Drain},
      {"links", &Program::Links},
      {"multicast", &Program::Multicast},
      {"balanced", &Program::Balanced},
      {"heartbeats", &Program::Heartbeats},
      {"closed", &Program::Closed},
      {"reconnect", &Program::Reconnect},
      {"unavailable", &Program::Unavailable},
      {"too_large", &Program::TooLarge}};
  auto found = others.find(behaviour);
  Check(found != others.end(), "no behaviour " + behaviour);
  (this->*found->second)();
}

int Main(int argc, char** argv) {
  Options options;
  for (int i = 2; i < argc; ++i) {
    const std::string name = std::string(argv[i]).substr(2);
    if (i + 1 < argc) options[name] = argv[++i];
  }
  try {
    Program(options).Run(argv[1]);
    return EXIT_SUCCESS;
  } catch (const std::exception& error) {
    std::cerr << error.what() << std::endl;
    return EXIT_FAILURE;
  }
}

}  // namespace
}  // namespace interop

int main(int argc, char** argv) { return interop::Main(argc, argv); }
