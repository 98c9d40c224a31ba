"""`thaw send`: ways to a server, logins, forms, heads of responses, and secrets that are not typed."""

import base64
import hashlib
import itertools
import json
import os
import re
import subprocess

import pytest
from harness.gateway import binary
from harness.plain import Scripted as Plain
from harness.process import run
from harness.relay import ConnectProxy, TlsFront
from harness.scripted import Scripted, Taker
from harness.upload import LIMIT, identity, send

PHRASE = "open sesame"


@pytest.fixture
def recorder(pki):
    made = []

    def start(*fields):
        made.append(Taker(pki, *fields))
        return made[-1]

    yield start
    for one in made:
        one.server.close()


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "a b;c.txt"
    path.write_bytes(b"content")
    return path


# Ways to a server ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ("connect-to", "resolve"))
def test_a_way_changes_the_address_only(way, recorder, pki, small):
    server = recorder()
    value = {"connect-to": f"localhost:9:127.0.0.1:{server.port}", "resolve": f"localhost:{server.port}:127.0.0.1"}[way]
    port = 9 if way == "connect-to" else server.port
    sent = send(pki, small, f"https://localhost:{port}/x", f"--{way}", value)
    assert sent.code == 0, sent
    assert server.names == {"localhost"}
    assert {fields["host"] for _, _, fields, _ in server.requests} == {f"localhost:{port}"}
    assert [method for method, _, _, _ in server.requests] == ["HEAD", "PUT"]


def test_a_host_other_than_the_sni(recorder, pki, small):
    server = recorder()
    sent = send(pki, small, f"https://localhost:{server.port}/x", "--header", "Host: other.example")
    assert (sent.code, server.names, server.upload()[2]["host"]) == (0, {"localhost"}, "other.example"), sent


@pytest.mark.parametrize("way", (None, "connect-to", "resolve"))
def test_an_sni_other_than_the_host(way, recorder, pki, small):
    """The certificate is for localhost, but the URL's host is another name."""
    server = recorder()
    host = "other.invalid" if way else "127.0.0.1"
    port = 9 if way == "connect-to" else server.port
    value = {"connect-to": f"{host}:9:127.0.0.1:{server.port}", "resolve": f"{host}:{port}:127.0.0.1"}.get(way)
    options = ("--sni", "localhost", "--prime-url", f"https://{host}:{port}/p", *((f"--{way}", value) if way else ()))
    sent = send(pki, small, f"https://{host}:{port}/d/?q", *options)
    assert sent.code == 0, sent
    assert server.names == {"localhost"}
    assert [(method, target) for method, target, _, _ in server.requests] == [("HEAD", "/p"), ("PUT", "/d/a%20b%3Bc.txt?q")]
    assert {fields["host"] for _, _, fields, _ in server.requests} == {f"{host}:{port}"}


def test_an_sni_is_the_name_in_the_certificate(recorder, pki, small):
    server = recorder()
    sent = send(pki, small, f"https://localhost:{server.port}/x", "--sni", "other.example", "--header", "Host: h")
    assert (sent.code, sent.report["outcome"], server.names) == (77, "distrusted", {"other.example"}), sent
    sent = send(pki, small, f"https://localhost:{server.port}/x", "--sni", "localhost", "--header", "Host: h")
    assert (sent.code, server.upload()[2]["host"]) == (0, "h"), sent


@pytest.mark.parametrize("value", ("", "127.0.0.1", "a b", "a..b", "a.", "[::1]", "http://x"))
def test_an_sni_that_is_no_name(value, pki, small):
    assert send(pki, small, "https://localhost:9/x", "--sni", value).code == 64


@pytest.mark.parametrize("options,agent", (((), r"thaw-send/\d+\.\d+\.\d+"), (("--user-agent", "own/1"), "own/1"), (("--user-agent", ""), "")))
def test_the_user_agent(options, agent, recorder, pki, small):
    server = recorder()
    assert send(pki, small, f"https://localhost:{server.port}/x", *options).code == 0
    assert all(re.fullmatch(agent, fields.get("user-agent", "")) for _, _, fields, _ in server.requests)


