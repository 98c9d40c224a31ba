"""Runs docs/SET-UPS.md as written: the configurations are read from the page. Only ports, folders and addresses of
services are replaced."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import socket
import ssl
import subprocess

import pytest

from harness.canned import Canned
from harness.document import block, replaced
from harness.exec_servers import OUTPUT, Docker, Kubernetes, Running
from harness.gateway import Gateway, binary
from harness.pki import Issuer
from harness.process import run
from harness.servers import Server, apache
from ports import free_port

DOCUMENT = "docs/SET-UPS.md"
LIMIT = 60
NAMES = ("example.com", "*.example.com", "*.apps.example.com", "localhost")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """The files that the configurations name, and client certificates."""
    issuer = Issuer(tmp_path_factory.mktemp("certificates"))
    names = ",".join(f"DNS:{name}" for name in NAMES)
    server = issuer.new("server-ca", ca=True)
    issuer.new("server", by=server, extensions=f"subjectAltName={names}\n")
    internal = issuer.new("internal-ca", ca=True)
    for name in ("www.example.com", "shop.internal", "localhost"):
        issuer.new(f"internal-{name}", by=internal, extensions=f"subjectAltName=DNS:{name}\n")
    shutil.copy(internal, internal.with_name("kubernetes-ca.pem"))
    for name, subject in (("clients", "/O=Example/CN=alice"), ("staff", "/CN=carol"), ("partners", "/O=Partner Inc/CN=dave")):
        ca = issuer.new(f"{name}-ca", ca=True)
        issuer.new(name, by=ca, subject=subject, extensions="extendedKeyUsage=clientAuth\n")
    both = (issuer.folder / "staff-ca.pem").read_text() + (issuer.folder / "partners-ca.pem").read_text()
    (issuer.folder / "both-ca.pem").write_text(both)
    return issuer.folder


class Site(Gateway):
    """The gateway, with all names on one port."""

    folder = None

    def curl(self, url, *arguments, client=None):
        """Returns (status, head, body) of the last response."""
        who = ["--cert", f"{client}.pem", "--key", f"{client}.key"] if client else []
        found = re.fullmatch(r"https://([^/]+)(/.*)", url)
        code, out, err, late = run(
            ["curl", "-sS", "-i", "--http1.1", "--resolve", f"*:{self.port}:127.0.0.1", "--cacert", "server-ca.pem", *who, *arguments,
             f"https://{found[1]}:{self.port}{found[2]}"], LIMIT, cwd=self.folder)  # fmt: skip
        assert (code, late) == (0, False), err
        heads = re.findall(rb"HTTP/1\.1 (\d+)(.*?)\r\n\r\n", out, re.S)
        status, head = heads[-1]
        return int(status), head.decode(), out.rpartition(head + b"\r\n\r\n")[2]


@pytest.fixture
def site(certificates, tmp_path):
    """site(heading, (before, after)...): starts the gateway of that section, after `thaw check` has accepted it."""
    running = []

    def start(heading, *pairs):
        port = free_port()
        text = replaced(block(DOCUMENT, heading, "yaml"), [
            ("user: thaw\n", "workers: 1\nlog: { access: stdout }\n"), ("/var/spool/thaw", str(tmp_path / "spool")), *pairs])  # fmt: skip
        text = re.sub(r"(?:0\.0\.0\.0:443|127\.0\.0\.1:8443)", f"127.0.0.1:{port}", text)
        text = text.replace("https://certauth.example.com", f"https://certauth.example.com:{port}")
        folder = tmp_path / "etc"
        shutil.copytree(certificates, folder)
        (folder / "thaw.yaml").write_text(text)
        code, _, err, _ = run([str(binary()), "check", "--strict", "-c", str(folder / "thaw.yaml")], LIMIT)
        report = [line for line in err.decode().splitlines() if "workers run as root" not in line and "in a folder" not in line]
        assert code in (0, 78) and not report, err  # 78: a warning that the folder belongs to the user who runs the test
        Site.folder = folder
        running.append(Site(["-c", str(folder / "thaw.yaml")], folder, tmp_path))
        return running[-1]

    yield start
    for one in running:
        complaints = one.complaints()
        one.stop()
        assert not complaints


@contextlib.contextmanager
def inspector():
    running = Canned()
    try:
        yield running
    finally:
        running.close()


# ---- virtual hosts


def virtual_hosts(folder, certificates):
    """An Apache with two TLS hosts with different settings, so it answers 421 if SNI and Host differ."""
    folder.mkdir()
    port = free_port()
    text = "TypesConfig /etc/mime.types\nSSLSessionCache none\n"
    for name, setting in (("www.example.com", ""), ("shop.internal", "SSLProtocol TLSv1.3")):
        (folder / name).mkdir()
        (folder / name / "index.html").write_text(name)
        (folder / name / "secure").mkdir()
        (folder / name / "secure" / "index.html").write_text("secure")
        text += (
            f"<VirtualHost *:{port}>\nServerName {name}\nDocumentRoot {folder}/{name}\nSSLEngine on\n{setting}\n"
            f"SSLCertificateFile {certificates}/internal-{name}.pem\nSSLCertificateKeyFile {certificates}/internal-{name}.key\n</VirtualHost>\n"
        )
    return apache(folder, port, ("ssl", "dir", "mime"), text)


def test_virtual_hosts(site, certificates, tmp_path):
    server = virtual_hosts(tmp_path / "apache", certificates)
    try:
        gateway = site("Virtual hosts behind", ("https://apache.internal:8443", f"https://localhost:{server.port}"))
        assert gateway.curl("https://www.example.com/")[::2] == (200, b"www.example.com")
        assert gateway.curl("https://www.example.com/shop/")[::2] == (200, b"shop.internal")
        assert gateway.curl("https://www.example.com/secure/", client="clients")[::2] == (200, b"secure")
        assert gateway.curl("https://www.example.com/secure/")[0] == 403
        status, head, _ = gateway.curl("https://www.example.com/shop/secure")  # a folder without its final slash
        assert status == 301 and f"Location: https://www.example.com:{gateway.port}/shop/secure/\r\n" in head + "\r\n"
    finally:
        server.stop()


# ---- names


def test_several_names(site):
    with inspector() as app, inspector() as other:
        gateway = site("Several names", ("http://127.0.0.1:8080", f"http://127.0.0.1:{app.port}"),
                       ("http://127.0.0.1:8081", f"http://127.0.0.1:{other.port}"))  # fmt: skip
        for name, service in (("example.com", app), ("www.example.com", app), ("a.apps.example.com", app), ("apps.example.com", other),
                              ("x.example.com", other)):  # fmt: skip
            assert gateway.curl(f"https://{name}/x")[0] == 200
            assert service.take().get(b"host") == [f"{name}:{gateway.port}".encode()]
        with pytest.raises(AssertionError, match="unrecognized name"):
            gateway.curl("https://a.b.apps.example.com/")


def test_a_ca_for_each_path(site):
    with inspector() as app:
        gateway = site("A CA for each path", ("http://127.0.0.1:8080", f"http://127.0.0.1:{app.port}"))
        want = {("staff", "staff"): 200, ("staff", "partners"): 403, ("partners", "staff"): 403, ("partners", "partners"): 200,
                ("both", "staff"): 200, ("both", "partners"): 200, ("both", "clients"): 403}  # fmt: skip
        for tls in ("1.2", "1.3"):
            for (path, client), status in want.items():
                assert gateway.curl(f"https://api.example.com/{path}", "--tls-max", tls, client=client)[0] == status, (path, client, tls)
        status, _, body = gateway.curl("https://api.example.com/partners", f"https://api.example.com:{gateway.port}/staff", client="staff")
        assert status == 403 and json.loads(body)["reason"] == "untrusted"


# ---- elsewhere


GO = """package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"context"
	"net/http"
	"os"
	"strings"
)

