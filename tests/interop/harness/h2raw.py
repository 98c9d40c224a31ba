"""An HTTP/2 client over TLS that sends exactly what a test says, even what RFC 9113 forbids. Frames are constructed by
hand."""

import itertools
import socket
import ssl
import struct
import time
from dataclasses import dataclass, field

from . import hpack
from .rawtls import VERSIONS

LIMIT = 30.0  # a watchdog, not a measure of speed
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
NAMES = "DATA HEADERS PRIORITY RST_STREAM SETTINGS PUSH_PROMISE PING GOAWAY WINDOW_UPDATE CONTINUATION".split()
ACK = END_STREAM = 0x1
END_HEADERS, PADDED, PRIORITISED = 0x4, 0x8, 0x20
(NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, SETTINGS_TIMEOUT, STREAM_CLOSED, FRAME_SIZE_ERROR, REFUSED_STREAM,
 CANCEL, COMPRESSION_ERROR, CONNECT_ERROR, ENHANCE_YOUR_CALM, INADEQUATE_SECURITY, HTTP_1_1_REQUIRED) = range(14)  # fmt: skip
HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE = range(1, 7)
ENABLE_CONNECT_PROTOCOL = 8
WINDOW = 65535  # RFC 9113 6.9.2
MOST_WINDOW = 2**31 - 1
PIECE = 16384
MOST_SEEN = 1000


class Silent(AssertionError):
    """The expected frame did not arrive; the connection still exists."""


# Frames --------------------------------------------------------------------------------------------------------------


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _padding(pad, payload):
    return payload if pad is None else bytes([pad]) + payload + bytes(pad)


def data(stream, content=b"", end=True, pad=None):
    flags = (END_STREAM if end else 0) | (0 if pad is None else PADDED)
    return frame(DATA, flags, stream, _padding(pad, content))


def headers(stream, fragment, end=True, done=True, pad=None, priority=None):
    """fragment: octets of a header block, or (name, value) pairs. done: sets END_HEADERS."""
    if not isinstance(fragment, bytes):
        fragment = hpack.block(*fragment)
    flags = (END_STREAM if end else 0) | (END_HEADERS if done else 0)
    flags |= (0 if pad is None else PADDED) | (0 if priority is None else PRIORITISED)
    return frame(HEADERS, flags, stream, _padding(pad, (priority or b"") + fragment))


def continuation(stream, fragment=b"", done=True):
    return frame(CONTINUATION, END_HEADERS if done else 0, stream, fragment)


def dependency(on=0, weight=16, exclusive=False):
    return struct.pack(">IB", on | (1 << 31 if exclusive else 0), weight - 1)


def priority(stream, on=0, weight=16, exclusive=False):
    return frame(PRIORITY, 0, stream, dependency(on, weight, exclusive))


def rst_stream(stream, code=CANCEL):
    return frame(RST_STREAM, 0, stream, struct.pack(">I", code))


def settings(*pairs, stream=0):
    return frame(SETTINGS, 0, stream, b"".join(struct.pack(">HI", *pair) for pair in pairs))


def ping(content=bytes(8), ack=False):
    return frame(PING, ACK if ack else 0, 0, content)


def goaway(last=0, code=NO_ERROR, text=b""):
    return frame(GOAWAY, 0, 0, struct.pack(">II", last, code) + text)


def window_update(stream, increment):
    return frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", increment))


def head(method="GET", path="/", authority="localhost", *fields, scheme="https"):
    """The fields of a request, in the order that clients use."""
    return [(":method", method), (":scheme", scheme), (":path", path), (":authority", authority), *fields]


@dataclass
class Frame:
    kind: int
    flags: int
    stream: int
    payload: bytes
    arrived: int = 0  # the number of frames that arrived before it

    @property
    def code(self):
        """The error code of a RST_STREAM or GOAWAY."""
        return struct.unpack_from(">I", self.payload, 4 if self.kind == GOAWAY else 0)[0]

    @property
    def last(self):
        """The last stream of a GOAWAY."""
        return struct.unpack_from(">I", self.payload)[0] & MOST_WINDOW

    @property
    def ends(self):
        return self.kind in (DATA, HEADERS) and bool(self.flags & END_STREAM)

    @property
    def content(self):
        """The payload without padding and priority."""
        at, end = 0, len(self.payload)
        if self.kind in (DATA, HEADERS) and self.flags & PADDED:
            at, end = 1, end - self.payload[0]
        if self.kind == HEADERS and self.flags & PRIORITISED:
            at += 5
        return self.payload[at:end]

    def __str__(self):
        name = NAMES[self.kind] if self.kind < len(NAMES) else f"type {self.kind}"
        more = f" code {self.code}" if self.kind in (RST_STREAM, GOAWAY) else ""
        return f"{name}(stream {self.stream}, flags {self.flags:#x}, {len(self.payload)} bytes{more})"


@dataclass
class Response:
    status: int = 0
    fields: list = field(default_factory=list)  # (name, value) without the status, in text
    body: bytes = b""
    trailers: list = field(default_factory=list)
    interim: list = field(default_factory=list)  # (status, fields)
    reset: int | None = None  # the error code, if the stream was reset

    def get(self, name):
        return [value for key, value in self.fields if key == name]


