"""HTTP without TLS, with real clients."""

import http.server
import json
import os
import shutil
import threading

import pytest
from harness.gateway import binary
from harness.process import run
from messages import error_of
from peer import LIMIT


def curl(*arguments):
    _, out, _, _ = run(["curl", "-sS", "-i", "--noproxy", "*", "--max-time", str(int(LIMIT)), *map(str, arguments)], timeout=LIMIT)
    head, _, body = out.replace(b"\r\n", b"\n").partition(b"\n\n")
    first, *lines = head.decode().split("\n")
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return int(first.split()[1]), fields, body


def test_plain_http_on_a_tls_port_gets_400(serve):
    """curl used to get "Empty reply from server" here."""
    gateway = serve()
    status, fields, body = curl(f"http://127.0.0.1:{gateway.port}/")
    assert (status, fields["connection"]) == (400, "close")
    assert json.loads(body)["reason"] == "plain-http"
    record = gateway.record("/")
    assert (record["status"], record["tls"], record["host"]) == (400, None, None)
    url = f"http://handshake.localhost:{gateway.port}/a?b"
    status, _, body = curl(url, "--resolve", f"handshake.localhost:{gateway.port}:127.0.0.1")
    assert (status, json.loads(body)["location"]) == (400, url.replace("http:", "https:"))


def test_plain_upload_to_a_tls_port_gets_its_answer(serve, tmp_path):
    gateway = serve()
    path = tmp_path / "upload"
    path.write_bytes(bytes(5_000_000))
    status, _, body = curl("-T", path, f"http://127.0.0.1:{gateway.port}/up")
    assert (status, json.loads(body)["reason"]) == (400, "plain-http")


@pytest.fixture
def front(settings, serve, tmp_path, pki):
    """A gateway with a TLS listener, and one that redirects HTTP. Returns (gateway, port of the second, webroot)."""
    webroot = tmp_path / "acme"
    webroot.mkdir()

    def start(plain=None, more=""):
        path = settings(more=more)
        name = "[ www.example.com, '*.example.org', localhost ]"
        extra = plain or f"acme_webroot: '{webroot}'"
        text = path.read_text().replace("name: '*'", f"name: {name}")
        text = text.replace(" } ]", f" }}, {{ address: '127.0.0.1:0', plain: redirect, redirect_port: 8443, {extra} }} ]", 1)
        path.write_text(text)
        gateway = serve("-c", path, listeners=2)
        return gateway, gateway.ports[1], webroot

    return start


def test_http_is_redirected_to_https(front):
    gateway, port, _ = front()
    host = ["-H", "Host: www.example.com"]
    status, fields, body = curl(f"http://127.0.0.1:{port}/a/b?c=d", *host)
    assert (status, fields["location"]) == (301, "https://www.example.com:8443/a/b?c=d")
    assert body == b"https://www.example.com:8443/a/b?c=d\n"
    assert curl("-d", "x", f"http://127.0.0.1:{port}/form", *host)[0] == 308
    assert curl(f"http://127.0.0.1:{port}/elsewhere", "-H", "Host: evil.example")[0] == 421
    record = gateway.record("/a/b?c=d")
    assert (record["status"], record["tls"], record["protocol"]) == (301, None, "HTTP/1.1")
    assert gateway.record("/elsewhere")["status"] == 421


def test_what_plain_requests_got_is_counted_and_logged(front, tmp_path):
    gateway, port, webroot = front(more=f"admin: 'unix:{tmp_path / 'admin'}'\n")
    folder = webroot / ".well-known" / "acme-challenge"
    folder.mkdir(parents=True)
    (folder / "token").write_text("token.thumbprint")
    asked = (("/a", "www.example.com", 301), ("/b", "X.Example.ORG.", 301), ("/c", "evil.example", 421), ("/d", "a.b.example.org", 421),
             ("/.well-known/acme-challenge/token", "evil.example", 200), ("/.well-known/acme-challenge/none", "www.example.com", 404))  # fmt: skip
    for path, host, status in asked:
        assert curl(f"http://127.0.0.1:{port}{path}", "-H", f"Host: {host}")[0] == status
    assert curl("-d", "x", f"http://127.0.0.1:{port}/form", "-H", "Host: localhost")[0] == 308
    assert curl(f"http://127.0.0.1:{gateway.ports[0]}/tls", "-H", "Host: localhost")[0] == 400
    hosts = {r["target"]: r["host"] for r in gateway.wait_records(lambda r: True, 8)}
    ours = "www.example.com"  # the host's first name
    assert [hosts[path] for path in ("/a", "/b", "/c", "/d", "/form", "/tls")] == [ours, ours, None, None, ours, ours]
    metrics = curl("--unix-socket", tmp_path / "admin", "http://localhost/metrics")[2].decode().split("\n")
    counted = [line.partition("{")[2] for line in metrics if line.startswith("thaw_plain_requests_total{")]
    assert counted == ['answer="redirect"} 3', 'answer="challenge"} 1', 'answer="other"} 4']
    for line in ('thaw_requests_total{status="3xx"} 3', 'thaw_refusals_total{problem="unknown-host"} 2',
                 'thaw_refusals_total{problem="plain-http"} 1', "thaw_access_records_total 8"):  # fmt: skip
        assert line in metrics, line


