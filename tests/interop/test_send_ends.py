"""How `thaw send` ends, and what it reports, with unusual names, files, proxies, servers and output streams."""

import json
import os
import pty
import socket
import struct
import subprocess
import threading
import time
from email.utils import formatdate

import pytest
from harness.gateway import binary
from harness.pki import Issuer
from harness.plain import Scripted as Plain
from harness.process import popen, run
from harness.relay import ConnectProxy
from harness.scripted import Scripted, after_head, whole
from harness.upload import LIMIT, identity, send
from messages import MESSAGES, has_message

MIB = 2**20


def argv_of(pki, file, url, *options):
    return [str(binary()), "send", str(file), url, *identity(pki), *options]


# Errors that are found before any connection ------------------------------------------------------------------------


@pytest.mark.parametrize("url", ("https://", "https://localhost:99999/", "https://local host/"))
def test_what_is_no_url(url, pki, payloads):
    sent = send(pki, payloads["1k"].path, url)
    assert (sent.code, sent.report) == (64, {}), sent


IDN, ASCII = "https://b\u00fccher.localhost:{}{}", "xn--bcher-kva.localhost"
TOOLS = ("send", "probe")


def tool(name, pki, file, url, *options):
    """Runs `thaw send` or `thaw probe` in the locale "C". Returns (exit code, standard error)."""
    argv = [str(binary()), name, *([str(file)] if name == "send" else []), url, *identity(pki), *options]
    code, _, err, late = run(argv, LIMIT, env={**os.environ, "LC_ALL": "C"})
    assert not late
    return code, err.decode("utf-8", "replace")


@pytest.fixture(scope="module")
def idn_pki(pki, tmp_path_factory):
    issuer = Issuer(tmp_path_factory.mktemp("idn") / "pki")
    ca = issuer.new("ca", ca=True)
    issuer.new("server", by=ca, extensions=f"subjectAltName=DNS:{ASCII}")
    for name in ("client.pem", "client.key"):
        (issuer.folder / name).write_bytes((pki / name).read_bytes())
    return issuer.folder


@pytest.mark.parametrize("name", TOOLS)
def test_a_host_beyond_ascii_has_one_form(name, idn_pki, payloads):
    """The same form in DNS, SNI, Host and the certificate, whatever the locale; also for --prime-url."""
    hosts, names = set(), set()

    def serve(visit, server):
        while (head := server.take(visit)) is not None:
            hosts.add(head[2]["host"])
            visit.body(int(head[2].get("content-length", 0)))
            visit.answer(200)

    server = Scripted(idn_pki, serve)
    server._context.sni_callback = lambda _tls, sni, _context: names.add(sni)
    url = IDN.format(server.port, "/x")
    options = ("--prime-url", IDN.format(server.port, "/p")) if name == "send" else ("--max-body", "0", "--hold", "0s")
    code, err = tool(name, idn_pki, payloads["1k"].path, url, *options)
    server.close()
    assert code == 0, err
    assert (names, hosts) == ({ASCII}, {f"{ASCII}:{server.port}"}), err


@pytest.mark.parametrize("name", TOOLS)
@pytest.mark.parametrize("host", (b"b\xff", "\u202e\u00e9".encode(), "\u00e9".encode() + b"a" * 80))
def test_a_host_that_has_no_form_in_ascii(host, name, pki, payloads):
    code, err = tool(name, pki, payloads["1k"].path, os.fsdecode(b"https://" + host + b".localhost/"))
    assert code == 64 and "IDNA" in err and "\u202e" not in err, err


def hello(version, cipher):
    """A ServerHello without any extension: no secure renegotiation (RFC 5746)."""
    body = version + bytes(32) + b"\0" + cipher + b"\0"
    return b"\x16" + version + struct.pack(">H", len(body) + 4) + b"\x02" + struct.pack(">I", len(body))[1:] + body


@pytest.mark.parametrize("name", TOOLS)
@pytest.mark.parametrize("answer,what", (
    (hello(b"\x03\x03", b"\xc0\x2f"), "(RFC 5746)"),
    (hello(b"\x03\x01", b"\xc0\x13"), "no-common-version"),
    (b"\x15\x03\x01\0\x02\x02\x46", "no-common-version"),
), ids=("no-rfc5746", "tls-1.0", "alert"))  # fmt: skip
def test_an_old_server_is_reported_as_such(answer, what, name, pki, payloads):
    def speak(connection):
        connection.recv(65536)
        connection.sendall(answer)
        connection.recv(65536)

    server = Plain(speak)
    code, err = tool(name, pki, payloads["1k"].path, f"https://localhost:{server.port}/")
    server.close()
    assert code == 76, err
    assert (has_message(err, what) if what in MESSAGES else what in err) and "routines" not in err, err


