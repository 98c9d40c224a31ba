"""HTTP/2 clients that cost more than they send: honest clients of the same worker are served meanwhile, the worker's
memory is bounded, and the attacker is ended or does no harm. Assertions are about counts: requests, frames, bytes."""

import contextlib
import itertools
import threading

import pytest

from harness import h2, h2raw, hpack
from harness.gateway import Gateway, MemoryWatch
from harness.h2_honest import Honest
from harness.h2raw import (
    DATA, ENHANCE_YOUR_CALM, GOAWAY, HEADERS, INITIAL_WINDOW_SIZE, MAX_CONCURRENT_STREAMS, MOST_WINDOW, PRIORITY, RST_STREAM,
    SETTINGS, continuation, data, frame, headers, ping, priority, rst_stream, settings, window_update,
)  # fmt: skip
from harness.plain import read_head, scripted  # noqa: F401 - one is a fixture
from test_must_hold import wait_until

MIB = 2**20
BATCH = 65536  # bytes per write
MOST = 64 * MIB  # size of a flood: more than any of these can send
ROOM = 32 * MIB  # memory that one attacker, or one crowd of idle clients, may cost
DEADLINE = 180.0  # a watchdog
SHORT = f"connections: {{ {', '.join(f'{name}_timeout: 5s' for name in ('first_byte', 'handshake', 'head', 'body', 'keepalive'))} }}"
BIG = MIB

CONFIG = """
workers: 1
{limits}
listen: [ {{ address: '127.0.0.1:0' }} ]
spool: {{ memory: 64MiB, disk: 0 }}
log: {{ access: stdout, format: json, level: info }}
hosts:
  - name: '*'
    certificate: {pki}/server.pem
    key: {pki}/server.key
    http2: on
    client_certificate: {{ ca: {pki}/ca.pem }}
    routes:
      - {{ path: /, upstream: builtin:inspect }}
      - {{ path: /big, upstream: app }}
upstreams:
  app: {{ servers: [ 'http://127.0.0.1:{port}' ], max_failures: off }}
"""

HEAD = hpack.block(*h2raw.head("GET", "/"))
POSTED = hpack.block(*h2raw.head("POST", "/"))
TO_APP = hpack.block(*h2raw.head("GET", "/big"))


