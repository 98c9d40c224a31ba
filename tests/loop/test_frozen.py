"""`thaw demo --frozen-server` as a process: its output, how it ends, and how many clients it serves at once."""

import queue
import signal
import socket
import subprocess
import threading
import time

import pytest
from harness.gateway import binary
from harness.process import kill_group, popen
from harness.rawtls import Raw
from messages import LISTENING, at_level

LIMIT = 30
VISITS_MAX = 64


class FrozenServer:
    def __init__(self, pki, folder, *arguments):
        argv = [str(binary()), "demo", "--frozen-server", "--listen", "127.0.0.1:0", "--pki", str(pki), *arguments]
        self.pki = pki
        self.messages = []
        self.process = popen(argv, cwd=folder, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        ports = queue.Queue()
        self._reader = threading.Thread(target=self._read, args=(ports,), daemon=True)
        self._reader.start()
        try:
            self.port = ports.get(timeout=LIMIT)
        except queue.Empty:
            self.stop()
            raise AssertionError(f"it did not start: {self.messages}") from None

    def _read(self, ports):
        for line in self.process.stderr:
            self.messages.append(line.decode().rstrip())
            if found := LISTENING.fullmatch(self.messages[-1]):
                ports.put(int(found["port"]))

    def visits(self):
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children", encoding="ascii") as children:
            return len(children.read().split())

    def wait_visits(self, count):
        end = time.monotonic() + LIMIT
        while self.visits() != count:
            assert time.monotonic() < end, f"{self.visits()} processes, never {count}"
            time.sleep(0.02)

    def stop(self):
        kill_group(self.process)
        self._reader.join(timeout=LIMIT)


@pytest.fixture
def frozen(pki, tmp_path):
    running = []

    def start(*arguments):
        running.append(FrozenServer(pki, tmp_path, *arguments))
        return running[-1]

    yield start
    for server in running:
        server.stop()
        assert not at_level(server, "error") and not [m for m in server.messages if "Sanitizer" in m], server.messages


@pytest.mark.parametrize("number", (signal.SIGTERM, signal.SIGINT))
def test_serves_until_it_is_interrupted(number, frozen):
    server = frozen()
    with Raw(server) as client:
        assert client.ask("PUT", "/late", b"x" * 1000).json()["body_bytes"] == 1000
    server.process.send_signal(number)
    assert server.process.wait(timeout=LIMIT) == 0


@pytest.mark.parametrize("number", (signal.SIGTERM, signal.SIGKILL))
def test_a_frozen_connection_ends_with_it(number, frozen):
    server = frozen("--read-ahead", "0")
    with Raw(server) as client:
        client.send_request("PUT", "/late", b"x" * 1000)
        server.process.send_signal(number)
        assert client.ended()


def test_a_frozen_connection_ends_when_its_client_goes(frozen):
    """The connection is closed completely, long before the server would give up."""
    server = frozen("--read-ahead", "0", "--give-up", "3600")
    with Raw(server) as client:
        client.send_request("PUT", "/late", b"x" * 1000)
        server.wait_visits(1)
    server.wait_visits(0)


def test_no_more_at_once_than_told(frozen):
    server = frozen()
    sockets = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(VISITS_MAX + 6)]
    server.wait_visits(VISITS_MAX)
    assert server.visits() == VISITS_MAX
    for each in sockets:
        each.close()
    with Raw(server) as client:
        assert client.ask("GET", "/").status == 200
    server.wait_visits(0)


def test_a_malformed_request(frozen):
    with Raw(frozen()) as client:
        client.send(b"GET / HTTP/1.1\r\n\r\n")
        assert client.read().status == 400
        assert client.ended()
