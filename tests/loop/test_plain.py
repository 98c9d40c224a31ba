"""HTTP without TLS, by real clients."""

import json

from harness.process import run
from peer import LIMIT


def curl(*arguments):
    _, out, _, _ = run(["curl", "-sS", "-i", "--noproxy", "*", "--max-time", str(int(LIMIT)), *map(str, arguments)], timeout=LIMIT)
    head, _, body = out.replace(b"\r\n", b"\n").partition(b"\n\n")
    first, *lines = head.decode().split("\n")
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return int(first.split()[1]), fields, body


def test_plain_http_on_a_tls_port_is_told_so(serve):
    """curl got "Empty reply from server" for this."""
    gateway = serve()
    status, fields, body = curl(f"http://127.0.0.1:{gateway.port}/")
    assert (status, fields["connection"]) == (400, "close")
    assert json.loads(body)["reason"] == "plain-http"
    record = gateway.record("/")
    assert (record["status"], record["tls"], record["host"]) == (400, None, None)
    url = f"http://handshake.localhost:{gateway.port}/a?b"
    status, _, body = curl(url, "--resolve", f"handshake.localhost:{gateway.port}:127.0.0.1")
    assert (status, json.loads(body)["location"]) == (400, url.replace("http:", "https:"))


def test_plain_upload_to_a_tls_port_gets_its_answer(serve, tmp_path):
    gateway = serve()
    path = tmp_path / "upload"
    path.write_bytes(bytes(5_000_000))
    status, _, body = curl("-T", path, f"http://127.0.0.1:{gateway.port}/up")
    assert (status, json.loads(body)["reason"]) == (400, "plain-http")