# The connection ------------------------------------------------------------------------------------------------------


def context(pki=None, tls="auto", identity=None, alpn=("h2",)):
    """identity: the client uses NAME.pem and NAME.key of the folder. Without a folder the server is not verified."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if pki is None:
        made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    else:
        made.load_verify_locations(str(pki / "ca.pem"))
    if identity is not None:
        made.load_cert_chain(str(pki / f"{identity}.pem"), str(pki / f"{identity}.key"))
    if tls in VERSIONS:
        made.minimum_version = made.maximum_version = VERSIONS[tls]
    made.set_alpn_protocols(list(alpn))
    return made


class H2:
    """One connection. `start` sends the preface and waits for the server's. A `with` block closes it."""

    def __init__(self, port, ctx, *, host="localhost", address="127.0.0.1", source=None, receive_buffer=None):
        plain = socket.socket()
        if receive_buffer:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        plain.settimeout(LIMIT)
        if source:
            plain.bind((source, 0))
        plain.connect((address, port))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.tls = ctx.wrap_socket(plain, server_hostname=host)
        self.protocol = self.tls.selected_alpn_protocol()
        self.authority = f"{host}:{port}"
        self.settings = {}  # of the server
        self.seen, self.goaways = [], []  # the received frames; if there are many, only the first and the last ones
        self.closed = False
        self._ahead, self._kept, self._came = bytearray(), [], 0
        self._credit, self._spent = {0: WINDOW}, {}  # for the connection and each stream: window credit, and bytes sent
        self._decoder, self._streams = hpack.Decoder(), itertools.count(1, 2)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.tls.close()

    def start(self, *own, ready=True):
        """own: the client's settings. ready: waits until the server has sent and acknowledged settings."""
        self.send(PREFACE, settings(*own))
        if ready:
            self.wait(lambda f: f.kind == SETTINGS and f.flags & ACK, keep=True)
        return self

    def send(self, *parts):
        """Sends without reading. False: the server has ended the connection."""
        try:
            self.tls.settimeout(LIMIT)
            self.tls.sendall(b"".join(parts))
            return True
        except TimeoutError as frozen:
            raise Silent("frozen: the server has stopped reading") from frozen
        except OSError:
            return False

    def stream(self):
        """The next client stream identifier."""
        return next(self._streams)

    # Reading

    def _fill(self, end):
        """Reads more octets; False: the connection has ended."""
        left = end - time.monotonic()
        if left <= 0:
            raise Silent(f"nothing more came; before: {', '.join(map(str, self.seen[-8:])) or 'nothing'}")
        self.tls.settimeout(left)
        try:
            more = self.tls.recv(65536)
        except TimeoutError:
            more = None
        except OSError:
            more = b""
        if more is None:
            return self._fill(end)
        self._ahead += more
        self.closed = self.closed or not more
        return bool(more)

    def _read(self, end):
        """The next frame; None: the connection has ended."""
        while len(self._ahead) < 9 or len(self._ahead) < 9 + int.from_bytes(self._ahead[:3], "big"):
            if self.closed or not self._fill(end):
                return None
        size = int.from_bytes(self._ahead[:3], "big")
        kind, flags, stream = struct.unpack_from(">BBI", self._ahead, 3)
        self._came += 1
        got = Frame(kind, flags, stream & MOST_WINDOW, bytes(self._ahead[9 : 9 + size]), self._came)
        del self._ahead[: 9 + size]
        if len(self.seen) >= MOST_SEEN:
            del self.seen[1 : MOST_SEEN // 2]
        self.seen.append(got)
        if kind == GOAWAY:
            self.goaways.append(got)
        if kind == WINDOW_UPDATE:
            self._credit[got.stream] = self._credit.get(got.stream, 0) + int.from_bytes(got.payload, "big")
        return got

    def _react(self, got):
        if got.kind == SETTINGS and not got.flags & ACK:
            self.settings.update(struct.iter_unpack(">HI", got.payload))
            self.send(frame(SETTINGS, ACK, 0))
        elif got.kind == PING and not got.flags & ACK:
            self.send(ping(got.payload, ack=True))

    def next(self, limit=LIMIT):
        """The next frame; kept frames come first. None: the connection has ended. Answers settings and pings."""
        if self._kept:
            return self._kept.pop(0)
        got = self._read(time.monotonic() + limit)
        if got is not None:
            self._react(got)
        return got

    def wait(self, want, limit=LIMIT, keep=False):
        """The first frame for which want(frame) is true; None: the connection ended before. keep: the frames before it
        are kept."""
        end, passed = time.monotonic() + limit, []
        while True:
            got = self.next(max(0.0, end - time.monotonic()))
            if got is None or want(got):
                self._kept = passed + self._kept if keep else self._kept
                return got
            passed.append(got)

    def peek(self, want, limit=LIMIT):
        """Like wait(), but keeps all frames, including the result."""
        got = self.wait(want, limit, keep=True)
        at = next((n for n, kept in enumerate(self._kept) if kept.arrived > got.arrived), len(self._kept)) if got else 0
        self._kept[at:at] = [got] if got else []
        return got

    def ends(self, limit=LIMIT):
        """Reads until the server ends the connection. Returns the codes of all GOAWAYs of the connection."""
        end = time.monotonic() + limit
        while self.next(max(0.0, end - time.monotonic())) is not None:
            pass
        return [f.code for f in self.goaways]

    def skim(self):
        """Reads what is available, and answers nothing. False: the connection has ended."""
        self.tls.settimeout(0)
        try:
            while not self.closed:
                more = self.tls.recv(65536)
                self.closed = not more
                self._ahead += more
        except (ssl.SSLWantReadError, BlockingIOError):
            pass
        except OSError:
            self.closed = True
        while len(self._ahead) >= 9 + int.from_bytes(self._ahead[:3], "big") and len(self._ahead) >= 9:
            self._read(0)
        return not self.closed

    # Requests

    def room(self, stream):
        """How much DATA the server's windows allow on the stream."""
        of_stream = self.settings.get(INITIAL_WINDOW_SIZE, WINDOW) + self._credit.get(stream, 0) - self._spent.get(stream, 0)
        return min(of_stream, self._credit[0] - self._spent.get(0, 0))

    def _await_room(self, stream, want, limit):
        end = time.monotonic() + limit
        while self.room(stream) < want:
            got = self._read(end)
            if got is None or got.kind == RST_STREAM and got.stream == stream:
                self._kept += [] if got is None else [got]
                return False
            self._react(got)
            if got.kind != WINDOW_UPDATE:
                self._kept.append(got)
        return True

    def put(self, stream, content, end=True, pad=None, limit=LIMIT):
        """Sends DATA as the server's windows allow. False: the server ended the stream or the connection too early."""
        more, at = 0 if pad is None else 1 + pad, 0
        while True:
            least = more + (1 if at < len(content) else 0)
            if not self._await_room(stream, least, limit):
                return False
            piece = content[at : at + min(PIECE, self.room(stream)) - more]
            at += len(piece)
            for spent in (0, stream):
                self._spent[spent] = self._spent.get(spent, 0) + len(piece) + more
            if not self.send(data(stream, piece, end and at == len(content), pad)):
                return False
            if at == len(content):
                return True

    def request(self, method="GET", path="/", *fields, body=None, end=True, authority=None):
        """Sends a request; its body as the server's windows allow. Returns the stream's identifier."""
        stream = self.stream()
        self.send(headers(stream, head(method, path, authority or self.authority, *fields), end=end and body is None))
        if body is not None:
            self.put(stream, body, end)
        return stream

    def _block(self, first, end):
        fragment, got = first.content, first
        while not got.flags & END_HEADERS:
            got = self.next(end - time.monotonic())
            assert got is not None and got.kind == CONTINUATION, f"a header block is broken off by {got}"
            fragment += got.payload
        return [(n.decode("latin-1"), v.decode("latin-1")) for n, v in self._decoder.decode(fragment)]

    def responses(self, *streams, limit=LIMIT, refill=True, partial=False):
        """Waits until all of these streams have ended. Returns {stream: Response}. refill: gives back the windows that
        DATA uses. partial: the connection may end before; then `reset` of unfinished responses is CANCEL."""
        end, report, bodies, left = time.monotonic() + limit, {}, {}, set(streams)
        while left:
            got = self.next(end - time.monotonic())
            if got is None and partial:
                report.update({stream: Response(reset=CANCEL) for stream in left})
                break
            if got is None:
                raise ConnectionError(f"the connection ended; before: {', '.join(map(str, self.seen[-8:]))}")
            if got.kind == HEADERS:  # decodes those of other streams, too, because they change the tables
                self._head(report.setdefault(got.stream, Response()), self._block(got, end))
            elif got.kind == DATA:
                bodies.setdefault(got.stream, []).append(got.content)
                self._give_back(got, refill)
            elif got.kind == RST_STREAM:
                report.setdefault(got.stream, Response()).reset = got.code
                left.discard(got.stream)
            if got.ends:
                left.discard(got.stream)
        for stream, pieces in bodies.items():
            report.setdefault(stream, Response()).body = b"".join(pieces)
        return {stream: report.get(stream, Response()) for stream in streams}

    def _give_back(self, got, refill):
        if refill and got.payload:
            self.send(window_update(0, len(got.payload)), *([] if got.ends else [window_update(got.stream, len(got.payload))]))

    @staticmethod
    def _head(response, fields):
        if response.status:
            response.trailers = fields
            return
        name, status = fields.pop(0)
        assert name == ":status", f"a response that begins with {name}"
        if status.startswith("1"):
            response.interim.append((int(status), fields))
        else:
            response.status, response.fields = int(status), fields

    def response(self, stream, **how):
        return self.responses(stream, **how)[stream]

    def ask(self, *request, **settings):
        """Sends a whole request, and returns its response."""
        return self.response(self.request(*request, **settings))
