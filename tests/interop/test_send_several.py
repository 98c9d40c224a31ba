"""`thaw send` with several files and URLs: one after another, on one connection if they go to the same server."""

import json
import os
import subprocess

import pytest
from harness.gateway import binary
from harness.scripted import Scripted, Taker
from harness.upload import LIMIT, identity
from messages import has_message


@pytest.fixture
def taker(pki):
    made = []

    def start():
        made.append(Taker(pki))
        return made[-1]

    yield start
    for one in made:
        one.server.close()


@pytest.fixture
def files(tmp_path):
    made = [tmp_path / name for name in ("a", "b b", "c")]
    for one in made:
        one.write_text(f"content of {one.name}")
    return made


def send_all(pki, *arguments, who=True, form="--json"):
    argv = [str(binary()), "send", *map(str, arguments), *(identity(pki) if who else identity(pki)[:2]), *([form] if form else [])]
    done = subprocess.run(argv, capture_output=True, timeout=LIMIT, stdin=subprocess.DEVNULL, env={**os.environ})
    report = [json.loads(line) for line in done.stdout.splitlines()] if form else done.stdout
    return done.returncode, report, done.stderr.decode()


def asking(pki, refuse=(), close=()):
    """Asks for a certificate at the first request of a connection. Records asks, and closes after uploads to
    `close`."""

    def serve(visit, server):
        while (head := server.take(visit)) is not None:
            method, target, fields = head
            if not visit.tls.getpeercert():
                server.asks.append(target)
                visit.ask()
            if "expect" in fields:
                visit.interim()
            body = visit.body(int(fields.get("content-length", 0)))
            server.got.append((visit.number, method, target, body))
            visit.answer(403 if target in refuse else 200 if method == "HEAD" else 201, b"")
            if method != "HEAD" and target in close:
                return

    server = Scripted(pki, serve)
    server.asks, server.got = [], []
    return server


def uploads(server):
    return [(target, body) for _, method, target, body in server.got if method != "HEAD"]


def test_several_files_take_one_connection_and_one_ask(pki, files):
    server = asking(pki)
    code, report, err = send_all(pki, *files, server.url("/d/"))
    server.close()
    assert code == 0, err
    assert [(one["file"], one["url"], one["ok"], one["status"]) for one in report] == [
        (str(file), server.url(f"/d/{file.name.replace(' ', '%20')}"), True, 201) for file in files]
    assert uploads(server) == [(f"/d/{file.name.replace(' ', '%20')}", file.read_bytes()) for file in files]
    assert len(server.visits) == 1 and len(server.asks) == 1
    assert [method for _, method, _, _ in server.got] == ["HEAD", "PUT", "PUT", "PUT"]
    assert [(one["primed"], one["reused"]) for one in report] == [(True, False), (True, True), (True, True)]


def test_without_a_certificate_it_is_one_connection_too(pki, taker, files):
    server = taker()
    code, report, err = send_all(pki, *files, f"https://localhost:{server.port}/", who=False)
    assert (code, len(server.server.visits)) == (0, 1), err
    assert [method for method, _, _, _ in server.requests] == ["PUT"] * 3
    assert [one["reused"] for one in report] == [False, True, True]


def test_several_urls_of_two_servers(pki, taker, files):
    one, other = taker(), taker()
    urls = [f"https://localhost:{one.port}/1", f"https://localhost:{one.port}/2", f"https://localhost:{other.port}/3"]
    code, report, err = send_all(pki, files[0], *urls)
    assert (code, [each["url"] for each in report]) == (0, urls), err
    assert (len(one.server.visits), len(other.server.visits)) == (1, 1)
    assert [target for method, target, _, _ in one.requests if method == "PUT"] == ["/1", "/2"]


def test_another_folder_of_a_server_that_has_not_asked_is_primed(pki, taker, files):
    server = taker()
    urls = [f"https://localhost:{server.port}/1/x", f"https://localhost:{server.port}/1/y", f"https://localhost:{server.port}/2/x"]
    assert send_all(pki, files[0], *urls)[0] == 0
    assert [(method, target) for method, target, _, _ in server.requests] == [
        ("HEAD", "/1/x"), ("PUT", "/1/x"), ("PUT", "/1/y"), ("HEAD", "/2/x"), ("PUT", "/2/x")]


