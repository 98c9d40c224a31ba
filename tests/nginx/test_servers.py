"""Server blocks as operators write them: names, certificates, protocols, listeners."""

import socket
import ssl
import subprocess

import pytest
from harness.pki import Authority
from harness.rawtls import LIMIT, Raw, context
from server import PROGRAM

VERSIONS = ("1.2", "1.3")
LISTEN = "listen 127.0.0.1:{port} ssl;"
CA = "thaw_certificate_authority {pki}/ca.pem;"
LATE = "location / {{ thaw_client_certificate request; proxy_pass http://app; }}"
VERSION = tuple(map(int, subprocess.run([PROGRAM, "-v"], capture_output=True, text=True).stderr.split("/")[1].split()[0].split(".")))


class Named(Raw):
    """Says this name in its handshake and in Host; the certificate is localhost's, and is not compared."""

    def __init__(self, one, tls, name, **more):
        ctx = context(one.pki, tls, **more)
        ctx.check_hostname = False
        super().__init__(one, host=name, ctx=ctx)


def statuses(one, tls, *names, **more):
    found = []
    for name in names:
        with Named(one, tls, name, **more) as client:
            found.append(client.ask("GET", f"/{name}").status)
    return found


@pytest.mark.parametrize("tls", VERSIONS)
def test_server_blocks_of_one_address_have_each_their_trust(nginx, tls):
    other = CA.replace("ca.pem", "stranger-ca.pem")
    one = nginx(
        LISTEN + "server_name plain.test; location / {{ return 204; }}",
        LISTEN + "server_name ours.test *.ours.test;" + CA + LATE,
        LISTEN + "server_name ~^(?<who>[a-z]+)\\.regex\\.test$;" + CA + LATE.replace("proxy_pass", "proxy_set_header X-Who $who; proxy_pass"),
        LISTEN + "server_name .theirs.test;" + other + LATE,
    )
    assert statuses(one, tls, "ours.test", "a.ours.test", "theirs.test", "b.theirs.test", "plain.test", "unknown.test") == [200, 200, 403, 403, 204, 204]
    assert statuses(one, tls, "ours.test", "theirs.test", identity="stranger") == [403, 200]
    with Named(one, tls, "some.regex.test") as client:
        assert client.ask("GET", "/").json()["fields"]["x-who"] == "some"
        client.host = "theirs.test"
        assert client.ask("GET", "/").status == 421
        client.host = "plain.test"
        assert client.ask("GET", "/").status == 204


def sent_sni(one, name, host):
    """The status of a request for this host, over TLS 1.2, after a handshake that named `name`, which may not be a name."""
    argv = ["timeout", "40", "openssl", "s_client", "-quiet", "-tls1_2", "-connect", f"127.0.0.1:{one.port}", "-servername", name, "-cert", one.pki / "client.pem", "-key", one.pki / "client.key"]
    asked = f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    client = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    with client:
        client.stdin.write(asked)
        client.stdin.flush()
        return int(client.stdout.readline().split()[1])


def test_server_name_is_read_as_nginx_reads_it(nginx):
    """A port and a dot at its end do not count. nginx ignores what cannot be a name: the server block is the default."""
    one = nginx(LISTEN + "server_name plain.test; location / {{ return 204; }}", LISTEN + "server_name ours.test *.ours.test [::1];" + CA + LATE)
    for name in ("ours.test", "ours.test:443", "OURS.test.:443", "a.ours.test.", "[::1]:443"):
        assert sent_sni(one, name, "ours.test") == 200, name
    for name in ("a..ours.test", "a/b.ours.test", "a b.ours.test", "ours.test:443.", ":ours.test", "."):
        assert sent_sni(one, name, "plain.test") == 204, name
        if name != "ours.test:443.":
            assert sent_sni(one, name, "ours.test") == 421, name


@pytest.mark.parametrize("tls", VERSIONS)
def test_default_server_that_rejects_handshakes(nginx, tls):
    """It has no certificate of its own, and its SSL_CTX sees each ClientHello."""
    one = nginx(
        "listen 127.0.0.1:{port} ssl default_server; ssl_reject_handshake on;",
        LISTEN + "server_name ours.test;" + CA + LATE,
    )
    assert statuses(one, tls, "ours.test") == [200]
    with pytest.raises(ssl.SSLError):
        Named(one, tls, "unknown.test")
    one = nginx(LISTEN + "server_name ours.test;" + CA + LATE, LISTEN + "server_name closed.test; ssl_reject_handshake on;" + CA + LATE)
    assert statuses(one, tls, "ours.test") == [200]
    with pytest.raises(ssl.SSLError):
        Named(one, tls, "closed.test")


