"""Sizes of heads in both directions: the defaults, and what the settings allow."""

import json
import socket
import threading

import pytest
from harness.process import run
from peer import LIMIT

VERSIONS = ("--http1.1", "--http2")
LARGE = "connections: { max_head: 128KiB, max_head_line: 64KiB, max_head_fields: 256 }\n"


def curl(gateway, pki, path, *arguments, headers=(), version="--http1.1"):
    """(status, fields, body)"""
    config = "".join(f'header = "{h}"\n' for h in headers)
    _, out, err, _ = run(
        ["sh", "-c", 'exec curl "$@" -K - < "$0"', _file(pki, config), "-sS", "-i", "--noproxy", "*", version, "--cacert", str(pki / "ca.pem"),
         *arguments, f"https://localhost:{gateway.port}{path}"], timeout=LIMIT)  # fmt: skip
    head, _, body = out.replace(b"\r\n", b"\n").partition(b"\n\n")
    assert head, err
    first, *lines = head.decode().split("\n")
    return int(first.split()[1]), dict(line.split(": ", 1) for line in lines), body


def _file(pki, text):
    path = pki.parent / "curl.conf"
    path.write_text(text)
    return str(path)


class Origin:
    """Answers each request with `response`, and keeps the heads that it received."""

    def __init__(self, response):
        self.heads = []
        self.response = response
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                conn, _ = self.listener.accept()
            except OSError:
                return
            with conn:
                conn.settimeout(LIMIT)
                got = b""
                while b"\r\n\r\n" not in got and (data := conn.recv(65536)):
                    got += data
                self.heads.append(got)
                conn.sendall(self.response)

    def close(self):
        self.listener.close()


@pytest.fixture
def origin():
    made = []

    def start(response):
        made.append(Origin(response))
        return made[-1]

    yield start
    for each in made:
        each.close()


def upstream(origin, more=""):
    return f"upstreams: {{ app: {{ servers: [ 'http://127.0.0.1:{origin.port}' ]{more} }} }}\n"


ROUTE = "      - { path: /app, upstream: app }\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n%s\r\nok"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_kerberos_ticket_is_refused_by_default(serve, settings, pki, version):
    gateway = serve("-c", settings())
    status, _, body = curl(gateway, pki, "/", headers=["Authorization: Negotiate " + "A" * 9000], version=version)
    assert (status, "max_head_line" in json.loads(body)["detail"]) == (431, True)
    status, _, body = curl(gateway, pki, "/", headers=[f"X-{i}: {'A' * 7000}" for i in range(5)], version=version)
    assert (status, "max_head)" in json.loads(body)["detail"]) == (431, True)
    status, _, body = curl(gateway, pki, "/", headers=[f"X-{i}: A" for i in range(101)], version=version)
    assert (status, "max_head_fields" in json.loads(body)["detail"]) == (431, True)
    status, _, body = curl(gateway, pki, "/?" + "a" * 9000, version=version)
    assert (status, "max_head_line" in json.loads(body)["detail"]) == (414, True)


@pytest.mark.parametrize("version", VERSIONS)
def test_large_heads_reach_the_service(serve, settings, pki, origin, version):
    app = origin(OK % b"")
    gateway = serve("-c", settings(more=LARGE + upstream(app), routes=ROUTE))
    fields = ["Authorization: Negotiate " + "A" * 60000, "Cookie: c=" + "B" * 40000] + [f"X-{i}: {i}" for i in range(150)]
    status, _, body = curl(gateway, pki, "/app?" + "q" * 10000, headers=fields, version=version)
    assert (status, body) == (200, b"ok")
    head = app.heads[0].decode().lower()
    for field in fields:
        assert f"\r\n{field.lower()}\r\n" in head, field[:20]
    assert f"/app?{'q' * 10000} " in head
    status, _, body = curl(gateway, pki, "/" + "p" * 9000, version=version)
    assert (status, json.loads(body)["detail"]) == (414, "the path is too long")
    status, _, _ = curl(gateway, pki, "/app", headers=["A: " + "A" * 66000], version=version)
    assert status == 431 or version == "--http2"


@pytest.mark.parametrize("version", VERSIONS)
def test_large_responses(serve, settings, pki, origin, version):
    policy = b"default-src " + b"a" * 20000
    app = origin(OK % (b"Content-Security-Policy: " + policy + b"\r\n"))
    gateway = serve("-c", settings(more=upstream(app), routes=ROUTE))
    assert curl(gateway, pki, "/app", version=version)[0] == 502
    assert gateway.wait_messages("upstream-failed", "max_head_line", name="app")
    gateway.stop()
    gateway = serve("-c", settings(more=upstream(app, ", max_head_line: 32KiB"), routes=ROUTE))
    status, fields, body = curl(gateway, pki, "/app", version=version)
    found = {name.lower(): value for name, value in fields.items()}
    assert (status, body) == (200, b"ok")
    assert found["content-security-policy"] == policy.decode()


@pytest.mark.parametrize("version", VERSIONS)
def test_the_largest_response(serve, settings, pki, origin, version):
    fields = [b"X-%d: %s" % (i, bytes([97 + i]) * 60000) for i in range(2)] + [b"Y-%d: y" % i for i in range(200)]
    app = origin(OK % (b"\r\n".join(fields) + b"\r\n"))
    limits = ", max_head: 128KiB, max_head_line: 64KiB, max_head_fields: 256"
    gateway = serve("-c", settings(more=upstream(app, limits), routes=ROUTE))
    status, got, body = curl(gateway, pki, "/app", version=version)
    assert (status, body, len(got) >= 203) == (200, b"ok", True)
    assert got.get("X-1", got.get("x-1")) == "b" * 60000