func main() {
	pair, err := tls.LoadX509KeyPair("clients.pem", "clients.key")
	if err != nil {
		panic(err)
	}
	pem, _ := os.ReadFile("server-ca.pem")
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	here := func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, "127.0.0.1:"+os.Args[1])
	}
	client := &http.Client{Transport: &http.Transport{DialContext: here,
		TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}}}}
	request, _ := http.NewRequest("PUT", "https://api.example.com:"+os.Args[1]+"/secure/x?y=z", strings.NewReader(strings.Repeat("x", 100000)))
	response, err := client.Do(request)
	if err != nil {
		fmt.Println("error")
		return
	}
	fmt.Println(response.StatusCode, response.Request.URL.Hostname(), response.Request.URL.RequestURI())
}
"""


def go_client(gateway):
    (gateway.folder / "client.go").write_text(GO)
    code, out, err, _ = run(["go", "run", "client.go", str(gateway.port)], 300, cwd=gateway.folder, env={
        **os.environ, "GOFLAGS": "-mod=mod", "GO111MODULE": "off"})  # fmt: skip
    assert code == 0, err
    return out.decode().split()


@pytest.mark.parametrize("way, outcome", (("refuse", ["200", "certauth.example.com", "/secure/x?y=z"]), ("tls12", ["error"])))
def test_go_at_a_host_with_elsewhere(way, outcome, site):
    with inspector() as app:
        gateway = site("A host that asks at the handshake", ("http://127.0.0.1:8080", f"http://127.0.0.1:{app.port}"),
                       ("without_post_handshake: refuse", f"without_post_handshake: {way}"))  # fmt: skip
        assert go_client(gateway) == outcome
        if way == "refuse":
            seen = app.take()
            assert seen.target == b"/secure/x?y=z" and len(seen.get(b"client-cert")) == 1 and len(seen.body) == 100000


def test_curl_at_a_host_with_elsewhere(site):
    with inspector() as app:
        gateway = site("A host that asks at the handshake", ("http://127.0.0.1:8080", f"http://127.0.0.1:{app.port}"))
        assert gateway.curl("https://api.example.com/secure/x", client="clients")[0] == 200
        assert gateway.curl("https://certauth.example.com/secure/x", client="clients")[0] == 200
        assert gateway.curl("https://api.example.com/x")[0] == 200
        assert gateway.curl("https://certauth.example.com/x")[0] == 403


# ---- WebDAV


LOCK = """<?xml version="1.0"?><D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype></D:lockinfo>"""


@pytest.fixture
def dav(tmp_path):
    """Apache with the page's own virtual host."""
    folder = tmp_path / "apache"
    (folder / "srv").mkdir(parents=True)
    os.chmod(tmp_path, 0o755)
    os.chmod(folder, 0o777)
    os.chmod(folder / "srv", 0o777)
    port = free_port()
    text = replaced(block(DOCUMENT, "WebDAV", "apache"), (
        ("Listen 127.0.0.1:8080\n", ""), ("127.0.0.1:8080", f"127.0.0.1:{port}"), ("/srv/dav", f"{folder}/srv")))  # fmt: skip
    running = apache(folder, port, ("dav", "dav_fs"), f"DavLockDB {folder}/lock\n{text}")
    running.folder = folder / "srv"
    yield running
    running.stop()


