"""The access log: one record for each request, with the complete result of its ask."""

import re
import socket
import ssl

import pytest

from harness.pki import Issuer
from harness.rawtls import Raw, context

ASKS = {"when": "request"}


@pytest.mark.parametrize("tls,means,moment", (("1.2", "renegotiation", "body"), ("1.3", "post-handshake", "headers")))
def test_story(tls, means, moment, thaw, payloads):
    body = payloads["1m"]
    target = f"/late?story-{tls}"
    with Raw(thaw, tls) as client:
        client.ask("PUT", target, body.data(), "User-Agent: story-teller")
        port = client.local_port
    record = thaw.record(target)
    assert record["client"] == f"127.0.0.1:{port}"
    assert (record["method"], record["protocol"], record["status"]) == ("PUT", "HTTP/1.1", 200)
    assert record["tls"] == f"TLSv{tls}" and record["cipher"]
    assert record["host"] and record["user_agent"] == "story-teller"
    assert record["resumed"] is False
    assert record["body_in"] == body.size and record["body_out"] > 0
    assert record["certificate"]["subject"] == "CN=Thaw Demo Client"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", record["time"])
    story = record["ask"]
    assert (story["means"], story["moment"]) == (means, moment)
    assert (story["verdict"], story["reason"]) == ("accepted", "none")
    assert story["ms"] >= 0 and record["ms"] >= story["ms"]
    assert story["to_memory"] + story["to_disk"] == story["drained"] == body.size


def test_to_disk(serve, payloads):
    """A spool with little memory: the rest of the body goes to the disk, and is read back unchanged."""
    gateway = serve(certificate=ASKS, spool={"memory": "4MiB", "disk": "1GiB", "per_client": "50%"})
    with Raw(gateway, "1.2") as client:
        answer = client.ask("PUT", "/disk", payloads["50m"].data()).json()
    assert answer["body_sha256"] == payloads["50m"].sha256
    story = gateway.record("/disk")["ask"]
    assert 0 < story["to_memory"] <= 2 * 2**20
    assert story["to_memory"] + story["to_disk"] == payloads["50m"].size


def test_one_each(serve):
    """Requests of every kind get one record each."""
    gateway = serve(routes=(("/late", ASKS), ("/none", {"when": "request", "require": "false"})))
    with Raw(gateway) as client:
        for number, path in enumerate(("/", "/late", "/none", "/late", "/.well-known/thaw/prime", "/")):
            client.ask("GET", f"{path}?one-{number}")
    with Raw(gateway, identity=None) as client:
        client.ask("GET", "/late?one-6")
    with Raw(gateway) as client:
        client.send(b"BAD\r\n\r\n")
        client.read()
    assert len(gateway.wait_records(lambda r: r["status"] == 400)) == 1
    marked = [r["target"].partition("?")[2] for r in gateway.records if r["target"]]
    assert sorted(m for m in marked if m.startswith("one-")) == [f"one-{number}" for number in range(7)]
    asks = [r["ask"] for r in gateway.records if (r["target"] or "").startswith("/?one")]
    assert asks == [None, None]


def test_no_injection(thaw):
    """A client's input can neither add a line to the log nor break its JSON."""
    with Raw(thaw) as client:
        client.ask("GET", "/?quoted", None, 'User-Agent: "}\\n{"status": 1\t\xe9')
    record = thaw.record("/?quoted")
    assert record["user_agent"].startswith('"}\\n{"status": 1\t')
    assert not [r for r in thaw.records if "unreadable" in r]


# What could end a line, a JSON string or a label, or control a terminal; none is a NUL, which no text has.
ODD = b'"\\ \r\n\x1b[31m\x07\x7f\xc2\x9b\xe2\x80\xae\xe2\x80\xa8\xff{}=,\''


def hello_with_name(name):
    """A ClientHello that names these bytes as its host."""
    out, place = ssl.MemoryBIO(), b"p" * len(name)
    made = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), out, server_hostname=place.decode())
    with pytest.raises(ssl.SSLWantReadError):
        made.do_handshake()
    hello = out.read()
    assert hello.count(place) == 1
    return hello.replace(place, name)


def end_of(gateway, *data):
    """Sends bytes, and waits until the gateway has ended the connection."""
    with socket.create_connection(("127.0.0.1", gateway.port)) as plain:
        plain.sendall(b"".join(data))
        plain.shutdown(socket.SHUT_WR)
        try:
            while plain.recv(65536):
                pass
        except ConnectionResetError:
            pass


def test_hostile_names_break_neither_logs_nor_metrics(serve, pki, tmp_path):
    issuer = Issuer(tmp_path / "issuer")
    ca = issuer.new("ca", ca=True)
    issuer.new("odd", by=ca, subject='/CN=a"b{}\nc\x1b[31m\u202e\u2028 \x9b/O=x')
    gateway = serve(certificate={"when": "request", "ca": str(ca)}, top={"admin": f"unix:{tmp_path}/admin"})
    odd = context(pki, "1.3", identity=None)
    odd.load_cert_chain(issuer.folder / "odd.pem", issuer.folder / "odd.key")
    for sni in (ODD, b"x" * 40 + b"\n", b"a\nb.localhost"):
        end_of(gateway, hello_with_name(sni))
    value = ODD.translate(None, b"\r\n\x1b\x07\x7f").decode("latin-1")  # what a field may have (RFC 9110 5.5)
    fields = [f"{field}: a{value}b" for field in ("User-Agent", "Referer", "X-Request-Id", "Origin")]
    for line in (b"GET /?" + ODD + b" HTTP/1.1", b'GET /?"\\ HTTP/1.1', b"G\"ET / HTTP/1.1", b"GET /\xff HTTP/1.1", b"GET /%0d%0a%22 HTTP/1.1"):
        for host in (b"localhost", b'a"b\\', b"a\x1b"):
            with Raw(gateway, ctx=odd) as client:
                client.send(line, b"\r\nHost: ", host, b"\r\n", "\r\n".join(fields).encode("latin-1"), b"\r\n\r\n")
                client.read()
    with Raw(gateway, ctx=odd) as client:
        assert client.ask("GET", "/?last", None, *fields).status == 200
    record = gateway.record("/?last")
    assert record["certificate"]["subject"].startswith('CN=a\\"b{}')
    assert not [r for r in gateway.records if "unreadable" in r]
    assert all(line.isprintable() for line in gateway.lines)
    assert all(message.isprintable() for message in gateway.messages)
    with socket.socket(socket.AF_UNIX) as admin:
        admin.connect(str(tmp_path / "admin"))
        admin.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: admin.recv(65536), b""))
    sample = re.compile(r'[a-z_]+(\{[a-z_]+="[^"\\\n]*"(,[a-z_]+="[^"\\\n]*")*\})? [0-9.e+]+')
    lines = answer.partition(b"\r\n\r\n")[2].decode("ascii").split("\n")
    assert all(line.startswith("# ") or sample.fullmatch(line) for line in lines if line), lines