@pytest.mark.parametrize("tls", VERSIONS)
def test_server_certificate_chosen_by_name(nginx, tls):
    """ssl_certificate with a variable: nginx chooses it once, in the first handshake."""
    one = nginx(LISTEN + "server_name localhost;" + CA + "ssl_certificate {pki}/$which.pem; ssl_certificate_key {pki}/$which.key;" + LATE, http="map $ssl_server_name $which {{ default nowhere; localhost server; }}")
    with Raw(one, tls) as client:
        assert client.ask("PUT", "/", b"x" * 100_000).json()["fields"]["x-verify"] == "SUCCESS"
        assert client.ask("GET", "/again").status == 200


@pytest.mark.parametrize("protocols, pha, version, status", [
    ("TLSv1.2", True, "TLSv1.2", 200),
    ("TLSv1.2", False, "TLSv1.2", 200),
    ("TLSv1.3", True, "TLSv1.3", 200),
    ("TLSv1.3", False, "TLSv1.3", 403),
    ("TLSv1.2 TLSv1.3", True, "TLSv1.3", 200),
    ("TLSv1.2 TLSv1.3", False, "TLSv1.2", 200),
])  # fmt: skip
def test_protocols(nginx, protocols, pha, version, status):
    one = nginx(LISTEN + f"server_name localhost; ssl_protocols {protocols};" + CA + LATE)
    with Raw(one, pha=pha) as client:
        assert client.tls.version() == version
        assert client.ask("PUT", "/", b"x" * 100_000).status == status


@pytest.mark.parametrize("tls", VERSIONS)
@pytest.mark.parametrize("sessions", ("ssl_session_tickets off;", "ssl_session_cache shared:s:1m;", "ssl_session_cache builtin;", "ssl_session_cache off; ssl_session_tickets off;", "ssl_session_cache shared:s:1m; ssl_session_tickets off;"))
def test_session_settings(nginx, sessions, tls):
    """Whatever is resumed: the second connection's request is accepted."""
    one = nginx(LISTEN + "server_name localhost;" + CA + sessions + LATE + "location /plain {{ return 204; }}")
    ctx = context(one.pki, tls)
    with Raw(one, ctx=ctx) as client:
        assert client.ask("GET", "/plain").status == 204
        before = client.tls.session
        assert client.ask("GET", "/1").status == 200
        after = client.tls.session
    for number, session in enumerate((before, after, None)):
        with Raw(one, ctx=ctx, session=session) as client:
            assert client.ask("PUT", f"/{number}", b"x" * 100_000).json()["fields"]["x-verify"] == "SUCCESS"


@pytest.mark.parametrize("command", ("Options -SessionTicket", "Options PrioritizeChaCha", "Options ServerPreference,NoResumptionOnRenegotiation", "SignatureAlgorithms ECDSA+SHA256:RSA+SHA256", "Ciphersuites TLS_AES_256_GCM_SHA384", "Groups P-256", "NumTickets 0"))
@pytest.mark.parametrize("tls", VERSIONS)
def test_ssl_conf_commands_beside(nginx, command, tls):
    one = nginx(LISTEN + f"server_name localhost; ssl_conf_command {command};" + CA + LATE)
    with Raw(one, tls) as client:
        assert client.ask("PUT", "/", b"x" * 100_000).json()["fields"]["x-verify"] == "SUCCESS"
        assert client.ask("GET", "/2").status == 200


@pytest.mark.parametrize("tls", VERSIONS)
def test_renegotiation_that_openssl_forbids_is_a_readable_answer_or_allowed(nginx, tls):
    """`Options NoRenegotiation` is for clients' own; the ask is the server's."""
    one = nginx(LISTEN + "server_name localhost; ssl_conf_command Options NoRenegotiation;" + CA + LATE)
    with Raw(one, tls) as client:
        assert client.ask("GET", "/").status == 200


