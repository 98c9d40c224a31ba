"""Uploads through a slow relay with small buffers, so that the ask and its answer meet the body in transit."""

import pytest

from harness.cells import CLIENTS, Cell, expected, failed_by_itself
from harness.drivers import DRIVERS, Bench
from harness.relay import Relay

SLOW = 4_000_000  # bytes per second, for 1 MiB
BRISK = 30_000_000  # bytes per second, for 50 MiB


def run_through(thaw, bench, rate, cells):
    """Runs the cells through the relay; rate None: directly. Returns {cell: Outcome}."""
    relay = Relay(thaw.port, rate) if rate else None
    mine = Bench(
        relay.port if relay else thaw.port, bench.pki, bench.payloads, bench.programs, bench.folder, bench.connect_proxy
    )
    try:
        return DRIVERS[cells[0].client](cells, mine)
    finally:
        if relay:
            relay.close()


def check(results, payloads):
    for cell, outcome in results.items():
        want = expected(cell)
        if failed_by_itself(cell, outcome):
            continue
        assert outcome.status == want.status, f"{cell.id}: {outcome}"
        if want.status == 200:
            assert outcome.json()["body_sha256"] == payloads[cell.size].sha256
            assert (outcome.json()["certificate"] is not None) == bool(want.means)
        elif want.status:
            assert outcome.json()["reason"] == want.reason


@pytest.mark.parametrize("name", CLIENTS)
def test_all_clients(name, thaw, bench, payloads):
    client = CLIENTS[name]
    paths = ("late", "body") if client.interleaves else ("late", "early", "body")
    cells = [Cell(name, p, "1m", tls, client.framings[-1], mark="slow") for p in paths for tls in ("1.2", "1.3")]
    check(run_through(thaw, bench, SLOW, cells), payloads)


@pytest.mark.parametrize("kind,rate", (("straight", None), ("throttled", BRISK)))
def test_java_every_time(kind, rate, thaw, bench, payloads, figure):
    """Java's HttpClient sends body data in the middle of a handshake; still, 50 MB to /late succeed every time."""
    versions = ("1.2", "auto", "1.2", "auto", "1.2")
    cells = [
        Cell("java-httpclient", "late", "50m", tls, "chunked" if i % 2 else "length", mark=f"{kind}{i}")
        for i, tls in enumerate(versions)
    ]
    results = run_through(thaw, bench, rate, cells)
    good = sum(outcome.status == 200 for outcome in results.values())
    figure(f"Java HttpClient, 50 MiB to /late, {kind}: {good} of {len(cells)}")
    check(results, payloads)
