"""Receives OTLP over HTTP and decodes it with the classes of the package `opentelemetry-proto`.

    otlp_decoder.py [CERTIFICATE KEY]

It listens on a free port, and on another one with TLS where it has a certificate; both ports are on the first line of the
output. `GET /received` gives, as JSON, all requests so far, each with every field of its body, those that were not set too.
It ends when its input does. A body that is no request, or has fields that the schema doesn't know, gets 400.

A body in JSON is read as protobuf's mapping has it, but that ids are in hexadecimal: so OTLP wants it. A name that the schema
doesn't know gets 400 too.

Bytes are in hexadecimal. Floats have 17 digits, which name each of them exactly. Of a `oneof` what is set is there.
"""

import base64
import gzip
import http.server
import json
import os
import ssl
import sys
import threading

import zstandard
from google.protobuf import json_format
from google.protobuf.unknown_fields import UnknownFieldSet
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as traces

KINDS = {
    "/v1/traces": (traces.ExportTraceServiceRequest, traces.ExportTraceServiceResponse),
    "/v1/logs": (logs.ExportLogsServiceRequest, logs.ExportLogsServiceResponse),
    "/v1/metrics": (metrics.ExportMetricsServiceRequest, metrics.ExportMetricsServiceResponse),
}
UNPACK = {
    None: bytes,
    "gzip": gzip.decompress,
    # The size may be unknown before the end.
    "zstd": lambda body: zstandard.ZstdDecompressor().decompressobj().decompress(body),
}

IDS = ("traceId", "spanId", "parentSpanId")

received = []
lock = threading.Lock()


def once(pairs):
    """An object of JSON, with ids as protobuf's mapping has bytes."""
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        raise ValueError(f"twice in {names}")
    of = lambda name, value: base64.b64encode(bytes.fromhex(value)).decode() if name in IDS else value
    return {name: of(name, value) for name, value in pairs}


def parsed(content_type, request, body):
    if content_type == "application/json":
        return json_format.ParseDict(json.loads(body, object_pairs_hook=once), request())
    return request.FromString(body)


def number(x):
    text = f"{x:.16e}"
    if "e" not in text:
        return "NaN" if x != x else text
    digits, power = text.split("e")
    return f"{digits}e{int(power)}"


def one(value):
    if isinstance(value, float):
        return number(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, (bool, int, str)):
        return value
    return shown(value)


def shown(message):
    if len(UnknownFieldSet(message)):
        raise ValueError(f"unknown fields in {message.DESCRIPTOR.full_name}")
    fields = {}
    for field in message.DESCRIPTOR.fields:
        value = getattr(message, field.name)
        if field.is_repeated:
            fields[field.name] = [one(each) for each in value]
        elif not field.has_presence or message.HasField(field.name):
            fields[field.name] = one(value)
        elif field.containing_oneof is None or field.containing_oneof.name.startswith("_"):
            fields[field.name] = None
    return fields


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self):
        packed = self.rfile.read(int(self.headers["content-length"]))
        try:
            encoding = self.headers["content-encoding"]
            body = UNPACK[encoding](packed)
            request, response = KINDS[self.path]
            seen = {
                "path": self.path,
                "encoding": encoding or "",
                "content_type": self.headers["content-type"],
                "user_agent": self.headers["user-agent"],
                "has_tls": isinstance(self.connection, ssl.SSLSocket),
                "forwarded": self.headers.get("x-forwarded-by", ""),
                "bytes": len(body),
                "request": shown(parsed(self.headers["content-type"], request, body)),
            }
        except Exception as error:
            print(repr(error), file=sys.stderr, flush=True)
            return self.answer(400, "text/plain", repr(error).encode())
        with lock:
            received.append(seen)
        self.answer(200, "application/x-protobuf", response().SerializeToString())

    def do_GET(self):
        with lock:
            self.answer(200, "application/json", json.dumps(received).encode())

    def answer(self, status, kind, body):
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def serve(context):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def main():
    contexts = [None]
    if len(sys.argv) > 1:
        contexts.append(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
        contexts[1].load_cert_chain(*sys.argv[1:])
    print(*[serve(context) for context in contexts], flush=True)
    sys.stdin.read()
    os._exit(0)


main()