def test_a_proxy_by_option(recorder, pki, small):
    server, proxy = recorder(), ConnectProxy()
    sent = send(pki, small, f"https://localhost:{server.port}/x", "--proxy", f"http://127.0.0.1:{proxy.port}", "--noproxy", "")
    proxy.close()
    assert sent.code == 0, sent


@pytest.mark.parametrize("named", ("in the URL", "apart"))
def test_a_proxy_with_a_login(named, recorder, pki, small):
    """Percent-encoded in both places, as in curl."""
    server, proxy = recorder(), ConnectProxy(login=base64.b64encode(b"na@me:pass word").decode())
    user = f"na%40me:pass%20word"
    options = ("--proxy", f"http://{user}@127.0.0.1:{proxy.port}") if named == "in the URL" else \
        ("--proxy", f"127.0.0.1:{proxy.port}", "--proxy-user", user)
    sent = send(pki, small, f"https://localhost:{server.port}/x", *options, "--noproxy", "")
    proxy.close()
    assert (sent.code, set(proxy.asked)) == (0, {f"localhost:{server.port}"}), sent


@pytest.mark.parametrize("way", ("no port", "plus", "minus", "any", "last"))
def test_ways_in_curls_spellings(way, recorder, pki, small):
    server = recorder()
    port = 9 if way == "no port" else server.port
    good, bad = f"localhost:{port}:127.0.0.1", f"localhost:{port}:127.0.0.9"
    options = {"no port": ("--connect-to", f"::127.0.0.1:{server.port}", "--connect-to", "localhost:9:127.0.0.9"),
               "plus": ("--resolve", f"+{good}"), "minus": ("--resolve", bad, "--resolve", f"-localhost:{port}"),
               "any": ("--resolve", f"*:{port}:127.0.0.9", "--resolve", good), "last": ("--resolve", bad, "--resolve", good)}[way]
    sent = send(pki, small, f"https://localhost:{port}/x", *options)
    assert sent.code == 0, sent


@pytest.mark.parametrize("proxy", ("ftp://localhost:1", "://localhost", "httpss://user:s3cret@localhost"))
def test_a_proxy_of_another_scheme(proxy, pki, small):
    sent = send(pki, small, "https://localhost:9/x", "--proxy", proxy)
    assert sent.code == 64 and "--proxy" in sent.error and "s3cret" not in sent.error, sent


def test_a_proxy_over_tls(recorder, pki, small):
    server, proxy = recorder(), ConnectProxy()
    front = TlsFront(pki, proxy.port)
    options = ("--proxy", f"https://localhost:{front.port}", "--noproxy", "")
    sent = send(pki, small, f"https://localhost:{server.port}/x", *options, "--proxy-ca", str(pki / "ca.pem"))
    assert (sent.code, set(proxy.asked)) == (0, {f"localhost:{server.port}"}), sent
    sent = send(pki, small, f"https://localhost:{server.port}/x", *options)
    assert sent.code == 77 and "--proxy-ca" in sent.report["hint"], sent
    proxy.close()
    front.close()


@pytest.mark.parametrize("url,target", (("/d/", "/d/a%20b%3Bc.txt"), ("", "/a%20b%3Bc.txt"), ("/d/?x=/", "/d/a%20b%3Bc.txt?x=/"), ("/d", "/d")))
def test_a_folder_gets_the_files_name(url, target, recorder, pki, small):
    server = recorder()
    assert send(pki, small, f"https://localhost:{server.port}{url}").code == 0
    assert {asked for _, asked, _, _ in server.requests} == {target}


# Logins --------------------------------------------------------------------------------------------------------------


def in_chunks(visit):
    """Reads a chunked body."""
    whole, size = b"", b""
    while True:
        while not size.endswith(b"\r\n"):
            size += visit.body(1) or b"0\r\n"
        piece = visit.body(int(size, 16))
        visit.body(2)
        whole, size = whole + piece, b""
        if not piece:
            return whole


