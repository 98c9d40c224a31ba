"""Nothing passes that could be read in two ways: raw requests through the gateway to a strict upstream.

Whatever is sent, the upstream gets only well-formed requests, and only those that a strict reader finds in the client's
bytes, in the same order and with the same bodies.
"""

import base64
import json
import os
import pathlib
import re
import socket
import ssl

import pytest

from harness.rawtls import LIMIT, Raw, context
from harness.recorder import Recorder, read_all
from strict.corpus import CASES

# Another corpus of the same format beside this repository, or at THAW_HTTP1_CORPUS.
MORE = pathlib.Path(os.environ.get("THAW_HTTP1_CORPUS",
                                   pathlib.Path(__file__).resolve().parents[3] / "shared/http1-corpus/llhttp.json"))


def more_cases():
    if not MORE.exists():
        return []
    return [(case["name"], base64.b64decode(case["raw"]), case["expect"]) for case in json.loads(MORE.read_text())]


@pytest.fixture(scope="module")
def recorder():
    running = Recorder()
    yield running
    running.close()


@pytest.fixture(scope="module")
def gateway(recorder, pki, tmp_path_factory):
    from harness.gateway import Gateway, Settings

    folder = tmp_path_factory.mktemp("strict")
    settings = Settings(pki, upstream="app", workers=1, spool={"directory": str(folder)},
                        upstreams={"app": f"{{ servers: [ 'http://127.0.0.1:{recorder.port}' ] }}"},
                        routes=(("/late", {"when": "request"}),))
    (folder / "thaw.yaml").write_text(settings.text())
    running = Gateway(["-c", str(folder / "thaw.yaml")], pki, folder)
    yield running
    running.stop()


def talk(gateway, raw, answers):
    """Sends the bytes, and returns what comes back. answers: the number of responses to read; None: reads until the
    server ends the connection; 0: the server may wait for more bytes, so the client first ends its side
    (close_notify)."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context(gateway.pki, "auto").wrap_bio(incoming, outgoing, server_hostname="localhost")
    answer = b""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=LIMIT) as wire:

        def pump(call):
            while True:
                try:
                    result = call()
                except ssl.SSLWantReadError:
                    wire.sendall(outgoing.read())
                    data = wire.recv(65536)
                    if not data:
                        incoming.write_eof()
                    incoming.write(data)
                    continue
                wire.sendall(outgoing.read())
                return result

        pump(tls.do_handshake)
        pump(lambda: tls.write(raw))
        try:
            while answers != 0 and (answers is None or len(statuses(answer)) < answers):
                data = pump(lambda: tls.read(65536))
                if not data:
                    return answer
                answer += data
        except (ssl.SSLError, OSError):
            return answer
        try:
            tls.unwrap()
        except ssl.SSLError:
            pass
        try:
            wire.sendall(outgoing.read())
            while wire.recv(65536):
                pass
        except OSError:
            pass
    return answer


def statuses(answer):
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)]


def origin_form(target):
    """RFC 9112 3.2.1, also for an absolute target."""
    if not target.startswith(b"http"):
        return target
    rest = re.sub(rb"^https?://[^/?]*", b"", target)
    return rest if rest.startswith(b"/") else b"/" + rest


def judge(gateway, recorder, raw, expect):
    recorder.take()
    wanted, end = read_all(raw.lstrip(b"\r\n"))
    if end == "incomplete":  # a strict reader waits for more
        expect = "either"
    answer = talk(gateway, raw, {"accept": len(wanted), "reject": None}.get(expect, 0))
    seen, faults = recorder.take()
    assert not faults, f"the upstream was sent what it cannot read: {faults}"
    assert len(seen) <= len(wanted), f"the upstream saw {seen}, the client sent {wanted}"
    for got, sent in zip(seen, wanted):
        assert got.method == sent.method
        assert got.body == sent.body
        assert got.target == origin_form(sent.target)
        assert len(got.get(b"host")) == 1 and got.get(b"x-forwarded-for") == [b"127.0.0.1"]
    codes = statuses(answer)
    if expect == "accept":
        assert len(seen) == len(wanted) and codes == [200] * len(wanted), f"{codes} for {wanted}"
    if expect == "reject":
        assert codes and 400 <= codes[-1] < 600, f"{codes}: {answer[-300:]!r}"
        assert end != "end" or len(seen) < len(wanted) or not wanted


@pytest.mark.parametrize("raw, expect", [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_corpus(raw, expect, gateway, recorder):
    judge(gateway, recorder, raw, expect)


@pytest.mark.skipif(not MORE.exists(), reason=f"{MORE} is not there")
@pytest.mark.parametrize("raw, expect", [c[1:] for c in more_cases()], ids=[c[0] for c in more_cases()])
def test_another_corpus(raw, expect, gateway, recorder):
    judge(gateway, recorder, raw, expect)


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_however_the_bytes_come(cut, gateway, recorder):
    """The same bytes in two pieces, cut at different places."""
    raw = b"POST /x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    recorder.take()
    with Raw(gateway) as client:
        client.send(raw[:cut])
        client.send(raw[cut:])
        assert client.read().status == 200
    seen, faults = recorder.take()
    assert not faults and [m.body for m in seen] == [b"abc"]


def test_pipelined_prefix_never_runs_under_the_later_identity(gateway, recorder):
    """A request that is pipelined after an unauthenticated one stays a request of its own, and gets no identity that it
    does not have."""
    recorder.take()
    with Raw(gateway, "1.3") as client:
        client.send(client.head("GET", "/open1"), client.head("GET", "/late/x"), client.head("GET", "/open2"))
        assert [client.read().status for _ in range(3)] == [200, 200, 200]
    seen, _ = recorder.take()
    assert [m.target for m in seen] == [b"/open1", b"/late/x", b"/open2"]


def test_misdirected(gateway, recorder, serve, pki):
    """Host names another host than SNI: 421 (RFC 9110 15.5.20), and the upstream gets nothing."""
    recorder.take()
    two = serve(upstreams={"app": f"{{ servers: [ 'http://127.0.0.1:{recorder.port}' ] }}"}, upstream="app",
                hosts=(("handshake.localhost", {"when": "handshake"}),))
    with Raw(two) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: handshake.localhost\r\n\r\n")
        assert client.read().status == 421
    assert recorder.take() == ([], [])
