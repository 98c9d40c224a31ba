"""A small client, and what the system knows about the gateway's processes."""

import json
import os
import pathlib
import re
import socket
import ssl
import time

LIMIT = 60.0  # after which a wait has failed


def wait(what, condition, limit=LIMIT):
    """Waits until condition() is true, and returns its value."""
    end = time.monotonic() + limit
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"waited {limit:.0f} s for {what}"
        time.sleep(0.01)


class TcpRow:
    """A line of /proc/net/tcp."""

    def __init__(self, line):
        field = line.split()
        self.ends = tuple(end.rpartition(":")[2] for end in field[1:3])  # ports, in hexadecimal
        self.state, self.inode = field[3], int(field[9])
        self.unsent, self.unread = field[4].split(":")


ESTABLISHED, LISTENS = "01", "0A"


def tcp_rows():
    """All TCP sockets of the system. /proc/net/tcp may omit one while others come and go: read again if one is
    missing."""
    return [TcpRow(line) for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]]


class Client:
    """One TLS connection to the gateway. It gives its certificate when it is asked."""

    def __init__(self, gateway, port=None, family=socket.AF_INET, address=None, raw=None, source=None, tls=None):
        """raw: a connected socket. source: the address to connect from. tls: the only TLS version."""
        context = ssl.create_default_context(cafile=str(gateway.pki / "ca.pem"))
        context.load_cert_chain(gateway.pki / "client.pem", gateway.pki / "client.key")
        context.post_handshake_auth = True
        if tls is not None:
            context.minimum_version = context.maximum_version = tls
        if address is None:
            address = ("::1" if family == socket.AF_INET6 else "127.0.0.1", port or gateway.port)
        if raw is None:
            raw = socket.socket(family, socket.SOCK_STREAM)
            raw.settimeout(LIMIT)
            if source is not None:
                raw.bind((source, 0))
            raw.connect(address)
        self.port = raw.getsockname()[1] if family != socket.AF_UNIX else None
        self.server_port = address[1] if family != socket.AF_UNIX else None
        self.socket = context.wrap_socket(raw, server_hostname="localhost")
        self._in = self.socket.makefile("rb")
        self.fields = {}  # of the last response

    def send(self, data):
        self.socket.sendall(data)

    def begin(self, path, length):
        self.send(f"PUT {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n".encode())

    def response(self):
        """(status, body), or None when the connection has ended."""
        try:
            line = self._in.readline()
        except (ConnectionError, ssl.SSLError):
            return None
        if not line:
            return None
        fields = {}
        while (field := self._in.readline().strip()) != b"":
            name, _, value = field.partition(b":")
            fields[name.lower()] = value.strip()
        self.fields = fields
        return int(line.split()[1]), self._in.read(int(fields.get(b"content-length", 0)))

    def get(self, path="/"):
        try:
            self.send(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        except (ConnectionError, ssl.SSLError):
            return None
        return self.response()

    def get_json(self, path="/"):
        status, body = self.get(path)
        assert status == 200, (status, body)
        return json.loads(body)

    def worker(self, gateway):
        """The worker process that has the other end; None: the worker has closed it."""
        ends = f"{self.server_port:04X}", f"{self.port:04X}"

        def look():
            rows = {row.ends: row for row in tcp_rows()}
            here, there = rows.get(ends[::-1]), rows.get(ends)
            over = here is not None and here.state != ESTABLISHED
            return (there.inode, over) if over or (there and there.inode) else None

        inode, over = wait("the connection to be in the system's list", look)
        return None if over else _holder(gateway.workers(), inode)

    def close(self):
        self._in.close()  # otherwise it keeps the socket open
        self.socket.close()


def _holder(pids, inode):
    for pid in pids:
        for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
            try:
                if os.readlink(fd) == f"socket:[{inode}]":
                    return pid
            except OSError:
                continue
    raise AssertionError(f"no worker holds socket {inode}")


def is_running(pid):
    """Whether a process runs: it exists and is not a zombie."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    state = re.match(r"\d+ \(.*\) ([A-Z])", stat)
    return state is not None and state.group(1) not in "ZX"  # no state: the process ended while its file was read


def clients_on_both(gateway):
    """One client for each of two workers: {pid: client}."""
    held = {}
    spare = []

    def more():
        client = Client(gateway)
        pid = client.worker(gateway)
        if pid is None:
            return False
        (spare if pid in held else held.setdefault(pid, client) and []).append(client)
        return len(held) == 2

    wait("both workers to serve", more)
    for client in spare:
        client.close()
    return held