def test_the_first_failure_is_the_exit_code_and_the_others_are_sent(pki, files):
    server = asking(pki, refuse=("/d/a", "/d/c"))
    code, report, err = send_all(pki, *files, server.url("/d/"))
    server.close()
    assert (code, [(one["ok"], one["status"]) for one in report]) == (77, [(False, 403), (True, 201), (False, 403)]), err
    assert [str(file) in line for file, line in zip((files[0], files[2]), (line for line in err.splitlines() if "error" in line))] == [True, True]


def test_a_connection_that_the_server_closes_is_made_again(pki, files):
    server = asking(pki, close=("/d/a",))
    code, report, err = send_all(pki, *files, server.url("/d/"))
    server.close()
    assert code == 0, err
    assert [body for _, body in uploads(server)] == [file.read_bytes() for file in files]
    assert len(server.visits) in (2, 3)  # one may be opened before the client sees that the first one is closed
    assert report[1]["primed"] and report[2]["reused"]


def test_a_connection_that_ends_under_the_next_upload_is_made_again(pki, files):
    """The server closes the connection after the head of the second upload, which had no effect yet."""

    def serve(visit, server):
        uploaded = 0
        while (head := server.take(visit)) is not None:
            method, target, fields = head
            if method != "HEAD" and uploaded == 1 and visit.number == 0:
                visit.reset()
                return
            uploaded += method != "HEAD"
            server.got.append(visit.body(int(fields.get("content-length", 0))))
            visit.answer(200 if method == "HEAD" else 201, b"")

    server = Scripted(pki, serve)
    server.got = []
    code, report, err = send_all(pki, *files, server.url("/d/"))
    server.close()
    assert code == 0, err
    assert [body for body in server.got if body] == [file.read_bytes() for file in files]
    assert has_message(err, "retry-new-connection"), err


def test_forms_to_several_urls(pki, taker, files):
    server = taker()
    urls = [f"https://localhost:{server.port}/{name}" for name in "xy"]
    code, report, err = send_all(pki, "--form", f"f=@{files[0]}", *urls)
    assert (code, [one["file"] for one in report]) == (0, [None, None]), err
    assert [target for method, target, _, _ in server.requests if method == "POST"] == ["/x", "/y"]
    assert all(b"content of a" in body for method, _, _, body in server.requests if method == "POST")


def test_for_people_each_line_names_file_and_url(pki, files):
    server = asking(pki)
    code, out, err = send_all(pki, *files, server.url("/d/"), form=None)
    server.close()
    assert (code, out) == (0, b"")
    for file in files:
        assert f"{file} to {server.url('/d/')}{file.name.replace(' ', '%20')}: sent" in err


def test_one_object_is_as_it_was(pki, taker, files):
    server = taker()
    argv = [str(binary()), "send", str(files[0]), f"https://u:p@localhost:{server.port}/x", "--json", *identity(pki)]
    done = subprocess.run(argv, capture_output=True, timeout=LIMIT, check=True)
    report = json.loads(done.stdout)
    assert (report["schema"], report["file"], report["url"]) == (1, str(files[0]), f"https://localhost:{server.port}/x")
    assert done.stdout.count(b"\n") > 10


@pytest.mark.parametrize("arguments", (
    ("a", "c", "https://localhost:9/x"), ("-", "a", "https://localhost:9/"), ("-", "https://localhost:9/", "https://localhost:9/"),
    ("https://localhost:9/",), ("a",), (), ("a", "c", "localhost:9/"), ("a", "ftp://localhost/"), ("a", "https://localhost:9/", "ftp://localhost/"),
    ("a", "--form", "x=@a", "https://localhost:9/"), ("--form", "x=@a"), ("a", "http://localhost:9/", "--sni", "x"),
))
def test_wrong_usage(arguments, pki, files, monkeypatch):
    monkeypatch.chdir(files[0].parent)
    code, report, err = send_all(pki, *arguments)
    assert (code, report) == (64, []), err


def test_a_file_that_cannot_be_read_is_reported_before_anything_is_sent(pki, taker, files):
    server = taker()
    code, report, err = send_all(pki, files[0], files[0].with_name("none"), f"https://localhost:{server.port}/")
    assert (code, server.requests) == (66, []) and "none" in err, err
    assert [one["outcome"] for one in report] == ["file"]
