"""Upgrades that a route allows, with and without a body; and which parts of a request are not forwarded."""

import contextlib
import json
import socket
import threading

import pytest

from harness.gateway import Gateway, Settings
from harness.rawtls import LIMIT, Raw
from harness.recorder import Recorder


class Switch:
    """An upstream that reads and records each request, answers 101 to any Upgrade, and then echoes in upper case."""

    def __init__(self, protocol=None, early=False):
        self.protocol, self.early = protocol, early
        self.seen = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _switch(self, connection, fields):
        name = self.protocol or fields["upgrade"].split(",")[0]
        connection.sendall(f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: {name}\r\nConnection: Upgrade\r\n\r\n".encode())

    def _body(self, connection, fields, data):
        if "content-length" in fields:
            while len(data) < int(fields["content-length"]):
                data += connection.recv(65536)
            return data[: int(fields["content-length"])], data[int(fields["content-length"]) :]
        if fields.get("transfer-encoding") == "chunked":
            while b"0\r\n\r\n" not in data:
                data += connection.recv(65536)
            chunks, _, rest = data.partition(b"0\r\n\r\n")
            return chunks, rest
        return b"", data

    def _serve(self, connection):
        with connection, contextlib.suppress(OSError):
            data = b""
            while b"\r\n\r\n" not in data:
                data += connection.recv(65536)
            head, _, data = data.partition(b"\r\n\r\n")
            line, *rest = head.decode().split("\r\n")
            fields = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in rest)}
            if self.early and "upgrade" in fields:
                self._switch(connection, fields)
            body, data = self._body(connection, fields, data)
            self.seen.append((line, fields, body))
            if "upgrade" not in fields:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
                return
            if not self.early:
                self._switch(connection, fields)
            while True:
                connection.sendall(data.upper())
                data = connection.recv(65536)
                if not data:
                    return

    def close(self):
        self._listener.close()


@pytest.fixture
def front(pki, tmp_path):
    """front(port, host keys, route keys): a gateway in front of that port; /late asks at the request."""
    running = []

    def start(port, host="", route=""):
        text = Settings(pki, upstream="app", workers=1, spool={"directory": str(tmp_path)},
                        routes=(("/late", {"when": "request"}),),
                        upstreams={"app": f"{{ servers: [ 'http://127.0.0.1:{port}' ] }}"}).text()
        text = text.replace("    client_certificate:\n", f"{host}    client_certificate:\n", 1)
        text = text.replace("        upstream: app\n", f"        upstream: app\n{route}")
        (tmp_path / "thaw.yaml").write_text(text)
        running.append(Gateway(["-c", str(tmp_path / "thaw.yaml")], pki, tmp_path))
        return running[-1]

    yield start
    for one in running:
        one.stop()


@pytest.fixture
def switch():
    running = []

    def start(**how):
        running.append(Switch(**how))
        return running[-1]

    yield start
    for one in running:
        one.close()


def echo(client, text):
    client.send(text)
    while len(client._ahead) < len(text):
        client._more()
    assert bytes(client._ahead) == text.upper()
    client._ahead = b""


KUBECTL = "        upgrade: [ websocket, SPDY/3.1, tcp ]\n"


@pytest.mark.parametrize("path", ("/x", "/late/x"))
@pytest.mark.parametrize("method, fields, body", [
    ("GET", ("Upgrade: websocket",), b""),
    ("GET", ("Upgrade: websocket", "Content-Length: 0"), b""),
    ("POST", ("Upgrade: SPDY/3.1", "Content-Length: 0"), b""),
    ("POST", ("Upgrade: spdy/3.1",), b""),
    ("POST", ("Upgrade: tcp", "Content-Type: application/json", "Content-Length: 28"), b'{"Detach":false,"Tty":false}'),
    ("POST", ("Upgrade: tcp", "Transfer-Encoding: chunked"), b"2\r\n{}\r\n0\r\n\r\n"),
    ("POST", ("Upgrade: tcp", f"Content-Length: {1 << 20}"), b"x" * (1 << 20)),
], ids=("plain", "empty", "kubectl", "no-length", "docker", "chunked", "large"))  # fmt: skip
@pytest.mark.parametrize("early", (False, True))
def test_upgrade(early, method, fields, body, path, front, switch):
    """The 101 comes before or after the body: the upstream reads the whole body, then the tunnel's bytes."""
    upstream = switch(early=early)
    gateway = front(upstream.port, route=KUBECTL)
    with Raw(gateway) as client:
        client.send(client.head(method, path, "Connection: Upgrade", *fields))
        if early and path == "/x" and body:
            assert client.read().status == 101
            client.send(body)
        else:
            client.send(body)
            assert client.read().status == 101
        echo(client, b"hello")
        echo(client, b"more" * 1000)
    (_, seen, got), = upstream.seen
    assert seen["connection"].lower() == "upgrade" and len(got) in (len(body), len(body) - 5)
    assert gateway.record(path)["status"] == 101


