"""Real servers behind the gateway: nginx, Apache, Tomcat and Node, each with late certificates and large bodies."""

import base64
import hashlib
import os
import subprocess

import pytest

from harness.rawtls import Raw

TLS = ("1.2", "1.3")
NAMES = ("node", "tomcat", "apache")
LATE = (("/late", {"when": "request"}), ("/body", {"when": "body"}), ("/never", {"when": "never"}))


@pytest.fixture
def behind(serve, upstream):
    """behind('nginx'): starts a gateway in front of that server."""

    def start(name, **more):
        settings = {"routes": LATE, "upstream": "app", "host": {"identity": "[ rfc9440, xfcc, nginx ]"}, **more}
        return serve(upstreams={"app": f"{{ servers: {upstream(name).servers} }}"}, **settings)

    return start


@pytest.mark.parametrize("tls", TLS)
@pytest.mark.parametrize("path", ("/late/x", "/body/x"))
@pytest.mark.parametrize("name", NAMES)
def test_late_upload(name, path, tls, behind, payloads):
    """50 MiB written before anything is read: the upstream gets the complete body with the verified identity."""
    body = payloads["50m"]
    gateway = behind(name)
    with Raw(gateway, tls) as client:
        client.send_request("PUT", path, body.data())
        answer = client.read().json()
        assert (answer["body_bytes"], answer["body_sha256"]) == (body.size, body.sha256)
        assert answer["fields"]["x-ssl-client-s-dn"] == "CN=Thaw Demo Client"
        assert answer["target"] == path
        again = client.ask("GET", "/never").json()
    assert again["fields"].get("x-ssl-client-s-dn") is None
    assert gateway.record(path)["ask"]["verdict"] == "accepted"


@pytest.mark.parametrize("tls", TLS)
def test_late_upload_to_nginx(tls, behind, payloads):
    """nginx stores the file, and serves it."""
    body = payloads["50m"]
    gateway = behind("nginx")
    with Raw(gateway, tls) as client:
        client.send_request("PUT", f"/late/file{tls}", body.data())
        assert client.read().status in (201, 204)
        back = client.ask("GET", f"/late/file{tls}")
        assert hashlib.sha256(back.body).hexdigest() == body.sha256
        assert client.ask("HEAD", f"/late/file{tls}").headers["content-length"] == str(body.size)
        etag = client.ask("HEAD", f"/late/file{tls}").headers["etag"]
        assert client.ask("GET", f"/late/file{tls}", None, f"If-None-Match: {etag}").status == 304
        assert client.ask("DELETE", f"/late/file{tls}").status == 204
        assert client.ask("GET", f"/late/file{tls}").status == 404


@pytest.mark.parametrize("name", (*NAMES, "nginx"))
def test_curl_uploads(name, behind, payloads, pki):
    """curl with Expect: 100-continue, answered by the upstream or by the gateway."""
    gateway = behind(name)
    out = subprocess.run(
        ["curl", "-sS", "--cacert", str(pki / "ca.pem"), "--cert", str(pki / "client.pem"), "--key",
         str(pki / "client.key"), "-T", str(payloads["50m"].path), gateway.url("/late/curl"), "-w", "%{http_code}"],
        capture_output=True, timeout=120, check=True)
    assert out.stdout[-3:] in (b"200", b"201", b"204")
    if name != "nginx":
        assert payloads["50m"].sha256.encode() in out.stdout


@pytest.mark.parametrize("name", NAMES)
def test_chunked_upload(name, behind, payloads):
    """Chunks of any size, with extensions and trailers: the upstream reads the same bytes."""
    data = payloads["1m"].data()
    with Raw(behind(name)) as client:
        client.send(client.head("POST", "/late/x", "Transfer-Encoding: chunked", "Trailer: X-Sum"))
        at, size = 0, 1
        while at < len(data):
            piece = data[at : at + size]
            client.send(f"{len(piece):x};a=b\r\n".encode() + piece + b"\r\n")
            at, size = at + len(piece), size * 3 % 65537 + 1
        client.send(b"0\r\nX-Sum: 1\r\nContent-Length: 3\r\nX-SSL-Client-S-DN: CN=evil\r\n\r\n")
        answer = client.read().json()
    assert answer["body_sha256"] == hashlib.sha256(data).hexdigest()
    assert answer["fields"]["x-ssl-client-s-dn"] == "CN=Thaw Demo Client"
    if name == "node":
        assert answer["trailers"] == {"x-sum": "1"}


