"""Conformance of the HTTP/2 server with the cases of h2spec: RFC 9113 (with the section numbers of RFC 7540, as in
h2spec) and RFC 7541. `--h2-target nghttpd|nginx|haproxy|apache|HOST:PORT` tests another server, as tolerantly as h2spec
does: of 147 cases nghttpd 1.52 fails 1 (5.1.1-lower_identifier), HAProxy 2.6 fails 1 (pseudo_field_in_trailers, where
h2spec forgets END_STREAM), and nginx 1.22 fails 24."""

import struct

import pytest

from harness import h2, h2raw, hpack
from harness.h2_servers import TARGETS
from harness.h2raw import (
    ACK, CANCEL, COMPRESSION_ERROR, DATA, ENABLE_PUSH, FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR, GOAWAY, HEADERS, INITIAL_WINDOW_SIZE,
    MAX_CONCURRENT_STREAMS, MAX_FRAME_SIZE, MOST_WINDOW, NO_ERROR, PADDED, PING, PROTOCOL_ERROR, PUSH_PROMISE, REFUSED_STREAM,
    RST_STREAM, SETTINGS, STREAM_CLOSED, WINDOW_UPDATE, continuation, data, dependency, frame, goaway, headers, ping, priority,
    rst_stream, settings, window_update,
)  # fmt: skip

LIMIT = 5.0  # seconds for an expected frame; only a failing case waits that long
PLAIN = [(":method", "GET"), (":scheme", "https"), (":path", "/"), (":authority", "localhost")]
POSTED = [(":method", "POST"), *PLAIN[1:]]
BLOCK = hpack.block(*PLAIN)
MORE = hpack.block(("x-more", "more"))
GET, POST = headers(1, PLAIN), headers(1, POSTED, end=False)
OPENED = headers(1, PLAIN, end=False, done=False)  # a header block that is not complete
MARK = b"the mark"


# What is expected ----------------------------------------------------------------------------------------------------


def _error(codes, kinds):
    """Expects one of the codes, or the end of the connection. Like h2spec, ignores other codes before it for forgiven
    servers; NO_ERROR is always ignored."""

    def look(client):
        ignored = (lambda code: code not in codes) if client.forgiven else (lambda code: code == NO_ERROR)
        got = client.wait(lambda f: f.kind in kinds and not ignored(f.code), LIMIT)
        assert got is None or got.code in codes, f"{got}, and expected one of {codes}"

    return look


def connection_error(*codes):
    return _error(codes, (GOAWAY,))


def stream_error(*codes):
    return _error(codes, (GOAWAY, RST_STREAM))


def _must(client, want):
    got = client.wait(want, LIMIT)
    assert got is not None, f"the connection ended; before: {', '.join(map(str, client.seen[-6:]))}"
    return got


def answered(client):
    got = _must(client, lambda f: f.stream == 1 and f.kind in (HEADERS, RST_STREAM) or f.kind == GOAWAY)
    assert got.kind == HEADERS, got


def first_data_has_one_octet(client):
    assert len(_must(client, lambda f: f.kind == DATA).payload) == 1


def data_comes(client):
    _must(client, lambda f: f.kind == DATA)


def pong(client):
    """The previous step sent a ping: its answer must arrive first."""
    client.send(ping(MARK))
    assert _must(client, lambda f: f.kind == PING).payload == MARK


def pong_or_closed(client):
    if client.send(ping(MARK)):
        client.wait(lambda f: f.kind == PING, LIMIT)


def closed(client):
    client.ends(LIMIT)


def goaway_comes(client):
    assert _must(client, lambda f: f.kind == GOAWAY).code == PROTOCOL_ERROR


def settings_come_first(client):
    assert client.seen[0].kind == SETTINGS and not client.seen[0].flags & ACK


# Steps that are functions ----------------------------------------------------------------------------------------------


def until_acknowledged(client):
    assert client.wait(lambda f: f.kind == SETTINGS and f.flags & ACK, LIMIT, keep=True)


def until_ended(client):
    _must(client, lambda f: f.stream == 1 and f.ends)


def one_more_stream_than_allowed(client):
    most = client.settings[MAX_CONCURRENT_STREAMS]
    client.send(settings((INITIAL_WINDOW_SIZE, 0)), *(headers(1 + 2 * n, PLAIN) for n in range(most + 1)))


