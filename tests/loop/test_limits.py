"""Limits of requests, over HTTP/1.1 and HTTP/2."""

import socket
import subprocess

import pytest

from peer import LIMIT, Client

ROUTES = (
    "      - { path: /small, max_request_body: 100KiB, upstream: builtin:inspect }\n"
    "      - { path: /small-late, client_certificate: { when: body }, max_request_body: 100KiB, upstream: builtin:inspect }\n"
    "      - { path: /closed, allow_from: [ 192.0.2.0/24 ], upstream: builtin:inspect }\n"
)


VERSIONS = pytest.mark.parametrize("option, version", [("--http1.1", "1.1"), ("--http2", "2")])


def curl(gateway, pki, path, *options, body=None):
    """The status and version of the response that curl has read."""
    done = subprocess.run(
        ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code} %{http_version}", "--cacert", pki / "ca.pem", *options,
         f"https://localhost:{gateway.port}{path}"],
        input=body, capture_output=True,
    )  # fmt: skip
    return done.stdout.decode()


def put(gateway, pki, path, size, *options):
    """A PUT whose head does not give its length."""
    return curl(gateway, pki, path, "-T", "-", *options, body=bytes(size))


@pytest.fixture
def front(serve, settings):
    """A gateway that offers HTTP/2."""
    config = settings(routes=ROUTES)
    config.write_text(config.read_text().replace("    routes:", "    http2: 'on'\n    routes:"))
    return serve("-c", config)


@VERSIONS
def test_a_body_without_a_length_is_refused_at_the_limit(front, pki, option, version):
    assert put(front, pki, "/small", 102400, option) == f"200 {version}"
    assert put(front, pki, "/small", 102401, option) == f"413 {version}"
    assert put(front, pki, "/", 102401, option) == f"200 {version}"


@VERSIONS
@pytest.mark.parametrize("path, status", [("/small", 413), ("/closed", 403)])
def test_a_refusal_before_the_body_is_read_by_a_client_that_sends_it(front, pki, tmp_path, path, status, option, version):
    upload = tmp_path / "upload"
    upload.write_bytes(bytes(10 << 20))
    for how in (("-T", upload), ("-F", f"file=@{upload}"), ("--data-binary", f"@{upload}", "-H", "Expect:")):
        assert curl(front, pki, path, *how, option) == f"{status} {version}"


def test_a_body_above_the_limit_is_refused_before_the_client_is_asked(serve, settings, pki):
    gateway = serve("-c", settings(routes=ROUTES))
    identity = ("--http1.1", "--tls-max", "1.2", "--cert", pki / "client.pem", "--key", pki / "client.key")
    assert put(gateway, pki, "/small-late", 102400, *identity) == "200 1.1"
    assert put(gateway, pki, "/small-late", 102401, *identity) == "413 1.1"
    client = Client(gateway)
    client.begin("/small-late", 102401)
    assert client.response()[0] == 413


def test_a_client_that_stops_is_answered_after_its_time(serve, settings):
    gateway = serve("-c", settings(more="connections: { body_timeout: 1s }\n"))
    client = Client(gateway)
    client.begin("/", 1000)
    client.send(bytes(10))
    assert client.response()[0] == 408


@pytest.mark.parametrize("proxied", [False, True])
def test_a_client_that_sends_nothing_is_closed_after_its_time(serve, settings, proxied):
    gateway = serve("-c", settings(more="connections: { first_byte_timeout: 1s }\n", proxy_protocol=proxied))
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=LIMIT) as silent:
        assert silent.recv(1) == b""
