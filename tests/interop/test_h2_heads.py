"""Header fields over HTTP/2 (RFC 9113 8.2 and 8.3), in front of a strict HTTP/1.1 upstream: a malformed request is a
stream error or a 4xx, the connection continues, and the upstream gets nothing of the request. `--h2-target
haproxy|nginx|apache` tests other servers; none of them passes everything."""

import pytest

from harness import h2, h2_servers, h2raw, hpack
from harness.h2raw import PROTOCOL_ERROR, data, headers
from harness.recorder import Recorder

HOST = "localhost"
EVIL = "GET /evil HTTP/1.1"
BREAKS = {"cr": "\r", "lf": "\n", "crlf": "\r\n", "nul": "\0"}
CONTROLS = {"soh": "\x01", "esc": "\x1b", "del": "\x7f"}


def request(*changes, method="POST"):
    """The fields of a request. Each change (name, value) replaces the pseudo-field of that name (None removes it), or
    is appended."""
    fields = dict(h2raw.head(method, "/malformed", HOST))
    changed = {name: value for name, value in changes if name in fields}
    pseudo = [(name, changed.get(name, value)) for name, value in fields.items() if changed.get(name, value) is not None]
    return [*pseudo, *(pair for pair in changes if pair[0] not in fields)]


def _with(name, values):
    return {f"{name.strip(':')}_{words}": request((name, value)) for words, value in values.items()}


def _around(text, marks):
    """Inserts each mark within, before and after the text."""
    places = {"within": f"{text[:2]}%s{text[2:]}", "before": f"%s{text}", "after": f"{text}%s"}
    return {f"{mark}_{place}": shape % sign for mark, sign in marks.items() for place, shape in places.items()}


def _smuggled(text):
    """The text followed by lines of HTTP/1.1."""
    return {"second_line": f"{text}\r\nx-evil: 1", "second_request": f"{text}\r\n\r\n{EVIL}\r\nHost: evil\r\n\r\n",
            "bare_lf_line": f"{text}\nx-evil: 1", "bare_cr_line": f"{text}\rx-evil: 1"}


NAMES = {
    "upper_case": "X-Test", "mixed_case": "x-Test", "empty": "", "blank_within": "x test", "blank_after": "x-test ",
    "blank_before": " x-test", "tab": "x\ttest", "colon_within": "x:test", "colon_after": "x-test:", "high_bit": "x-t\xe9st",
    "parenthesis": "x(test", "quote": 'x"test', "comma": "x,test", "slash": "x/test", "equals": "x=test", "at": "x@test",
    **_around("x-test", BREAKS | CONTROLS), **_smuggled("x-test: 1"),
}  # fmt: skip

VALUES = {
    "blank_before": " value", "blank_after": "value ", "tab_before": "\tvalue", "tab_after": "value\t", "only_a_blank": " ",
    "esc": "va\x1blue", "soh": "va\x01lue", "del": "va\x7flue", **_around("value", BREAKS), **_smuggled("value"),
}  # fmt: skip

METHODS = {
    "empty": "", "two_words": "GET /evil", "blank_after": "GET ", "blank_before": " GET", "colon": "GET:", "high_bit": "G\xcbT",
    "a_whole_line": f"{EVIL}\r\nx: y", **_around("POST", BREAKS), **_smuggled("GET / HTTP/1.1"),
}  # fmt: skip

PATHS = {
    "empty": "", "without_slash": "malformed", "absolute": "https://localhost/", "other_host": "http://evil/", "star": "*",
    "blank_within": "/a b", "blank_after": "/a ", "blank_before": " /a", "tab": "/a\tb", "fragment": "/a#b", "high_bit": "/caf\xe9",
    "a_version": "/ HTTP/1.1", **_around("/path", BREAKS | CONTROLS), **_smuggled("/ HTTP/1.1"),
}  # fmt: skip

