"""`thaw send --location`: follows 307 and 308; no certificate and no credential is sent to a server for which it was
not meant."""

import subprocess

import pytest
from harness.scripted import Scripted
from harness.upload import send
from messages import has_message


class Redirecting:
    """Asks for the certificate at the HEAD, redirects with `status` if the target is not below /here, and records
    (method, target, fields, whether it has a certificate, body) of each request."""

    def __init__(self, pki, location=None, status=307, early=False):
        self.location, self.status, self.early, self.requests = location, status, early, []
        self.server = Scripted(pki, self._serve)
        self.port = self.server.port

    def url(self, path):
        return self.server.url(path)

    def _serve(self, visit, server):
        while (head := server.take(visit)) is not None:
            method, target, fields = head
            if not visit.tls.getpeercert():
                visit.ask()
            away = self.location is not None and not target.startswith("/here") and method != "HEAD"
            body = b""
            if "expect" in fields and not (away and self.early):
                visit.interim()
            if not (away and self.early):
                body = visit.chunked() if "transfer-encoding" in fields else visit.body(int(fields.get("content-length", 0)))
            self.requests.append((method, target, fields, bool(visit.tls.getpeercert()), body))
            if away:
                visit.answer(self.status, b"not for you", *((f"Location: {self.location}",) if self.location else ()))
            else:
                visit.answer(200 if method == "HEAD" else 201, b"" if method == "HEAD" else b"made")

    def uploads(self):
        return [request for request in self.requests if request[0] != "HEAD"]


@pytest.fixture
def redirecting(pki):
    running = []

    def start(*how, **more):
        running.append(Redirecting(pki, *how, **more))
        return running[-1]

    yield start
    for one in running:
        one.server.close()


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "small.txt"
    path.write_bytes(b"content")
    return path


@pytest.mark.parametrize("status", (307, 308))
def test_a_redirection_on_the_same_server(status, redirecting, pki, small):
    server = redirecting("/here/x?y", status)
    sent = send(pki, small, server.url("/x"), "--location", "--header", "X-Token: secret")
    assert (sent.code, sent.status, sent.report["redirects"]) == (0, 201, 1), sent
    assert (sent.report["body"], sent.report["url"]) == ("made", server.url("/here/x?y"))
    assert [(target, fields.get("x-token"), given, body) for _, target, fields, given, body in server.uploads()] == [
        ("/x", "secret", True, b"content"), ("/here/x?y", "secret", True, b"content")]


def test_without_location_a_redirect_is_only_reported(redirecting, pki, small):
    server = redirecting("/here/x")
    sent = send(pki, small, server.url("/x"))
    assert (sent.code, sent.status, sent.report["redirects"]) == (69, 307, 0), sent
    assert sent.report["location"] == server.url("/here/x") and "--location" in sent.report["hint"]
    assert len(server.uploads()) == 1


@pytest.mark.parametrize("options,trusting", ((("--location",), False), (("--location-trusted",), True)))
def test_another_server_gets_no_certificate_and_no_credentials_unless_asked(options, trusting, redirecting, pki, small):
    far = redirecting()
    near = redirecting(far.url("/here/x"))
    fields = ("--header", "X-Token: secret", "--header", "Cookie: a=b", "--header", "Content-Language: en", "--header", "Host: h")
    sent = send(pki, small, near.url("/x"), *options, *fields, "--user", "u:p", "--prime-url", near.url("/prime"))
    assert (sent.code, sent.report["redirects"]) == (0, 1), sent
    (_, target, got, given, body), = far.uploads()
    assert (target, body, given) == ("/here/x", b"content", trusting)
    assert got["content-language"] == "en" and got["host"] == f"localhost:{far.port}"
    assert {"x-token", "cookie", "authorization"}.intersection(got) == ({"x-token", "cookie", "authorization"} if trusting else set())
    assert all(name not in fields for _, _, fields, _, _ in far.requests for name in ("x-token", "cookie", "authorization")) or trusting
    assert has_message(sent.error, "redirect-bare") != trusting


