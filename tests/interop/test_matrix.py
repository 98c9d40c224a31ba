"""Real clients against the throwaway set-up: the result of every cell follows from the client's abilities."""

import pytest

from harness.cells import ALL, CLIENTS, expected, failed_by_itself


def _check_accepted(answer, record, want, payload):
    assert answer["body_bytes"] == payload.size
    assert answer["body_sha256"] == payload.sha256
    if not want.means:
        assert answer["certificate"] is None
        return
    certificate = answer["certificate"]
    assert certificate is not None
    assert certificate["subject"] == "CN=Thaw Demo Client"
    assert (certificate["means"], certificate["moment"]) == (want.means, want.moment)
    if want.moment == "body":
        assert certificate["body_bytes_before_verdict"] == payload.size
    if want.means != "handshake":
        story = record["ask"]
        assert (story["means"], story["moment"]) == (want.means, want.moment)
        assert (story["verdict"], story["reason"]) == ("accepted", "none")
        assert story["drained"] == certificate["body_bytes_before_verdict"]


def _check_refused(answer, record, want):
    assert answer["reason"] == want.reason
    assert answer["status"] == want.status and answer["cure"] and answer["detail"]
    assert (record["ask"]["verdict"], record["ask"]["reason"]) == ("impossible", want.reason)


@pytest.mark.parametrize("cell", ALL, ids=lambda cell: cell.id)
def test_client(cell, matrix, thaw, payloads):
    want = expected(cell)
    outcome = matrix(cell)
    assert not outcome.frozen, str(outcome)
    if failed_by_itself(cell, outcome):
        return
    assert outcome.status == want.status, str(outcome)
    record = thaw.record(f"cell={cell.id}")
    assert record["status"] == want.status
    if want.status == 0:
        assert (record["ask"]["verdict"], record["ask"]["reason"]) == ("impossible", want.reason)
        return
    if cell.expect and want.status >= 400 and not CLIENTS[cell.client].reads_final:
        return
    answer = outcome.json()
    assert answer is not None, str(outcome)
    if want.tls:
        assert record["tls"] == want.tls
    if want.status == 200:
        _check_accepted(answer, record, want, payloads[cell.size])
        if cell.expect and want.means:
            assert answer["certificate"]["body_bytes_before_verdict"] == 0  # the 100 was held until the verdict
    else:
        _check_refused(answer, record, want)