def _too_long(client):
    return client.settings.get(MAX_FRAME_SIZE, 16384) + 1


def data_too_long(client):
    client.send(POST, data(1, bytes(_too_long(client))))


def headers_too_long(client):
    client.send(headers(1, BLOCK + hpack.literal("x-long", "a" * _too_long(client))))


def block_with(*representations):
    return headers(1, BLOCK + b"".join(representations))


def without(name):
    return headers(1, [pair for pair in PLAIN if pair[0] != name])


def twice(name):
    return headers(1, [pair for pair in PLAIN for _ in range(2 if pair[0] == name else 1)])


def plus(*fields):
    return headers(1, [*PLAIN, *fields])


def trailers(*fields):
    return POST + data(1, b"test", end=False) + headers(1, fields)


def setting(identifier, value):
    return settings((identifier, value))


def kinds_of_literal():
    """RFC 7541 6.2: each kind, with the name as index or text, with and without Huffman code."""
    for kind in ("incremental", "without", "never"):
        for name, words in ((58, "an_indexed_name"), ("x-test", "a_new_name")):
            for coded in (False, True):
                title = f"literal_{kind}_with_{words}{'_coded' if coded else ''}"
                yield "generic_5", title, block_with(hpack.literal(name, "h2", kind, coded)), answered


WINDOW_OF_0, WINDOW_OF_1 = setting(INITIAL_WINDOW_SIZE, 0), setting(INITIAL_WINDOW_SIZE, 1)
END_OF_STRING = hpack.CODES[hpack.EOS]
SENT_RESET = [headers(1, PLAIN, end=False) + rst_stream(1)]
GOT_ALL = [GET, until_ended]
HALF_CLOSED = [GET]
SMALL_WINDOW = [WINDOW_OF_1, until_acknowledged, GET]
DATA_ON_1, HEADERS_ON_1, CONTINUATION_ON_1 = data(1, b"test"), GET, continuation(1, MORE)
CLOSED, PROTOCOL, SIZE = (STREAM_CLOSED,), (PROTOCOL_ERROR,), (FRAME_SIZE_ERROR,)
EITHER = (STREAM_CLOSED, PROTOCOL_ERROR)

# The cases: section, words, what is sent, what is expected. --------------------------------------------------------------

