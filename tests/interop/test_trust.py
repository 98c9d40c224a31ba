"""Which client certificates are accepted: CRLs, expensive chains, many CAs."""

import pytest

from harness.pki import Authority, make_many
from harness.rawtls import Raw, context

TLS = pytest.mark.parametrize("tls", ("1.2", "1.3"))


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path, "tested")


def hosts(serve, **certificate):
    """The default host asks late, the other one asks at the handshake."""
    return serve(
        certificate={"when": "request", **certificate},
        hosts=(("handshake.localhost", {"when": "handshake", **certificate}),),
    )


def client_context(pki, tls, authority, name):
    ctx = context(pki, tls, identity=None)
    ctx.load_cert_chain(str(authority.folder / f"{name}.pem"), str(authority.folder / f"{name}.key"))
    return ctx


@TLS
@pytest.mark.parametrize("check", ("chain", "leaf"))
def test_revoked_intermediate(check, tls, serve, pki, authority):
    """A certificate below a CA that the root has revoked is rejected on each connection."""
    name = authority.client("below-revoked")
    crl = authority.folder / "crls.pem"
    crl.write_text(authority.crl(authority.root, authority.issuing) + authority.crl(authority.issuing))
    gateway = hosts(serve, ca=str(authority.root), crl=str(crl), crl_check=check)
    ctx = client_context(pki, tls, authority, name)
    for host in "localhost", "handshake.localhost":
        session = None
        for _ in range(2):
            with Raw(gateway, ctx=ctx, host=host, session=session) as client:
                response = client.ask("PUT", "/late", b"hello")
                assert response.status == 403
                assert response.json()["reason"] == "untrusted"
                session = client.tls.session


@TLS
def test_not_revoked(tls, serve, pki, authority):
    name = authority.client("not-revoked")
    crl = authority.folder / "crls.pem"
    crl.write_text(authority.crl(authority.root) + authority.crl(authority.issuing))
    gateway = hosts(serve, ca=str(authority.root), crl=str(crl))
    ctx = client_context(pki, tls, authority, name)
    for host in "localhost", "handshake.localhost":
        session = None
        for _ in range(2):
            with Raw(gateway, ctx=ctx, host=host, session=session) as client:
                assert client.ask("PUT", "/late", b"hello").status == 200
                session = client.tls.session


@TLS
def test_many_cas(tls, serve, pki, authority):
    """Names that do not fit into a CertificateRequest are omitted, and the request succeeds."""
    many = make_many(authority.folder, 100)
    many.write_text(many.read_text() + authority.root.read_text())
    gateway = hosts(serve, ca=str(many))
    assert gateway.wait_messages("no-ca-names", "warning", many)
    ctx = client_context(pki, tls, authority, authority.client("one-of-many"))
    for host in "localhost", "handshake.localhost":
        with Raw(gateway, ctx=ctx, host=host) as client:
            assert client.ask("PUT", "/late", b"hello").status == 200


@TLS
def test_long_chain(tls, serve, pki, authority):
    """A Certificate message larger than max_cert_list ends that connection only."""
    gateway = hosts(serve, ca=str(authority.root), max_cert_list="1KiB")
    ctx = client_context(pki, tls, authority, authority.client("long"))
    file = authority.folder / "long.pem"
    file.write_text(file.read_text() + authority.issuing.read_text() * 4)
    long = client_context(pki, tls, authority, "long")
    with pytest.raises(OSError), Raw(gateway, ctx=long, host="handshake.localhost") as client:
        client.ask("GET", "/")
    with Raw(gateway, ctx=ctx) as client:
        assert client.ask("GET", "/late").status == 200


def visit_twice(gateway, ctx, status):
    """Visits a host that asks late and one that asks at the handshake, each twice; the second time with the first
    session."""
    for host in "localhost", "handshake.localhost":
        session = None
        for _ in range(2):
            with Raw(gateway, ctx=ctx, host=host, session=session) as client:
                assert client.ask("PUT", "/late", b"hello").status == status
                session = client.tls.session


@TLS
@pytest.mark.parametrize("partial", (False, True))
def test_intermediate_as_anchor(partial, tls, serve, pki, authority):
    """An intermediate CA without its root is accepted as an anchor only with partial_chain."""
    gateway = hosts(serve, ca=str(authority.issuing), partial_chain=str(partial).lower())
    visit_twice(gateway, client_context(pki, tls, authority, authority.client("below")), 200 if partial else 403)


@TLS
@pytest.mark.parametrize("purpose", ("client", "any"))
def test_certificate_of_a_server(purpose, tls, serve, pki, authority):
    """A certificate with serverAuth only is accepted only with purpose: any."""
    name = authority.client("server-only", usage="serverAuth")
    gateway = hosts(serve, ca=str(authority.root), purpose=purpose)
    visit_twice(gateway, client_context(pki, tls, authority, name), 200 if purpose == "any" else 403)
