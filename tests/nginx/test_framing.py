"""Bodies in odd pieces: chunk sizes, extensions, trailers, buffer edges, records, pipelined neighbours; seeded."""

import hashlib
import random
import select
import ssl

import pytest
from harness.rawtls import LIMIT, Raw

VERSIONS = ("1.2", "1.3")
BASE = "listen 127.0.0.1:{port} ssl; server_name localhost; thaw_certificate_authority {pki}/ca.pem; proxy_http_version 1.1;"
APP = "proxy_pass http://app;"
EDGES = (0, 1, 2, 1023, 1024, 1025, 4095, 4096, 8191, 8192, 8193, 16383, 16384, 16385, 20000)
SETTINGS = {
    "plain": "",
    "streamed": "proxy_request_buffering off;",
    "small": "client_body_buffer_size 1k;",
    "small-streamed": "client_body_buffer_size 1k; proxy_request_buffering off;",
    "single": "client_body_in_single_buffer on;",
    "single-streamed": "client_body_in_single_buffer on; proxy_request_buffering off;",
    "file": "client_body_in_file_only clean; proxy_request_buffering off;",
}


def chunks(rng, data):
    """The data as a chunked body with what RFC 9112 7.1 allows."""
    wire, at = b"", 0
    while at < len(data):
        size = min(len(data) - at, rng.choice((1, 2, 15, 16, 17, 255, 1000, 1024, 4096, 9000)))
        extension = rng.choice((b"", b"", b";x", b";name=value", b';q="a b"', b" "))
        wire += rng.choice((b"%x", b"%X", b"00%x")) % size + extension + b"\r\n" + data[at : at + size] + b"\r\n"
        at += size
    return wire + rng.choice((b"0\r\n\r\n", b"000\r\n\r\n", b"0;last\r\nTrailer: value\r\nOther: x\r\n\r\n"))


class Slow(Raw):
    """Writes in pieces, and takes part in a handshake between them."""

    def write(self, rng, wire):
        at, pause = 0, rng.random()
        while at < len(wire):
            size = rng.choice((1, 7, 500, 1024, 4096, 16384, 100_000))
            if not self.send(wire[at : at + size]):
                return
            at += size
            if rng.random() < pause:
                self.look(rng.choice((0, 0.001, 0.02)))

    def look(self, seconds):
        self.tls.settimeout(0)
        try:
            select.select([self.tls], [], [], seconds)
            self._ahead += self.tls.recv(65536)
        except ssl.SSLWantReadError:
            pass
        finally:
            self.tls.settimeout(LIMIT)


@pytest.mark.parametrize("tls", VERSIONS)
@pytest.mark.parametrize("when", ("request", "request_early", "body"))
def test_body_in_odd_pieces_arrives_whole(nginx, inspector, tls, when):
    one = nginx(BASE + f"thaw_client_certificate {when};" + "".join(f"location /{name} {{{{ {text} {APP} }}}}" for name, text in SETTINGS.items())
                + "location /open {{ thaw_client_certificate off;" + APP + "}}")
    for seed in range(40):
        rng = random.Random(f"{seed} {tls} {when}")
        data = rng.randbytes(rng.choice(EDGES))
        name, target = rng.choice(list(SETTINGS)), f"?{tls}-{when}-{seed}"
        chunked, before = rng.random() < 0.6, rng.random() < 0.4
        after = rng.random() < 0.4 and tls == "1.3"  # nothing that came before a renegotiation is run after it
        with Slow(one, tls) as client:
            head = client.head("PUT", f"/{name}{target}", *(("Transfer-Encoding: chunked",) if chunked else (f"Content-Length: {len(data)}",)))
            wire = head + (chunks(rng, data) if chunked else data)
            wire = (client.head("GET", "/open?before") if before else b"") + wire + (client.head("GET", f"/{name}?after") if after else b"")
            client.write(rng, wire)
            if before:
                assert client.read().status == 200
            got = client.read()
            assert got.status == 200, (seed, name, got)
            report = got.json()
            assert (report["body_bytes"], report["body_sha256"]) == (len(data), hashlib.sha256(data).hexdigest()), (seed, name)
            assert report["fields"]["x-verdict"] == "accepted"
            if after:
                assert client.read().json()["body_bytes"] == 0, (seed, name)
            assert client.ask("POST", f"/{name}?next", b"next").json()["body_bytes"] == 4, (seed, name)


@pytest.mark.parametrize("tls", VERSIONS)
@pytest.mark.parametrize("name", SETTINGS)
def test_refused_body_in_odd_pieces_is_answered(nginx, inspector, tls, name):
    """And no byte of it reaches the upstream."""
    one = nginx(BASE + "thaw_client_certificate request_early; location / {{ " + SETTINGS[name] + APP + "}} location /open {{ thaw_client_certificate off;" + APP + "}}")
    for seed in range(10):
        rng = random.Random(f"{seed} {tls} {name}")
        data, target, chunked = rng.randbytes(rng.choice(EDGES)), f"/refused?{tls}-{name}-{seed}", rng.random() < 0.6
        with Slow(one, tls, identity=None) as client:
            head = client.head("PUT", target, *(("Transfer-Encoding: chunked",) if chunked else (f"Content-Length: {len(data)}",)))
            client.write(rng, head + (chunks(rng, data) if chunked else data))
            assert client.read().status == 403, seed
            if one.record(target) and client.fields and dict(client.fields).get("connection") != "close":
                assert client.ask("GET", "/open").status == 200, seed
        assert inspector.came(target) == 0 and inspector.requests(target) == []