AUTHORITIES = {
    "empty": "", "userinfo": "user@localhost", "userinfo_and_password": "user:secret@localhost", "userinfo_of_nobody": "@localhost",
    "blank_within": "local host", "blank_after": "localhost ", "path": "localhost/evil", "query": "localhost?evil",
    "fragment": "localhost#evil", "backslash": "localhost\\evil", "two_names": "localhost,evil", "no_number": "localhost:port",
    "two_ports": "localhost:1:2", "negative_port": "localhost:-1", "large_port": "localhost:65536", "open_bracket": "[::1",
    **_around("localhost", BREAKS | CONTROLS), **_smuggled("localhost"),
}  # fmt: skip

SCHEMES = {"empty": "", "a_target": "https://evil/?", "blank": "http s", "digit_first": "1https", "colon": "https:",
           **_around("https", BREAKS), **_smuggled("https")}  # fmt: skip

LENGTHS = {"empty": "", "word": "abc", "negative": "-1", "plus": "+4", "hexadecimal": "0x4", "list": "4, 4", "other_list": "4, 5",
           "fraction": "4.0", "blank_within": "4 4", "overflow": "18446744073709551620", "more_overflow": "9" * 40,
           "too_small": "3", "too_large": "5", "zero": "0"}  # fmt: skip

CONNECTION = {"connection": "close", "keep-alive": "timeout=5", "proxy-connection": "keep-alive", "transfer-encoding": "chunked",
              "upgrade": "websocket"}  # fmt: skip
CODINGS = {"gzip": "gzip", "trailers_and_gzip": "trailers, gzip", "trailers_with_weight": "trailers;q=0.5", "empty": ""}

PSEUDO = {
    "unknown": request((":evil", "1")), "of_responses": request((":status", "200")), "upper_case": request((":Method", "GET")),
    "only_a_colon": request((":", "1")), "protocol_without_connect": request((":protocol", "websocket")),
    "after_others": [("x-test", "1"), *request()], "last_after_others": [*request()[:3], ("x-test", "1"), request()[3]],
    "no_fields": [],
    **{f"no_{name[1:]}": request((name, None)) for name in (":method", ":path", ":scheme", ":authority")},
    **{f"two_of_{name[1:]}": [*request()[:4], (name, value)] for name, value in request()},
    "host_differs": request(("host", "evil")), "host_has_another_port": request(("host", "localhost:1")),
    "two_hosts": request(("host", HOST), ("host", HOST)), "two_hosts_without_authority": request(
        (":authority", None), ("host", HOST), ("host", HOST)),
    "two_different_hosts": request((":authority", None), ("host", HOST), ("host", "evil")),
    "host_with_userinfo": request((":authority", None), ("host", "user@localhost")),
    "two_lengths": request(("content-length", "4"), ("content-length", "4")),
    "two_different_lengths": request(("content-length", "4"), ("content-length", "5")),
}  # fmt: skip


def _connect(*changes):
    return request((":path", None), (":scheme", None), *changes, method="CONNECT")


def _extended(protocol="websocket", *changes):
    return request((":protocol", protocol), *changes, method="CONNECT")


CONNECTS = {
    "plain": _connect(), "with_a_path": request((":scheme", None), method="CONNECT"),
    "with_a_scheme": request((":path", None), method="CONNECT"), "without_authority": _connect((":authority", None)),
    "extended_without_path": _extended("websocket", (":path", None)),
    "extended_without_scheme": _extended("websocket", (":scheme", None)),
    "extended_without_authority": _extended("websocket", (":authority", None)),
    "two_protocols": [*_extended()[:1], (":protocol", "websocket"), *_extended()[1:]],
    **{f"protocol_{words}": _extended(text) for words, text in {
        "empty": "", "unknown": "evil", "blank": "web socket", **_around("websocket", BREAKS), **_smuggled("websocket")}.items()},
}  # fmt: skip

