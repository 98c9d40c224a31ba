"""Fixtures of the interop tests: gateways for each purpose, bodies, programs, and the results of the matrix."""

import concurrent.futures
import hashlib
import pathlib
import random
from dataclasses import dataclass

import pytest

from harness import gateway as gateway_module
from harness.cells import SIZES
from harness.drivers import DRIVERS, Bench
from harness.gateway import Gateway, Settings
from harness.h2 import serve_h2  # noqa: F401 - a fixture
from harness.late_servers import late_server  # noqa: F401 - a fixture
from harness.pki import make_keystore, make_stranger
from harness.programs import Programs
from harness.relay import ConnectProxy
from harness.scripted import scripted  # noqa: F401 - a fixture
from harness.token import slow_module, slow_token, token  # noqa: F401 - fixtures
from harness.upstreams import upstream  # noqa: F401 - a fixture

GROUPS_AT_ONCE = 2  # clients of the matrix that run in parallel
_figures = []


def pytest_addoption(parser):
    parser.addoption("--full", action="store_true", help="also what takes minutes: 4 GiB uploads")
    parser.addoption("--h2-target", help="test_h2spec.py, test_h2_heads.py: against nghttpd, nginx, haproxy, apache")


def pytest_configure(config):
    config.addinivalue_line("markers", "full: takes minutes; run with --full only")
    config.addinivalue_line("markers", "probes: which reports of test_probe.py a test looks at")
    config.addinivalue_line("markers", "memory: measures resident memory, which sanitizers inflate")


def pytest_collection_modifyitems(config, items):
    if config.getoption("--full"):
        return
    left_out = [item for item in items if item.get_closest_marker("full")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if not item.get_closest_marker("full")]


def pytest_terminal_summary(terminalreporter):
    if _figures:
        terminalreporter.section("measured")
        for line in _figures:
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def figure():
    """figure(text): adds a measured figure to the summary at the end."""
    return _figures.append


@dataclass(frozen=True)
class Payload:
    path: pathlib.Path
    size: int
    sha256: str

    def data(self):
        return self.path.read_bytes()


@pytest.fixture(scope="session")
def payloads(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bodies")
    made = {}
    for name, size in SIZES.items():
        data = random.Random(name).randbytes(size)
        path = folder / name
        path.write_bytes(data)
        made[name] = Payload(path, size, hashlib.sha256(data).hexdigest())
    return made


@pytest.fixture(scope="session")
def programs(tmp_path_factory):
    return Programs(tmp_path_factory.mktemp("programs"))


@pytest.fixture(scope="session")
def thaw(tmp_path_factory):
    """The throwaway set-up: `thaw serve --listen 127.0.0.1:0 --pki DIR`."""
    assert gateway_module.binary().exists(), f"{gateway_module.binary()}: build it first, or say where it is in THAW"
    folder = tmp_path_factory.mktemp("gateway")
    pki = folder / "pki"
    running = Gateway(["--listen", "127.0.0.1:0", "--pki", str(pki)], pki, folder)
    try:
        make_keystore(pki, pki / "client.p12")
        make_stranger(pki)
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="session")
def pki(thaw):
    return thaw.pki


@pytest.fixture
def serve(pki, tmp_path):
    """serve(certificate={...}, ...): starts a gateway for one test, with harness.gateway.Settings."""
    running = []

    def start(**settings):
        made = Settings(pki, **settings)
        made.spool.setdefault("directory", str(tmp_path))
        file = tmp_path / f"thaw{len(running)}.yaml"
        file.write_text(made.text())
        tcp = [address for address in made.listens if not address.startswith("unix:")]
        running.append(Gateway(["-c", str(file)], pki, tmp_path, listeners=len(tcp)))
        return running[-1]

    yield start
    for one in running:
        one.stop()


@pytest.fixture(scope="session")
def bench(thaw, payloads, programs, tmp_path_factory):
    proxies = []

    def connect_proxy():
        if not proxies:
            proxies.append(ConnectProxy())
        return proxies[0].port

    yield Bench(thaw.port, thaw.pki, payloads, programs, tmp_path_factory.mktemp("jobs"), connect_proxy)
    for proxy in proxies:
        proxy.close()


@pytest.fixture(scope="session")
def matrix(request, bench):
    """matrix(cell): returns its Outcome. All wanted cells of a client run together; some clients run in parallel."""
    wanted = {}
    for item in request.session.items:
        cell = getattr(item, "callspec", None) and item.callspec.params.get("cell")
        if cell:
            wanted.setdefault(cell.client, []).append(cell)
    pool = concurrent.futures.ThreadPoolExecutor(GROUPS_AT_ONCE)
    groups = {client: pool.submit(DRIVERS[client], cells, bench) for client, cells in wanted.items()}
    yield lambda cell: groups[cell.client].result()[cell]
    pool.shutdown(cancel_futures=True)
