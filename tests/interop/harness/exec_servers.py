"""Small replacements for dockerd and a Kubernetes API server, with just what `docker exec` and `kubectl exec` need."""

import base64
import hashlib
import http.server
import json
import socketserver
import struct
import threading

OUTPUT = b"exec output\n"
GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Base(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def address_string(self):
        return "peer"

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def answer(self, status, value=None):
        data = b"" if value is None else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Api-Version", "1.43")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def switch(self, protocol, *fields):
        self.send_response(101)
        for name, value in (("Connection", "Upgrade"), ("Upgrade", protocol), *fields):
            self.send_header(name, value)
        self.end_headers()
        self.close_connection = True


class Docker(Base):
    """Returns the first bytes of standard input in upper case; then the program ends with exit code 0."""

    def do_HEAD(self):
        self.answer(200)

    def do_GET(self):
        self.body()
        if self.path.endswith("/_ping"):
            self.answer(200)
        elif "/exec/" in self.path:
            self.answer(200, {"ID": "e1", "Running": False, "ExitCode": 0})
        else:
            self.answer(200, {"Id": "c1", "Name": "/web", "State": {"Running": True}, "Config": {"Tty": False}})

    def do_POST(self):
        asked = self.body()
        self.server.seen.append((self.path, dict(self.headers), asked))
        if not self.path.endswith("/start"):
            self.answer(201, {"Id": "e1"})
            return
        self.switch("tcp", ("Content-Type", "application/vnd.docker.multiplexed-stream"))
        self.print(OUTPUT)
        self.print(self.rfile.read1(65536).upper())

    def print(self, data):
        self.wfile.write(struct.pack(">BxxxI", 1, len(data)) + data)  # 1: standard output


KUBERNETES = {
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": []},
    "/api/v1": {"kind": "APIResourceList", "groupVersion": "v1", "resources": [
        {"name": "pods", "singularName": "pod", "namespaced": True, "kind": "Pod", "verbs": ["get"]}]},
    "/api/v1/namespaces/default/pods/web": {
        "kind": "Pod", "apiVersion": "v1", "metadata": {"name": "web", "namespace": "default"},
        "spec": {"containers": [{"name": "web"}]}, "status": {"phase": "Running"}},
}  # fmt: skip


class Kubernetes(Base):
    """The WebSocket of `kubectl exec`, protocol v5.channel.k8s.io: a line of output, and success."""

    def do_GET(self):
        self.server.seen.append((self.path, dict(self.headers), b""))
        if self.headers.get("Upgrade", "").lower() != "websocket":
            value = KUBERNETES.get(self.path.partition("?")[0])
            self.answer(200 if value else 404, value or {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404})
            return
        accept = hashlib.sha1((self.headers["Sec-WebSocket-Key"] + GUID).encode()).digest()
        self.switch("websocket", ("Sec-WebSocket-Accept", base64.b64encode(accept).decode()),
                    ("Sec-WebSocket-Protocol", "v5.channel.k8s.io"))
        for channel, data in ((1, OUTPUT), (3, b'{"metadata":{},"status":"Success"}')):
            self.wfile.write(bytes((0x82, len(data) + 1, channel)) + data)  # a binary message
        self.wfile.write(b"\x88\x02\x03\xe8")  # a close frame with code 1000
        self.rfile.read1(65536)  # until the client has replied


class _Tcp(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True


class _Unix(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


class Running:
    def __init__(self, handler, path=None, context=None):
        self._server = _Unix(str(path), handler) if path else _Tcp(("127.0.0.1", 0), handler)
        if context:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.seen = self._server.seen = []
        self.port = None if path else self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()
