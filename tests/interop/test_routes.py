"""The route of a request, whatever its spelling; and routes of one host with different trust."""

import socket

import pytest

from harness.rawtls import LIMIT, Raw

GUARDED = (
    "/late",
    "/late/",
    "/late/deeper",
    "/late?query",
    "/late;parameter",
    "//late",
    "///late/x",
    "/LATE",
    "/Late/x",
    "/%4Cate",
    "/late.",
    "/late%20",
    "/late..%20/x",
    "/late::$DATA",
    "/%EF%BD%8Cate",
    "/late%EF%BC%8Fx",
    "/%2Fx/late",
    "/%6cate",
    "/%6C%61te/%78",
    "https://localhost/late",
    "https://localhost:8443/late?query",
)
REFUSED = {"/./late": 400, "/x/../late": 400, "/%2e/late": 400, "/late%00": 400, "/late%zz": 400, "/late\\": 400, "/late/..%20/x": 400}
OPEN = ("/", "/later", "/LATER", "/x/late", "//x/late", "/late-x", "/a:late", "https://localhost")


@pytest.mark.parametrize("target", GUARDED)
def test_guarded(target, thaw):
    with Raw(thaw, "1.3", identity=None) as client:
        response = client.ask("PUT", target, b"hello")
        assert (response.status, response.json()["reason"]) == (403, "no-certificate")
    with Raw(thaw, "1.3") as client:
        assert client.ask("PUT", target, b"hello").json()["certificate"]["subject"] == "CN=Thaw Demo Client"


@pytest.mark.parametrize("target", REFUSED)
def test_refused(target, thaw):
    with Raw(thaw, "1.3") as client:
        assert client.ask("PUT", target, b"hello").status == REFUSED[target]


@pytest.mark.parametrize("target", OPEN)
def test_open(target, thaw):
    with Raw(thaw, "1.3", identity=None) as client:
        assert client.ask("PUT", target, b"hello").json()["certificate"] is None


def test_other_host_in_target(thaw):
    """RFC 9112 3.2.2: the host of the target counts, not the Host field."""
    with Raw(thaw) as client:
        assert client.ask("GET", "https://handshake.localhost/").status == 421


def test_methods(serve):
    """A route for some methods only; other methods use the next route that covers the path."""
    gateway = serve(routes=(("/up", {"when": "request"}, ("PUT", "POST")),))
    for method, status in (("GET", 200), ("PUT", 403), ("DELETE", 200), ("POST", 403), ("put", 501), ("Get", 501)):
        with Raw(gateway, "1.3", identity=None) as client:
            assert client.ask(method, "/up", b"hello").status == status, method


@pytest.mark.parametrize("tls", ("1.2", "1.3"))
@pytest.mark.parametrize("first,second", (("/ours", "/theirs"), ("/theirs", "/ours")))
def test_trust_by_route(first, second, tls, serve, pki):
    """A certificate that one route's trust accepted does not count at a route with another trust."""
    routes = (("/ours", {"when": "request"}), ("/theirs", {"when": "request", "ca": str(pki / "stranger-ca.pem")}))
    gateway = serve(routes=routes)
    with Raw(gateway, tls, identity="client" if first == "/ours" else "stranger") as client:
        assert client.ask("PUT", first, b"hello").json()["certificate"] is not None
        response = client.ask("PUT", second, b"hello")
        assert (response.status, response.json()["reason"]) == (403, "untrusted")


def test_pipelined_behind_an_ask_after_the_response(thaw, payloads):
    """The request for the certificate is sent after a response, when the next requests have already been sent. Over TLS
    1.2 these are dropped: test_renegotiation_order.py."""
    body = payloads["1k"].data()
    with Raw(thaw, "1.3") as client:
        paths = ("/after", "/late", "/after", "/", "/body")
        client.send(b"".join(client.head("PUT", path, f"Content-Length: {len(body)}") + body for path in paths))
        answers = [client.read().json() for _ in paths]
    assert [a["path"] for a in answers] == list(paths)
    assert [a["certificate"] is not None for a in answers] == [False, True, True, False, True]
    assert {a["body_sha256"] for a in answers} == {payloads["1k"].sha256}


@pytest.mark.parametrize("tls", ("1.2", "1.3"))
def test_too_much_behind_an_ask(tls, thaw, payloads):
    """Pipelined bytes after a request that waits for its certificate are limited, too, and the refusal is readable."""
    body = payloads["50m"].data()
    with Raw(thaw, tls, identity=None) as client:
        client.send(client.head("GET", "/late"), client.head("PUT", "/", f"Content-Length: {len(body)}"), body)
        response = client.read()
        assert response.json()["reason"] in ("pipelined", "no-certificate")
        assert response.status == (400 if response.json()["reason"] == "pipelined" else 403)


@pytest.mark.parametrize("rubbish", (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x00\x05hello", bytes(70000), b"\x80" * 9))
def test_not_tls(rubbish, thaw):
    """Bytes that are not TLS end that connection only."""
    workers = thaw.workers()
    with socket.create_connection(("127.0.0.1", thaw.port), timeout=LIMIT) as plain:
        try:
            plain.sendall(rubbish)
            while plain.recv(65536):
                pass
        except ConnectionError:
            pass
    assert thaw.workers() == workers


def test_many_at_once(thaw, payloads):
    """50 concurrent uploads on 50 connections, sent piece by piece in turn."""
    size, pieces = 1 << 20, 16
    body = payloads["1m"].data()
    clients = [Raw(thaw, ("1.2", "1.3")[i % 2], source=f"127.3.0.{i + 1}") for i in range(50)]
    for i, client in enumerate(clients):
        client.send(client.head("PUT", ("/late", "/early", "/body")[i % 3], f"Content-Length: {size}"))
    for piece in range(pieces):
        for client in clients:
            assert client.send(body[piece * size // pieces : (piece + 1) * size // pieces])
    for client in clients:
        answer = client.read().json()
        assert answer["body_sha256"] == payloads["1m"].sha256 and answer["certificate"] is not None
        client.tls.close()
