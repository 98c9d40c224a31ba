"""A TLS server in threads of the tests that is fully controlled by a test, even in ways that no real server should
behave."""

import hashlib
import json
import socket
import ssl
import struct
import threading

import pytest

PIECE = 65536


class Visit:
    """One connection, seen from the server."""

    def __init__(self, plain, tls, number):
        self.number = number  # 0: the first connection
        self.plain, self.tls = plain, tls
        self.body_bytes = 0
        self._ahead = b""

    def head(self):
        """The (method, target, fields) of the next request; None: the connection has ended."""
        while b"\r\n\r\n" not in self._ahead:
            data = self.tls.recv(PIECE)
            if not data:
                return None
            self._ahead += data
        head, _, self._ahead = self._ahead.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ")
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        return method, target, fields

    def body(self, most):
        """Reads up to that many bytes of a body; fewer only if the connection ends."""
        parts, left = [], most
        while left > 0:
            data, self._ahead = (self._ahead[:left], self._ahead[left:]) if self._ahead else (self.tls.recv(min(left, PIECE)), b"")
            if not data:
                break
            parts.append(data)
            left -= len(data)
        self.body_bytes += most - left
        return b"".join(parts)

    def chunked(self):
        """Reads a whole chunked body."""
        parts = []
        while True:
            line = b""
            while not line.endswith(b"\r\n"):
                line += self.body(1)
            size = int(line, 16)
            parts.append(self.body(size))
            self.body(2)
            if size == 0:
                return b"".join(parts)

    def answer(self, status, body=b"", *fields):
        lines = (f"HTTP/1.1 {status} Answer", f"Content-Length: {len(body)}", *fields, "", "")
        self.tls.sendall("\r\n".join(lines).encode() + body)

    def interim(self):
        self.tls.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")

    def ask(self):
        """Requests a certificate over TLS 1.3 (RFC 8446 4.6.2)."""
        self.tls.verify_client_post_handshake()
        self.tls.do_handshake()  # sends the request

    def reset(self):
        self.tls.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.tls.close()


class Scripted:
    """Calls serve(visit) for each connection in its own thread; the connection ends when it returns. `log` has
    (connection, method) of every request whose head was read with take()."""

    def __init__(self, pki, serve, buffer=None):
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(str(pki / "server.pem"), str(pki / "server.key"))
        self._context.load_verify_locations(str(pki / "ca.pem"))
        self._context.verify_mode = ssl.CERT_OPTIONAL
        self._context.post_handshake_auth = True  # so that the handshake requests no certificate
        self._context.minimum_version = ssl.TLSVersion.TLSv1_3
        self._serve, self._server = serve, socket.socket()
        if buffer:
            self._server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self._server.bind(("127.0.0.1", 0))
        self._server.listen(16)
        self.port = self._server.getsockname()[1]
        self.log, self.visits, self.over = [], [], threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self, path):
        return f"https://localhost:{self.port}{path}"

    def take(self, visit):
        head = visit.head()
        if head is not None:
            self.log.append((visit.number, head[0]))
        return head

    def _accept(self):
        while True:
            try:
                plain, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._one, args=(plain, len(self.visits)), daemon=True).start()
            self.visits.append(plain)

    def _one(self, plain, number):
        try:
            tls = self._context.wrap_socket(plain, server_side=True)
            self._serve(Visit(plain, tls, number), self)
            tls.close()
        except OSError:
            pass
        finally:
            plain.close()

    def close(self):
        """Stops listening, and releases the threads that wait for `over`."""
        self.over.set()
        self._server.close()


def whole(visit, server, fields):
    """Reads the body, and answers as the other test servers do."""
    data = visit.chunked() if "transfer-encoding" in fields else visit.body(int(fields["content-length"]))
    report = {"body_bytes": len(data), "body_sha256": hashlib.sha256(data).hexdigest()}
    visit.answer(200, json.dumps(report).encode())


def after_head(serve):
    """Answers HEAD, then calls serve(visit, fields, server) for the upload."""

    def visit_one(visit, server):
        while (head := server.take(visit)) is not None:
            if head[0] == "HEAD":
                visit.answer(200)
            else:
                serve(visit, head[2], server)
                return

    return visit_one


@pytest.fixture
def scripted(pki):
    """scripted(serve): a Scripted that is closed after the test."""
    running = []

    def start(serve, **settings):
        running.append(Scripted(pki, serve, **settings))
        return running[-1]

    yield start
    for one in running:
        one.close()


class Taker:
    """Answers every request with 201, and records (method, target, fields, body)."""

    def __init__(self, pki, *fields):
        self.requests, self.names, self._fields = [], set(), fields  # names: of SNI
        self.server = Scripted(pki, self._serve)
        self.server._context.sni_callback = lambda _tls, sni, _context: self.names.add(sni)
        self.port = self.server.port

    def _serve(self, visit, server):
        while (head := server.take(visit)) is not None:
            method, target, fields = head
            body = visit.chunked() if "transfer-encoding" in fields else visit.body(int(fields.get("content-length", 0)))
            self.requests.append((method, target, fields, body))
            visit.answer(201, b"" if method == "HEAD" else b"made", *self._fields)

    def upload(self):
        return self.requests[-1]
