"""HTTP/2 with real clients, and with a client that checks each frame: what is forwarded, flow control, and how a
connection ends. `--h2-target haproxy` replaces the gateway with another server in tests that are not specific to
Thaw."""

import hashlib
import json
import re
import signal
import threading
from dataclasses import dataclass

import pytest

from harness import h2, h2raw, hpack
from harness.gateway import MemoryWatch, binary
from harness.h2_servers import Peer
from harness.h2raw import (
    DATA, ENABLE_CONNECT_PROTOCOL, END_STREAM, GOAWAY, HEADERS, HTTP_1_1_REQUIRED, INITIAL_WINDOW_SIZE, MOST_WINDOW, NO_ERROR,
    RST_STREAM, headers, ping, rst_stream, window_update,
)  # fmt: skip
from harness.plain import read_head, scripted  # noqa: F401 - one is a fixture
from harness.process import run
from harness.rawtls import Raw
from test_must_hold import settled_memory, wait_until

MIB = 2**20
LIMIT = 120.0  # a watchdog against freezes, not a measure of speed
SUBJECT = "CN=Thaw Demo Client"
OPTIONAL = {"when": "handshake", "require": "false"}
IDENTITY = {"identity": "[ rfc9440, nginx ]"}
LATE = (("/late", {"when": "request"}),)
MANY = 120


@pytest.fixture(scope="module")
def gateway(request, pki, upstream, tmp_path_factory):
    """In front of Node, which reports what it received."""
    if named := request.config.getoption("--h2-target"):
        peer = Peer(named, tmp_path_factory.mktemp("peer"), pki, upstream("node").port)
        yield peer
        peer.stop()
        return
    app = f"{{ servers: {upstream('node').servers} }}"
    with h2.running(pki, tmp_path_factory.mktemp("h2"), upstream="app", upstreams={"app": app}, certificate=OPTIONAL) as running:
        yield running
        assert not running.complaints()


@pytest.fixture
def front(request, serve, pki, tmp_path):
    """front(port): a gateway with one worker in front of an upstream on that port."""
    named, peers = request.config.getoption("--h2-target"), []

    def start(port):
        if named:
            peers.append(Peer(named, tmp_path, pki, port))
            return peers[-1]
        app = f"{{ servers: [ 'http://127.0.0.1:{port}' ] }}"
        return h2.start(serve, upstreams={"app": app}, upstream="app", workers=1)

    yield start
    for peer in peers:
        peer.stop()


# Real clients ------------------------------------------------------------------------------------------------------------------


@dataclass
class Told:
    """One request of a real client."""

    version: str
    status: int
    body: bytes

    def json(self):
        return json.loads(self.body)


def done(argv, **how):
    code, out, err, late = run([str(a) for a in argv], LIMIT, **how)
    assert not late, f"frozen: {argv[0]}: {err[-600:]}"
    assert code == 0, (code, err[-600:])
    return out


def curl(gateway, path, *options, **how):
    argv = ["curl", "-sS", "--http2", "--cacert", gateway.pki / "ca.pem", "-w", "\n%{http_version} %{http_code}", *options]
    body, _, report = done([*argv, gateway.url(path)], **how).rpartition(b"\n")
    version, status = report.split()
    return Told(version.decode(), int(status), body)


def test_curl_get(gateway):
    report = curl(gateway, "/get?curl")
    assert (report.version, report.status, report.json()["target"]) == ("2", 200, "/get?curl")


def test_curl_head(gateway):
    report = curl(gateway, "/", "-I")
    assert report.version == "2" and report.status == 200 and re.search(rb"(?m)^content-(length|type): ", report.body)


@pytest.mark.parametrize("size", ("1k", "1m", "50m"))
@pytest.mark.parametrize("framing", ("length", "none"))
def test_curl_put(size, framing, gateway, payloads):
    payload = payloads[size]
    with open(payload.path, "rb") as file:
        report = curl(gateway, "/put", "-T", payload.path if framing == "length" else "-", stdin=file)
    answer = report.json()
    assert (report.version, report.status) == ("2", 200)
    assert (answer["body_bytes"], answer["body_sha256"]) == (payload.size, payload.sha256)
    assert answer["fields"].get("content-length") == (str(payload.size) if framing == "length" else None)