HEADS = {
    **{f"name_{words}": request((name, "1")) for words, name in NAMES.items()},
    **_with("x-test", VALUES), **_with("cookie", {"crlf": "a=1\r\nx-evil: 1", "nul": "a=1\0"}),
    **_with(":method", METHODS), **_with(":path", PATHS), **_with(":authority", AUTHORITIES), **_with(":scheme", SCHEMES),
    **_with("content-length", LENGTHS), **_with("te", CODINGS),
    **{f"field_{name}": request((name, value)) for name, value in CONNECTION.items()},
    **{f"pseudo_{words}": fields for words, fields in PSEUDO.items()},
    **{f"connect_{words}": fields for words, fields in CONNECTS.items()},
}  # fmt: skip

TRAILERS = {
    "pseudo_field": [(":path", "/evil")], "status": [(":status", "200")],
    "pseudo_field_after": [("x-test", "1"), (":path", "/evil")], "upper_case": [("X-Test", "1")], "empty_name": [("", "1")],
    "name_with_crlf": [("x-a: 1\r\nx-evil", "1")],
    "value_with_crlf": [("x-test", "1\r\nx-evil: 1")], "value_with_nul": [("x-test", "1\0")], "value_with_lf": [("x-test", "1\n")],
    "second_request": [("x-test", f"1\r\n\r\n{EVIL}\r\nHost: evil\r\n\r\n")], "connection": [("connection", "close")],
    "transfer_encoding": [("transfer-encoding", "chunked")],
}  # fmt: skip


@pytest.fixture(scope="module")
def recorder():
    running = Recorder()
    yield running
    running.close()


@pytest.fixture(scope="module")
def gateway(request, recorder, pki, tmp_path_factory):
    named = request.config.getoption("--h2-target")
    if named:
        peer = h2_servers.Peer(named, tmp_path_factory.mktemp("target"), pki, recorder.port)
        yield peer
        peer.stop()
        return
    upstreams = {"app": f"{{ servers: [ 'http://127.0.0.1:{recorder.port}' ] }}"}
    certificate = {"when": "handshake", "require": "false"}
    with h2.running(pki, tmp_path_factory.mktemp("heads"), upstream="app", workers=1, upstreams=upstreams, certificate=certificate,
                    host={"identity": "[ rfc9440 ]"}) as running:  # fmt: skip
        yield running
        assert not running.complaints()


@pytest.fixture
def client(gateway, recorder):
    """A connection that must still serve an honest request after the test; the upstream gets only that one."""
    recorder.take()
    with h2.connect(gateway) as one:
        yield one
        assert one.ask("GET", "/honest", authority=HOST).status == 200
    messages, faults = recorder.take()
    assert [m.target for m in messages] == [b"/honest"] and faults == []


def _block(fields, coded):
    return b"".join(hpack.literal(*field, coded=coded) for field in fields)


def refused(client, stream):
    report = client.response(stream)
    assert report.reset == PROTOCOL_ERROR or 400 <= report.status < 500 or report.status == 501, report


@pytest.mark.parametrize("fields", HEADS.values(), ids=HEADS.keys())
def test_malformed_heads_are_refused(fields, client):
    for coded in (False, True):
        stream = client.stream()
        client.send(headers(stream, _block(fields, coded), end=False), data(stream, b"body"))
        refused(client, stream)


@pytest.mark.parametrize("fields", TRAILERS.values(), ids=TRAILERS.keys())
def test_malformed_trailers_are_refused(fields, client):
    for coded in (False, True):
        stream = client.stream()
        client.send(headers(stream, request(), end=False), data(stream, b"body", end=False))
        client.send(headers(stream, _block(fields, coded)))
        refused(client, stream)


def test_malformed_field_of_the_dynamic_table_is_refused_each_time(client):
    for representation in (hpack.literal("x-test", "1\r\nx-evil: 1", "incremental"), hpack.indexed(62)):
        stream = client.stream()
        client.send(headers(stream, hpack.block(*request(method="GET")) + representation))
        refused(client, stream)


