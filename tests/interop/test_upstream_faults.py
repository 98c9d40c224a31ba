"""Failures behind the gateway and in front of it: each has a defined outcome, and does not affect others."""

import contextlib
import os
import signal
import socket
import subprocess
import threading
import time

import pytest

from harness.gateway import MemoryWatch
from harness.plain import front, read_head, reset, scripted  # noqa: F401 - two are fixtures
from harness.rawtls import LIMIT, Raw
from ports import free_port


def others_are_well(gateway):
    with Raw(gateway) as other:
        assert other.ask("GET", "/.well-known/thaw/prime").status == 204


@pytest.mark.parametrize("how", ("close", "reset"))
@pytest.mark.parametrize("path", ("/x", "/late/x"))
def test_upstream_dies_in_the_middle_of_a_body(path, how, front, scripted, payloads):
    def die(connection):
        read_head(connection)
        connection.recv(100000)
        if how == "reset":
            reset(connection)

    gateway = front(scripted(die).port)
    with Raw(gateway) as client:
        client.send_request("PUT", path, payloads["50m"].data())
        response = client.read()
    assert response.status == 502
    assert response.json()["reason"] == "upstream"
    assert gateway.record(path)["note"]
    others_are_well(gateway)


def test_upstream_process_is_killed_in_the_middle_of_a_body(front, upstream, payloads, tmp_path):
    from harness.upstreams import node

    running = node(tmp_path)
    gateway = front(running.port)
    body = payloads["50m"].data()
    with Raw(gateway) as client:
        client.send(client.head("PUT", "/x", f"Content-Length: {len(body)}"), body[: len(body) // 2])
        os.killpg(running.process.pid, signal.SIGKILL)
        client.send(body[len(body) // 2 :])
        assert client.read().status == 502
    running.stop()
    with Raw(gateway) as client:
        response = client.ask("GET", "/x")
        assert response.status == 502 and response.json()["reason"] == "upstream-unreachable"
    others_are_well(gateway)


def test_half_a_response_does_not_look_whole(front, scripted):
    def half(connection):
        read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        reset(connection)

    with Raw(front(scripted(half).port)) as client:
        client.send_request("GET", "/x")
        with pytest.raises((ConnectionError, OSError)):
            client.read()


@pytest.mark.parametrize("answer", (
    b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    b"HTTP/1.1 99 Low\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", b"HTTP/1.1 200 OK\r\nX\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX: " + b"a" * 40000 + b"\r\n\r\n",
))
def test_answers_that_are_not_http(answer, front, scripted):
    def speak(connection):
        read_head(connection)
        connection.sendall(answer)

    gateway = front(scripted(speak).port)
    with Raw(gateway) as client:
        response = client.ask("GET", "/x")
        assert response.status == 502 and response.json()["reason"] == "upstream"
        assert client.ask("GET", "/.well-known/thaw/prime").status == 204  # the connection continues


def test_slow_upstream_does_not_delay_others(front, scripted, payloads):
    """The upstream reads one byte per second: 504 after response_timeout, with bounded memory, and nobody else
    waits."""
    def slow(connection):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        while connection.recv(1):
            time.sleep(1)  # not a wait for a condition: the slowness itself is tested

    gateway = front(scripted(slow).port, keys=", response_timeout: 3s")
    with Raw(gateway) as client, MemoryWatch(gateway) as memory:
        before = memory.peak.own
        client.send_request("PUT", "/x", payloads["50m"].data())
        others_are_well(gateway)
        response = client.read()
    assert response.status == 504 and response.json()["reason"] == "upstream-timeout"
    assert memory.peak.own - before < 16 << 20


def test_upstream_stops_in_the_middle_of_its_response(front, scripted):
    """A byte now and then keeps a response alive, for example a stream of events. Silence ends it, and the partial
    response cannot be taken for a complete one."""
    sent = []

    def trickle(connection):
        read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(35):  # longer than response_timeout in total
            time.sleep(0.1)
            connection.sendall(b"x")
            sent.append("x")
        assert connection.recv(1) == b""

    gateway = front(scripted(trickle).port, keys=", response_timeout: 3s")
    with Raw(gateway) as client:
        client.send_request("GET", "/x")
        with pytest.raises((ConnectionError, OSError)):
            client.read()
    assert "stopped" in gateway.record("/x")["note"] and len(sent) == 35


def test_slow_client_uses_little_memory(front, scripted):
    """The client reads almost nothing of 200 MiB: the gateway keeps one buffer, not the response."""
    size = 200 << 20

    def flood(connection):
        read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        block = b"x" * 65536
        for _ in range(size // len(block)):
            connection.sendall(block)

    gateway = front(scripted(flood).port)
    with Raw(gateway) as client, MemoryWatch(gateway) as memory:
        before = memory.peak.own
        client.send_request("GET", "/x")
        client.wait_bytes()
        for _ in range(3):
            others_are_well(gateway)
            client.tls.recv(1)
    assert memory.peak.own - before < 16 << 20


def test_early_response_in_the_middle_of_an_upload(front, scripted, payloads):
    """413 at once, then the upstream closes. A client that reads only after it has written its whole body must get the
    413."""
    def refuse(connection):
        read_head(connection)
        connection.sendall(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 4\r\nConnection: close\r\n\r\nno!\n")

    with Raw(front(scripted(refuse).port)) as client:
        client.send_request("PUT", "/x", payloads["50m"].data())
        response = client.read()
        assert response.status == 413 and response.body == b"no!\n"


def test_idle_connection_that_the_upstream_closes_is_not_used(front, scripted):
    """The upstream closes after each response without announcing it: each request is answered anyway."""
    def once(connection):
        read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    running = scripted(once)
    with Raw(front(running.port)) as client:
        for _ in range(20):
            assert client.ask("GET", "/x").status == 200
    assert running.connections >= 20


def test_another_server_takes_over(front, scripted):
    """One of two servers refuses connections: no client notices, and the server is marked down for a while."""
    def serve_ok(connection):
        while True:
            read_head(connection)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    gateway = front(free_port(), scripted(serve_ok).port, keys=", max_failures: 2, keepalive: off", workers=1)
    for _ in range(12):
        with Raw(gateway) as client:
            assert client.ask("GET", "/x").status == 200
    assert len(gateway.wait_messages("marked-down")) == 1


def test_nothing_that_was_sent_is_sent_twice(front, scripted):
    """A POST whose connection fails is not repeated, because the server may have processed it."""
    seen = []

    def die(connection):
        seen.append(read_head(connection).split(b" ")[0])
        reset(connection)

    with Raw(front(scripted(die).port)) as client:
        assert client.ask("POST", "/x", b"pay").status == 502
    assert seen == [b"POST"]


def test_informational_responses_and_trailers(front, scripted):
    def speak(connection):
        read_head(connection)
        connection.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
                           b"Trailer: X-Sum\r\n\r\n2;x=y\r\nok\r\n0\r\nX-Sum: 1\r\nContent-Length: 9\r\n\r\n")

    with Raw(front(scripted(speak).port)) as client:
        client.send_request("GET", "/x")
        early = client.read()
        assert (early.status, early.headers["link"]) == (103, "</a>")
        assert client.read().body == b"ok"
        assert client.trailers == {"x-sum": "1"}


@pytest.mark.parametrize("early,status", ((256, 200), (257, 502)))
def test_informational_responses_are_limited(early, status, front, scripted):
    def speak(connection):
        read_head(connection)
        connection.sendall(b"HTTP/1.1 103 Early Hints\r\n\r\n" * early + b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    with Raw(front(scripted(speak).port)) as client:
        client.send_request("GET", "/x")
        assert [client.read().status for _ in range(256)] == [103] * 256
        assert client.read().status == status


def test_expect_is_answered_by_the_upstream_or_by_us(front, scripted):
    """An upstream that refuses an upload by its head does so before any body is sent; if an upstream ignores Expect,
    the client still does not wait."""
    def refuse(connection):
        assert b"Expect: 100-continue" in read_head(connection)
        connection.sendall(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")

    def silent(connection):
        data = read_head(connection)
        while not data.endswith(b"body"):
            data += connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    with Raw(front(scripted(refuse).port)) as client:
        client.send(client.head("PUT", "/x", "Content-Length: 4", "Expect: 100-continue"))
        assert client.read().status == 401
    with Raw(front(scripted(silent).port)) as client:
        client.send(client.head("PUT", "/x", "Content-Length: 4", "Expect: 100-continue"))
        assert client.read().status == 100
        client.send(b"body")
        assert client.read().status == 200


@pytest.mark.parametrize("size", (11, 10240, 61440, 1 << 20))
@pytest.mark.parametrize("tls", ("1.2", "1.3"))
def test_bodies_across_the_ask(tls, size, front, upstream):
    """Sizes at which servers that renegotiate with their own buffers have failed before."""
    body = bytes(i * 7 % 251 for i in range(size))
    with Raw(front(upstream("node").port), tls) as client:
        answer = client.ask("POST", "/late/x", body).json()
    assert answer["body_bytes"] == size


def test_still_denied_on_the_same_connection(front, upstream):
    """A second request on a kept connection is denied like the first one, and nothing reaches the upstream."""
    with Raw(front(upstream("node").port, certificate={"require": "true"}), "1.3", identity=None) as client:
        assert client.ask("GET", "/x").status == 200
        first = client.ask("GET", "/late/x")
        assert first.status == 403 and first.headers["connection"] == "close"


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a file system of 3 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "none", str(folder)], capture_output=True, text=True)
    if mounted.returncode != 0:
        pytest.skip("nothing can be mounted here: " + mounted.stderr.strip())
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_full_spool_disk(front, upstream, small_disk, payloads):
    """The disk is full before its budget is used up: 503 with that reason, the held bytes are given back, and others
    are served."""
    gateway = front(upstream("node").port, spool={"memory": "1MiB", "disk": "1GiB", "directory": str(small_disk),
                                                  "per_client": "100%"})
    with Raw(gateway, "1.2") as client:
        client.send_request("PUT", "/late/x", payloads["50m"].data())
        response = client.read()
    assert response.status == 503 and response.json()["reason"] == "disk-full"
    assert response.headers["retry-after"]
    others_are_well(gateway)
    with Raw(gateway, "1.2") as client:  # there is space again
        assert client.ask("PUT", "/late/y", payloads["1m"].data()[:500000]).json()["body_bytes"] == 500000


@pytest.mark.parametrize("rest", (b"zz\r\n", b"5\r\nhello\r\n0\r\n\r\n", None), ids=("malformed", "well", "cut-off"))
def test_a_body_that_goes_wrong_while_its_response_is_on_its_way(rest, front, scripted):
    """A response that has begun is completed: nothing is written into the middle of it."""
    more = threading.Event()

    def early(connection):
        read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345")
        assert more.wait(LIMIT)
        connection.sendall(b"67890")
        while connection.recv(65536):
            pass

    with Raw(front(scripted(early).port)) as client:
        client.send(client.head("POST", "/x", "Transfer-Encoding: chunked"), b"3\r\nabc\r\n")
        while b"12345" not in client._ahead:
            client._more()
        if rest is None:
            client.tls.setblocking(False)
            with contextlib.suppress(OSError):
                client.tls.unwrap()
            more.set()
            return
        client.send(rest)
        more.set()
        response = client.read()
        assert (response.status, response.body) == (200, b"1234567890")
        assert response.headers["connection"] == "close"
        assert client.ended()