@pytest.mark.parametrize("tls", VERSIONS)
def test_listener_with_proxy_protocol(nginx, tls):
    one = nginx("listen 127.0.0.1:{port} ssl proxy_protocol; server_name localhost; proxy_set_header X-From $proxy_protocol_addr;" + CA + LATE)
    ctx = context(one.pki, tls)
    plain = socket.create_connection(("127.0.0.1", one.port), timeout=LIMIT)
    plain.sendall(b"PROXY TCP4 192.0.2.7 192.0.2.8 1234 443\r\n")
    with ctx.wrap_socket(plain, server_hostname="localhost") as tls_socket:
        tls_socket.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        got = b""
        while more := tls_socket.recv(65536):
            got += more
    assert got.startswith(b"HTTP/1.1 200 ") and b"192.0.2.7" in got and one.record("/")["verify"] == "SUCCESS"


def test_listener_on_a_unix_socket(nginx):
    one = nginx("listen unix:{folder}/s ssl; server_name localhost;" + CA + LATE, LISTEN + "server_name other; location / {{ return 204; }}")
    argv = ["curl", "-sS", "--http1.1", "-m", "60", "--unix-socket", f"{one.folder}/s", "--cacert", f"{one.pki}/ca.pem", "--cert", f"{one.pki}/client.pem", "--key", f"{one.pki}/client.key"]
    done = subprocess.run([*argv, "-o", "/dev/null", "-w", "%{http_code}", "https://localhost/"], capture_output=True, text=True)
    assert done.stdout == "200", done


def _curl(one, target, *more):
    argv = ["curl", "-sS", "-m", "60", "--http2", "--cacert", f"{one.pki}/ca.pem", "--cert", f"{one.pki}/client.pem", "--key", f"{one.pki}/client.key", *more]
    return subprocess.run([*argv, "-o", "/dev/null", "-w", "%{http_version} %{http_code}", one.url(target)], capture_output=True, text=True).stdout


@pytest.mark.parametrize("say", ("listen", pytest.param("http2 on;", marks=pytest.mark.skipif(VERSION < (1, 25, 1), reason="the directive is newer"))))
def test_http2_either_way(nginx, say):
    listen = "listen 127.0.0.1:{port} ssl http2;" if say == "listen" else LISTEN + say
    one = nginx(listen + "server_name localhost;" + CA + LATE + "location /plain {{ proxy_pass http://app; }}")
    assert _curl(one, "/plain") == "2 200"
    assert _curl(one, "/late") == "1.1 200"
    assert _curl(one, "/post", "-d", "x" * 1000) == "1.1 200"


def test_http2_with_a_certificate_of_the_handshake(nginx):
    """Nobody has to be asked."""
    one = nginx("listen 127.0.0.1:{port} ssl http2; server_name localhost; ssl_verify_client optional; ssl_client_certificate {pki}/ca.pem;" + CA + LATE)
    assert _curl(one, "/late") == "2 200"
    assert _curl(one, "/post", "-d", "x" * 100_000) == "2 200"
    assert one.record("/post")["means"] == "handshake"


@pytest.mark.parametrize("tls", VERSIONS)
def test_expired_crl_rejects_all_certificates(nginx, tmp_path, tls):
    """As nginx's own ssl_crl does."""
    ca = Authority(tmp_path, "one")
    name = ca.client("good")
    old = tmp_path / "old.crl"
    old.write_text(ca.crl(ca.root) + _expired(ca, ca.issuing))
    one = nginx(LISTEN + f"server_name localhost; thaw_certificate_authority {ca.root}; thaw_crl {old};" + LATE)
    ctx = context(one.pki, tls, identity=None)
    ctx.load_cert_chain(tmp_path / f"{name}.pem", tmp_path / f"{name}.key")
    with Raw(one, ctx=ctx) as client:
        assert client.ask("GET", "/").status == 403
    record = one.record("/")
    assert (record["verdict"], record["reason"], record["verify"]) == ("rejected", "untrusted", "FAILED:CRL has expired")


def _expired(ca, issuer):
    """The text of a CRL whose next update is past."""
    config = ca.folder / "old.cnf"
    (ca.folder / "old.db").write_text("")
    (ca.folder / "old.number").write_text("01\n")
    config.write_text(f"[ca]\ndefault_ca=x\n[x]\ndatabase={ca.folder}/old.db\ncrlnumber={ca.folder}/old.number\ndefault_md=sha256\n")
    made = ["openssl", "ca", "-gencrl", "-config", config, "-cert", issuer, "-keyfile", issuer.with_suffix(".key"), "-crl_lastupdate", "20240101000000Z", "-crl_nextupdate", "20240102000000Z"]
    return subprocess.run([*map(str, made)], check=True, capture_output=True, text=True).stdout