def test_a_redirection_leads_to_the_service(front, pki):
    """Follows the redirect as a browser does, but to the port of the test's TLS listener."""
    gateway, port, _ = front()
    _, out, err, _ = run(
        ["curl", "-sS", "-L", "--noproxy", "*", "--cacert", str(pki / "ca.pem"), "--connect-to", f"localhost:8443:127.0.0.1:{gateway.port}",
         f"http://localhost:{port}/found?it"], timeout=LIMIT)  # fmt: skip
    assert json.loads(out)["path"] == "/found", err


def test_challenges_from_a_webroot(front, tmp_path):
    """certbot --webroot creates the folders when it needs them, and removes them afterwards."""
    gateway, port, webroot = front()
    base = f"http://127.0.0.1:{port}/.well-known/acme-challenge"
    folder = webroot / ".well-known" / "acme-challenge"
    assert curl(f"{base}/token-1_A")[0] == 404
    folder.mkdir(parents=True)
    (folder / "token-1_A").write_bytes(b"token-1_A.thumbprint")
    status, fields, body = curl(f"{base}/token-1_A", "-H", "Host: not-yet.example")
    assert (status, fields["content-type"], body) == (200, "application/octet-stream", b"token-1_A.thumbprint")
    assert curl("-I", f"{base}/token-1_A")[0] == 200
    (folder / "token-1_A").unlink()
    assert curl(f"{base}/token-1_A")[0] == 404
    statuses = [r["status"] for r in gateway.wait_records(lambda r: (r["target"] or "").endswith("token-1_A"), 4)]
    assert statuses == [404, 200, 200, 404]


def test_no_other_file_is_a_challenge(front, tmp_path):
    gateway, port, webroot = front()
    base = f"http://127.0.0.1:{port}/.well-known/acme-challenge"
    folder = webroot / ".well-known" / "acme-challenge"
    folder.mkdir(parents=True)
    secret = tmp_path / "secret"
    secret.write_text("secret")
    (webroot / "beside").write_text("secret")
    (folder / "link").symlink_to(secret)
    (folder / "inside").symlink_to(folder / "real")
    (folder / "real").write_text("real")
    (folder / "folder").mkdir()
    os.mkfifo(folder / "pipe")
    (folder / "large").write_bytes(bytes(4097))
    (folder / "largest").write_bytes(bytes(4096))
    for name in ("link", "inside", "folder", "pipe", "large"):
        status, _, body = curl(f"{base}/{name}")
        assert (status, b"secret" in body) == (404, False), name
        assert gateway.wait_messages(None, f"/.well-known/acme-challenge/{name}: "), name
    assert len(curl(f"{base}/largest")[2]) == 4096
    for path in ("../../beside", "..%2f..%2fbeside", "real/"):
        assert curl("--path-as-is", f"{base}/{path}")[0] == 421, path
    (folder.parent / "moved").mkdir()
    (folder.parent / "moved" / "token").write_text("secret")
    shutil.rmtree(folder)
    folder.symlink_to("moved")
    assert curl(f"{base}/token")[0] == 404


def test_challenges_to_an_upstream(front):
    """For example for certbot --standalone --http-01-port."""
    seen = []

    class Answers(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append((self.path, dict(self.headers)))
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        more = f"upstreams: {{ acme: {{ servers: [ 'http://127.0.0.1:{server.server_port}' ] }} }}\n"
        gateway, port, _ = front("acme_upstream: acme", more)
        base = f"http://127.0.0.1:{port}/.well-known/acme-challenge"
        assert curl(f"{base}/token", "-H", "X-Forwarded-Proto: https", "-H", "Client-Cert: :YQ==:")[::2] == (200, b"ok")
        assert curl("--path-as-is", f"{base}/../admin", "-H", "Host: www.example.com")[0] == 301
        server.shutdown()
    assert [path for path, _ in seen] == ["/.well-known/acme-challenge/token"]
    fields = seen[0][1]
    assert (fields["X-Forwarded-Proto"], fields["Forwarded"].split(";")[1]) == ("http", "proto=http")
    assert "Client-Cert" not in fields
    record = gateway.record("/token")
    assert (record["upstream_name"], record["tls"]) == ("acme", None)


def test_a_webroot_that_is_not_there_is_an_error(settings, tmp_path):
    path = settings()
    path.write_text(path.read_text().replace(" } ]", " }, { address: '127.0.0.1:0', plain: redirect, acme_webroot: none-there } ]", 1))
    code, _, err, _ = run([str(binary()), "serve", "-c", str(path)], timeout=LIMIT)
    assert code == 78 and error_of(err).key == "listen[1].acme_webroot" and b"none-there" in err