@pytest.mark.parametrize("other", ("https://other.localhost:{}/", "https://localhost:1/"))
def test_a_prime_url_on_another_server(other, thaw, pki, payloads):
    sent = send(pki, payloads["1k"].path, thaw.url("/late"), "--prime-url", other.format(thaw.port))
    assert (sent.code, sent.report) == (64, {}), sent
    assert "--prime-url" in sent.error


@pytest.mark.parametrize("option", ("--ca", "--cert", "--key", "--pkcs12"))
def test_a_file_of_the_identity_that_is_not_there(option, thaw, pki, payloads, tmp_path):
    argv = [str(binary()), "send", str(payloads["1k"].path), thaw.url("/late"), "--json", option, str(tmp_path / "none")]
    code, out, err, _ = run(argv, LIMIT)
    assert (code, json.loads(out)["outcome"]) == (66, "file"), err
    assert not has_message(err, "server-ca-unknown"), err


def test_a_name_that_is_no_text(pki, thaw, tmp_path):
    """JSON must be UTF-8, but file names are bytes."""
    sent = send(pki, os.fsencode(tmp_path).decode() + "/\udcff", thaw.url("/late"))
    assert (sent.code, sent.report["outcome"]) == (66, "file"), sent.error
    assert has_message(sent.report["text"], "no-such-file", "/?: "), sent


def test_a_server_of_another_name(pki, thaw, payloads):
    sent = send(pki, payloads["1k"].path, f"https://other.localhost:{thaw.port}/late")
    assert (sent.code, sent.report["outcome"]) == (77, "distrusted")
    assert has_message(sent.report["hint"], "server-of-another-name"), sent


def trusting(pki, thaw, payloads, env):
    argv = [str(binary()), "send", str(payloads["1k"].path), thaw.url("/late"), "--json", *identity(pki)[2:]]
    others = {name: value for name, value in os.environ.items() if name not in ("CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")}
    code, out, err, _ = run(argv, LIMIT, env={**others, **env})
    return code, json.loads(out)["outcome"], err.decode()


@pytest.mark.parametrize("name", ("CURL_CA_BUNDLE", "SSL_CERT_FILE"))
def test_a_ca_file_of_the_environment(name, pki, thaw, payloads):
    assert trusting(pki, thaw, payloads, {})[:2] == (77, "distrusted")
    code, outcome, err = trusting(pki, thaw, payloads, {name: str(pki / "ca.pem")})
    assert (code, outcome) == (0, "done"), err
    assert name in err


def test_a_ca_folder_of_the_environment(pki, thaw, payloads, tmp_path):
    (tmp_path / "ca.pem").write_bytes((pki / "ca.pem").read_bytes())
    subprocess.run(["openssl", "rehash", str(tmp_path)], check=True)
    code, outcome, err = trusting(pki, thaw, payloads, {"SSL_CERT_DIR": str(tmp_path)})
    assert (code, outcome) == (0, "done"), err
    assert "SSL_CERT_DIR" in err


# No way to the server -----------------------------------------------------------------------------------------------


