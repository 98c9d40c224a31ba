"""`thaw send`: uploads of any size succeed at every server where a client can succeed; for others it reports why
not."""

import base64
import email
import fcntl
import hashlib
import json
import os
import select
import struct
import subprocess
import termios

import pytest
from harness.gateway import Gateway, Settings, binary
from harness.process import run
from harness.relay import Relay
from harness.scripted import after_head, whole
from harness.servers import Server
from messages import has_message
from ports import free_port
from harness.upload import LIMIT, send

MIB = 2**20
ROUNDS = 20
TLS = ("1.2", "1.3")
WHENS = ("never", "handshake", "request", "request-early", "body", "response")


@pytest.fixture
def upload(pki, payloads):
    """upload(server, target, *options): uploads 50 MiB with the client's certificate, unless the arguments say
    otherwise."""

    def made(server, target, *options, size="50m", **more):
        return send(pki, payloads[size].path, server.url(target), *options, **more)

    return made


def check_whole(sent, payload):
    assert (sent.code, sent.status, sent.report["sent"]) == (0, 200, payload.size), sent
    answer = sent.body()
    assert (answer["body_bytes"], answer["body_sha256"]) == (payload.size, payload.sha256)
    return answer


# Servers that freeze, refuse or delay -------------------------------------------------------------------------------


@pytest.mark.parametrize("tls", TLS)
def test_apache_at_its_default_limit(tls, late_server, upload, payloads):
    server = late_server("apache")
    for _ in range(ROUNDS):
        sent = upload(server, "/late/x", "--tls", tls)
        check_whole(sent, payloads["50m"])
        means = "renegotiation" if tls == "1.2" else "post-handshake"
        assert (sent.asks, sent.report["primed"], sent.report["attempts"]) == ([(means, "priming")], True, 1)


def test_node_that_does_not_drain(late_server, upload, payloads):
    server = late_server("node")
    for _ in range(ROUNDS):
        sent = upload(server, "/late/x")
        assert check_whole(sent, payloads["50m"])["subject"] == "Thaw Demo Client"
        assert (sent.asks, sent.report["primed"]) == ([("renegotiation", "priming")], True)


def test_node_that_cannot_ask_over_tls_1_3(late_server, upload, payloads):
    """It does not depend on the status with which Node refuses the HEAD."""
    sent = upload(late_server("node", tls="1.3"), "/late/x", size="1m")
    assert check_whole(sent, payloads["1m"])["subject"] == "Thaw Demo Client"
    assert (sent.asks, sent.report["tls"]) == ([("renegotiation", "priming")], "TLSv1.2")
    assert has_message(sent.error, "retry-tls12"), sent.error


@pytest.mark.parametrize("tls", ("1.2", "both"))
def test_tomcat(tls, late_server, upload, payloads):
    """Over TLS 1.3 Java's TLS cannot ask late, so TLS 1.2 is tried, too."""
    server = late_server("tomcat", tls=tls)
    for _ in range(ROUNDS):
        sent = upload(server, "/late/x")
        check_whole(sent, payloads["50m"])
        assert (sent.asks, sent.report["tls"]) == ([("renegotiation", "priming")], "TLSv1.2")
    assert has_message(sent.error, "retry-tls12") == (tls == "both")


@pytest.mark.parametrize("kind", ("apache", "node", "tomcat", "frozen"))
def test_the_body_goes_once(kind, late_server, pki, payloads):
    """Independent of the requests before it."""
    relay = Relay(late_server(kind).port, None)
    sent = send(pki, payloads["50m"].path, f"https://localhost:{relay.port}/late/x")
    check_whole(sent, payloads["50m"])
    assert payloads["50m"].size < relay.up < 1.01 * payloads["50m"].size
    relay.close()


def test_nginx_at_the_handshake(late_server, upload, payloads):
    sent = upload(late_server("nginx"), "/x")
    check_whole(sent, payloads["50m"])
    assert sent.asks == [("handshake", "priming")]
    assert not sent.report["expected"]


