"""Services behind fastcgi_pass, scgi_pass and uwsgi_pass that answer with what came to them, as JSON."""

import hashlib
import json
import socketserver
import struct
import threading


def _answer(parameters, body):
    report = {"parameters": parameters, "body_bytes": len(body), "body_sha256": hashlib.sha256(body).hexdigest()}
    return b"Status: 200 OK\r\nContent-Type: application/json\r\n\r\n" + json.dumps(report).encode()


class _Handler(socketserver.StreamRequestHandler):
    def take(self, size):
        data = self.rfile.read(size)
        if len(data) < size:
            raise ConnectionError("nginx went away")
        return data

    def handle(self):
        try:
            self.serve()
        except (ConnectionError, ValueError):
            pass


class _Scgi(_Handler):
    def serve(self):
        size = b""
        while (byte := self.take(1)) != b":":
            size += byte
        fields = self.take(int(size)).split(b"\0")
        self.take(1)
        parameters = {name.decode(): value.decode() for name, value in zip(fields[::2], fields[1::2])}
        self.wfile.write(_answer(parameters, self.take(int(parameters["CONTENT_LENGTH"] or 0))))


class _Uwsgi(_Handler):
    def serve(self):
        _, size, _ = struct.unpack("<BHB", self.take(4))
        data, words = self.take(size), []
        while data:
            (length,) = struct.unpack("<H", data[:2])
            words.append(data[2 : 2 + length].decode())
            data = data[2 + length :]
        parameters = dict(zip(words[::2], words[1::2]))
        body = self.take(int(parameters["CONTENT_LENGTH"] or 0))
        self.wfile.write(_answer(parameters, body).replace(b"Status:", b"HTTP/1.1", 1))


class _FastCgi(_Handler):
    """One request on a connection."""

    def record(self):
        _, kind, number, size, padding = struct.unpack(">BBHHBx", self.take(8))
        data = self.take(size)
        self.take(padding)
        return kind, number, data

    def send(self, kind, number, data):
        self.wfile.write(struct.pack(">BBHHBx", 1, kind, number, len(data), 0) + data)

    @staticmethod
    def parameters(data):
        found, at = {}, 0
        while at < len(data):
            sizes = []
            for _ in range(2):
                width = 4 if data[at] >= 128 else 1
                sizes.append(int.from_bytes(data[at : at + width], "big") & 0x7FFFFFFF)
                at += width
            name, value = data[at : at + sizes[0]], data[at + sizes[0] : at + sum(sizes)]
            found[name.decode()] = value.decode()
            at += sum(sizes)
        return found

    def serve(self):
        streams, number = {4: b"", 5: b""}, 0
        while True:
            kind, number, data = self.record()
            if kind == 5 and not data:
                break
            if kind in streams:
                streams[kind] += data
        self.send(6, number, _answer(self.parameters(streams[4]), streams[5]))
        self.send(3, number, bytes(8))


class Backend(socketserver.ThreadingTCPServer):
    """Backend("fastcgi" | "scgi" | "uwsgi").port"""

    HANDLERS = {"fastcgi": _FastCgi, "scgi": _Scgi, "uwsgi": _Uwsgi}
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, kind):
        super().__init__(("127.0.0.1", 0), self.HANDLERS[kind])
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def stop(self):
        self.shutdown()
        self.server_close()
