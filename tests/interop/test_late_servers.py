"""What real servers do with a late certificate and a body, to the byte: this is what `thaw probe` must detect, and what
a client can avoid. Each test uploads to a server of harness/late_servers.py."""

import hashlib
import subprocess
from dataclasses import dataclass

import pytest
from harness.rawtls import Raw

KIB, MIB = 2**10, 2**20
LATE, OPEN = "/late/x", "/open/x"
APACHE_LIMIT = 128 * KIB  # the default of SSLRenegBufferSize
TOMCAT_LIMIT = 4 * KIB  # the default of maxSavePostSize
STALL_S = 3  # frozen after this time without bytes from the server; a slower machine waits longer, with the same result
TLS = ("1.2", "1.3")
SUBJECT = "CN=Thaw Demo Client"


@dataclass
class Client:
    """Does uploads, each on a new connection."""

    server: object
    tls: str

    def connect(self, **identity):
        return Raw(self.server, self.tls, **identity)

    def upload(self, size, method="PUT", target=LATE, first=()):
        """Returns the response's status; a 200 must report the whole body. `first`: requests without a body that go
        first, on the same connection."""
        with self.connect() as raw:
            for each in first:
                assert raw.ask("GET", each).status == 200
            return self.judge(raw.ask(method, target, b"x" * size), size)

    @staticmethod
    def judge(response, size):
        if response.status == 200:
            report = response.json()
            assert report["body_bytes"] == size
            assert report["body_sha256"] == hashlib.sha256(b"x" * size).hexdigest()
        return response.status

    def expect(self, size):
        """With Expect: 100-continue, and waits for the 100. 'frozen': no response arrived in time."""
        with self.connect() as raw:
            raw.tls.settimeout(STALL_S)
            raw.send(raw.head("PUT", LATE, f"Content-Length: {size}", "Expect: 100-continue"))
            response = self.read(raw)
            if response != "frozen" and response.status == 100:
                raw.send(b"x" * size)
                response = self.read(raw)
            return response if response == "frozen" else self.judge(response, size)

    def expect_eagerly(self, size):
        """With Expect: 100-continue, and the body immediately after the head, in its own TLS record."""
        with self.connect() as raw:
            raw.send(raw.head("PUT", LATE, f"Content-Length: {size}", "Expect: 100-continue"), b"x" * size)
            response = raw.read()
            while response.status == 100:
                response = raw.read()
            return self.judge(response, size)

    def upload_and_wait(self, size):
        """Like upload(), or 'frozen'."""
        with self.connect() as raw:
            raw.tls.settimeout(STALL_S)
            raw.send(raw.head("PUT", LATE, f"Content-Length: {size}"), b"x" * size)
            response = self.read(raw)
            return response if response == "frozen" else self.judge(response, size)

    @staticmethod
    def read(raw):
        try:
            return raw.read()
        except AssertionError as stalled:
            assert "frozen" in str(stalled)
            return "frozen"

    def dies_without_a_certificate(self):
        """The connection ends before any response."""
        with self.connect(identity=None) as raw, pytest.raises(OSError):
            raw.ask("GET", LATE)
        return True


@pytest.fixture
def client(late_server):
    """client('tomcat', '1.2', limit=...): a Client for that server over TLS 1.2."""

    def made(kind, version, /, **settings):
        return Client(late_server(kind, **settings), version)

    return made


def takes_any_method(client):
    return all(client.upload(1000, method, target) == 200
               for method in ("PUT", "POST", "OPTIONS", "GET") for target in (LATE, OPEN))


@pytest.mark.parametrize("tls", TLS)
def test_apache(tls, client):
    apache = client("apache", tls)
    assert takes_any_method(apache)
    assert apache.upload(MIB, target=OPEN) == 200
    assert apache.upload(APACHE_LIMIT) == 200
    assert apache.upload(APACHE_LIMIT + 1) == 413
    assert apache.upload(50 * MIB) == 413
    assert apache.upload(50 * MIB, first=(LATE,)) == 200
    assert apache.dies_without_a_certificate()


@pytest.mark.parametrize("tls", TLS)
def test_apache_and_expect(tls, client):
    """A client that waits for the 100 can upload any size. If it sends the body at once, Expect makes things worse."""
    apache = client("apache", tls)
    assert [apache.expect(size) for size in (1, APACHE_LIMIT + 1, 10 * MIB)] == [200, 200, 200]
    assert [apache.expect_eagerly(size) for size in (KIB, MIB)] == [403, 403]


@pytest.mark.parametrize("tls", TLS)
def test_apache_with_one_version_only(tls, client):
    apache = client("apache", tls, tls=tls)
    assert (apache.upload(APACHE_LIMIT), apache.upload(APACHE_LIMIT + 1)) == (200, 413)