@pytest.mark.parametrize("tls", ("1.2", "1.3"))
def test_webdav(tls, site, dav, payloads):
    gateway = site("WebDAV", ("http://127.0.0.1:8080", f"http://127.0.0.1:{dav.port}"))
    url, own = "https://files.example.com", f"https://files.example.com:{gateway.port}"

    def ask(method, path, *arguments, client="clients"):
        return gateway.curl(f"{url}{path}", "--tls-max", tls, "-X", method, *arguments, client=client)

    upload = ("-T", str(payloads["1m"].path), "-H", "Expect:")
    assert ask("PUT", "/a", *upload)[0] == 201
    assert ask("MKCOL", "/d")[0] == 201
    assert ask("COPY", "/a", "-H", f"Destination: {own}/b")[0] == 201
    assert ask("MOVE", "/b", "-H", f"Destination: {own}/d/c%20d")[0] == 201
    assert (dav.folder / "d" / "c d").read_bytes() == payloads["1m"].data() and not (dav.folder / "b").exists()
    assert ask("PROPFIND", "/d/", "-H", "Depth: 1", client=None)[0] == 207
    assert ask("GET", "/d/c%20d", client=None)[::2] == (200, payloads["1m"].data())
    status, head, _ = ask("LOCK", "/a", "-H", "Content-Type: text/xml", "--data-raw", LOCK)
    token = re.search(r"^Lock-Token: <(.*)>", head, re.M)[1]
    assert status == 200 and ask("PUT", "/a", *upload)[0] == 423
    assert ask("PUT", "/a", *upload, "-H", f"If: <{own}/a> (<{token}>)")[0] == 204
    assert ask("UNLOCK", "/a", "-H", f"Lock-Token: <{token}>")[0] == 204
    for method in ("DELETE", "MOVE", "COPY", "LOCK", "PUT", "MKCOL"):
        assert ask(method, "/a", "-H", f"Destination: {own}/e", client=None)[0] == 403
    assert not (dav.folder / "e").exists() and ask("DELETE", "/d/")[0] == 204


