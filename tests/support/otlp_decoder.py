"""Receives OTLP over HTTP and gRPC and decodes it with the classes of the package `opentelemetry-proto`.

    otlp_decoder.py CERTIFICATE KEY

It listens on four free ports, which are on the first line of the output: HTTP, HTTP with TLS, gRPC, gRPC with TLS.
`GET /received` gives, as JSON, all requests since the last one, each with every field of its body, those that were not set
too. It ends when its input does. A body that is no request, or has fields that the schema doesn't know, is refused.

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
from concurrent import futures

import grpc
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
SERVICES = {
    "/v1/traces": traces.DESCRIPTOR.services_by_name["TraceService"],
    "/v1/logs": logs.DESCRIPTOR.services_by_name["LogsService"],
    "/v1/metrics": metrics.DESCRIPTOR.services_by_name["MetricsService"],
}
UNPACK = {
    None: bytes,
    "gzip": gzip.decompress,
    # The size may be unknown before the end.
    "zstd": lambda body: zstandard.ZstdDecompressor().decompressobj().decompress(body),
}
JSON, PROTOBUF = "application/json", "application/x-protobuf"
IDS = {"trace_id", "span_id", "parent_span_id"}

received = []
lock = threading.Lock()


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


def once(pairs):
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError(f"a name is there twice: {pairs}")
    return fields


def no_json(word):
    raise ValueError(f"{word} is no JSON")


def as_protobuf_has_it(fields, descriptor):
    """Of an object of OTLP, the one that protobuf would have in its place, which differs in ids.

    What the class would read although OTLP does not write it is refused: names as in the schema, 64 bits as a number,
    enumerations by their names.
    """
    known = {field.json_name: field for field in descriptor.fields}

    def translated(value, field):
        if field.message_type:
            return as_protobuf_has_it(value, field.message_type)
        if field.name in IDS:
            return base64.b64encode(bytes.fromhex(value)).decode()
        is_text = field.cpp_type in (field.CPPTYPE_INT64, field.CPPTYPE_UINT64, field.CPPTYPE_STRING)
        # Of a float, NaN and the infinities are text.
        if field.cpp_type != field.CPPTYPE_DOUBLE and is_text != isinstance(value, str):
            raise ValueError(f"{value!r} in {field.full_name}")
        return value

    def each(name, value):
        field = known[name]
        return [translated(one, field) for one in value] if field.is_repeated else translated(value, field)

    return {name: each(name, value) for name, value in fields.items()}


def from_json(request, body):
    fields = json.loads(body.decode(), object_pairs_hook=once, parse_constant=no_json)
    return json_format.ParseDict(as_protobuf_has_it(fields, request.DESCRIPTOR), request())


def keep(path, body, content_type, **seen):
    request, _ = KINDS[path]
    is_json = content_type == JSON
    message = from_json(request, body) if is_json else request.FromString(body)
    seen |= {"path": path, "content_type": content_type, "bytes": len(body), "request": shown(message)}
    with lock:
        received.append(seen)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self):
        packed = self.rfile.read(int(self.headers["content-length"]))
        try:
            encoding, content_type = self.headers["content-encoding"], self.headers["content-type"]
            keep(
                self.path,
                UNPACK[encoding](packed),
                content_type,
                encoding=encoding or "",
                user_agent=self.headers["user-agent"],
                has_tls=isinstance(self.connection, ssl.SSLSocket),
                forwarded=self.headers.get("x-forwarded-by", ""),
            )
        except Exception as error:
            print(repr(error), file=sys.stderr, flush=True)
            return self.answer(400, "text/plain", repr(error).encode())
        response = KINDS[self.path][1]()
        if content_type == JSON:
            return self.answer(200, JSON, json_format.MessageToJson(response).encode())
        self.answer(200, PROTOBUF, response.SerializeToString())

    def do_GET(self):
        with lock:
            self.answer(200, JSON, json.dumps(received).encode())
            received.clear()

    def answer(self, status, kind, body):
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def serve_http(context):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def method(path):
    _, response = KINDS[path]

    def export(message, context):
        headers = dict(context.invocation_metadata())
        try:
            keep(
                path,
                message,
                "application/grpc",
                # It is not told.
                encoding=None,
                user_agent=headers["user-agent"],
                has_tls=context.auth_context()["transport_security_type"] == [b"ssl"],
                forwarded=headers.get("x-forwarded-by", ""),
            )
        except Exception as error:
            print(repr(error), file=sys.stderr, flush=True)
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, repr(error))
        return response()

    handler = grpc.unary_unary_rpc_method_handler(export, None, response.SerializeToString)
    return grpc.method_handlers_generic_handler(SERVICES[path].full_name, {"Export": handler})


def serve_grpc(credentials):
    server = grpc.server(futures.ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers([method(path) for path in KINDS])
    if credentials:
        port = server.add_secure_port("127.0.0.1:0", credentials)
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port


def main():
    certificate, key = sys.argv[1:]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with open(certificate, "rb") as certificate, open(key, "rb") as key:
        credentials = grpc.ssl_server_credentials([(key.read(), certificate.read())])
    # They end with what refers to them.
    plain, grpc_port = serve_grpc(None)
    with_tls, grpcs_port = serve_grpc(credentials)
    print(serve_http(None), serve_http(context), grpc_port, grpcs_port, flush=True)
    sys.stdin.read()
    os._exit(0)


main()
