"""Peers that send TLS records which cost more than they carry: other clients of the same worker are served meanwhile,
and the flood is ended. Assertions are about counts: records, requests, outcomes. tests/unit/tls_floods.c counts the
records of a step."""

import re
import subprocess

import pytest

from harness.gateway import Gateway
from harness.process import kill_group, popen
from harness.rawtls import Raw

ENDLESS = 50_000_000  # records: more than any of these floods can send
ENDED = re.compile(r"sent (\d+) ended")
SERVED_LEAST = 10  # requests of the honest client during eight floods; floods that stop the worker allow one or two

CONFIG = """
workers: 1
listen: [ {{ address: '127.0.0.1:0' }} ]
spool: {{ memory: 64MiB, disk: 0 }}
log: {{ access: stdout, format: json, level: info }}
hosts:
  - name: '*'
    certificate: {pki}/server.pem
    key: {pki}/server.key
    client_certificate: {{ ca: {pki}/ca.pem }}
    routes:
      - {{ path: /, upstream: builtin:inspect }}
      - {{ path: /late, upstream: builtin:inspect, client_certificate: {{ when: request }} }}
      - {{ path: /flooded, upstream: bad }}
upstreams:
  bad:
    servers: [ 'https://127.0.0.1:{port}' ]
    max_failures: off
    tls: {{ verify: false }}
"""


@pytest.fixture
def serve(pki, tmp_path):
    running = []

    def start(upstream_port=9):
        (tmp_path / "thaw.yaml").write_text(CONFIG.format(pki=pki, port=upstream_port))
        running.append(Gateway(["-c", str(tmp_path / "thaw.yaml")], pki, tmp_path))
        return running[-1]

    yield start
    for gateway in running:
        gateway.stop()
        assert not [m for m in gateway.messages if "Sanitizer" in m or "runtime error" in m], gateway.messages


@pytest.fixture
def flood(programs):
    """flood(*arguments): starts the program, and stops it with the test."""
    running = []

    def start(*arguments):
        argv = [*programs.flood(), *(str(a) for a in arguments)]
        running.append(popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE))
        return running[-1]

    yield start
    for process in running:
        kill_group(process)


def serve_while(gateway, floods, paths=("/", "/late")):
    """Sends requests of an honest client until all floods are over. Each must be answered. Returns their number."""
    served = 0
    while any(one.poll() is None for one in floods) or served == 0:
        with Raw(gateway, "1.3") as client:
            for path in paths:
                body = b"x" * 1000
                assert client.ask("PUT", path, body).status == 200
                served += 1
    return served


@pytest.mark.parametrize("kind", ("keyupdate", "clienthello", "warnings"))
def test_a_flood_of_control_records_is_ended(kind, serve, flood):
    gateway = serve()
    floods = [flood("client", kind, gateway.port, gateway.pki, ENDLESS) for _ in range(3)]
    serve_while(gateway, floods)
    for one in floods:
        out, err = one.communicate()
        assert ENDED.fullmatch(out.decode().strip()), (out, err)
    assert gateway.wait_messages("renegotiations" if kind == "clienthello" else "records-without-data", "127.0.0.1:")
    assert not [r for r in gateway.records if r["status"] != 200 and r["method"] is not None]


def test_one_byte_records_leave_others_their_turns(serve, flood):
    gateway, count = serve(), 100_000
    floods = [flood("client", "onebyte", gateway.port, gateway.pki, count) for _ in range(8)]
    served = serve_while(gateway, floods, ("/",))
    for one in floods:
        out, err = one.communicate()
        assert out.decode().strip() == f"sent {count} 200", (out, err)
    assert served >= SERVED_LEAST
    records = gateway.wait_records(lambda r: (r.get("target") or "").endswith("onebyte"), 8)
    assert [r["body_in"] for r in records] == [count] * 8


@pytest.mark.parametrize("kind", ("keyupdate", "hellorequest", "warnings", "ccs", "onebyte"))
def test_an_upstream_that_floods_is_given_up(kind, serve, flood, pki):
    server = flood("server", kind, pki)
    gateway = serve(int(server.stdout.readline()))
    for number in range(2):
        with Raw(gateway, "1.3") as client, Raw(gateway, "1.3") as other:
            client.send_request("GET", f"/flooded?{number}")
            assert other.ask("GET", "/").status == 200
            assert client.read().status == 502
            assert client.ask("GET", "/").status == 200
    assert ENDED.fullmatch(server.stdout.readline().decode().strip())
