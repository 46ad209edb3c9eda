"""Clients made of Proton, for tests: one loop, explicit credit, everything recorded.

A World runs any number of Clients in the test's own thread; it advances only inside wait().
"""

import os
import socket
import time

from proton import Delivery, Endpoint, Handler, Link, Message, SSLDomain, Terminus, symbol
from proton.reactor import Container

import harness

ACCEPTED, REJECTED = Delivery.ACCEPTED, Delivery.REJECTED
RELEASED, MODIFIED = Delivery.RELEASED, Delivery.MODIFIED


class Outcome:
    """What a sender was told about a delivery."""

    def __init__(self, delivery):
        remote = delivery.remote
        self.state = delivery.remote_state
        self.settled = delivery.settled
        self.failed = remote.failed
        self.undeliverable = remote.undeliverable
        self.annotations = remote.annotations
        self.condition = remote.condition.name if remote.condition else None
        self.description = remote.condition.description if remote.condition else None
        self.info = remote.condition.info if remote.condition else None

    def __repr__(self):
        return f"Outcome({self.state}, failed={self.failed}, condition={self.condition})"


class Sender(Handler):
    """A sending link. Outcomes are kept by tag, in the order in which they came."""

    def __init__(self, client, link):
        self.client, self.link = client, link
        self.outcomes = {}
        self.attached = False
        self.detached = None  # (condition, description) once the peer has detached
        self.drains = 0
        self._next_tag = 0

    @property
    def answered(self):
        return self.attached or self.detached is not None

    @property
    def credit(self):
        return self.link.credit

    @property
    def states(self):
        return [outcome.state for outcome in self.outcomes.values()]

    def begin(self):
        """Starts a delivery and returns it; stream() and link.advance() go on with it."""
        self._next_tag += 1
        return self.link.delivery(str(self._next_tag))

    def send(self, body, settled=False, address=None):
        """Sends one message, bytes as they are; returns its tag. Needs credit."""
        assert self.credit > 0, "no credit"
        if not isinstance(body, (bytes, bytearray)):
            body = (body if isinstance(body, Message) else Message(body)).encode()
        if address is not None:
            body = Message(address=address).encode() + body
        delivery = self.begin()
        self.link.stream(bytes(body))
        if settled:
            delivery.settle()
        self.link.advance()
        return str(self._next_tag)

    def send_all(self, bodies, **options):
        """Sends each as soon as there is credit."""
        for body in bodies:
            self.client.world.wait(lambda: self.credit > 0, "credit")
            self.send(body, **options)

    def on_link_remote_open(self, event):
        self.attached = True

    def on_link_flow(self, event):
        if event.link.drain_mode and event.link.credit:
            self.drains += 1
            event.link.drained()

    def on_delivery(self, event):
        delivery = event.delivery
        if delivery.updated and (delivery.settled or delivery.remote_state):
            self.outcomes[delivery.tag] = Outcome(delivery)
            if delivery.settled:
                delivery.settle()

    def on_link_remote_close(self, event):
        self.detached = condition_of(event.link)
        event.link.close()

    on_link_remote_detach = on_link_remote_close


class Received:
    """A delivery at its receiver: bytes as they came."""

    def __init__(self, delivery, data):
        self.delivery, self.data = delivery, data
        self.settled = delivery.settled  # pre-settled by the sender

    @property
    def message(self):
        message = Message()
        message.decode(bytes(self.data))
        return message

    @property
    def body(self):
        return self.message.body

    def settle(self, state=ACCEPTED, **details):
        """`details` are of the disposition: failed, undeliverable, annotations, condition."""
        for name, value in details.items():
            setattr(self.delivery.local, name, value)
        self.delivery.update(state)
        self.delivery.settle()


