"""The client matrix of tests/interop through nginx with the module: cell by cell what `thaw serve` makes of it."""

import concurrent.futures

import pytest
from harness.cells import ALL, CLIENTS, expected, failed_by_itself
from harness.drivers import DRIVERS, Bench
from harness.relay import ConnectProxy

GROUPS_AT_ONCE = 2
CELLS = [cell for cell in ALL if cell.path != "after"]  # nginx asks for what a request needs, not after its response


@pytest.fixture(scope="session")
def matrix(request, shared, payloads, programs, tmp_path_factory):
    """matrix(cell): its Outcome. All wanted cells of a client are run together, some clients beside each other."""
    proxy = ConnectProxy()
    bench = Bench(shared.port, shared.pki, payloads, programs, tmp_path_factory.mktemp("jobs"), lambda: proxy.port)
    wanted = {}
    for item in request.session.items:
        cell = getattr(item, "callspec", None) and item.callspec.params.get("cell")
        if cell:
            wanted.setdefault(cell.client, []).append(cell)
    pool = concurrent.futures.ThreadPoolExecutor(GROUPS_AT_ONCE)
    groups = {client: pool.submit(DRIVERS[client], cells, bench) for client, cells in wanted.items()}
    yield lambda cell: groups[cell.client].result()[cell]
    pool.shutdown(cancel_futures=True)
    proxy.close()


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.id)
def test_client(cell, matrix, shared, payloads):
    want = expected(cell)
    outcome = matrix(cell)
    assert not outcome.frozen, str(outcome)
    if failed_by_itself(cell, outcome):
        return
    assert outcome.status == want.status, str(outcome)
    record = shared.record(f"cell={cell.id}")
    if want.reason:
        assert (record["verdict"], record["reason"]) == ("impossible", want.reason)
        return
    if want.tls:
        assert record["tls"] == want.tls
    answer = outcome.json()
    assert answer is not None, str(outcome)
    assert (answer["body_bytes"], answer["body_sha256"]) == (payloads[cell.size].size, payloads[cell.size].sha256)
    if not want.means:
        assert answer["fields"]["x-verify"] == "NONE"
        return
    assert answer["fields"]["x-subject"] == "CN=Thaw Demo Client" and answer["fields"]["x-verify"] == "SUCCESS"
    assert (record["verdict"], record["means"], record["moment"]) == ("accepted", want.means, want.moment)
    if cell.expect and CLIENTS[cell.client].expects:
        assert record["drained"] == "0"  # the 100 was held until the verdict
