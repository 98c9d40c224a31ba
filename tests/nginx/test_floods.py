"""Records without application data: nginx alone counts none; from the first ask of a connection on the module does."""

import re
import subprocess

import pytest
from harness.process import kill_group, popen
from harness.rawtls import Raw

ENDLESS = 50_000_000  # records: more than a connection takes while the test runs
MANY = 20_000  # more than a connection that was asked may send
BASE = "listen 127.0.0.1:{port} ssl; server_name localhost; thaw_certificate_authority {pki}/ca.pem; location / {{ proxy_pass http://app; }}"
LATE = "location /late {{ thaw_client_certificate request; proxy_pass http://app; }}"


@pytest.fixture
def flood(programs):
    """How the server has taken the flood: "open" or "ended"."""
    running = []

    def start(one, kind, count, *target):
        argv = [*programs.flood(), "client", kind, str(one.port), str(one.pki), str(count), *target]
        running.append(popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE))
        out, err = running[-1].communicate()
        said = re.fullmatch(r"sent \d+ (open|ended)\s*", out.decode())
        assert said, (out, err)
        return said[1]

    yield start
    for process in running:
        kill_group(process)


# 1,024 and 128 more for the ask (src/tls/records.h), 4 (src/tls/session.c), 32 in a row (OpenSSL).
@pytest.mark.parametrize("kind, why", (("keyupdate", " 1153 TLS records"), ("clienthello", " 5 times"), ("empty", "record too small")))
def test_connection_that_was_asked_is_ended(nginx, flood, kind, why):
    one = nginx(BASE + LATE)
    assert flood(one, kind, ENDLESS, f"/late?{kind}") == "ended"
    assert one.record(f"/late?{kind}")["verdict"] == "accepted"
    one.wait(lambda: why in one.errors(), why)
    with Raw(one, "1.3") as client:
        assert client.ask("GET", "/late").status == 200


@pytest.mark.parametrize("kind, count", (("keyupdate", MANY), ("clienthello", MANY), ("empty", ENDLESS)))
def test_connection_that_was_not_asked_is_as_with_nginx_alone(nginx, flood, kind, count):
    outcomes = []
    for late in ("", LATE):
        one = nginx(BASE + late, level="alert")  # "record too small" is critical to nginx
        outcomes.append(flood(one, kind, count, f"/?{kind}"))
        with Raw(one, "1.3") as client:  # answered once the worker is through with it
            assert client.ask("GET", "/").status == 200
    assert outcomes[0] == outcomes[1]
