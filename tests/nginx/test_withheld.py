"""Clients that are asked and never answer: others are served, and the memory is bounded."""

import pytest
from harness.rawtls import Raw, context

COUNT = 1000


@pytest.mark.parametrize("tls", ("1.2", "1.3"))
def test_a_thousand_withheld_certificates(shared, payloads, tls):
    with Raw(shared, tls) as client:
        assert client.ask("GET", f"/late?before-{tls}").status == 200
    before, ctx, waiting = shared.memory().own, context(shared.pki, tls), []
    try:
        for number in range(COUNT):
            waiting.append(Raw(shared, ctx=ctx))
            waiting[-1].send_request("GET", f"/late?withheld-{tls}-{number}")
        waiting[-1].wait_bytes()
        for number in range(5):
            with Raw(shared, tls) as client:
                answer = client.ask("PUT", f"/late?honest-{tls}-{number}", payloads["1m"].data()).json()
                assert answer["body_sha256"] == payloads["1m"].sha256
        each = (shared.memory().own - before) / COUNT
        print(f"{COUNT} withheld certificates, TLS {tls}: {each / 1024:.1f} KiB each")
        assert each < 128 * 1024
    finally:
        for one in waiting:
            one.tls.close()
