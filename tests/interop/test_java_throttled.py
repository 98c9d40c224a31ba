"""Java's HttpClient, which sends body in the middle of a handshake: 50 MB to /late succeeds every time."""

import pytest

from harness.cells import Cell, expected
from harness.drivers import DRIVERS, Bench
from harness.relay import Relay

RATE = 30_000_000  # bytes a second


def cells(kind):
    """Five of each."""
    versions = ("1.2", "auto", "1.2", "auto", "1.2")
    return [
        Cell("java-httpclient", "late", "50m", tls, "chunked" if i % 2 else "length", mark=f"{kind}{i}")
        for i, tls in enumerate(versions)
    ]


@pytest.mark.parametrize("kind", ("direct", "throttled"))
def test_every_time(kind, thaw, bench, payloads, figure):
    relay = Relay(thaw.port, RATE) if kind == "throttled" else None
    port = relay.port if relay else thaw.port
    mine = Bench(port, bench.pki, payloads, bench.programs, bench.folder, bench.connect_proxy)
    wanted = cells(kind)
    results = DRIVERS["java-httpclient"](wanted, mine)
    if relay:
        relay.close()
    for cell in wanted:
        assert results[cell].status == expected(cell).status == 200, f"{cell.id}: {results[cell]}"
        assert results[cell].json()["body_sha256"] == payloads["50m"].sha256
    figure(f"Java HttpClient, 50 MiB to /late, {kind}: {len(wanted)} of {len(wanted)}")