@pytest.mark.parametrize("tls", TLS)
def test_the_frozen_server(tls, late_server, upload, payloads):
    server = late_server("frozen")
    for _ in range(ROUNDS):
        check_whole(upload(server, "/x", "--tls", tls), payloads["50m"])


@pytest.mark.parametrize("kind,tls", (("frozen", "1.3"), ("frozen", "1.2"), ("apache", "1.2"), ("apache", "1.3")))
def test_without_priming_expect_is_a_cure(kind, tls, late_server, upload, payloads):
    sent = upload(late_server(kind), "/late/x", "--tls", tls, "--prime", "never")
    check_whole(sent, payloads["50m"])
    assert [moment for _, moment in sent.asks] == ["upload"]
    assert sent.report["expected"]


# Where no client can succeed, or an option prevents it --------------------------------------------------------------


@pytest.mark.parametrize("asks", (True, False))
def test_a_server_that_stops_reading(asks, scripted, upload):
    """The report has the bytes sent, and whether there was an ask."""

    def serve(visit, server):
        while server.take(visit)[0] == "HEAD":
            visit.answer(200)
        visit.body(MIB)
        if asks:
            visit.ask()
        server.over.wait()

    sent = upload(scripted(serve, buffer=65536), "/x", "--expect", "never", "--stall", "1s")
    assert (sent.code, sent.report["outcome"], sent.report["ok"], sent.status) == (75, "stalled", False, 0)
    assert MIB / 2 < sent.report["sent"] < 50 * MIB  # what the server's system has accepted
    assert bool(sent.report["asks"]) == asks
    assert ("--expect always" in sent.report["hint"]) == asks
    assert "docs/cures.md" in sent.error


def test_the_hint_names_the_limit_of_the_server(late_server, upload):
    sent = upload(late_server("apache"), "/late/x", "--prime", "never", "--expect", "never")
    assert (sent.code, sent.status) == (69, 413)
    assert "SSLRenegBufferSize" in sent.report["hint"]
    assert "thaw probe https://" in sent.report["hint"]


def test_the_hint_is_about_a_server_that_cannot_ask(late_server, upload):
    sent = upload(late_server("tomcat", tls="1.3"), "/late/x")
    assert (sent.code, sent.status, sent.asks) == (77, 401, [])
    assert has_message(sent.report["hint"], "cannot-ask-over-tls13", "--tls 1.2"), sent


@pytest.mark.parametrize("tls", TLS)
def test_no_certificate_to_give(tls, late_server, upload):
    """Apache then ends the connection without a response."""
    sent = upload(late_server("apache"), "/late/x", "--tls", tls, "--prime", "always", who=None)
    assert (sent.code, sent.report["outcome"]) == (77, "certificate-refused")
    assert "--cert" in sent.report["hint"]


@pytest.mark.parametrize("tls", TLS)
def test_a_certificate_that_cannot_be_given(tls, pki, payloads, tmp_path):
    """The server accepts no signature that the key can make, so the client sends an empty Certificate (RFC 8446
    4.4.2.2)."""
    port = free_port()
    server = Server(["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", str(pki / "server.pem"),
                     "-key", str(pki / "server.key"), "-Verify", "2", "-client_sigalgs", "ed25519", "-www"],
                    tmp_path, port)  # fmt: skip
    try:
        sent = send(pki, payloads["1k"].path, f"https://localhost:{port}/x", "--tls", tls)
    finally:
        server.stop()
    assert (sent.code, sent.status, sent.report["outcome"]) == (77, 0, "certificate-refused")
    assert sent.report["asks"] and not any(ask["given"] for ask in sent.report["asks"])
    assert has_message(sent.report["hint"], "no-signature-algorithm"), sent


def test_a_stranger(thaw, upload):
    sent = upload(thaw, "/late?stranger", who="stranger")
    assert (sent.code, sent.status) == (77, 403)
    assert has_message(sent.report["hint"], "certificate-not-accepted"), sent