@pytest.mark.parametrize("length", (1, 5, 2**40))
def test_length_of_no_body_is_refused(length, client):
    stream = client.stream()
    client.send(headers(stream, request(("content-length", str(length)))))
    refused(client, stream)


def test_body_longer_than_its_length_is_refused_in_its_midst(client):
    stream = client.stream()
    client.send(headers(stream, request(("content-length", "6")), end=False), *[data(stream, b"body", end=False)] * 2)
    refused(client, stream)


def test_second_head_in_place_of_trailers_is_refused(client):
    stream = client.stream()
    client.send(headers(stream, request(), end=False), data(stream, b"body", end=False), headers(stream, request()))
    refused(client, stream)


# Well-formed requests ------------------------------------------------------------------------------------------------------


@pytest.fixture
def arriving(gateway, recorder):
    """arriving(fields, *bodies): sends a request, and returns the only request that the upstream gets."""

    def pass_on(fields, *bodies):
        recorder.take()
        with h2.connect(gateway) as client:
            stream = client.stream()
            last = [n == len(bodies) for n in range(1, len(bodies) + 1)]
            client.send(headers(stream, fields, end=not bodies), *(data(stream, *each) for each in zip(bodies, last)))
            report = client.response(stream)
            assert (report.status, report.body) == (200, b"ok"), report
        messages, faults = recorder.take()
        assert len(messages) == 1 and faults == []
        return messages[0]

    return pass_on


def test_authority_becomes_host(arriving):
    message = arriving(request(method="GET"))
    assert (message.method, message.target, message.get(b"host")) == (b"GET", b"/malformed", [b"localhost"])


def test_host_without_authority_is_accepted(arriving):
    assert arriving(request((":authority", None), ("host", HOST), method="GET")).get(b"host") == [b"localhost"]


def test_host_like_the_authority_comes_once(arriving):
    assert arriving(request(("host", HOST), method="GET")).get(b"host") == [b"localhost"]


def test_cookie_crumbs_become_one_field(arriving):
    message = arriving(request(("cookie", "a=1"), ("x-test", "1"), ("cookie", "b=2"), ("cookie", "c=3"), method="GET"))
    assert message.get(b"cookie") == [b"a=1; b=2; c=3"]


def test_fields_keep_their_order_and_values(arriving):
    values = ["first", "", "a, b", "caf\xe9", "a\tb", "last"]
    message = arriving(request(*(("x-test", value) for value in values), method="GET"))
    assert message.get(b"x-test") == [value.encode("latin-1") for value in values]


def test_te_trailers_is_accepted(arriving):
    arriving(request(("te", "trailers"), method="GET"))


@pytest.mark.parametrize("bodies", ((b"body",), (b"bo", b"dy"), (b"", b"body", b""), (b"body", b"")))
@pytest.mark.parametrize("length", (None, "4"))
def test_bodies_arrive_whole(bodies, length, arriving):
    fields = [("content-length", length)] if length else []
    assert arriving(request(*fields), *bodies).body == b"body"


@pytest.mark.parametrize("method", ("GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "REPORT"))
def test_methods_without_a_body(method, arriving):
    message = arriving(request(method=method))
    assert (message.method, message.body) == (method.encode(), b"")


def test_claims_of_an_identity_are_stripped(arriving):
    claims = (("client-cert", ":AAAA:"), ("client-cert-chain", ":AAAA:"))
    message = arriving(request(*claims, method="GET"))
    assert message.get(b"client-cert") == message.get(b"client-cert-chain") == []


def test_trailers_end_a_body(gateway, recorder):
    recorder.take()
    with h2.connect(gateway) as client:
        stream = client.stream()
        client.send(headers(stream, request(), end=False), data(stream, b"body", end=False), headers(stream, [("x-after", "1")]))
        assert client.response(stream).status == 200
    messages, faults = recorder.take()
    assert [m.body for m in messages] == [b"body"] and faults == []