class Receiver(Handler):
    """A receiving link. Settles what comes with `outcome`, or keeps it unsettled if that is None.
    With a `sink` the bytes go there instead of being kept."""

    def __init__(self, client, link, outcome, sink):
        self.client, self.link = client, link
        self.outcome, self.sink = outcome, sink
        self.received = []
        self.aborted = 0
        self.attached = False
        self.detached = None
        self.reading = True
        self._partial = bytearray()

    @property
    def answered(self):
        return self.attached or self.detached is not None

    @property
    def bodies(self):
        return [received.body for received in self.received]

    def flow(self, credit):
        self.link.flow(credit)

    def on_link_remote_open(self, event):
        self.attached = True

    def on_delivery(self, event):
        if self.reading:
            self.read()

    def read(self):
        """Takes what has arrived; called by the test itself if it has set `reading` to false."""
        while self.link.current is not None:
            delivery = self.link.current
            if delivery.aborted:
                self.aborted += 1
                self._partial = bytearray()
                delivery.settle()
                continue
            while delivery.pending:
                data = self.link.recv(min(delivery.pending, 1 << 20))
                if self.sink is not None:
                    self.sink(data)
                else:
                    self._partial += data
            if delivery.partial or not delivery.readable:
                return
            received = Received(delivery, self._partial)
            self._partial = bytearray()
            self.link.advance()
            self.received.append(received)
            if received.settled:
                delivery.settle()
            elif self.outcome is not None:
                received.settle(self.outcome)

    def on_link_remote_close(self, event):
        self.detached = condition_of(event.link)
        event.link.close()

    on_link_remote_detach = on_link_remote_close


class Client(Handler):
    """One connection."""

    def __init__(self, world):
        self.world = world
        self.connection = None
        self.opened = False
        self.closed = None  # (condition, description) once the peer has closed
        self.error = None  # of the transport
        self.gone = False  # the transport has ended
        self._session = None
        self._names = 0

    @property
    def transport(self):
        return self.connection.transport

    def session(self, incoming_bytes=None):
        session = self.connection.session()
        if incoming_bytes is not None:
            session.incoming_capacity = incoming_bytes
        session.open()
        return session

    def _link(self, kind, session, name):
        if session is None:
            if self._session is None:
                self._session = self.session()
            session = self._session
        self._names += 1
        make = session.sender if kind is Sender else session.receiver
        return make(name or f"{kind.__name__.lower()}-{self._names}-{id(self):x}")

    def sender(self, address, wait=True, session=None, name=None, settled=False,
               capabilities=(), coordinator=False):
        link = self._link(Sender, session, name)
        link.target.address = address
        if coordinator:
            link.target.type = Terminus.COORDINATOR
        for capability in capabilities:
            link.target.capabilities.put_symbol(symbol(capability))
        link.snd_settle_mode = Link.SND_SETTLED if settled else Link.SND_MIXED
        probe = Sender(self, link)
        link.handler = probe
        link.open()
        if wait:
            self.world.wait(lambda: probe.answered, f"attach of a sender to {address}")
        return probe

    def receiver(self, address, credit=100, outcome=ACCEPTED, wait=True, session=None, name=None,
                 dynamic=False, capabilities=(), sink=None):
        link = self._link(Receiver, session, name)
        if dynamic:
            link.source.dynamic = True
        else:
            link.source.address = address
        for capability in capabilities:
            link.source.capabilities.put_symbol(symbol(capability))
        probe = Receiver(self, link, outcome, sink)
        link.handler = probe
        link.open()
        if credit:
            link.flow(credit)
        if wait:
            self.world.wait(lambda: probe.answered, f"attach of a receiver to {address}")
        return probe

    def close(self, wait=True):
        self.connection.close()
        if wait:
            self.world.wait(lambda: self.gone or self.closed is not None, "close")

    def kill(self):
        """Cuts the TCP connection without a word."""
        descriptor = os.dup(self.transport._selectable.fileno())
        with socket.socket(fileno=descriptor) as raw:
            raw.shutdown(socket.SHUT_RDWR)

    def on_connection_remote_open(self, event):
        self.opened = True
        if not event.connection.state & Endpoint.LOCAL_ACTIVE:
            event.connection.open()

    def on_connection_remote_close(self, event):
        self.closed = condition_of(event.connection)
        event.connection.close()

    def on_transport_error(self, event):
        self.error = str(event.transport.condition)

    def on_transport_closed(self, event):
        self.gone = True