def test_apache_cannot_ask_a_client_without_post_handshake_authentication(client):
    with client("apache", "1.3").connect(pha=False) as raw:
        assert raw.ask("GET", LATE).status == 403


@pytest.mark.parametrize("tls", TLS)
def test_apache_with_a_raised_limit(tls, client):
    apache = client("apache", tls, limit=64 * MIB)
    assert (apache.upload(64 * MIB), apache.upload(64 * MIB + 1)) == (200, 413)


@pytest.mark.parametrize("tls", TLS)
@pytest.mark.parametrize("kind", ("apache", "tomcat"))
def test_at_the_handshake(kind, tls, client):
    server = client(kind, tls, ask="handshake")
    assert server.upload(50 * MIB) == 200
    with pytest.raises(OSError), server.connect(identity=None) as raw:
        raw.ask("GET", OPEN)


def curl(server, *arguments):
    """Returns (exit code, HTTP version, status)."""
    done = subprocess.run(
        ["curl", "-sS", "--noproxy", "*", "--ipv4", "--cacert", str(server.pki / "ca.pem"),
         "--cert", str(server.pki / "client.pem"), "--key", str(server.pki / "client.key"),
         "-o", "/dev/null", "-w", "%{http_version} %{http_code}", *arguments],
        capture_output=True, timeout=60, text=True)  # fmt: skip
    version, _, status = done.stdout.partition(" ")
    return done.returncode, version, int(status)


def test_apache_and_http2(late_server):
    """The stream ends with HTTP_1_1_REQUIRED (RFC 9113 9.2.3), and curl repeats the request over HTTP/1.1."""
    server = late_server("apache", http2=True)
    assert curl(server, server.url(OPEN)) == (0, "2", 200)
    assert curl(server, server.url(LATE)) == (0, "1.1", 200)


def test_curl_and_apache(late_server, payloads):
    """Apache sends the 100 when it has the certificate. curl 8 waits for it only if the body is above 1 MiB, and only
    for one second."""
    server = late_server("apache")
    upload = ("--expect100-timeout", "60", "-T", str(payloads["50m"].path), server.url(LATE))
    assert curl(server, *upload) == (0, "1.1", 200)
    assert curl(server, "-H", "Expect:", *upload)[2] == 413


def test_tomcat(client):
    tomcat = client("tomcat", "1.2", tls="1.2")
    assert takes_any_method(tomcat)
    assert tomcat.upload(MIB, target=OPEN) == 200
    assert tomcat.upload(TOMCAT_LIMIT) == 200
    assert tomcat.upload(TOMCAT_LIMIT + 1) == 401
    assert tomcat.upload(50 * MIB) == 401
    assert tomcat.upload(50 * MIB, first=(LATE,)) == 200
    assert tomcat.dies_without_a_certificate()


def test_tomcat_and_expect(client):
    """Tomcat waits for the body before it sends the 100, and the client waits for the 100, until connectionTimeout."""
    tomcat = client("tomcat", "1.2", tls="1.2")
    assert tomcat.expect(1) == "frozen"
    assert client("tomcat", "1.2", tls="1.2", patience=1000).expect(1) == 401
    assert (tomcat.expect_eagerly(TOMCAT_LIMIT), tomcat.expect_eagerly(TOMCAT_LIMIT + 1)) == (200, 401)


def test_tomcat_with_tls13(client):
    """JSSE cannot ask after the handshake, whatever the client offers."""
    tomcat = client("tomcat", "1.3", tls="1.3")
    assert tomcat.upload(1000, target=OPEN) == 200
    assert [tomcat.upload(size) for size in (0, 1, MIB)] == [401, 401, 401]


def test_tomcat_with_a_raised_limit(client):
    tomcat = client("tomcat", "1.2", tls="1.2", limit=64 * KIB)
    assert (tomcat.upload(64 * KIB), tomcat.upload(64 * KIB + 1)) == (200, 401)


def test_tomcat_without_a_limit(client):
    assert client("tomcat", "1.2", tls="1.2", limit=-1).upload(50 * MIB) == 200


def test_node(client):
    node = client("node", "1.2")
    assert takes_any_method(node)
    assert node.upload_and_wait(16 * KIB) == 200
    assert node.upload_and_wait(MIB) == "frozen"
    assert node.upload(50 * MIB, first=(LATE,)) == 200
    with node.connect(identity=None) as raw:
        assert raw.ask("GET", LATE).status == 403


def test_node_and_expect(client):
    """Node sends its 100 at once, before it calls the handler: waiting for it does not help."""
    node = client("node", "1.2")
    assert (node.expect(16 * KIB), node.expect(MIB)) == (200, "frozen")


