"""Runs the examples unchanged, except that folders, ports and users are replaced by those of this machine."""

import os
import pathlib
import re
import shutil
import socket
import ssl
import subprocess

import pytest
from harness.gateway import Gateway, binary
from harness.process import run
from harness.servers import nginx
from peer import LIMIT, Client
from ports import free_port

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "examples"
EX_CONFIG = 78
V1 = b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 443\r\n"
V2 = (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x15" + bytes((192, 0, 2, 7, 192, 0, 2, 1)) + (4711).to_bytes(2) + (443).to_bytes(2)
      + b"\xea\0\x06\x01vpce1")  # an extension of Amazon: the endpoint's name  # fmt: skip


@pytest.fixture
def example(serve, pki, tmp_path):
    """example(name, app): starts a gateway with the example's thaw.yaml, in front of the service on port `app`."""
    serve().stop()  # creates the PKI if it does not exist

    def start(name, app):
        etc = tmp_path / "etc"
        etc.mkdir()
        for file, source in (("server.pem",) * 2, ("server.key",) * 2, ("clients-ca.pem", "ca.pem")):
            shutil.copy(pki / source, etc / file)
        (etc / "ticket.keys").write_text("00" * 80 + "\n")
        os.chmod(etc / "ticket.keys", 0o600)
        text = (EXAMPLES / name / "thaw.yaml").read_text()
        for before, after in (("user: thaw\n", ""), ("/etc/thaw", str(etc)), ("/var/spool/thaw", str(tmp_path / "spool")),
                              ("/var/log/thaw/access.log", "stdout"), ("127.0.0.1:9443", f"unix:{tmp_path}/admin"),
                              ("127.0.0.1:8080", f"127.0.0.1:{app}")):  # fmt: skip
            text = text.replace(before, after)
        path = tmp_path / "thaw.yaml"
        path.write_text("workers: 1\n" + re.sub(r"0\.0\.0\.0:\d+", "127.0.0.1:0", text))
        code, _, err, _ = run([str(binary()), "check", "-c", str(path)], LIMIT)
        assert code == 0, err
        return serve("-c", path)

    return start


@pytest.fixture
def site(tmp_path):
    """Starts nginx with the example's server block. Yields its port."""
    port = free_port()
    folder = tmp_path / "nginx"
    folder.mkdir()
    (folder / "html" / "folder").mkdir(parents=True)
    block = re.search(r"^server \{\n(.*)^\}", (EXAMPLES / "nginx" / "site.conf").read_text(), re.M | re.S)[1]
    server = nginx(folder, port, block.replace("127.0.0.1:8080", f"127.0.0.1:{port}").replace("/var/www/html", str(folder / "html")))
    yield port
    server.stop()


# ---- in front of nginx


def test_nginx_sees_the_clients_address(example, site):
    client = Client(example("nginx", site), source="127.0.0.2")
    assert client.get("/whoami") == (200, b"127.0.0.2\n")
    client.send(b"GET /whoami HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 192.0.2.66\r\n\r\n")
    assert client.response() == (200, b"127.0.0.2\n")


def test_nginx_gets_the_certificate_where_it_is_asked_for(example, site):
    gateway = example("nginx", site)
    status, body = Client(gateway).get("/secure/")
    der = ssl.PEM_cert_to_DER_cert((gateway.pki / "client.pem").read_text())
    assert status == 200 and body.startswith(b":") and ssl.DER_cert_to_PEM_cert(der).split("\n")[1].encode() in body
    with socket.create_connection(("127.0.0.1", site), timeout=LIMIT) as past:  # directly to nginx
        past.sendall(b"GET /secure/ HTTP/1.0\r\n\r\n")
        assert past.recv(100).startswith(b"HTTP/1.1 403")


def test_nginxs_own_redirects_lead_back_to_thaw(example, site):
    """To add a '/', nginx redirects to an absolute URL with the client's name and the port on which nginx listens."""
    gateway = example("nginx", site)
    client = Client(gateway)
    client.send(f"GET /folder HTTP/1.1\r\nHost: localhost:{gateway.port}\r\n\r\n".encode())
    assert client.response()[0] == 301
    assert client.fields[b"location"] == f"https://localhost:{gateway.port}/folder/".encode()