# ---- kubectl and docker


def command_of(which):
    """The command on that line of the page, as a list of words."""
    lines = [line for line in block(DOCUMENT, "kubectl and docker", "sh").splitlines() if line.startswith(which)]
    assert len(lines) == 1
    return lines[0].split()


@pytest.fixture
def exec_servers(certificates, tmp_path):
    """The stand-in for dockerd on a Unix socket, and the one for the API server on https://localhost."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "internal-localhost.pem", certificates / "internal-localhost.key")
    docker, kubernetes = Running(Docker, tmp_path / "docker.sock"), Running(Kubernetes, context=context)
    yield docker, kubernetes
    docker.close()
    kubernetes.close()


@pytest.fixture
def exec_site(site, exec_servers, tmp_path):
    """exec_site(name): starts the gateway, with localhost in place of that host."""
    docker, kubernetes = exec_servers

    def start(name):
        gateway = site("kubectl and docker", ("/run/docker.sock", str(tmp_path / "docker.sock")),
                       ("https://kubernetes.internal:6443", f"https://localhost:{kubernetes.port}"), (name, "localhost"))  # fmt: skip
        for file, source in (("ca.pem", "server-ca.pem"), ("client.pem", "clients.pem"), ("client.key", "clients.key")):
            shutil.copy(gateway.folder / source, gateway.folder / file)
        return gateway

    return start


def upgrade(gateway, host, head):
    """Sends such a request over TLS with the client's certificate. Returns the bytes after the 101."""
    context = ssl.create_default_context(cafile=gateway.folder / "server-ca.pem")
    context.load_cert_chain(gateway.folder / "clients.pem", gateway.folder / "clients.key")
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=LIMIT) as raw, context.wrap_socket(raw, server_hostname=host) as tls:
        tls.sendall(head)
        data = b""
        while True:
            more = tls.recv(65536)
            if not more:
                return data
            data += more
            if data.endswith(OUTPUT):
                tls.sendall(b"typed")


def test_docker_exec_as_its_client_sends_it(exec_site, exec_servers):
    body = b'{"Detach":false,"Tty":false}'
    data = upgrade(exec_site("docker.example.com"), "localhost",
                   b"POST /v1.43/exec/e1/start HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
                   b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))  # fmt: skip
    assert data.startswith(b"HTTP/1.1 101 ") and data.endswith(b"TYPED") and exec_servers[0].seen[0][2] == body


def test_kubectl_exec_as_its_client_sends_it(exec_site, exec_servers):
    data = upgrade(exec_site("kube.example.com"), "localhost",
                   b"GET /api/v1/namespaces/default/pods/web/exec?command=sh&stdout=true HTTP/1.1\r\nHost: localhost\r\n"
                   b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
                   b"Sec-WebSocket-Protocol: v5.channel.k8s.io\r\nAuthorization: Bearer TOKEN\r\n\r\n")  # fmt: skip
    assert data.startswith(b"HTTP/1.1 101 ") and b"Success" in data
    assert exec_servers[1].seen[0][1]["Authorization"] == "Bearer TOKEN"