CASES = [
    ("generic_1", "preface", [], settings_come_first),
    ("generic_2", "priority_on_idle", priority(1, weight=256), pong),
    ("generic_2", "window_update_on_half_closed", [WINDOW_OF_0, GET, window_update(1, 1)], data_comes),
    ("generic_2", "priority_on_half_closed", [WINDOW_OF_0, GET, priority(1, weight=256), window_update(1, 1)], data_comes),
    ("generic_2", "rst_stream_on_half_closed", GET + rst_stream(1), pong_or_closed),
    ("generic_2", "priority_on_closed", [*GOT_ALL, priority(1, weight=256)], pong),
    ("generic_3.1", "data", POST + data(1, b"test"), answered),
    ("generic_3.1", "several_data", POST + data(1, b"te", end=False) + data(1, b"st"), answered),
    ("generic_3.1", "padded_data", POST + data(1, b"test", pad=6), answered),
    ("generic_3.2", "headers", GET, answered),
    ("generic_3.2", "padded_headers", headers(1, PLAIN, pad=6), answered),
    ("generic_3.2", "headers_with_priority", headers(1, PLAIN, priority=dependency(0, 256)), answered),
    ("generic_3.3", "weight_1", priority(1, weight=1) + GET, answered),
    ("generic_3.3", "weight_256", priority(1, weight=256) + GET, answered),
    ("generic_3.3", "dependency", priority(3, on=1, weight=1) + GET, answered),
    ("generic_3.3", "exclusive", priority(1, weight=1, exclusive=True) + GET, answered),
    ("generic_3.3", "idle_stream_then_a_lower_one", priority(3, weight=256) + GET, answered),
    ("generic_3.4", "rst_stream", POST + rst_stream(1), pong),
    ("generic_3.5", "settings", setting(MAX_CONCURRENT_STREAMS, 100), until_acknowledged),
    ("generic_3.7", "ping", [], pong),
    ("generic_3.8", "goaway", goaway(), pong_or_closed),
    ("generic_3.9", "window_update_of_the_connection", window_update(0, 1) + GET, answered),
    ("generic_3.9", "window_update_of_a_stream", POST + window_update(1, 1) + data(1, b"test"), answered),
    ("generic_3.10", "continuation", headers(1, PLAIN, done=False) + continuation(1, MORE), answered),
    ("generic_3.10", "several_continuations",
     headers(1, PLAIN, done=False) + continuation(1, MORE, done=False) + continuation(1, MORE), answered),
    ("generic_4", "get", GET, answered),
    ("generic_4", "head", headers(1, [(":method", "HEAD"), *PLAIN[1:]]), answered),
    ("generic_4", "post", POST + data(1, b"test"), answered),
    ("generic_4", "post_with_trailers", trailers(("x-trailer", "test")), answered),
    ("generic_5", "indexed", block_with(hpack.indexed(58)), answered),
    *kinds_of_literal(),
    ("generic_5", "table_size_update", headers(1, hpack.table_size(128) + BLOCK), answered),
    ("generic_5", "two_table_size_updates", headers(1, hpack.table_size(128) + hpack.table_size(4096) + BLOCK), answered),

    ("3.5", "preface", GET, settings_come_first),
    ("3.5", "invalid_preface", None, connection_error(PROTOCOL_ERROR)),
    ("4.1", "unknown_type", frame(0xFF, 0, 0, bytes(8)), pong),
    ("4.1", "undefined_flags", frame(PING, 0x16, 0, MARK), pong),
    ("4.1", "reserved_bit", frame(PING, 0, 1 << 31, MARK), pong),
    ("4.2", "data_of_2_14", POST + data(1, bytes(16384)), answered),
    ("4.2", "data_too_long", data_too_long, stream_error(*SIZE)),
    ("4.2", "headers_too_long", headers_too_long, connection_error(*SIZE)),
    ("4.3", "invalid_block", frame(HEADERS, 5, 1, b"\x40"), connection_error(COMPRESSION_ERROR)),
    ("4.3", "priority_within_a_block", OPENED + priority(1) + CONTINUATION_ON_1, connection_error(*PROTOCOL)),
    ("4.3", "headers_of_another_within_a_block", OPENED + headers(3, PLAIN) + CONTINUATION_ON_1, connection_error(*PROTOCOL)),
    ("5.1", "idle_data", DATA_ON_1, connection_error(*PROTOCOL)),
    ("5.1", "idle_rst_stream", rst_stream(1), connection_error(*PROTOCOL)),
    ("5.1", "idle_window_update", window_update(1, 100), connection_error(*PROTOCOL)),
    ("5.1", "idle_continuation", continuation(1, BLOCK), connection_error(*PROTOCOL)),
    ("5.1", "half_closed_data", [*HALF_CLOSED, DATA_ON_1], stream_error(*CLOSED)),
    ("5.1", "half_closed_headers", [*HALF_CLOSED, HEADERS_ON_1], stream_error(*CLOSED)),
    ("5.1", "half_closed_continuation", [*HALF_CLOSED, CONTINUATION_ON_1], stream_error(*EITHER)),
    ("5.1", "closed_by_reset_data", [*SENT_RESET, DATA_ON_1], stream_error(*CLOSED)),
    ("5.1", "closed_by_reset_headers", [*SENT_RESET, HEADERS_ON_1], stream_error(*CLOSED)),
    ("5.1", "closed_by_reset_continuation", [*SENT_RESET, CONTINUATION_ON_1], stream_error(*EITHER)),
    ("5.1", "closed_data", [*GOT_ALL, DATA_ON_1], stream_error(*CLOSED)),
    ("5.1", "closed_headers", [*GOT_ALL, HEADERS_ON_1], connection_error(*CLOSED)),
    ("5.1", "closed_continuation", [*GOT_ALL, CONTINUATION_ON_1], connection_error(*EITHER)),
    ("5.1.1", "even_identifier", headers(2, PLAIN), connection_error(*PROTOCOL)),
    ("5.1.1", "lower_identifier", headers(5, PLAIN) + headers(3, PLAIN), connection_error(*PROTOCOL)),
    ("5.1.2", "too_many_streams", one_more_stream_than_allowed, stream_error(PROTOCOL_ERROR, REFUSED_STREAM)),
    ("5.3.1", "headers_depend_on_themselves", headers(1, PLAIN, priority=dependency(1, 256)), stream_error(*PROTOCOL)),
    ("5.3.1", "priority_depends_on_itself", priority(2, on=2), stream_error(*PROTOCOL)),
    ("5.4.1", "connection_is_closed_after_an_error", frame(PING, 0, 3, bytes(8)), closed),
    ("5.4.1", "goaway_before_the_close", frame(PING, 0, 3, bytes(8)), goaway_comes),
    ("5.5", "unknown_frame", frame(0x16, 0, 0, bytes(8)), pong),
    ("5.5", "unknown_frame_within_a_block", OPENED + frame(0x16, 0, 0, bytes(8)), connection_error(*PROTOCOL)),
    ("6.1", "data_on_stream_0", data(0, b"test"), connection_error(*PROTOCOL)),
    ("6.1", "data_on_a_half_closed_stream", headers(1, POSTED) + DATA_ON_1, stream_error(*CLOSED)),
    ("6.1", "data_padded_beyond_its_length", POST + frame(DATA, 1 | PADDED, 1, b"\x06test"), connection_error(*PROTOCOL)),
    ("6.2", "priority_within_a_block", OPENED + priority(1), connection_error(*PROTOCOL)),
    ("6.2", "headers_of_another_within_a_block", OPENED + headers(3, PLAIN), connection_error(*PROTOCOL)),
    ("6.2", "headers_on_stream_0", headers(0, PLAIN), connection_error(*PROTOCOL)),
    ("6.2", "headers_padded_beyond_their_length",
     frame(HEADERS, 5 | PADDED, 1, bytes([len(BLOCK) + 2]) + BLOCK), connection_error(*PROTOCOL)),
    ("6.3", "priority_on_stream_0", priority(0), connection_error(*PROTOCOL)),
    ("6.3", "priority_of_4_octets", frame(h2raw.PRIORITY, 0, 1, bytes(4)), stream_error(*SIZE)),
    ("6.4", "rst_stream_on_stream_0", rst_stream(0), connection_error(*PROTOCOL)),
    ("6.4", "rst_stream_on_idle", rst_stream(1), connection_error(*PROTOCOL)),
    ("6.4", "rst_stream_of_3_octets", POST + frame(RST_STREAM, 0, 1, bytes(3)), connection_error(*SIZE)),
    ("6.5", "acknowledgement_with_a_payload", frame(SETTINGS, ACK, 0, bytes(1)), connection_error(*SIZE)),
    ("6.5", "settings_on_a_stream", settings((MAX_CONCURRENT_STREAMS, 100), stream=1), connection_error(*PROTOCOL)),
    ("6.5", "settings_of_3_octets", frame(SETTINGS, 0, 0, bytes(3)), connection_error(*SIZE)),
    ("6.5.2", "enable_push_2", setting(ENABLE_PUSH, 2), connection_error(*PROTOCOL)),
    ("6.5.2", "initial_window_2_31", setting(INITIAL_WINDOW_SIZE, 2**31), connection_error(FLOW_CONTROL_ERROR)),
    ("6.5.2", "max_frame_size_below_2_14", setting(MAX_FRAME_SIZE, 2**14 - 1), connection_error(*PROTOCOL)),
    ("6.5.2", "max_frame_size_2_24", setting(MAX_FRAME_SIZE, 2**24), connection_error(*PROTOCOL)),
    ("6.5.2", "unknown_setting", setting(0xFF, 1), pong),
    ("6.5.3", "the_last_value_counts", [
        settings((INITIAL_WINDOW_SIZE, 100), (INITIAL_WINDOW_SIZE, 1)), until_acknowledged, GET], first_data_has_one_octet),
    ("6.5.3", "settings_are_acknowledged", setting(ENABLE_PUSH, 0), until_acknowledged),
    ("6.7", "ping_is_answered", ping(b"question") + b"", lambda client: _must(client, lambda f: f.payload == b"question")),
    ("6.7", "answers_are_not_answered", ping(b"answered", ack=True), pong),
    ("6.7", "ping_on_a_stream", frame(PING, 0, 1, bytes(8)), connection_error(*PROTOCOL)),
    ("6.7", "ping_of_6_octets", frame(PING, 0, 0, bytes(6)), connection_error(*SIZE)),
    ("6.8", "goaway_on_a_stream", frame(GOAWAY, 0, 1, bytes(8)), connection_error(*PROTOCOL)),
    ("6.9", "increment_0", window_update(0, 0), connection_error(*PROTOCOL)),
    ("6.9", "increment_0_of_a_stream", POST + window_update(1, 0), stream_error(*PROTOCOL)),
    ("6.9", "window_update_of_3_octets", frame(WINDOW_UPDATE, 0, 0, bytes(3)), connection_error(*SIZE)),
    ("6.9.1", "window_of_1", SMALL_WINDOW, first_data_has_one_octet),
    ("6.9.1", "window_of_the_connection_over_2_31", window_update(0, MOST_WINDOW) * 2, connection_error(FLOW_CONTROL_ERROR)),
    ("6.9.1", "window_of_a_stream_over_2_31", POST + window_update(1, MOST_WINDOW) * 2, stream_error(FLOW_CONTROL_ERROR)),
    ("6.9.2", "windows_follow_the_setting", [
        WINDOW_OF_0, until_acknowledged, GET, WINDOW_OF_1, until_acknowledged], first_data_has_one_octet),
    ("6.9.2", "negative_window", [
        setting(INITIAL_WINDOW_SIZE, 3), until_acknowledged, GET, data_comes, setting(INITIAL_WINDOW_SIZE, 2), until_acknowledged,
        window_update(1, 2)], first_data_has_one_octet),
    ("6.9.2", "initial_window_2_31", setting(INITIAL_WINDOW_SIZE, 2**31), connection_error(FLOW_CONTROL_ERROR)),
    ("6.10", "several_continuations",
     headers(1, PLAIN, done=False) + continuation(1, MORE, done=False) * 2 + continuation(1, MORE), answered),
    ("6.10", "other_frame_within_a_block", OPENED + continuation(1, MORE, done=False) + DATA_ON_1, connection_error(*PROTOCOL)),
    ("6.10", "continuation_on_stream_0", OPENED + continuation(0, MORE), connection_error(*PROTOCOL)),
    ("6.10", "continuation_after_whole_headers", headers(1, PLAIN, end=False) + CONTINUATION_ON_1, connection_error(*PROTOCOL)),
    ("6.10", "continuation_after_the_last_one", OPENED + CONTINUATION_ON_1 * 2, connection_error(*PROTOCOL)),
    ("6.10", "continuation_after_data", POST + data(1, b"test", end=False) + CONTINUATION_ON_1, connection_error(*PROTOCOL)),
    ("7", "goaway_with_an_unknown_code", goaway(0, 0xFF), pong_or_closed),
    ("7", "rst_stream_with_an_unknown_code", POST + rst_stream(1, 0xFF), pong),
    ("8.1", "second_headers_without_end", POST + headers(1, [("x-test", "ok")], end=False), stream_error(*PROTOCOL)),
    ("8.1.2", "upper_case_name", plus(("X-TEST", "ok")), stream_error(*PROTOCOL)),
    ("8.1.2.1", "unknown_pseudo_field", headers(1, [(":test", "ok"), *PLAIN]), stream_error(*PROTOCOL)),
    ("8.1.2.1", "pseudo_field_of_responses", headers(1, [(":status", "200"), *PLAIN]), stream_error(*PROTOCOL)),
    ("8.1.2.1", "pseudo_field_in_trailers", trailers((":method", "GET")), stream_error(*PROTOCOL)),
    ("8.1.2.1", "pseudo_field_after_others", headers(1, [*PLAIN[:2], ("x-test", "ok"), *PLAIN[2:]]), stream_error(*PROTOCOL)),
    ("8.1.2.2", "connection_field", plus(("connection", "keep-alive")), stream_error(*PROTOCOL)),
    ("8.1.2.2", "te_other_than_trailers", plus(("te", "trailers, deflate")), stream_error(*PROTOCOL)),
    ("8.1.2.3", "empty_path", headers(1, [*PLAIN[:2], (":path", ""), PLAIN[3]]), stream_error(*PROTOCOL)),
    ("8.1.2.3", "no_method", without(":method"), stream_error(*PROTOCOL)),
    ("8.1.2.3", "no_scheme", without(":scheme"), stream_error(*PROTOCOL)),
    ("8.1.2.3", "no_path", without(":path"), stream_error(*PROTOCOL)),
    ("8.1.2.3", "two_methods", twice(":method"), stream_error(*PROTOCOL)),
    ("8.1.2.3", "two_schemes", twice(":scheme"), stream_error(*PROTOCOL)),
    ("8.1.2.3", "two_paths", twice(":path"), stream_error(*PROTOCOL)),
    ("8.1.2.6", "content_length_and_data",
     headers(1, [*POSTED, ("content-length", "1")], end=False) + data(1, b"test"), stream_error(*PROTOCOL)),
    ("8.1.2.6", "content_length_and_several_data",
     headers(1, [*POSTED, ("content-length", "1")], end=False) + data(1, b"test", end=False) + data(1, b"test"),
     stream_error(*PROTOCOL)),
    ("8.2", "push_promise", frame(PUSH_PROMISE, 4, 1, struct.pack(">I", 2) + BLOCK), connection_error(*PROTOCOL)),

    ("hpack_2.3.3", "index_beyond_the_tables", block_with(hpack.indexed(70)), connection_error(COMPRESSION_ERROR)),
    ("hpack_2.3.3", "name_beyond_the_tables",
     block_with(hpack.literal(70, "x", "incremental")), connection_error(COMPRESSION_ERROR)),
    ("hpack_4.2", "table_size_update_at_the_end", block_with(hpack.table_size(1)), connection_error(COMPRESSION_ERROR)),
    ("hpack_5.2", "padding_of_more_than_7_bits",
     block_with(b"\x00\x01x\x82" + hpack.huffman(b"a") + b"\xff"), connection_error(COMPRESSION_ERROR)),
    ("hpack_5.2", "padding_with_zeros",
     block_with(b"\x00\x01x\x81" + hpack.huffman(b"a", padding="000")), connection_error(COMPRESSION_ERROR)),
    ("hpack_5.2", "end_of_string_within",
     block_with(b"\x00\x01x\x84" + (END_OF_STRING[0] << 2 | 3).to_bytes(4, "big")), connection_error(COMPRESSION_ERROR)),
    ("hpack_6.1", "index_0", block_with(hpack.indexed(0)), connection_error(COMPRESSION_ERROR)),
    ("hpack_6.3", "table_size_over_the_setting",
     headers(1, hpack.table_size(2**20) + BLOCK), connection_error(COMPRESSION_ERROR)),
]  # fmt: skip
assert len(CASES) == 147  # h2spec's 146, and the case of its strict mode


