"""Fixtures of the nginx module's tests: a real nginx with the module, an upstream that tells what came, clients."""

import hashlib
import os
import pathlib
import random
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "interop"))

from harness.cells import SIZES
from harness.gateway import Gateway
from harness.pki import make_keystore, make_stranger
from harness.programs import Programs
from inspector import Inspector
from server import Nginx

ROOT = pathlib.Path(__file__).resolve().parents[2]


def pytest_addoption(parser):
    try:
        parser.addoption("--full", action="store_true", help="also what takes minutes: all that browsers do")
    except ValueError:
        pass  # tests/interop has it, too


def pytest_configure(config):
    config.addinivalue_line("markers", "full: takes minutes; run with --full only")


def pytest_collection_modifyitems(config, items):
    if config.getoption("--full"):
        return
    left_out = [item for item in items if item.get_closest_marker("full")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if not item.get_closest_marker("full")]


class Payload:
    def __init__(self, path, size, sha256):
        self.path, self.size, self.sha256 = path, size, sha256

    def data(self):
        return self.path.read_bytes()


@pytest.fixture(scope="session")
def payloads(tmp_path_factory):
    folder, made = tmp_path_factory.mktemp("bodies"), {}
    for name, size in SIZES.items():
        data = random.Random(name).randbytes(size)
        (folder / name).write_bytes(data)
        made[name] = Payload(folder / name, size, hashlib.sha256(data).hexdigest())
    return made


@pytest.fixture(scope="session")
def programs(tmp_path_factory):
    return Programs(tmp_path_factory.mktemp("programs"))


@pytest.fixture(scope="session")
def pki(tmp_path_factory):
    """ca.pem, server.pem, client.pem with their keys, and a stranger's."""
    folder = tmp_path_factory.mktemp("pki")
    Gateway(["--listen", "127.0.0.1:0", "--pki", str(folder)], folder, folder).stop()
    make_keystore(folder, folder / "client.p12")
    make_stranger(folder)
    return folder


@pytest.fixture(scope="session")
def module():
    """The module's file; THAW_NGINX_MODULE says another, such as one with sanitizers."""
    given = os.environ.get("THAW_NGINX_MODULE")
    if given:
        return pathlib.Path(given)
    built = subprocess.run([ROOT / "modules/nginx/build"], stdout=subprocess.PIPE, text=True, check=True)
    return pathlib.Path(built.stdout.strip())


@pytest.fixture(scope="session")
def inspector():
    running = Inspector()
    yield running
    running.stop()


@pytest.fixture
def nginx(module, pki, inspector, tmp_path):
    """nginx(server block's text, ...): a running nginx of the test's own."""
    running = []

    def start(*servers, **options):
        folder = tmp_path / f"nginx{len(running)}"
        folder.mkdir()
        running.append(Nginx(folder, module, pki, inspector.port, servers, **options))
        return running[-1]

    yield start
    for one in running:
        one.stop()
    assert [one.complaints() for one in running if one.process] == [[] for one in running if one.process]


@pytest.fixture(scope="session")
def shared(module, pki, inspector, tmp_path_factory):
    """One for the tests that change nothing of it: /late, /early, /body, /optional, and / which never asks."""
    running = Nginx(tmp_path_factory.mktemp("shared"), module, pki, inspector.port, (SHARED, HANDSHAKE))
    yield running
    running.stop()
    assert running.complaints() == []


SHARED = """
    listen 127.0.0.1:{port} ssl;
    server_name localhost;
    thaw_certificate_authority {pki}/ca.pem;
    location / {{ proxy_pass http://app; }}
    location /late {{ thaw_client_certificate request; proxy_pass http://app; }}
    location /early {{ thaw_client_certificate request_early; proxy_pass http://app; }}
    location /body {{ thaw_client_certificate body; proxy_pass http://app; }}
    location /optional {{ thaw_client_certificate request; thaw_require off; proxy_pass http://app; }}
    location /streamed {{ thaw_client_certificate request; proxy_request_buffering off; proxy_http_version 1.1; proxy_pass http://app; }}
"""

HANDSHAKE = """
    listen 127.0.0.1:{port} ssl;
    server_name handshake.localhost;
    ssl_verify_client optional;
    ssl_client_certificate {pki}/ca.pem;
    thaw_certificate_authority {pki}/ca.pem;
    location / {{ thaw_client_certificate request; proxy_pass http://app; }}
"""
