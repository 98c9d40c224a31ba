"""Responses that break HTTP's rules: what every proxy reads in the same way is repaired and recorded, and its
connection is not reused; what can be read in two ways is a 502. If a response fails at once, the client gets nothing of
it."""

import threading

import pytest

from harness.plain import front, read_head, scripted  # noqa: F401 - two are fixtures
from harness.rawtls import LIMIT, Raw

OK = b"HTTP/1.1 200 OK\r\n"
LENGTH = b"Content-Length: 2\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
CHUNKS = b"2\r\nok\r\n0\r\n\r\n"


def chunks(body):
    return OK + CHUNKED + b"\r\n" + body


def once(connection, answer):
    read_head(connection)
    connection.sendall(answer)


def answering(answer):
    """Sends `answer` to the first request of a connection, and to later ones a plain response, which shows that the
    connection was reused."""
    def speak(connection):
        once(connection, answer)
        while True:
            read_head(connection)
            connection.sendall(OK + b"Content-Length: 5\r\n\r\nagain")

    return speak


@pytest.mark.parametrize("answer, names", (
    (chunks(b"2   \r\nok\r\n0\r\n\r\n"), ["chunk"]),
    (chunks(b"2\r\nok\r\n0 \t\r\n\r\n"), ["chunk"]),
    (chunks(b"2\nok\n0\n\n"), ["chunk"]),
    (chunks(b"2;\r\nok\r\n0\r\n\r\n"), ["chunk"]),
    (chunks(b"2;a=(\"\r\nok\r\n0\r\n\r\n"), ["chunk"]),
    (chunks(b"00000000000000002\r\nok\r\n0\r\n\r\n"), ["chunk"]),
    (OK + LENGTH + LENGTH + b"\r\nok", ["length"]),
    (OK + b"Content-Length: 2, 2\r\n\r\nok", ["length"]),
    (OK + CHUNKED + LENGTH + b"\r\n" + CHUNKS, ["coding"]),
    (OK + LENGTH + CHUNKED + b"\r\n" + CHUNKS, ["coding"]),
    (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n" + CHUNKED + b"\r\n" + CHUNKS, ["coding"]),
    (b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok", ["line-end"]),
    (OK + b"Content-Length: 2\r\n\nok", ["line-end"]),
    (b"HTTP/1.1  200\tOK\r\n" + LENGTH + b"\r\nok", ["status-line"]),
    (b"HTTP/1.1 200 \x1b[31mred\r\n" + LENGTH + b"\r\nok", ["status-line"]),
    (OK + b"X-Odd : a\r\n" + LENGTH + b"\r\nok", ["field-name"]),
    (OK + b"Content-Length : 2\r\n\r\nok", ["field-name"]),
    (OK + b"X-Odd: a\r\n b\r\n" + LENGTH + b"\r\nok", ["folded-field"]),
    (OK + b"Content-Length:\r\n\t2\r\n\r\nok", ["folded-field"]),
    (OK + b"X-Odd: a\x1bb\r\n" + LENGTH + b"\r\nok", ["control-character"]),
    (b"HTTP/1.1 200 OK\nX-Odd : a\n b\nContent-Length: 2\nTransfer-Encoding: chunked\n\n2 \r\nok\r\n0\r\n\r\n",
     ["line-end", "field-name", "folded-field", "coding", "chunk"]),
))
def test_what_is_repaired(answer, names, front, scripted):
    running = scripted(answering(answer))
    gateway = front(running.port, workers=1)
    with Raw(gateway) as client:
        first = client.ask("GET", "/first")
        assert (first.status, first.body) == (200, b"ok")
        assert "content-length" not in first.headers or "transfer-encoding" not in first.headers
        assert client.ask("GET", "/second").body == b"ok"  # on a new connection
    assert running.connections == 2
    record = gateway.record("/first")
    assert (record["status"], record["repaired"], record["note"]) == (200, names, None)


@pytest.mark.parametrize("answer, value", (
    (OK + b"X-Odd : a\r\n" + LENGTH + b"\r\nok", "a"),
    (OK + b"X-Odd\t: a\r\n" + LENGTH + b"\r\nok", "a"),
    (OK + b"X-Odd: a\r\n\tb\r\n  c\r\n" + LENGTH + b"\r\nok", "a b c"),
    (OK + b"X-Odd: a\x01b\x7fc\r\n" + LENGTH + b"\r\nok", "a b c"),
))
def test_how_fields_are_repaired(answer, value, front, scripted):
    with Raw(front(scripted(answering(answer)).port)) as client:
        assert client.ask("GET", "/x").headers["x-odd"] == value


@pytest.mark.parametrize("status", (600, 999))
def test_status_beyond_599_passes(status, front, scripted):
    running = scripted(answering(b"HTTP/1.1 %d Denied\r\nContent-Length: 2\r\n\r\nno" % status))
    gateway = front(running.port, workers=1)
    with Raw(gateway) as client:
        assert client.ask("GET", "/x").status == status
        assert client.ask("GET", "/y").body == b"again"
    assert gateway.record("/x")["repaired"] is None


@pytest.mark.parametrize("framing", (LENGTH, CHUNKED, LENGTH + CHUNKED), ids=("length", "chunked", "both"))
@pytest.mark.parametrize("rest", (b"", b"ok", CHUNKS, OK + b"Content-Length: 4\r\n\r\nevil"), ids=("none", "body", "chunks", "response"))
def test_204_ends_at_the_empty_line(framing, rest, front, scripted):
    running = scripted(answering(b"HTTP/1.1 204 No Content\r\n" + framing + b"\r\n" + rest))
    gateway = front(running.port, workers=1)
    with Raw(gateway) as client:
        response = client.ask("GET", "/first")
        assert response.status == 204
        assert "content-length" not in response.headers and "transfer-encoding" not in response.headers
        assert client.ask("GET", "/second").status == 204
        assert client.ask("HEAD", "/third").status == 204
    assert running.connections == 3
    assert gateway.record("/first")["repaired"] == ["no-body-status"]


def test_204_whose_body_comes_later(front, scripted):
    """The connection is closed after the response, not when the rest arrives."""
    more = threading.Event()

    def speak(connection):
        once(connection, b"HTTP/1.1 204 No Content\r\n" + LENGTH + b"\r\n")
        assert more.wait(LIMIT)
        connection.sendall(b"ok")

    running = scripted(speak)
    with Raw(front(running.port, workers=1)) as client:
        assert client.ask("GET", "/x").status == 204
        assert client.ask("GET", "/x").status == 204
        more.set()
        assert client.ask("GET", "/x").status == 204
    assert running.connections == 3


@pytest.mark.parametrize("answer", (
    b"HTTP/1.1 103 Early Hints\r\n" + LENGTH + b"\r\n" + OK + LENGTH + b"\r\nok",
    b"HTTP/1.1 103 Early Hints\r\n" + CHUNKED + b"\r\n" + OK + LENGTH + b"\r\nok",
))
def test_interim_response_ends_at_the_empty_line(answer, front, scripted):
    with Raw(front(scripted(answering(answer)).port)) as client:
        client.send_request("GET", "/x")
        early = client.read()
        assert early.status == 103 and "content-length" not in early.headers
        assert client.read().body == b"ok"


def test_head_and_304_tell_one_length(front, scripted):
    def speak(connection):
        head = read_head(connection)
        status = b"HTTP/1.1 200 OK\r\n" if head.startswith(b"HEAD") else b"HTTP/1.1 304 Not Modified\r\n"
        connection.sendall(status + LENGTH + b"Content-Length: 2, 2\r\n\r\n")

    with Raw(front(scripted(speak).port)) as client:
        assert client.ask("HEAD", "/x").headers["content-length"] == "2"
        assert client.ask("GET", "/x").headers["content-length"] == "2"


@pytest.mark.parametrize("body, note", (
    (b"zz\r\n", "chunk"), (b" 2\r\nok\r\n0\r\n\r\n", "chunk"), (b"2 x\r\nok\r\n0\r\n\r\n", "chunk"), (b"0x2\r\nok\r\n", "chunk"),
    (b"2\rok\r\n", "chunk"), (b"2\r\nokay\r\n0\r\n\r\n", "chunk"), (b"2\r\nok\r\nzz\r\n", "chunk"),
    (b"2\r\nok\r\n0\r\nX: a\nSet-Cookie: b\r\n\r\n", "trailer"), (b"fffffffffffffffff\r\n", "chunk"),
))
def test_malformed_chunk_in_one_segment_with_the_head_is_502(body, note, front, scripted):
    gateway = front(scripted(answering(chunks(body))).port)
    with Raw(gateway) as client:
        response = client.ask("GET", "/x")
        assert (response.status, response.json()["reason"]) == (502, "upstream")
        assert client.ask("GET", "/.well-known/thaw/prime").status == 204  # the connection continues
    record = gateway.record("/x")
    assert record["status"] == 502 and note in record["note"]
    assert record["body_out"] == len(response.body)


@pytest.mark.parametrize("before, delivered", ((b"", b""), (b"2\r\nok\r\n", b"ok")), ids=("first", "second"))
def test_malformed_chunk_after_the_head_was_passed_on(before, delivered, front, scripted):
    """The client gets what came before, and cannot take it for a complete response."""
    read = threading.Event()

    def speak(connection):
        once(connection, OK + CHUNKED + b"\r\n")
        assert read.wait(LIMIT)
        connection.sendall(before + b"zz\r\n")

    gateway = front(scripted(speak).port)
    with Raw(gateway) as client:
        client.send_request("GET", "/x")
        while b"\r\n\r\n" not in client._ahead:
            client._more()
        read.set()
        with pytest.raises(OSError):
            while True:
                client._more()
        assert client._ahead.partition(b"\r\n\r\n")[2] == (b"2\r\nok\r\n" if delivered else b"")
    record = gateway.record("/x")
    assert (record["status"], record["body_out"]) == (200, len(delivered)) and "malformed chunk" in record["note"]


@pytest.mark.parametrize("answer", (
    OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nok", OK + b"Content-Length: 2, 3\r\n\r\nok", OK + b"Content-Length: +2\r\n\r\nok",
    OK + b"Content-Length: 2,\r\n\r\nok", OK + b"Content-Length:\r\n\r\nok", OK + b"Content-Length: x\r\n" + CHUNKED + b"\r\n" + CHUNKS,
    OK + LENGTH + b"Content-Length: 3\r\n" + CHUNKED + b"\r\n" + CHUNKS, OK + CHUNKED + CHUNKED + b"\r\n" + CHUNKS,
    OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + CHUNKS, OK + b"Transfer-Encoding: identity\r\n\r\nok",
    OK + b"Transfer-Encoding: ,chunked\r\n\r\n" + CHUNKS, OK + b"X-C: a\rb\r\n" + LENGTH + b"\r\nok",
    OK + b"X-C: a\x00b\r\n" + LENGTH + b"\r\nok", OK + b"X-C: a\nSet-Cookie: b\r\n" + LENGTH + b"\r\nok",
    OK + b"X-C: a\n\nbody\r\n" + LENGTH + b"\r\nok", OK + b" b\r\n" + LENGTH + b"\r\nok", OK + b"X(C): a\r\n" + LENGTH + b"\r\nok",
    OK + b"X C: a\r\n" + LENGTH + b"\r\nok", OK + b": a\r\n" + LENGTH + b"\r\nok", b"HTTP/1.1 099 Low\r\n" + LENGTH + b"\r\nok",
    b"HTTP/1.1 2000 OK\r\n" + LENGTH + b"\r\nok", b"\r\n" + OK + LENGTH + b"\r\nok", b"ICY 200 OK\r\n" + LENGTH + b"\r\nok",
))
def test_what_can_be_read_in_two_ways_is_502(answer, front, scripted):
    gateway = front(scripted(answering(answer)).port)
    with Raw(gateway) as client:
        response = client.ask("GET", "/x")
    assert (response.status, response.json()["reason"]) == (502, "upstream")
    assert "set-cookie" not in response.headers
    assert gateway.record("/x")["note"]


def test_requests_are_not_repaired(front, scripted):
    gateway = front(scripted(answering(OK + LENGTH + b"\r\nok")).port)
    for head in (b"GET /x HTTP/1.1\nHost: localhost\n\n", b"GET /x HTTP/1.1\r\nHost: localhost\r\nX : a\r\n\r\n",
                 b"GET /x HTTP/1.1\r\nHost: localhost\r\nX: a\r\n b\r\n\r\n", b"GET  /x HTTP/1.1\r\nHost: localhost\r\n\r\n",
                 b"PUT /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
                 b"PUT /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
                 b"PUT /x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n2 \r\nok\r\n0\r\n\r\n",
                 b"PUT /x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n2\nok\r\n0\r\n\r\n",
                 b"GET /x HTTP/1.1\r\nHost: localhost\r\nX: a\x01b\r\n\r\n"):
        with Raw(gateway) as client:
            client.send(head)
            assert client.read().status == 400, head
