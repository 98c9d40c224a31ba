"""`thaw probe` and time: slow applications, rate limits, and a certificate's key that is slow or refuses. None of these
may be confused with the effects of late certificates."""

import contextlib
import itertools
import json
import os
import socket
import ssl
import subprocess
import threading

import pytest
from harness.gateway import binary
from messages import has_message
from test_probe import FINE, FREEZES, KIB, LIMITED, MIB, UNTOLD, WATCHDOG, argv, https, listener, look

QUICK = ("--tls", "1.3", "--stall", "1s", "--hold", "0s", "--max-body", "1MiB")
SLOW = 2  # the time, in stalls, that a slow application takes


@pytest.fixture
def probe(pki):
    return lambda url, *options, **more: look(url, pki, *QUICK, *options, **more)


def length_of(head):
    return int(head[2].get("content-length", 0))


def ask(visit):
    """Clients that cannot be asked are served anyway."""
    with contextlib.suppress(ssl.SSLError):
        visit.ask()


def late(handle, before=None):
    """A server that asks after the head, as IIS does, then calls handle(visit, length, server) to answer. before(visit,
    length, server) runs after the ask; it returns true if it has handled the request itself."""

    def serve(visit, server):
        asked = False
        while (head := server.take(visit)) is not None:
            if not asked:
                ask(visit)
                asked = True
            if not (before and before(visit, length_of(head), server)):
                if "expect" in head[2]:
                    visit.interim()
                visit.body(length_of(head))
                handle(visit, length_of(head), server)

    return serve


def answers(visit, _length, _server):
    visit.answer(200)


def takes_its_time(visit, _length, server):
    server.over.wait(SLOW)
    visit.answer(200)


def outcomes(report):
    """The outcomes of all checks, anywhere in the report."""
    if isinstance(report, dict):
        if "outcome" in report and isinstance(report["outcome"], str):
            yield report["outcome"]
        for each in report.values():
            yield from outcomes(each)
    elif isinstance(report, list):
        for each in report:
            yield from outcomes(each)


# Slow applications ----------------------------------------------------------------------------------------------------


def test_slow_application_is_not_a_freeze(scripted, probe):
    report = probe(scripted(late(takes_its_time)).url("/x"))
    assert report["code"] == FINE, report["line"]
    assert "freeze" not in set(outcomes(report))
    assert report["tls13"]["no_body"]["answered_late"] and report["tls13"]["small_body"]["status"] == 200
    assert report["notes"]


def test_application_that_is_slow_to_begin_to_read_is_not_a_freeze(scripted, probe):
    def before(_visit, _length, server):
        server.over.wait(SLOW)

    report = probe(scripted(late(answers, before)).url("/x"), "--hold", "5s")
    assert report["code"] == FINE, report["line"]


def test_application_that_is_slow_for_large_bodies_only_is_not_a_freeze(scripted, probe):
    def handle(visit, length, server):
        (takes_its_time if length > 100000 else answers)(visit, length, server)

    report = probe(scripted(late(handle)).url("/x"))
    assert report["code"] == FINE, report["line"]
    assert report["tls13"]["writes_first"]["slow_from"] == 128 * KIB
    assert not report["tls13"]["writes_first"]["changes"]


def test_application_that_pauses_within_large_bodies_is_not_a_freeze(scripted, probe):
    """The body takes longer than a stall to send, but the server keeps reading."""

    def before(visit, length, server):
        if length > 500000:
            visit.interim()  # some clients wait for it
            visit.body(1000)
            server.over.wait(SLOW)
            visit.body(length - 1000)
            visit.answer(200)
            return True
        return False

    report = probe(scripted(late(answers, before), buffer=4096).url("/x"), "--hold", "8s")
    assert report["code"] == FINE, report["line"]


def test_application_that_never_answers_could_not_be_told(scripted, probe):
    def handle(_visit, _length, server):
        server.over.wait()

    report = probe(scripted(late(handle)).url("/x"))
    assert report["code"] == UNTOLD, report["line"]
    assert "freeze" not in set(outcomes(report))


# The worst of all sizes -----------------------------------------------------------------------------------------------


def test_freeze_beyond_a_limit_is_a_freeze(scripted, probe):
    """The server closes from 65 bytes on, and freezes above 65,536."""

    def before(visit, length, server):
        if length > 64 * KIB:
            server.over.wait()
        if length > 64:
            visit.tls.close()
            raise OSError
        return False

    report = probe(scripted(late(answers, before), buffer=4096).url("/x"))
    assert report["code"] == FREEZES, report["line"]
    bodies = report["tls13"]["writes_first"]
    assert bodies["first_bad"] == 65
    assert bodies["frozen"]["outcome"] == "freeze" and bodies["frozen"]["body"] > 64 * KIB


