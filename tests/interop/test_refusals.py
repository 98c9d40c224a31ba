"""Every refusal is a response that the client can read: problem+json with a reason and a remedy, also in the middle of
an upload."""

import subprocess

import pytest

from harness.cells import Cell
from harness.drivers import DRIVERS, Bench
from harness.outcome import parse_response
from harness.rawtls import Raw

TLS = ("1.2", "1.3")
ASKS = {"when": "request"}


def check_problem(response, status, reason):
    assert response.status == status, response
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == status
    assert problem["reason"] == reason
    assert problem["title"] and problem["detail"] and problem["cure"] and problem["type"]


def run_client(name, gateway, bench, size="50m", tls="auto", framing="length", mark=""):
    cell = Cell(name, "late", size, tls, framing, mark=mark)
    other = Bench(gateway.port, gateway.pki, bench.payloads, bench.programs, bench.folder, bench.connect_proxy)
    return DRIVERS[name]([cell], other)[cell]


@pytest.mark.parametrize("tls", TLS)
@pytest.mark.parametrize("size", ("1k", "50m"))
def test_no_certificate(tls, size, thaw, payloads):
    target = f"/late?none-{size}-{tls}"
    with Raw(thaw, tls, identity=None) as client:
        check_problem(client.ask("PUT", target, payloads[size].data()), 403, "no-certificate")
    story = thaw.record(target)["ask"]
    assert (story["verdict"], story["reason"]) == ("declined", "no-certificate")


@pytest.mark.parametrize("tls", TLS)
def test_no_certificate_curl(tls, thaw, payloads):
    argv = ["curl", "-sS", "-i", "--cacert", str(thaw.pki / "ca.pem"), f"--tlsv{tls}", "--tls-max", tls]
    argv += ["-T", str(payloads["50m"].path), thaw.url("/late")]
    done = subprocess.run(argv, capture_output=True, timeout=60)
    outcome = parse_response(done.stdout)
    assert outcome.status == 403, f"{outcome}; {done.stderr.decode()}"
    assert outcome.json()["reason"] == "no-certificate"


@pytest.mark.parametrize("tls", TLS)
@pytest.mark.parametrize("size", ("1k", "50m"))
def test_stranger(tls, size, thaw, payloads):
    target = f"/late?stranger-{size}-{tls}"
    with Raw(thaw, tls, identity="stranger") as client:
        check_problem(client.ask("PUT", target, payloads[size].data()), 403, "untrusted")
    record = thaw.record(target)
    assert (record["ask"]["verdict"], record["ask"]["reason"]) == ("rejected", "untrusted")
    assert record["ask"]["detail"]
    assert record["certificate"] is None


@pytest.mark.parametrize("identity", (None, "stranger"))
def test_at_the_handshake(identity, thaw):
    """A host that asks at the handshake also refuses by a response, not by a TLS alert."""
    with Raw(thaw, "1.3", host="handshake.localhost", identity=identity) as client:
        check_problem(client.ask("GET", "/"), 403, "untrusted" if identity else "no-certificate")


@pytest.mark.parametrize("tls", TLS)
def test_not_required(tls, serve, payloads):
    gateway = serve(certificate={**ASKS, "require": "false"})
    with Raw(gateway, tls, identity=None) as client:
        answer = client.ask("PUT", "/optional", payloads["1m"].data()).json()
    assert answer["certificate"] is None
    assert answer["body_sha256"] == payloads["1m"].sha256
    with Raw(gateway, tls) as client:
        answer = client.ask("PUT", "/optional", payloads["1m"].data()).json()
    assert answer["certificate"]["subject"] == "CN=Thaw Demo Client"


def test_elsewhere(serve, payloads):
    gateway = serve(certificate={**ASKS, "elsewhere": "https://certauth.example.com"})
    with Raw(gateway, "1.3", pha=False) as client:
        response = client.ask("PUT", "/a/b%20c?d=e&f=%2F", payloads["50m"].data())
    assert response.status == 307
    assert response.headers["location"] == "https://certauth.example.com/a/b%20c?d=e&f=%2F"
    with Raw(gateway, "1.3") as client:
        assert client.ask("PUT", "/a", b"x").status == 200


def test_refused_on_tls13(serve):
    """without_post_handshake: refuse leaves such clients on TLS 1.3."""
    gateway = serve(certificate=ASKS, host={"without_post_handshake": "refuse"})
    with Raw(gateway, "auto", pha=False) as client:
        assert client.tls.version() == "TLSv1.3"
        check_problem(client.ask("GET", "/"), 403, "no-post-handshake-auth")


@pytest.mark.parametrize("tls", TLS)
def test_too_large(tls, serve, payloads):
    """The Content-Length is above max_body; the client writes first and reads later."""
    gateway = serve(certificate={**ASKS, "max_body": "1MiB"})
    with Raw(gateway, tls) as client:
        check_problem(client.ask("PUT", "/large?length", payloads["50m"].data()), 413, "body-size")


