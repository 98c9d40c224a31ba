"""Expect: 100-continue (RFC 9110 10.1.1): the 100 is held until the verdict; a body that arrives earlier is drained."""

import pytest

from harness.rawtls import Raw

TLS = ("1.2", "1.3")
EXPECT = "Expect: 100-continue"


@pytest.mark.parametrize("tls", TLS)
@pytest.mark.parametrize("path", ("/late", "/early"))
def test_held_until_accepted(path, tls, thaw, payloads):
    body = payloads["1m"]
    with Raw(thaw, tls) as client:
        client.send(client.head("PUT", path, f"Content-Length: {body.size}", EXPECT))
        assert client.read().status == 100
        client.send(body.data())
        answer = client.read().json()
    assert answer["body_sha256"] == body.sha256
    assert answer["certificate"]["moment"] == "headers"
    assert answer["certificate"]["body_bytes_before_verdict"] == 0


@pytest.mark.parametrize("tls", TLS)
def test_never_sent_when_refused(tls, thaw):
    """A client without a certificate reads the refusal, and never gets a 100."""
    with Raw(thaw, tls, identity=None) as client:
        client.send(client.head("PUT", "/late", "Content-Length: 1048576", EXPECT))
        response = client.read()
    assert response.status == 403
    assert response.json()["reason"] == "no-certificate"


@pytest.mark.parametrize("tls", TLS)
@pytest.mark.parametrize("path", ("/", "/body", "/after"))
def test_at_once_where_the_body_comes_first(path, tls, thaw, payloads):
    """These routes ask only after the body: to wait for the verdict would be a freeze."""
    body = payloads["1m"]
    with Raw(thaw, tls) as client:
        client.send(client.head("PUT", path, f"Content-Length: {body.size}", EXPECT))
        assert client.read().status == 100
        client.send(body.data())
        assert client.read().json()["body_sha256"] == body.sha256


@pytest.mark.parametrize("tls", TLS)
@pytest.mark.parametrize("path", ("/late", "/early"))
@pytest.mark.parametrize("asked", (False, True), ids=("with-the-head", "once-asked"))
def test_body_comes_all_the_same(asked, path, tls, thaw, payloads):
    """Head and body are written before anything is read. The head may arrive at the server before the body."""
    body = payloads["50m"]
    with Raw(thaw, tls) as client:
        head = client.head("PUT", path, f"Content-Length: {body.size}", EXPECT)
        if asked:
            client.send(head)
            client.wait_bytes()  # the request for the certificate has arrived, unread
            client.send(body.data())
        else:
            client.send(head + body.data())
        response = client.read()
        if response.status == 100:
            response = client.read()
    assert response.status == 200
    assert response.json()["body_sha256"] == body.sha256
    assert response.json()["certificate"]["subject"] == "CN=Thaw Demo Client"


def test_unknown_expectation(thaw):
    with Raw(thaw) as client:
        assert client.ask("PUT", "/", b"x", "Expect: the-unexpected").status == 417
