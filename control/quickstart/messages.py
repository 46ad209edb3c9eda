"""Sends messages through a router and receives them: messages.py HOST:PORT ADDRESS COUNT

Needs Debian's python3-qpid-proton. Ends with status 1 if a message is lost or not accepted in 20 s.
"""

import sys

from proton import Message
from proton.handlers import MessagingHandler
from proton.reactor import Container


class Messages(MessagingHandler):
    def __init__(self, url, address, count):
        super().__init__()
        self.url, self.address, self.count = url, address, count
        self.sent = self.received = self.confirmed = 0

    def on_start(self, event):
        connection = event.container.connect(self.url, reconnect=False)
        event.container.create_receiver(connection, self.address)
        self.sender = event.container.create_sender(connection, self.address)
        self.deadline = event.container.schedule(20, self)

    def on_sendable(self, event):
        while event.sender.credit and self.sent < self.count:
            self.sent += 1
            event.sender.send(Message(body=f"message {self.sent}"))

    def on_message(self, event):
        self.received += 1
        print(f"received: {event.message.body}")
        self.finish(event)

    def on_accepted(self, event):
        self.confirmed += 1
        self.finish(event)

    def finish(self, event):
        if self.received == self.confirmed == self.count:
            self.deadline.cancel()
            event.connection.close()

    def on_timer_task(self, event):
        print(f"gave up: {self.sent} sent, {self.received} received, {self.confirmed} accepted")
        event.container.stop()

    def on_transport_error(self, event):
        print(f"connection failed: {event.transport.condition}")
        self.deadline.cancel()


def main():
    url, address, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    messages = Messages(url, address, count)
    Container(messages).run()
    print(f"{messages.sent} sent, {messages.received} received, {messages.confirmed} accepted")
    sys.exit(0 if messages.received == messages.confirmed == count else 1)


if __name__ == "__main__":
    main()