SPOOFS = (
    "X-SSL-Client-S-DN: CN=evil", "x_ssl_client_s_dn: CN=evil", "X-SSL_Client-S-DN: CN=evil", "X.SSL.Client.S.DN: CN=evil",
    "Client-Cert: :ZXZpbA==:", "client_cert: :ZXZpbA==:", "CLIENT-CERT-CHAIN: :ZXZpbA==:",
    "X-Forwarded-Client-Cert: Hash=evil", "X-Forwarded-For: 6.6.6.6", "x_forwarded_for: 6.6.6.6",
    "Forwarded: for=6.6.6.6", "X-Real-IP: 6.6.6.6", "X-Forwarded-Proto: evil", "X-Forwarded-Host: evil",
    "Proxy: http://evil/", "SSL_CLIENT_S_DN: CN=evil", "X-ARR-ClientCert: evil", "X-Client-Cert: evil",
)


@pytest.mark.parametrize("path", ("/never/x", "/late/x"))
@pytest.mark.parametrize("name", NAMES)
def test_claims_are_stripped(name, path, behind):
    """A client's claims about its identity never arrive, in any spelling; Apache's CGI merges '_', '-' and '.'."""
    with Raw(behind(name)) as client:
        answer = client.ask("GET", path, None, *SPOOFS).json()
    seen = " ".join(f"{k}: {v}" for k, v in answer["fields"].items())
    assert "evil" not in seen and "6.6.6.6" not in seen and "ZXZpbA" not in seen
    assert answer["fields"]["x-forwarded-for"] == "127.0.0.1"
    assert answer["fields"]["x-forwarded-proto"] == "https"
    assert ("x-ssl-client-s-dn" in answer["fields"]) == (path == "/late/x")


def frame(text):
    mask = os.urandom(4)
    data = text.encode()
    return bytes([0x81, 0x80 | len(data)]) + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(data))