def test_curl_put_with_expect(gateway, payloads):
    report = curl(gateway, "/put", "-T", payloads["1m"].path, "-H", "Expect: 100-continue")
    assert (report.version, report.status, report.json()["body_sha256"]) == ("2", 200, payloads["1m"].sha256)


def test_curl_many_at_once(gateway):
    argv = ["curl", "-sS", "--http2", "-Z", "--parallel-max", 100, "--cacert", gateway.pki / "ca.pem"]
    argv += ["-w", "\n%{http_version} %{http_code} %{num_connects}\n", gateway.url(f"/many?[1-{2 * MANY}]")]
    report = re.findall(rb"(?m)^(\S+) (\d+) (\d+)$", done(argv))
    assert [t[:2] for t in report] == [(b"2", b"200")] * 2 * MANY
    assert sum(int(t[2]) for t in report) < 10  # number of connections


PROGRAMS = {"node": ("node", "h2node"), "go": ("go", "h2go"), "java": ("java", "H2Java")}


def told_by(programs, name, gateway, payload):
    kind, program = PROGRAMS[name]
    out = done([*getattr(programs, kind)(program), gateway.port, gateway.pki, payload.path, MANY])
    report = {}
    for line in out.decode().splitlines():
        what, version, status, body = line.split("\t")
        report.setdefault(what, []).append(Told(version.removeprefix("h"), int(status), bytes.fromhex(body)))
    return report


@pytest.mark.parametrize("name", PROGRAMS)
def test_client_library_reads_an_early_refusal(name, serve, upstream, programs, payloads):
    app = f"{{ servers: {upstream('node').servers} }}"
    gateway = h2.start(serve, upstreams={"app": app}, upstream="app", host={"max_request_body": "64KiB"})
    report = told_by(programs, name, gateway, payloads["50m"])
    statuses = {what: {(t.version, t.status) for t in some} for what, some in report.items()}
    assert statuses.pop("put") == statuses.pop("stream") == {("2", 413)}
    assert set().union(*statuses.values()) == {("2", 200)}  # on the same connection


@pytest.mark.parametrize("name", PROGRAMS)
def test_client_library(name, gateway, programs, payloads):
    payload = payloads["1m"]
    report = told_by(programs, name, gateway, payload)
    assert {(t.version, t.status) for some in report.values() for t in some} == {("2", 200)}
    assert report["get"][0].json()["method"] == "GET" and report["head"][0].body == b""
    for what in ("put", "stream"):
        assert report[what][0].json()["body_sha256"] == payload.sha256
    if "trailers" in report:
        assert report["trailers"][0].json()["trailers"] == {"x-after": "the body"}
    assert sorted(int(t.json()["target"].partition("?")[2]) for t in report["many"]) == list(range(MANY))
    assert {t.json()["body_bytes"] for t in report["many"]} == {1000}


def test_nghttp(gateway, payloads):
    argv = ["nghttp", "--no-verify-peer", "--no-content-length", "--trailer", "x-after: nghttp", "-H", ":method: PUT"]
    argv += ["-d", payloads["1m"].path]
    answer = json.loads(done([*argv, gateway.url("/nghttp")]))
    assert (answer["body_sha256"], answer["trailers"]) == (payloads["1m"].sha256, {"x-after": "nghttp"})


@pytest.mark.parametrize("body", (None, "1k"))
def test_h2load(body, gateway, payloads):
    more = ["-d", payloads[body].path] if body else []
    out = done(["h2load", "-n", 2000, "-c", 10, "-m", MANY, *more, gateway.url("/load")]).decode()
    assert "Application protocol: h2" in out
    assert "2000 succeeded, 0 failed, 0 errored, 0 timeout" in out and "status codes: 2000 2xx" in out


# Frame by frame ----------------------------------------------------------------------------------------------------------------


def answering(*parts):
    """An upstream that sends this response to each request; requests have no body."""

    def serve(connection):
        while True:
            read_head(connection)
            connection.sendall(b"".join(parts))

    return serve


OK = b"HTTP/1.1 200 OK\r\n"


def test_trailers_of_a_response(front, scripted):  # noqa: F811
    chunked = b"Transfer-Encoding: chunked\r\nTrailer: X-After\r\n\r\n4\r\nbody\r\n0\r\nX-After: the body\r\n\r\n"
    with h2.connect(front(scripted(answering(OK, chunked)).port)) as client:
        report = client.ask("GET", "/", ("te", "trailers"))
    assert (report.status, report.body, report.trailers) == (200, b"body", [("x-after", "the body")])
    assert not report.get("transfer-encoding") and not report.get("connection")


