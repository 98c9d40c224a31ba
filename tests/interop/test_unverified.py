"""`require: optional-unverified`: requests with an untrusted certificate proceed, marked as such, and never with an
identity."""

import hashlib
import json
import ssl
import subprocess
import urllib.parse

import pytest

from harness.canned import Canned
from harness.gateway import Gateway, Settings, binary
from harness.pki import Authority, make_stranger
from harness.rawtls import Raw, context

TLS = pytest.mark.parametrize("tls", ("1.2", "1.3"))
VERIFIED = {b"client-cert", b"client-cert-chain", b"x-forwarded-client-cert"}  # and x-ssl-client-* except MARKED
MARKED = {b"x-ssl-client-verify", b"x-ssl-client-unverified-fingerprint", b"x-ssl-client-unverified-cert"}
LAX = "optional-unverified"
HEADERS = """{ request: { set: { X-Verified: "{identity.verified}", X-Subject: "{identity.subject}", X-Why: "{unverified.reason}",
    X-Sha: "{unverified.sha256}", X-Der: "{unverified.certificate}", X-Pem: "{unverified.certificate_pem}" } } }"""


@pytest.fixture
def upstream():
    running = Canned()
    yield running
    running.close()


@pytest.fixture
def front(pki, tmp_path, upstream):
    running = []

    def start(hosts=(), routes=(), identity="[ rfc9440, xfcc, nginx ]", http2="auto", **certificate):
        make_stranger(tmp_path)
        routes = (("/late", {"when": "request", "require": LAX}), ("/strict", {"when": "request"}), *routes)
        text = Settings(pki, upstream="app", workers=1, spool={"directory": str(tmp_path)}, routes=routes, hosts=hosts,
                        certificate=certificate, host={"identity": identity, "headers": HEADERS, "http2": http2},
                        upstreams={"app": f"{{ servers: [ 'http://127.0.0.1:{upstream.port}' ] }}"}).text()  # fmt: skip
        (tmp_path / "thaw.yaml").write_text(text)
        running.append(Gateway(["-c", str(tmp_path / "thaw.yaml")], pki, tmp_path))
        return running[0]

    yield start
    for gateway in running:
        gateway.stop()
        assert not gateway.complaints()


def context_of(pki, tls, folder, name):
    made = context(pki, tls, identity=None)
    made.load_cert_chain(str(folder / f"{name}.pem"), str(folder / f"{name}.key"))
    return made


def der_of(file):
    return ssl.PEM_cert_to_DER_cert(file.read_text().split("-----END")[0] + "-----END CERTIFICATE-----\n")


def check_marked(message, certificate, reason):
    """The upstream gets the certificate, and none of the fields of a verified one."""
    names = {name.lower() for name, _ in message.fields}
    assert names & VERIFIED == set()
    assert {name for name in names if name.startswith(b"x-ssl-client-")} == MARKED
    der, sha256 = der_of(certificate), hashlib.sha256(der_of(certificate)).hexdigest().encode()
    assert message.get(b"x-ssl-client-verify") == message.get(b"x-verified") == [b"FAILED:" + reason]
    assert message.get(b"x-ssl-client-unverified-fingerprint") == message.get(b"x-sha") == [sha256]
    (pem,) = message.get(b"x-ssl-client-unverified-cert")
    assert ssl.PEM_cert_to_DER_cert(urllib.parse.unquote(pem.decode())) == der
    assert (message.get(b"x-why"), message.get(b"x-subject"), message.get(b"x-pem")) == ([reason], [], [pem])


NO_ISSUER = b"unable to get local issuer certificate"


@TLS
def test_a_certificate_of_another_ca_is_passed_on_marked(tls, front, pki, tmp_path, upstream):
    gateway = front()
    with Raw(gateway, ctx=context_of(pki, tls, tmp_path, "stranger")) as client:
        for target in ("/late/1", "/late/2"):
            assert client.ask("PUT", target, b"hello", "X-SSL-Client-Unverified-Cert: forged", "X-Sha: forged").status == 200
            check_marked(upstream.take(), tmp_path / "stranger.pem", NO_ISSUER)
        assert client.ask("GET", "/").status == 200  # a route that never asks
        assert not {name.lower() for name, _ in upstream.take().fields} & (MARKED - {b"x-ssl-client-verify"})
        refused = client.ask("GET", "/strict")
        assert (refused.status, refused.json()["reason"]) == (403, "untrusted")
    first, second = gateway.record("/late/1"), gateway.record("/late/2")
    for record in (first, second):
        assert record["certificate"] is None and record["unverified"]["subject"] == "CN=Stranger"
        assert (record["ask"]["verdict"], record["ask"]["reason"]) == ("rejected", "untrusted")
        assert record["ask"]["detail"] == NO_ISSUER.decode()
    assert first["ask"]["means"] == {"1.2": "renegotiation", "1.3": "post-handshake"}[tls]
    assert second["ask"]["means"] == "handshake"  # it is asked only once