def test_back_at_the_first_server_credentials_are_sent_again(redirecting, pki, small):
    near = redirecting("placeholder")
    far = redirecting(near.url("/here/x"))
    near.location = far.url("/x")
    sent = send(pki, small, near.url("/x"), "--location", "--header", "X-Token: secret")
    assert (sent.code, sent.report["redirects"]) == (0, 2), sent
    assert [(given, "x-token" in fields) for _, _, fields, given, _ in near.uploads()] == [(True, True), (True, True)]
    assert [(given, "x-token" in fields) for _, _, fields, given, _ in far.requests] == [(False, False)]


@pytest.mark.parametrize("options,most", ((("--location",), 10), (("--location", "--max-redirs", "2"), 2)))
def test_a_redirect_loop_ends(options, most, redirecting, pki, small):
    server = redirecting("/circle")
    sent = send(pki, small, server.url("/x"), *options)
    assert (sent.code, sent.status, sent.report["redirects"], len(server.uploads())) == (69, 307, most, most + 1), sent
    assert "--max-redirs" in sent.report["hint"]


@pytest.mark.parametrize("location,code", (
    ("http://localhost:9/x", "redirect-to-http"), ("ftp://localhost/x", "redirect-not-http"), ("", "redirect-nowhere"),
    ("https://a b/", "redirect-not-http"),
))  # fmt: skip
def test_what_is_never_followed(location, code, redirecting, pki, small):
    server = redirecting(location)
    sent = send(pki, small, server.url("/x"), "--location-trusted")
    assert (sent.code, sent.status, sent.report["redirects"], len(server.uploads())) == (69, 307, 0, 1), sent
    assert has_message(sent.report["hint"], code), sent.report["hint"]


@pytest.mark.parametrize("status", (301, 302, 303))
def test_other_redirections_are_not_followed(status, redirecting, pki, small):
    server = redirecting("/here/x", status)
    sent = send(pki, small, server.url("/x"), "--location")
    assert (sent.code, sent.status, len(server.uploads())) == (69, status, 1), sent
    assert server.url("/here/x") in sent.report["hint"]


def piped(pki, data, url, *options):
    source = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    source.stdin.write(data)
    source.stdin.close()
    try:
        return send(pki, "-", url, *options, stdin=source.stdout)
    finally:
        source.stdout.close()
        source.wait()


def test_a_pipe_is_followed_where_nothing_was_read_of_it(redirecting, pki):
    """With Expect the server can redirect before the body is sent."""
    server = redirecting("/here/x", early=True)
    sent = piped(pki, b"content", server.url("/x"), "--location")
    assert (sent.code, sent.report["redirects"]) == (0, 1), sent
    assert [body for _, _, _, _, body in server.uploads()] == [b"", b"content"]


def test_a_pipe_that_was_read_is_not_followed(redirecting, pki):
    server = redirecting("/here/x")
    sent = piped(pki, b"content", server.url("/x"), "--location")
    assert (sent.code, sent.status, sent.report["redirects"]) == (69, 307, 0), sent
    assert "standard input" in sent.report["hint"]


def test_a_large_file_goes_once_where_the_server_redirects_early(redirecting, pki, payloads):
    server = redirecting("/here/x", early=True)
    sent = send(pki, payloads["50m"].path, server.url("/x"), "--location")
    assert (sent.code, sent.report["redirects"]) == (0, 1), sent
    assert [len(body) for _, _, _, _, body in server.uploads()] == [0, payloads["50m"].size]


def test_with_an_sni_of_its_own_places_are_relative_to_the_url(redirecting, pki, small):
    server = redirecting("/here/x")
    sent = send(pki, small, f"https://127.0.0.1:{server.port}/x", "--location", "--sni", "localhost")
    assert (sent.code, sent.report["url"]) == (0, f"https://127.0.0.1:{server.port}/here/x"), sent
    assert {fields["host"] for _, _, fields, _, _ in server.requests} == {f"127.0.0.1:{server.port}"}