class Acceptor(Handler):
    """What listens for connections of the router; every one becomes a Client."""

    def __init__(self, world, port, container_id, ssl_domain):
        self.world, self.container_id = world, container_id
        self.accepted = 0
        self.clients = []
        self._acceptor = world.container.acceptor("127.0.0.1", port, self)
        if ssl_domain is not None:
            self._acceptor.set_ssl_domain(ssl_domain)

    def close(self):
        self._acceptor.close()

    def on_connection_bound(self, event):
        self.accepted += 1

    def on_connection_remote_open(self, event):
        client = Client(self.world)
        client.connection = event.connection
        event.connection.container = self.container_id
        event.connection.handler = client
        self.world.clients.append(client)
        client.on_connection_remote_open(event)
        self.clients.append(client)


class World:
    """The loop that all clients of a test share."""

    def __init__(self):
        self.container = Container()
        self.container.timeout = 0.05  # log lines and processes are looked at that often
        self.container.start()
        self.container.schedule(1e6, Handler())  # keeps the loop alive without connections
        self.clients = []
        self.acceptors = []

    def connect(self, url, wait=True, **options):
        client = Client(self)
        options.setdefault("reconnect", False)
        client.connection = self.container.connect(url, handler=client, **options)
        self.clients.append(client)
        if wait:
            self.wait(lambda: client.opened or client.gone, f"open of {url}")
            if not client.opened:
                raise AssertionError(f"no connection to {url}: {client.error} {client.closed}")
        return client

    def listen(self, port, container_id="broker", ssl_domain=None):
        acceptor = Acceptor(self, port, container_id, ssl_domain)
        self.acceptors.append(acceptor)
        return acceptor

    def wait(self, condition, what, seconds=None):
        """Lets the clients work until `condition()` holds."""
        deadline = time.monotonic() + (harness.PATIENCE if seconds is None else seconds)
        while not condition():
            self.container.process()
            if time.monotonic() > deadline and not condition():
                raise AssertionError(f"waited in vain for: {what}")

    def barrier(self, *clients):
        """Waits until each client has exchanged something new with the router: all that the router
        had sent before has then arrived."""
        for client in clients:
            probe = client.receiver(None, credit=0, dynamic=True)
            probe.link.close()

    def close(self):
        for acceptor in self.acceptors:
            acceptor.close()
        for client in self.clients:
            if client.connection is not None and not client.gone:
                client.connection.close()
        try:
            self.wait(lambda: all(client.gone for client in self.clients), "end of clients", 5)
        except AssertionError:
            pass  # a test that has failed may leave anything behind
        self.container.stop()
        self.container.process()
        self.container.stop_events()


def condition_of(endpoint):
    condition = endpoint.remote_condition
    return (condition.name, condition.description) if condition else ("", "")


def ssl_client(ca=None, certificate=None, key=None, password=None, verify_name=True,
               protocols=None):
    """TLS settings of a client."""
    domain = SSLDomain(SSLDomain.MODE_CLIENT)
    return _configured(domain, ca, certificate, key, password,
                       SSLDomain.VERIFY_PEER_NAME if verify_name else SSLDomain.VERIFY_PEER,
                       protocols)


def ssl_server(certificate, key, ca=None):
    """TLS settings of what listens; clients need a certificate if `ca` is given."""
    domain = SSLDomain(SSLDomain.MODE_SERVER)
    return _configured(domain, ca, certificate, key, None, SSLDomain.VERIFY_PEER, None)


def _configured(domain, ca, certificate, key, password, verify, protocols):
    if certificate is not None:
        domain.set_credentials(certificate, key, password)
    if ca is not None:
        domain.set_trusted_ca_db(ca)
        domain.set_peer_authentication(verify, ca)
    if protocols is not None:
        import cproton  # the Python binding has no method for it

        assert cproton.pn_ssl_domain_set_protocols(domain._domain, protocols) == 0
    return domain