@pytest.mark.parametrize("tls", TLS)
def test_too_large_chunked(tls, serve, payloads):
    """A chunked body, whose size becomes known only during the upload. The client does not read, so it never
    answers."""
    gateway = serve(certificate={**ASKS, "max_body": "1MiB"})
    body = payloads["50m"].data()
    with Raw(gateway, tls) as client:
        head = client.head("PUT", "/large", "Transfer-Encoding: chunked")
        client.send(head, b"%x\r\n" % len(body), body, b"\r\n0\r\n\r\n")
        response = client.read()
    if response.status == 200:  # it read the request for the certificate before the limit was reached
        pytest.fail("a client that reads nothing cannot have been asked")
    check_problem(response, 413, "body-size")


@pytest.mark.parametrize("framing", ("length", "chunked"))
@pytest.mark.parametrize("name", ("curl", "curl-gnutls", "python-nopha", "java-httpclient", "java-urlconnection"))
def test_too_large_clients(name, framing, serve, bench):
    """Clients held to TLS 1.2 (curl by an option) cannot be asked before the limit is reached: all must read the
    413."""
    gateway = serve(certificate={**ASKS, "max_body": "1MiB"})
    outcome = run_client(name, gateway, bench, tls="1.2", framing=framing)
    assert outcome.status == 413, str(outcome)
    assert outcome.json()["reason"] == "body-size"


@pytest.mark.parametrize("tls", TLS)
@pytest.mark.parametrize("size", (None, "1m"))
def test_never_answers(tls, size, serve, payloads):
    gateway = serve(certificate={**ASKS, "timeout": "2s"})
    body = payloads[size].data() if size else None
    target = f"/silent?{size}"
    with Raw(gateway, tls) as client:
        assert client.send_request("PUT" if size else "GET", target, body)
        record = gateway.record(target)  # the request is over, and the client has not read one byte
        assert record["status"] == 408
        assert (record["ask"]["verdict"], record["ask"]["reason"]) == ("timed-out", "no-answer")
        check_problem(client.read(), 408, "no-answer")


def test_budget_spent(serve, payloads):
    """No disk, and less memory than the body: 503 with Retry-After, and what to do instead."""
    gateway = serve(certificate=ASKS, spool={"memory": "2MiB", "disk": "0"})
    with Raw(gateway, "1.2") as client:
        response = client.ask("PUT", "/spent", payloads["50m"].data())
        assert response.status == 503
        assert int(response.headers["retry-after"]) > 0
        assert response.json()["reason"] in ("budget-client", "budget-worker", "budget-total")
        assert "prime" in response.json()["cure"]
    with Raw(gateway, "1.2") as client:  # the whole budget was given back, and a primed upload succeeds
        assert client.ask("GET", "/.well-known/thaw/prime").status == 204
        assert client.ask("PUT", "/spent", payloads["50m"].data()).json()["body_sha256"] == payloads["50m"].sha256


MALFORMED = {
    "no-host": (b"GET / HTTP/1.1\r\n\r\n", 400),
    "two-hosts": (b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", 400),
    "two-lengths": (b"PUT / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx", 400),
    "length-and-chunked": (
        b"PUT / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    "space-before-colon": (b"GET / HTTP/1.1\r\nHost : localhost\r\n\r\n", 400),
    "folded": (b"GET / HTTP/1.1\r\nHost: localhost\r\nA: b\r\n c\r\n\r\n", 400),
    "nul": (b"GET / HTTP/1.1\r\nHost: localhost\r\nA: b\0c\r\n\r\n", 400),
    "bad-chunk": (b"PUT / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 400),
    "no-version": (b"GET /\r\n\r\n", 400),
    "version": (b"GET / HTTP/3.1\r\nHost: localhost\r\n\r\n", 505),
    "coding": (b"PUT / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501),
    "long-target": (b"GET /" + 20000 * b"a" + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
    "large-field": (b"GET / HTTP/1.1\r\nHost: localhost\r\nA: " + 40000 * b"a" + b"\r\n\r\n", 431),
    "many-fields": (b"GET / HTTP/1.1\r\nHost: localhost\r\n" + 200 * b"A: b\r\n" + b"\r\n", 431),
    "not-http": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed(name, thaw):
    raw, status = MALFORMED[name]
    with Raw(thaw, "1.3") as client:
        client.send(raw)
        check_problem(client.read(), status, "malformed-request")
        assert client.ended()  # the start of the next request is unknown


@pytest.mark.parametrize("path", ("/late", "/body", "/early"))
@pytest.mark.parametrize("tls", TLS)
def test_bad_chunk_while_asked(tls, path, thaw):
    """The body is found malformed while the ask is pending."""
    with Raw(thaw, tls) as client:
        client.send(client.head("PUT", path, "Transfer-Encoding: chunked"), b"5\r\nhello\r\n", b"zz\r\n")
        check_problem(client.read(), 400, "malformed-request")
        assert client.ended()