# Thaw, with every `when` --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def gateways(pki, tmp_path_factory):
    """gateways(when): a gateway that asks at this moment on all routes."""
    running = {}

    def get(when):
        if when not in running:
            folder = tmp_path_factory.mktemp(when)
            (folder / "thaw.yaml").write_text(
                Settings(pki, certificate={"when": when}, spool={"directory": str(folder)}).text())
            running[when] = Gateway(["-c", str(folder / "thaw.yaml")], pki, folder)
        return running[when]

    yield get
    for one in running.values():
        one.stop()


@pytest.mark.parametrize("tls", TLS)
@pytest.mark.parametrize("when", WHENS)
def test_thaw(when, tls, gateways, upload, payloads):
    """Each is asked at most once on its connection, and uploads once."""
    gateway = gateways(when)
    for i in range(ROUNDS):
        size = "50m" if i == 0 else "1m"
        target = f"/x?{when}-{tls}-{i}"
        sent = upload(gateway, target, "--tls", tls, size=size)
        answer = check_whole(sent, payloads[size])
        assert (answer["certificate"] is None) == (when == "never"), answer
        assert len(sent.asks) == (0 if when == "never" else 1), sent
        assert sent.report["continued"] == sent.report["expected"]
    mine = f"/x?{when}-{tls}-"
    puts = gateway.wait_records(lambda r: r["method"] == "PUT" and (r.get("target") or "").startswith(mine), ROUNDS)
    assert len({put["target"] for put in puts}) == len(puts) == ROUNDS


# Priming: on the same connection or not at all ----------------------------------------------------------------------


def test_the_upload_takes_the_primed_connection(scripted, upload, payloads):
    def serve(visit, server):
        while (head := server.take(visit)) is not None:
            if head[0] == "HEAD":
                visit.answer(405)  # with any status
            else:
                whole(visit, server, head[2])

    server = scripted(serve)
    check_whole(upload(server, "/x"), payloads["50m"])
    assert server.log == [(0, "HEAD"), (0, "PUT")]


def test_a_primed_connection_that_is_gone_is_primed_again(scripted, upload, payloads):
    """The server silently closes two connections after the HEAD: the body is sent only on a primed connection."""

    def serve(visit, server):
        while (head := server.take(visit)) is not None:
            if head[0] == "HEAD":
                visit.answer(200)
                if visit.number < 2:
                    return
            else:
                whole(visit, server, head[2])

    server = scripted(serve)
    sent = upload(server, "/x", "--prime", "always")
    check_whole(sent, payloads["50m"])
    assert (server.log[-2:], sent.report["primed"]) == ([(n := server.log[-1][0], "HEAD"), (n, "PUT")], True)
    assert [method for _, method in server.log].count("PUT") == 1
    assert server.log[:2] == [(0, "HEAD"), server.log[1]]


@pytest.mark.parametrize("announced", (True, False))
@pytest.mark.parametrize("prime", ("always", "auto"))
def test_a_server_that_keeps_no_connection(prime, announced, scripted, upload, payloads):
    """With or without `Connection: close`. With --prime always nothing is sent; otherwise the body waits for the
    100."""

    def serve(visit, server):
        method, _, fields = server.take(visit) or ("none", "", {})
        if method == "none":
            return
        if method == "HEAD":
            visit.answer(200, b"", *(["Connection: close"] if announced else []))
            return
        assert fields["expect"] == "100-continue"
        visit.interim()
        whole(visit, server, fields)

    server = scripted(serve)
    sent = upload(server, "/x", "--prime", prime)
    if prime == "always":
        assert (sent.code, sent.report["outcome"]) == (69, "not-primed")
        assert {method for _, method in server.log} == {"HEAD"}
    else:
        check_whole(sent, payloads["50m"])
        assert (sent.report["primed"], sent.report["continued"]) == (False, True)
    assert len(server.log) <= 6  # the number of attempts is bounded