def test_a_server_that_knows_no_tls(pki, payloads):
    """The server accepts the connection, and sends nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        sent = send(pki, payloads["1k"].path, f"https://localhost:{silent.getsockname()[1]}/", "--stall", "200ms")
    assert (sent.code, sent.report["outcome"]) == (69, "no-connection"), sent


@pytest.mark.parametrize("proxy,options,status,hint", (
    ({"refusal": 407}, (), "407", "--proxy-user"),
    ({"login": "eDp5"}, ("--proxy-user", "other:user"), "407", "--proxy-user"),
    ({"refusal": 403}, (), "403", "--noproxy"),
    ({"refusal": 502}, (), "502", "--noproxy"),
))
def test_a_proxy_that_refuses(proxy, options, status, hint, thaw, pki, payloads):
    proxy = ConnectProxy(**proxy)
    env = {"https_proxy": f"http://127.0.0.1:{proxy.port}", "no_proxy": ""}
    sent = send(pki, payloads["1k"].path, thaw.url("/late"), *options, env=env)
    proxy.close()
    assert (sent.code, sent.report["outcome"], sent.status) == (69, "no-connection", 0), sent
    assert status in sent.report["text"] and hint in sent.report["hint"] and not has_message(sent.report["hint"], "no-answer"), sent


def test_through_a_proxy(scripted, pki, payloads):
    """The proxy's response is not an answer to the upload, which may therefore be repeated."""
    puts = []

    def serve(visit, fields, server):
        puts.append(visit.number)
        if len(puts) == 1:
            visit.reset()
        else:
            whole(visit, server, fields)

    proxy, server = ConnectProxy(), scripted(after_head(serve))
    env = {"https_proxy": f"http://127.0.0.1:{proxy.port}", "no_proxy": ""}
    sent = send(pki, payloads["1m"].path, server.url("/x"), "--expect", "never", "--retry", "1", env=env)
    proxy.close()
    assert (sent.code, sent.report["attempts"], sent.report["primed"]) == (0, 2, True), sent.error
    assert sent.body()["body_sha256"] == payloads["1m"].sha256


def test_the_time_is_for_the_priming_too(scripted, pki, payloads):
    """After the timeout nothing else is tried."""

    def serve(visit, server):
        server.take(visit)
        server.over.wait()

    server = scripted(serve)
    sent = send(pki, payloads["1k"].path, server.url("/x"), "--timeout", "3s", "--stall", "10s")
    assert (sent.code, sent.report["outcome"], server.log) == (75, "timeout", [(0, "HEAD")]), sent


# Responses of the server --------------------------------------------------------------------------------------------


def test_a_redirect_is_told(scripted, pki, payloads):
    def serve(visit, fields, server):
        visit.body(int(fields["content-length"]))
        visit.answer(307, b"", "Location: /over/there?a=b&c")

    server = scripted(after_head(serve))
    sent = send(pki, payloads["1k"].path, server.url("/x").replace("//", "//me:s3cret@"), "--expect", "never")
    assert (sent.code, sent.status) == (69, 307)
    assert sent.report["hint"].endswith(f": '{server.url('/over/there?a=b&c')}'")
    assert "s3cret" not in sent.error


def test_a_redirect_that_names_no_place(scripted, pki, payloads):
    def serve(visit, fields, server):
        visit.body(int(fields["content-length"]))
        visit.answer(301)

    sent = send(pki, payloads["1k"].path, scripted(after_head(serve)).url("/x"), "--expect", "never")
    assert (sent.code, sent.status, sent.report["location"]) == (69, 301, None)
    assert "://" not in sent.report["hint"]


def test_a_retry_after_beyond_every_number_is_not_none(scripted, pki, payloads):
    def serve(visit, fields, server):
        visit.body(int(fields["content-length"]))
        visit.answer(503, b"", "Retry-After: 99999999999999999999999999")

    url = scripted(after_head(serve)).url("/x")
    sent = send(pki, payloads["1k"].path, url, "--expect", "never", "--retry", "5")
    assert (sent.code, sent.status, sent.report["attempts"]) == (69, 503, 1)
    assert sent.report["retry_after"] > 3600


ODD = b"https://h/\x1b]0;owned\x07\xc2\x9b31m'$(id)'`id`;\xe2\x80\xae\xff"


def answers_odd(visit, fields, server):
    visit.body(int(fields["content-length"]))
    visit.tls.sendall(b"HTTP/1.1 307 \x1b[31mOdd\r\nContent-Length: 6\r\nLocation: " + ODD + b"\r\n\r\n\x1b[2J\n\t")


def test_a_server_cannot_steer_the_terminal(scripted, pki, payloads):
    """By its Location, its reason or its body: the terminal gets no escape sequence, and the JSON is ASCII."""
    url = scripted(after_head(answers_odd)).url("/x")
    terminal, its = pty.openpty()
    code = popen([*argv_of(pki, payloads["1k"].path, url), "--expect", "never", "--quiet"], stdout=its, stderr=its).wait(LIMIT)
    os.close(its)
    shown = os.read(terminal, 65536)
    os.close(terminal)
    assert code == 69
    assert b"\\x1B[2J\r\n\t" in shown
    assert not [byte for byte in shown if (byte < 32 and byte not in b"\r\n\t") or byte > 126], shown