def test_node_that_drains(client):
    node = client("node", "1.2", drain=True)
    assert (node.upload(50 * MIB), node.expect(MIB)) == (200, 200)


def test_node_with_tls13(client):
    node = client("node", "1.3", tls="1.3")
    assert (node.upload(1000), node.upload(1000, target=OPEN)) == (403, 200)


def test_node_at_the_handshake(client):
    assert client("node", "1.3", tls="1.3", ask="handshake").upload(50 * MIB) == 200


@pytest.mark.parametrize("tls", TLS)
@pytest.mark.parametrize("ask", ("on", "optional"))
def test_nginx(ask, tls, client):
    """nginx asks at the handshake, so nothing depends on the body; without a certificate it can still answer."""
    nginx = client("nginx", tls, ask=ask)
    assert takes_any_method(nginx)
    assert nginx.upload(50 * MIB) == 200
    assert nginx.expect(MIB) == 200
    with nginx.connect(identity=None) as raw:
        assert raw.ask("GET", OPEN).status == (400 if ask == "on" else 200)
        if ask == "optional":
            assert raw.ask("GET", LATE).status == 403


@pytest.mark.parametrize("tls", TLS)
@pytest.mark.parametrize("read_ahead", (0, 1023, 48 * KIB))
def test_frozen(read_ahead, tls, client):
    """It freezes if the body is at least one byte longer than its read-ahead."""
    frozen = client("frozen", tls, read_ahead=read_ahead)
    if read_ahead > 0:
        assert frozen.upload(read_ahead) == 200
    assert frozen.upload_and_wait(read_ahead + 1) == "frozen"


@pytest.mark.parametrize("tls", TLS)
def test_frozen_gives_up(tls, client):
    with client("frozen", tls, read_ahead=0, give_up=1).connect() as raw:
        raw.send_request("PUT", LATE, b"x" * 100)
        with pytest.raises(OSError):
            raw.read()


@pytest.mark.parametrize("tls", TLS)
def test_frozen_is_cured_by_priming_and_by_expect(tls, client):
    frozen = client("frozen", tls, read_ahead=0)
    assert all(frozen.upload(1000, method, "/") == 200 for method in ("PUT", "POST", "OPTIONS", "GET"))
    assert frozen.upload(0) == 200
    assert frozen.upload(50 * MIB, first=(LATE,)) == 200
    assert frozen.upload(50 * MIB, first=("/", LATE, LATE, "/")) == 200
    assert [frozen.expect(size) for size in (1, 50 * MIB)] == [200, 200]


@pytest.mark.parametrize("tls", TLS)
def test_frozen_serves_side_by_side(tls, client):
    """A frozen connection does not block others."""
    frozen = client("frozen", tls)
    with frozen.connect() as held:
        held.send_request("PUT", LATE, b"x" * MIB)
        assert frozen.upload(1000) == 200


def test_frozen_and_chunks(client):
    """Small chunks, and a request after them in the same write."""
    frozen = client("frozen", "1.3")
    with frozen.connect() as raw:
        chunks = b"".join(b"%x\r\n" % n + b"x" * n + b"\r\n" for n in (1, 2, 300)) + b"0\r\n\r\n"
        raw.send(raw.head("PUT", LATE, "Transfer-Encoding: chunked") + chunks + raw.head("GET", LATE))
        assert frozen.judge(raw.read(), 303) == 200
        assert frozen.judge(raw.read(), 0) == 200


@pytest.mark.parametrize("tls", TLS)
def test_frozen_without_a_certificate(tls, client):
    """The server refuses, and the connection continues."""
    with client("frozen", tls).connect(identity=None) as raw:
        response = raw.ask("PUT", LATE, b"x" * 100)
        assert (response.status, response.json()) == (403, {"error": "no-certificate"})
        assert raw.ask("GET", "/").status == 200


def test_frozen_and_a_client_that_cannot_be_asked(client):
    with client("frozen", "1.3").connect(pha=False) as raw:
        response = raw.ask("PUT", LATE, b"x" * 100)
        assert (response.status, response.json()) == (403, {"error": "no-post-handshake-auth"})


def test_frozen_and_a_stranger(client):
    with client("frozen", "1.3").connect(identity="stranger") as raw:
        response = raw.ask("GET", LATE)
        assert (response.status, response.json()) == (403, {"error": "untrusted"})


@pytest.mark.parametrize("kind, tls", (("apache", "1.3"), ("apache", "1.2"), ("nginx", "1.3")))
def test_who_sent_it(kind, tls, client):
    with client(kind, tls).connect() as raw:
        assert raw.ask("GET", LATE).json()["fields"]["x-ssl-client-s-dn"] == SUBJECT