@pytest.mark.parametrize("route, protocols, passed", [
    ("", "websocket", "websocket"), ("", "WebSocket", "WebSocket"), ("", "h2", None), ("", "h2c", None), ("", "h2c-14", None),
    ("", "http2", None), ("", "SPDY", None), ("", "SPDY/3.1", None), ("", "tcp", None), ("", "TLS/1.2", None),
    ("", "h2c, websocket", "websocket"), ("        upgrade: none\n", "websocket", None),
    (KUBECTL, "SPDY/3.1", "SPDY/3.1"), (KUBECTL, "SPDY/3", None), (KUBECTL, "h2c", None), (KUBECTL, "tcp, spdy/3.1", "tcp, spdy/3.1"),
])  # fmt: skip
def test_only_protocols_that_the_route_allows(route, protocols, passed, front, switch):
    upstream = switch()
    with Raw(front(upstream.port, route=route)) as client:
        client.send_request("GET", "/x", None, f"Upgrade: {protocols}", "Connection: Upgrade")
        assert client.read().status == (101 if passed else 200)
    assert upstream.seen[0][1].get("upgrade") == passed


def test_switch_to_another_protocol_than_was_asked_for(front, switch):
    with Raw(front(switch(protocol="h2c").port)) as client:
        client.send_request("GET", "/x", None, "Upgrade: websocket", "Connection: Upgrade")
        assert client.read().status == 502


@pytest.fixture
def recorder():
    running = Recorder()
    yield running
    running.close()


def test_client_headers(front, recorder):
    """What the configuration strips and passes, in addition to what is always stripped."""
    host = "    client_headers: { strip: [ X-Corp-*, X-User ], pass: [ X-Forwarded-Prefix ] }\n"
    sent = ("X-Corp-Id: 1", "x_user: 1", "X-Forwarded-Prefix: /p", "X_Forwarded_Prefix: /q", "X-Original-Filename: f", "X-Host: h",
            "X-Forwarded-User: u", "Cf-Access-Authenticated-User-Email: e", "Proxy-Authorization: Basic x", "Proxy-Feature: y")  # fmt: skip
    with Raw(front(recorder.port, host=host)) as client:
        assert client.ask("GET", "/x", None, *sent).status == 200
    (seen,), _ = recorder.take()
    names = {name.lower() for name, _ in seen.fields}
    assert {b"x-forwarded-prefix", b"x-original-filename", b"x-host"} <= names
    assert not names & {b"x-corp-id", b"x_user", b"x_forwarded_prefix", b"x-forwarded-user", b"cf-access-authenticated-user-email",
                        b"proxy-authorization", b"proxy-feature"}  # fmt: skip


def test_options_of_the_gateway_itself(front, recorder):
    gateway = front(recorder.port)
    with Raw(gateway, identity=None) as client:
        assert client.ask("OPTIONS", "*").status == 204
        assert client.ask("GET", "/x").status == 200
    assert [m.target for m in recorder.take()[0]] == [b"/x"]


