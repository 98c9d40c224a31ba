"""`thaw send` and `thaw probe` against servers whose responses have no end: each tool ends with an error that names a limit, and
with little memory."""

import contextlib
import itertools
import json

import pytest
from harness.gateway import binary
from harness.plain import Scripted as Plain
from harness.plain import read_head
from harness.process import run
from harness.scripted import Scripted
from harness.upload import LIMIT, identity

MEMORY = 300 * 2**20  # of address space; a response without an end would exceed any
OK, CHUNKED = b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
# What comes first, and what then comes without an end.
ENDLESS = {
    "status line": (b"HTTP/1.1 200 ", b"a" * 65536),
    "field": (OK + b"X: ", b"a" * 65536),
    "fields": (OK, b"X: a\r\n" * 1000),
    "100": (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
    "103": (b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 100),
    "chunk extension": (CHUNKED + b"1;a=", b"a" * 65536),
    "trailer": (CHUNKED + b"0\r\nX: ", b"a" * 65536),
    "trailers": (CHUNKED + b"0\r\n", b"X: a\r\n" * 1000),
}
# thaw send: what its message names.
NAMED = {
    "status line": "100 KiB",
    "field": "100 KiB",
    "fields": "256 KiB",
    "100": "256 KiB",
    "103": "256 KiB",
    "chunk extension": "stalled: ",
    "trailer": "4 KiB",
    "trailers": "256 KiB",
}


def flood(write, response):
    first, rest = ENDLESS[response]
    with contextlib.suppress(OSError):
        for piece in itertools.chain((first,), itertools.repeat(rest)):
            write(piece)


@pytest.fixture
def hostile(pki):
    """hostile(response, tls): the URL of a server that sends this response."""
    running = []

    def start(response, tls):
        if tls:
            running.append(Scripted(pki, lambda visit, server: server.take(visit) and flood(visit.tls.sendall, response)))
        else:
            running.append(Plain(lambda connection: read_head(connection) and flood(connection.sendall, response)))
        return f"http{'s' * tls}://localhost:{running[-1].port}/x"

    yield start
    for one in running:
        one.close()


def tool(pki, *argv):
    return run(["prlimit", f"--as={MEMORY}", str(binary()), *argv, "--stall", "1s", "--json", *identity(pki)], LIMIT)


@pytest.mark.parametrize("tls", (True, False), ids=("tls", "plain"))
@pytest.mark.parametrize("response", ENDLESS)
@pytest.mark.parametrize("prime", ("auto", "never"))
def test_a_response_without_an_end_to_an_upload(prime, response, tls, hostile, pki, tmp_path):
    (tmp_path / "file").write_bytes(b"content")
    url = hostile(response, tls)
    code, out, err, late = tool(pki, "send", str(tmp_path / "file"), url, "--prime", prime, "--response-timeout", "1s")
    assert code == 75 and not late, err
    report = json.loads(out)
    assert NAMED[response] in report["text"], report
    assert report["outcome"] == ("stalled" if response == "chunk extension" else "lost"), report


@pytest.mark.parametrize("response", ENDLESS)
def test_a_response_without_an_end_to_a_probe(response, hostile, pki):
    code, _, err, late = tool(pki, "probe", hostile(response, True), "--max-body", "64k", "--tls", "1.3")
    assert code == 76 and not late and b"not HTTP/1.1: " in err, err