def digest_server(pki, log, kind="MD5"):
    """kind: an algorithm of RFC 7616; or 'no qop', 'auth-int', 'once' (a nonce is valid for one request) or 'next' (the
    same, and the response has the next nonce)."""
    algorithm = kind if kind in ("MD5", "SHA-256", "MD5-sess") else "MD5"
    qop = {"no qop": "", "auth-int": ', qop="auth-int"'}.get(kind, ', qop="auth, auth-int"')
    fresh, live = itertools.count(), set()

    def sums(*parts):
        return hashlib.new("sha256" if algorithm == "SHA-256" else "md5", ":".join(parts).encode()).hexdigest()

    def nonce():
        live.add(made := f"n{next(fresh)}")
        return made

    def is_right(parameters, method, target):
        first = sums("u", "a, b", "p w")
        if algorithm == "MD5-sess":
            first = sums(first, parameters["nonce"], parameters["cnonce"])
        middle = [parameters[name] for name in ("nonce", "nc", "cnonce", "qop") if name in parameters]
        return parameters.get("response") == sums(first, *middle, sums(method, target))

    def serve(visit, server):
        while (head := server.take(visit)) is not None:
            method, target, fields = head
            if "expect" in fields:
                visit.interim()
            body = in_chunks(visit) if "transfer-encoding" in fields else visit.body(int(fields.get("content-length", 0)))
            parameters = {name: quoted or bare for name, quoted, bare in re.findall(r'(\w+)=(?:"([^"]*)"|([^",\s]*))', fields.get("authorization", ""))}
            right = bool(parameters) and is_right(parameters, method, target)
            good = right and parameters["nonce"] in live
            more = []
            if good and kind in ("once", "next"):
                live.discard(parameters["nonce"])
            if not good:
                stale = ", stale=true" if right else ""
                more = [f'WWW-Authenticate: Digest realm="a, b", nonce="{nonce()}", algorithm={algorithm}{qop}{stale}']
            elif kind == "next":
                more = [f'Authentication-Info: nextnonce="{nonce()}"']
            log.append((method, good, body))
            visit.answer(201 if good else 401, b"", *more)

    return Scripted(pki, serve)


@pytest.mark.parametrize("kind", ("MD5", "SHA-256", "MD5-sess", "no qop", "once", "next"))
@pytest.mark.parametrize("who", ("client", None))
def test_digest(kind, who, pki, small):
    """If a nonce has expired by the time of the upload, or of the next one, the request is repeated with the new
    nonce."""
    log, other = [], small.with_name("other")
    other.write_bytes(b"more")
    server = digest_server(pki, log, kind)
    url, trust = f"https://localhost:{server.port}/", identity(pki, who)[: 6 if who else 2]
    code, out, err, _ = run([str(binary()), "send", str(small), str(other), url, "--json", "--user", "u:p w", "--digest", *trust], LIMIT)
    server.close()
    assert code == 0, (out, err)
    assert [body for method, good, body in log if good and method == "PUT"] == [b"content", b"more"]


@pytest.mark.parametrize("kind", ("MD5", "once"))
@pytest.mark.parametrize("method", ("PUT", "POST"))
def test_digest_for_a_pipe(kind, method, pki):
    """The first request, which gets the nonce, has no body and no chunks."""
    log = []
    server = digest_server(pki, log, kind)
    argv = [str(binary()), "send", "-", f"https://localhost:{server.port}/x", "--json", "--user", "u:p w", "--digest", "--method", method]
    done = subprocess.run([*argv, *identity(pki)], input=b"piped", capture_output=True, timeout=LIMIT)
    server.close()
    assert done.returncode == 0, done
    assert [body for each, good, body in log if good and each == method] == [b"piped"]


def test_digest_that_protects_the_body_is_reported(pki, small):
    log = []
    server = digest_server(pki, log, "auth-int")
    sent = send(pki, small, f"https://localhost:{server.port}/x", "--user", "u:p w", "--digest")
    server.close()
    assert (sent.code, sent.status) == (77, 401) and "auth-int" in sent.report["hint"], sent


def test_a_wrong_password_is_reported(pki, small):
    log = []
    server = digest_server(pki, log)
    sent = send(pki, small, f"https://localhost:{server.port}/x", "--user", "u:wrong", "--digest")
    server.close()
    assert (sent.code, sent.status) == (77, 401), sent
    assert sum(1 for _, _, body in log if body) == 1 and not any(good for _, good, _ in log)