def test_a_prime_url(thaw, upload, payloads):
    sent = upload(thaw, "/late?primed-elsewhere", "--prime-url", thaw.url("/.well-known/thaw/prime"))
    assert check_whole(sent, payloads["50m"])["certificate"]["body_bytes_before_verdict"] == 0
    assert sent.report["prime_status"] == 204


# An ask in the middle, on a slow path -------------------------------------------------------------------------------


def waiting(connection):
    """Bytes that the system has received and the server has not read."""
    return struct.unpack("i", fcntl.ioctl(connection.fileno(), termios.FIONREAD, b"1234"))[0]


def asks_in_the_middle(visit, server):
    while (head := server.take(visit)) is not None:
        if head[0] == "HEAD":
            visit.answer(200)
            continue
        first = visit.body(MIB // 2)
        visit.ask()
        data = first + visit.body(int(head[2]["content-length"]) - len(first))
        subject = dict(pair[0] for pair in visit.tls.getpeercert()["subject"])["commonName"]
        report = {"body_bytes": len(data), "body_sha256": hashlib.sha256(data).hexdigest(), "subject": subject}
        visit.answer(200, json.dumps(report).encode())


def small_buffers(programs):
    return {"LD_PRELOAD": programs.smallbuffer(), "ASAN_OPTIONS": "verify_asan_link_order=0"}


def test_an_ask_in_the_middle_of_a_write(scripted, pki, payloads, programs):
    """With OpenSSL alone the connection ends if one of the client's records is half sent at that moment ("bad
    length")."""
    server = scripted(asks_in_the_middle, buffer=16384)
    relay = Relay(server.port, 20_000_000)
    for _ in range(5):
        url = f"https://localhost:{relay.port}/x"
        sent = send(pki, payloads["1m"].path, url, "--expect", "never", env=small_buffers(programs))
        assert check_whole(sent, payloads["1m"])["subject"] == "Thaw Demo Client"
        assert sent.asks == [("post-handshake", "upload")]
    relay.close()


# Slow paths are not stalls ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("plain", (True, False))
def test_a_slow_path(plain, thaw, upstream, pki, payloads):
    """The upload takes longer than the stall limit."""
    relay = Relay(upstream("node").port if plain else thaw.port, 250_000)
    url = f"{'http' if plain else 'https'}://localhost:{relay.port}/late?slow"
    sent = send(pki, payloads["1m"].path, url, "--stall", "2s")
    check_whole(sent, payloads["1m"])
    assert sent.report["ms"] > 2000
    relay.close()


def test_a_rate_so_low_that_nothing_moves_for_long(thaw, pki, tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"x" * 40_000)
    sent = send(pki, file, thaw.url("/late?rate"), "--limit-rate", "15K", "--stall", "400ms")
    assert (sent.code, sent.status) == (0, 200), sent.error


# Failures in transit ------------------------------------------------------------------------------------------------


def test_reset_in_the_middle(scripted, upload):
    def serve(visit, fields, server):
        visit.body(MIB)
        visit.reset()

    server = scripted(after_head(serve))
    sent = upload(server, "/x", "--expect", "never")
    assert (sent.code, sent.report["outcome"], sent.report["ok"], sent.status) == (75, "lost", False, 0)
    assert 0 < sent.report["sent"] < 50 * MIB
    assert " of 50.0 MiB" in sent.report["text"]
    assert [method for _, method in server.log].count("PUT") == 1


def test_what_was_on_its_way_has_not_arrived(scripted, upload):
    """When the server resets the connection, the client's system discards what the server has not received."""
    buffer = 65536

    def serve(visit, fields, server):
        visit.body(MIB)
        while waiting(visit.tls) < buffer // 8:
            select.select([], [], [], 0.01)  # until the next check
        visit.reset()

    sent = upload(scripted(after_head(serve), buffer=buffer), "/x", "--expect", "never")
    assert sent.report["outcome"] == "lost"
    assert MIB / 2 < sent.report["sent"] <= MIB + 2 * buffer  # Linux doubles the buffer size


def test_a_success_before_the_whole_file_was_sent_is_a_failure(scripted, upload):
    def serve(visit, fields, server):
        visit.body(MIB)
        visit.answer(200, b"fine", "Connection: close")
        visit.reset()

    sent = upload(scripted(after_head(serve)), "/x", "--expect", "never")
    assert sent.code in (75, 76)
    assert not sent.report["ok"]


def test_a_refusal_in_the_middle_is_read(scripted, upload):
    def serve(visit, fields, server):
        visit.body(MIB)
        visit.answer(507, b"full", "Connection: close")
        visit.body(50 * MIB)

    sent = upload(scripted(after_head(serve)), "/x", "--expect", "never")
    assert (sent.code, sent.status, sent.report["body"]) == (69, 507, "full")


@pytest.mark.parametrize("method", ("PUT", "POST"))
def test_only_what_is_safe_is_sent_again(method, scripted, upload, payloads):
    """A PUT is repeated completely; a POST whose body was in transit is not."""

    def serve(visit, fields, server):
        if [m for _, m in server.log].count(method) < 3:
            visit.body(MIB)
            visit.reset()
        else:
            whole(visit, server, fields)

    server = scripted(after_head(serve))
    sent = upload(server, "/x", "--expect", "never", "--method", method, "--retry", "5")
    times = [m for _, m in server.log].count(method)
    if method == "PUT":
        check_whole(sent, payloads["50m"])
        assert (times, sent.report["attempts"]) == (3, 3)
    else:
        assert (sent.code, times, sent.report["attempts"]) == (75, 1, 1)


@pytest.mark.parametrize("change", ("shorter", "longer", "other"))
def test_a_file_that_changes_meanwhile(change, scripted, pki, tmp_path):
    """The server never gets the complete body that was announced."""
    file = tmp_path / "file"
    file.write_bytes(b"x" * (8 * MIB))
    seen = []

    def serve(visit, fields, server):
        visit.body(MIB)
        with open(file, "r+b") as changed:
            if change == "shorter":
                changed.truncate(MIB)
            else:
                changed.seek(0, 2 if change == "longer" else 0)
                changed.write(b"y")
        seen.append(len(visit.body(int(fields["content-length"]) - MIB)) + MIB)

    sent = send(pki, file, scripted(after_head(serve), buffer=65536).url("/x"), "--expect", "never", "--limit-rate", "16MiB")
    assert (sent.code, sent.report["outcome"], sent.report["ok"]) == (66, "file", False)
    assert str(file) in sent.report["text"]
    assert not seen or seen[0] < 8 * MIB


# Standard input, forms ----------------------------------------------------------------------------------------------


def test_a_pipe_goes_in_chunks(thaw, pki, payloads):
    with subprocess.Popen(["cat", str(payloads["50m"].path)], stdout=subprocess.PIPE) as cat:
        sent = send(pki, "-", thaw.url("/late?pipe"), stdin=cat.stdout)
    check_whole(sent, payloads["50m"])
    assert sent.report["size"] == -1


def test_a_slow_pipe_is_no_stall(scripted, pki):
    """The next piece is written when the server has received the previous one."""
    reader, writer = os.pipe()

    def serve(visit, fields, server):
        for _ in range(3):
            assert visit.body(len("4\r\nabcd\r\n")) == b"4\r\nabcd\r\n"
            server.over.wait(1.5)  # longer than the stall limit
            os.write(writer, b"abcd")
        os.close(writer)
        visit.chunked()
        visit.answer(201)

    os.write(writer, b"abcd")
    with os.fdopen(reader, "rb") as pipe:
        sent = send(pki, "-", scripted(after_head(serve)).url("/x"), "--expect", "never", "--stall", "1s", stdin=pipe)
    assert (sent.code, sent.status, sent.report["sent"]) == (0, 201, 16)


def test_a_file_as_standard_input_has_a_length(scripted, pki, payloads):
    lengths = []

    def serve(visit, fields, server):
        lengths.append(fields.get("content-length"))
        whole(visit, server, fields)

    with open(payloads["1m"].path, "rb") as file:
        file.seek(1000)
        sent = send(pki, "-", scripted(after_head(serve)).url("/x"), stdin=file)
    assert (sent.code, lengths, sent.body()["body_bytes"]) == (0, [str(MIB - 1000)], MIB - 1000)


def test_a_form(scripted, pki, payloads, tmp_path):
    odd = tmp_path / 'odd "name".txt'
    odd.write_bytes(b"--thaw-\r\n")
    forms = []

    def serve(visit, fields, server):
        body = visit.body(int(fields["content-length"]))
        forms.append(email.message_from_bytes(b"Content-Type: " + fields["content-type"].encode() + b"\r\n\r\n" + body))
        visit.answer(200)

    url = scripted(after_head(serve)).url("/x")
    sent = send(pki, None, url, "--form", f"data=@{payloads['1m'].path}", "--form", f"more=@{odd}")
    assert (sent.code, sent.status) == (0, 200), sent.error
    first, second = forms[0].get_payload()
    assert hashlib.sha256(first.get_payload(decode=True)).hexdigest() == payloads["1m"].sha256
    assert first.get_param("name", header="content-disposition") == "data"
    assert second.get_payload(decode=True) == b"--thaw-\r\n"
    assert second.get_filename() == "odd %22name%22.txt"


# --resume -----------------------------------------------------------------------------------------------------------


class Store:
    """A server with one resource. parts: what it does with Content-Range: 'joins', 'ignores' or 'refuses'."""

    def __init__(self, has, parts, etag='"one"'):
        self.data, self.parts, self.etag = has, parts, etag
        self.puts = []

    def __call__(self, visit, server):
        while (head := server.take(visit)) is not None:
            method, _, fields = head
            if method in ("HEAD", "GET"):
                self.show(visit, method)
            elif "content-range" in fields and self.parts == "refuses":
                visit.answer(400, b"", "Connection: close")
                return
            else:
                self.put(visit, fields)

    def show(self, visit, method):
        if self.data is None:
            visit.answer(404)
        elif method == "GET":
            visit.answer(200, self.data, f"ETag: {self.etag}")
        else:
            lines = ("HTTP/1.1 200 Fine", f"Content-Length: {len(self.data)}", f"ETag: {self.etag}", "", "")
            visit.tls.sendall("\r\n".join(lines).encode())

    def put(self, visit, fields):
        body = visit.body(int(fields["content-length"]))
        self.puts.append(len(body))
        if "content-range" in fields and self.parts == "joins":
            assert fields["if-match"] == self.etag
            assert fields["content-range"] == f"bytes {len(self.data)}-{MIB - 1}/{MIB}"
            body = self.data + body
        self.data = body
        visit.answer(204)


@pytest.mark.parametrize("has,parts,etag,puts", (
    ("beginning", "joins", '"one"', [MIB - 1000]),
    ("beginning", "ignores", '"one"', [MIB - 1000, MIB]),
    ("beginning", "refuses", '"one"', [MIB]),
    ("beginning", "joins", 'W/"one"', [MIB]),
    ("other", "joins", '"one"', [MIB]),
    ("more", "joins", '"one"', [MIB]),
    ("nothing", "joins", '"one"', [MIB]),
    ("all", "joins", '"one"', []),
))  # fmt: skip
def test_resume(has, parts, etag, puts, scripted, pki, payloads):
    """Whatever the server does, it has the complete file at the end, and no more was sent than necessary."""
    data = payloads["1m"].data()
    there = {"beginning": data[:1000], "other": b"x" * 1000, "more": data + b"x", "nothing": None, "all": data}[has]
    store = Store(there, parts, etag)
    sent = send(pki, payloads["1m"].path, scripted(store).url("/x"), "--resume", "--expect", "never")
    assert (sent.code, sent.report["ok"], store.puts) == (0, True, puts), sent.error
    assert store.data == data
    assert sent.report["resumed_from"] == {"joins": len(there or b"") if has in ("beginning", "all") and etag[0] == '"' else 0}.get(parts, 0)


def test_only_a_file_is_resumed(thaw, pki, payloads):
    for options in (["-", thaw.url("/late"), "--resume"], [str(payloads["1k"].path), thaw.url("/late"), "--resume", "--method", "POST"]):
        file, url, *rest = options
        sent = send(pki, file, url, *rest)
        assert (sent.code, sent.report["outcome"]) == (64, "usage")
        assert "--resume" in sent.error


# libthaw-curl, whose caller performs the handle itself --------------------------------------------------------------


def example(server, pki, file, target, env=None):
    """Runs examples/upload.c. Returns (exit code, standard output, standard error)."""
    files = [str(pki / name) for name in ("ca.pem", "client.pem", "client.key")]
    argv = [str(binary().parent / "upload"), str(file), server.url(target), *files]
    code, out, err, late = run(argv, LIMIT, env={**os.environ, **(env or {})})
    assert not late, "frozen: " + err.decode()
    return code, out, err.decode()


@pytest.mark.parametrize("kind", ("apache", "node"))
def test_the_example(kind, late_server, pki, payloads):
    code, out, err = example(late_server(kind), pki, payloads["50m"].path, "/late/x")
    assert code == 0, err
    assert json.loads(out)["body_sha256"] == payloads["50m"].sha256
    assert err.count("CN=Thaw Demo Client") == 1 and "priming" in err.splitlines()[0], err


def test_the_example_primes_again(scripted, pki, payloads):
    def serve(visit, server):
        while (head := server.take(visit)) is not None:
            if head[0] == "PUT":
                whole(visit, server, head[2])
                continue
            visit.answer(200)
            if visit.number == 0:
                return

    server = scripted(serve)
    code, out, err = example(server, pki, payloads["1m"].path, "/x")
    # The second connection was made for the upload, which sent nothing on it.
    assert (code, server.log) == (0, [(0, "HEAD"), (2, "HEAD"), (2, "PUT")]), err
    assert json.loads(out)["body_sha256"] == payloads["1m"].sha256


def test_the_example_does_not_accept_an_early_success(scripted, pki, payloads):
    def serve(visit, fields, server):
        visit.body(MIB)
        visit.answer(200, b"fine", "Connection: close")
        visit.body(49 * MIB)  # the server reads it, so that only the count shows the failure

    code, out, err = example(scripted(after_head(serve)), pki, payloads["50m"].path, "/x")
    assert (code, out) == (1, b"fine"), err
    assert has_message(err, "incomplete", "200"), err


def curl_user(server, pki, file, target, mode):
    """Runs clients/curl_user.c. Returns (libcurl's code, status, enum thaw_curl_refusal, performs)."""
    files = [str(pki / name) for name in ("ca.pem", "client.pem", "client.key")]
    program = binary().parent / "tests" / "curl-user"
    code, out, err, late = run([str(program), str(file), server.url(target), *files, mode], LIMIT)
    assert (code, late) == (0, False), err
    return tuple(map(int, out.split()))


def wants_a_login(scheme, closes, bodies):
    """Answers 401 until the request has final credentials; NTLM takes two steps."""

    def serve(visit, server):
        while (head := server.take(visit)) is not None:
            method, _, fields = head
            body = visit.body(int(fields.get("content-length", 0))) if method == "PUT" else b""
            given = fields.get("authorization", "")
            step = 0 if not given else 2 if given.startswith(("Digest", "NTLM TlRMTVNTUAAD")) else 1
            if step == 2:
                if method == "PUT":
                    bodies.append(body)
                visit.answer(201 if method == "PUT" else 200)
                continue
            challenge = 'Digest realm="x", nonce="n", qop="auth"' if scheme == "digest" else "NTLM" + (f" {NTLM_TYPE_2}" if step else "")
            close = closes and method == "PUT"
            visit.answer(401, b"", f"WWW-Authenticate: {challenge}", *(["Connection: close"] if close else []))
            if close:
                return

    return serve


# A challenge without target information.
NTLM_TYPE_2 = base64.b64encode(b"NTLMSSP\0" + struct.pack("<IHHII8s8sHHI", 2, 0, 0, 48, 0x00000206, b"12345678", b"", 0, 0, 48)).decode()


@pytest.mark.parametrize("scheme", ("digest", "ntlm"))
def test_a_login_of_several_steps_takes_the_primed_connection(scheme, scripted, pki, payloads):
    bodies = []
    server = scripted(wants_a_login(scheme, False, bodies))
    assert curl_user(server, pki, payloads["1m"].path, "/x", scheme) == (0, 201, 0, 1)
    assert [hashlib.sha256(body).hexdigest() for body in bodies] == [payloads["1m"].sha256]
    assert len({number for number, _ in server.log}) == 1


def test_a_login_that_needs_another_connection_is_refused(scripted, pki, payloads):
    bodies = []
    server = scripted(wants_a_login("digest", True, bodies))
    code, status, refused, performs = curl_user(server, pki, payloads["1k"].path, "/x", "digest")
    assert (code, status, refused, performs, bodies) == (42, 401, 3, 1, [])


@pytest.mark.parametrize("scheme, answer, status, puts", (
    ("digest", (401, 'WWW-Authenticate: Digest realm="x", nonce="n", qop="auth", stale=true'), 401, 6),
    ("follow", (307, "Location: /x"), 307, 31),
))  # fmt: skip
def test_the_number_of_repeated_bodies_is_limited(scheme, answer, status, puts, scripted, pki, payloads):
    def serve(visit, server):
        while (head := server.take(visit)) is not None:
            method, _, fields = head
            visit.body(int(fields.get("content-length", 0)))
            if method == "HEAD":
                visit.answer(200)
            else:
                visit.answer(answer[0], b"", answer[1])

    server = scripted(serve)
    code, last, refused, performs = curl_user(server, pki, payloads["1k"].path, "/x", scheme)
    assert (code, refused) in ((42, 4), (47, 0))  # libcurl 8.3 itself stops after 30 redirects
    assert (last, performs) == (status, 1)
    assert [method for _, method in server.log].count("PUT") == puts


@pytest.mark.parametrize("elsewhere", (False, True))
def test_a_redirection_is_followed_on_the_primed_connection_only(elsewhere, scripted, pki, payloads):
    def serve(visit, server):
        while (head := server.take(visit)) is not None:
            method, target, fields = head
            if method == "HEAD":
                visit.answer(200)
            elif target == "/x":
                visit.body(int(fields["content-length"]))
                visit.answer(307, b"", "Location: /y", *(["Connection: close"] if elsewhere else []))
                if elsewhere:
                    return
            else:
                whole(visit, server, fields)

    server = scripted(serve)
    ended = curl_user(server, pki, payloads["1m"].path, "/x", "follow")
    puts = [method for _, method in server.log].count("PUT")
    assert (*ended, puts) == ((42, 307, 3, 1, 1) if elsewhere else (0, 200, 0, 1, 2))


def test_the_example_asked_in_the_middle_of_a_write(scripted, pki, payloads, programs):
    server = scripted(asks_in_the_middle, buffer=16384)
    relay = Relay(server.port, 20_000_000)
    relay.url = lambda target: f"https://localhost:{relay.port}{target}"
    code, out, err = example(relay, pki, payloads["1m"].path, "/x", small_buffers(programs))
    relay.close()
    assert (code, json.loads(out)["subject"]) == (0, "Thaw Demo Client"), err
    assert "CN=Thaw Demo Client" in err and "priming" not in err, err
