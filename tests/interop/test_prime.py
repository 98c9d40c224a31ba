"""Priming: after a GET or HEAD to the prime route, the upload on the same connection is not asked."""

import json
import subprocess

import pytest

from harness.drivers import curl_argv
from harness.rawtls import Raw

PRIME = "/.well-known/thaw/prime"


def check_not_asked(answer, record, payload):
    assert answer["body_sha256"] == payload.sha256
    assert answer["certificate"]["subject"] == "CN=Thaw Demo Client"
    assert answer["certificate"]["ask_ms"] == 0
    assert answer["certificate"]["body_bytes_before_verdict"] == 0
    assert record["certificate"]["subject"] == "CN=Thaw Demo Client"
    story = record["ask"]
    assert story is None or (story["ms"], story["drained"], story["to_memory"], story["to_disk"]) == (0, 0, 0, 0)


@pytest.mark.parametrize("tls", ("1.2", "1.3"))
@pytest.mark.parametrize("method", ("GET", "HEAD"))
def test_python(method, tls, thaw, payloads):
    target = f"/late?primed-python-{method}-{tls}"
    with Raw(thaw, tls) as client:
        assert client.ask(method, PRIME).status == 204
        answer = client.ask("PUT", target, payloads["50m"].data()).json()
    check_not_asked(answer, thaw.record(target), payloads["50m"])


@pytest.mark.parametrize("tls", ("1.2", "1.3"))
def test_curl(tls, thaw, bench, payloads, tmp_path):
    """Two URLs in one command."""
    target = f"/late?primed-curl-{tls}"
    out = tmp_path / "answer.json"
    argv = curl_argv(bench, tls, "-o", "/dev/null", thaw.url(PRIME))
    argv += ["--next", *curl_argv(bench, tls)[1:], "--no-include", "-T", str(payloads["50m"].path)]
    argv += ["-w", "%{num_connects}", "-o", str(out), thaw.url(target)]
    done = subprocess.run(argv, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout == b"0"  # the number of connections made for the upload
    check_not_asked(json.loads(out.read_text()), thaw.record(target), payloads["50m"])


@pytest.mark.parametrize("tls", ("1.2", "1.3"))
def test_above_max_body(tls, serve, payloads):
    """max_body limits what is held while a certificate is pending, not the uploads of a client that has given one."""
    gateway = serve(certificate={"when": "request", "max_body": "1MiB"})
    with Raw(gateway, tls) as client:
        assert client.ask("GET", PRIME).status == 204
        answer = client.ask("PUT", "/late", payloads["50m"].data()).json()
    assert answer["body_sha256"] == payloads["50m"].sha256