def big(connection):
    """An upstream that answers each request with BIG bytes."""
    while True:
        read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % BIG)
        for _ in range(BIG // BATCH):
            connection.sendall(bytes(BATCH))


@pytest.fixture
def upstream(scripted):  # noqa: F811 - the fixture
    return scripted(big)


@pytest.fixture
def gateway(request, pki, tmp_path, upstream):
    """Its parameter: more lines of the configuration."""
    running, limits = [], getattr(request, "param", "")

    def serve(**_):
        (tmp_path / "thaw.yaml").write_text(CONFIG.format(pki=pki, port=upstream.port, limits=limits))
        running.append(Gateway(["-c", str(tmp_path / "thaw.yaml")], pki, tmp_path))
        return running[-1]

    try:
        made = h2.start(serve)
        workers = made.workers()
        yield made
        assert made.workers() == workers, "the worker has died"
        assert not made.complaints()
    finally:
        for one in running:
            one.stop()


@contextlib.contextmanager
def beside_honest(gateway, figure, what, room=ROOM):
    """The block may cost the gateway at most `room`, and honest clients must be served meanwhile."""
    before = gateway.memory()
    with MemoryWatch(gateway) as watch, Honest(gateway) as honest:
        yield
    cost = watch.peak.own - before.own
    figure(f"{what}: {cost / MIB:.1f} MiB; {honest}")
    assert gateway.sanitized() or cost < room


def flood(client, frames):
    """Writes frames until the connection ends or MOST bytes are sent. Returns whether it ended."""
    sent, frames = 0, iter(frames)
    while sent < MOST:
        batch = bytearray()
        while len(batch) < BATCH and (more := next(frames, None)) is not None:
            batch += more
        if not batch or not client.send(bytes(batch)) or not client.skim():
            break
        sent += len(batch)
    return client.closed or not client.send(ping())


def ended_calmly(client):
    """The connection has ended; if a GOAWAY arrived, its code is the one for floods."""
    assert set(client.ends()) <= {ENHANCE_YOUR_CALM, h2raw.NO_ERROR}


# Floods of frames ------------------------------------------------------------------------------------------------------


def streams():
    return itertools.count(3, 2)


def each(piece):
    """Repeats the piece without end, many times in each part."""
    return lambda: itertools.repeat(piece * max(1, 4096 // len(piece)))


def per_stream(*pieces):
    """The frames of the pieces for each new stream."""
    return lambda: (b"".join(piece(stream) for piece in pieces) for stream in streams())


def opened(stream):
    return headers(stream, POSTED, end=False)


def got(stream):
    return headers(stream, HEAD)


def block_of(fields):
    return headers(1, fields, end=False, done=False)


OPEN_1 = opened(1)
TABLE_SIZES = settings((h2raw.HEADER_TABLE_SIZE, 0), (h2raw.HEADER_TABLE_SIZE, 4096))
WINDOWS = settings((INITIAL_WINDOW_SIZE, 0), (INITIAL_WINDOW_SIZE, MOST_WINDOW))
FLOODS = {
    "settings": (b"", each(settings())),
    "settings_with_many_values": (b"", each(settings(*[(h2raw.MAX_FRAME_SIZE, 16384)] * 2000))),
    "settings_that_change_tables": (b"", each(TABLE_SIZES)),
    "settings_that_change_windows": (OPEN_1, each(WINDOWS)),
    "settings_acknowledged_unasked": (b"", each(frame(SETTINGS, h2raw.ACK, 0))),
    "ping": (b"", each(ping())),
    "ping_answers": (b"", each(ping(ack=True))),
    "priority": (b"", each(priority(1))),
    "priority_of_new_streams": (b"", per_stream(lambda stream: priority(stream, on=stream - 2))),
    "window_update": (b"", each(window_update(0, 1))),
    "window_update_of_a_stream": (OPEN_1, each(window_update(1, 1))),
    "empty_data": (OPEN_1, each(data(1, end=False))),
    "padded_empty_data": (OPEN_1, each(data(1, end=False, pad=0))),
    "unknown_frames": (b"", each(frame(0xEE, 0, 0))),
    "resets_of_a_closed_stream": (OPEN_1 + rst_stream(1), each(rst_stream(1))),
    "goaway": (b"", each(h2raw.goaway())),
    "continuation_of_nothing": (block_of(HEAD), each(continuation(1, done=False))),
    "continuation_of_small_fields": (block_of(HEAD), each(continuation(1, hpack.literal("a", "b"), done=False))),
    "continuation_of_large_fields": (
        block_of(HEAD), each(continuation(1, hpack.literal("a", "b" * 16000), done=False))),
    "continuation_of_one_endless_field": (
        block_of(HEAD + b"\x00\x01a" + hpack.integer(2**30, 7)), each(continuation(1, b"b" * 16384, done=False))),
    "continuation_of_table_sizes": (block_of(b""), each(continuation(1, hpack.table_size(0) * 1000, done=False))),
    "rapid_reset": (b"", per_stream(got, rst_stream)),
    "rapid_reset_of_bodies": (b"", per_stream(opened, lambda stream: data(stream, b"x" * 10, end=False), rst_stream)),
    "rapid_reset_towards_an_upstream": (b"", per_stream(lambda stream: headers(stream, TO_APP), rst_stream)),
    "empty_names": (b"", per_stream(lambda stream: headers(stream, HEAD + hpack.literal("", "") * 500))),
}  # fmt: skip

# CVE-2025-8671: streams that a client makes the server reset.
PROVOCATIONS = {
    "window_update_of_0": lambda stream: window_update(stream, 0),
    "window_over_2_31": lambda stream: window_update(stream, MOST_WINDOW),
    "priority_of_4_octets": lambda stream: frame(PRIORITY, 0, stream, bytes(4)),
    "data_after_its_end": lambda stream: data(stream, b"x") * 2,
    "headers_after_its_end": lambda stream: data(stream, b"x") + headers(stream, [("a", "b")]),
    "trailers_without_end": lambda stream: headers(stream, [("a", "b")], end=False),
    "pseudo_fields_in_trailers": lambda stream: headers(stream, [(":path", "/")]),
}  # fmt: skip
MADE = {
    **{words: (b"", per_stream(opened, piece)) for words, piece in PROVOCATIONS.items()},
    "data_beyond_its_length": (
        b"", per_stream(lambda stream: headers(stream, POSTED + hpack.literal("content-length", "1"), end=False),
                        lambda stream: data(stream, b"xx", end=False))),
    "malformed_head": (b"", per_stream(lambda stream: headers(stream, HEAD + hpack.literal("UPPER", "1")))),
    "dependency_on_itself": (
        b"", per_stream(lambda stream: headers(stream, HEAD, priority=h2raw.dependency(stream)))),
}  # fmt: skip

# These are, or may be, connection errors of another kind, so their code is not checked.
ERRORS = {"data_after_its_end", "headers_after_its_end", "priority_of_4_octets", "empty_names", "window_update_of_0",
          "dependency_on_itself", "continuation_of_table_sizes", "continuation_of_one_endless_field"}  # fmt: skip


def attack(gateway, words, setup, frames):
    with h2.connect(gateway) as client:
        client.send(setup)
        assert flood(client, frames()), "nothing ends the flood"
        if words not in ERRORS:
            ended_calmly(client)


@pytest.mark.memory
@pytest.mark.parametrize("words", FLOODS)
def test_floods_are_ended(words, gateway, figure):
    with beside_honest(gateway, figure, f"flood of {words}"):
        for _ in range(3):
            attack(gateway, words, *FLOODS[words])


def provoke(client, frames, at_once=50, most=20000):
    """Makes the server reset that many streams, in groups of at most at_once, which is within the limit. Returns
    whether the server ended the connection."""
    frames = iter(frames)
    for _ in range(0, most, at_once):
        if not client.send(*itertools.islice(frames, at_once)):
            return True
        for _ in range(at_once):
            if client.wait(lambda f: f.kind == RST_STREAM or f.kind == GOAWAY and f.code != h2raw.NO_ERROR) is None:
                return True
        if client.goaways:
            return True
    return False


@pytest.mark.memory
@pytest.mark.parametrize("words", MADE)
def test_provoked_resets_are_ended(words, gateway, figure):
    with beside_honest(gateway, figure, f"made to reset by {words}"), h2.connect(gateway) as client:
        assert provoke(client, MADE[words][1]()), "nothing ends it"
        if words not in ERRORS:
            ended_calmly(client)


@pytest.mark.memory
@pytest.mark.parametrize("words", MADE)
def test_floods_of_provoked_resets_are_ended(words, gateway, figure):
    """The limit of concurrent streams or the limit of resets may end the flood."""
    with beside_honest(gateway, figure, f"flood of {words}"), h2.connect(gateway) as client:
        assert flood(client, MADE[words][1]()), "nothing ends the flood"


def test_rapid_reset_reaches_the_upstream_rarely(gateway, upstream):
    with h2.connect(gateway) as client:
        assert flood(client, FLOODS["rapid_reset_towards_an_upstream"][1]())
    wait_until("the worker is through", lambda: gateway_answers(gateway))
    assert upstream.connections < 1000


def gateway_answers(gateway):
    with h2.connect(gateway) as client:
        return client.ask("GET", "/").status == 200


@pytest.mark.memory
@pytest.mark.parametrize("pad", (None, 255))
def test_tiny_data_is_served_or_ended(pad, gateway, figure):
    """A body with one octet in each frame, without padding or with maximal padding."""
    count = 20000
    with beside_honest(gateway, figure, f"{count} frames of one octet, padding {pad}"), h2.connect(gateway) as client:
        client.send(OPEN_1)
        if all(client.put(1, b"x", end=n == count - 1, pad=pad) for n in range(count)):
            report = client.response(1)
            assert (report.status, report.reset) == (200, None) or report.reset == ENHANCE_YOUR_CALM
        else:
            ended_calmly(client)


# Header blocks ---------------------------------------------------------------------------------------------------------------


def refused_or_ended(client, stream):
    try:
        report = client.response(stream)
    except ConnectionError:
        return
    assert report.reset is not None or 400 <= report.status < 500, report.status


@pytest.mark.memory
def test_hpack_bomb(gateway, figure):
    """An entry of 4000 octets, and blocks with 16,000 references to it: 64 MB each."""
    entry = hpack.literal("x-bomb", "a" * 4000, "incremental")
    with beside_honest(gateway, figure, "HPACK bomb"), h2.connect(gateway) as client:
        client.send(headers(1, HEAD + entry))
        for stream in itertools.islice(streams(), 50):
            if not client.send(headers(stream, HEAD + hpack.indexed(62) * 16000)):
                break
            refused_or_ended(client, stream)
            if client.closed:
                break


LISTS = {
    "one_large_value": hpack.literal("x-large", "a" * 200000),
    "one_large_name": hpack.literal("x" * 200000, "a"),
    "many_fields": b"".join(hpack.literal(f"x-{n}", "a") for n in range(20000)),
    "many_small_fields": hpack.literal("a", "") * 60000,
    "many_crumbs": hpack.literal("cookie", "a=1") * 20000,
}


@pytest.mark.memory
@pytest.mark.parametrize("words", LISTS)
def test_header_lists_over_the_limit_are_refused(words, gateway, figure):
    fragment = HEAD + LISTS[words]
    pieces = [fragment[at : at + 16384] for at in range(0, len(fragment), 16384)]
    with beside_honest(gateway, figure, f"header list of {words}"):
        for _ in range(5):
            with h2.connect(gateway) as client:
                client.send(headers(1, pieces[0], done=False))
                client.send(*(continuation(1, piece, done=False) for piece in pieces[1:-1]), continuation(1, pieces[-1]))
                refused_or_ended(client, 1)


def test_header_list_in_one_octet_frames_is_read_or_ended(gateway):
    with h2.connect(gateway) as client:
        parts = [HEAD[at : at + 1] for at in range(len(HEAD))]
        client.send(headers(1, parts[0], done=False), *(continuation(1, one, done=False) for one in parts[1:-1]))
        client.send(continuation(1, parts[-1]))
        got = client.wait(lambda f: f.kind in (HEADERS, GOAWAY))
        assert got is None or got.kind == HEADERS or got.code == ENHANCE_YOUR_CALM


def test_limit_of_streams_is_announced_and_enforced(gateway):
    with h2.connect(gateway) as client:
        most = client.settings[MAX_CONCURRENT_STREAMS]
        assert 100 <= most <= 1000
        client.send(*(opened(stream) for stream in itertools.islice(streams(), most)), ping(b"the mark"))
        assert client.wait(lambda f: f.kind in (h2raw.PING, RST_STREAM, GOAWAY)).payload == b"the mark"
        over = 3 + 2 * most
        client.send(opened(over))
        got = client.wait(lambda f: f.kind in (RST_STREAM, GOAWAY))
        assert (got.kind, got.code, got.stream) == (RST_STREAM, h2raw.REFUSED_STREAM, over)
        client.send(rst_stream(3, h2raw.CANCEL), headers(over + 2, HEAD))  # the connection continues
        assert client.wait(lambda f: f.kind in (HEADERS, RST_STREAM, GOAWAY)).kind == HEADERS


# Windows that stay closed ------------------------------------------------------------------------------------------------------


@pytest.mark.memory
def test_thousand_streams_with_closed_windows(gateway, upstream, figure):
    """10 connections with 100 responses of 1 MiB each: the gateway buffers a bounded part."""
    with beside_honest(gateway, figure, "1,000 streams without a window", 128 * MIB), contextlib.ExitStack() as stack:
        crowd = [stack.enter_context(h2.connect(gateway, (INITIAL_WINDOW_SIZE, 0))) for _ in range(10)]
        for client in crowd:
            client.send(*(headers(stream, TO_APP) for stream in itertools.islice(streams(), 100)))
        heads = [sum(client.wait(lambda f: f.kind == HEADERS) is not None for _ in range(100)) for client in crowd]
        assert heads == [100] * 10
        assert not [f for client in crowd for f in client.seen if f.kind == DATA and f.payload]


@pytest.mark.memory
def test_window_updates_of_one_octet(gateway, figure):
    """Windows that are opened one octet at a time, for all streams in turn."""
    with beside_honest(gateway, figure, "window updates of one octet"), h2.connect(gateway, (INITIAL_WINDOW_SIZE, 0)) as client:
        ours = list(itertools.islice(streams(), 50))
        client.send(*(headers(stream, TO_APP) for stream in ours))
        for _ in range(40):
            if not client.send(*(window_update(stream, 1) for stream in ours)) or not client.skim():
                break
        ended = client.closed or client.wait(lambda f: f.kind in (DATA, GOAWAY)) is None
        assert ended or all(len(f.payload) <= 40 for f in client.seen if f.kind == DATA)


# Clients that wait -------------------------------------------------------------------------------------------------------------


def only_a_preface(client):
    return b""


def head_left_open(client):
    return headers(1, HEAD, done=False)


def bodies_that_never_come(client):
    return b"".join(opened(stream) for stream in itertools.islice(streams(), 100))


def body_that_stops(client):
    return OPEN_1 + data(1, b"x" * 1000, end=False)


def zero_window(client):
    return settings((INITIAL_WINDOW_SIZE, 0)) + b"".join(headers(stream, TO_APP) for stream in itertools.islice(streams(), 100))


def frame_left_open(client):
    return headers(1, HEAD)[:20]


WAITING = (only_a_preface, head_left_open, bodies_that_never_come, body_that_stops, zero_window, frame_left_open)


@pytest.mark.parametrize("gateway", (SHORT,), ids=("short",), indirect=True)
def test_those_that_wait_are_ended(gateway, figure):
    """All of them in parallel."""
    with beside_honest(gateway, figure, "clients that wait"), contextlib.ExitStack() as stack:
        silent = stack.enter_context(h2raw.H2(gateway.port, h2raw.context(gateway.pki)))
        crowd = {words.__name__: stack.enter_context(h2.connect(gateway)) for words in WAITING}
        for words in WAITING:
            crowd[words.__name__].send(words(crowd[words.__name__]))
        crowd["no_preface"] = silent
        left = {}
        threads = [threading.Thread(target=_until_over, args=(name, client, left), daemon=True) for name, client in crowd.items()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert left == {}


def _until_over(name, client, left):
    """Waits until the server has ended all streams, or the connection."""
    try:
        client.ends(DEADLINE)
    except h2raw.Silent as still:
        left[name] = str(still)


@pytest.mark.memory
def test_many_connections_with_only_a_preface(gateway, figure):
    count = 300
    before = gateway.memory()
    with contextlib.ExitStack() as stack:
        for number in range(count):
            stack.enter_context(h2.connect(gateway, source=f"127.3.{number % 250}.1"))
        cost = (gateway.memory().own - before.own) / count
        with Honest(gateway) as honest:
            pass
    figure(f"{count} connections with a preface: {cost / 1024:.1f} KiB each; {honest}")
    assert gateway.sanitized() or cost < 100 * 1024
