"""An upstream that reads strictly by RFC 9112 and repairs nothing, and a reader of raw requests that is as strict."""

import re
import socket
import threading

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_LINE = re.compile(rb"(" + _TOKEN + rb") ([!-~]+) HTTP/1\.([0-9])\Z")
_FIELD = re.compile(rb"(" + _TOKEN + rb"):[ \t]*((?:[!-~\x80-\xff](?:[ \t!-~\x80-\xff]*[!-~\x80-\xff])?)?)[ \t]*\Z")
_QUOTED = rb'"(?:[\t !#-\[\]-~\x80-\xff]|\\[\t !-~\x80-\xff])*"'
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})(?:[ \t]*;[ \t]*" + _TOKEN + rb"(?:[ \t]*=[ \t]*(?:" + _TOKEN + rb"|" + _QUOTED + rb"))?)*\Z")


class Malformed(Exception):
    pass


class Incomplete(Exception):
    pass


class Message:
    def __init__(self, method, target, fields, body):
        self.method, self.target, self.fields, self.body = method, target, fields, body

    def get(self, name):
        return [value for key, value in self.fields if key.lower() == name]

    def __repr__(self):
        return f"{self.method.decode('latin-1')} {self.target.decode('latin-1')} ({len(self.body)} bytes)"


def _line(data, at):
    end = data.find(b"\n", at)
    if end < 0:
        raise Incomplete
    if data[end - 1 : end] != b"\r" or end == at:
        raise Malformed("a line that does not end in CRLF")
    return data[at : end - 1], end + 1


def _fields(data, at):
    fields = []
    while True:
        line, at = _line(data, at)
        if not line:
            return fields, at
        found = _FIELD.match(line)
        if not found:
            raise Malformed(f"field {line!r}")
        fields.append((found[1], found[2]))


def _chunks(data, at):
    body = b""
    while True:
        line, at = _line(data, at)
        found = _CHUNK.match(line)
        if not found:
            raise Malformed(f"chunk {line!r}")
        size = int(found[1], 16)
        if size == 0:
            _, at = _fields(data, at)
            return body, at
        if len(data) < at + size + 2:
            if len(data) > at + size and data[at + size : at + size + 1] != b"\r":
                raise Malformed("chunk data without CRLF")
            raise Incomplete
        if data[at + size : at + size + 2] != b"\r\n":
            raise Malformed("chunk data without CRLF")
        body, at = body + data[at : at + size], at + size + 2


def _framing(fields, minor):
    lengths = [v for k, v in fields if k.lower() == b"content-length"]
    codings = [v for k, v in fields if k.lower() == b"transfer-encoding"]
    hosts = [v for k, v in fields if k.lower() == b"host"]
    if len(hosts) > 1 or (minor == 1 and not hosts):
        raise Malformed("Host")
    if len(lengths) > 1 or (lengths and codings) or (lengths and not re.fullmatch(rb"[0-9]{1,18}", lengths[0])):
        raise Malformed("Content-Length")
    if codings and (minor == 0 or [c.lower() for c in codings] != [b"chunked"]):
        raise Malformed("Transfer-Encoding")
    return (int(lengths[0]) if lengths else None), bool(codings)


def read_message(data, at=0):
    """Returns (Message, start of the next one). Raises Malformed or Incomplete."""
    line, at = _line(data, at)
    found = _LINE.match(line)
    if not found or found[3] not in b"01":
        raise Malformed(f"request line {line!r}")
    fields, at = _fields(data, at)
    length, chunked = _framing(fields, int(found[3]))
    body = b""
    if chunked:
        body, at = _chunks(data, at)
    elif length is not None:
        if len(data) < at + length:
            raise Incomplete
        body, at = data[at : at + length], at + length
    return Message(found[1], found[2], fields, body), at


def read_all(data):
    """Reads a client's bytes strictly. Returns (complete messages, 'end', 'incomplete' or 'malformed')."""
    messages, at = [], 0
    while True:
        while data[at : at + 2] == b"\r\n":  # RFC 9112 2.2
            at += 2
        if at == len(data):
            return messages, "end"
        try:
            message, at = read_message(data, at)
        except Incomplete:
            return messages, "incomplete"
        except Malformed:
            return messages, "malformed"
        messages.append(message)


class Recorder:
    """The upstream: answers 200 to each complete request, and records requests and input that it could not read."""

    def __init__(self):
        self._lock = threading.Lock()
        self._seen, self._faults = [], []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        data = b""
        with connection:
            while True:
                try:
                    message, used = read_message(data)
                except Malformed as fault:
                    with self._lock:
                        self._faults.append((str(fault), data))
                    return
                except Incomplete:
                    try:
                        more = connection.recv(65536)
                    except OSError:
                        return
                    if not more:
                        return
                    data += more
                    continue
                data = data[used:]
                with self._lock:
                    self._seen.append(message)
                    if data:
                        self._faults.append(("bytes behind a request", data))
                body = b"" if message.method == b"HEAD" else b"ok"
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + body)

    def take(self):
        """The (messages, faults) since the last call."""
        with self._lock:
            taken = self._seen, self._faults
            self._seen, self._faults = [], []
        return taken

    def close(self):
        self._listener.close()