# ---- behind a cloud's load balancer


@pytest.mark.parametrize("header", (V1, V2), ids=("v1", "v2"))
def test_the_client_is_who_the_balancer_says(example, site, header):
    gateway = example("cloud", site)
    raw = socket.create_connection(("127.0.0.1", gateway.port), timeout=LIMIT)
    raw.sendall(header)
    assert Client(gateway, raw=raw, address=("127.0.0.1", gateway.port)).get("/whoami") == (200, b"192.0.2.7\n")


def test_past_the_balancer_there_is_no_answer(example, site):
    gateway = example("cloud", site)
    with pytest.raises((ssl.SSLError, OSError)):
        Client(gateway)


# ---- certbot


class Lineage:
    """A certificate as certbot stores it: links in live/NAME to numbered files in archive/NAME."""

    def __init__(self, folder):
        self.live, self.archive = folder / "live" / "localhost", folder / "archive" / "localhost"
        self.live.mkdir(parents=True)
        self.archive.mkdir(parents=True)
        self.number = 0

    def renew(self, certificate, key):
        self.number += 1
        for name, source in (("fullchain", certificate), ("privkey", key)):
            to = self.archive / f"{name}{self.number}.pem"
            shutil.copy(source, to)
            link = self.live / f"{name}.pem"
            link.unlink(missing_ok=True)
            link.symlink_to(pathlib.Path("../../archive/localhost") / to.name)

    @property
    def certificate(self):
        return self.live / "fullchain.pem", self.live / "privkey.pem"


@pytest.fixture
def lineage(serve, pki, tmp_path):
    serve().stop()
    made = Lineage(tmp_path / "letsencrypt")
    made.renew(pki / "server.pem", pki / "server.key")
    return made


@pytest.fixture
def other(tmp_path):
    """Another certificate for localhost, and its key."""
    folder = tmp_path / "other"
    Gateway(["--pki", str(folder), "--listen", "127.0.0.1:0"], folder, tmp_path).stop()
    return folder / "server.pem", folder / "server.key"


def deploy(config, lineage, tmp_path):
    programs = tmp_path / "bin"
    programs.mkdir(exist_ok=True)
    if not (programs / "thaw").exists():
        (programs / "thaw").symlink_to(binary().resolve())
    return subprocess.run(
        [EXAMPLES / "certbot" / "deploy-hook"], capture_output=True, text=True, timeout=LIMIT, check=False,
        env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "THAW_CONFIG": str(config),
             "RENEWED_LINEAGE": str(lineage.live), "RENEWED_DOMAINS": "localhost"},
    )  # fmt: skip


def served(gateway):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=LIMIT) as raw:
        with context.wrap_socket(raw, server_hostname="localhost") as tls:
            return tls.getpeercert(binary_form=True)


def der_of(path):
    return ssl.PEM_cert_to_DER_cert(re.search(r"-----BEGIN CERT.*?-----END CERTIFICATE-----\n", path.read_text(), re.S)[0])


def test_a_renewed_certificate_is_served(serve, settings, lineage, other, tmp_path):
    config = settings(certificate=lineage.certificate)
    gateway = serve("-c", config)
    assert served(gateway) == der_of(lineage.certificate[0])
    lineage.renew(*other)
    done = deploy(config, lineage, tmp_path)
    assert done.returncode == 0, done.stderr
    assert served(gateway) == der_of(other[0])


def test_a_certificate_without_its_key_is_refused_and_the_hook_fails(serve, settings, lineage, other, tmp_path):
    config = settings(certificate=lineage.certificate)
    gateway = serve("-c", config)
    before = served(gateway)
    lineage.renew(other[0], lineage.certificate[1].resolve())
    done = deploy(config, lineage, tmp_path)
    assert done.returncode == EX_CONFIG and str(lineage.live) in done.stderr
    assert served(gateway) == before


def test_the_hook_succeeds_where_nothing_runs(settings, lineage, tmp_path):
    done = deploy(settings(certificate=lineage.certificate), lineage, tmp_path)
    assert (done.returncode, "not running" in done.stdout) == (0, True), done.stderr
