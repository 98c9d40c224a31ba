"""A client on Python's ssl that is fully controlled by a test: it writes without reading, or reads without writing."""

import json
import select
import socket
import ssl
from dataclasses import dataclass

LIMIT = 60.0  # a watchdog against freezes, not a measure of speed
VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


@dataclass
class Response:
    status: int
    headers: dict  # names are lower case
    body: bytes

    def json(self):
        return json.loads(self.body)


def context(pki, tls, pha=True, identity="client"):
    """identity: the client gives NAME.pem and NAME.key of the PKI's folder when it is asked; None: no certificate."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.load_verify_locations(str(pki / "ca.pem"))
    if identity is not None:
        made.load_cert_chain(str(pki / f"{identity}.pem"), str(pki / f"{identity}.key"))
    made.post_handshake_auth = pha
    if tls in VERSIONS:
        made.minimum_version = made.maximum_version = VERSIONS[tls]
    return made


class Raw:
    """One TLS connection. A `with` block closes it."""

    def __init__(self, gateway, tls="auto", *, host="localhost", ctx=None, session=None, source=None, **identity):
        self.ctx = ctx or context(gateway.pki, tls, **identity)
        address = source and (source, 0)
        plain = socket.create_connection(("127.0.0.1", gateway.port), timeout=LIMIT, source_address=address)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.tls = self.ctx.wrap_socket(plain, server_hostname=host, session=session)
        self.host = f"{host}:{gateway.port}"
        self.local_port = self.tls.getsockname()[1]
        self._ahead = bytearray()  # a bytearray, so that a large response is collected in linear time

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.tls.close()

    def head(self, method, target, *fields):
        return "\r\n".join((f"{method} {target} HTTP/1.1", f"Host: {self.host}", *fields, "", "")).encode("latin-1")

    def send(self, *parts):
        """Writes everything, and reads nothing. False: the server ended the connection."""
        try:
            for part in parts:
                self.tls.sendall(part)
            return True
        except TimeoutError as frozen:
            raise AssertionError("frozen: the server has stopped reading") from frozen
        except OSError:
            return False

    def send_request(self, method, target, body=None, *fields):
        if body is None:
            return self.send(self.head(method, target, *fields))
        return self.send(self.head(method, target, f"Content-Length: {len(body)}", *fields), body)

    def wait_bytes(self):
        """Waits until the socket has unread bytes from the server."""
        ready, _, _ = select.select([self.tls.fileno()], [], [], LIMIT)
        assert ready, "frozen: nothing came from the server"

    def _more(self):
        try:
            data = self.tls.recv(65536)
        except TimeoutError as frozen:
            raise AssertionError("frozen: no response") from frozen
        if not data:
            raise ConnectionError("the connection ended before the response did")
        self._ahead += data

    def pending(self):
        """Reads what is there of a response, without waiting; the socket has to be non-blocking. Whether there is
        something."""
        try:
            self._more()
        except (ssl.SSLWantReadError, BlockingIOError):
            pass
        return bool(self._ahead)

    def read(self, head_only=False):
        """Reads the next response, also an interim one. All its fields are in self.fields."""
        while b"\r\n\r\n" not in self._ahead:
            self._more()
        head, _, self._ahead = self._ahead.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        self.fields = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        headers = dict(self.fields)
        status = int(first.split()[1])
        none = head_only or status < 200 or status in (204, 304)
        if not none and headers.get("transfer-encoding") == "chunked":
            return Response(status, headers, self._read_chunks())
        size = 0 if none else int(headers["content-length"])
        while len(self._ahead) < size:
            self._more()
        body, self._ahead = bytes(self._ahead[:size]), self._ahead[size:]
        return Response(status, headers, body)

    def _line(self):
        while b"\r\n" not in self._ahead:
            self._more()
        line, _, self._ahead = self._ahead.partition(b"\r\n")
        return bytes(line)

    def _read_chunks(self):
        """Reads a chunked body; its trailers are in self.trailers."""
        body, self.trailers = b"", {}
        while size := int(self._line(), 16):
            while len(self._ahead) < size + 2:
                self._more()
            body, self._ahead = body + self._ahead[:size], self._ahead[size + 2 :]
        while line := self._line():
            name, _, value = line.decode("latin-1").partition(":")
            self.trailers[name.lower()] = value.strip()
        return body

    def ask(self, method, target, body=None, *fields):
        """Writes a whole request, and reads its response."""
        self.send_request(method, target, body, *fields)
        return self.read(head_only=method == "HEAD")

    def ended(self):
        """Waits for the end of the connection or for more bytes. Returns whether the server has ended it, in any
        way."""
        try:
            return not self._ahead and self.tls.recv(1) == b""
        except TimeoutError as frozen:
            raise AssertionError("frozen: the server neither speaks nor closes") from frozen
        except OSError:
            return True
