"""Other uses of a connection than one request: keep-alive, pipelining, HEAD, names, other orders of messages."""

import hashlib
import re
import socket
import ssl
import subprocess

import pytest

from harness.process import run
from harness.rawtls import LIMIT, Raw, context

TLS = ("1.2", "1.3")


@pytest.mark.parametrize("tls", TLS)
def test_keep_alive(tls, thaw, payloads):
    body = payloads["1m"]
    with Raw(thaw, tls) as client:
        assert client.ask("GET", "/").json()["certificate"] is None
        first = client.ask("PUT", f"/late?alive1-{tls}", body.data()).json()["certificate"]
        assert first["body_bytes_before_verdict"] > 0 or tls == "1.3"
        second = client.ask("PUT", f"/late?alive2-{tls}", body.data()).json()["certificate"]
        assert second["sha256"] == first["sha256"]
        assert (second["ask_ms"], second["body_bytes_before_verdict"]) == (0, 0)
        for path in ("/body", "/early", "/late"):
            answer = client.ask("PUT", path, body.data()).json()
            assert answer["certificate"]["sha256"] == first["sha256"]
            assert answer["body_sha256"] == body.sha256
        assert client.ask("GET", "/").json()["certificate"] is None  # a route that never asks uses no certificate
    one, two = (thaw.record(f"alive{i}-{tls}") for i in (1, 2))
    assert one["client"] == two["client"]


@pytest.mark.parametrize("tls", TLS)
def test_asked_after_the_response(tls, thaw, payloads):
    """/after answers first, then asks; the next request on the connection uses the certificate."""
    with Raw(thaw, tls) as client:
        assert client.ask("PUT", f"/after?first-{tls}", payloads["1m"].data()).json()["certificate"] is None
        answer = client.ask("PUT", f"/late?then-{tls}", payloads["1m"].data()).json()
        assert answer["certificate"]["subject"] == "CN=Thaw Demo Client"
        assert answer["body_sha256"] == payloads["1m"].sha256
    story = thaw.record(f"/after?first-{tls}")["ask"]
    assert (story["moment"], story["verdict"]) == ("response", "accepted")


@pytest.mark.parametrize("tls", TLS)
def test_pipelining(tls, thaw):
    """Requests after one that is asked are answered in order, each as its own route defines. Over TLS 1.2 they must not
    be sent before the renegotiation: test_renegotiation_order.py."""
    with Raw(thaw, tls) as client:
        if tls == "1.2":
            assert client.ask("GET", "/late?prime").status == 200
        wire = client.head("GET", "/?0")
        wire += client.head("PUT", "/late?1", "Content-Length: 5") + b"first"
        wire += client.head("GET", "/late?2")
        wire += client.head("PUT", "/?3", "Transfer-Encoding: chunked") + b"6\r\nsecond\r\n0\r\n\r\n"
        wire += client.head("GET", "/nowhere?4")
        client.send(wire)
        answers = [client.read().json() for _ in range(5)]
    assert [a["certificate"] is not None for a in answers] == [False, True, True, False, False]
    assert [a["body_bytes"] for a in answers] == [0, 5, 0, 6, 0]
    assert answers[3]["body_sha256"] == hashlib.sha256(b"second").hexdigest()


@pytest.mark.parametrize("tls", TLS)
def test_writes_first(tls, thaw):
    """The client writes 200 MiB before it reads the first byte."""
    piece = bytes(range(256)) * 4096
    digest = hashlib.sha256()
    with Raw(thaw, tls) as client:
        client.send(client.head("PUT", f"/late?writefirst-{tls}", f"Content-Length: {200 * len(piece)}"))
        for number in range(200):
            numbered = number.to_bytes(8, "big") + piece[8:]
            digest.update(numbered)
            assert client.send(numbered)
        answer = client.read().json()
    assert answer["body_bytes"] == 200 * len(piece)
    assert answer["body_sha256"] == digest.hexdigest()
    assert answer["certificate"]["body_bytes_before_verdict"] == 200 * len(piece)
    story = thaw.record(f"writefirst-{tls}")["ask"]
    assert story["to_memory"] + story["to_disk"] == 200 * len(piece)


@pytest.mark.parametrize("tls", TLS)
def test_small_records(tls, thaw, payloads, programs):
    """1 MiB in TLS records of 16 bytes."""
    argv = [*programs.writefirst(), "finish", str(thaw.port), str(thaw.pki), tls, f"/late?small-{tls}"]
    code, out, err, late = run([*argv, str(1 << 20), "16", "1", "-"], LIMIT)
    assert not late and code == 0, err.decode()
    digest = out.split()[0].decode()
    assert f'"body_sha256": "{digest}"' in out.decode()