def test_a_location_in_a_hint_is_one_word_of_a_shell(scripted, pki, payloads):
    sent = send(pki, payloads["1k"].path, scripted(after_head(answers_odd)).url("/x"), "--expect", "never")
    assert (sent.code, sent.status) == (69, 307)
    word = "'" + sent.report["hint"].partition(": '")[2]
    made = subprocess.run(["sh", "-c", f"printf %s {word}"], capture_output=True, check=True).stdout
    assert made.startswith(b"https://h/%1B]0;owned%07%C2%9B31m'$(id)'`id`;"), sent.error


def test_a_password_in_the_url_is_not_told(thaw, pki, payloads):
    sent = send(pki, payloads["1k"].path, thaw.url("/late").replace("//", "//me:s3cret@"), who=None)
    assert (sent.code, sent.status) == (77, 403)
    assert f"thaw probe {thaw.url('/late')}" in sent.report["hint"]
    assert "s3cret" not in sent.error + json.dumps(sent.report)


def test_an_answer_behind_which_the_connection_is_reset(scripted, pki, payloads):
    """The write fails first, but the response is available."""

    def serve(visit, fields, server):
        visit.body(MIB)
        visit.answer(413, b"too much", "Connection: close")
        visit.reset()

    server = scripted(after_head(serve))
    for _ in range(5):
        sent = send(pki, payloads["50m"].path, server.url("/x"), "--expect", "never")
        assert (sent.code, sent.report["outcome"], sent.status) == (69, "refused", 413), sent


def test_only_the_last_answer_is_given_out(scripted, pki, payloads):
    def serve(visit, fields, server):
        visit.body(int(fields["content-length"]))
        if visit.number == 0:
            visit.answer(503, b"busy")
        else:
            visit.answer(200, b"fine")

    url = scripted(after_head(serve)).url("/x")
    sent = send(pki, payloads["1k"].path, url, "--expect", "never", "--retry", "1")
    assert (sent.code, sent.report["body"], sent.report["attempts"]) == (0, "fine", 2)
    assert sent.report["attempts"] == 2 and "503" in sent.error and "in 0.5 s" in sent.error


@pytest.mark.parametrize("when", ("2", "date"))
def test_retry_after_is_waited_for(when, scripted, pki, payloads):
    def serve(visit, fields, server):
        visit.body(int(fields["content-length"]))
        if visit.number == 0:
            visit.answer(503, b"", "Retry-After: " + (formatdate(time.time() + 3, usegmt=True) if when == "date" else when))
        else:
            visit.answer(201)

    url = scripted(after_head(serve)).url("/x")
    sent = send(pki, payloads["1k"].path, url, "--expect", "never", "--retry", "1", "--timeout", "60s")
    assert (sent.code, sent.report["attempts"]) == (0, 2)
    assert ("in 2.0 s" if when == "2" else "in 3.0 s") in sent.error or (when == "date" and "in 2.0 s" in sent.error)


@pytest.mark.parametrize("after,options", (("60", ("--timeout", "20s")), ("3601", ())))
def test_retry_after_that_is_too_late_ends_it(after, options, scripted, pki, payloads):
    """The result is the server's response, without another attempt."""

    def serve(visit, fields, server):
        visit.body(int(fields["content-length"]))
        visit.answer(429, b"slow down", f"Retry-After: {after}")

    url = scripted(after_head(serve)).url("/x")
    sent = send(pki, payloads["1k"].path, url, "--expect", "never", "--retry", "5", *options)
    assert (sent.code, sent.status, sent.report["attempts"], sent.report["retry_after"]) == (69, 429, 1, int(after))
    assert f"in {after} s" in sent.report["hint"]


@pytest.mark.parametrize("scheme", ("Basic", "Digest", "Bearer"))
def test_a_login_of_another_kind_is_told(scheme, scripted, pki, payloads):
    def serve(visit, server):
        while (head := server.take(visit)) is not None:
            if head[0] == "HEAD":
                visit.ask()
                visit.answer(200)
            else:
                visit.body(int(head[2]["content-length"]))
                visit.answer(401, b"", f'WWW-Authenticate: {scheme} realm="x"')

    sent = send(pki, payloads["1k"].path, scripted(serve).url("/x"))
    assert (sent.code, sent.status) == (77, 401)
    assert f" {scheme} " in sent.report["hint"] and not has_message(sent.report["hint"], "client-ca-not-trusted")


