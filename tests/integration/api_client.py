"""A client of the gRPC API that knows it by its protos alone, compiled when it is first needed."""

import os
import subprocess
import tempfile

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory

import harness

PROTO = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "proto")
PACKAGE = "trunkline.control.v1"
_pool = None


def pool():
    """Everything that proto/ declares."""
    global _pool
    if _pool is None:
        files = []
        for folder, _, names in os.walk(PROTO):
            files += [os.path.join(folder, name) for name in names if name.endswith(".proto")]
        with tempfile.NamedTemporaryFile() as out:
            subprocess.run(["protoc", f"-I{PROTO}", "--include_imports",
                            f"--descriptor_set_out={out.name}", *files], check=True)
            descriptors = descriptor_pb2.FileDescriptorSet.FromString(out.read())
        _pool = descriptor_pool.DescriptorPool()
        for file in descriptors.file:
            _pool.Add(file)
    return _pool


def message_class(name):
    return message_factory.MessageFactory(pool()).GetPrototype(pool().FindMessageTypeByName(name))


def message(name, /, **fields):
    """A message from its fields as JSON has them."""
    return json_format.ParseDict(fields, message_class(name)(), descriptor_pool=pool())


class ApiError(Exception):
    """A call that failed: its code, and what its details say."""

    def __init__(self, error):
        super().__init__(f"{error.code().name}: {error.details()}")
        self.code = error.code().name
        self.text = error.details()
        self.reason, self.metadata, self.violations = None, {}, []
        self.preconditions, self.retry_seconds = [], None
        for key, value in error.trailing_metadata() or ():
            if key == "grpc-status-details-bin":
                self._read(message_class("google.rpc.Status").FromString(value))

    def _read(self, status):
        assert status.message == self.text, (status.message, self.text)
        for detail in status.details:
            name = detail.type_url.rsplit("/", 1)[-1]
            read = message_class(name).FromString(detail.value)
            if name == "google.rpc.ErrorInfo":
                assert read.domain == PACKAGE, read
                self.reason, self.metadata = read.reason, dict(read.metadata)
            elif name == "google.rpc.BadRequest":
                self.violations = [(v.field, v.description) for v in read.field_violations]
            elif name == "google.rpc.PreconditionFailure":
                self.preconditions = [(v.type, v.subject, v.description) for v in read.violations]
            elif name == "google.rpc.RetryInfo":
                self.retry_seconds = read.retry_delay.seconds + read.retry_delay.nanos / 1e9


class Api:
    """One connection to the API. Methods are named "RouterService/GetVersion", requests are their
    fields as JSON has them."""

    def __init__(self, target, credentials=None, patience=None):
        # Connections are not shared with others of the same target.
        options = [("grpc.use_local_subchannel_pool", 1)]
        self.channel = (grpc.secure_channel(target, credentials, options) if credentials
                        else grpc.insecure_channel(target, options))
        self.patience = patience

    def close(self):
        self.channel.close()

    @staticmethod
    def _method(method, package):
        return pool().FindMethodByName(f"{package}.{method.replace('/', '.')}")

    def _stub(self, method, package):
        found = self._method(method, package)
        rules = descriptor_pb2.MethodDescriptorProto()
        found.CopyToProto(rules)
        kind = {(False, False): self.channel.unary_unary, (False, True): self.channel.unary_stream,
                (True, True): self.channel.stream_stream}
        return kind[rules.client_streaming, rules.server_streaming](
            f"/{package}.{method}",
            request_serializer=lambda request: request.SerializeToString(),
            response_deserializer=message_class(found.output_type.full_name).FromString)

    def _request(self, method, package, fields):
        return message(self._method(method, package).input_type.full_name, **fields)

    def timeout(self):
        return harness.PATIENCE if self.patience is None else self.patience

    def call(self, method, package=PACKAGE, /, **fields):
        """The answer, or ApiError."""
        return self.send(method, self._request(method, package, fields), package)

    def send(self, method, request, package=PACKAGE):
        """As call, with a request that JSON may have no form for."""
        try:
            return self._stub(method, package)(request, timeout=self.timeout())
        except grpc.RpcError as error:
            raise ApiError(error) from None

    def begin(self, method, package=PACKAGE, /, **fields):
        """A call whose answer is waited for by result()."""
        return self._stub(method, package).future(self._request(method, package, fields),
                                                  timeout=self.timeout())

    def stream(self, method, package=PACKAGE, /, **fields):
        """The answers of a stream, as they come; can be cancelled."""
        return self._stub(method, package)(self._request(method, package, fields),
                                           timeout=self.timeout())

    def ask(self, method, package, requests):
        """The answers of a stream of requests."""
        return self._stub(method, package)(iter(requests), timeout=self.timeout())

    def raw(self, path, request=b""):
        """Bytes to any path."""
        try:
            return self.channel.unary_unary(path)(request, timeout=self.timeout())
        except grpc.RpcError as error:
            raise ApiError(error) from None

    def health(self, service=""):
        """SERVING, NOT_SERVING."""
        reply = self.call("Health/Check", "grpc.health.v1", service=service)
        return type(reply).ServingStatus.Name(reply.status)