@pytest.mark.parametrize("tls", TLS)
def test_head(tls, thaw):
    with Raw(thaw, tls) as client:
        for path in ("/", "/late", "/body"):
            response = client.ask("HEAD", path)
            assert response.status == 200
            assert response.headers["content-type"] == "application/json"
        assert client.ask("GET", "/late").json()["method"] == "GET"  # no HEAD was answered with a body


def test_http10(thaw):
    """HTTP/1.0 needs no Host and gets no 100; the connection ends with the response."""
    with Raw(thaw) as client:
        client.send(b"PUT /late HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello")
        assert client.read().json()["body_bytes"] == 5
        assert client.ended()


def test_misdirected(thaw):
    """RFC 9110 7.4: the Host is not the host of the handshake."""
    with Raw(thaw, host="localhost") as client:
        client.send(f"GET / HTTP/1.1\r\nHost: handshake.localhost:{thaw.port}\r\n\r\n".encode())
        assert client.read().status == 421


def test_addresses(serve, pki):
    """The throwaway certificate is valid for the names and the addresses; a gateway may listen on several."""
    gateway = serve(certificate={"when": "request"}, listens=("127.0.0.1:0", "[::1]:0"))
    for address, port in zip(("127.0.0.1", "::1"), gateway.ports):
        for name in ("localhost", "127.0.0.1", "::1"):
            plain = socket.create_connection((address, port), timeout=LIMIT)
            with context(pki, "auto").wrap_socket(plain, server_hostname=name) as tls:
                tls.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                answer = b""
                while data := tls.recv(65536):
                    answer += data
            assert b"Thaw Demo Client" in answer, (address, name, answer)


def test_unix_socket(serve, pki, tmp_path):
    path = str(tmp_path / "thaw.sock")
    gateway = serve(certificate={"when": "request"}, listens=("127.0.0.1:0", f"unix:{path}"))
    plain = socket.socket(socket.AF_UNIX)
    plain.settimeout(LIMIT)
    plain.connect(path)
    with context(pki, "1.3").wrap_socket(plain, server_hostname="localhost") as tls:
        tls.sendall(b"PUT /?unix HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello")
        assert b"Thaw Demo Client" in tls.recv(65536)
    assert gateway.record("/?unix")["status"] == 200


@pytest.mark.parametrize("tls", TLS)
def test_trailers(tls, thaw, payloads):
    """RFC 9112 7.1.2: trailers after a chunked body, and the next request after them. Over TLS 1.2 this request arrives
    before a renegotiation, and is dropped."""
    body = payloads["1m"].data()
    with Raw(thaw, tls) as client:
        wire = client.head("PUT", "/late", "Transfer-Encoding: chunked", "Trailer: Checksum")
        wire += b"%x;extension=1\r\n" % len(body) + body + b"\r\n0\r\nChecksum: none\r\n\r\n"
        client.send(wire + client.head("GET", "/late?behind"))
        assert client.read().json()["body_sha256"] == payloads["1m"].sha256
        if tls == "1.2":
            assert client.ended()
        else:
            assert client.read().json()["method"] == "GET"


def test_refuses_to_renegotiate(thaw, payloads):
    """A TLS 1.2 client that answers with a no_renegotiation alert, as Go does by default. OpenSSL then ends the
    connection, so no response is possible; but the connection ends, and the record has the reason."""
    ctx = context(thaw.pki, "1.2")
    ctx.options |= ssl.OP_NO_RENEGOTIATION
    with Raw(thaw, ctx=ctx) as client:
        client.send_request("PUT", "/late?refuses", payloads["1m"].data())
        assert client.ended()
    story = thaw.record("/late?refuses")["ask"]
    assert (story["verdict"], story["reason"]) == ("impossible", "renegotiation-refused")


def test_client_initiated_renegotiation(thaw):
    """The gateway refuses with a no_renegotiation alert, and serves no further request on the connection."""
    with subprocess.Popen(
        ["openssl", "s_client", "-tls1_2", "-connect", f"127.0.0.1:{thaw.port}", "-CAfile", str(thaw.pki / "ca.pem")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as process:  # fmt: skip
        out, _ = process.communicate(b"R\n", timeout=LIMIT)
    assert re.search(rb"no renegotiation|unexpected message|handshake failure", out), out[-600:]


def test_closes_in_the_middle(thaw, payloads):
    """A client that leaves in the middle of its upload, without close_notify, causes a record and nothing else."""
    with Raw(thaw, "1.2") as client:
        client.send(client.head("PUT", "/late?left", "Content-Length: 52428800"), payloads["1m"].data())
    record = thaw.record("/late?left")
    assert record["ask"]["verdict"] == "cancelled"
    assert record["status"] in (0, 400)
    with Raw(thaw, "1.2") as client:
        assert client.ask("GET", "/late").status == 200
