"""Session tickets are bound to the host and its trust (CVE-2025-23048, CVE-2025-23419)."""

import contextlib

import pytest

from harness.gateway import Settings, binary
from harness.pki import Authority
from harness.process import run
from harness.rawtls import Raw, context
from harness.upload import LIMIT



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


@pytest.fixture(scope="module")
def presented(pki, chained):
    """Names of client certificates, each of which some trusts accept and others do not."""
    return {
        "client": "client",
        "stranger": "stranger",
        "below": chained.client("below-trusts"),
        "server-only": chained.client("server-only-trusts", usage="serverAuth"),
    }


def trusts(pki, chained):
    """Routes of which no two judge all of these certificates alike."""
    one, root, issuing = ({"when": "request", "ca": str(ca)} for ca in (pki / "ca.pem", chained.root, chained.issuing))
    return {
        "/one": one,
        "/root": root,
        "/any": {**root, "purpose": "any"},
        "/issuing": issuing,
        "/partial": {**issuing, "partial_chain": "true"},
        "/lax": {**root, "require": "optional-unverified"},
        "/lax-issuing": {**issuing, "require": "optional-unverified"},
    }


def visit(gateway, ctx, host, path, session=None):
    """What a request gets, and the session after it."""
    with Raw(gateway, ctx=ctx, host=host, session=session) as client:
        status = client.ask("PUT", path, b"hello").status
        with contextlib.suppress(ConnectionError):  # a refusal may end the connection
            client.ask("GET", "/open")  # all tickets have now been read
        record = gateway.record(path)
        identity = record["certificate"] and record["certificate"]["sha256"]
        unverified = record.get("unverified") and record["unverified"]["sha256"]
        ask = record["ask"]
        result = (status, identity, unverified, ask["verdict"], ask["detail"])
        return result, client.tls.session, client.tls.session_reused


@pytest.mark.parametrize("tls", ("1.2", "1.3"))
@pytest.mark.parametrize("name", ("client", "stranger", "below", "server-only"))
def test_a_resumed_session_gets_at_each_trust_what_a_new_connection_gets(name, tls, serve, pki, chained, presented):
    """Also if another trust, the same CA without a verdict, or another host has accepted or refused its certificate."""
    routes = trusts(pki, chained)
    gateway = serve(certificate={"when": "never"}, routes=(("/open", {"when": "never"}), *routes.items()),
                    hosts=(("handshake.localhost", {**routes["/lax"], "when": "handshake"}),))  # fmt: skip
    ctx, number, reused = context(pki, tls, identity=presented[name]), 0, 0
    fresh = {path: visit(gateway, ctx, "localhost", f"{path}/fresh")[0] for path in routes}
    assert len(set(fresh.values())) > 1
    for first in (*routes, None):
        for second in routes:
            number += 1
            host, path = ("localhost", first) if first is not None else ("handshake.localhost", "")
            _, session, _ = visit(gateway, ctx, host, f"{path}/before/{number}")
            resumed, _, again = visit(gateway, ctx, "localhost", f"{second}/after/{number}", session)
            reused += again
            assert resumed == fresh[second], (first, second)
    assert reused > 0 or tls == "1.2"  # over TLS 1.2 the session after a renegotiation is a new one


@pytest.mark.parametrize("tls", ("1.2", "1.3"))
def test_after_a_reload_a_resumed_session_gets_what_a_new_connection_gets(tls, serve, pki, tmp_path, chained, presented):
    keys = tmp_path / "ticket.keys"
    keys.touch(0o600)
    keys.write_text(80 * "5a" + "\n")
    settings = [{"certificate": trust, "routes": (("/open", {"when": "never"}),), "top": {"ticket_keys": str(keys)}}
                for path, trust in trusts(pki, chained).items() if path != "/one"]  # fmt: skip
    texts = [Settings(pki, spool={"directory": str(tmp_path)}, **made).text() for made in settings]
    gateway, ctxs, number, reused = serve(**settings[0]), {}, 0, 0
    for name in ("client", "below", "server-only"):
        ctxs[name] = context(pki, tls, identity=presented[name])

    def load(index):
        (tmp_path / "thaw0.yaml").write_text(texts[index])
        code, _, err, late = run([str(binary()), "reload", str(gateway.process.pid)], LIMIT)
        assert (code, late) == (0, False), err

    def visits(sessions):
        nonlocal number
        number += 1
        return {name: visit(gateway, ctx, "localhost", f"/{number}/{name}", sessions.get(name)) for name, ctx in ctxs.items()}

    for first in range(len(settings)):
        for second in range(len(settings)):
            load(first)
            sessions = {name: session for name, (_, session, _) in visits({}).items()}
            load(second)
            fresh, resumed = visits({}), visits(sessions)
            assert {name: seen[0] for name, seen in resumed.items()} == {name: seen[0] for name, seen in fresh.items()}, (first, second)
            reused += sum(seen[2] for seen in resumed.values())
    assert reused > 0 or tls == "1.2"