@pytest.fixture(scope="module")
def target(request, pki, tmp_path_factory):
    """Yields (port, TLS context, address) of the server."""
    named, folder = request.config.getoption("--h2-target"), tmp_path_factory.mktemp("h2spec")
    if named is None:
        with h2.running(pki, folder) as gateway:
            workers = gateway.workers()
            yield gateway.port, h2raw.context(pki), "127.0.0.1"
            assert gateway.workers() == workers, "a worker has died"
            assert not gateway.complaints()
    elif named in TARGETS:
        server = TARGETS[named](folder, pki)
        yield server.port, h2raw.context(pki), "127.0.0.1"
        server.stop()
    else:
        address, _, port = named.rpartition(":")
        yield int(port), h2raw.context(), address


def _do(client, steps):
    for step in steps if isinstance(steps, list) else [steps]:
        if isinstance(step, bytes):
            client.send(step)
        else:
            step(client)


@pytest.mark.parametrize(("section", "words", "steps", "expected"), CASES, ids=[f"{case[0]}-{case[1]}" for case in CASES])
def test_h2spec(section, words, steps, expected, target, request):
    port, ctx, address = target
    with h2raw.H2(port, ctx, address=address) as client:
        assert client.protocol == "h2"
        client.forgiven = request.config.getoption("--h2-target") is not None
        if steps is None:
            client.send(b"INVALID CONNECTION PREFACE\r\n\r\n")
        else:
            client.start()
            _do(client, steps)
        expected(client)
