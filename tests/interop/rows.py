"""The rows of the matrix: what is shown, by which behaviour of the programs, on which listener."""

import dataclasses

SIZES = {"1 MiB": 1 << 20, "100 MiB": 100 << 20}
# Conditions, also as fe2o3-amqp names them.
FORCED = r"amqp:connection:forced|ConnectionError\(ConnectionForced\)"
SILENT = r"amqp:resource-limit-exceeded|AmqpError\(ResourceLimitExceeded\)"
NOT_FOUND = r"(amqp:not-found|AmqpError\(NotFound\))"
# Or the client looks at the router's limit itself, and does not even send.
TOO_LARGE = r"message-size-exceeded|Message size exceeded|MessageSizeExceeded|exceeds max"
LOGIN_FAILED = r"(?i)auth|sasl|password|credential|login|not supported"
BAD_CERTIFICATE = r"(?i)certificate|verify|verification|hostname|altname|PKIX|handshake|SSL"


@dataclasses.dataclass(frozen=True)
class Row:
    """`options` are further arguments of the programs; words in braces are filled in by the stage.
    `says` is a regular expression that what the program prints must have. `act` names what the
    runner does to program and router meanwhile; such a row has a router of its own."""

    name: str
    text: str
    behaviour: str
    listener: str = "plain"
    options: tuple = ()
    address: str = ""
    says: str = ""
    act: str = ""


def plain(name, text, **fields):
    fields.setdefault("behaviour", name)
    return Row(name, text, **fields)


def tls(name, text, listener, behaviour="login", ca="ca", client="", **fields):
    options = ["--ca", f"{{{ca}}}"]
    if client:
        options += ["--cert", f"{{{client}.crt}}", "--key", f"{{{client}.key}}"]
    options += fields.pop("more", ())
    return Row(name, text, behaviour, listener, tuple(options), **fields)


def user(name, text, mechanism, who="ann", password="right", behaviour="login", listener="users",
         **fields):
    more = ("--user", who, "--password-file", f"{{{password}}}", "--mechanism", mechanism)
    if behaviour == "refused":
        listener = "intruders"
        fields.setdefault("says", LOGIN_FAILED)
    return tls(name, text, listener, behaviour, more=more, **fields)


MESSAGES = [
    plain("presettled", "pre-settled: 100 arrive, settled, in order"),
    plain("unsettled", "unsettled: 10,000 accepted, each once, in order"),
    plain("accept", "accepted, seen by the sender"),
    plain("reject", "rejected, with condition and description"),
    plain("release", "released"),
    plain("modify", "modified, with both flags and annotations"),
    plain("request_reply", "request and reply over a dynamic address"),
    plain("anonymous", "anonymous sender (ANONYMOUS-RELAY)"),
    *(plain(f"body_{text.replace(' ', '_').lower()}", f"body of {text}, byte for byte",
            behaviour="body", options=("--size", str(size))) for text, size in SIZES.items()),
    plain("kinds", "every section; bodies of data, value and sequence"),
    plain("drain", "drain"),
    plain("links", "300 links on one connection"),
    plain("multicast", "multicast: three receivers, a copy each", address="multicast/"),
    plain("balanced", "balanced: two receivers share", address="balanced/"),
    plain("unavailable", "links to an unavailable address are detached: amqp:not-found",
          address="unavailable/", says=f"(?s)sender.*{NOT_FOUND}.*receiver.*{NOT_FOUND}"),
    plain("too_large", "message above max_message_size: amqp:link:message-size-exceeded",
          listener="small", options=("--size", "100000"), says=TOO_LARGE),
]

LIFE = [
    plain("heartbeats", "idle for three time-outs: heartbeats keep it open", listener="idle",
          act="leave_alone"),
    plain("silent", "falls silent: closed with amqp:resource-limit-exceeded", behaviour="closed",
          listener="idle", act="silence", says=SILENT),
    plain("stopped", "router stops (SIGTERM): closed with amqp:connection:forced",
          behaviour="closed", act="stop", says=FORCED),
    plain("reconnect", "reconnects by itself to the router that comes back", act="restart"),
]

SECURITY = [
    tls("tls12", "TLS 1.2, host name verified", "tls12"),
    tls("tls13", "TLS 1.3, host name verified", "tls13"),
    tls("wrong_host", "certificate for another host: refused by the client", "wrong-host",
        "refused", says=BAD_CERTIFICATE),
    tls("untrusted", "certificate of an unknown authority: refused by the client", "tls13",
        "refused", ca="stranger-ca", says=BAD_CERTIFICATE),
    tls("bad_client", "client certificate of an unknown authority: refused by the router",
        "mutual", "refused", client="stranger", more=("--mechanism", "EXTERNAL"), says="."),
    plain("sasl_anonymous", "SASL ANONYMOUS", behaviour="login", listener="anonymous",
          options=("--mechanism", "ANONYMOUS")),
    tls("external", "SASL EXTERNAL over mutual TLS", "mutual", client="client",
        more=("--mechanism", "EXTERNAL")),
]

LOGINS = [
    user("plain", "SASL PLAIN over TLS", "PLAIN"),
    user("plain_realm", "SASL PLAIN over TLS, user@realm", "PLAIN", who="ann@interop"),
    user("plain_wrong", "SASL PLAIN, wrong password: refused", "PLAIN", password="wrong",
         behaviour="refused"),
    user("plain_unknown", "SASL PLAIN, unknown user: refused", "PLAIN", who="bob",
         behaviour="refused"),
    plain("plain_plaintext", "SASL PLAIN without TLS: refused", behaviour="refused",
          listener="users-plaintext", says=LOGIN_FAILED, options=(
              "--user", "ann", "--password-file", "{right}", "--mechanism", "PLAIN")),
    user("scram_sha_256", "SASL SCRAM-SHA-256 over TLS", "SCRAM-SHA-256"),
    user("scram_sha_1", "SASL SCRAM-SHA-1 over TLS", "SCRAM-SHA-1"),
    plain("scram_plaintext", "SASL SCRAM-SHA-256 without TLS", behaviour="login",
          listener="users-plaintext", options=(
              "--user", "ann", "--password-file", "{right}", "--mechanism", "SCRAM-SHA-256")),
    user("scram_wrong", "SASL SCRAM-SHA-256, wrong password: refused", "SCRAM-SHA-256",
         password="wrong", behaviour="refused"),
    tls("gssapi", "SASL GSSAPI (Kerberos) over TLS", "tickets", more=("--mechanism", "GSSAPI")),
]

ROWS = [*MESSAGES, *LIFE, *SECURITY, *LOGINS]
