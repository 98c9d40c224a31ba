"""Session tickets are bound to the host and its trust (CVE-2025-23048, CVE-2025-23419)."""

import pytest

from harness.pki import Authority
from harness.rawtls import Raw, context



def two_hosts(serve, pki):
    """Both hosts ask late. The default host trusts the throwaway CA, the other one trusts another CA."""
    return serve(
        certificate={"when": "request"},
        hosts=(("handshake.localhost", {"when": "request", "ca": str(pki / "stranger-ca.pem")}),),
    )


def accepted_session(gateway, ctx, host):
    """A session that was made or renewed with a certificate. Returns it and the certificate's SHA-256."""
    with Raw(gateway, ctx=ctx, host=host) as client:
        answer = client.ask("PUT", "/late", b"hello").json()
        assert answer["certificate"] is not None
        assert client.ask("GET", "/late").status == 200  # all tickets have now been read
        return client.tls.session, answer["certificate"]["sha256"]


def test_same_host(serve, pki):
    """A TLS 1.3 session that is resumed after post-handshake authentication has the certificate immediately."""
    gateway = two_hosts(serve, pki)
    ctx = context(pki, "1.3")
    session, sha256 = accepted_session(gateway, ctx, "localhost")
    with Raw(gateway, ctx=ctx, session=session) as client:
        assert client.tls.session_reused
        certificate = client.ask("PUT", "/late?resumed", b"hello").json()["certificate"]
    assert certificate["sha256"] == sha256
    assert (certificate["ask_ms"], certificate["body_bytes_before_verdict"]) == (0, 0)
    record = gateway.record("/late?resumed")
    assert record["resumed"] is True


@pytest.mark.parametrize("tls", ("1.2", "1.3"))
@pytest.mark.parametrize("first,second", (("localhost", "handshake.localhost"), ("handshake.localhost", "localhost")))
def test_other_host(first, second, tls, serve, pki):
    """A certificate that one host's trust accepted does not count at the other host, which asks and decides itself."""
    gateway = two_hosts(serve, pki)
    ctx = context(pki, tls, identity="client" if first == "localhost" else "stranger")
    session, _ = accepted_session(gateway, ctx, first)
    with Raw(gateway, ctx=ctx, host=second, session=session) as client:
        assert not client.tls.session_reused
        response = client.ask("PUT", "/late", b"hello")
    assert response.status == 403
    assert response.json()["reason"] == "untrusted"


@pytest.mark.parametrize("tls", ("1.2", "1.3"))
def test_other_settings(tls, serve, pki):
    """A ticket of one gateway is not valid at a gateway with other keys."""
    ctx = context(pki, tls)
    session, _ = accepted_session(serve(certificate={"when": "request"}), ctx, "localhost")
    other = serve(certificate={"when": "request", "ca": str(pki / "stranger-ca.pem")})
    with Raw(other, ctx=ctx, session=session) as client:
        assert not client.tls.session_reused
        assert client.ask("GET", "/").status == 403


def test_resumed_without_certificate(thaw):
    """TLS 1.2: an ask works after a resumed handshake that never had a certificate."""
    ctx = context(thaw.pki, "1.2")
    with Raw(thaw, ctx=ctx) as client:
        assert client.ask("GET", "/").status == 200
        session = client.tls.session
    with Raw(thaw, ctx=ctx, session=session) as client:
        assert client.tls.session_reused
        answer = client.ask("PUT", "/late", b"hello").json()
    assert answer["certificate"]["means"] == "renegotiation"


NO_EXTENDED_MASTER = 1  # SSL_OP_NO_EXTENDED_MASTER_SECRET, which Python does not define


def test_without_extended_master_secret(thaw):
    """RFC 7627: only a full handshake makes a later ask safe, so no session is resumed without the extension."""
    ctx = context(thaw.pki, "1.2")
    ctx.options |= NO_EXTENDED_MASTER
    for host, path, means in ("handshake.localhost", "/", "handshake"), ("localhost", "/late", "renegotiation"):
        session = None
        for _ in range(2):
            with Raw(thaw, ctx=ctx, host=host, session=session) as client:
                assert not client.tls.session_reused
                assert client.ask("PUT", path, b"hello").json()["certificate"]["means"] == means
                session = client.tls.session


@pytest.fixture(scope="module")
def chained(pki):
    """An authority whose issuing CA only the clients know; the gateways of these tests have its root."""
    return Authority(pki, "chained")


def asks_at_handshake(serve, authority, **certificate):
    ca = {"ca": str(authority.root), **certificate}
    return serve(certificate={"when": "request", **ca}, hosts=(("handshake.localhost", {"when": "handshake", **ca}),))


@pytest.mark.parametrize("tls", ("1.2", "1.3"))
@pytest.mark.parametrize("host", ("localhost", "handshake.localhost"))
def test_chain_from_the_client(host, tls, serve, pki, chained):
    """A client that sends its intermediate CA's certificate is accepted each time, resumed or not."""
    gateway = asks_at_handshake(serve, chained)
    ctx = context(pki, tls, identity=chained.client("below-issuing"))
    session = None
    for visit in range(3):
        with Raw(gateway, ctx=ctx, host=host, session=session) as client:
            assert client.ask("PUT", f"/late?{visit}", b"hello").status == 200
            assert client.ask("GET", "/late").status == 200
            session = client.tls.session
            if visit > 0 and (tls == "1.3" or host == "handshake.localhost"):
                assert client.tls.session_reused
                assert gateway.record(f"/late?{visit}")["ask"]["means"] == "handshake"


WEAK = {
    "rsa-1024": {"key": ("rsa:1024",)},
    "sha1": {"digest": "sha1"},
}


@pytest.mark.parametrize("tls", ("1.2", "1.3"))
@pytest.mark.parametrize("weakness", WEAK)
def test_too_weak(weakness, tls, serve, pki, chained):
    """A certificate that is too weak is rejected on each connection, by each trust."""
    ca = {"ca": str(chained.root)}
    wide = pki / "wide.pem"
    wide.write_text(chained.root.read_text() + chained.issuing.read_text())
    gateway = serve(
        certificate={"when": "handshake", **ca},
        routes=(
            ("/open", {"when": "never"}),
            ("/late", {"when": "request"}),
            ("/other", {"when": "request", "ca": str(wide)}),
        ),
        hosts=(("handshake.localhost", {"when": "request", **ca}),),
    )
    name = chained.client(f"weak-{weakness}", **WEAK[weakness])
    for host, path in ("localhost", "/"), ("localhost", "/late"), ("localhost", "/other"), ("handshake.localhost", "/"):
        ctx, session = context(pki, tls, identity=None), None
        ctx.set_ciphers("DEFAULT:@SECLEVEL=0")
        ctx.load_cert_chain(str(pki / f"{name}.pem"), str(pki / f"{name}.key"))
        for _ in range(2):
            with Raw(gateway, ctx=ctx, host=host, session=session) as client:
                if host == "localhost":
                    assert client.ask("GET", "/open").status == 200
                response = client.ask("GET", path)
                assert response.status == 403
                assert response.json()["reason"] == "untrusted"
                session = client.tls.session
