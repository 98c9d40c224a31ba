"""Clients that send slowly: client_body_timeout is between two reads, as in nginx itself. A server that is slow."""

import pytest
from harness.rawtls import Raw
from server import preload_library
from test_bodies import answer

VERSIONS = ("1.2", "1.3")
BASE = "listen 127.0.0.1:{port} ssl; server_name localhost; thaw_certificate_authority {pki}/ca.pem; client_body_timeout 1s;"


@pytest.mark.parametrize("tls", VERSIONS)
@pytest.mark.parametrize("when", ("off", "request", "request_early", "body"))
def test_client_that_sends_a_byte_now_and_then(nginx, tls, when):
    """It takes longer than client_body_timeout in all, and never that long between two bytes."""
    one = nginx(BASE + f"location / {{{{ thaw_client_certificate {when}; proxy_pass http://app; }}}}")
    with Raw(one, tls) as client:
        client.send(client.head("PUT", "/slow", "Content-Length: 8"))
        for _ in range(8):
            client.tls.settimeout(0.3)  # it reads, and so takes part in a handshake
            try:
                client.tls.recv(1)
            except TimeoutError:
                pass
            client.tls.settimeout(60)
            client.send(b"x")
        assert client.read().json()["body_bytes"] == 8


@pytest.mark.parametrize("tls", VERSIONS)
@pytest.mark.parametrize("when", ("off", "request", "request_early", "body"))
def test_client_that_stops_in_its_body(nginx, tls, when):
    one = nginx(BASE + f"location / {{{{ thaw_client_certificate {when}; proxy_pass http://app; }}}}")
    with Raw(one, tls) as client:
        client.send(client.head("PUT", "/stops", "Content-Length: 8"), b"x")
        assert client.ended()
    record = one.record("/stops")
    assert (record["status"], record["verdict"]) == (408, {"off": "", "body": "cancelled", "request_early": "accepted"}.get(when, "cancelled" if tls == "1.2" else "accepted"))


def test_body_that_comes_with_the_end_of_a_renegotiation(nginx, tmp_path):
    """From a client that does not wait for the 100. A slow worker reads it together with the verdict."""
    one = nginx(BASE + "location / {{ thaw_client_certificate request; proxy_pass http://app; }}", preload=preload_library(tmp_path, "lag"))
    with Raw(one, "1.2") as client:
        client.send(client.head("PUT", "/unasked", "Content-Length: 10", "Expect: 100-continue"))
        before = client.tls.get_channel_binding()
        answer(client, lambda: client.tls.get_channel_binding() != before)
        client.send(b"x" * 10)
        assert client.read().json()["body_bytes"] == 10