def test_nginx_that_got_no_certificate(late_server, pki, payloads):
    sent = send(pki, payloads["1k"].path, late_server("nginx").url("/x"), who=None)
    assert (sent.code, sent.status) == (77, 400)
    assert "--cert" in sent.report["hint"]


def test_nginx_that_does_not_trust_the_certificate(late_server, pki, payloads):
    sent = send(pki, payloads["1k"].path, late_server("nginx").url("/x"), who="stranger")
    assert (sent.code, sent.status) == (77, 400)
    assert has_message(sent.report["hint"], "client-ca-not-trusted"), sent


def test_how_long_the_server_may_think(scripted, pki, payloads):
    """The limit applies after the whole body, not to other waits."""

    def serve(visit, fields, server):
        visit.body(int(fields["content-length"]))
        server.over.wait()

    url = scripted(after_head(serve)).url("/x")
    sent = send(pki, payloads["1k"].path, url, "--expect", "never", "--stall", "60m", "--response-timeout", "300ms")
    assert (sent.code, sent.report["outcome"], sent.report["sent"]) == (75, "stalled", 1024)
    assert "--response-timeout" in sent.report["hint"]


def test_a_response_that_trickles_is_a_stall(scripted, pki, payloads):
    def serve(visit, fields, server):
        visit.body(int(fields["content-length"]))
        visit.tls.sendall(b"HTTP/1.1 200 OK\r\nX: ")
        while not server.over.wait(0.2):
            visit.tls.sendall(b"y")

    url = scripted(after_head(serve)).url("/x")
    sent = send(pki, payloads["1k"].path, url, "--expect", "never", "--stall", "60m", "--response-timeout", "1s")
    assert (sent.code, sent.report["outcome"], sent.report["sent"]) == (75, "stalled", 1024)
    assert "only" in sent.report["text"]


# A HEAD that is answered with a body (RFC 9110 9.3.2 forbids it) ----------------------------------------------------


def answers_head_with_a_body(visit, server, body, late=False):
    """late: the body is sent only after the upload's head has arrived."""
    primed = False
    while (head := server.take(visit)) is not None:
        if head[0] == "HEAD":
            visit.tls.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)  # the body comes in the same segment
            visit.tls.sendall(b"HTTP/1.1 200 Fine\r\nContent-Length: %d\r\n\r\n" % len(body))
            if not late:
                visit.tls.sendall(body)
            visit.tls.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)
        else:
            if late and primed:
                visit.tls.sendall(body)
            if "expect" in head[2]:
                visit.interim()
            whole(visit, server, head[2])
        primed = head[0] == "HEAD"