@pytest.mark.parametrize("method", ("OPTIONS", "TRACE"))
def test_max_forwards(method, front, recorder):
    """RFC 9110 7.6.2: the gateway decrements it; at 0 the gateway itself answers."""
    with Raw(front(recorder.port)) as client:
        assert client.ask(method, "/x", None, "Max-Forwards: 7").status == 200
        assert client.ask(method, "/x", None, "Max-Forwards: 99999999999999999999").status == 200
        assert client.ask(method, "/x").status == 200
        assert [m.get(b"max-forwards") for m in recorder.take()[0]] == [[b"6"], [b"999"], []]
        answer = client.ask(method, "/x", None, "Max-Forwards: 0", "X-Mine: 1", "Cookie: secret", "Authorization: Basic secret")
        assert answer.status == (204 if method == "OPTIONS" else 200)
        if method == "TRACE":
            assert answer.headers["content-type"] == "message/http"
            assert answer.body.startswith(b"TRACE /x HTTP/1.1\r\n") and b"X-Mine: 1\r\n" in answer.body
            assert b"secret" not in answer.body
        assert client.ask("GET", "/x", None, "Max-Forwards: 0").status == 200
    assert [m.method for m in recorder.take()[0]] == [b"GET"]
    for wrong in (("Max-Forwards: -1",), ("Max-Forwards: x",), ("Max-Forwards: 1", "Max-Forwards: 1")):
        with Raw(front(recorder.port)) as client:
            assert client.ask(method, "/x", None, *wrong).status == 400


def test_max_forwards_comes_after_the_certificate(front, recorder):
    with Raw(front(recorder.port), "1.3", identity=None) as client:
        assert client.ask("TRACE", "/late", None, "Max-Forwards: 0").status == 403


def test_a_certificate_too_large_for_the_identity_fields(recorder, tmp_path, pki):
    """The error blames the certificate, not the service."""
    import shutil
    import subprocess

    shutil.copytree(pki, tmp_path / "pki")
    names = ",".join(f"DNS:a-rather-long-name-{i}.example" for i in range(500))
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", "/CN=large", "-addext", f"subjectAltName={names}", "-keyout", tmp_path / "pki/large.key", "-out",
                    tmp_path / "pki/large.pem"], check=True, capture_output=True)  # fmt: skip
    settings = Settings(tmp_path / "pki", {"ca": tmp_path / "pki/large.pem"}, (("/late", {"when": "request"}),), upstream="app",
                        workers=1, spool={"directory": str(tmp_path)}, host={"identity": "[ rfc9440, xfcc, nginx ]"},
                        upstreams={"app": f"{{ servers: [ 'http://127.0.0.1:{recorder.port}' ] }}"})  # fmt: skip
    text = settings.text().replace(f"ca: {tmp_path}/pki/ca.pem\n", "")
    (tmp_path / "thaw.yaml").write_text(text)
    gateway = Gateway(["-c", str(tmp_path / "thaw.yaml")], tmp_path / "pki", tmp_path)
    try:
        with Raw(gateway, "1.3", identity="large") as client:
            answer = client.ask("GET", "/late/x")
            assert (answer.status, answer.json()["reason"]) == (403, "certificate-too-large")
        assert "identity" in gateway.record("/late/x")["note"]
    finally:
        gateway.stop()
    assert recorder.take() == ([], [])


def test_check_prints_what_is_stripped(pki, tmp_path):
    import subprocess

    from harness.gateway import binary

    text = Settings(pki, spool={"directory": str(tmp_path)}, host={"client_headers": "{ strip: [ X-Corp-* ], pass: [ X-Real-IP ] }"})
    (tmp_path / "thaw.yaml").write_text(text.text())
    run = lambda *more: subprocess.run([binary(), "check", "-c", tmp_path / "thaw.yaml", *more], capture_output=True, check=True,
                                       timeout=LIMIT, text=True).stdout  # fmt: skip
    words = run().split()
    assert {"client-cert*", "cf-access-*", "x-sendfile-type", "X-Corp-*", "X-Real-IP"} <= set(words)
    host = json.loads(run("--json"))["hosts"][0]
    assert {"client-cert*", "X-Corp-*"} <= set(host["client_headers"]["strip"]) and host["client_headers"]["pass"] == ["X-Real-IP"]
