"""The access log: one record for each request, with the complete result of its ask."""

import re

import pytest

from harness.rawtls import Raw

ASKS = {"when": "request"}


@pytest.mark.parametrize("tls,means,moment", (("1.2", "renegotiation", "body"), ("1.3", "post-handshake", "headers")))
def test_story(tls, means, moment, thaw, payloads):
    body = payloads["1m"]
    target = f"/late?story-{tls}"
    with Raw(thaw, tls) as client:
        client.ask("PUT", target, body.data(), "User-Agent: story-teller")
        port = client.local_port
    record = thaw.record(target)
    assert record["client"] == f"127.0.0.1:{port}"
    assert (record["method"], record["protocol"], record["status"]) == ("PUT", "HTTP/1.1", 200)
    assert record["tls"] == f"TLSv{tls}" and record["cipher"]
    assert record["host"] and record["user_agent"] == "story-teller"
    assert record["resumed"] is False
    assert record["body_in"] == body.size and record["body_out"] > 0
    assert record["certificate"]["subject"] == "CN=Thaw Demo Client"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", record["time"])
    story = record["ask"]
    assert (story["means"], story["moment"]) == (means, moment)
    assert (story["verdict"], story["reason"]) == ("accepted", "none")
    assert story["ms"] >= 0 and record["ms"] >= story["ms"]
    assert story["to_memory"] + story["to_disk"] == story["drained"] == body.size


def test_to_disk(serve, payloads):
    """A spool with little memory: the rest of the body goes to the disk, and is read back unchanged."""
    gateway = serve(certificate=ASKS, spool={"memory": "4MiB", "disk": "1GiB", "per_client": "50%"})
    with Raw(gateway, "1.2") as client:
        answer = client.ask("PUT", "/disk", payloads["50m"].data()).json()
    assert answer["body_sha256"] == payloads["50m"].sha256
    story = gateway.record("/disk")["ask"]
    assert 0 < story["to_memory"] <= 2 * 2**20
    assert story["to_memory"] + story["to_disk"] == payloads["50m"].size


def test_one_each(serve):
    """Requests of every kind get one record each."""
    gateway = serve(routes=(("/late", ASKS), ("/none", {"when": "request", "require": "false"})))
    with Raw(gateway) as client:
        for number, path in enumerate(("/", "/late", "/none", "/late", "/.well-known/thaw/prime", "/")):
            client.ask("GET", f"{path}?one-{number}")
    with Raw(gateway, identity=None) as client:
        client.ask("GET", "/late?one-6")
    with Raw(gateway) as client:
        client.send(b"BAD\r\n\r\n")
        client.read()
    assert len(gateway.wait_records(lambda r: r["status"] == 400)) == 1
    marked = [r["target"].partition("?")[2] for r in gateway.records if r["target"]]
    assert sorted(m for m in marked if m.startswith("one-")) == [f"one-{number}" for number in range(7)]
    asks = [r["ask"] for r in gateway.records if (r["target"] or "").startswith("/?one")]
    assert asks == [None, None]


def test_no_injection(thaw):
    """A client's input can neither add a line to the log nor break its JSON."""
    with Raw(thaw) as client:
        client.ask("GET", "/?quoted", None, 'User-Agent: "}\\n{"status": 1\t\xe9')
    record = thaw.record("/?quoted")
    assert record["user_agent"].startswith('"}\\n{"status": 1\t')
    assert not [r for r in thaw.records if "unreadable" in r]