def test_basic(recorder, pki, small):
    server = recorder()
    assert send(pki, small, f"https://localhost:{server.port}/x", "--user", "u:p").code == 0
    assert {fields["authorization"] for _, _, fields, _ in server.requests} == {"Basic dTpw"}


def test_a_password_is_not_on_the_command_line(pki, small):
    seen = []

    def speak(connection):
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                line = open(f"/proc/{pid}/cmdline", "rb").read()
            except OSError:
                continue
            if b"only-here.txt" in line:
                seen.append(line)
        connection.close()

    server, file = Plain(speak), small.with_name("only-here.txt")
    file.write_bytes(b"x")
    send(pki, file, f"https://localhost:{server.port}/", "--user", "name:s3cret", "--proxy-user", "other:s3cret")
    send(pki, file, f"https://localhost:{server.port}/", "--proxy", f"http://other:s3cret@localhost:{server.port}")
    server.close()
    assert len(seen) > 1 and not any(b"s3cret" in line for line in seen)


# Forms, heads --------------------------------------------------------------------------------------------------------


def test_a_form_with_types_names_and_texts(recorder, pki, small):
    server = recorder()
    fields = ("--form", f'a=@"{small}";type=text/plain;filename="x;y.txt"', "--form", "b=some text", "--form", "c={};type=application/json")
    assert send(pki, None, f"https://localhost:{server.port}/x", *fields).code == 0
    method, _, _, body = server.upload()
    assert method == "POST"
    assert b'name="a"; filename="x;y.txt"\r\nContent-Type: text/plain\r\n\r\ncontent\r\n' in body
    assert b'name="b"\r\n\r\nsome text\r\n' in body
    assert b'name="c"\r\nContent-Type: application/json\r\n\r\n{}\r\n' in body


LONG = "n" * 3000


@pytest.mark.parametrize("form,part", (
    ("a=<{file}", b'name="a"\r\n\r\ncontent\r\n'),
    ("a=<{file};type=text/x", b'name="a"\r\nContent-Type: text/x\r\n\r\ncontent\r\n'),
    ("a=@{file}", b'name="a"; filename="a b.txt"\r\nContent-Type: application/octet-stream\r\n\r\ncontent\r\n'),
    ("a=@{file}; type=text/x; filename=y", b'name="a"; filename="y"\r\nContent-Type: text/x\r\n\r\ncontent\r\n'),
    ("a=@{file};TYPE=text/x; charset=utf-8;filename=y", b'filename="y"\r\nContent-Type: text/x; charset=utf-8\r\n'),
    ('a=@{file};filename="q\\"r\\\\s"', b'filename="q%22r\\s"'),
    ('a"b\r\nc=x', b'name="a%22b%0D%0Ac"\r\n\r\nx\r\n'),
    (f"{LONG}=x", f'name="{LONG}"\r\n\r\nx\r\n'.encode()),
    (f"a=@{{file}};filename={LONG}", f'filename="{LONG}"\r\n'.encode()),
    ("ü=ä", 'name="ü"\r\n\r\nä\r\n'.encode()),
    ("a=", b'name="a"\r\n\r\n\r\n'),
    ("a=b=c;d", b'name="a"\r\n\r\nb=c;d\r\n'),
    ('a="x;type=y"', b'name="a"\r\n\r\nx;type=y\r\n'),
    ('a="@x";type=y', b'name="a"\r\nContent-Type: y\r\n\r\n@x\r\n'),
))
def test_a_field_of_a_form(form, part, recorder, pki, tmp_path):
    server, file = recorder(), tmp_path / "a b.txt"
    file.write_bytes(b"content")
    sent = send(pki, None, f"https://localhost:{server.port}/x", "--form", form.format(file=file))
    assert sent.code == 0, sent
    assert part in server.upload()[3]


@pytest.mark.parametrize("form", ("a", "=x", "a=@", "a=<", "a=@x;filename=", 'a="x', 'a="x"y', "a=x;filename=y", "a=x;type=", "a=x;encoder=base64",
                                  "a=@x;headers=Y", "a=@x;filename=a\rb"))