def test_early_hints(front, scripted):  # noqa: F811
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"
    with h2.connect(front(scripted(answering(hints, hints, OK, b"Content-Length: 4\r\n\r\nbody")).port)) as client:
        report = client.ask("GET", "/")
    assert (report.status, report.body) == (200, b"body")
    assert report.interim == [(103, [("link", "</a.css>")])] * 2


@pytest.mark.parametrize("status, length", ((204, None), (304, "10"), (205, "0")))
def test_responses_without_a_body(status, length, front, scripted):  # noqa: F811
    fields = f"Content-Length: {length}\r\n" if length else ""
    with h2.connect(front(scripted(answering(f"HTTP/1.1 {status} x\r\n{fields}\r\n".encode())).port)) as client:
        report = client.ask("GET", "/")
    assert (report.status, report.body, report.reset) == (status, b"", None)


def test_head_has_no_data(front, scripted):  # noqa: F811
    with h2.connect(front(scripted(answering(OK, b"Content-Length: 1000\r\n\r\n")).port)) as client:
        report = client.ask("HEAD", "/")
        assert (report.status, report.get("content-length")) == (200, ["1000"])
        assert not [f for f in client.seen if f.kind == DATA]


def test_connection_fields_of_a_response_stay_behind(front, scripted):  # noqa: F811
    fields = b"Connection: X-Hop, keep-alive\r\nKeep-Alive: timeout=5\r\nX-Hop: 1\r\nX-Kept: 2\r\nContent-Length: 0\r\n\r\n"
    with h2.connect(front(scripted(answering(OK, fields)).port)) as client:
        report = client.ask("GET", "/")
    assert report.get("x-kept") == ["2"]
    assert not {name for name, _ in report.fields} & {"connection", "keep-alive", "x-hop"}


def test_response_that_is_cut_short_is_reset(front, scripted):  # noqa: F811
    def serve(connection):
        read_head(connection)
        connection.sendall(OK + b"Content-Length: 10\r\n\r\nhalf")

    with h2.connect(front(scripted(serve).port)) as client:
        report = client.ask("GET", "/")
        assert report.status == 200 and report.reset not in (None, NO_ERROR)
        assert client.ask("GET", "/.well-known/thaw/nothing").status  # the connection continues


def test_expect_is_answered_before_the_body(front, scripted):  # noqa: F811
    def serve(connection):
        read_head(connection)
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        got = b""
        while len(got) < 4:
            got += connection.recv(100)
        connection.sendall(OK + b"Content-Length: 4\r\n\r\n" + got)

    with h2.connect(front(scripted(serve).port)) as client:
        stream = client.request("PUT", "/", ("expect", "100-continue"), ("content-length", "4"), end=False)
        assert client.peek(lambda f: f.kind == HEADERS)
        client.put(stream, b"body")
        report = client.response(stream)
    assert ([status for status, _ in report.interim], report.status, report.body) == ([100], 200, b"body")


def test_expectation_that_is_refused_needs_no_body(front, scripted):  # noqa: F811
    with h2.connect(front(scripted(answering(b"HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n")).port)) as client:
        stream = client.request("PUT", "/", ("expect", "100-continue"), ("content-length", "4"), end=False)
        report = client.response(stream)
    assert (report.status, report.interim) == (417, [])


def test_early_response_in_mid_body(front, scripted):  # noqa: F811
    """The upstream answers and stops reading. The client gets the response before its body is sent, and the connection
    continues."""
    over = threading.Event()

    def serve(connection):
        if b"PUT" in read_head(connection):
            connection.sendall(b"HTTP/1.1 413 Too large\r\nContent-Length: 5\r\nConnection: close\r\n\r\nlarge")
            over.wait(LIMIT)
            return
        connection.sendall(OK + b"Content-Length: 4\r\n\r\nbody")

    with h2.connect(front(scripted(serve).port)) as client:
        stream = client.request("PUT", "/", ("content-length", str(500 * MIB)), end=False)
        client.put(stream, bytes(MIB), end=False)
        report = client.response(stream)
        assert (report.status, report.body) == (413, b"large")
        client.send(rst_stream(stream))
        assert client.ask("GET", "/").body == b"body"
    over.set()