@pytest.mark.parametrize("late,body", (
    (False, b"no such page"), (False, b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfake"), (False, b"x" * 100_000),
    (True, b"no such page"), (True, b"x" * 100_000),
), ids=("text", "response", "long", "late-text", "late-long"))  # fmt: skip
@pytest.mark.parametrize("method", ("PUT", "POST"))
def test_a_head_that_is_answered_with_a_body(method, late, body, scripted, pki, payloads):
    """The body is not taken as the answer to the upload, which uses another connection, without priming."""
    server = scripted(lambda visit, server: answers_head_with_a_body(visit, server, body, late))
    sent = send(pki, payloads["1m"].path, server.url("/x"), "--method", method, "--stall", "10s")
    assert (sent.code, sent.status, sent.report["primed"]) == (0, 200, False), sent.error
    assert sent.body()["body_sha256"] == payloads["1m"].sha256
    assert has_message(sent.error, "head-has-body"), sent.error


def test_a_head_that_is_answered_with_a_body_cannot_prime(scripted, pki, payloads):
    server = scripted(lambda visit, server: answers_head_with_a_body(visit, server, b"no such page"))
    sent = send(pki, payloads["1k"].path, server.url("/x"), "--prime", "always")
    assert (sent.code, sent.report["outcome"]) == (69, "not-primed"), sent.error
    assert "answers HEAD with a body" in sent.report["text"]


# Header fields ------------------------------------------------------------------------------------------------------


def test_header_fields(scripted, pki, payloads):
    """Also fields without a value, which libcurl would omit."""
    heads = []

    def serve(visit, server):
        while (head := server.take(visit)) is not None:
            heads.append(head[2])
            if head[0] == "HEAD":
                visit.answer(200)
            else:
                whole(visit, server, head[2])

    options = [part for line in ("X-Empty:", "X-Blank: \t", "X-Odd: a:b;c \u00fc", "User-Agent:") for part in ("--header", line)]
    sent = send(pki, payloads["1k"].path, scripted(serve).url("/x"), "--expect", "never", *options)
    assert sent.code == 0, sent.error
    assert len(heads) == 2
    for head in heads:
        assert (head["x-empty"], head["x-blank"], head["user-agent"]) == ("", "", "")
        assert head["x-odd"].encode("latin-1").decode() == "a:b;c \u00fc"
        assert head["host"].startswith("localhost:")
    sent = send(pki, payloads["1k"].path, "https://localhost:1/", "--header", "Host: ")
    assert sent.code == 64


# --resume -----------------------------------------------------------------------------------------------------------


def test_resume_looks_with_the_users_fields(scripted, pki, payloads):
    data, puts = payloads["1m"].data(), []

    def serve(visit, server):
        while (head := server.take(visit)) is not None:
            method, _, fields = head
            if fields.get("authorization") != "Bearer me":
                visit.answer(401, b"", "Connection: close")
                return
            if method == "PUT":
                puts.append(len(visit.body(int(fields["content-length"]))))
                visit.answer(204)
            else:
                there = data if puts else data[:1000]
                head = f"HTTP/1.1 200 Fine\r\nContent-Length: {len(there)}\r\nETag: \"one\"\r\n\r\n".encode()
                visit.tls.sendall(head + (there if method == "GET" else b""))

    url = scripted(serve).url("/x")
    sent = send(pki, payloads["1m"].path, url, "--resume", "--expect", "never", "--header", "Authorization: Bearer me")
    assert (sent.code, puts, sent.report["resumed_from"]) == (0, [MIB - 1000], 1000), sent.error


def test_an_empty_file_needs_no_resuming(thaw, pki, tmp_path):
    (tmp_path / "empty").touch()
    sent = send(pki, tmp_path / "empty", thaw.url("/late"), "--resume")
    assert (sent.code, sent.body()["body_bytes"]) == (0, 0), sent.error


def test_a_file_whose_size_is_said_to_be_0(thaw, pki):
    sent = send(pki, "/proc/version", thaw.url("/late"))
    with open("/proc/version", "rb") as file:
        assert (sent.code, sent.body()["body_bytes"]) == (0, len(file.read())), sent.error


# Its own streams ----------------------------------------------------------------------------------------------------


def shell(pki, thaw, words, file="-"):
    """Returns the exit code."""
    argv = argv_of(pki, file, thaw.url("/late"), "--quiet")
    return run(["bash", "-c", f'"$@" {words}', "bash", *argv], LIMIT)[0]


def test_standard_input_that_is_closed(pki, thaw):
    """It is not treated as an empty file."""
    assert shell(pki, thaw, "<&-") == 66


@pytest.mark.parametrize("words,code", ((">&-", 74), (">/dev/full", 74), (">&- 2>&-", 74), ("2>&-", 0), ("2>/dev/full", 0)))
def test_output_that_cannot_be_written(words, code, pki, thaw, payloads):
    assert shell(pki, thaw, words, payloads["1k"].path) == code


def test_a_wait_is_told(scripted, pki, payloads):
    """On a terminal, during the wait: the server answers only after the message was seen."""
    seen = threading.Event()

    def serve(visit, server):
        while (head := server.take(visit)) is not None:
            if head[0] == "HEAD":
                seen.wait(LIMIT)
                seen.clear()
                visit.answer(200)
            else:
                visit.body(int(head[2]["content-length"]))
                seen.wait(LIMIT)
                visit.answer(200)

    terminal, its = pty.openpty()
    process = popen(argv_of(pki, payloads["1k"].path, scripted(serve).url("/x"), "--expect", "never"), stderr=its, stdout=subprocess.PIPE)
    watchdog = threading.Timer(LIMIT, process.kill)
    watchdog.start()
    os.close(its)
    shown = b""
    for what in ("answer to the HEAD", "response"):
        while not has_message(shown, "waiting", "0:0", what=what) and process.poll() is None:
            shown += os.read(terminal, 4096)
        seen.set()
    process.communicate()
    watchdog.cancel()
    os.close(terminal)
    assert process.returncode == 0, shown