def test_a_field_that_is_none(form, pki):
    assert send(pki, None, "https://localhost:9/x", "--form", form).code == 64


def test_the_head_of_the_response(recorder, pki, small):
    server = recorder("X-One: 1", "X-One: 2")
    url = f"https://localhost:{server.port}/x"
    argv = [str(binary()), "send", str(small), url, "--quiet", "-i", *identity(pki)]
    code, out, err, _ = run(argv, LIMIT)
    assert (code, out) == (0, b"HTTP/1.1 201 Answer\r\nContent-Length: 4\r\nX-One: 1\r\nX-One: 2\r\n\r\nmade"), err
    sent = send(pki, small, url, "--include")
    assert sent.report["head"] == ["HTTP/1.1 201 Answer", "Content-Length: 4", "X-One: 1", "X-One: 2"]
    sent = send(pki, small, url)
    assert (sent.report["head"], sent.report["schema"]) == (None, 1)


def test_the_key_log(recorder, pki, small, tmp_path):
    server, log = recorder(), tmp_path / "keys"
    assert send(pki, small, f"https://localhost:{server.port}/x", env={"SSLKEYLOGFILE": str(log)}).code == 0
    assert b"CLIENT_TRAFFIC_SECRET_0 " in log.read_bytes()
    assert log.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("name", ("folder", "folder/none/keys", "dangling"))
def test_a_key_log_that_cannot_be_written_is_refused(name, pki, small, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "dangling").symlink_to(tmp_path / "target")
    sent = send(pki, small, "https://localhost:9/x", env={"SSLKEYLOGFILE": str(tmp_path / name)})
    assert sent.code == 66 and "SSLKEYLOGFILE" in sent.report["text"], sent
    assert not (tmp_path / "target").exists()


# Secrets -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def locked(pki, tmp_path_factory):
    key = tmp_path_factory.mktemp("locked") / "locked.key"
    argv = ["openssl", "pkcs8", "-topk8", "-in", pki / "client.key", "-out", key, "-passout", f"pass:{PHRASE}"]
    subprocess.run(list(map(str, argv)), check=True, capture_output=True)
    return key


def with_phrase(pki, locked, url, file, source, **more):
    argv = [str(binary()), "send", str(file), url, "--json", "--ca", str(pki / "ca.pem"), "--cert", str(pki / "client.pem")]
    done = subprocess.run([*argv, "--key", str(locked), "--pass", source], capture_output=True, timeout=LIMIT, **more)
    return done.returncode, json.loads(done.stdout) if done.stdout else {}, done.stderr.decode()


@pytest.mark.parametrize("source", ("file", "fd", "env"))
def test_a_pass_phrase_from_elsewhere(source, recorder, pki, locked, small, tmp_path):
    server, file = recorder(), tmp_path / "phrase"
    url = f"https://localhost:{server.port}/x"
    file.write_text(PHRASE + "\nmore\n")
    if source == "file":
        code, _, err = with_phrase(pki, locked, url, small, f"file:{file}")
    elif source == "env":
        code, _, err = with_phrase(pki, locked, url, small, "env:PHRASE", env={**os.environ, "PHRASE": PHRASE})
    else:
        code, _, err = with_phrase(pki, locked, url, "-", "fd:0", input=f"{PHRASE}\nthe body".encode())
    assert code == 0, err
    if source == "fd":
        assert server.upload()[3] == b"the body"


@pytest.mark.parametrize("source", ("file:/nonexistent", "fd:77", "env:THAW_NOT_SET"))
def test_a_pass_phrase_that_is_not_there(source, pki, locked, small):
    code, _, err = with_phrase(pki, locked, "https://localhost:9/x", small, source)
    assert code == 66 and source.partition(":")[2] in err, err


def test_a_pass_phrase_on_the_command_line_is_refused(pki, locked, small):
    code, _, err = with_phrase(pki, locked, "https://localhost:9/x", small, PHRASE)
    assert code == 64 and PHRASE not in err, err