def test_limit_is_repeated_and_the_smallest_case_after_it(scripted, probe):
    def before(visit, length, _server):
        if length > 5000:
            visit.answer(413, b"", "Connection: close")
            visit.body(length)
            raise OSError
        return False

    report = probe(scripted(late(answers, before)).url("/x"))
    # the service's own limit: the same on a primed connection
    assert report["code"] == FINE, report["line"]
    bodies = report["tls13"]["writes_first"]
    assert (bodies["first_bad"], bodies["outcome"]["status"], bodies["primed"]["status"]) == (5001, 413, 413)
    assert report["tls13"]["small_body_again"]["status"] == 200
    assert {each["second"]["status"] for each in report["repeated"] if each["first"]["body"] == 5001} == {413}
    assert report["cures"]["server"] == []


def test_limit_before_the_certificate_is_a_limit(scripted, probe):
    """As above, but only on connections whose certificate is not known yet."""

    def serve(visit, server):
        known = False
        while (head := server.take(visit)) is not None:
            if not known and length_of(head) > 5000:
                visit.answer(413, b"", "Connection: close")
                visit.body(length_of(head))
                return
            if not known:
                ask(visit)
                known = True
            if "expect" in head[2]:
                visit.interim()
            visit.body(length_of(head))
            visit.answer(200)

    report = probe(scripted(serve).url("/x"))
    assert report["code"] == LIMITED, report["line"]
    bodies = report["tls13"]["writes_first"]
    assert (bodies["first_bad"], bodies["primed"]["status"]) == (5001, 200)
    assert all(each["second"] for each in report["repeated"])


# Limits on the rate ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", (429, 503, 500))
@pytest.mark.parametrize("most", (1, 5, 20, 30))
def test_rate_limit_is_not_a_limit_on_size(most, status, scripted, probe):
    count = itertools.count(1)
    lock = threading.Lock()

    def handle(visit, _length, _server):
        with lock:
            number = next(count)
        visit.answer(200 if number <= most else status)

    report = probe(scripted(late(handle)).url("/x"))
    assert report["code"] == UNTOLD, report["line"]
    assert report["cures"]["server"] == []


def test_error_that_does_not_come_again_is_not_a_limit(scripted, probe):
    """One error only, for a large body."""
    failed, lock = set(), threading.Lock()

    def handle(visit, length, _server):
        with lock:
            first = length == MIB and not failed
            if first:
                failed.add(length)
        visit.answer(500 if first else 200)

    report = probe(scripted(late(handle)).url("/x"))
    assert report["code"] in (FINE, UNTOLD), report["line"]


@pytest.mark.parametrize("each", (2, 3))
def test_server_that_fails_now_and_then_has_no_limit(each, scripted, probe):
    """It fails regardless of the size: the report must not claim a limit, not even by coincidence."""
    count = itertools.count(1)
    lock = threading.Lock()

    def handle(visit, _length, _server):
        with lock:
            number = next(count)
        visit.answer(503 if number % each == 0 else 200)

    report = probe(scripted(late(handle)).url("/x"))
    assert report["code"] in (FINE, UNTOLD), report["line"]
    assert report["cures"]["server"] == []


@pytest.mark.parametrize("how", ("closed", "reset"))
def test_connection_that_is_ended_once_is_tried_again(how, pki):
    """Otherwise TLS 1.3 would be reported as unsupported."""
    ended, one = [], threading.Lock()

    def speak(connection):
        if not connection.recv(1, socket.MSG_PEEK):
            return  # the probe only checked the address
        with one:
            first = not ended
            ended.append(first)
        if first:
            if how == "closed":
                connection.recv(65536)
            connection.close()  # if bytes are unread, this is a reset
            return
        with context.wrap_socket(connection, server_side=True) as tls, tls.makefile("rwb") as stream:
            head = list(iter(stream.readline, b"\r\n"))
            fields = dict(line.decode().lower().rstrip("\r\n").split(": ", 1) for line in head[1:])
            if "expect" in fields:
                stream.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                stream.flush()
            # Reads everything: if a connection is closed with unread bytes, it is reset, and the answer may be lost.
            stream.read(int(fields.get("content-length", 0)))
            stream.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(str(pki / "server.pem"), str(pki / "server.key"))
    with listener(speak) as port:
        report = look(f"https://localhost:{port}/x", pki, *QUICK)
    assert len(ended) > 1 and report["tls13"]["spoken"]
    assert report["code"] == FINE, report["line"]


# Expect -------------------------------------------------------------------------------------------------------------