def test_websocket(gateway):
    """RFC 8441: the gateway speaks RFC 6455 with the Node behind it."""
    with h2.connect(gateway) as client:
        assert client.settings.get(ENABLE_CONNECT_PROTOCOL) == 1
        stream = client.stream()
        fields = [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https"), (":path", "/socket"),
                  (":authority", client.authority), ("sec-websocket-version", "13")]  # fmt: skip
        client.send(headers(stream, fields, end=False))
        assert client.wait(lambda f: f.kind == HEADERS).flags & END_STREAM == 0
        for text in (b"hello", b"more" * 20):
            client.put(stream, bytes([0x81, 0x80 | len(text)]) + b"\0\0\0\0" + text, end=False)
            assert tunnelled(client, stream, 2 + len(text)) == bytes([0x81, len(text)]) + text
        client.put(stream, b"\x88\x80\0\0\0\0")
        assert client.response(stream).reset in (None, NO_ERROR)


def tunnelled(client, stream, size):
    got = b""
    while len(got) < size:
        got += client.wait(lambda f: f.kind == DATA and f.stream == stream).content
    return got


def test_websocket_that_the_upstream_refuses(front, scripted):  # noqa: F811
    with h2.connect(front(scripted(answering(b"HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno")).port)) as client:
        stream = client.stream()
        fields = [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https"), (":path", "/"), (":authority", "a")]
        client.send(headers(stream, fields, end=False))
        report = client.response(stream)
        # The client has not ended its stream, and may never do so.
        assert report.reset == NO_ERROR or client.wait(lambda f: f.kind == RST_STREAM and f.stream == stream).code == NO_ERROR
    assert (report.status, report.body) == (403, b"no")


def test_dynamic_table_of_requests(gateway):
    """As browsers encode requests: a field that was sent before is referenced by its index."""
    encoder = hpack.Encoder()
    with h2.connect(gateway) as client:
        for number in range(20):
            stream, mark = client.stream(), "x" * number
            fields = h2raw.head("GET", "/", client.authority, ("x-mark", mark), ("x-same", "1"))
            client.send(headers(stream, encoder.encode(fields)))
            report = json.loads(client.response(stream).body)["fields"]
            assert (report["x-mark"], report["x-same"]) == (mark, "1")


def test_streams_do_not_wait_for_each_other(front, scripted):  # noqa: F811
    over = threading.Event()

    def serve(connection):
        if b"/slow" in read_head(connection):
            over.wait(LIMIT)
        connection.sendall(OK + b"Content-Length: 4\r\nConnection: close\r\n\r\nbody")

    with h2.connect(front(scripted(serve).port)) as client:
        slow = [client.request("GET", "/slow") for _ in range(50)]
        assert all(report.status == 200 for report in client.responses(*(client.request("GET", "/") for _ in range(50))).values())
        over.set()
        assert all(report.status == 200 for report in client.responses(*slow).values())


def test_cancelled_request_ends_its_upstream_connection(front, scripted):  # noqa: F811
    gone = threading.Event()

    def serve(connection):
        read_head(connection)
        connection.settimeout(LIMIT)
        try:
            connection.recv(1)
        except OSError:
            pass
        gone.set()

    upstream = scripted(serve)
    with h2.connect(front(upstream.port)) as client:
        stream = client.request("GET", "/")
        wait_until("the request at the upstream", lambda: upstream.connections)
        client.send(rst_stream(stream))
        assert gone.wait(LIMIT)


# Flow control ------------------------------------------------------------------------------------------------------------------


def full(client, stream, content):
    """Sends as much as the server's windows allow, until they stay closed although it answers pings. Returns the number
    of bytes."""
    sent, shut = 0, 0
    while shut < 20:
        if room := min(client.room(stream), 16384):
            assert client.put(stream, content[sent : sent + room], end=False)
            sent, shut = sent + room, 0
            assert sent < len(content), "the server takes it all"
            continue
        client.send(ping())
        assert client.wait(lambda f: f.kind == h2raw.PING, keep=True)
        shut += 1
    return sent


@pytest.mark.memory
def test_slow_upstream_closes_the_window(front, scripted, payloads, figure):  # noqa: F811
    """The upstream reads nothing for a while: the client must wait, memory is bounded, and other streams are served."""
    payload, go = payloads["50m"], threading.Event()

    def serve(connection):
        head, _, first = read_head(connection).partition(b"\r\n\r\n")
        if b"PUT" not in head:
            connection.sendall(OK + b"Content-Length: 4\r\nConnection: close\r\n\r\nbody")
            return
        assert go.wait(LIMIT)
        digest, left = hashlib.sha256(first), payload.size - len(first)
        while left:
            digest.update(more := connection.recv(min(left, 65536)))
            left -= len(more)
        connection.sendall(OK + b"Content-Length: 64\r\n\r\n" + digest.hexdigest().encode())

    gateway, content = front(scripted(serve).port), payload.data()
    with h2.connect(gateway) as client:
        before = gateway.memory()
        stream = client.request("PUT", "/", ("content-length", str(payload.size)), end=False)
        sent = full(client, stream, content)
        cost = settled_memory(gateway).own - before.own
        assert client.ask("GET", "/").body == b"body"
        go.set()
        assert client.put(stream, content[sent:])
        assert client.response(stream).body.decode() == payload.sha256
    figure(f"HTTP/2 upload to an upstream that reads nothing: {sent / MIB:.1f} MiB taken, {cost / MIB:.1f} MiB resident")
    assert gateway.sanitized() or cost < 8 * MIB


@pytest.mark.memory
def test_slow_client_holds_back_the_upstream(front, scripted, payloads, figure):  # noqa: F811
    payload = payloads["50m"]
    content, sent = payload.data(), []

    def serve(connection):
        if b"/big" not in read_head(connection):
            connection.sendall(OK + b"Content-Length: 4\r\nConnection: close\r\n\r\nbody")
            return
        connection.sendall(OK + b"Content-Length: %d\r\n\r\n" % len(content))
        for at in range(0, len(content), 65536):
            connection.sendall(content[at : at + 65536])
            sent.append(at)

    gateway = front(scripted(serve).port)
    with h2.connect(gateway, (INITIAL_WINDOW_SIZE, 1000)) as client:
        before = gateway.memory()
        stream = client.request("GET", "/big")
        assert client.peek(lambda f: f.kind == DATA)
        cost = settled_memory(gateway).own - before.own
        held, taken = len(sent) * 65536, sum(len(f.payload) for f in client.seen if f.kind == DATA)
        with h2.connect(gateway) as other:
            assert other.ask("GET", "/").body == b"body"
        client.send(window_update(0, 2**30), window_update(stream, 2**30))
        assert hashlib.sha256(client.response(stream, refill=False).body).hexdigest() == payload.sha256
    figure(f"HTTP/2 download by a client that reads nothing: {held / MIB:.1f} MiB sent to it, {cost / MIB:.1f} MiB resident")
    assert taken == 1000 and held < 25 * MIB
    assert gateway.sanitized() or cost < 8 * MIB


@pytest.mark.memory
def test_large_bodies_need_little_memory(gateway, payloads, figure):
    with MemoryWatch(gateway) as watch:
        before = gateway.memory()
        with h2.connect(gateway) as client:
            report = client.ask("PUT", "/", body=payloads["50m"].data())
    assert json.loads(report.body)["body_sha256"] == payloads["50m"].sha256
    cost = watch.peak.own - before.own
    figure(f"HTTP/2 upload of 50 MiB: {cost / MIB:.1f} MiB resident")
    assert gateway.sanitized() or cost < 16 * MIB


@pytest.mark.memory
def test_idle_connection_costs_no_more_than_its_session_beside_one_of_http_1_1(serve, figure):
    gateway, count, held = h2.start(serve, workers=1), 300, []

    def cost(connect):
        """The memory of an idle connection that has had a request. The first connections also cause allocations that
        happen only once."""
        for _ in range(20):
            held.append(connect())
        before = settled_memory(gateway)
        for _ in range(count):
            held.append(connect())
        return (settled_memory(gateway).own - before.own) / count

    def over_http_1():
        client = Raw(gateway, "1.3")
        assert client.ask("GET", "/").status == 200
        return client

    def over_http_2():
        client = h2.connect(gateway, tls="1.3")
        assert client.ask("GET", "/").status == 200
        return client

    one, two = cost(over_http_1), cost(over_http_2)
    for client in held:
        client.tls.close()
    figure(f"an idle connection: {one / 1024:.1f} KiB over HTTP/1.1, {two / 1024:.1f} KiB over HTTP/2")
    assert gateway.sanitized() or two - one < 14 * 1024  # nghttp2 1.52: 10 KiB


# How connections end -----------------------------------------------------------------------------------------------------------


def held_back(over):
    def serve(connection):
        if b"/slow" in read_head(connection):
            assert over.wait(LIMIT)
        connection.sendall(OK + b"Content-Length: 4\r\nConnection: close\r\n\r\nbody")

    return serve


def stop(gateway):
    gateway.process.send_signal(signal.SIGTERM)


def reload(gateway):
    code, out, err, late = run([str(binary()), "reload", str(gateway.process.pid)], LIMIT)
    assert (code, late) == (0, False), out + err


@pytest.mark.parametrize("how", (stop, reload))
def test_goaway_in_two_steps(how, front, scripted):  # noqa: F811
    """The first GOAWAY is a notice: requests in flight are still accepted. The second one names the last stream. All
    streams that began are answered."""
    over = threading.Event()
    gateway = front(scripted(held_back(over)).port)
    with h2.connect(gateway) as client:
        slow = client.request("GET", "/slow")
        assert client.ask("GET", "/").body == b"body"
        how(gateway)
        notice = client.wait(lambda f: f.kind == GOAWAY)
        assert (notice.code, notice.last) == (NO_ERROR, MOST_WINDOW)
        late = client.request("GET", "/late-one")
        assert client.response(late).body == b"body"
        last = client.wait(lambda f: f.kind == GOAWAY)
        assert (last.code, last.last) == (NO_ERROR, late)
        over.set()
        assert client.response(slow).body == b"body"
        assert client.ends() == [NO_ERROR, NO_ERROR]


def test_idle_connection_gets_goaway_at_the_stop(gateway, front, scripted):  # noqa: F811
    one = front(scripted(answering(OK, b"Content-Length: 4\r\n\r\nbody")).port)
    with h2.connect(one) as client:
        assert client.ask("GET", "/").body == b"body"
        stop(one)
        codes = client.ends()
    assert codes and set(codes) == {NO_ERROR}
    assert one.process.wait(LIMIT) == 0


class Client(threading.Thread):
    """Sends requests on a connection until it gets a GOAWAY, then on another one. A stream after the last one of a
    GOAWAY, or one that is refused, is not lost (RFC 9113 6.8, 8.7): the client can send it again."""

    def __init__(self, gateway, over):
        super().__init__(daemon=True)
        self.gateway, self.over = gateway, over
        self.served, self.lost, self.connections = 0, [], 0

    def run(self):
        try:
            while not self.over.is_set():
                with h2.connect(self.gateway) as client:
                    self.connections += 1
                    self._use(client)
        except (OSError, AssertionError) as broken:
            self.lost.append(repr(broken))

    def _use(self, client):
        while not self.over.is_set() and not client.goaways:
            streams = [client.request("PUT", "/", body=b"x" * 1000) for _ in range(5)]
            for stream, report in client.responses(*streams, partial=True).items():
                if report.status == 200 and report.reset is None:
                    self.served += 1
                elif report.reset != h2raw.REFUSED_STREAM and not any(stream > f.last for f in client.goaways):
                    self.lost.append((stream, report.status, report.reset, list(map(str, client.seen[-5:]))))


def test_reload_loses_nothing(serve, upstream):
    app = f"{{ servers: {upstream('node').servers} }}"
    gateway = h2.start(serve, upstreams={"app": app}, upstream="app", workers=2)
    over = threading.Event()
    crowd = [Client(gateway, over) for _ in range(4)]
    for one in crowd:
        one.start()
    for number in range(3):
        reload(gateway)
        wait_until("requests of new workers", lambda: all(one.connections > number + 1 or one.lost for one in crowd))
    over.set()
    for one in crowd:
        one.join()
    assert [one.lost for one in crowd] == [[]] * 4
    assert all(one.served > 0 for one in crowd)


# Identity, records, late routes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tls", ("1.2", "1.3"))
def test_identity_of_the_handshake(tls, serve, upstream):
    app = f"{{ servers: {upstream('node').servers} }}"
    gateway = h2.start(serve, upstreams={"app": app}, upstream="app", certificate={"when": "handshake"}, host=IDENTITY)
    with h2.connect(gateway, tls=tls, identity="client") as client:
        fields = json.loads(client.ask("PUT", "/?identity", ("client-cert", ":AAAA:"), body=b"x").body)["fields"]
        others = client.responses(*(client.request("GET", "/") for _ in range(10)))
    assert fields["client-cert"].startswith(":MII") and fields["x-ssl-client-s-dn"] == SUBJECT
    assert {json.loads(report.body)["fields"]["client-cert"] for report in others.values()} == {fields["client-cert"]}
    record = gateway.record("/?identity")
    assert record["certificate"]["subject"] == SUBJECT and record["ask"]["means"] == "handshake"


def test_nobody_without_a_certificate(serve):
    gateway = h2.start(serve, certificate={"when": "handshake"})
    with h2.connect(gateway) as client:
        assert client.ask("GET", "/").status == 403


def test_optional_certificate_that_is_not_there(gateway):
    with h2.connect(gateway) as client:
        assert "client-cert" not in json.loads(client.ask("GET", "/").body)["fields"]


def test_record(gateway):
    with h2.connect(gateway, tls="1.3") as client:
        client.ask("PUT", "/?record", ("user-agent", "teller"), body=b"x" * 1000)
        port = client.tls.getsockname()[1]
    record = gateway.record("/?record")
    assert record["client"] == f"127.0.0.1:{port}"
    assert (record["method"], record["status"], record["body_in"]) == ("PUT", 200, 1000)
    assert record["protocol"].startswith("HTTP/2") and record["tls"] == "TLSv1.3"
    assert record["host"] and record["user_agent"] == "teller" and record["body_out"] > 0


def test_record_of_a_stream_that_the_client_cancels(front, scripted):  # noqa: F811
    over = threading.Event()
    upstream = scripted(held_back(over))
    gateway = front(upstream.port)
    with h2.connect(gateway) as client:
        stream = client.request("GET", "/slow?cancelled")
        wait_until("the request at the upstream", lambda: upstream.connections)
        client.send(rst_stream(stream))
        assert gateway.record("/slow?cancelled")["protocol"].startswith("HTTP/2")
    over.set()


def test_metrics_count_streams(serve, tmp_path):
    admin = tmp_path / "admin"
    gateway = h2.start(serve, top={"admin": f"unix:{admin}"}, workers=1)

    def requests():
        text = done(["curl", "-sS", "--unix-socket", admin, "http://localhost/metrics"]).decode()
        return sum(float(value) for value in re.findall(r"(?m)^thaw_requests_total\{.*\} (\S+)$", text))

    before = requests()
    with h2.connect(gateway) as client:
        client.responses(*(client.request("GET", "/") for _ in range(30)))
    wait_until("30 requests more", lambda: requests() == before + 30)


@pytest.fixture
def late(serve, upstream):
    """A gateway with a late route and `http2: on`."""
    app = f"{{ servers: {upstream('node').servers} }}"
    return h2.start(serve, upstreams={"app": app}, upstream="app", host=IDENTITY, routes=LATE)


def test_late_route_needs_http_1_1(late):
    """The reset comes directly after the head: the client has sent no DATA. Other streams continue."""
    with h2.connect(late) as client:
        other = client.request("PUT", "/open", end=False)
        stream = client.request("PUT", "/late/x", ("content-length", str(MIB)), end=False)
        report = client.response(stream)
        assert (report.status, report.reset) == (0, HTTP_1_1_REQUIRED)
        client.put(other, b"body")
        assert json.loads(client.response(other).body)["body_bytes"] == 4
        assert client.ask("GET", "/late").reset == HTTP_1_1_REQUIRED
    with Raw(late, "1.3") as client:
        assert client.ask("PUT", "/late/x", b"body").status == 200


def test_late_route_with_a_certificate_of_the_handshake(serve, upstream):
    app = f"{{ servers: {upstream('node').servers} }}"
    gateway = h2.start(serve, upstreams={"app": app}, upstream="app", certificate=OPTIONAL, host=IDENTITY, routes=LATE)
    with h2.connect(gateway, identity="client") as client:
        report = client.ask("PUT", "/late/x", body=b"body")
    assert report.status == 200 and json.loads(report.body)["fields"]["client-cert"]


def test_late_route_by_curl(late):
    """curl repeats the request over HTTP/1.1 by itself if it uploads nothing."""
    report = curl(late, "/late/x", "--cert", late.pki / "client.pem", "--key", late.pki / "client.key")
    assert report.version == "1.1" and report.json()["fields"]["client-cert"]
