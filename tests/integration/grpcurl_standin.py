#!/usr/bin/python3
"""As much of grpcurl as the README uses, where that is not installed:

    grpcurl -plaintext -unix SOCKET list
    grpcurl -plaintext -unix SOCKET describe SYMBOL
    grpcurl -plaintext -unix [-d JSON] SOCKET SERVICE/METHOD
"""

import argparse
import json
import os
import sys

import grpc
from google.protobuf import json_format

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))

from api_client import Api, ApiError, message, pool  # noqa: E402

REFLECTION = ("ServerReflection/ServerReflectionInfo", "grpc.reflection.v1")


def ask(api, **fields):
    [answer] = api.ask(*REFLECTION, [message("grpc.reflection.v1.ServerReflectionRequest",
                                             **fields)])
    return answer


def describe(api, symbol):
    """Whether the API knows it, and what our protos say of it."""
    if not ask(api, fileContainingSymbol=symbol).HasField("file_descriptor_response"):
        sys.exit(f'Failed to resolve symbol "{symbol}": Symbol not found: {symbol}')
    for find, kind in ((pool().FindMessageTypeByName, "message"),
                       (pool().FindMethodByName, "method")):
        try:
            found = find(symbol)
        except KeyError:
            continue
        print(f"{symbol} is a {kind}:", *(each.name for each in getattr(found, "fields", ())))


def call(api, name, fields):
    package, method = name.rsplit(".", 1)
    is_stream = method.split("/")[1].startswith("Watch")
    try:
        for answer in (api.stream(method, package, **fields) if is_stream
                       else [api.call(method, package, **fields)]):
            print(json_format.MessageToJson(answer, preserving_proto_field_name=True,
                                            descriptor_pool=pool()), flush=True)
    except (ApiError, grpc.RpcError) as error:
        told = error if isinstance(error, ApiError) else ApiError(error)
        sys.exit(f"ERROR:\n  Code: {told.code}\n  Message: {told.text}")


def main():
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("-plaintext", action="store_true", required=True)
    parser.add_argument("-unix", action="store_true", required=True)
    parser.add_argument("-d", default="{}", type=json.loads)
    parser.add_argument("socket")
    parser.add_argument("verb")
    parser.add_argument("symbol", nargs="?")
    options = parser.parse_intermixed_args()
    api = Api(f"unix:{options.socket}", patience=600)
    if options.verb == "list":
        services = ask(api, listServices="*").list_services_response.service
        print(*(service.name for service in services), sep="\n")
    elif options.verb == "describe":
        describe(api, options.symbol)
    else:
        call(api, options.verb, options.d)


if __name__ == "__main__":
    main()