def test_body_that_is_slow_without_expect_too_is_not_a_freeze_with_it(scripted, probe):
    """The server begins to read large bodies after more than two stalls; the largest body is watched for that long."""

    def before(_visit, length, server):
        if length > 70000:
            server.over.wait(3)
        return False

    report = probe(scripted(late(answers, before), buffer=4096).url("/x"), "--hold", "8s")
    assert report["tls13"]["expect_waits"]["outcome"] == "freeze"
    assert report["code"] == FINE, report["line"]


# What passes ----------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def asks_at_handshake(pki, speak):
    with https(pki, speak, ask=True) as url:
        yield url


def test_server_without_http_that_asks_at_the_handshake_does_not_pass(pki):
    def speak(tls, _head):
        tls.sendall(b"220 mail.example.com ESMTP\r\n")

    with asks_at_handshake(pki, speak) as url:
        done = subprocess.run(argv(url, pki, *QUICK), capture_output=True, timeout=WATCHDOG, text=True)
    assert done.returncode == 76, done.stdout
    assert has_message(done.stderr, "probe-not-http")


def test_server_that_closes_every_connection_does_not_pass(pki, probe):
    with asks_at_handshake(pki, lambda _tls, _head: None) as url:
        report = probe(url)
    assert report["code"] == UNTOLD, report["line"]
    assert not has_message(report["line"], "report-passes") and not has_message(report["line"], "report-no-problem")


def test_method_that_is_refused_does_not_pass(pki, probe):
    def speak(tls, head):
        tls.sendall(b"HTTP/1.1 %s X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                    % (b"200" if head.startswith(b"GET") else b"405"))  # fmt: skip
        while tls.recv(65536):
            pass

    with asks_at_handshake(pki, speak) as url:
        report = probe(url)
    assert report["code"] == FINE, report["line"]
    assert not has_message(report["line"], "report-passes") and "405" in report["line"]


def test_limit_on_size_after_a_handshake_ask_is_not_the_certificates(late_server, pki):
    """The limit is nginx's client_max_body_size."""
    patient = (*QUICK, "--tls", "both", "--stall", "15s")  # nothing stalls here, but a busy machine may
    report = look(late_server("nginx", limit="100000").url("/late/x"), pki, *patient)
    assert report["code"] == FINE, report["line"]
    assert report["tls13"]["writes_first"]["first_bad"] == 100001
    assert any("413" in note for note in report["notes"])
    assert report["cures"]["server"] == []


# The certificate's key ------------------------------------------------------------------------------------------------


@pytest.fixture
def with_token(slow_token, pki):
    """with_token(url, *options, SIGN_MS=2000): runs a probe. Returns the JSON report, standard error, and the number of
    signatures."""

    def run(url, *options, **settings):
        env = {**os.environ, **slow_token.env(**settings)}
        made = [str(binary()), "probe", url, "--ca", str(pki / "ca.pem"), "--json", "--cert", slow_token.uri, *QUICK, *options]
        done = subprocess.run(made, capture_output=True, timeout=WATCHDOG, env=env)
        assert done.stdout, done.stderr.decode()
        return json.loads(done.stdout), done.stderr.decode(), slow_token.signatures()

    return run


def test_key_that_is_slow_is_not_a_freeze(scripted, with_token):
    report, error, signatures = with_token(scripted(late(answers)).url("/x"), SIGN_MS=1500)
    assert report["code"] == FINE, report["line"]
    assert not {"freeze", "silence"} & set(outcomes(report))
    assert any(has_message(note, "slow-key") for note in report["notes"])
    assert has_message(error, "probe-slow-key")
    assert signatures <= 16


@pytest.mark.parametrize("rv", (0x200, 0x32, 0x31, 0x6), ids=("rejected", "removed", "memory", "failed"))
def test_key_that_refuses_is_not_the_server(rv, scripted, with_token):
    report, _, signatures = with_token(scripted(late(answers)).url("/x"), SIGN_RV=hex(rv))
    assert report["code"] == UNTOLD, report["line"]
    assert has_message(report["line"], "report-key-failed")
    assert set(outcomes(report)) == {"key-failed"}
    assert signatures <= 2  # OpenSSL's engine tries two functions


def test_key_that_refuses_at_the_handshake_is_not_the_server(pki, with_token):
    def speak(tls, _head):
        tls.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    with https(pki, speak, ask=True) as url:
        report, _, signatures = with_token(url, "--tls", "both", SIGN_RV=0x200)
    assert report["code"] == UNTOLD, report["line"]
    assert has_message(report["line"], "report-key-failed") and set(outcomes(report)) == {"key-failed"}
    assert signatures <= 8  # both versions are checked in parallel