@pytest.mark.parametrize("path", ("/never/ws", "/late/ws"))
@pytest.mark.parametrize("name", ("node", "tomcat"))
def test_websocket(name, path, behind):
    """RFC 6455 through the tunnel, also if the certificate is requested first; the first frame is sent with the
    head."""
    gateway = behind(name, routes=(("/late", {"when": "request"}), ("/ws", {"when": "never"}), *LATE[1:]))
    target = "/ws" if name == "tomcat" else path
    if name == "tomcat" and path == "/late/ws":
        pytest.skip("its endpoint has one path")
    key = base64.b64encode(os.urandom(16)).decode()
    with Raw(gateway) as client:
        client.send(client.head("GET", target, "Upgrade: websocket", "Connection: keep-alive, Upgrade",
                                f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13"))
        response = client.read()
        assert response.status == 101
        wanted = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
        assert response.headers["sec-websocket-accept"] == base64.b64encode(wanted).decode()
        for text in ("hello", "x" * 100):
            client.send(frame(text))
            while len(client._ahead) < 2 + len(text):
                client._more()
            assert client._ahead == bytes([0x81, len(text)]) + text.encode()
            client._ahead = b""
        client.send(bytes([0x88, 0x80, 0, 0, 0, 0]))
        while len(client._ahead) < 2:
            client._more()
        assert client._ahead[0] == 0x88
    record = gateway.record(target)
    assert record["status"] == 101


def test_connections_are_kept(behind):
    """One connection to the upstream serves many requests."""
    gateway = behind("node", workers=1)
    with Raw(gateway) as client:
        seen = {client.ask("GET", "/never/x").json()["connection"] for _ in range(20)}
    assert len(seen) == 1


def test_upgrade_to_http2_is_not_passed_on(behind):
    with Raw(behind("node")) as client:
        answer = client.ask("GET", "/never/x", None, "Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings",
                            "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA").json()
    assert "upgrade" not in answer["fields"] and "http2-settings" not in answer["fields"]


def test_hop_by_hop_fields_stay_behind(behind):
    with Raw(behind("node")) as client:
        answer = client.ask("GET", "/never/x", None, "Connection: X-Mine, close", "X-Mine: 1", "TE: trailers",
                            "Keep-Alive: timeout=5", "Proxy-Authorization: Basic eDp5", "Proxy_Connection: x",
                            "proxy.auth: x", "X-Kept: 1").json()
    for name in ("x-mine", "te", "keep-alive", "proxy-authorization", "proxy_connection", "proxy.auth"):
        assert name not in answer["fields"]
    assert answer["fields"]["x-kept"] == "1"


def https(inner, pki, more=""):
    return (f"{{ servers: [ 'https://localhost:{inner.port}', 'https://127.0.0.1:{inner.port}' ], "
            f"tls: {{ ca: {pki}/ca.pem{more} }} }}")


def test_https_upstream(serve, pki, payloads):
    """Another Thaw as the upstream: it is verified, and gets the gateway's own certificate; 50 MiB through both."""
    inner = serve(hosts=(("localhost", {"when": "handshake"}),), certificate={"when": "handshake"})
    own = f", certificate: {pki}/client.pem, key: {pki}/client.key"
    outer = serve(upstreams={"app": https(inner, pki, own)}, upstream="app", routes=LATE)
    body = payloads["50m"]
    with Raw(outer) as client:
        client.send_request("PUT", "/late/x", body.data())
        answer = client.read().json()
    assert answer["body_sha256"] == body.sha256
    assert answer["certificate"]["subject"] == "CN=Thaw Demo Client"


def test_https_upstream_that_is_not_believed(serve, pki, tmp_path):
    """A certificate of another CA: 502, the log has the cause, and nothing was sent."""
    other = tmp_path / "other.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                    str(tmp_path / "other.key"), "-out", str(other), "-subj", "/CN=Other", "-days", "2"], check=True,
                   capture_output=True)
    inner = serve()
    outer = serve(upstreams={"app": f"{{ servers: [ 'https://localhost:{inner.port}' ], tls: {{ ca: {other} }} }}"},
                  upstream="app")
    with Raw(outer) as client:
        response = client.ask("GET", "/x")
    assert response.status == 502 and response.json()["reason"] == "upstream-unreachable"
    assert outer.wait_messages("upstream-failed", "certificate", name="app"), outer.messages
    assert not inner.records


def test_unix_upstream(serve, tmp_path, payloads):
    from harness.servers import HERE
    from harness.process import kill_group, popen

    path = tmp_path / "app.sock"
    server = popen(["node", str(HERE / "node.js"), str(path)], stdout=subprocess.PIPE)
    try:
        assert server.stdout.readline().startswith(b"listening")
        gateway = serve(upstreams={"app": f"{{ servers: [ 'unix:{path}' ] }}"}, upstream="app", routes=LATE)
        with Raw(gateway) as client:
            client.send_request("PUT", "/late/x", payloads["1m"].data())
            assert client.read().json()["body_sha256"] == payloads["1m"].sha256
    finally:
        kill_group(server)


def test_allow(serve, upstream):
    """A verified certificate that no rule allows: 403, and nothing reaches the service; the record of the ask has the
    reason."""
    gateway = serve(upstreams={"app": f"{{ servers: {upstream('node').servers} }}"}, upstream="app", routes=(
        ("/in", {"when": "request", "allow": "[ 'subject=CN=Nobody', 'subject=CN=Thaw * Client and eku=clientAuth' ]"}),
        ("/out", {"when": "request", "allow": "[ 'subject=CN=Nobody', 'san=dns:*.nobody.example' ]"})))
    with Raw(gateway) as client:
        assert client.ask("GET", "/in").status == 200
        response = client.ask("PUT", "/out", b"x" * 100000)
    assert response.status == 403 and response.json()["reason"] == "not-allowed"
    assert gateway.record("/out")["ask"]["reason"] == "not-allowed"
