"""TLS 1.2: bytes that arrive before a renegotiation are never processed after it (CVE-2009-3555). A request that is
asked is answered with its client's certificate; bytes after it that arrived before the renegotiation are dropped, and
the connection is closed after the response. Over TLS 1.3 the answer is bound to the connection's first handshake (RFC
8446 4.4), so nothing is dropped."""

import contextlib
import select
import ssl

import pytest

from harness.plain import front, read_head, scripted  # noqa: F401 - two are fixtures
from harness.rawtls import LIMIT, Raw

GET, BODY, CHUNKED = "get", "body", "chunked"
DAMAGED = b"\0\0\0"


def request(client, path, kind=GET):
    if kind == GET:
        return client.head("GET", path)
    if kind == BODY:
        return client.head("PUT", path, "Content-Length: 5") + b"hello"
    return client.head("PUT", path, "Transfer-Encoding: chunked") + b"5\r\nhello\r\n0\r\n\r\n"


def is_last(client, response):
    return response.headers.get("connection") == "close" and client.ended()


@pytest.mark.parametrize("kind", (GET, BODY, CHUNKED))
@pytest.mark.parametrize("path", ("/late", "/early", "/body"))
@pytest.mark.parametrize("behind", ("whole", "part", "damaged"))
def test_pipelined_before_the_renegotiation_is_dropped(behind, path, kind, thaw):
    mark = f"?{behind}-{path[1:]}-{kind}"
    with Raw(thaw, "1.2") as client:
        after = {"whole": request(client, "/late" + mark + "-2"), "part": b"GET /la", "damaged": DAMAGED}[behind]
        client.send(request(client, path + mark, kind) + after)
        response = client.read()
        assert response.status == 200 and response.json()["certificate"] is not None
        assert is_last(client, response)
    assert thaw.record(path + mark)["status"] == 200
    assert not [r for r in thaw.records if (r.get("target") or "").endswith(mark + "-2")]


@pytest.mark.parametrize("kind", (GET, BODY, CHUNKED))
def test_sent_while_the_request_for_the_certificate_is_on_its_way_is_dropped(kind, thaw):
    """The second request is sent after the HelloRequest, which the client has not read yet."""
    with Raw(thaw, "1.2") as client:
        client.send(request(client, "/late", kind))
        client.wait_bytes()
        client.send(request(client, "/late"))
        response = client.read()
        assert response.json()["certificate"] is not None and is_last(client, response)


@pytest.mark.parametrize("path", ("/late", "/"))
def test_pipelined_before_an_ask_after_the_response_is_dropped(path, thaw):
    with Raw(thaw, "1.2") as client:
        client.send(request(client, "/after") + request(client, path))
        response = client.read()
        assert response.json()["certificate"] is None and is_last(client, response)


def test_sent_while_the_ask_after_a_response_is_pending(thaw):
    """The next request waits for the ask like one that is asked itself; bytes after it are dropped."""
    with Raw(thaw, "1.2") as client:
        assert client.ask("GET", "/after").json()["certificate"] is None
        client.wait_bytes()
        client.send(request(client, "/late") + request(client, "/late"))
        response = client.read()
        assert response.json()["certificate"] is not None and is_last(client, response)
    with Raw(thaw, "1.2") as client:
        assert client.ask("GET", "/after").json()["certificate"] is None
        client.wait_bytes()
        assert client.ask("GET", "/late").json()["certificate"] is not None
        assert client.ask("GET", "/late").json()["certificate"] is not None


def test_head_that_begins_before_the_renegotiation_and_ends_after_it_is_refused(thaw):
    """This looks like the start of an attacker's request and the end of a victim's."""
    mark = "?around"
    with Raw(thaw, "1.2") as client:
        assert client.ask("GET", "/after" + mark).status == 200
        client.wait_bytes()
        client.send(b"GET /late HTTP/1.1\r\nX-Ignore: ")
        client.tls.setblocking(False)
        while not [r for r in list(thaw.records) if r.get("target") == "/after" + mark]:  # until its ask has a verdict
            with contextlib.suppress(ssl.SSLWantReadError):
                client._ahead += client.tls.recv(65536)
            select.select([client.tls], [], [], 0.1)
        client.tls.settimeout(LIMIT)
        client.send(request(client, "/"))
        response = client.read()
        assert response.status == 400 and "renegotiation" in response.json()["detail"]
        assert is_last(client, response)
    assert thaw.record("/after" + mark)["ask"]["verdict"] == "accepted"


def test_requests_before_the_one_that_is_asked_are_answered(thaw):
    with Raw(thaw, "1.2") as client:
        client.send(request(client, "/", BODY) + request(client, "/nowhere") + request(client, "/late") + request(client, "/"))
        first, second, third = client.read(), client.read(), client.read()
        assert [r.json()["certificate"] is not None for r in (first, second, third)] == [False, False, True]
        assert "connection" not in first.headers or first.headers["connection"] == "keep-alive"
        assert is_last(client, third)


@pytest.mark.parametrize("path", ("/late", "/early", "/body"))
def test_sent_after_the_renegotiation_is_answered(path, thaw):
    with Raw(thaw, "1.2") as client:
        for _ in range(3):
            assert client.ask("PUT", path, b"hello").json()["certificate"] is not None
        client.send(request(client, "/late") + request(client, path, CHUNKED) + request(client, "/"))
        assert [client.read().status for _ in range(3)] == [200, 200, 200]


@pytest.mark.parametrize("path", ("/late", "/early", "/body", "/after"))
def test_over_tls_13_all_are_answered(path, thaw):
    with Raw(thaw, "1.3") as client:
        client.send(request(client, path) + request(client, "/late", CHUNKED) + request(client, "/"))
        assert [client.read().json()["certificate"] is not None for _ in range(3)] == [path != "/after", True, False]


def test_a_declined_certificate_changes_nothing(serve):
    """The same applies if the request proceeds without a certificate."""
    gateway = serve(routes=(("/late", {"when": "request", "require": "false"}),))
    with Raw(gateway, "1.2", identity=None) as client:
        client.send(request(client, "/late") + request(client, "/late"))
        response = client.read()
        assert response.status == 200 and is_last(client, response)


def test_the_upstream_does_not_see_it(front, scripted):
    seen = []

    def speak(connection):
        while True:
            seen.append(read_head(connection).split(b" ")[1])
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    gateway = front(scripted(speak).port)
    with Raw(gateway, "1.2") as client:
        client.send(request(client, "/late/1") + request(client, "/late/2"))
        response = client.read()
        assert response.body == b"ok" and is_last(client, response)
    assert gateway.record("/late/1")["status"] == 200
    assert seen == [b"/late/1"]