@TLS
def test_a_verified_certificate_is_an_identity(tls, front, pki, upstream):
    with Raw(front(), tls) as client:
        assert client.ask("GET", "/late").status == 200
    message = upstream.take()
    assert message.get(b"x-ssl-client-verify") == message.get(b"x-verified") == [b"SUCCESS"]
    assert message.get(b"x-ssl-client-unverified-cert") == message.get(b"x-why") == []
    assert len(message.get(b"client-cert")) == 1


@TLS
def test_no_certificate_is_no_refusal(tls, front, upstream):
    with Raw(front(), tls, identity=None) as client:
        assert client.ask("GET", "/late").status == 200
    assert upstream.take().get(b"x-ssl-client-verify") == [b"NONE"]


@TLS
def test_at_the_handshake(tls, front, pki, tmp_path, upstream):
    gateway = front(hosts=(("handshake.localhost", {"when": "handshake", "require": LAX}),))
    session = None
    for _ in range(2):  # the second connection resumes no session
        with Raw(gateway, ctx=context_of(pki, tls, tmp_path, "stranger"), host="handshake.localhost", session=session) as client:
            assert client.ask("GET", "/").status == 200
            assert not client.tls.session_reused
            session = None
        assert {name.lower() for name, _ in upstream.take().fields} & VERIFIED == set()


def test_over_http2(front, pki, tmp_path, upstream):
    """A route that asks late uses the certificate of the handshake."""
    gateway = front(http2="on", routes=(("/shaken", {"when": "handshake", "require": LAX}),))
    argv = ["curl", "-sS", "--http2", "--cacert", str(pki / "ca.pem"), "--cert", str(tmp_path / "stranger.pem"), "--key",
            str(tmp_path / "stranger.key"), "-w", "%{http_version}", gateway.url("/shaken"), gateway.url("/late")]  # fmt: skip
    assert subprocess.run(argv, capture_output=True, timeout=60, check=True).stdout == b"ok2ok2"
    for target in ("/shaken", "/late"):
        check_marked(upstream.take(), tmp_path / "stranger.pem", NO_ISSUER)
        record = gateway.record(target)
        assert (record["certificate"], record["unverified"]["subject"]) == (None, "CN=Stranger")


@TLS
def test_after_a_response(tls, front, pki, tmp_path, upstream):
    gateway = front(routes=(("/after", {"when": "response", "require": LAX}),))
    with Raw(gateway, ctx=context_of(pki, tls, tmp_path, "stranger")) as client:
        assert client.ask("GET", "/after/1").status == 200
        assert upstream.take().get(b"x-ssl-client-verify") == [b"NONE"]
        for target in ("/after/2", "/after/3"):
            assert client.ask("GET", target).status == 200
            check_marked(upstream.take(), tmp_path / "stranger.pem", NO_ISSUER)


@TLS
def test_a_revoked_certificate_goes_on_with_its_reason(tls, front, pki, tmp_path, upstream):
    authority = Authority(tmp_path, "revoking")
    authority.client("gone")
    crl = tmp_path / "crl.pem"
    crl.write_text(authority.crl(authority.issuing, tmp_path / "gone.pem") + authority.crl(authority.root))
    gateway = front(ca=str(authority.root), crl=str(crl))
    with Raw(gateway, ctx=context_of(pki, tls, tmp_path, "gone")) as client:
        assert client.ask("GET", "/late").status == 200
    check_marked(upstream.take(), tmp_path / "gone.pem", b"certificate revoked")


@TLS
def test_allow_rules_match_no_unverified_certificate(tls, front, pki, tmp_path):
    rule = {"when": "request", "require": LAX, "allow": "[ 'subject=CN=Stranger' ]"}
    with Raw(front(routes=(("/ruled", rule),)), ctx=context_of(pki, tls, tmp_path, "stranger")) as client:
        refused = client.ask("GET", "/ruled")
    assert (refused.status, refused.json()["reason"]) == (403, "untrusted")


def test_check_prints_the_same(front, pki, tmp_path, upstream):
    gateway = front()
    with Raw(gateway, ctx=context_of(pki, "1.3", tmp_path, "stranger")) as client:
        client.send(b"GET /late HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert client.read().status == 200
    really = [(name.decode(), value.decode().replace("127.0.0.1", "192.0.2.1")) for name, value in upstream.take().fields]
    argv = [str(binary()), "check", "-c", str(tmp_path / "thaw.yaml"), "--json", "--request", "GET https://localhost/late",
            "--certificate", str(tmp_path / "stranger.pem")]  # fmt: skip
    decision = json.loads(subprocess.run(argv, capture_output=True, timeout=60, check=True).stdout)["decision"]
    assert [tuple(field) for field in decision["sent"]["fields"]] == really
    assert all(c["unverified"] and not c["identity"] for c in decision["clients"] if c["allowed"] and c["verdict"] == "rejected")


def test_inspect_marks_it_as_unverified(serve, pki, tmp_path):
    make_stranger(tmp_path)
    gateway = serve(routes=(("/lax", {"when": "request", "require": LAX}),))
    with Raw(gateway, ctx=context_of(pki, "1.3", tmp_path, "stranger")) as client:
        report = client.ask("GET", "/lax").json()
    assert report["certificate"] is None and report["unverified"]["subject"] == "CN=Stranger"
