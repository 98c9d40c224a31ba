"""Clients and workers that go away in each phase of an ask."""

import signal
import socket
import struct

import pytest
from harness.rawtls import Raw
from test_bodies import answer

VERSIONS = ("1.2", "1.3")
BASE = "listen 127.0.0.1:{port} ssl; server_name localhost; thaw_certificate_authority {pki}/ca.pem;"
WHEN = ("request", "request_early", "body")
LATE = "".join(f"location /{when} {{{{ thaw_client_certificate {when}; proxy_pass http://app; }}}}" for when in WHEN)
OPEN = "location /open {{ proxy_pass http://app; }}"


def go(client, how):
    """The connection ends by FIN, or by RST."""
    if how == "reset":
        client.tls.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.tls._sslobj = None  # no close_notify
    socket.socket.close(client.tls)


def begin(client, when, phase):
    """A request that the client leaves in this phase."""
    if phase == "no body":
        return client.send(client.head("GET", f"/{when}"))
    head = client.head("PUT", f"/{when}", "Content-Length: 300000", *(("Expect: 100-continue",) if phase == "expect" else ()))
    if phase in ("head", "expect"):
        return client.send(head)
    return client.send(head, b"x" * (300_000 if phase == "whole body" else 100_000))


@pytest.mark.parametrize("tls", VERSIONS)
@pytest.mark.parametrize("how", ("close", "reset"))
@pytest.mark.parametrize("when", WHEN)
def test_client_disconnects_in_each_phase(nginx, when, how, tls):
    """No request of it reaches the upstream, all are logged, and the worker goes on."""
    one = nginx(BASE + LATE + OPEN)
    (worker,) = one.workers()
    phases = ("no body", "head", "expect", "half of the body", "whole body")
    for phase in phases:
        client = Raw(one, tls)
        assert client.ask("GET", "/open").status == 200
        begin(client, when, phase)
        if phase == "no body" or (phase == "expect" and when != "body"):
            client.wait_bytes()  # it is asked
        go(client, how)
    records = one.wait(lambda: [r for r in one.records() if r["target"] == f"/{when}"][len(phases) - 1 :] and one.records(), "the records")
    gone = [r for r in records if r["target"] == f"/{when}"]
    # 500: nginx could not write its 100.
    assert {r["status"] for r in gone} <= {400, 499, 500} and {r["verdict"] for r in gone} <= {"", "cancelled"}, gone
    with Raw(one, tls) as client:
        assert client.ask("PUT", f"/{when}?after", b"x" * 100_000).json()["fields"]["x-verdict"] == "accepted"
    assert one.workers() == [worker]


@pytest.mark.parametrize("tls", VERSIONS)
@pytest.mark.parametrize("how", ("close", "reset"))
def test_client_disconnects_while_its_body_streams(nginx, inspector, how, tls):
    one = nginx(BASE + "location / {{ thaw_client_certificate request_early; proxy_request_buffering off; proxy_pass http://app; }}" + OPEN)
    target = f"/goes-{how}-{tls}"
    client = Raw(one, tls)
    client.send(client.head("PUT", target, "Content-Length: 300000"), b"x" * 1000)
    answer(client, lambda: inspector.came(target) == 1000)
    go(client, how)
    assert one.record(target)["status"] in (400, 499)
    with Raw(one, tls) as client:
        assert client.ask("GET", "/open").status == 200


@pytest.mark.parametrize("tls", VERSIONS)
@pytest.mark.parametrize("phase", ("no body", "half of the body", "whole body"))
@pytest.mark.parametrize("how", ("shutdown", "kill"))
def test_worker_ends_with_an_ask_under_way(nginx, how, phase, tls):
    """worker_shutdown_timeout ends it; a killed worker is replaced. The next client is served."""
    one = nginx(BASE + LATE + OPEN, main="worker_shutdown_timeout 100ms;")
    (worker,) = one.workers()
    with Raw(one, tls) as client:
        assert client.ask("GET", "/open").status == 200
        begin(client, "request_early", phase)
        client.wait_bytes()
        if how == "kill":
            one.kill_worker(worker)
        else:
            one.signal(signal.SIGHUP)
        one.wait(lambda: one.workers() and worker not in one.workers(), "another worker")
    with Raw(one, tls) as client:
        assert client.ask("GET", "/request").json()["fields"]["x-verdict"] == "accepted"


@pytest.mark.parametrize("tls", VERSIONS)
@pytest.mark.parametrize("size", (0, 300_000))
def test_reload_in_the_middle_of_an_ask_and_its_body(nginx, tls, size):
    """The old worker ends the request with the old settings, and takes no other on that connection."""
    one = nginx(BASE + LATE + OPEN)
    (worker,) = one.workers()
    with Raw(one, tls) as client:
        assert client.ask("GET", "/open").status == 200
        client.send(client.head("PUT", "/request_early", f"Content-Length: {size}"), b"x" * (size // 2))
        client.wait_bytes()
        one.configure(BASE.replace("ca.pem", "stranger-ca.pem") + LATE + OPEN)
        one.signal(signal.SIGHUP)
        one.wait(lambda: len(one.workers()) > 1, "the new worker")
        client.send(b"x" * (size - size // 2))
        report = client.read()
        assert report.json()["fields"]["x-verdict"] == "accepted" and report.json()["body_bytes"] == size
    one.wait(lambda: one.workers() and worker not in one.workers(), "the old worker's end")
    with Raw(one, tls) as client:
        assert client.ask("GET", "/request").status == 403


@pytest.mark.parametrize("tls", VERSIONS)
def test_refusal_with_expect_and_keepalive_after_an_ask(nginx, tls):
    """A refused client that waits for a 100 sends no body, and none is waited for."""
    one = nginx(BASE + LATE + OPEN)
    with Raw(one, tls, identity=None) as client:
        client.send(client.head("PUT", "/request", "Content-Length: 1000", "Expect: 100-continue"))
        assert client.read().status == 403
    with Raw(one, tls) as client:
        for number in range(3):
            client.send(client.head("PUT", f"/request?{number}", "Content-Length: 1000", "Expect: 100-continue"))
            assert client.read().status == 100
            client.send(b"x" * 1000)
            assert client.read().json()["body_bytes"] == 1000
            assert client.ask("GET", "/open").status == 200
