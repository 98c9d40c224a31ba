"""Runs examples/balancer: HAProxy in TCP mode in front of two Thaws that share a file of ticket keys."""

import os
import pathlib
import secrets
import socket
import subprocess
import time

import pytest

from harness.rawtls import LIMIT, Raw, context
from harness.servers import Server
from ports import free_port

EXAMPLE = pathlib.Path(__file__).resolve().parents[2] / "examples" / "balancer"


class Balanced:
    """What Raw needs of a gateway."""

    def __init__(self, port, pki):
        self.port, self.pki = port, pki


def test_the_example_is_a_configuration_without_variables():
    env = {name: value for name, value in os.environ.items() if name not in ("LISTEN", "THAW_ONE", "THAW_TWO")}
    done = subprocess.run(["haproxy", "-c", "-f", str(EXAMPLE / "haproxy.cfg")], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def keys(tmp_path):
    file = tmp_path / "ticket.keys"
    file.write_text(secrets.token_hex(80) + "\n")
    os.chmod(file, 0o600)
    return file


@pytest.fixture
def pair(serve, upstream, keys):
    def start(**settings):
        made = {"top": {"ticket_keys": keys}, "routes": (("/late", {"when": "request"}),), "workers": 1,
                "proxy_protocol": True, "upstream": "app",
                "upstreams": {"app": f"{{ servers: {upstream('node').servers} }}"}, **settings}
        return serve(**made), serve(**made)

    return start


@pytest.fixture
def balanced(pair, tmp_path):
    running = []

    def start():
        one, two = pair()
        port = free_port()
        folder = tmp_path / "haproxy"
        folder.mkdir()
        running.append(Server(["/usr/sbin/haproxy", "-db", "-f", str(EXAMPLE / "haproxy.cfg")], folder, port,
                                {"LISTEN": f"127.0.0.1:{port}", "THAW_ONE": f"127.0.0.1:{one.port}",
                                 "THAW_TWO": f"127.0.0.1:{two.port}"}))
        return Balanced(port, one.pki), one, two

    yield start
    for each in running:
        each.stop()


def of_both(one, two, want, count):
    """Waits for that many access records of both gateways together, because the balancer may choose either."""
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        found = [r for thaw in (one, two) for r in list(thaw.records) if want(r)]
        if len(found) >= count:
            return found
        time.sleep(0.01)  # until the records are written
    raise AssertionError(f"{len(found)} access records, not {count}")


@pytest.mark.parametrize("tls", ("1.2", "1.3"))
def test_late_uploads_through_the_balancer(tls, balanced, payloads):
    front, one, two = balanced()
    body = payloads["50m"]
    ports = []
    for i in range(4):
        with Raw(front, tls) as client:
            ports.append(client.local_port)
            client.send_request("PUT", f"/late/{i}", body.data())
            answer = client.read().json()
        assert answer["body_sha256"] == body.sha256
        assert answer["fields"]["x-forwarded-for"] == "127.0.0.1"
    records = of_both(one, two, lambda r: "/late/" in (r.get("target") or ""), len(ports))
    assert sorted(r["client"] for r in records) == sorted(f"127.0.0.1:{port}" for port in ports)
    assert all(r["ask"]["verdict"] == "accepted" for r in records)


@pytest.mark.parametrize("tls", ("1.2", "1.3"))
def test_a_session_of_one_is_resumed_by_the_other(tls, balanced):
    front, one, two = balanced()
    ctx = context(front.pki, tls)
    session, resumed = None, []
    for i in range(6):
        with Raw(front, ctx=ctx, session=session) as client:
            assert client.ask("GET", f"/{i}").status == 200
            session = client.tls.session
            resumed.append(client.tls.session_reused)
    assert resumed == [False] + [True] * 5
    of_both(one, two, lambda r: r.get("resumed"), 5)


V1 = b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 443\r\n"
V2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + bytes((192, 0, 2, 7, 192, 0, 2, 1)) + (4711).to_bytes(2) + (443).to_bytes(2)


@pytest.mark.parametrize("preface, client", ((V1, "192.0.2.7:4711"), (V2, "192.0.2.7:4711"),
                                             (b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", "127.0.0.1")), ids=("v1", "v2", "local"))
@pytest.mark.parametrize("piece", (1, 1000))
def test_preface(piece, preface, client, pair):
    gateway, _ = pair()
    with socket.create_connection(("127.0.0.1", gateway.port)) as plain:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(0, len(preface), piece):
            plain.sendall(preface[at : at + piece])
        with context(gateway.pki, "auto").wrap_socket(plain, server_hostname="localhost") as tls:
            tls.sendall(b"GET /who HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            answer = b""
            while data := tls.recv(65536):
                answer += data
    assert answer.startswith(b"HTTP/1.1 200")
    assert gateway.record("/who")["client"].startswith(client)


@pytest.mark.parametrize("bytes_sent", (b"GET / HTTP/1.1\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 64,
                                        b"PROXY TCP4 1.2.3.4\r\n", b""))
def test_without_a_preface_there_is_no_answer(bytes_sent, pair):
    gateway, _ = pair()
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=60) as plain:
        plain.sendall(bytes_sent)
        if not bytes_sent:
            plain.shutdown(socket.SHUT_WR)
        try:
            assert plain.recv(100) == b""
        except ConnectionResetError:
            pass