def exec_command(program, host, gateway):
    """Runs the page's command, and returns its output."""
    words = [word.replace(host, f"localhost:{gateway.port}") for word in command_of(program)]
    words[words.index("-it")] = "-i"  # there is no terminal
    code, out, err, late = run(words, LIMIT, cwd=gateway.folder, stdin=subprocess.DEVNULL, env={**os.environ, "HOME": str(gateway.folder)})
    assert (code, late) == (0, False), err
    return out


@pytest.mark.skipif(not shutil.which("docker"), reason="docker's client is not installed")
def test_docker_exec(exec_site):
    assert exec_command("docker", "docker.example.com:443", exec_site("docker.example.com")) == OUTPUT


@pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not installed")
def test_kubectl_exec(exec_site, exec_servers):
    assert exec_command("kubectl", "kube.example.com", exec_site("kube.example.com")) == OUTPUT
    assert [fields["Authorization"] for path, fields, _ in exec_servers[1].seen if "/exec" in path] == ["Bearer TOKEN"]


# ---- Kerberos


@pytest.mark.parametrize("size", (20_000, 60_000))
def test_kerberos_tickets(size, site):
    with inspector() as app:
        gateway = site("Windows authentication and Kerberos", ("http://iis.internal", f"http://127.0.0.1:{app.port}"))
        app.status, app.fields = "401 Unauthorized", (f"WWW-Authenticate: Negotiate {'b' * size}",)
        ticket = gateway.folder / "ticket"  # in a file: an argument of a program can have at most 128 KiB
        ticket.write_text(f"Authorization: Negotiate {'a' * size}\n")
        for version in ("--http1.1", "--http2"):
            for path, client in (("/x", None), ("/secure/x", "clients")):
                status, head, _ = gateway.curl(f"https://intranet.example.com{path}", version, "-H", f"@{ticket}", client=client)
                assert status == 401 and f"Negotiate {'b' * size}" in head
                assert len(app.take().get(b"authorization")[0]) == size + len("Negotiate ")


# ---- a proxy in front


@pytest.mark.skipif(not pathlib.Path("/usr/lib/nginx/modules/ngx_stream_module.so").exists(), reason="nginx has no module stream")
def test_nginx_passes_connections_on(site, tmp_path):
    with inspector() as app:
        gateway = site("A proxy in front", ("http://127.0.0.1:8080", f"http://127.0.0.1:{app.port}"))
        front, folder = free_port(), tmp_path / "nginx"
        folder.mkdir()
        stream = replaced(block(DOCUMENT, "A proxy in front", "nginx"), (
            ("127.0.0.1:8443", f"127.0.0.1:{gateway.port}"), ("listen 443", f"listen 127.0.0.1:{front}")))  # fmt: skip
        user = "user root;\n" if os.geteuid() == 0 else ""
        (folder / "nginx.conf").write_text(
            f"load_module /usr/lib/nginx/modules/ngx_stream_module.so;\n{user}daemon off;\nerror_log error.log;\npid nginx.pid;\n"
            f"events {{}}\n{stream}")  # fmt: skip
        server = Server([shutil.which("nginx") or "/usr/sbin/nginx", "-p", f"{folder}/", "-c", f"{folder}/nginx.conf", "-e", f"{folder}/error.log"],
                        folder, front)  # fmt: skip
        try:
            status, _, _ = gateway.curl("https://localhost/secure/x", "--connect-to", f"localhost:{gateway.port}:127.0.0.1:{front}", "--interface",
                                        "127.0.0.2", client="clients")  # fmt: skip
            assert status == 200 and app.take().get(b"x-forwarded-for") == [b"127.0.0.2"]
        finally:
            server.stop()
